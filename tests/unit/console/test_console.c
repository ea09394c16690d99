#include "unit.h"

#include "console/server.h"
#include "ev/ev.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SHOW, CHANGE, STREAM, FLOOD, FILED };

static const struct command table[] = {
	{"SHOW", "", "", COMMAND_SHOW, 0, 0, SHOW},
	{"CHANGE", "", "", COMMAND_CHANGE, 0, 0, CHANGE},
	{"STREAM", "", "", COMMAND_SHOW, 0, 0, STREAM},
	{"FLOOD", "", "", COMMAND_SHOW, 0, 0, FLOOD},
	{"FILED", "", "", COMMAND_SHOW, 0, 0, FILED},
};

struct world {
	struct ev_loop *loop;
	struct console *console;
	char dir[64], path[128];
	struct console_cmd *streaming;
	unsigned slices; /* left to print by STREAM */
	unsigned cancels, gone, events[3];
	bool admit;
	int fd; /* what FILED got */
};

static bool more(void *task, struct console_cmd *cmd)
{
	struct world *w = task;

	console_printf(cmd, "slice %u\n", w->slices);
	if (--w->slices)
		return true;
	console_done(cmd, CONSOLE_OK);
	return false;
}

static void cancel(void *task, bool gone)
{
	struct world *w = task;

	w->cancels++;
	w->gone += gone;
	if (!gone)
		console_done(w->streaming, 9);
}

static const struct console_task task = {more, cancel};
static const struct console_task patient = {NULL, cancel};

static void on_command(void *arg, struct console_cmd *cmd,
		       const struct command *c, int n)
{
	struct world *w = arg;
	static char big[5000];

	assert_int_equal(n, 1);
	switch (c->id) {
	case STREAM:
		w->streaming = cmd;
		console_set_task(cmd, w->slices ? &task : &patient, w);
		return;
	case FLOOD:
		memset(big, 'x', sizeof big);
		for (size_t i = 0; i < 2 * CONSOLE_QUEUE_MAX; i += sizeof big)
			console_write(cmd, big, sizeof big);
		break;
	case FILED:
		w->fd = console_take_fd(cmd);
		break;
	default:
		console_printf(cmd, "%s %d %s\n", c->words,
			       console_words(cmd)->n,
			       console_json(cmd) ? "json" : "text");
		break;
	}
	console_done(cmd, CONSOLE_OK);
}

static bool may_show(void *arg, const struct ipc_peer *peer, int fd)
{
	const struct world *w = arg;

	(void)peer;
	(void)fd;
	return w->admit;
}

static void on_event(void *arg, enum console_event e,
		     const struct ipc_peer *peer, const char *line)
{
	struct world *w = arg;

	(void)peer;
	(void)line;
	w->events[e]++;
}

static const struct console_ops ops = {on_command, may_show, on_event};

static void start(struct world *w, uid_t uid, gid_t gid)
{
	struct console_config c = {.path = w->path,
				   .table = table,
				   .n_table = ARRAY_SIZE(table),
				   .uid = uid,
				   .gid = gid};
	pid_t pid;

	assert_int_equal(console_new(w->loop, &c, &ops, w, &w->console, &pid),
			 0);
}

