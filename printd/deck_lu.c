/* deck_lu.c: the commands that define a LU, and the names of LUs. */
#include "deck_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECRET_PREFIX "FILE:"

static const char *const kind_names[LU_KINDS] = {
	"PRINTER", "DIRECT", "LPR", "FTP", "FTPP", "IPP", "FILE", "PDF"};

const char *lu_kind_name(enum lu_kind k)
{
	return kind_names[k];
}

/* ---- names
 * ----------------------------------------------------------------------- */

static uint32_t hash_name(const char *name)
{
	uint32_t h = 2166136261u; /* FNV-1a: the deck is our own file */

	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (c >= 'a' && c <= 'z')
			c = (unsigned char)(c - 'a' + 'A');
		h = (h ^ c) * 16777619u;
	}
	return h % INDEX_SLOTS;
}

/* Slot of the name, or the free one where it belongs. */
static uint32_t *slot_of(const struct printd_deck *d, const char *name)
{
	uint32_t i = hash_name(name);

	while (d->index[i] &&
	       strcasecmp(d->lus[d->index[i] - 1].name, name) != 0)
		i = (i + 1) % INDEX_SLOTS;
	return &d->index[i];
}

struct printd_lu *printd_deck_find(struct printd_deck *d, const char *name)
{
	uint32_t i = d->index ? *slot_of(d, name) : 0;

	return i ? &d->lus[i - 1] : NULL;
}

const struct printd_lu *printd_deck_lu(const struct printd_deck *d,
				       const char *name)
{
	uint32_t i = d->index ? *slot_of(d, name) : 0;

	return i ? &d->lus[i - 1] : NULL;
}

static int make_room(struct printd_deck *d)
{
	uint32_t cap = d->cap_lus ? d->cap_lus * 2 : 16;
	struct printd_lu *p;

	if (!d->index)
		d->index = calloc(INDEX_SLOTS, sizeof(*d->index));
	if (!d->index)
		return -ENOMEM;
	if (d->n_lus < d->cap_lus)
		return 0;
	/* not realloc(): passwords must not stay behind */
	p = calloc(cap, sizeof(*p));
	if (!p)
		return -ENOMEM;
	if (d->lus) {
		memcpy(p, d->lus, d->n_lus * sizeof(*p));
		explicit_bzero(d->lus, d->n_lus * sizeof(*p));
	}
	free(d->lus);
	d->lus = p;
	d->cap_lus = cap;
	return 0;
}

static void add_lu(struct printd_builder *b, struct deck_args *a,
		   const struct printd_lu *lu)
{
	struct printd_deck *d = b->d;
	const struct printd_lu *other = printd_deck_lu(d, lu->name);

	if (other) {
		deck_args_note(a, DECK_ERROR,
			       "%s: LU %s was defined in line %u: expected "
			       "another name",
			       a->cmd->keyword, lu->name, other->line);
		return;
	}
	if (d->n_lus == DECK_LUS_MAX) {
		deck_args_note(a, DECK_ERROR, "%s: expected at most %d LUs",
			       a->cmd->keyword, DECK_LUS_MAX);
		return;
	}
	b->error = make_room(d);
	if (b->error)
		return;
	d->lus[d->n_lus] = *lu;
	*slot_of(d, lu->name) = d->n_lus + 1;
	d->n_lus++;
}

/* ---- commands
 * -------------------------------------------------------------------- */

/* Name and application, which every LU has. */
static bool begin(const struct printd_builder *b, struct deck_args *a,
		  enum lu_kind kind, struct printd_lu *ret)
{
	bool ok;

	memset(ret, 0, sizeof *ret);
	ret->kind = kind;
	ret->opt = b->d->defaults;
	ret->file = a->cmd->file;
	ret->line = a->cmd->line;
	ok = printd_read_name(a, "LU", ret->name);
	ok &= printd_read_name(a, "application", ret->applid);
	return ok;
}

static void end(struct printd_builder *b, struct deck_args *a, bool ok,
		struct printd_lu *lu)
{
	if (deck_args_end(a) && ok)
		add_lu(b, a, lu);
	explicit_bzero(lu->password, sizeof lu->password);
}

/* The operand of unknown meaning. Nobody saw anything but a star there. */
static void skip_star(struct deck_args *a)
{
	const char *text = deck_args_text(a, "operand", "*");

	if (text && strcmp(text, "*") != 0)
		deck_args_note(a, DECK_INFO,
			       "%s: operand '%.32s' has no effect, * stands "
			       "there",
			       a->cmd->keyword, text);
}

