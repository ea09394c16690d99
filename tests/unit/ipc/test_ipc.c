#include "unit.h"

#include "ev/ev.h"
#include "ipc/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void pair(int fds[2], int flags)
{
	assert_int_equal(socketpair(AF_UNIX,
				    SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0,
				    fds),
			 0);
}

/* ---- single messages ------------------------------------------------------
 */

static void message_keeps_everything(void **state)
{
	struct ipc_msg m;
	int p[2];

	(void)state;
	pair(p, 0);
	assert_int_equal(ipc_send(p[0], 7, 3, -42, "hello", 5, NULL, 0), 0);
	assert_int_equal(ipc_recv(p[1], &m), 1);
	assert_int_equal(m.type, 7);
	assert_int_equal(m.flags, 3);
	assert_int_equal(m.value, -42);
	assert_int_equal(m.len, 5);
	assert_string_equal(m.body, "hello"); /* the zero was added */
	assert_int_equal(m.n_fds, 0);
	close(p[0]);
	assert_int_equal(ipc_recv(p[1], &m), 0);
	close(p[1]);
}

/* A daemon refuses a program that had something to say already. */
static void last_words_come_before_the_reset(void **state)
{
	struct ipc_msg m;
	int p[2];

	(void)state;
	pair(p, 0);
	assert_int_equal(ipc_send(p[0], 1, 0, 0, "may I?", 6, NULL, 0), 0);
	assert_int_equal(ipc_send(p[1], 2, 0, -EACCES, "no", 2, NULL, 0), 0);
	close(p[1]);
	assert_int_equal(ipc_recv(p[0], &m), 1);
	assert_string_equal(m.body, "no");
	assert_int_equal(ipc_recv(p[0], &m), 0);
	close(p[0]);
	/* and without a word it is a reset */
	pair(p, 0);
	assert_int_equal(ipc_send(p[0], 1, 0, 0, "may I?", 6, NULL, 0), 0);
	close(p[1]);
	assert_int_equal(ipc_recv(p[0], &m), -ECONNRESET);
	close(p[0]);
}

static void largest_body_passes_one_more_does_not(void **state)
{
	char *big = calloc(1, IPC_BODY_MAX + 1);
	struct ipc_msg m;
	int p[2];

	(void)state;
	pair(p, 0);
	assert_int_equal(
		ipc_send(p[0], 1, 0, 0, big, IPC_BODY_MAX + 1, NULL, 0),
		-EMSGSIZE);
	assert_int_equal(ipc_send(p[0], 1, 0, 0, big, IPC_BODY_MAX, NULL, 0),
			 0);
	assert_int_equal(ipc_recv(p[1], &m), 1);
	assert_int_equal(m.len, IPC_BODY_MAX);
	close(p[0]);
	close(p[1]);
	free(big);
}

static void descriptors_arrive_and_are_closed_unless_taken(void **state)
{
	int p[2], q[2], before, taken;
	struct ipc_msg m;

	(void)state;
	pair(p, 0);
	assert_int_equal(pipe(q), 0);
	before = count_fds();
	assert_int_equal(ipc_send(p[0], 1, 0, 0, NULL, 0, q, 2), 0);
	assert_int_equal(ipc_recv(p[1], &m), 1);
	assert_int_equal(m.n_fds, 2);
	assert_true(fcntl(m.fds[0], F_GETFD) & FD_CLOEXEC);
	taken = ipc_msg_take_fd(&m, 1);
	assert_true(taken >= 0);
	assert_int_equal(ipc_msg_take_fd(&m, 1), -1);
	assert_int_equal(ipc_msg_take_fd(&m, 2), -1);
	ipc_msg_close(&m);
	assert_int_equal(count_fds(), before + 1);
	close(taken);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
}

/* As a hostile sender: any bytes, any number of descriptors. */
static void send_raw(int fd, size_t len, int n_fds)
{
	static char bytes[IPC_BODY_MAX + 64];
	char control[CMSG_SPACE(16 * sizeof(int))];
	struct iovec iov = {bytes, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cm;

	if (n_fds) {
		memset(control, 0, sizeof control);
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE((size_t)n_fds * sizeof(int));
		cm = CMSG_FIRSTHDR(&msg);
		if (!cm)
			abort();
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN((size_t)n_fds * sizeof(int));
		for (int i = 0; i < n_fds; i++) {
			int one = 1;

			memcpy(CMSG_DATA(cm) + (size_t)i * sizeof one, &one,
			       sizeof one);
		}
	}
	assert_int_equal(sendmsg(fd, &msg, 0), len);
}

static void bad_records_are_refused_without_a_leak(void **state)
{
	static const struct {
		size_t len;
		int fds;
	} bad[] = {{3, 0}, {7, 1}, {IPC_BODY_MAX + 9, 0},
		   {8, 5}, {8, 9}, {IPC_BODY_MAX + 9, 4}};
	struct ipc_msg m;
	int p[2], before;

	(void)state;
	pair(p, 0);
	before = count_fds();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		send_raw(p[0], bad[i].len, bad[i].fds);
		assert_int_equal(ipc_recv(p[1], &m), -EPROTO);
		assert_int_equal(count_fds(), before);
	}
	send_raw(p[0], 8, 4);
	assert_int_equal(ipc_recv(p[1], &m), 1);
	assert_int_equal(m.n_fds, 4);
	ipc_msg_close(&m);
	assert_int_equal(count_fds(), before);
	close(p[0]);
	close(p[1]);
}