static int setup(void **state)
{
	static struct world w;

	memset(&w, 0, sizeof w);
	w.fd = -1;
	snprintf(w.dir, sizeof w.dir, "/tmp/couplet-con-XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	assert_int_equal(chmod(w.dir, 0755), 0);
	snprintf(w.path, sizeof w.path, "%s/console", w.dir);
	assert_int_equal(ev_loop_new(&w.loop), 0);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	console_free(w->console);
	ev_loop_free(w->loop);
	if (w->fd >= 0)
		close(w->fd);
	return rmdir(w->dir); /* the socket was removed */
}

static void turn(struct world *w)
{
	for (int i = 0; i < 20; i++)
		ev_loop_turn(w->loop);
}

static int dial(struct world *w)
{
	int fd = ipc_connect(w->path);

	assert_true(fd >= 0);
	turn(w);
	return fd;
}

static void say(int fd, const char *line, int flags)
{
	assert_int_equal(ipc_send(fd, CONSOLE_COMMAND, (uint16_t)flags, 0, line,
				  strlen(line), NULL, 0),
			 0);
}

/* All there is to read up to END: its status, or -1 when cut off. */
static int hear(struct world *w, int fd, char *out, size_t len)
{
	static struct ipc_msg m;
	size_t n = 0;

	out[0] = '\0';
	for (int i = 0; i < 100000; i++) {
		int r;

		ev_loop_turn(w->loop);
		r = recv(fd, &(char){0}, 1, MSG_PEEK | MSG_DONTWAIT) < 0
			    ? -errno
			    : 1;
		if (r == -EAGAIN)
			continue;
		r = ipc_recv(fd, &m);
		if (r == -ECONNRESET)
			continue;
		if (r <= 0)
			return -1;
		if (m.type == CONSOLE_END)
			return m.value;
		if (n + m.len < len) {
			memcpy(out + n, m.body, m.len);
			n += m.len;
			out[n] = '\0';
		}
	}
	fail_msg("no END");
	return -1;
}

static void answers_in_both_forms(void **state)
{
	struct world *w = *state;
	char out[256];
	int fd;

	start(w, getuid(), getgid());
	fd = dial(w);
	say(fd, "show me", 0);
	assert_int_equal(hear(w, fd, out, sizeof out), CONSOLE_OK);
	assert_string_equal(out, "SHOW 2 text\n");
	say(fd, "SHOW", CONSOLE_FLAG_JSON);
	assert_int_equal(hear(w, fd, out, sizeof out), CONSOLE_OK);
	assert_string_equal(out, "SHOW 1 json\n");
	say(fd, "", 0);
	assert_int_equal(hear(w, fd, out, sizeof out), CONSOLE_OK);
	say(fd, "* comment", 0);
	assert_int_equal(hear(w, fd, out, sizeof out), CONSOLE_OK);
	close(fd);
}

static void bad_commands_cost_nothing(void **state)
{
	struct world *w = *state;
	char out[256];
	int fd;

	start(w, getuid(), getgid());
	fd = dial(w);
	say(fd, "FOO", 0);
	assert_int_equal(hear(w, fd, out, sizeof out), CONSOLE_USAGE);
	assert_non_null(strstr(out, "expected SHOW, CHANGE"));
	say(fd, "'", 0);
	assert_int_equal(hear(w, fd, out, sizeof out), CONSOLE_USAGE);
	say(fd, "SHOW", 0);
	assert_int_equal(hear(w, fd, out, sizeof out), CONSOLE_OK);
	close(fd);
}

static void changes_are_told_to_the_log(void **state)
{
	struct world *w = *state;
	char out[256];
	int fd;

	start(w, getuid(), getgid());
	fd = dial(w);
	say(fd, "SHOW", 0);
	hear(w, fd, out, sizeof out);
	assert_int_equal(w->events[CONSOLE_EV_CHANGE], 0);
	say(fd, "CHANGE", 0);
	assert_int_equal(hear(w, fd, out, sizeof out), CONSOLE_OK);
	assert_int_equal(w->events[CONSOLE_EV_CHANGE], 1);
	close(fd);
}

/* Runs `line` as another user, who needs no right to be root's child. */
static int as_stranger(struct world *w, gid_t gid, const char *line)
{
	static struct ipc_msg m;
	int status, fd;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgid(gid) < 0 || setuid(54321) < 0)
			_exit(100);
		fd = ipc_connect(w->path);
		(void)!ipc_send(fd, CONSOLE_COMMAND, 0, 0, line, strlen(line),
				NULL, 0);
		for (;;) {
			int r = ipc_recv(fd, &m);

			if (r == -ECONNRESET)
				continue;
			if (r <= 0)
				_exit(101);
			if (m.type == CONSOLE_END)
				_exit(m.value);
		}
	}
	while (waitpid(pid, &status, WNOHANG) == 0)
		ev_loop_turn(w->loop);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void rights_follow_uid_and_gid(void **state)
{
	struct world *w = *state;

	if (getuid() != 0) {
		print_message("needs root to become another user\n");
		skip();
	}
	start(w, 77777, 88888);
	assert_int_equal(as_stranger(w, 54321, "SHOW"), CONSOLE_FAILED);
	assert_int_equal(w->events[CONSOLE_EV_REFUSED], 1);
	assert_int_equal(as_stranger(w, 88888, "SHOW"), CONSOLE_OK);
	assert_int_equal(as_stranger(w, 88888, "CHANGE"), CONSOLE_FAILED);
	assert_int_equal(w->events[CONSOLE_EV_REFUSED], 2);
	w->admit = true;
	assert_int_equal(as_stranger(w, 54321, "SHOW"), CONSOLE_OK);
	assert_int_equal(as_stranger(w, 54321, "CHANGE"), CONSOLE_FAILED);
	assert_int_equal(w->events[CONSOLE_EV_CHANGE], 0);
}

static void streams_in_slices(void **state)
{
	struct world *w = *state;
	char out[256];
	int fd;

	w->slices = 3;
	start(w, getuid(), getgid());
	fd = dial(w);
	say(fd, "STREAM", 0);
	assert_int_equal(hear(w, fd, out, sizeof out), CONSOLE_OK);
	assert_string_equal(out, "slice 3\nslice 2\nslice 1\n");
	assert_int_equal(w->cancels, 0);
	close(fd);
}

static void cancel_lets_the_command_end(void **state)
{
	struct world *w = *state;
	char out[256];
	int fd;

	start(w, getuid(), getgid());
	fd = dial(w);
	say(fd, "STREAM", 0);
	turn(w);
	assert_int_equal(w->cancels, 0);
	assert_int_equal(ipc_send(fd, CONSOLE_CANCEL, 0, 0, NULL, 0, NULL, 0),
			 0);
	assert_int_equal(hear(w, fd, out, sizeof out), 9);
	assert_int_equal(w->gone, 0);
	/* nothing runs any more: harmless */
	assert_int_equal(ipc_send(fd, CONSOLE_CANCEL, 0, 0, NULL, 0, NULL, 0),
			 0);
	turn(w);
	assert_int_equal(w->cancels, 1);
	close(fd);
}

