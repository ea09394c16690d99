/*
 * msg.h: the message catalogue of all daemons: identifiers, severities,
 * text patterns and explanations. Pure: it formats, it does not write
 * anywhere; logging is the business of common/daemon.
 *
 * The source is the text file `catalogue` in this folder. To add a message,
 * add its stanza there and nothing else: the build makes from it the enum
 * below, the pattern MSG_id_TEXT, the table and man couplet-messages(7).
 */
#ifndef COUPLET_MSG_H
#define COUPLET_MSG_H

#include "base/base.h"
#include "msg_ids.h" /* generated: enum msg_id, MSG_id_TEXT, MSG__COUNT */

#include <stdarg.h>

#define MSG_ID_LEN 8 /* "CPLT001E": four letters, three digits, severity */
#define MSG_LINE_MAX \
	1024 /* room that every formatted message fits into, its \
	      * zero included; what is longer is cut */

enum msg_severity {              /* the last letter of the id */
		    MSG_INFO,    /* I */
		    MSG_WARNING, /* W: works, but not as somebody may expect */
		    MSG_ERROR,   /* E: something was not done */
		    MSG_ACTION,  /* A: somebody must do something now */
};

struct msg_def {
	char id[MSG_ID_LEN + 1];
	enum msg_severity severity;
	const char *text;   /* printf pattern without the id */
	const char *args;   /* names of its arguments, ", " between, or "" */
	const char *what;   /* explanation */
	const char *action; /* what the operator does */
};

/* Never NULL; `id` must be one of the enum below MSG__COUNT. */
const struct msg_def *msg_get(enum msg_id id);
/* By text such as "CPLT001E" (either case): 0, or -ENOENT. */
int msg_find(const char *text, enum msg_id *ret) MUST_USE;
/* syslog(3) priority 3 (error), 2 (action), 4 (warning) or 6 (information) */
int msg_priority(enum msg_id id);

/*
 * "ID text" into `buf`, always zero-terminated when len > 0, on one line:
 * control bytes that came in by an argument become `?`. The text alone
 * begins at buf + MSG_ID_LEN + 1. Returns the length the line has, at most
 * len - 1. The arguments are those of the pattern; callers that pass through
 * a va_list check them by MSG_CHECK.
 */
int msg_vformat(char *buf, size_t len, enum msg_id id, va_list ap);
int msg_format_unchecked(char *buf, size_t len, enum msg_id id, ...);

/* msg_vformat() with arguments, checked at compile time against the pattern;
 * `id` must be written as the constant itself. */
#define msg_format(buf, len, id, ...) \
	(MSG_CHECK(id, ##__VA_ARGS__), \
	 msg_format_unchecked(buf, len, id, ##__VA_ARGS__))

/* Compile-time check only: do these arguments fit the pattern of `id`? For
 * wrappers: #define log_msg(id, ...) (MSG_CHECK(id, ##__VA_ARGS__), ...) */
#define MSG_CHECK(id, ...) \
	((void)(0 && msg_check_args(id##_TEXT, ##__VA_ARGS__)))

PRINTF_LIKE(1, 2) static inline int msg_check_args(const char *text, ...)
{
	(void)text;
	return 0;
}

#endif
