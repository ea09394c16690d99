/* A wire that becomes TLS in the middle: what was said in clear, bytes that
 * came too early, back pressure both ways, the size of records, and each way
 * that it ends. Between the two wires the test carries the bytes and reads the
 * heads of records. */
#include "session/wire.h"

#include "fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAM (1u << 20)
#define RECORD_MORE 256u /* what sealing may add to a record */
#define TURNS 200000

struct owner {
	struct wire *w;
	struct tls_policy *policy;
	const char *peer;
	size_t sent, got;
	uint32_t seed; /* of what it takes at once */
	size_t clear;  /* bytes to hear before TLS begins */
	bool secured, closed, mad, paused;
	int error;
	char why[WIRE_TEXT_MAX];
	int mid; /* the test's end of its socket */
};

struct ground {
	struct fix *fix;
	struct ev_loop *loop;
	struct owner end[2]; /* server, client */
	/* of what the server sends: where in a record, the longest */
	uint8_t head[5];
	size_t head_len, left, longest, records;
	bool parse;
};

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 13);
}

/* ---- the owner of a wire
 * --------------------------------------------------------- */

static size_t on_input(void *arg, const void *data, size_t len)
{
	struct owner *e = arg;
	const uint8_t *p = data;
	size_t n = len;

	if (e->clear && !e->secured) {
		n = MIN(len, e->clear);
		e->clear -= n;
		if (!e->clear)
			assert_int_equal(
				wire_start_tls(e->w, e->policy, e->peer), 0);
		return n;
	}
	assert_true(e->secured);
	e->seed = e->seed * 1664525u + 1013904223u;
	if (e->seed >> 30 == 0 && len > 1)
		n = len / 2; /* the rest later */
	for (size_t i = 0; i < n; i++)
		e->mad |= p[i] != byte_at(e->got + i);
	e->got += n;
	e->paused = n < len;
	return n;
}

static void write_more(struct owner *e)
{
	uint8_t buf[9000];
	size_t n = MIN(sizeof buf, STREAM - e->sent);

	if (!n)
		return;
	for (size_t i = 0; i < n; i++)
		buf[i] = byte_at(e->sent + i);
	assert_int_equal(wire_write(e->w, buf, n), 0);
	e->sent += n;
	wire_want(e->w);
}

static void on_room(void *arg)
{
	write_more(arg);
}

static void on_closed(void *arg, int error)
{
	struct owner *e = arg;

	e->closed = true;
	e->error = error;
	snprintf(e->why, sizeof e->why, "%s",
		 error ? wire_why(e->w, error) : "");
	wire_free(e->w);
	e->w = NULL;
}

static void on_secured(void *arg)
{
	struct owner *e = arg;

	e->secured = true;
}

static const struct wire_ops ops = {on_input, on_room, on_closed, on_secured};

/* ---- between them
 * ---------------------------------------------------------------- */

static void look(struct ground *g, const uint8_t *p, size_t n)
{
	for (; g->parse && n; p++, n--) {
		if (g->left) {
			size_t skip = MIN(n, g->left);

			g->left -= skip;
			p += skip - 1;
			n -= skip - 1;
			continue;
		}
		g->head[g->head_len++] = *p;
		if (g->head_len < sizeof g->head)
			continue;
		g->head_len = 0;
		g->left = (size_t)g->head[3] << 8 | g->head[4];
		g->longest = MAX(g->longest, g->left);
		g->records++;
	}
}

/* Bytes from one end to the other, at most `cap`; false: none. */
static bool carry(struct ground *g, int from, size_t cap)
{
	uint8_t buf[4000];
	int to = g->end[!from].mid;
	ssize_t n = recv(g->end[from].mid, buf, MIN(cap, sizeof buf),
			 MSG_DONTWAIT | MSG_PEEK);

	if (n == 0 && to >= 0)
		shutdown(to, SHUT_WR);
	if (n <= 0)
		return false;
	n = send(to, buf, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n <= 0)
		return false;
	if (from == 0)
		look(g, buf, (size_t)n);
	assert_int_equal(recv(g->end[from].mid, buf, (size_t)n, 0), n);
	return true;
}

static bool both_secured(const struct ground *g)
{
	return g->end[0].secured && g->end[1].secured;
}

static bool all_there(const struct ground *g)
{
	return g->end[0].got == STREAM && g->end[1].got == STREAM;
}

static bool both_closed(const struct ground *g)
{
	return g->end[0].closed && g->end[1].closed;
}

static bool until(struct ground *g, bool (*fn)(const struct ground *g))
{
	for (unsigned i = 0; i < TURNS && !fn(g); i++) {
		ev_loop_turn(g->loop);
		(void)carry(g, 0, 700 + i % 3000);
		(void)carry(g, 1, 1 + i % 3000);
		for (int k = 0; k < 2; k++) {
			struct owner *e = &g->end[k];

			if (e->paused && e->w && i % 3 == 0) {
				e->paused = false;
				wire_resume(e->w);
			}
		}
	}
	return fn(g);
}

