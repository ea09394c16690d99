/*
 * log.h: one call per event. A message of the catalogue goes to stderr as one
 * line and to the journal with fields: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER,
 * COUPLET_MSG=its id, COUPLET_INSTANCE, and one COUPLET_name for each
 * argument that the catalogue names (a device, an address, a cause), so that
 * `journalctl COUPLET_DEVICE=OSA0` finds what happened to it. When stderr is
 * the journal already, the line is not written twice.
 *
 * The log belongs to the process, as stderr and the journal do: this is the
 * one room with state of its own. Engines never call it. Repeats are held
 * back by limit.h.
 */
#ifndef COUPLET_DAEMON_LOG_H
#define COUPLET_DAEMON_LOG_H

#include "base/mono.h"
#include "msg/msg.h"

/* `identity` and `instance` (may be empty) are borrowed for good. Safe to
 * call again, e.g. when the deck told the instance. */
void log_open(const char *identity, const char *instance);
/* Also print log_debug() lines. */
void log_set_debug(bool on);

/* One event; arguments are checked against the catalogue's pattern. */
#define log_msg(id, ...) \
	(MSG_CHECK(id, ##__VA_ARGS__), log_msg_unchecked(id, ##__VA_ARGS__))
void log_msg_unchecked(enum msg_id id, ...);

/* The same for what is to be a line each time it happens, as the end of a
 * connection is: nothing is held back. For lines that the operator can turn
 * off. */
#define log_every(id, ...) \
	(MSG_CHECK(id, ##__VA_ARGS__), log_every_unchecked(id, ##__VA_ARGS__))
void log_every_unchecked(enum msg_id id, ...);

/* For people who look for a fault (-d); stderr only, no catalogue. */
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Writes what was held back and is due; `all` at the end of the process. */
void log_flush(bool all);
/* When log_flush() will have work; MONO_NEVER: nothing is held. */
mono_t log_deadline(void);

/* Tests: lines go to `fn` instead, with the fields ("NAME=value", n of
 * them). NULL restores. */
typedef void log_sink_fn(void *arg, const char *line, const char *const *fields,
			 int n_fields);
void log_set_sink(log_sink_fn *fn, void *arg);

#endif
