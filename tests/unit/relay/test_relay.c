/*
 * test_relay.c: what passes a relay unchanged, what it costs, how it ends. The
 * far ends are real sockets, TCP over the loopback and AF_UNIX.
 */
#include "relay/set.h"
#include "relay_box.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BULK (12u << 20)

static bool kinds[] = {false, true}; /* TCP, AF_UNIX */

/* ---- the far ends ----------------------------------------------------------
 */

static ssize_t far_read(const struct relay_box *b, int i, char *buf, size_t len)
{
	ssize_t n = recv(b->far[i], buf, len, MSG_DONTWAIT);

	return n < 0 ? -errno : n;
}

static ssize_t got_far[2];
static char got_bytes[2][4096];

static bool far_hears(struct relay_box *b, int i)
{
	got_far[i] = far_read(b, i, got_bytes[i], sizeof got_bytes[i]);
	return got_far[i] != -EAGAIN;
}

static bool far0_hears(struct relay_box *b)
{
	return far_hears(b, 0);
}

static bool far1_hears(struct relay_box *b)
{
	return far_hears(b, 1);
}

/* What far end i says arrives at the other. */
static void say(struct relay_box *b, int i, const char *text)
{
	assert_int_equal(send(b->far[i], text, strlen(text), 0), strlen(text));
	assert_true(relay_box_until(b, i ? far0_hears : far1_hears));
	assert_int_equal(got_far[!i], strlen(text));
	assert_memory_equal(got_bytes[!i], text, strlen(text));
}

/* ---- cases ------------------------------------------------------------------
 */

static void bytes_pass_both_ways(void **state)
{
	struct relay_box b;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		relay_box_open(&b, kinds[k]);
		say(&b, 0, "hello");
		say(&b, 1, "world!");
		say(&b, 0, "again");
		assert_int_equal(b.relay.dir[0].bytes, 10);
		assert_int_equal(b.relay.dir[1].bytes, 6);
		relay_box_close(&b);
	}
}

static void half_close_passes(void **state)
{
	struct relay_box b;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		relay_box_open(&b, kinds[k]);
		say(&b, 0, "request");
		assert_int_equal(shutdown(b.far[0], SHUT_WR), 0);
		assert_true(relay_box_until(&b, far1_hears));
		assert_int_equal(got_far[1], 0);
		say(&b, 1, "the answer comes after the end of the request");
		assert_false(b.done);
		assert_int_equal(shutdown(b.far[1], SHUT_WR), 0);
		assert_true(relay_box_until(&b, relay_box_is_done));
		assert_int_equal(b.cause, RELAY_CAUSE_FIN);
		assert_int_equal(far_read(&b, 0, got_bytes[0], 10), 0);
		relay_box_close(&b);
	}
}

/* A close with bytes behind it: they come before the end. */
static void last_bytes_come_before_the_end(void **state)
{
	struct relay_box b;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		relay_box_open(&b, kinds[k]);
		assert_int_equal(send(b.far[1], "bye", 3, 0), 3);
		assert_int_equal(shutdown(b.far[1], SHUT_WR), 0);
		assert_true(relay_box_until(&b, far0_hears));
		assert_int_equal(got_far[0], 3);
		assert_true(relay_box_until(&b, far0_hears));
		assert_int_equal(got_far[0], 0);
		relay_box_close(&b);
	}
}

