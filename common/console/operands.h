/*
 * operands.h: operands of a console command, read one after the other.
 */
#ifndef COUPLET_CONSOLE_OPERANDS_H
#define COUPLET_CONSOLE_OPERANDS_H

#include "addr/addr.h"
#include "base/base.h"

struct console_cmd;

/* Reader of the words behind a command. The first mistake is told to the
 * client and ends the reading; check operands_ok() once. */
struct operands {
	struct console_cmd *cmd;
	int next;
	bool bad;
};

/* Begins at word `first`. */
struct operands operands_of(struct console_cmd *cmd, int first);
/* The next word, or NULL and a complaint that names `what`. */
const char *operands_word(struct operands *o, const char *what);
/* Takes the next word if it is `word`. */
bool operands_is(struct operands *o, const char *word);
/* Is a word left, and no mistake met? */
bool operands_more(const struct operands *o);
/* Decimal, lo..hi; `lo` on a mistake. */
uint64_t operands_number(struct operands *o, const char *what, uint64_t lo,
			 uint64_t hi);
/* "64K", "10M", "1G" or plain bytes. */
uint64_t operands_size(struct operands *o, const char *what, uint64_t hi);
/* Either family; untouched on a mistake. */
void operands_addr(struct operands *o, const char *what, struct ip_addr *ret);
/* "addr/n", or an address alone: all its bits. */
void operands_prefix(struct operands *o, const char *what,
		     struct ip_prefix *ret);
/* Complains about the word that was taken last: "X: expected ...". */
void operands_wrong(struct operands *o, const char *expected);
/* Complains about the next word: "X: expected ...". */
void operands_expected(struct operands *o, const char *expected);
/* No word may be left. True when everything was right. */
bool operands_ok(struct operands *o, const char *expected);

#endif
