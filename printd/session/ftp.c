/*
 * ftp.c: FTP and FTPP: a file for each job, stored under a name that begins
 * with a dot and renamed when it is whole, so that whoever watches the folder
 * at the server sees complete files only. The proof is the server's reply to
 * the transfer and to the rename.
 */
#include "session/ftp.h"

#include "client/couplet.h"
#include "session/dial.h"
#include "session/session.h"
#include "session/stall.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAX_LEN 160

struct ftp_pool {
	const struct session_env *env;
	CURLM *multi;
	struct ev_timer *timer;
};

struct ftp {
	struct session s;
	struct dial_target to;
	struct dial *dial; /* looks its name up */
	CURL *easy;        /* NULL = no job */
	struct curl_slist *after;
	struct source *source;
	bool added, begun, sent; /* to curl's transfers; the file */
	struct ev_timer *timer;
	struct stall stall; /* of the file */
	int read_error;
	uint64_t bytes;
	char name[NAME_MAX_LEN];
	char error[CURL_ERROR_SIZE];
	char state[96];
};

static struct ftp *of(struct session *s)
{
	return container_of(s, struct ftp, s);
}

static void drop(struct ftp *f)
{
	dial_cancel(f->dial);
	f->dial = NULL;
	if (f->easy && f->added)
		curl_multi_remove_handle(f->s.env->ftp->multi, f->easy);
	if (f->easy)
		curl_easy_cleanup(f->easy);
	f->easy = NULL;
	f->added = false;
	curl_slist_free_all(f->after);
	f->after = NULL;
	stall_end(&f->stall);
	ev_timer_stop(f->timer);
	source_free(f->source);
	f->source = NULL;
}

static void done(struct ftp *f, const struct session_result *r)
{
	struct session_owner o = f->s.owner;

	snprintf(f->state, sizeof f->state, "%.90s",
		 r->outcome == SESSION_PRINTED ? "idle" : r->reason);
	drop(f);
	o.done(o.arg, r);
}

/* What libcurl says, as the three states of a printer and the rest. */
static void finished(struct ftp *f, CURLcode code)
{
	struct session_result r = {.outcome = SESSION_PRINTED};
	const char *text = f->error[0] ? f->error : curl_easy_strerror(code);

	if (code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT)
		dial_target_failed(&f->to);
	if (code == CURLE_OK)
		r.pages = (uint32_t)source_stats(f->source).pages;
	else if (f->read_error == -EBADMSG)
		session_result_make(&r, SESSION_HOLD, f->begun,
				    "the job's file is damaged");
	else if (code == CURLE_LOGIN_DENIED)
		session_result_make(&r, SESSION_HOLD, false,
				    "the server refuses user %s: %s",
				    f->s.lu->user, text);
	else
		/* the file has its name only when it is whole: a job that
		 * failed before the rename cannot be there twice */
		session_result_make(&r, SESSION_RETRY, f->sent, "%s", text);
	done(f, &r);
}

/* ---- the loop below libcurl
 * ------------------------------------------------------------- */

static void check_done(struct ftp_pool *p)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(p->multi, &left))) {
		struct ftp *f;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &f);
		finished(f, code);
	}
}

static void on_io(void *arg, int fd, unsigned events)
{
	struct ftp_pool *p = arg;
	int running, bits = 0;

	if (events & EV_IO_IN)
		bits |= CURL_CSELECT_IN;
	if (events & EV_IO_OUT)
		bits |= CURL_CSELECT_OUT;
	curl_multi_socket_action(p->multi, fd, bits, &running);
	check_done(p);
}

