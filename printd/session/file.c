/*
 * file.c: FILE and PDF: a file for each job. It is written beside its place
 * under a name that begins with a dot, synced, renamed, and the folder
 * synced: a reader sees a whole file or none. A file of that name (a job that
 * is printed again) is replaced.
 */
#include "session/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAX_LEN 160

struct file_session {
	struct session s;
	struct ev_timer *timer;
	struct source *source;
	int dir, fd;
	bool begun, named; /* named: it has its place in the folder */
	char name[NAME_MAX_LEN], temp[NAME_MAX_LEN + 8];
	char state[96];
};

static struct file_session *of(struct session *s)
{
	return container_of(s, struct file_session, s);
}

static void drop(struct file_session *f)
{
	if (f->fd >= 0) {
		close(f->fd);
		(void)unlinkat(f->dir, f->temp, 0);
	}
	f->fd = -1;
	if (f->dir >= 0)
		close(f->dir);
	f->dir = -1;
	source_free(f->source);
	f->source = NULL;
	ev_timer_stop(f->timer);
}

static void done(struct file_session *f, const struct session_result *r)
{
	struct session_owner o = f->s.owner;

	snprintf(f->state, sizeof f->state, "%.90s",
		 r->outcome == SESSION_PRINTED ? "idle" : r->reason);
	drop(f);
	o.done(o.arg, r);
}

static void trouble(struct file_session *f, int r, const char *what)
{
	struct session_result res;

	session_result_make(
		&res, r == -EBADMSG ? SESSION_HOLD : SESSION_RETRY, f->named,
		"%s %s/%s: %s", what, f->s.lu->target, f->name,
		r == -EBADMSG ? "the job's file is damaged" : strerror(-r));
	done(f, &res);
}

static int open_file(struct file_session *f)
{
	f->dir = open(f->s.lu->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir < 0)
		return -errno;
	f->fd = openat(f->dir, f->temp,
		       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		       0640);
	return f->fd < 0 ? -errno : 0;
}

static int write_all(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int publish(struct file_session *f)
{
	if (fsync(f->fd) < 0)
		return -errno;
	f->s.owner.sent(f->s.owner.arg);
	if (renameat(f->dir, f->temp, f->dir, f->name) < 0)
		return -errno;
	f->named = true;
	close(f->fd);
	f->fd = -1;
	return fsync(f->dir) < 0 ? -errno : 0;
}

static void finish(struct file_session *f)
{
	struct session_result res = {.outcome = SESSION_PRINTED};
	int r = publish(f);

	if (r < 0) {
		trouble(f, r, "writing");
		return;
	}
	res.pages = (uint32_t)source_stats(f->source).pages;
	done(f, &res);
}

static void on_timer(void *arg)
{
	struct file_session *f = arg;
	uint8_t buf[SESSION_CHUNK];
	ssize_t n;
	int r = 0;

	if (!f->begun) {
		r = open_file(f);
		if (r == 0)
			r = f->s.owner.begins(f->s.owner.arg);
		f->begun = true;
	}
	if (r < 0) {
		trouble(f, r, "opening");
		return;
	}
	n = source_read(f->source, buf, sizeof buf);
	if (n < 0) {
		trouble(f, (int)n, "reading the job for");
		return;
	}
	if (n == 0) {
		finish(f);
		return;
	}
	r = write_all(f->fd, buf, (size_t)n);
	if (r < 0)
		trouble(f, r, "writing");
	else
		ev_timer_set(f->timer, DUR_NS(0));
}

static int file_send(struct session *s, const struct session_job *job)
{
	struct file_session *f = of(s);
	bool pdf = job->pdf || s->lu->opt.format == LU_FORMAT_PDF;

	f->source = job->source;
	f->begun = f->named = false;
	session_file_name(s->lu, job,
			  pdf         ? ".pdf"
			  : job->text ? ".txt"
				      : ".prn",
			  f->name, sizeof f->name);
	snprintf(f->temp, sizeof f->temp, ".%s", f->name);
	snprintf(f->state, sizeof f->state, "writing");
	ev_timer_set(f->timer, DUR_NS(0));
	return 0;
}

static void file_stop(struct session *s)
{
	drop(of(s));
}

static void file_free(struct session *s)
{
	struct file_session *f = of(s);

	ev_timer_free(f->timer);
	free(f);
}

static bool file_ready(struct session *s)
{
	(void)s;
	return true;
}

static enum source_target file_target(struct session *s)
{
	return s->lu->opt.format == LU_FORMAT_PDF ? SOURCE_PDF : SOURCE_BYTES;
}

static void file_describe(struct session *s, char *buf, size_t len)
{
	snprintf(buf, len, "%s %s", s->lu->target, of(s)->state);
}

static const struct session_ops ops = {
	.send = file_send,
	.stop = file_stop,
	.free = file_free,
	.ready = file_ready,
	.target = file_target,
	.describe = file_describe,
};

int session_file_new(struct session **ret, const struct session_env *env,
		     const struct printd_lu *lu)
{
	struct file_session *f = calloc(1, sizeof *f);
	int r;

	(void)lu;
	if (!f)
		return -ENOMEM;
	f->s.ops = &ops;
	f->dir = f->fd = -1;
	snprintf(f->state, sizeof f->state, "idle");
	r = ev_timer_new(env->loop, on_timer, f, &f->timer);
	if (r < 0) {
		free(f);
		return r;
	}
	*ret = &f->s;
	return 0;
}