static void peer_is_who_the_kernel_says(void **state)
{
	struct ipc_peer peer;
	int p[2];

	(void)state;
	pair(p, 0);
	assert_int_equal(ipc_peer_get(p[0], &peer), 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, getuid());
	assert_true(ipc_peer_in_group(p[0], getgid()));
	assert_false(ipc_peer_in_group(p[0], 4242424));
	close(p[0]);
	close(p[1]);
}

/* ---- listening
 * ---------------------------------------------------------------- */

static char *temp_dir(void)
{
	static char dir[64];

	snprintf(dir, sizeof dir, "/tmp/couplet-ipc-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return dir;
}

static void listen_replaces_a_dead_socket_only(void **state)
{
	char *dir = temp_dir(), path[128];
	int fd, other;
	struct stat st;
	pid_t pid;

	(void)state;
	snprintf(path, sizeof path, "%s/console", dir);
	assert_int_equal(ipc_listen(path, 0640, &fd, &pid), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(ipc_listen(path, 0640, &other, &pid), -EADDRINUSE);
	assert_int_equal(pid, getpid());
	close(fd); /* as a killed daemon leaves it */
	assert_int_equal(ipc_connect(path), -ECONNREFUSED);
	assert_int_equal(ipc_listen(path, 0600, &fd, &pid), 0);
	other = ipc_connect(path);
	assert_true(other >= 0);
	close(other);
	close(fd);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

static void listen_leaves_other_files_alone(void **state)
{
	char *dir = temp_dir(), path[128];
	struct stat st;
	pid_t pid;
	int fd;

	(void)state;
	snprintf(path, sizeof path, "%s/file", dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(ipc_listen(path, 0600, &fd, &pid), -EEXIST);
	assert_int_equal(stat(path, &st), 0);
	unlink(path);
	rmdir(dir);
}

static void too_long_a_path_is_refused(void **state)
{
	char path[200];
	pid_t pid;
	int fd;

	(void)state;
	memset(path, 'x', sizeof path);
	path[sizeof path - 1] = '\0';
	assert_int_equal(ipc_connect(path), -ENAMETOOLONG);
	assert_int_equal(ipc_listen(path, 0600, &fd, &pid), -ENAMETOOLONG);
	assert_int_equal(ipc_connect(""), -EINVAL);
}

/* ---- connections
 * ---------------------------------------------------------------- */

struct side {
	struct ev_loop *loop;
	struct ipc_conn *conn;
	int peer;
	unsigned messages, rooms, closes;
	int error;
	bool free_on_message, free_on_room;
};

static void on_message(void *arg, struct ipc_msg *m)
{
	struct side *s = arg;

	(void)m;
	s->messages++;
	if (s->free_on_message) {
		ipc_conn_free(s->conn);
		s->conn = NULL;
	}
}

static void on_room(void *arg)
{
	struct side *s = arg;

	s->rooms++;
	if (s->free_on_room) {
		ipc_conn_free(s->conn);
		s->conn = NULL;
	}
}

static void on_closed(void *arg, int error)
{
	struct side *s = arg;

	s->closes++;
	s->error = error;
	ipc_conn_free(s->conn);
	s->conn = NULL;
}

static const struct ipc_conn_ops ops = {on_message, on_room, on_closed};

#define QUEUE_MAX 300000

static int setup(void **state)
{
	static struct side s;
	int p[2];

	memset(&s, 0, sizeof s);
	assert_int_equal(ev_loop_new(&s.loop), 0);
	pair(p, SOCK_NONBLOCK);
	s.peer = p[1];
	assert_int_equal(
		ipc_conn_new(s.loop, p[0], QUEUE_MAX, &ops, &s, &s.conn), 0);
	*state = &s;
	return 0;
}

static int teardown(void **state)
{
	struct side *s = *state;

	ipc_conn_free(s->conn);
	if (s->peer >= 0)
		close(s->peer);
	ev_loop_free(s->loop);
	return 0;
}

/* Sends until the queue refuses; the number accepted. */
static unsigned fill(struct side *s, const char *body, size_t len)
{
	unsigned n = 0;

	while (ipc_conn_send(s->conn, 1, 0, (int32_t)n, body, len) == 0) {
		n++;
		assert_true(n < 10000);
	}
	return n;
}

static void silent_reader_costs_the_queue_only(void **state)
{
	static char body[8000];
	struct side *s = *state;
	unsigned n = fill(s, body, sizeof body);

	assert_true(n > QUEUE_MAX / 9000);
	assert_true(ipc_conn_queued(s->conn) <= QUEUE_MAX);
	assert_int_equal(ipc_conn_send(s->conn, 1, 0, 0, body, sizeof body),
			 -ENOBUFS);
	ev_loop_turn(s->loop);
	assert_int_equal(s->rooms, 0);
	assert_int_equal(s->closes, 0);
}

static void queue_drains_in_order_and_tells_room(void **state)
{
	static char body[8000];
	struct side *s = *state;
	unsigned n = fill(s, body, sizeof body), got = 0;
	struct ipc_msg m;

	for (int turn = 0; turn < 1000 && got < n; turn++) {
		while (ipc_recv(s->peer, &m) == 1) {
			assert_int_equal(m.value, got);
			assert_int_equal(m.len, sizeof body);
			got++;
		}
		ev_loop_turn(s->loop);
	}
	assert_int_equal(got, n);
	assert_int_equal(ipc_conn_queued(s->conn), 0);
	assert_true(s->rooms >= 1);
}

static void end_is_told_once(void **state)
{
	struct side *s = *state;

	close(s->peer);
	s->peer = -1;
	for (int i = 0; i < 3; i++)
		ev_loop_turn(s->loop);
	assert_int_equal(s->closes, 1);
	assert_int_equal(s->error, 0);
}

static void broken_pipe_is_told_from_the_loop(void **state)
{
	struct side *s = *state;

	close(s->peer);
	s->peer = -1;
	assert_int_equal(ipc_conn_send(s->conn, 1, 0, 0, "x", 1), -EPIPE);
	assert_int_equal(s->closes, 0);
	assert_int_equal(ipc_conn_send(s->conn, 1, 0, 0, "x", 1), -EPIPE);
	ev_loop_turn(s->loop);
	assert_int_equal(s->closes, 1);
}

static void rubbish_ends_the_connection(void **state)
{
	struct side *s = *state;

	send_raw(s->peer, 2, 0);
	ev_loop_turn(s->loop);
	assert_int_equal(s->closes, 1);
	assert_int_equal(s->error, -EPROTO);
}

static void conn_may_be_freed_in_any_callback(void **state)
{
	static char body[8000];
	struct side *s = *state;
	struct ipc_msg m;

	s->free_on_room = true;
	fill(s, body, sizeof body);
	for (int i = 0; i < 1000 && s->conn; i++) {
		while (ipc_recv(s->peer, &m) == 1)
			;
		ev_loop_turn(s->loop);
	}
	assert_null(s->conn);
	assert_int_equal(s->rooms, 1);
	assert_int_equal(s->closes, 0);
}

static void freed_in_message_hears_no_more(void **state)
{
	struct side *s = *state;

	s->free_on_message = true;
	for (int i = 0; i < 3; i++)
		assert_int_equal(ipc_send(s->peer, 1, 0, 0, "x", 1, NULL, 0),
				 0);
	ev_loop_turn(s->loop);
	ev_loop_turn(s->loop);
	assert_int_equal(s->messages, 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(message_keeps_everything),
	cmocka_unit_test(last_words_come_before_the_reset),
	cmocka_unit_test(largest_body_passes_one_more_does_not),
	cmocka_unit_test(descriptors_arrive_and_are_closed_unless_taken),
	cmocka_unit_test(bad_records_are_refused_without_a_leak),
	cmocka_unit_test(peer_is_who_the_kernel_says),
	cmocka_unit_test(listen_replaces_a_dead_socket_only),
	cmocka_unit_test(listen_leaves_other_files_alone),
	cmocka_unit_test(too_long_a_path_is_refused),
	cmocka_unit_test_setup_teardown(silent_reader_costs_the_queue_only,
					setup, teardown),
	cmocka_unit_test_setup_teardown(queue_drains_in_order_and_tells_room,
					setup, teardown),
	cmocka_unit_test_setup_teardown(end_is_told_once, setup, teardown),
	cmocka_unit_test_setup_teardown(broken_pipe_is_told_from_the_loop,
					setup, teardown),
	cmocka_unit_test_setup_teardown(rubbish_ends_the_connection, setup,
					teardown),
	cmocka_unit_test_setup_teardown(conn_may_be_freed_in_any_callback,
					setup, teardown),
	cmocka_unit_test_setup_teardown(freed_in_message_hears_no_more, setup,
					teardown),
};

UNIT_MAIN(tests)