static void on_timer(void *arg)
{
	struct ftp_pool *p = arg;
	int running;

	curl_multi_socket_action(p->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	check_done(p);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
		     void *socket_arg)
{
	struct ftp_pool *p = arg;
	struct ev_io *io = socket_arg;
	unsigned events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		ev_io_free(io);
		curl_multi_assign(p->multi, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EV_IO_IN;
	if (what & CURL_POLL_OUT)
		events |= EV_IO_OUT;
	if (io)
		return ev_io_set(io, events) < 0 ? -1 : 0;
	if (ev_io_new(p->env->loop, fd, events, on_io, p, &io) < 0)
		return -1;
	curl_multi_assign(p->multi, fd, io);
	return 0;
}

static int on_curl_timer(CURLM *multi, long ms, void *arg)
{
	struct ftp_pool *p = arg;

	(void)multi;
	if (ms < 0)
		ev_timer_stop(p->timer);
	else
		ev_timer_set(p->timer, DUR_MS(ms));
	return 0;
}

int ftp_pool_new(const struct session_env *env, struct ftp_pool **ret)
{
	struct ftp_pool *p = calloc(1, sizeof *p);
	int r;

	if (!p)
		return -ENOMEM;
	p->env = env;
	r = ev_timer_new(env->loop, on_timer, p, &p->timer);
	if (r == 0 && curl_global_init(CURL_GLOBAL_DEFAULT) == 0)
		p->multi = curl_multi_init();
	if (r < 0 || !p->multi) {
		ev_timer_free(p->timer);
		free(p);
		return r < 0 ? r : -ENOMEM;
	}
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
	*ret = p;
	return 0;
}

void ftp_pool_free(struct ftp_pool *p)
{
	if (!p)
		return;
	curl_multi_cleanup(p->multi);
	ev_timer_free(p->timer);
	curl_global_cleanup();
	free(p);
}

/* ---- one transfer
 * ----------------------------------------------------------------------- */

static void arm(struct ftp *f)
{
	mono_t at = stall_deadline(&f->stall);

	if (mono_is_never(at))
		ev_timer_stop(f->timer);
	else
		ev_timer_set(f->timer, mono_sub(at, mono_now()));
}

static void on_stall(void *arg)
{
	struct ftp *f = arg;

	/* the end comes from libcurl, which has GIVEUP too */
	if (stall_expire(&f->stall, mono_now()) == STALL_STALLED)
		f->s.owner.news(f->s.owner.arg, SESSION_STALLED,
				"takes no bytes");
	arm(f);
}

/* libcurl wants more: what it had is gone. */
static void moved(struct ftp *f)
{
	if (stall_moved(&f->stall, mono_now()))
		f->s.owner.news(f->s.owner.arg, SESSION_MOVING,
				"takes bytes again");
}

static size_t on_read(char *buf, size_t size, size_t n, void *arg)
{
	struct ftp *f = arg;
	ssize_t got;

	if (!f->begun) {
		f->begun = true;
		if (f->s.owner.begins(f->s.owner.arg) < 0)
			return CURL_READFUNC_ABORT;
		snprintf(f->state, sizeof f->state, "sending");
		stall_begin(&f->stall, DUR_NS(f->s.lu->opt.stall_ns),
			    DUR_NS(f->s.lu->opt.giveup_ns), mono_now());
	}
	moved(f);
	arm(f);
	got = source_read(f->source, buf, size * n);
	if (got < 0) {
		f->read_error = (int)got;
		return CURL_READFUNC_ABORT;
	}
	f->bytes += (uint64_t)got;
	if (!got && !f->sent) {
		f->sent = true;
		stall_end(&f->stall);
		f->s.owner.sent(f->s.owner.arg);
	}
	return (size_t)got;
}

/* A socket of the stack, on its way to be connected: it becomes writable when
 * it is, which is all that libcurl waits for. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose,
				 struct curl_sockaddr *sa)
{
	const struct ftp *f = arg;
	int fd = couplet_socket(f->s.env->id, sa->family,
				sa->socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
				sa->protocol);

	(void)purpose;
	if (fd < 0)
		return CURL_SOCKET_BAD;
	if (couplet_connect(fd, &sa->addr, sa->addrlen) < 0 &&
	    errno != EINPROGRESS) {
		close(fd);
		return CURL_SOCKET_BAD;
	}
	return fd;
}

static int socket_is_connected(void *arg, curl_socket_t fd, curlsocktype type)
{
	(void)arg;
	(void)fd;
	(void)type;
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

/* The port number of a slow printer is no business of a web proxy. */
static void set_place(struct ftp *f)
{
	char temp[NAME_MAX_LEN + 8];
	char url[512], addr[DIAL_TEXT_MAX], line[NAME_MAX_LEN + 16];
	char *quoted;

	snprintf(temp, sizeof temp, ".%s", f->name);
	quoted = curl_easy_escape(f->easy, temp, 0);
	snprintf(url, sizeof url, "ftp://%s/%s", dial_target_text(&f->to, addr),
		 quoted ? quoted : "job");
	curl_free(quoted);
	curl_easy_setopt(f->easy, CURLOPT_URL, url);
	snprintf(line, sizeof line, "RNFR %s", temp);
	f->after = curl_slist_append(f->after, line);
	snprintf(line, sizeof line, "RNTO %s", f->name);
	f->after = curl_slist_append(f->after, line);
	curl_easy_setopt(f->easy, CURLOPT_POSTQUOTE, f->after);
}

static void set_options(struct ftp *f)
{
	const struct printd_lu *lu = f->s.lu;
	const struct lu_opt *o = &lu->opt;
	bool stack = strcmp(f->s.env->id, "*") != 0;
	CURL *e = f->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, f);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, f->error);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "ftp");
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_USERNAME, lu->user);
	curl_easy_setopt(e, CURLOPT_PASSWORD, lu->password);
	curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(e, CURLOPT_READDATA, f);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(o->connect_ns / 1000000));
	/* no byte for as long as GIVEUP: the server is stuck */
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME,
			 (long)MAX(o->giveup_ns / 1000000000, 1));
	curl_easy_setopt(e, CURLOPT_SERVER_RESPONSE_TIMEOUT,
			 (long)MAX(o->drain_ns / 1000000000, 1));
	curl_easy_setopt(e, CURLOPT_FTP_SKIP_PASV_IP, 1L);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
	if (lu->kind == LU_FTP && !stack)
		curl_easy_setopt(e, CURLOPT_FTPPORT, "-");
	if (!stack)
		return;
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, f);
	curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, socket_is_connected);
}

