/*
 * deckcheck: what a daemon's -n does with a deck, as a program of its own; one
 * for each daemon, of this file and of one with its struct deckcheck.
 *
 *   deckcheck DECK           prints notes on stderr, the canonical deck on
 *                            stdout; exit 1 when the deck holds errors
 *   deckcheck -t DECK BASE   compares the canonical deck with BASE.ok and the
 *                            notes with BASE.msg, a file that is not there
 *                            standing for nothing; reads the canonical deck
 *                            again and compares every value
 *   deckcheck -w DECK BASE   writes these files; look at them before commit
 */
#include "deckcheck.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct text { /* what was printed into memory */
	char *p;
	size_t len;
};

static FILE *text_open(struct text *t)
{
	FILE *f = open_memstream(&t->p, &t->len);

	if (!f) {
		perror("open_memstream");
		exit(2);
	}
	return f;
}

struct outcome {
	int result; /* of reading */
	void *deck;
	struct text canonical, notes;
};

static void *new_deck(void)
{
	void *d = calloc(1, deckcheck.size);

	if (!d)
		exit(2);
	return d;
}

static void free_deck(void *d)
{
	deckcheck.free(d);
	free(d);
}

static void read_deck(const char *path, struct outcome *o)
{
	struct deck_report report;
	FILE *f;

	memset(o, 0, sizeof(*o));
	deck_report_init(&report);
	o->deck = new_deck();
	o->result = deckcheck.read(path, o->deck, &report);
	f = text_open(&o->canonical);
	if (o->result == 0)
		deckcheck.print(o->deck, f);
	fclose(f);
	f = text_open(&o->notes);
	deck_report_print(&report, f);
	fclose(f);
	deck_report_fini(&report);
}

static void outcome_free(struct outcome *o)
{
	free_deck(o->deck);
	free(o->canonical.p);
	free(o->notes.p);
}

/* ---- expected files
 * ------------------------------------------------------------- */

static void expected_name(char *buf, size_t cap, const char *base,
			  const char *suffix)
{
	snprintf(buf, cap, "%s.%s", base, suffix);
}

static int compare(const char *base, const char *suffix, const struct text *got)
{
	char name[DECK_PATH_MAX];
	char *want = NULL;
	size_t len = 0;
	int r, bad;

	expected_name(name, sizeof(name), base, suffix);
	r = deck_load_file(NULL, name, &want, &len);
	if (r < 0 && r != -ENOENT) {
		fprintf(stderr, "%s: %s\n", name, strerror(-r));
		return 1;
	}
	bad = len != got->len || (len && memcmp(want, got->p, len) != 0);
	if (bad)
		fprintf(stderr, "--- %s\n%.*s--- got\n%s", name, (int)len,
			want ? want : "", got->p);
	free(want);
	return bad;
}

static int store(const char *base, const char *suffix, const struct text *t)
{
	char name[DECK_PATH_MAX];
	FILE *f;

	expected_name(name, sizeof(name), base, suffix);
	if (!t->len) {
		if (unlink(name) < 0 && errno != ENOENT)
			perror(name);
		return 0;
	}
	f = fopen(name, "we");
	if (!f) {
		perror(name);
		return 1;
	}
	fwrite(t->p, 1, t->len, f);
	return fclose(f) != 0;
}

/* The canonical deck must say the same again, without any note. */
static int check_again(const struct outcome *o)
{
	struct deck_report report;
	void *again = new_deck();
	const char *differs;
	struct text printed;
	int bad = 0;
	FILE *f;

	deck_report_init(&report);
	if (deckcheck.parse("canonical", o->canonical.p, o->canonical.len,
			    again, &report) < 0) {
		fprintf(stderr, "the canonical deck is refused:\n");
		bad = 1;
	} else {
		differs = deckcheck.differs(o->deck, again);
		if (differs)
			fprintf(stderr, "read again, %s differs\n", differs);
		f = text_open(&printed);
		deckcheck.print(again, f);
		fclose(f);
		bad = differs || strcmp(printed.p, o->canonical.p) != 0;
		free(printed.p);
	}
	if (bad)
		deck_report_print(&report, stderr);
	deck_report_fini(&report);
	free_deck(again);
	return bad;
}

static int check(const char *path, const char *base, bool write)
{
	struct outcome o;
	int bad = 0;

	read_deck(path, &o);
	if (write) {
		bad |= store(base, "ok", &o.canonical);
		bad |= store(base, "msg", &o.notes);
	} else {
		bad |= compare(base, "ok", &o.canonical);
		bad |= compare(base, "msg", &o.notes);
	}
	if (o.result == 0)
		bad |= check_again(&o);
	outcome_free(&o);
	return bad;
}

static int show(const char *path)
{
	struct outcome o;
	int bad;

	read_deck(path, &o);
	fwrite(o.notes.p, 1, o.notes.len, stderr);
	fwrite(o.canonical.p, 1, o.canonical.len, stdout);
	bad = o.result < 0;
	outcome_free(&o);
	return bad;
}

int main(int argc, char **argv)
{
	if (argc == 2)
		return show(argv[1]);
	if (argc == 4 && strcmp(argv[1], "-t") == 0)
		return check(argv[2], argv[3], false);
	if (argc == 4 && strcmp(argv[1], "-w") == 0)
		return check(argv[2], argv[3], true);
	fprintf(stderr, "usage: deckcheck [-t|-w] DECK [BASE]\n");
	return 2;
}
