/*
 * test_attls: what programs ask of a diverter about their connections, and
 * want done to them (client/attls.h), with the test in the place of tlsd.
 */
#include "apitest.h"
#include "diverter.h"

#include "client/attls.h"
#include "client/couplet.h"
#include "client/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAITS_MAX 4096 /* API_ATTLS_WAITS_MAX */

struct asked {
	int c, s, l;            /* the program, its peer, the peer's listener */
	int fds[DIVERT_FDS];    /* the diverter's */
	struct divert_msg sock; /* SOCKET */
};

static void open_asked(struct asked *q, const struct fixture *f)
{
	struct sockaddr_in wire, clear = loopback(free_port());

	q->l = listener(4, &wire);
	begin(f);
	add_rule(0, ntohs(clear.sin_port), ntohs(wire.sin_port));
	commit();
	q->c = connect_later(&clear);
	q->sock = hear(DIVERT_SOCKET, q->fds);
	(void)hear(DIVERT_CONNECTED, NULL);
	q->s = couplet_accept(q->l, NULL, NULL);
	assert_true(q->s >= 0);
	say(DIVERT_OPENED, q->sock.serial, 0);
	take_padding(q->fds[0], q->sock.sock.skip);
	assert_true(wait_for(q->c, POLLOUT) & POLLOUT);
	assert_int_equal(fcntl(q->c, F_SETFL, 0), 0);
}

static void close_asked(const struct asked *q)
{
	close(q->c);
	close(q->s);
	close(q->l);
	for (int i = 0; i < DIVERT_FDS; i++)
		close(q->fds[i]);
	close(door);
}

/* The call is made by another process: the diverter is this one. */
static pid_t control_later(const struct asked *q, enum attls_request what)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(couplet_attls_control(q->c, what) < 0 ? errno : 0);
	return pid;
}

static int came_to(pid_t pid)
{
	int st;

	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_true(WIFEXITED(st));
	return WEXITSTATUS(st);
}

static void tell_state(const struct asked *q, enum attls_state state, int error)
{
	struct divert_msg m = {.op = DIVERT_ABOUT, .serial = q->sock.serial};

	m.attls.policy = ATTLS_POLICY_CONTROLLED;
	m.attls.state = (uint8_t)state;
	m.attls.error = error;
	if (error)
		snprintf(m.attls.reason, sizeof(m.attls.reason), "because");
	assert_int_equal(divert_send(door, &m, NULL, 0), 0);
}

static void answer(const struct divert_msg *to, uint32_t token, int error,
		   uint32_t len, int fd)
{
	struct divert_msg m = {
		.op = DIVERT_ANSWER, .serial = to->serial, .error = error};

	m.control = to->control;
	m.control.token = token;
	m.control.len = len;
	assert_int_equal(divert_send(door, &m, &fd, fd >= 0), 0);
}

static void test_start_waits_for_its_end(void **state)
{
	int fds[DIVERT_FDS], unread = 0;
	struct divert_msg m;
	struct asked q;
	pid_t pid;

	open_asked(&q, *state);
	assert_int_equal(write(q.fds[0], "unread", 6), 6);
	tell_state(&q, ATTLS_STATE_CLEAR, 0);
	pid = control_later(&q, ATTLS_START);
	m = hear(DIVERT_CONTROL, fds);
	assert_int_equal(m.serial, q.sock.serial);
	assert_int_equal(m.control.what, ATTLS_START);
	/* the program's own end, with what it has not read */
	assert_int_equal(ioctl(fds[0], FIONREAD, &unread), 0);
	assert_int_equal(unread, 6);
	close(fds[0]);
	/* an answer to something else is none */
	answer(&m, m.control.token + 1, EPERM, 0, -1);
	tell_state(&q, ATTLS_STATE_HANDSHAKE, 0);
	answer(&m, m.control.token, EINPROGRESS, 0, -1);
	tell_state(&q, ATTLS_STATE_SECURE, 0);
	assert_int_equal(came_to(pid), 0);
	close_asked(&q);
}

static void test_what_cannot_be_done_says_why(void **state)
{
	static const int errors[] = {EPERM, EALREADY, EBADFD, ENOBUFS};
	struct divert_msg m;
	struct asked q;

	open_asked(&q, *state);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		pid_t pid = control_later(&q, ATTLS_STOP);

		m = hear(DIVERT_CONTROL, NULL);
		answer(&m, m.control.token, errors[i], 0, -1);
		assert_int_equal(came_to(pid), errors[i]);
	}
	assert_int_equal(couplet_attls_control(q.c, (enum attls_request)99),
			 -1);
	assert_int_equal(errno, EINVAL);
	close_asked(&q);
}