static void reset_far(struct relay_box *b, int i)
{
	const struct linger now = {.l_onoff = 1};

	setsockopt(b->far[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(b->far[i]);
	b->far[i] = -1;
}

static void a_reset_is_a_reset_on_the_other_side(void **state)
{
	struct relay_box b;

	(void)state;
	for (int i = 0; i < 2; i++) {
		relay_box_open(&b, false);
		say(&b, i, "x");
		reset_far(&b, i);
		assert_true(relay_box_until(&b, relay_box_is_done));
		assert_int_equal(b.cause, RELAY_CAUSE_RESET);
		assert_int_equal(b.side, i);
		assert_int_equal(b.error, -ECONNRESET);
		assert_true(relay_box_until(&b, i ? far0_hears : far1_hears));
		assert_int_equal(got_far[!i], -ECONNRESET);
		relay_box_close(&b);
	}
}

/* Also from one that has sent its FIN: nobody reads from it any more. */
static void a_reset_after_half_close_is_seen(void **state)
{
	struct relay_box b;

	(void)state;
	relay_box_open(&b, false);
	say(&b, 0, "x");
	assert_int_equal(shutdown(b.far[0], SHUT_WR), 0);
	assert_true(relay_box_until(&b, far1_hears));
	relay_box_settle(&b);
	reset_far(&b, 0);
	assert_true(relay_box_until(&b, relay_box_is_done));
	assert_int_equal(b.cause, RELAY_CAUSE_RESET);
	assert_int_equal(b.side, 0);
	relay_box_close(&b);
}

/* A server answers, and closes without having read everything. */
static void what_was_said_before_a_reset_arrives(void **state)
{
	static char big[1 << 20];
	struct relay_box b;
	int last = 0;

	(void)state;
	relay_box_open(&b, false);
	assert_true(send(b.far[0], big, sizeof big, MSG_DONTWAIT) > 0);
	relay_box_settle(&b); /* far end 1 does not read */
	assert_int_equal(send(b.far[1], "too big", 7, 0), 7);
	close(b.far[1]); /* with bytes unread: a reset */
	b.far[1] = -1;
	assert_true(relay_box_until(&b, far0_hears));
	assert_int_equal(got_far[0], 7);
	while (relay_box_until(&b, far0_hears) && got_far[0] > 0)
		last++;
	assert_int_equal(got_far[0], -ECONNRESET);
	assert_int_equal(last, 0);
	relay_box_close(&b);
}

/* ---- much -------------------------------------------------------------------
 */

static size_t put, taken;
static bool reading;

static char pattern(size_t at)
{
	return (char)(at * 7 + at / 251);
}

static bool bulk_moves(struct relay_box *b)
{
	static char buf[100000];
	ssize_t n = 1;

	while (put < BULK && n > 0) {
		size_t len = MIN(sizeof buf, BULK - put);

		for (size_t i = 0; i < len; i++)
			buf[i] = pattern(put + i);
		n = send(b->far[0], buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		put += n > 0 ? (size_t)n : 0;
	}
	n = reading;
	while (n > 0) {
		n = recv(b->far[1], buf, sizeof buf, MSG_DONTWAIT);
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(buf[i], pattern(taken + (size_t)i));
		taken += n > 0 ? (size_t)n : 0;
	}
	return taken == BULK || (!reading && b->turns_left-- == 0);
}

static void bulk_is_unchanged(void **state)
{
	struct relay_box b;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		put = taken = 0;
		reading = true;
		relay_box_open(&b, kinds[k]);
		assert_true(relay_box_until(&b, bulk_moves));
		assert_int_equal(b.relay.dir[0].bytes, BULK);
		relay_box_close(&b);
	}
}

/* Nobody reads: the writer is stopped, and what we hold stays bounded. Then
 * somebody does, and nothing is missing. */
static void a_slow_reader_stops_the_writer(void **state)
{
	struct relay_box b;
	size_t stopped;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		int small = 65536;

		put = taken = 0;
		reading = false;
		relay_box_open(&b, kinds[k]);
		for (int i = 0; i < 2; i++) {
			setsockopt(b.far[i], SOL_SOCKET, SO_RCVBUF, &small,
				   sizeof small);
			setsockopt(b.far[i], SOL_SOCKET, SO_SNDBUF, &small,
				   sizeof small);
			setsockopt(b.relay.end[i].watch.fd, SOL_SOCKET,
				   SO_SNDBUF, &small, sizeof small);
			setsockopt(b.relay.end[i].watch.fd, SOL_SOCKET,
				   SO_RCVBUF, &small, sizeof small);
		}
		do {
			stopped = put;
			b.turns_left = 100;
			relay_box_until(&b, bulk_moves);
		} while (put != stopped);
		assert_true(put < BULK);
		assert_in_range(b.held_most, 1, 1 << 20);
		reading = true;
		assert_true(relay_box_until(&b, bulk_moves));
		relay_box_close(&b);
	}
}

static void an_idle_relay_owns_nothing(void **state)
{
	struct relay_box b;

	(void)state;
	put = taken = 0;
	reading = true;
	relay_box_open(&b, false);
	assert_true(relay_box_until(&b, bulk_moves));
	relay_box_settle(&b);
	for (int i = 0; i < 2; i++) {
		assert_null(b.relay.dir[i].held);
		assert_int_equal(b.relay.dir[i].pipe, 0);
	}
	relay_box_close(&b);
}

/* ---- ends of other kinds
 * ------------------------------------------------------ */

/* Descriptors in the epoll set, as the kernel counts them. */
static unsigned in_set(const struct relay_set *s)
{
	char path[64], line[256];
	unsigned n = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", s->epfd);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		n += strncmp(line, "tfd:", 4) == 0;
	fclose(f);
	return n;
}

static void a_closed_descriptor_leaves_the_set(void **state)
{
	struct relay_box b;
	unsigned before;
	int copy;

	(void)state;
	relay_box_open(&b, false);
	before = in_set(b.set);
	/* as if it had been passed to us by somebody who keeps his */
	copy = dup(b.relay.end[0].watch.fd);
	relay_close_end(&b.relay, 0, false);
	assert_int_equal(in_set(b.set), before - 1);
	relay_watch_sole(&b.relay.end[1].watch);
	relay_close_end(&b.relay, 1, false);
	assert_int_equal(in_set(b.set), before - 2);
	close(copy);
	relay_box_close(&b);
}

static void sole_ends_with_the_descriptor(void **state)
{
	struct relay_box b;
	int fd[2];

	(void)state;
	relay_box_open(&b, true);
	relay_watch_sole(&b.relay.end[0].watch);
	relay_close_end(&b.relay, 0, false);
	relay_box_pair(true, fd);
	assert_int_equal(relay_watch_add(b.set, &b.relay.end[0].watch, fd[0]),
			 0);
	assert_false(b.relay.end[0].watch.sole);
	close(fd[1]);
	relay_box_close(&b);
}

static void idle_time_out_ends_it(void **state)
{
	struct relay_box b;

	(void)state;
	relay_box_open(&b, false);
	b.relay.idle_after = DUR_MS(60);
	relay_start(&b.relay); /* again, with the time-out */
	assert_true(relay_box_until(&b, relay_box_is_done));
	assert_int_equal(b.cause, RELAY_CAUSE_IDLE);
	assert_true(relay_box_until(&b, far0_hears));
	assert_int_equal(got_far[0], -ECONNRESET);
	relay_box_close(&b);
}

static void kill_resets_both(void **state)
{
	struct relay_box b;

	(void)state;
	relay_box_open(&b, false);
	say(&b, 0, "x");
	relay_kill(&b.relay);
	assert_true(b.done);
	assert_int_equal(b.cause, RELAY_CAUSE_KILLED);
	for (int i = 0; i < 2; i++) {
		assert_true(relay_box_until(&b, i ? far1_hears : far0_hears));
		assert_int_equal(got_far[i], -ECONNRESET);
	}
	relay_box_close(&b);
}

static void injected_bytes_come_first(void **state)
{
	struct relay_box b;

	(void)state;
	relay_box_open(&b, false);
	assert_int_equal(relay_inject(&b.relay, 0, "PROXY ", 6), 0);
	assert_int_equal(relay_inject(&b.relay, 0, "header ", 7), 0);
	assert_int_equal(relay_inject(&b.relay, 0, got_bytes[0], RELAY_CHUNK),
			 -EMSGSIZE);
	assert_true(relay_box_until(&b, far1_hears));
	assert_int_equal(got_far[1], 13);
	assert_memory_equal(got_bytes[1], "PROXY header ", 13);
	say(&b, 0, "then this");
	relay_box_close(&b);
}

/* Doubles every byte from end 0, refuses '!' from either. */
static ssize_t doubler(void *arg, int side, const char *in, size_t len,
		       char *out, size_t cap)
{
	size_t n = 0;

	(void)arg;
	if (memchr(in, '!', len))
		return -EPROTO;
	for (size_t i = 0; i < len; i++) {
		out[n++] = in[i];
		if (side == 0)
			out[n++] = in[i];
	}
	assert_true(n <= cap);
	return (ssize_t)n;
}

static void a_filter_changes_and_refuses(void **state)
{
	struct relay_box b;

	(void)state;
	relay_box_open(&b, false);
	b.relay.filter = doubler;
	assert_int_equal(send(b.far[0], "abc", 3, 0), 3);
	assert_true(relay_box_until(&b, far1_hears));
	assert_int_equal(got_far[1], 6);
	assert_memory_equal(got_bytes[1], "aabbcc", 6);
	say(&b, 1, "plain");
	assert_int_equal(send(b.far[1], "bad!", 4, 0), 4);
	assert_true(relay_box_until(&b, relay_box_is_done));
	assert_int_equal(b.cause, RELAY_CAUSE_FILTER);
	assert_int_equal(b.side, 1);
	assert_int_equal(b.error, -EPROTO);
	relay_box_close(&b);
}

static void paused_reads_nothing(void **state)
{
	struct relay_box b;

	(void)state;
	relay_box_open(&b, false);
	say(&b, 0, "x");
	relay_pause(&b.relay);
	assert_int_equal(send(b.far[0], "later", 5, 0), 5);
	relay_box_settle(&b);
	assert_int_equal(far_read(&b, 1, got_bytes[1], 10), -EAGAIN);
	relay_start(&b.relay);
	assert_true(relay_box_until(&b, far1_hears));
	assert_int_equal(got_far[1], 5);
	relay_box_close(&b);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(bytes_pass_both_ways),
	cmocka_unit_test(half_close_passes),
	cmocka_unit_test(last_bytes_come_before_the_end),
	cmocka_unit_test(a_reset_is_a_reset_on_the_other_side),
	cmocka_unit_test(a_reset_after_half_close_is_seen),
	cmocka_unit_test(what_was_said_before_a_reset_arrives),
	cmocka_unit_test(bulk_is_unchanged),
	cmocka_unit_test(a_slow_reader_stops_the_writer),
	cmocka_unit_test(an_idle_relay_owns_nothing),
	cmocka_unit_test(a_closed_descriptor_leaves_the_set),
	cmocka_unit_test(sole_ends_with_the_descriptor),
	cmocka_unit_test(idle_time_out_ends_it),
	cmocka_unit_test(kill_resets_both),
	cmocka_unit_test(injected_bytes_come_first),
	cmocka_unit_test(a_filter_changes_and_refuses),
	cmocka_unit_test(paused_reads_nothing),
};

UNIT_MAIN(tests)
