/*
 * history.c: what handshakes came to: one line in the log, the last of them
 * for the console, counters, and with SSL$DBG the summary under the names
 * that BSTTATLS gives its fields.
 */
#include "daemon/log.h"
#include "tls/wall.h"
#include "tlsd.h"

#include <stdio.h>
#include <string.h>

static void copy(char *to, size_t len, const char *from)
{
	snprintf(to, len, "%s", from ? from : "");
}

static void fill_ok(struct handshake *h, const struct tls_info *i)
{
	h->ok = true;
	h->resumed = i->resumed;
	copy(h->version, sizeof(h->version), tls_version_name(i->version));
	copy(h->suite, sizeof(h->suite), i->suite_name);
	copy(h->group, sizeof(h->group), i->group);
	copy(h->user, sizeof(h->user), i->user);
	copy(h->alpn, sizeof(h->alpn), i->alpn);
	if (i->peer_cert)
		copy(h->cert, sizeof(h->cert), i->subject);
}

static void log_ok(const struct handshake *h, const char *peer)
{
	log_every(MSG_CPLT510I, h->inbound ? "from" : "to", peer, h->rule,
		  h->version, h->suite, h->group[0] ? h->group : "no group",
		  h->cert[0] ? h->cert : "no certificate",
		  h->resumed ? "resumed" : "full", h->us / 1000);
}

/* The trace of BSTTATLS names these fields; one line each. */
static void log_summary(const struct rule *r, const struct handshake *h,
			const struct tls_info *i)
{
	unsigned hs_type = h->inbound ? r->d.tls.handshake_server
				      : r->d.tls.handshake_client;
	static const char *const types[] = {"GSK_AS_CLIENT", "GSK_AS_SERVER",
					    "GSK_AS_SERVER_WITH_CLIENT_AUTH",
					    "GSK_AS_CLIENT_NO_AUTH"};
	char text[256];

	snprintf(text, sizeof(text), "hs_type = %u (%s)", hs_type,
		 types[hs_type & 3]);
	log_every(MSG_CPLT512I, h->rule, text);
	snprintf(text, sizeof(text), "sec_type = %s", h->version);
	log_every(MSG_CPLT512I, h->rule, text);
	snprintf(text, sizeof(text), "cipher_selected = %04X (%s)", i->suite,
		 h->suite);
	log_every(MSG_CPLT512I, h->rule, text);
	snprintf(text, sizeof(text), "reused = %s", h->resumed ? "YES" : "NO");
	log_every(MSG_CPLT512I, h->rule, text);
	if (i->peer_cert) {
		snprintf(text, sizeof(text), "cert_info = %s, issuer %s",
			 i->subject, i->issuer);
		log_every(MSG_CPLT512I, h->rule, text);
	}
}

void history_add(struct tlsd *td, struct rule *r, bool inbound,
		 const struct ip_port *peer, struct tls_session *s,
		 const char *why, uint32_t us)
{
	struct handshake *h = &td->history.at[td->history.n++ % HISTORY_MAX];
	char text[PORT_TEXT_MAX];
	struct tls_info i;

	*h = (struct handshake){.at_s = (uint64_t)wall_now(),
				.rule = r->number,
				.inbound = inbound,
				.us = us,
				.peer = *peer};
	ip_port_format(peer, text);
	if (why) {
		copy(h->why, sizeof(h->why), why);
		rule_counters(r)->failed++;
		if (td->deck.log != TLSDECK_LOG_NONE)
			log_every(MSG_CPLT511W, inbound ? "from" : "to", text,
				  r->number, h->why, us / 1000);
		return;
	}
	tls_session_info(s, &i);
	fill_ok(h, &i);
	rule_counters(r)->opened++;
	rule_counters(r)->resumed += i.resumed;
	rule_counters(r)->handshake_us += us;
	if (td->deck.log == TLSDECK_LOG_ALL)
		log_ok(h, text);
	if (td->deck.ssl_dbg)
		log_summary(r, h, &i);
}