static void client_that_goes_ends_its_command(void **state)
{
	struct world *w = *state;
	int fd;

	start(w, getuid(), getgid());
	fd = dial(w);
	say(fd, "STREAM", 0);
	turn(w);
	close(fd);
	turn(w);
	assert_int_equal(w->gone, 1);
}

static void console_that_ends_frees_commands(void **state)
{
	struct world *w = *state;
	int fd;

	start(w, getuid(), getgid());
	fd = dial(w);
	say(fd, "STREAM", 0);
	turn(w);
	console_free(w->console);
	w->console = NULL;
	assert_int_equal(w->gone, 1);
	close(fd);
}

static void client_that_does_not_read_is_cut_off(void **state)
{
	struct world *w = *state;
	int silent, good;
	char out[256];

	start(w, getuid(), getgid());
	silent = dial(w);
	say(silent, "FLOOD", 0);
	turn(w);
	assert_int_equal(w->events[CONSOLE_EV_SLOW], 1);
	good = dial(w);
	say(good, "SHOW", 0);
	assert_int_equal(hear(w, good, out, sizeof out), CONSOLE_OK);
	close(good);
	close(silent);
}

static void second_command_before_end_is_cut_off(void **state)
{
	struct world *w = *state;
	char out[256];
	int fd;

	start(w, getuid(), getgid());
	fd = dial(w);
	say(fd, "STREAM", 0);
	say(fd, "SHOW", 0);
	assert_int_equal(hear(w, fd, out, sizeof out), -1);
	assert_int_equal(w->gone, 1);
	close(fd);
}

static void zero_bytes_in_a_line_are_refused(void **state)
{
	struct world *w = *state;
	char out[256];
	int fd;

	start(w, getuid(), getgid());
	fd = dial(w);
	assert_int_equal(
		ipc_send(fd, CONSOLE_COMMAND, 0, 0, "SHOW\0X", 6, NULL, 0), 0);
	assert_int_equal(hear(w, fd, out, sizeof out), -1);
	close(fd);
}

static void descriptor_reaches_the_command(void **state)
{
	struct world *w = *state;
	char out[256];
	int fd, p[2];

	assert_int_equal(pipe(p), 0);
	start(w, getuid(), getgid());
	fd = dial(w);
	assert_int_equal(ipc_send(fd, CONSOLE_COMMAND, 0, 0, "FILED", 5, p, 1),
			 0);
	assert_int_equal(hear(w, fd, out, sizeof out), CONSOLE_OK);
	assert_true(w->fd >= 0);
	close(p[0]);
	close(p[1]);
	close(fd);
}

static void sessions_are_limited(void **state)
{
	struct world *w = *state;
	int fds[CONSOLE_SESSIONS_MAX + 1];
	char out[256];

	start(w, getuid(), getgid());
	for (int i = 0; i <= CONSOLE_SESSIONS_MAX; i++)
		fds[i] = dial(w);
	assert_int_equal(hear(w, fds[CONSOLE_SESSIONS_MAX], out, sizeof out),
			 CONSOLE_FAILED);
	assert_string_equal(out, "too many console sessions\n");
	close(fds[0]);
	turn(w);
	close(fds[CONSOLE_SESSIONS_MAX]);
	fds[0] = dial(w);
	say(fds[0], "SHOW", 0);
	assert_int_equal(hear(w, fds[0], out, sizeof out), CONSOLE_OK);
	for (int i = 0; i < CONSOLE_SESSIONS_MAX; i++)
		close(fds[i]);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(answers_in_both_forms, setup, teardown),
	cmocka_unit_test_setup_teardown(bad_commands_cost_nothing, setup,
					teardown),
	cmocka_unit_test_setup_teardown(changes_are_told_to_the_log, setup,
					teardown),
	cmocka_unit_test_setup_teardown(rights_follow_uid_and_gid, setup,
					teardown),
	cmocka_unit_test_setup_teardown(streams_in_slices, setup, teardown),
	cmocka_unit_test_setup_teardown(cancel_lets_the_command_end, setup,
					teardown),
	cmocka_unit_test_setup_teardown(client_that_goes_ends_its_command,
					setup, teardown),
	cmocka_unit_test_setup_teardown(console_that_ends_frees_commands, setup,
					teardown),
	cmocka_unit_test_setup_teardown(client_that_does_not_read_is_cut_off,
					setup, teardown),
	cmocka_unit_test_setup_teardown(second_command_before_end_is_cut_off,
					setup, teardown),
	cmocka_unit_test_setup_teardown(zero_bytes_in_a_line_are_refused, setup,
					teardown),
	cmocka_unit_test_setup_teardown(descriptor_reaches_the_command, setup,
					teardown),
	cmocka_unit_test_setup_teardown(sessions_are_limited, setup, teardown),
};

UNIT_MAIN(tests)