static void open_end(struct ground *g, int i)
{
	struct owner *e = &g->end[i];
	const int small = 8192;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX,
				    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
				    0, fd),
			 0);
	(void)setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	e->seed = 77u + (unsigned)i;
	e->mid = fd[1];
	assert_int_equal(wire_new(g->loop, fd[0], &ops, e, &e->w), 0);
}

static int setup(void **state)
{
	struct ground *g = calloc(1, sizeof *g);
	struct tls_policy_spec cs, ss;
	void *fix;

	assert_non_null(g);
	assert_int_equal(fix_setup(&fix), 0);
	g->fix = fix;
	cs = fix_client(g->fix);
	ss = fix_server(g->fix, "EC");
	assert_int_equal(tls_policy_new(&ss, &g->end[0].policy, g->fix->why),
			 0);
	assert_int_equal(tls_policy_new(&cs, &g->end[1].policy, g->fix->why),
			 0);
	fix_forget(g->fix, &ss);
	g->end[1].peer = "server.test";
	assert_int_equal(ev_loop_new(&g->loop), 0);
	open_end(g, 0);
	open_end(g, 1);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct ground *g = *state;

	for (int i = 0; i < 2; i++) {
		wire_free(g->end[i].w);
		tls_policy_unref(g->end[i].policy);
		close(g->end[i].mid);
	}
	ev_loop_free(g->loop);
	*state = g->fix;
	(void)fix_teardown(state);
	free(g);
	return 0;
}

/* "hi" each way in clear, then TLS. */
static void upgrade(struct ground *g)
{
	for (int i = 0; i < 2; i++)
		g->end[i].clear = 2;
	assert_int_equal(wire_write(g->end[0].w, "hi", 2), 0);
	assert_true(carry(g, 0, 2)); /* the record parser begins behind it */
	g->parse = true;
	/* the client hears that, begins, and its "hi" and ClientHello reach
	 * the server in one piece */
	assert_int_equal(wire_write(g->end[1].w, "hi", 2), 0);
	while (!wire_shaking(g->end[1].w))
		ev_loop_turn(g->loop);
	for (int i = 0; i < 10; i++)
		ev_loop_turn(g->loop);
	assert_true(carry(g, 1, 4000));
}

/* ---- cases
 * ----------------------------------------------------------------------- */

static void test_clear_then_tls_both_ways(void **state)
{
	struct ground *g = *state;
	char text[WIRE_TEXT_MAX];

	assert_string_equal(wire_tls_text(g->end[0].w, text), "");
	upgrade(g);
	assert_true(until(g, both_secured));
	assert_memory_equal(wire_tls_text(g->end[0].w, text), "TLS 1.3 ", 8);
	write_more(&g->end[0]);
	write_more(&g->end[1]);
	assert_true(until(g, all_there));
	assert_false(g->end[0].mad || g->end[1].mad);
	assert_int_equal(wire_queued(g->end[0].w), 0);
	assert_true(g->records > STREAM / WIRE_TLS_RECORD);
	assert_true(g->longest > WIRE_TLS_RECORD);
	assert_true(g->longest <= WIRE_TLS_RECORD + RECORD_MORE);
}

static void test_an_end_in_order(void **state)
{
	struct ground *g = *state;

	upgrade(g);
	assert_true(until(g, both_secured));
	assert_int_equal(wire_write(g->end[0].w, "", 0), 0);
	wire_shut(g->end[0].w);
	wire_shut(g->end[1].w);
	assert_true(until(g, both_closed));
	assert_int_equal(g->end[0].error, 0);
	assert_int_equal(g->end[1].error, 0);
}

static void test_an_end_without_a_word(void **state)
{
	struct ground *g = *state;

	upgrade(g);
	assert_true(until(g, both_secured));
	wire_free(g->end[0].w);
	g->end[0].w = NULL;
	g->end[0].closed = true;
	assert_true(until(g, both_closed));
	assert_int_equal(g->end[1].error, ECONNRESET);
	assert_memory_equal(g->end[1].why, "TLS: ", 5);
}

static void test_another_name(void **state)
{
	struct ground *g = *state;

	g->end[1].peer = "elsewhere.test";
	upgrade(g);
	assert_true(until(g, both_closed));
	assert_int_equal(g->end[1].error, EACCES);
	assert_memory_equal(g->end[1].why, "TLS: ", 5);
	assert_true(g->end[0].error != 0);
	assert_false(g->end[0].secured || g->end[1].secured);
}

static void test_writing_too_early(void **state)
{
	struct ground *g = *state;

	upgrade(g);
	assert_true(wire_shaking(g->end[1].w));
	assert_int_equal(wire_write(g->end[1].w, "x", 1), -EBUSY);
	assert_true(until(g, both_secured));
	assert_false(wire_shaking(g->end[1].w));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_clear_then_tls_both_ways, setup,
					teardown),
	cmocka_unit_test_setup_teardown(test_an_end_in_order, setup, teardown),
	cmocka_unit_test_setup_teardown(test_an_end_without_a_word, setup,
					teardown),
	cmocka_unit_test_setup_teardown(test_another_name, setup, teardown),
	cmocka_unit_test_setup_teardown(test_writing_too_early, setup,
					teardown),
};

UNIT_MAIN(tests)
