/*
 * Policies, idents, trust, tickets, caches and the key process are shared by
 * threads; sessions move between them. Run under ThreadSanitizer too (preset
 * tsan).
 */
#include "fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#if defined(__SANITIZE_THREAD__)
/* libcrypto counts references with atomics that it has inlined: the sanitizer
 * does not see them and takes the last free for a race. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "called_from_lib:libcrypto.so.3\n";
}
#endif

enum { THREADS = 4, ROUNDS = 6 };

struct crowd {
	struct fix *f;
	struct tls_policy *cp, *sp;
	struct two left[THREADS]; /* handed over to the main thread */
	atomic_int good;
};

struct member {
	struct crowd *crowd;
	unsigned i;
	pthread_t thread;
};

static void *shake(void *arg)
{
	struct member *m = arg;
	struct crowd *c = m->crowd;
	char why[TLS_WHY_MAX], buf[8];

	for (int i = 0; i < ROUNDS; i++) {
		struct two t = {.pipe = pipe_new(),
				.cp = tls_policy_ref(c->cp),
				.sp = tls_policy_ref(c->sp)};

		if (tls_session_new(t.cp, "server.test", &pipe_io,
				    &t.pipe->client, &t.c) < 0 ||
		    tls_session_new(t.sp, NULL, &pipe_io, &t.pipe->server,
				    &t.s) < 0)
			return NULL;
		pipe_handshake(t.c, t.s, &t.rc, &t.rs);
		if (t.rc == 0 && t.rs == 0 &&
		    tls_session_write(t.s, "x", 1) == 1 &&
		    tls_session_read(t.c, buf, sizeof buf) == 1)
			atomic_fetch_add(&c->good, 1);
		/* what a reload does meanwhile */
		(void)!tls_ident_staple(c->f->ident[0], NULL, 0, why);
		if (i == ROUNDS - 1)
			c->left[m->i] = t;
		else
			two_close(&t);
	}
	return NULL;
}

static void many_threads_shake_hands(void **state)
{
	struct fix *f = *state;
	struct tls_policy_spec cs = fix_client(f), ss = fix_server(f, "EC");
	struct member m[THREADS];
	struct crowd c = {.f = f};
	char buf[8];

	assert_int_equal(tls_tickets_new(NULL, &ss.tickets), 0);
	assert_int_equal(tls_cache_new(8, &cs.cache), 0);
	assert_int_equal(tls_policy_new(&cs, &c.cp, f->why), 0);
	assert_int_equal(tls_policy_new(&ss, &c.sp, f->why), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		m[i] = (struct member){.crowd = &c, .i = i};
		assert_int_equal(
			pthread_create(&m[i].thread, NULL, shake, &m[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(m[i].thread, NULL);
	assert_int_equal(atomic_load(&c.good), THREADS * ROUNDS);
	/* the sessions they left go on here */
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(tls_session_write(c.left[i].c, "y", 1), 1);
		assert_int_equal(tls_session_read(c.left[i].s, buf, 8), 1);
		two_close(&c.left[i]);
	}
	tls_policy_unref(c.cp);
	tls_policy_unref(c.sp);
	tls_tickets_unref(ss.tickets);
	tls_cache_unref(cs.cache);
	fix_forget(f, &ss);
}

/* The key process dies: who is there stays, who comes gets a clear error. */
static void the_key_process_dies(void **state)
{
	struct fix *f = *state;
	struct tls_policy_spec cs = fix_client(f), ss = fix_server(f, "EC");
	struct tls_error e;
	struct two old, late;
	char buf[8];

	two_open(&old, &cs, &ss, "server.test");
	assert_int_equal(old.rc, 0);
	keys_stop(f->keys);
	f->keys = NULL;
	two_again(&late, old.cp, old.sp, "server.test");
	assert_true(late.rs < 0);
	tls_session_error(late.s, &e);
	assert_int_equal(e.kind, TLS_ERR_KEY);
	assert_int_equal(e.alert, 80);
	tls_session_error(late.c, &e);
	assert_true(e.alert_received);
	two_close(&late);
	assert_int_equal(tls_session_write(old.c, "y", 1), 1);
	assert_int_equal(tls_session_read(old.s, buf, 8), 1);
	two_close(&old);
	fix_forget(f, &ss);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(many_threads_shake_hands, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(the_key_process_dies, fix_setup,
					fix_teardown),
};

UNIT_MAIN(tests)
