#include "console/server.h"

#include "base/list.h"
#include "console/table.h"
#include "ev/ev.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct console {
	struct ev_loop *loop;
	struct ev_io *io;
	const struct console_ops *ops;
	void *arg;
	struct console_config cfg;
	char path[108];
	int fd;
	struct list sessions;
	unsigned n_sessions;
};

/* A session and its one command; `running` between COMMAND and END. */
struct console_cmd {
	struct list node;
	struct console *console;
	struct ipc_conn *conn;
	struct ev_timer *turn; /* next call of more(), or the cut */
	struct ipc_peer peer;
	enum command_right right;
	bool running, json, cut;
	int fd;
	const struct console_task *task;
	void *task_arg;
	struct words words;
	size_t used;
	char out[IPC_BODY_MAX];
};

/* ---- output
 * -------------------------------------------------------------------- */

static void send_out(struct console_cmd *s, uint16_t type, const char *text,
		     size_t len, int32_t value)
{
	int r;

	if (s->cut)
		return;
	r = ipc_conn_send(s->conn, type, 0, value, text, len);
	if (r == 0 || r == -EPIPE)
		return;
	/* Too much for it: the loop cuts it off, as the caller still holds
	 * the command. */
	s->cut = true;
	ev_timer_set(s->turn, DUR_NS(0));
}

void console_flush(struct console_cmd *s)
{
	if (s->used)
		send_out(s, CONSOLE_OUT, s->out, s->used, 0);
	s->used = 0;
}

void console_write(struct console_cmd *s, const char *text, size_t len)
{
	while (len) {
		size_t n = MIN(len, sizeof s->out - s->used);

		memcpy(s->out + s->used, text, n);
		s->used += n;
		text += n;
		len -= n;
		if (s->used == sizeof s->out)
			console_flush(s);
	}
}

void console_printf(struct console_cmd *s, const char *fmt, ...)
{
	char small[512], *text = small;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof small, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof small) {
		va_start(ap, fmt);
		if (vasprintf(&text, fmt, ap) < 0)
			text = NULL;
		va_end(ap);
	}
	if (text)
		console_write(s, text, (size_t)n);
	if (text != small)
		free(text);
}

void console_error(struct console_cmd *s, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text - 1, fmt, ap);
	va_end(ap);
	n = strlen(text);
	text[n++] = '\n';
	console_flush(s);
	send_out(s, CONSOLE_ERR, text, n, 0);
}

static void forget_command(struct console_cmd *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->task = NULL;
	s->running = false;
	s->used = 0;
}

void console_done(struct console_cmd *s, int status)
{
	console_flush(s);
	forget_command(s);
	send_out(s, CONSOLE_END, NULL, 0, status);
}

void console_result(struct console_cmd *s, int r)
{
	if (r < 0)
		console_error(s, "%s", strerror(-r));
	console_done(s, r < 0 ? CONSOLE_FAILED : CONSOLE_OK);
}

void console_help(struct console_cmd *s)
{
	const struct console_config *cfg = &s->console->cfg;
	char name[64];

	for (size_t i = 0; i < cfg->n_table; i++) {
		const struct command *c = &cfg->table[i];

		console_printf(s, "%-18s %s%s%s\n",
			       command_name(c, name, sizeof name), c->what,
			       c->args[0] ? "\n                     operands: "
					  : "",
			       c->args);
	}
	console_done(s, CONSOLE_OK);
}

static void write_part(void *arg, const char *text, size_t len)
{
	console_write(arg, text, len);
}

/* Lines as an array of objects with one member, like any display. */
static int write_records(struct console_cmd *s, char *lines)
{
	static const struct table_col cols[] = {
		{"record", "RECORD", TABLE_LEFT, 0}};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), true);
	char *line;
	int r;

	if (!t)
		return -ENOMEM;
	while ((line = strsep(&lines, "\n"))) {
		if (*line)
			table_str(t, line);
	}
	r = table_print(t, true, true, write_part, s);
	table_free(t);
	return r;
}

void console_print(struct console_cmd *s, void (*print)(void *arg, FILE *out),
		   void *arg)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	int r = -ENOMEM;

	if (f) {
		print(arg, f);
		r = fclose(f) ? -ENOMEM : 0;
	}
	if (r == 0 && s->json)
		r = write_records(s, text);
	else if (r == 0)
		console_write(s, text, len);
	free(text);
	console_result(s, r);
}

