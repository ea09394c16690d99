#include "daemon/log.h"

#include "base/hash.h"
#include "daemon/fields.h"
#include "daemon/limit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

/* The process's log; see the header for why it may be one. */
static struct {
	const char *identity, *instance;
	bool debug, stderr_is_journal;
	log_sink_fn *sink;
	void *sink_arg;
	struct limit limit;
} the_log = {.identity = "couplet", .instance = ""};

/* systemd tells by JOURNAL_STREAM=device:inode that stderr goes there. */
static bool stderr_is_journal(void)
{
	const char *v = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return v && sscanf(v, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev &&
	       st.st_ino == ino;
}

void log_open(const char *identity, const char *instance)
{
	the_log.identity = identity;
	the_log.instance = instance;
	the_log.stderr_is_journal = stderr_is_journal();
}

void log_set_debug(bool on)
{
	the_log.debug = on;
}

void log_set_sink(log_sink_fn *fn, void *arg)
{
	the_log.sink = fn;
	the_log.sink_arg = arg;
	limit_init(&the_log.limit);
}

static void to_journal(const char *const *fields, int n)
{
	struct iovec iov[FIELDS_MAX + 8];

	for (int i = 0; i < n; i++) {
		/* only read; iovec has no const */
		memcpy(&iov[i].iov_base, &fields[i], sizeof fields[i]);
		iov[i].iov_len = strlen(fields[i]);
	}
	/* no journal on this machine: stderr has it */
	(void)sd_journal_sendv(iov, n);
}

static void emit(enum msg_id id, const char *line, const struct fields *f)
{
	char message[MSG_LINE_MAX + 16], priority[24], ident[64], mid[32],
		instance[64];
	const char *all[FIELDS_MAX + 8];
	int n = 0;

	snprintf(message, sizeof message, "MESSAGE=%s", line);
	snprintf(priority, sizeof priority, "PRIORITY=%d", msg_priority(id));
	snprintf(ident, sizeof ident, "SYSLOG_IDENTIFIER=%s", the_log.identity);
	snprintf(mid, sizeof mid, "COUPLET_MSG=%s", msg_get(id)->id);
	snprintf(instance, sizeof instance, "COUPLET_INSTANCE=%s",
		 the_log.instance);
	all[n++] = message;
	all[n++] = priority;
	all[n++] = ident;
	all[n++] = mid;
	if (the_log.instance[0])
		all[n++] = instance;
	for (int i = 0; i < f->n; i++)
		all[n++] = f->text[i];
	if (the_log.sink) {
		the_log.sink(the_log.sink_arg, line, all, n);
		return;
	}
	if (!the_log.stderr_is_journal)
		fprintf(stderr, "%s\n", line);
	to_journal(all, n);
}

void log_msg_unchecked(enum msg_id id, ...)
{
	static const struct hash_key key = {1, 2}; /* no secret is needed: a
						    * collision holds a line
						    * back for ten seconds */
	char line[MSG_LINE_MAX];
	struct fields f;
	va_list ap;
	int len;

	va_start(ap, id);
	len = msg_vformat(line, sizeof line, id, ap);
	va_end(ap);
	log_flush(false);
	if (!limit_pass(&the_log.limit, (unsigned)id,
			hash_bytes(&key, line, (size_t)len), line, mono_now()))
		return;
	va_start(ap, id);
	fields_make(&f, msg_get(id)->text, msg_get(id)->args, ap);
	va_end(ap);
	emit(id, line, &f);
}

void log_every_unchecked(enum msg_id id, ...)
{
	char line[MSG_LINE_MAX];
	struct fields f;
	va_list ap;

	va_start(ap, id);
	(void)msg_vformat(line, sizeof line, id, ap);
	va_end(ap);
	va_start(ap, id);
	fields_make(&f, msg_get(id)->text, msg_get(id)->args, ap);
	va_end(ap);
	emit(id, line, &f);
}

static void emit_repeat(enum msg_id id, ...)
{
	char line[MSG_LINE_MAX];
	struct fields f;
	va_list ap;

	va_start(ap, id);
	msg_vformat(line, sizeof line, id, ap);
	va_end(ap);
	va_start(ap, id);
	fields_make(&f, msg_get(id)->text, msg_get(id)->args, ap);
	va_end(ap);
	emit(id, line, &f);
}

void log_flush(bool all)
{
	struct limit_repeat rep;
	mono_t now = mono_now();

	while (limit_due(&the_log.limit, all, &rep, now)) {
		char text[LIMIT_TEXT_MAX + 32];

		/* either one line with its id, or many that differed */
		snprintf(text, sizeof text, "%s",
			 rep.varied ? msg_get((enum msg_id)rep.id)->id
				    : rep.text);
		emit_repeat(MSG_CPLT005W, text,
			    (unsigned)MIN(rep.count, UINT32_MAX),
			    (unsigned)MAX(dur_ms(rep.lasted) / 1000, 1));
	}
}

mono_t log_deadline(void)
{
	return limit_deadline(&the_log.limit);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	if (!the_log.debug)
		return;
	va_start(ap, fmt);
	fputs("debug: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}
