/*
 * deck.h: the one reader of command decks for all daemons.
 *
 * A deck is the IPv6/VSE command language: one command per record, keyword
 * first, blank-separated positional operands; either bare commands or a whole
 * z/VSE job with JCL and VSE/POWER statements around them, with members
 * included by `* $$ SLI`. couplet-deck(5) describes the language. This room
 * turns text into commands, settings and notes about mistakes; it knows no
 * command of any daemon. Operands are read by deck/args.h.
 *
 * Pure apart from the one function that loads files, which the caller may
 * replace. Text of a deck that may hold passwords is wiped from memory when
 * it has been read.
 */
#ifndef COUPLET_COMMON_DECK_H
#define COUPLET_COMMON_DECK_H

#include "base/base.h"

#include <stdio.h>

#define DECK_FILE_BYTES_MAX (4u << 20) /* one file or member */
#define DECK_RECORD_MAX 1024           /* bytes in a record */
#define DECK_RECORDS_MAX 65536         /* records in all files of a deck */
#define DECK_INCLUDE_DEPTH_MAX 8       /* SLI in SLI in SLI ... */
#define DECK_INCLUDES_MAX 256          /* SLI statements in a deck */
#define DECK_OPERANDS_MAX 64           /* operands of a command */
#define DECK_NOTES_MAX 100 /* notes kept; later ones are only counted */
#define DECK_NOTE_MAX 640  /* bytes of one note */
#define DECK_SETPARMS_MAX 64
#define DECK_JOB_MAX 15    /* POWER allows 8 */
#define DECK_VALUE_MAX 100 /* value of a SETPARM, SYSPARM, PARM */
#define DECK_PATH_MAX 4096

/* ---- notes: what the reader has to say about a deck ------------------------
 */

enum deck_severity {
	DECK_INFO,    /* accepted; this is what it was taken to mean */
	DECK_WARNING, /* accepted, but probably not meant so */
	DECK_ERROR,   /* the deck cannot be used */
};

struct deck_note {
	enum deck_severity severity;
	const char *file; /* as opened; "" when the note has no place */
	uint32_t line;    /* from 1; 0 = the file as a whole */
	uint32_t column;  /* byte in the record, from 1 */
	const char *text; /* no line ends, no control bytes */
};

/* In the order in which the mistakes were met. The counts include notes that
 * were not kept because there were too many. */
struct deck_report {
	struct deck_note *notes;
	uint32_t n_notes;
	uint32_t n_errors, n_warnings, n_infos;
};

/* Makes an empty report in the caller's storage, and frees its notes. */
void deck_report_init(struct deck_report *r);
void deck_report_fini(struct deck_report *r);
/* Adds a note; text beyond DECK_NOTE_MAX is cut. Never fails: without memory
 * the note is counted only. */
void deck_note(struct deck_report *r, enum deck_severity severity,
	       const char *file, uint32_t line, uint32_t column,
	       const char *fmt, ...) PRINTF_LIKE(6, 7);
/* Puts the notes in the order of the deck: those of `first` (the deck itself)
 * by line, then those of each member that was included. */
void deck_report_sort(struct deck_report *r, const char *first);
/* "error", "warning", "note" */
const char *deck_severity_name(enum deck_severity s);
/* One line each, "file:line:column: error: text", then the number of notes
 * that were not kept, if any. */
void deck_report_print(const struct deck_report *r, FILE *out);

/* ---- what a deck says
 * -------------------------------------------------------- */

struct deck_operand {
	const char *text;
	uint32_t column; /* byte in the record, from 1 */
};

struct deck_command {
	const char *keyword; /* in upper case */
	uint32_t column;     /* of the keyword */
	uint32_t n_operands;
	bool too_many; /* there are more than DECK_OPERANDS_MAX; harmless in
			* free text, an error elsewhere */
	const struct deck_operand *operands;
	const char *record; /* the whole record as written, without blanks and
			     * sequence number at its end */
	const char *file;
	uint32_t line;
};

struct deck_setparm {                /* SETPARM name=value */
	char name[DECK_JOB_MAX + 1]; /* upper case */
	char value[DECK_VALUE_MAX + 1];
	const char *file;
	uint32_t line, column;
};