/* ---- properties
 * ---------------------------------------------------------------- */

const struct words *console_words(const struct console_cmd *s)
{
	return &s->words;
}

bool console_json(const struct console_cmd *s)
{
	return s->json;
}

const struct ipc_peer *console_peer(const struct console_cmd *s)
{
	return &s->peer;
}

int console_take_fd(struct console_cmd *s)
{
	int fd = s->fd;

	s->fd = -1;
	return fd;
}

/* ---- sessions
 * ------------------------------------------------------------------- */

static void session_free(struct console_cmd *s)
{
	if (s->running && s->task && s->task->cancel)
		s->task->cancel(s->task_arg, true);
	forget_command(s);
	list_remove(&s->node);
	s->console->n_sessions--;
	ev_timer_free(s->turn);
	ipc_conn_free(s->conn);
	free(s);
}

static bool wants_turn(const struct console_cmd *s)
{
	return s->running && s->task && s->task->more &&
	       ipc_conn_queued(s->conn) < CONSOLE_QUEUE_MAX / 2;
}

static void on_turn(void *arg)
{
	struct console_cmd *s = arg;

	if (s->cut) {
		s->console->ops->event(s->console->arg, CONSOLE_EV_SLOW,
				       &s->peer, "");
		session_free(s);
		return;
	}
	if (!wants_turn(s) || !s->task->more(s->task_arg, s))
		return;
	ev_timer_set(s->turn, DUR_NS(0));
}

void console_set_task(struct console_cmd *s, const struct console_task *ops,
		      void *task)
{
	s->task = ops;
	s->task_arg = task;
	if (ops->more)
		ev_timer_set(s->turn, DUR_NS(0));
}

static void run_line(struct console_cmd *s, const char *line)
{
	struct console *c = s->console;
	const struct command *cmd;
	char err[1024];
	int r = words_split(&s->words, line), n = 0;

	if (r < 0) {
		console_error(s, r == -EINVAL  ? "a quote is not closed"
				 : r == -E2BIG ? "more than 64 words"
					       : "the line is too long");
		console_done(s, CONSOLE_USAGE);
		return;
	}
	if (!s->words.n) {
		console_done(s, CONSOLE_OK);
		return;
	}
	cmd = command_find(c->cfg.table, c->cfg.n_table, &s->words, &n, err,
			   sizeof err);
	if (!cmd) {
		console_error(s, "%s", err);
		console_done(s, CONSOLE_USAGE);
		return;
	}
	if (cmd->right > s->right) {
		char name[64];

		c->ops->event(c->arg, CONSOLE_EV_REFUSED, &s->peer, line);
		console_error(s,
			      "%s changes the running system: only root and "
			      "the daemon's own user may",
			      command_name(cmd, name, sizeof name));
		console_done(s, CONSOLE_FAILED);
		return;
	}
	if (cmd->right == COMMAND_CHANGE)
		c->ops->event(c->arg, CONSOLE_EV_CHANGE, &s->peer, line);
	c->ops->command(c->arg, s, cmd, n);
}

static void on_message(void *arg, struct ipc_msg *m)
{
	struct console_cmd *s = arg;

	if (m->type == CONSOLE_CANCEL) {
		if (s->running && s->task && s->task->cancel)
			s->task->cancel(s->task_arg, false);
		return;
	}
	/* A second command before END, or a message of no use, is not worth
	 * a sentence: such a client is broken. */
	if (m->type != CONSOLE_COMMAND || s->running ||
	    strlen(m->body) != m->len) {
		s->cut = true;
		ev_timer_set(s->turn, DUR_NS(0));
		return;
	}
	s->running = true;
	s->json = m->flags & CONSOLE_FLAG_JSON;
	s->fd = ipc_msg_take_fd(m, 0);
	run_line(s, m->body);
}

static void on_room(void *arg)
{
	struct console_cmd *s = arg;

	if (wants_turn(s))
		ev_timer_set(s->turn, DUR_NS(0));
}

