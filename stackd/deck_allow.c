#include "deck_parts.h"

#include <assert.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#define NAME_BUFFER 16384    /* what getpwnam_r() may need for one entry */
#define NOBODY_ID UINT32_MAX /* (uid_t)-1 is no user */
#define RESERVE_MAX 65535

/* ---- ALLOW USER|GROUP name...
 * ------------------------------------------------- */

static bool is_number(const char *text)
{
	return text[strspn(text, "0123456789")] == '\0';
}

/* The host's number of a user or group; false: it has none. */
static bool look_up(const char *name, bool group, uint32_t *ret)
{
	struct passwd pw, *got_pw = NULL;
	struct group gr, *got_gr = NULL;
	char buf[NAME_BUFFER];

	if (group) {
		if (getgrnam_r(name, &gr, buf, sizeof(buf), &got_gr) != 0 ||
		    !got_gr)
			return false;
		*ret = gr.gr_gid;
		return true;
	}
	if (getpwnam_r(name, &pw, buf, sizeof(buf), &got_pw) != 0 || !got_pw)
		return false;
	*ret = pw.pw_uid;
	return true;
}

bool stackd_deck_read_id(struct deck_args *a, bool group, uint32_t *ret)
{
	const char *what = group ? "group" : "user";
	const char *text = deck_args_peek(a);

	if (text && is_number(text))
		return deck_args_u32(a, what, 0, NOBODY_ID - 1, ret);
	text = deck_args_text(a, what, "a name or number of this host");
	if (text && look_up(text, group, ret))
		return true;
	if (text)
		deck_args_expected(a, what, "a name or number of this host");
	return false;
}

/* uid_t and gid_t are the same type here. */
static_assert(sizeof(uid_t) == sizeof(uint32_t) &&
		      sizeof(gid_t) == sizeof(uint32_t),
	      "numbers of users and groups have 32 bits");

static void add_id(struct deck_args *a, uint32_t *list, uint32_t *n,
		   uint32_t max, uint32_t id)
{
	for (uint32_t i = 0; i < *n; i++) {
		if (list[i] == id)
			return;
	}
	if (*n == max)
		deck_args_note(a, DECK_ERROR,
			       "more than %u users or groups in ALLOW", max);
	else
		list[(*n)++] = id;
}

void stackd_deck_cmd_allow(struct stackd_deck_builder *b, struct deck_args *a)
{
	static const char *const words[] = {"USER", "GROUP"};
	struct stackd_deck *d = b->d;
	unsigned group;
	uint32_t id;

	if (!deck_args_word(a, "kind", words, ARRAY_SIZE(words), &group))
		return;
	do {
		if (!stackd_deck_read_id(a, group == 1, &id))
			continue;
		if (group)
			add_id(a, d->allow_gid, &d->n_allow_gid,
			       ARRAY_SIZE(d->allow_gid), id);
		else
			add_id(a, d->allow_uid, &d->n_allow_uid,
			       ARRAY_SIZE(d->allow_uid), id);
	} while (deck_args_more(a));
	deck_args_end(a);
}

/* ---- RESERVE n, METRICS path
 * ---------------------------------------------------- */

void stackd_deck_cmd_reserve(struct stackd_deck_builder *b, struct deck_args *a)
{
	deck_args_u16(a, "port", 0, RESERVE_MAX, &b->d->priv_port_max);
	deck_args_end(a);
}

void stackd_deck_cmd_metrics(struct stackd_deck_builder *b, struct deck_args *a)
{
	deck_args_path(a, "path", sizeof(b->d->metrics) - 1, b->d->metrics);
	deck_args_end(a);
}

/* ---- canonical form
 * ----------------------------------------------------------------- */

void stackd_deck_print_allow(const struct stackd_deck *d, FILE *out)
{
	for (uint32_t i = 0; i < d->n_allow_uid; i++)
		fprintf(out, "ALLOW USER %u\n", d->allow_uid[i]);
	for (uint32_t i = 0; i < d->n_allow_gid; i++)
		fprintf(out, "ALLOW GROUP %u\n", d->allow_gid[i]);
}
