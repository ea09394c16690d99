/*
 * reader.h: what the files of this room share. Not for others.
 *
 *   file.c    loads files, finds members of SLI
 *   reader.c  records, and in which part of a deck they are
 *   jcl.c     statements of job control and of VSE/POWER
 *   report.c  notes
 *   args.c    operands of commands
 *   host_text.c  EBCDIC and card images into lines
 */
#ifndef COUPLET_DECK_READER_H
#define COUPLET_DECK_READER_H

#include "deck/deck.h"

struct deck_file { /* name of a file, shared by its commands and notes */
	struct deck_file *next;
	char name[];
};

struct deck {
	struct deck_command **commands;
	uint32_t n_commands, cap_commands;
	struct deck_settings settings;
	struct deck_file *files;
	const char *end_file;
	uint32_t end_line;
};

/* Where in a deck the next record stands. */
enum deck_part {
	PART_START, /* nothing but comments yet */
	PART_BARE,  /* commands without JCL */
	PART_JCL,   /* between the steps of a job */
	PART_SKIP,  /* data of a step that is not ours */
	PART_DATA,  /* data of our step */
	PART_DONE,  /* after our data */
};

struct deck_reader {
	struct deck *deck;
	const struct deck_options *opt;
	struct deck_report *report;
	enum deck_part part;
	const char *top;  /* name of the deck, for its folder */
	const char *file; /* of the record being read */
	uint32_t line;
	uint32_t records, includes, depth;
	const char *stack[DECK_INCLUDE_DEPTH_MAX + 1]; /* files being read */
	bool jcl_continues;   /* the last JCL statement ended in a comma */
	char power_op[8];     /* POWER statement that goes on, or "" */
	bool power_job;       /* JNM= was given */
	bool jcl_in_commands; /* each said once */
	bool after_end, second_step, sequence_noted, too_many;
	int error; /* -ENOMEM: give up */
};

/* In what form a file has its records. */
enum deck_text {
	DECK_TEXT_LINES,        /* as it should be */
	DECK_TEXT_CARDS,        /* 80 bytes each, no line ends */
	DECK_TEXT_EBCDIC,       /* with line ends */
	DECK_TEXT_EBCDIC_CARDS, /* 80 bytes each */
};
enum deck_text deck_text_kind(const char *text, size_t len);
/* The text as lines in malloced memory, or NULL. Free with deck_wipe(). */
char *deck_text_lines(const char *text, size_t len, enum deck_text kind,
		      size_t *ret_len) MUST_USE;
/* Frees text that may hold passwords; NULL is fine. */
void deck_wipe(char *text, size_t len);

/* A note at a column of the record being read. */
void deck_reader_note(struct deck_reader *r, enum deck_severity severity,
		      uint32_t column, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Reads a text that was loaded from `name` (interned). */
void deck_reader_text(struct deck_reader *r, const char *name, const char *text,
		      size_t len);
/* The name as one string that lives as long as the deck; NULL: no memory. */
const char *deck_intern(struct deck *d, const char *name);

/* "A", "A or B", "A, B or C" from a NULL-terminated list into `buf`, which
 * is returned. */
const char *deck_word_list(const char *const *words, char *buf, size_t cap);
/* `record` begins with //. */
void deck_jcl_statement(struct deck_reader *r, const char *record);
/* `record` begins with "* $$". */
void deck_power_statement(struct deck_reader *r, const char *record);
/* End of a job (slash-ampersand): settings before our step are void. */
void deck_jcl_end_of_job(struct deck_reader *r);
/* Reads the member `name` of library `lib` ("" = none) in place. */
void deck_include(struct deck_reader *r, uint32_t column, const char *name,
		  const char *lib);

#endif
