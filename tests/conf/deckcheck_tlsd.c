/* deckcheck_tlsd.c: the deck of tlsd, for deckcheck. */
#include "deck.h"
#include "deckcheck.h"

#include <string.h>

static int read_it(const char *path, void *ret, struct deck_report *report)
{
	return tlsd_deck_read(path, ret, report);
}

static int parse_it(const char *name, const char *text, size_t len, void *ret,
		    struct deck_report *report)
{
	return tlsd_deck_parse(name, text, len, ret, report);
}

static void print_it(const void *deck, FILE *out)
{
	tlsd_deck_print(deck, out);
}

static void free_it(void *deck)
{
	tlsd_deck_free(deck);
}

#define SAME(field) \
	do { \
		if (memcmp(&a->field, &b->field, sizeof(a->field)) != 0) \
			return #field; \
	} while (0)
#define SAME_TEXT(field) \
	do { \
		if (strcmp(a->field, b->field) != 0) \
			return #field; \
	} while (0)

static const char *settings_differ(const struct tls_settings *a,
				   const struct tls_settings *b)
{
	SAME_TEXT(keyring);
	SAME_TEXT(keyfile);
	SAME(min_version);
	SAME(max_version);
	SAME(option);
	SAME(ftp);
	SAME(ftp_tls);
	SAME(handshake_server);
	SAME(handshake_client);
	SAME(ca_auth);
	SAME(ca_auth_type);
	SAME_TEXT(ciphers);
	SAME_TEXT(groups);
	SAME(legacy);
	SAME_TEXT(cafile);
	SAME_TEXT(crlfile);
	SAME_TEXT(alpn);
	SAME(tickets);
	SAME(map);
	SAME_TEXT(mapfile);
	SAME(need_user);
	SAME_TEXT(ocspfile);
	SAME_TEXT(keylog);
	return NULL;
}

static const char *rules_differ(const struct tlsd_rule *a,
				const struct tlsd_rule *b)
{
	SAME(inbound);
	SAME(clear);
	SAME(port_lo);
	SAME(port_hi);
	SAME(as_port);
	SAME(target);
	SAME(lo);
	SAME(hi);
	SAME(plen);
	SAME_TEXT(host);
	SAME_TEXT(keyfiles);
	SAME_TEXT(name);
	SAME(user_given);
	SAME(uid);
	SAME_TEXT(program);
	SAME(controlled);
	SAME(closed);
	SAME(family);
	SAME(at);
	SAME(timeout_s);
	SAME(starttls);
	SAME(optional);
	return settings_differ(&a->tls, &b->tls);
}

static const char *decks_differ(const struct tlsd_deck *a,
				const struct tlsd_deck *b)
{
	SAME_TEXT(id);
	SAME_TEXT(job);
	SAME(n_rules);
	SAME(subtasks);
	SAME(ssl_dbg);
	SAME(ssl_ica);
	SAME(iptrace);
	SAME(log);
	SAME_TEXT(metrics);
	for (uint32_t i = 0; i < a->n_rules; i++) {
		const char *why = rules_differ(&a->rules[i], &b->rules[i]);

		if (why)
			return why;
	}
	return NULL;
}

static const char *differs_it(const void *a, const void *b)
{
	return decks_differ(a, b);
}

const struct deckcheck deckcheck = {sizeof(struct tlsd_deck),
				    read_it,
				    parse_it,
				    print_it,
				    free_it,
				    differs_it};