static void test_a_failure_is_told_behind_the_end(void **state)
{
	struct attls_info info;
	struct divert_msg m;
	struct asked q;
	pid_t pid;

	open_asked(&q, *state);
	pid = control_later(&q, ATTLS_START);
	m = hear(DIVERT_CONTROL, NULL);
	tell_state(&q, ATTLS_STATE_HANDSHAKE, 0);
	answer(&m, m.control.token, EINPROGRESS, 0, -1);
	tell_state(&q, ATTLS_STATE_FAILED, ETIMEDOUT);
	say(DIVERT_RESET, q.sock.serial, 0);
	assert_int_equal(came_to(pid), ETIMEDOUT);
	expect_error(q.s, ECONNRESET);
	assert_int_equal(couplet_attls_query(q.c, &info), 0);
	assert_int_equal(info.state, ATTLS_STATE_FAILED);
	assert_int_equal(info.error, ETIMEDOUT);
	assert_string_equal(info.reason, "because");
	assert_int_equal(couplet_attls_control(q.c, ATTLS_WAIT), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_int_equal(couplet_attls_control(q.c, ATTLS_START), -1);
	assert_int_equal(errno, ENOTCONN);
	close_asked(&q);
}

/* The connection breaks, or the diverter dies, between request and answer, or
 * behind it. */
static void test_what_breaks_ends_the_wait(void **state)
{
	for (int how = 0; how < 3; how++) {
		struct attls_info info;
		struct divert_msg m;
		struct asked q;
		pid_t pid;

		open_asked(&q, *state);
		pid = control_later(&q, ATTLS_START);
		m = hear(DIVERT_CONTROL, NULL);
		tell_state(&q, ATTLS_STATE_HANDSHAKE, 0);
		if (how > 0)
			answer(&m, m.control.token, EINPROGRESS, 0, -1);
		if (how < 2)
			say(DIVERT_RESET, q.sock.serial, 0);
		else
			shutdown(door, SHUT_RDWR);
		assert_int_equal(came_to(pid), how ? ECONNRESET : ENOTCONN);
		assert_int_equal(couplet_attls_query(q.c, &info), 0);
		assert_int_equal(info.state, ATTLS_STATE_FAILED);
		assert_int_equal(info.error, ECONNRESET);
		close_asked(&q);
	}
}

static void test_certificates_come_in_a_descriptor(void **state)
{
	static const struct {
		uint32_t len; /* said */
		int error;
	} bad[] = {{9, EPROTO}, {ATTLS_CHAIN_MAX + 1, EPROTO}};
	uint8_t der[ATTLS_CERT_MAX];
	socklen_t len = sizeof(der);
	struct divert_msg m = {.op = DIVERT_ABOUT};
	struct asked q;
	int fd = memfd_create("der", 0);

	assert_int_equal(write(fd, "12345678", 8), 8);
	open_asked(&q, *state);
	m.serial = q.sock.serial;
	m.attls.state = ATTLS_STATE_SECURE;
	m.attls.cert_len = 8;
	assert_int_equal(divert_send(door, &m, NULL, 0), 0);
	len = 7;
	assert_int_equal(couplet_attls_cert(q.c, der, &len), -1);
	assert_int_equal(errno, ERANGE);
	for (size_t i = 0; i < 1 + ARRAY_SIZE(bad); i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			len = sizeof(der);
			if (couplet_attls_cert(q.c, der, &len) < 0)
				_exit(errno);
			_exit(len != 8 || memcmp(der, "12345678", 8) != 0);
		}
		m = hear(DIVERT_CONTROL, NULL);
		assert_int_equal(m.control.what, DIVERT_ASK_CERT);
		answer(&m, m.control.token, 0, i ? bad[i - 1].len : 8, fd);
		assert_int_equal(came_to(pid), i ? bad[i - 1].error : 0);
	}
	close(fd);
	close_asked(&q);
}

/* One who asks and asks, and reads no answer, fills what there is for those
 * who wait; the next is refused at once, and others are served. */
static void test_too_many_wait(void **state)
{
	const struct fixture *f = *state;
	struct proto_req rq = {.magic = PROTO_MAGIC,
			       .op = PROTO_ATTLS,
			       .name = ATTLS_CONTROL,
			       .value = ATTLS_WAIT};
	struct iovec io = {&rq, PROTO_REQ_MIN};
	struct sockaddr_un u = {.sun_family = AF_UNIX};
	int ctl = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct attls_info info;
	struct proto_rep rep;
	struct asked q;

	open_asked(&q, f);
	tell_state(&q, ATTLS_STATE_HANDSHAKE, 0);
	snprintf(u.sun_path, sizeof(u.sun_path), "%s/00/control", f->dir);
	assert_int_equal(connect(ctl, SA(&u), sizeof(u)), 0);
	for (int i = 0; i < WAITS_MAX + 1; i++)
		assert_int_equal(ctl_send_fd(ctl, &io, 1, q.c, 0),
				 PROTO_REQ_MIN);
	assert_true(wait_for(ctl, POLLIN) & POLLIN);
	assert_int_equal(recv(ctl, &rep, sizeof(rep), 0), sizeof(rep));
	assert_int_equal(rep.error, -EAGAIN);
	assert_int_equal(couplet_attls_query(q.c, &info), 0);
	assert_int_equal(info.state, ATTLS_STATE_HANDSHAKE);
	/* more answers than it has room for */
	tell_state(&q, ATTLS_STATE_SECURE, 0);
	assert_int_equal(couplet_attls_control(q.c, ATTLS_WAIT), 0);
	close(ctl);
	close_asked(&q);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_too_many_wait, start, stop),
	cmocka_unit_test_setup_teardown(test_start_waits_for_its_end, start,
					stop),
	cmocka_unit_test_setup_teardown(test_what_cannot_be_done_says_why,
					start, stop),
	cmocka_unit_test_setup_teardown(test_a_failure_is_told_behind_the_end,
					start, stop),
	cmocka_unit_test_setup_teardown(test_what_breaks_ends_the_wait, start,
					stop),
	cmocka_unit_test_setup_teardown(test_certificates_come_in_a_descriptor,
					start, stop),
};

UNIT_MAIN(tests)
