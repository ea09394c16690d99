#include "daemon/who.h"

#include <assert.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#define NAME_BUFFER 16384    /* what getpwnam_r() may need for one entry */
#define NOBODY_ID UINT32_MAX /* (uid_t)-1 is no user */

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

bool who_read(struct deck_args *a, bool group, uint32_t *ret)
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

void who_command(struct deck_args *a, uint32_t *uids, uint32_t *n_uids,
		 uint32_t *gids, uint32_t *n_gids, uint32_t max)
{
	static const char *const words[] = {"USER", "GROUP"};
	unsigned group;
	uint32_t id;

	if (!deck_args_word(a, "kind", words, ARRAY_SIZE(words), &group))
		return;
	do {
		if (!who_read(a, group == 1, &id))
			continue;
		if (group)
			add_id(a, gids, n_gids, max, id);
		else
			add_id(a, uids, n_uids, max, id);
	} while (deck_args_more(a));
	deck_args_end(a);
}