/* What the JCL around the commands said; all empty in a bare deck. */
struct deck_settings {
	char job[DECK_JOB_MAX + 1];     /* JNM= of POWER, else of // JOB */
	char lst_class[2];              /* * $$ LST CLASS= */
	char program[DECK_JOB_MAX + 1]; /* BSTTxxxx of // EXEC */
	char parm[DECK_VALUE_MAX + 1];  /* PARM= of // EXEC */
	char sysparm[DECK_VALUE_MAX + 1];
	char upsi[9];                /* eight of 0, 1, X; "" = none */
	char user[DECK_JOB_MAX + 1]; /* // ID USER=; PWD= is thrown away */
	struct deck_setparm setparm[DECK_SETPARMS_MAX];
	uint32_t n_setparm;
	/* places for notes about these, line 0 = not given */
	const char *sysparm_file, *upsi_file, *user_file, *program_file;
	uint32_t sysparm_line, upsi_line, user_line, program_line;
};

struct deck;

/* ---- reading
 * ------------------------------------------------------------------ */

/*
 * Loads `path` into malloced memory, which the reader wipes and frees. 0 or
 * negative errno (-EFBIG: more than DECK_FILE_BYTES_MAX).
 */
typedef int (*deck_load_fn)(void *arg, const char *path, char **ret_text,
			    size_t *ret_len);
/* The usual one: open(2) and read(2). */
int deck_load_file(void *arg, const char *path, char **ret_text,
		   size_t *ret_len);

struct deck_options {      /* all may be zero */
	deck_load_fn load; /* NULL = deck_load_file */
	void *load_arg;
	/* where SLI members are looked for after the deck's own folder;
	 * NULL-terminated or NULL */
	const char *const *include_dirs;
	/* programs whose data this daemon reads, e.g. BSTTINET;
	 * NULL-terminated; NULL = any BSTTxxxx */
	const char *const *programs;
};

/*
 * Reads the deck `path`. 0 with *ret to be freed by deck_free(), also when
 * the deck holds errors: look at report->n_errors. -ENOMEM, or the error of
 * loading, which is also in the report. `opt` may be NULL.
 */
int deck_read(const char *path, const struct deck_options *opt,
	      struct deck_report *report, struct deck **ret) MUST_USE;
/* The same from memory. `name` stands for the file in notes; members are
 * looked for beside it. */
int deck_read_text(const char *name, const char *text, size_t len,
		   const struct deck_options *opt, struct deck_report *report,
		   struct deck **ret) MUST_USE;
void deck_free(struct deck *d);

/* Borrowed, as long as the deck lives. */
const struct deck_settings *deck_settings(const struct deck *d);
/* Commands in order: *it = 0 first; NULL = no more. */
const struct deck_command *deck_next(const struct deck *d, uint32_t *it);
uint32_t deck_count(const struct deck *d);
/* File and line of the last record read, for notes about what is missing. */
void deck_end(const struct deck *d, const char **ret_file, uint32_t *ret_line);

/* Text from operand `i` (from 0) to the end of the record, with its blanks:
 * TITLE, APPLID. "" when there is no such operand. */
const char *deck_command_rest(const struct deck_command *cmd, uint32_t i);

/* ---- a daemon's value of a deck
 * ------------------------------------------------ */

/* How a daemon makes one value of its own from a deck. */
struct deck_kind {
	struct deck_options options;
	/* Fills `value`, whatever it held, from `source`; mistakes are notes.
	 * 0 or negative errno; then free() has something to free, too. */
	int (*build)(const struct deck *source, void *value,
		     struct deck_report *report);
	void (*free)(void *value);
};

/*
 * Reads the deck `path`, or with `text` (len bytes) that text in its place,
 * and builds `value`. 0; -EINVAL: there are errors, all of them in the
 * report, in order; or negative errno. `value` holds something only after 0.
 */
int deck_build(const struct deck_kind *kind, const char *path, const char *text,
	       size_t len, void *value, struct deck_report *report) MUST_USE;

#endif