static void on_found(void *arg, int fd, int error)
{
	struct ftp *f = arg;
	struct session_result r;

	(void)fd;
	f->dial = NULL;
	if (!error) {
		set_place(f);
		if (curl_multi_add_handle(f->s.env->ftp->multi, f->easy) ==
		    CURLM_OK) {
			f->added = true;
			return;
		}
		error = ENOMEM;
	}
	session_result_make(&r, SESSION_RETRY, false, "%s",
			    session_connect_text(error));
	done(f, &r);
}

static int ftp_send(struct session *s, const struct session_job *job)
{
	struct ftp *f = of(s);
	bool pdf = job->pdf || s->lu->opt.format == LU_FORMAT_PDF;
	int r;

	f->source = job->source;
	f->begun = f->sent = false;
	f->read_error = 0;
	f->bytes = 0;
	f->error[0] = '\0';
	if (strcmp(s->lu->password, PASSWORD_MASK) == 0) {
		drop(f);
		return -EACCES;
	}
	f->easy = curl_easy_init();
	if (!f->easy) {
		drop(f);
		return -ENOMEM;
	}
	session_file_name(s->lu, job,
			  pdf         ? ".pdf"
			  : job->text ? ".txt"
				      : ".prn",
			  f->name, sizeof f->name);
	set_options(f);
	snprintf(f->state, sizeof f->state, "connecting");
	r = dial_find(s->env, &f->to, on_found, f, &f->dial);
	if (r < 0)
		drop(f);
	return r;
}

/* ---- the session
 * ------------------------------------------------------------------------ */

static void ftp_stop(struct session *s)
{
	drop(of(s));
}

static void ftp_free(struct session *s)
{
	struct ftp *f = of(s);

	ev_timer_free(f->timer);
	free(f);
}

static bool ftp_ready(struct session *s)
{
	(void)s;
	return true;
}

static enum source_target ftp_target(struct session *s)
{
	return s->lu->opt.format == LU_FORMAT_PDF ? SOURCE_PDF : SOURCE_BYTES;
}

static void ftp_describe(struct session *s, char *buf, size_t len)
{
	const struct ftp *f = of(s);
	char text[DIAL_TEXT_MAX];

	snprintf(buf, len, "%s@%s %s", s->lu->user,
		 dial_target_text(&f->to, text), f->state);
}

static const struct session_ops ops = {
	.send = ftp_send,
	.stop = ftp_stop,
	.free = ftp_free,
	.ready = ftp_ready,
	.target = ftp_target,
	.describe = ftp_describe,
};

int session_ftp_new(struct session **ret, const struct session_env *env,
		    const struct printd_lu *lu)
{
	struct ftp *f = calloc(1, sizeof *f);
	int r;

	if (!f)
		return -ENOMEM;
	f->s.ops = &ops;
	snprintf(f->state, sizeof f->state, "idle");
	dial_target_set(&f->to, lu->host, lu->port);
	r = ev_timer_new(env->loop, on_stall, f, &f->timer);
	if (r < 0) {
		free(f);
		return r;
	}
	*ret = &f->s;
	return 0;
}
