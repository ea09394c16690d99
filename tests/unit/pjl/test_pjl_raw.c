/* Port 9100: each way a printer does not take a job told apart, and each
 * proof that it did. */
#include "pjl/raw.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

static struct raw_conf conf;
static struct raw r;
static struct raw_event ev;
static mono_t now;

static int setup(void **state UNUSED)
{
	conf = (struct raw_conf){.connect = DUR_S(5),
				 .stall = DUR_S(10),
				 .give_up = DUR_S(100),
				 .drain = DUR_S(20)};
	now = (mono_t){1000};
	return 0;
}

static void connected(void)
{
	raw_init(&r, &conf, "J 7", now);
	raw_connected(&r, 0, &ev, now);
	assert_int_equal(ev.kind, RAW_EV_NONE);
	assert_int_equal(r.state, RAW_SEND);
}

static void expire_at_deadline(void)
{
	now = raw_deadline(&r);
	raw_expire(&r, now, &ev);
}

static void three_diagnoses(void **state UNUSED)
{
	static const struct {
		int err;
		enum raw_failure f;
	} t[] = {{ECONNREFUSED, RAW_REFUSED},
		 {EHOSTUNREACH, RAW_NO_ROUTE},
		 {ENETUNREACH, RAW_NO_ROUTE},
		 {ETIMEDOUT, RAW_NO_ROUTE},
		 {EACCES, RAW_ERROR}};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		raw_init(&r, &conf, "J", now);
		raw_connected(&r, t[i].err, &ev, now);
		assert_int_equal(ev.kind, RAW_EV_FAILED);
		assert_int_equal(ev.failure, t[i].f);
		assert_false(raw_maybe_printed(&r));
		assert_true(mono_is_never(raw_deadline(&r)));
	}
	raw_init(&r, &conf, "J", now);
	expire_at_deadline();
	assert_int_equal(ev.failure, RAW_NO_ROUTE);
	/* accepted, but takes nothing: told once, then given up */
	connected();
	expire_at_deadline();
	assert_int_equal(ev.kind, RAW_EV_STALLED);
	expire_at_deadline();
	assert_int_equal(ev.kind, RAW_EV_FAILED);
	assert_int_equal(ev.failure, RAW_STALLED);
	assert_int_equal(now.ns, 1000 + 105000000000ull);
	for (unsigned f = 0; f <= RAW_ERROR; f++)
		assert_true(strlen(raw_failure_text(f)) > 3);
}

static void stalls_and_moves(void **state UNUSED)
{
	connected();
	raw_progress(&r, 100, &ev, now);
	assert_int_equal(ev.kind, RAW_EV_NONE);
	expire_at_deadline();
	assert_int_equal(ev.kind, RAW_EV_STALLED);
	raw_progress(&r, 0, &ev, now);
	assert_int_equal(ev.kind, RAW_EV_NONE);
	raw_progress(&r, 1, &ev, now);
	assert_int_equal(ev.kind, RAW_EV_MOVING);
	raw_closed(&r, ECONNRESET, &ev);
	assert_int_equal(ev.failure, RAW_BROKEN);
	assert_true(raw_maybe_printed(&r));
}

static void proofs(void **state UNUSED)
{
	connected();
	raw_progress(&r, 10, &ev, now);
	raw_shut(&r, now);
	raw_closed(&r, 0, &ev);
	assert_int_equal(ev.kind, RAW_EV_DONE);
	assert_int_equal(ev.proof, RAW_PROOF_CLOSED);
	assert_false(raw_maybe_printed(&r));
	connected();
	raw_progress(&r, 10, &ev, now);
	raw_shut(&r, now);
	expire_at_deadline();
	assert_int_equal(ev.proof, RAW_PROOF_SENT);
	/* closes before all was sent, in whatever way */
	connected();
	raw_progress(&r, 10, &ev, now);
	raw_closed(&r, 0, &ev);
	assert_int_equal(ev.failure, RAW_BROKEN);
	connected();
	raw_shut(&r, now);
	raw_closed(&r, ECONNRESET, &ev);
	assert_int_equal(ev.failure, RAW_BROKEN);
}

static enum raw_event_kind hear(const char *text)
{
	enum raw_event_kind last = RAW_EV_NONE;
	size_t len = strlen(text), done = 0;

	do {
		done += raw_input(&r, text + done, len - done, &ev, now);
		if (ev.kind != RAW_EV_NONE)
			last = ev.kind;
	} while (done < len);
	return last;
}

static void with_pjl(void **state UNUSED)
{
	uint8_t out[PJL_BRACKET_MAX];

	conf.pjl = true;
	snprintf(conf.language, sizeof(conf.language), "PCL");
	connected();
	assert_true(raw_start(&r, out) > 50);
	assert_true(raw_end(&r, out) > 20);
	raw_progress(&r, 10, &ev, now);
	assert_int_equal(hear("@PJL USTATUS DEVICE\nCODE=41213\nONLINE=TRUE\n"
			      "\f"),
			 RAW_EV_STATUS);
	assert_int_equal(ev.condition, PJL_PAPER);
	expire_at_deadline();
	assert_int_equal(ev.kind, RAW_EV_STALLED);
	assert_int_equal(ev.condition, PJL_PAPER); /* it is known why */
	assert_int_equal(hear("@PJL USTATUS PAGE\n1\n\f"), RAW_EV_PAGE);
	assert_int_equal(ev.pages, 1);
	raw_shut(&r, now);
	now = mono_add(now, DUR_S(15));
	/* the end of somebody else's job is not ours */
	assert_int_equal(hear("@PJL USTATUS JOB\nEND\nNAME=\"X\"\n\f"),
			 RAW_EV_NONE);
	assert_int_equal(r.state, RAW_DRAIN);
	assert_int_equal(dur_ms(mono_sub(raw_deadline(&r), now)), 20000);
	/* noise is no sign of printing, or a broken printer keeps its LU */
	now = mono_add(now, DUR_S(1));
	assert_int_equal(hear("noise\n\f without\x01\x02 end"), RAW_EV_NONE);
	assert_int_equal(dur_ms(mono_sub(raw_deadline(&r), now)), 19000);
	assert_int_equal(hear("\n\f@PJL USTATUS DEVICE\nCODE=10001\n\f"),
			 RAW_EV_STATUS);
	assert_int_equal(dur_ms(mono_sub(raw_deadline(&r), now)), 20000);
	assert_int_equal(hear("@PJL USTATUS JOB\nEND\nNAME=\"J 7\"\nPAGES=2\n"
			      "\f"),
			 RAW_EV_DONE);
	assert_int_equal(ev.proof, RAW_PROOF_PJL);
	assert_int_equal(ev.pages, 2);
	connected();
	assert_int_equal(hear("@PJL USTATUS JOB\nCANCELED\nNAME=\"J 7\"\n\f"),
			 RAW_EV_FAILED);
	assert_int_equal(ev.failure, RAW_CANCELLED);
	/* without PJL its words are nothing */
	conf.pjl = false;
	connected();
	assert_int_equal(raw_start(&r, out), 0);
	assert_int_equal(hear("@PJL USTATUS JOB\nEND\nNAME=\"J 7\"\n\f"),
			 RAW_EV_NONE);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(three_diagnoses, setup),
	cmocka_unit_test_setup(stalls_and_moves, setup),
	cmocka_unit_test_setup(proofs, setup),
	cmocka_unit_test_setup(with_pjl, setup),
};

UNIT_MAIN(tests)