static void on_closed(void *arg, int error)
{
	(void)error;
	session_free(arg);
}

static const struct ipc_conn_ops conn_ops = {on_message, on_room, on_closed};

static unsigned sessions_of(const struct console *c, uid_t uid)
{
	unsigned n = 0;

	LIST_FOREACH (it, &c->sessions)
		n += container_of(it, struct console_cmd, node)->peer.uid ==
		     uid;
	return n;
}

/* 0 and the right that this peer has; or negative errno, told to it. */
static int admit(struct console *c, int fd, const struct ipc_peer *p,
		 enum command_right *ret)
{
	const char *why;

	*ret = COMMAND_CHANGE;
	if (p->uid == 0 || p->uid == c->cfg.uid) {
		/* the last seats are for those who can mend something */
		if (c->n_sessions < CONSOLE_SESSIONS_MAX)
			return 0;
		why = "too many console sessions\n";
	} else if (ipc_peer_in_group(fd, c->cfg.gid) ||
		   c->ops->may_show(c->arg, p, fd)) {
		*ret = COMMAND_SHOW;
		if (c->n_sessions <
			    CONSOLE_SESSIONS_MAX - CONSOLE_SESSIONS_PER_UID &&
		    sessions_of(c, p->uid) < CONSOLE_SESSIONS_PER_UID)
			return 0;
		why = "too many console sessions\n";
	} else {
		c->ops->event(c->arg, CONSOLE_EV_REFUSED, p, "the console");
		why = "you may not use this console: not a member of the "
		      "daemon's group and not admitted by ALLOW\n";
	}
	(void)!ipc_send(fd, CONSOLE_ERR, 0, 0, why, strlen(why), NULL, 0);
	(void)!ipc_send(fd, CONSOLE_END, 0, CONSOLE_FAILED, NULL, 0, NULL, 0);
	return -EACCES;
}

static int session_new(struct console *c, int fd, const struct ipc_peer *peer,
		       enum command_right right)
{
	struct console_cmd *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return -ENOMEM;
	s->console = c;
	s->peer = *peer;
	s->right = right;
	s->fd = -1;
	r = ev_timer_new(c->loop, on_turn, s, &s->turn);
	if (r == 0)
		r = ipc_conn_new(c->loop, fd, CONSOLE_QUEUE_MAX, &conn_ops, s,
				 &s->conn);
	if (r < 0) {
		ev_timer_free(s->turn);
		free(s);
		return r;
	}
	list_push_tail(&c->sessions, &s->node);
	c->n_sessions++;
	return 0;
}

static void on_connect(void *arg, int fd, unsigned events)
{
	struct console *c = arg;
	struct ipc_peer peer;
	enum command_right right;
	int conn;

	(void)events;
	conn = ipc_accept(fd);
	if (conn < 0) {
		if (conn != -EAGAIN)
			ev_io_rest(c->io, EV_ACCEPT_REST);
		return;
	}
	if (ipc_peer_get(conn, &peer) < 0 ||
	    admit(c, conn, &peer, &right) < 0 ||
	    session_new(c, conn, &peer, right) < 0)
		close(conn);
}

int console_new(struct ev_loop *l, const struct console_config *cfg,
		const struct console_ops *ops, void *arg, struct console **ret,
		pid_t *ret_pid)
{
	struct console *c = calloc(1, sizeof *c);
	int r;

	*ret_pid = 0;
	if (!c)
		return -ENOMEM;
	c->loop = l;
	c->ops = ops;
	c->arg = arg;
	c->cfg = *cfg;
	list_init(&c->sessions);
	snprintf(c->path, sizeof c->path, "%s", cfg->path);
	r = ipc_listen(cfg->path, 0666, &c->fd, ret_pid);
	if (r < 0) {
		free(c);
		return r;
	}
	r = ev_io_new(l, c->fd, EV_IO_IN, on_connect, c, &c->io);
	if (r < 0) {
		close(c->fd);
		unlink(c->path);
		free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void console_free(struct console *c)
{
	if (!c)
		return;
	LIST_FOREACH_SAFE (it, &c->sessions)
		session_free(container_of(it, struct console_cmd, node));
	ev_io_free(c->io);
	close(c->fd);
	unlink(c->path);
	free(c);
}