void printd_deck_cmd_printer(struct printd_builder *b, struct deck_args *a)
{
	static const char *const words[] = {"SCS"};
	struct printd_lu lu;
	unsigned i;
	bool ok = begin(b, a, LU_PRINTER, &lu);

	if (deck_args_more(a)) {
		ok &= deck_args_word(a, "data stream", words, 1, &i);
		lu.opt.scs = true;
	}
	end(b, a, ok, &lu);
}

void printd_deck_cmd_direct(struct printd_builder *b, struct deck_args *a)
{
	struct printd_lu lu;
	bool ok = begin(b, a, LU_DIRECT, &lu);

	ok &= printd_read_host(a, lu.host);
	ok &= printd_read_port(a, 9100, &lu.port);
	skip_star(a);
	end(b, a, ok, &lu);
}

static bool read_text(struct deck_args *a, const char *what, char *buf,
		      size_t cap)
{
	const char *text = deck_args_text(a, what, "a text without blanks");

	if (!text)
		return false;
	if (strlen(text) >= cap) {
		deck_args_expected(a, what, "at most %zu bytes", cap - 1);
		return false;
	}
	snprintf(buf, cap, "%s", text);
	return true;
}

void printd_deck_cmd_lpr(struct printd_builder *b, struct deck_args *a)
{
	struct printd_lu lu;
	bool ok = begin(b, a, LU_LPR, &lu);

	ok &= printd_read_host(a, lu.host);
	ok &= printd_read_port(a, 515, &lu.port);
	skip_star(a);
	ok &= read_text(a, "queue", lu.queue, sizeof lu.queue);
	end(b, a, ok, &lu);
}

static bool read_password(struct deck_args *a, struct printd_lu *lu)
{
	const char *text;
	size_t n = strlen(SECRET_PREFIX);

	a->secret = true;
	text = deck_args_text(a, "password", "a password, or FILE:/path");
	if (!text)
		return false;
	if (strncasecmp(text, SECRET_PREFIX, n) == 0) {
		if (text[n] != '/' || strlen(text + n) > DECK_PATH_LEN) {
			deck_args_expected(a, "password",
					   "FILE: with an absolute path");
			return false;
		}
		snprintf(lu->secret, sizeof lu->secret, "%s", text + n);
		return true;
	}
	if (strlen(text) >= sizeof lu->password) {
		deck_args_expected(a, "password", "at most %zu bytes",
				   sizeof lu->password - 1);
		return false;
	}
	snprintf(lu->password, sizeof lu->password, "%s", text);
	if (strcmp(text, PASSWORD_MASK) == 0)
		deck_args_note(a, DECK_WARNING,
			       "%s: the password is masked; LU %s is held "
			       "until the deck has the real one",
			       a->cmd->keyword, lu->name);
	return true;
}

void printd_deck_cmd_ftp(struct printd_builder *b, struct deck_args *a)
{
	struct printd_lu lu;
	bool passive = strcmp(a->cmd->keyword, "FTPP") == 0;
	bool ok = begin(b, a, passive ? LU_FTPP : LU_FTP, &lu);

	ok &= printd_read_host(a, lu.host);
	ok &= printd_read_port(a, 21, &lu.port);
	skip_star(a);
	ok &= read_text(a, "user", lu.user, sizeof lu.user);
	ok &= read_password(a, &lu);
	end(b, a, ok, &lu);
}

void printd_deck_cmd_ipp(struct printd_builder *b, struct deck_args *a)
{
	struct printd_lu lu;
	bool ok = begin(b, a, LU_IPP, &lu);

	lu.opt.format = LU_FORMAT_PDF;
	ok &= read_text(a, "URI", lu.target, sizeof lu.target);
	if (ok && strncmp(lu.target, "ipp://", 6) != 0 &&
	    strncmp(lu.target, "ipps://", 7) != 0) {
		deck_args_expected(a, "URI", "ipp://host/... or ipps://...");
		ok = false;
	}
	end(b, a, ok, &lu);
}

void printd_deck_cmd_file(struct printd_builder *b, struct deck_args *a)
{
	struct printd_lu lu;
	bool pdf = strcmp(a->cmd->keyword, "PDF") == 0;
	bool ok = begin(b, a, pdf ? LU_PDF : LU_FILE, &lu);

	lu.opt.format = pdf ? LU_FORMAT_PDF : lu.opt.format;
	ok &= deck_args_path(a, "directory", DECK_PATH_LEN, lu.target);
	end(b, a, ok, &lu);
}
