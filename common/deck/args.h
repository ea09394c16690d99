/*
 * args.h: operands of one command, read one after the other.
 *
 *    struct deck_args a = deck_args_of(cmd, report);
 *    deck_args_u32(&a, "number", 0, 255, &n);
 *    deck_args_addr(&a, "address", IP_NONE, &addr);
 *    if (deck_args_end(&a))
 *            ... all of them were right
 *
 * Each call takes the next operand. When it is wrong, a note names keyword,
 * operand, value and what was expected, and reading goes on with the next
 * operand, so that one look shows every mistake of a record. When operands
 * are missing, the first missing one is named and the others stay silent.
 * `what` is the name of the operand in notes. Results are written only on
 * success. All functions return true on success.
 */
#ifndef COUPLET_DECK_ARGS_H
#define COUPLET_DECK_ARGS_H

#include "addr/addr.h"
#include "deck/deck.h"

struct deck_args {
	const struct deck_command *cmd;
	struct deck_report *report;
	uint32_t next;   /* operand that the next call takes */
	uint32_t errors; /* of this command so far */
	bool missing;    /* the record was too short */
	bool secret;     /* set by the caller: keep values out of notes */
};

/* Begins; warns when the record ends as if it went on in the next one. */
struct deck_args deck_args_of(const struct deck_command *cmd,
			      struct deck_report *report);
/* No operand may be left. True when no call for this command failed. */
bool deck_args_end(struct deck_args *a);

/* Operands left to read. */
bool deck_args_more(const struct deck_args *a);
/* The next operand, not taken, or NULL. */
const char *deck_args_peek(const struct deck_args *a);
/* Takes the next operand if it is `word` in either case. */
bool deck_args_is(struct deck_args *a, const char *word);
/* Takes the next operand if it is a lone star: "take the default". */
bool deck_args_default(struct deck_args *a);
/* Takes the next operand as it is; NULL (and a note) if there is none. */
const char *deck_args_text(struct deck_args *a, const char *what,
			   const char *expected);
/* A note about the operand taken last: "expected ...". */
void deck_args_expected(struct deck_args *a, const char *what, const char *fmt,
			...) PRINTF_LIKE(3, 4);
/* A note of any kind at the operand taken last, or at the keyword if none
 * was; DECK_ERROR counts as a failure of the command. */
void deck_args_note(struct deck_args *a, enum deck_severity severity,
		    const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Decimal, lo..hi. */
bool deck_args_u32(struct deck_args *a, const char *what, uint32_t lo,
		   uint32_t hi, uint32_t *ret);
bool deck_args_u16(struct deck_args *a, const char *what, uint16_t lo,
		   uint16_t hi, uint16_t *ret);
/* "n" or "n-m", with lo <= n <= m <= hi. */
bool deck_args_range(struct deck_args *a, const char *what, uint16_t lo,
		     uint16_t hi, uint16_t *ret_lo, uint16_t *ret_hi);
/* One of `n` words, either case: its index. */
bool deck_args_word(struct deck_args *a, const char *what,
		    const char *const *words, size_t n, unsigned *ret);
bool deck_args_on_off(struct deck_args *a, const char *what, bool *ret);
/* Time with its unit, "200MS", "1S", "50US"; "0" needs none. lo_ns..hi_ns. */
bool deck_args_dur(struct deck_args *a, const char *what, int64_t lo_ns,
		   int64_t hi_ns, int64_t *ret_ns);
/* Bytes, "65536", "64K", "4M", "1G" (powers of 1024). */
bool deck_args_size(struct deck_args *a, const char *what, uint64_t lo,
		    uint64_t hi, uint64_t *ret);
/* 1..max bytes of letters, digits and the bytes of `also`. `buf` has max + 1
 * bytes. */
bool deck_args_name(struct deck_args *a, const char *what, const char *also,
		    size_t max, char *buf);
/* Absolute path of at most max bytes; `buf` has max + 1. */
bool deck_args_path(struct deck_args *a, const char *what, size_t max,
		    char *buf);
/* Device number, 3 or 4 hex digits; stored in upper case, 5 bytes. */
bool deck_args_cuu(struct deck_args *a, const char *what, char *buf);
/* 12 hex digits, ':' or '-' between pairs allowed; a unicast address. */
bool deck_args_mac(struct deck_args *a, const char *what, uint8_t *ret);
/* Address of the family, IP_NONE = either. */
bool deck_args_addr(struct deck_args *a, const char *what,
		    enum ip_family family, struct ip_addr *ret);
/* What follows an address of `family`: "/n", or a mask in address form whose
 * ones are all in front ("255.255.255.0", "::0"). Length lo..32 or 128. */
bool deck_args_mask(struct deck_args *a, const char *what,
		    enum ip_family family, unsigned lo, uint8_t *ret_len);
/* "addr/n" in one operand, or an address alone, which means all its bits.
 * Host bits are kept in ret->addr. */
bool deck_args_prefix(struct deck_args *a, const char *what,
		      enum ip_family family, struct ip_prefix *ret);

#define DECK_UNIT_TEXT_MAX 32
/* The shortest exact text that deck_args_dur() and _size() read back; `buf`
 * has DECK_UNIT_TEXT_MAX bytes, and is returned. Times are not negative. */
const char *deck_format_dur(int64_t ns, char *buf);
const char *deck_format_size(uint64_t bytes, char *buf);

#endif
