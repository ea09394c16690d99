/* The Telnet machine: framing, the Q method, limits, doubling of IAC. */
#include "tn3270/telnet.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define B(...) ((const uint8_t[]){__VA_ARGS__})
#define IAC TELNET_IAC
#define WILL TELNET_WILL
#define WONT TELNET_WONT
#define DO TELNET_DO
#define DONT TELNET_DONT

/* All events of `in` as text: "data:hex eor cmd:n opt:n:o+ sb:n:hex". */
static int sprintf_at(char *text, size_t at, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

static int sprintf_at(char *text, size_t at, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text + at, 4096 - at, fmt, ap);
	va_end(ap);
	assert_true(n >= 0 && (size_t)n < 4096 - at);
	return n;
}

static char *feed(struct telnet *t, const uint8_t *in, size_t len, size_t chunk)
{
	static char text[4096];
	struct telnet_event ev;
	size_t n = 0, done = 0;
	bool in_data = false;

	text[0] = '\0';
	while (done < len) {
		size_t used =
			telnet_input(t, in + done, MIN(chunk, len - done), &ev);

		done += used;
		if (ev.kind == TELNET_EV_DATA || ev.kind == TELNET_EV_SUBNEG) {
			if (ev.kind == TELNET_EV_SUBNEG)
				n += (size_t)sprintf_at(text, n,
							" sb:%d:", ev.option);
			else if (!in_data)
				n += (size_t)sprintf_at(text, n, " data:");
			for (size_t i = 0; i < ev.len; i++)
				n += (size_t)sprintf_at(text, n, "%02x",
							ev.data[i]);
		} else if (ev.kind == TELNET_EV_EOR) {
			n += (size_t)sprintf_at(text, n, " eor");
		} else if (ev.kind == TELNET_EV_COMMAND) {
			n += (size_t)sprintf_at(
				text, n, " %s",
				telnet_command_name(ev.command));
		} else if (ev.kind == TELNET_EV_OPTION) {
			n += (size_t)sprintf_at(text, n, " %s:%s%c",
						ev.ours ? "us" : "him",
						telnet_option_name(ev.option),
						ev.on ? '+' : '-');
		} else if (ev.kind == TELNET_EV_MARK) {
			n += (size_t)sprintf_at(text, n, " mark");
		} else if (ev.kind == TELNET_EV_ERROR) {
			(void)sprintf_at(text, n, " error:%d", ev.error);
			break;
		}
		if (ev.kind != TELNET_EV_NONE)
			in_data = ev.kind == TELNET_EV_DATA;
		else
			assert_true(used > 0);
	}
	return text;
}

static void expect_out(struct telnet *t, const uint8_t *want, size_t len)
{
	uint8_t buf[TELNET_OUT_MAX];

	assert_int_equal(telnet_output_len(t), len);
	assert_int_equal(telnet_output(t, buf, sizeof(buf)), len);
	if (len)
		assert_memory_equal(buf, want, len);
}

#define OUT(t, ...) expect_out(t, B(__VA_ARGS__), sizeof(B(__VA_ARGS__)))
#define NO_OUT(t) expect_out(t, NULL, 0)

/* [RFC854] [RFC885] [RFC855]: whatever the cuts, the same events. */
static void frames_whatever_the_cuts(void **state)
{
	static const uint8_t in[] = {
		'a',        IAC, IAC,       'b', IAC, TELNET_EOR, IAC,
		TELNET_NOP, IAC, TELNET_SB, 24,  1,   IAC,        IAC,
		2,          IAC, TELNET_SE, 'c', IAC, TELNET_AO,  IAC,
		TELNET_SB,  IAC, TELNET_SE, IAC, 7,   IAC,        TELNET_SE};
	struct telnet t;

	(void)state;
	for (size_t chunk = 1; chunk <= sizeof(in); chunk++) {
		telnet_init(&t);
		assert_string_equal(feed(&t, in, sizeof(in), chunk),
				    " data:61ff62 eor NOP sb:24:01ff02 data:63"
				    " AO");
		NO_OUT(&t);
	}
}

/* A command inside a subnegotiation ends it unheard; the stream goes on. */
static void broken_subnegotiation_is_dropped(void **state)
{
	struct telnet t;

	(void)state;
	telnet_init(&t);
	assert_string_equal(feed(&t,
				 B(IAC, TELNET_SB, 40, 1, IAC, TELNET_NOP, 'x',
				   IAC, TELNET_EOR),
				 9, 9),
			    " data:78 eor");
}

/* [RFC1143 7] what is not allowed is refused, each time, without state. */
static void refuses_what_is_not_allowed(void **state)
{
	struct telnet t;

	(void)state;
	telnet_init(&t);
	assert_string_equal(feed(&t, B(IAC, WILL, 1, IAC, DO, 200), 6, 6), "");
	OUT(&t, IAC, DONT, 1, IAC, WONT, 200);
	assert_string_equal(feed(&t, B(IAC, WONT, 1, IAC, DONT, 200), 6, 6),
			    "");
	NO_OUT(&t);
	assert_false(telnet_on(&t, 1, false));
	assert_false(telnet_on(&t, 200, true));
}

static void agrees_to_what_is_allowed(void **state)
{
	struct telnet t;

	(void)state;
	telnet_init(&t);
	telnet_allow(&t, TELNET_OPT_EOR, true, true);
	telnet_allow(&t, TELNET_OPT_EOR, false, true);
	assert_string_equal(feed(&t, B(IAC, DO, 25, IAC, WILL, 25), 6, 1),
			    " us:EOR+ him:EOR+");
	OUT(&t, IAC, WILL, 25, IAC, DO, 25);
	/* said again: no answer, or two machines would loop */
	assert_string_equal(feed(&t, B(IAC, DO, 25, IAC, WILL, 25), 6, 1), "");
	NO_OUT(&t);
	assert_string_equal(feed(&t, B(IAC, DONT, 25), 3, 1), " us:EOR-");
	OUT(&t, IAC, WONT, 25);
}

static void asks_and_is_answered(void **state)
{
	struct telnet t;

	(void)state;
	telnet_init(&t);
	telnet_request(&t, TELNET_OPT_TN3270E, false, true);
	OUT(&t, IAC, DO, 40);
	assert_true(telnet_pending(&t, 40, false));
	assert_string_equal(feed(&t, B(IAC, WILL, 40), 3, 3), " him:TN3270E+");
	NO_OUT(&t);
	assert_true(telnet_on(&t, 40, false));
	telnet_request(&t, TELNET_OPT_TN3270E, false, true);
	NO_OUT(&t);
	telnet_request(&t, TELNET_OPT_TTYPE, false, true);
	OUT(&t, IAC, DO, 24);
	assert_string_equal(feed(&t, B(IAC, WONT, 24), 3, 3),
			    " him:TERMINAL-TYPE-");
}

/* [RFC1143 7] the queue bit: the opposite is wanted before the answer. */
static void changes_its_mind_while_waiting(void **state)
{
	struct telnet t;

	(void)state;
	telnet_init(&t);
	telnet_request(&t, 24, false, true);
	telnet_request(&t, 24, false, false);
	OUT(&t, IAC, DO, 24);
	assert_string_equal(feed(&t, B(IAC, WILL, 24), 3, 3), "");
	OUT(&t, IAC, DONT, 24);
	telnet_request(&t, 24, false, true); /* and back again */
	assert_string_equal(feed(&t, B(IAC, WONT, 24), 3, 3), "");
	OUT(&t, IAC, DO, 24);
	assert_string_equal(feed(&t, B(IAC, WILL, 24), 3, 3),
			    " him:TERMINAL-TYPE+");
	/* twice changed is not changed */
	telnet_request(&t, 25, false, true);
	telnet_request(&t, 25, false, false);
	telnet_request(&t, 25, false, true);
	OUT(&t, IAC, DO, 25);
	assert_string_equal(feed(&t, B(IAC, WILL, 25), 3, 3), " him:EOR+");
	NO_OUT(&t);
}

/* [RFC1143 7] a peer that answers DONT with WILL is wrong, and heard
 * without a word. */
static void wrong_answers_end_too(void **state)
{
	struct telnet t;

	(void)state;
	telnet_init(&t);
	telnet_request(&t, 24, false, true);
	feed(&t, B(IAC, WILL, 24), 3, 3);
	telnet_request(&t, 24, false, false);
	OUT(&t, IAC, DO, 24, IAC, DONT, 24);
	assert_string_equal(feed(&t, B(IAC, WILL, 24), 3, 3), "");
	assert_false(telnet_pending(&t, 24, false));
	assert_false(telnet_on(&t, 24, false));
	NO_OUT(&t);
	telnet_request(&t, 24, false, true);
	feed(&t, B(IAC, WILL, 24), 3, 3);
	telnet_request(&t, 24, false, false);
	telnet_request(&t, 24, false, true); /* queued behind the DONT */
	OUT(&t, IAC, DO, 24, IAC, DONT, 24);
	assert_string_equal(feed(&t, B(IAC, WILL, 24), 3, 3),
			    " him:TERMINAL-TYPE+");
	assert_true(telnet_on(&t, 24, false));
	NO_OUT(&t);
}

/* [RFC860] any answer proves life; a peer's DO is answered WILL. */
static void timing_mark(void **state)
{
	struct telnet t;

	(void)state;
	telnet_init(&t);
	telnet_send_mark(&t);
	OUT(&t, IAC, DO, 6);
	assert_string_equal(feed(&t, B(IAC, WONT, 6), 3, 3), " mark");
	assert_string_equal(feed(&t, B(IAC, WILL, 6), 3, 3), "");
	telnet_send_mark(&t);
	OUT(&t, IAC, DO, 6);
	assert_string_equal(feed(&t, B(IAC, WILL, 6), 3, 3), " mark");
	assert_string_equal(feed(&t, B(IAC, DO, 6), 3, 3), "");
	OUT(&t, IAC, WILL, 6);
	/* keepalives of years are no flood of changes */
	for (unsigned i = 0; i < 3 * TELNET_CHANGES_MAX; i++) {
		assert_string_equal(feed(&t, B(IAC, DO, 6), 3, 3), "");
		OUT(&t, IAC, WILL, 6);
	}
}

/* Two machines that both change their minds at random always come to rest,
 * and then agree. */
static void two_machines_agree(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 300; seed++) {
		struct telnet t[2];
		uint8_t wire[2][TELNET_OUT_MAX];
		unsigned rnd = seed;
		int quiet = 0;

		telnet_init(&t[0]);
		telnet_init(&t[1]);
		for (int i = 0; i < 2; i++)
			for (int side = 0; side < 2; side++)
				telnet_allow(&t[i], 24, side,
					     (rnd = rnd * 1103515245 + 12345) >>
							     16 &
						     1);
		for (int step = 0; step < 400 && quiet < 4; step++) {
			int from = step & 1;
			size_t n = telnet_output(&t[from], wire[from],
						 TELNET_OUT_MAX);

			feed(&t[!from], wire[from], n, 2);
			quiet = n ? 0 : quiet + 1;
			rnd = rnd * 1103515245 + 12345;
			if (step < 60 && (rnd >> 16 & 3) == 0) {
				telnet_request(&t[from], 24, rnd >> 20 & 1,
					       rnd >> 21 & 1);
				quiet = 0;
			}
		}
		assert_int_equal(quiet, 4);
		assert_int_equal(telnet_on(&t[0], 24, true),
				 telnet_on(&t[1], 24, false));
		assert_int_equal(telnet_on(&t[0], 24, false),
				 telnet_on(&t[1], 24, true));
		assert_false(telnet_pending(&t[0], 24, true));
		assert_false(telnet_pending(&t[1], 24, false));
	}
}

static void limits_are_limits(void **state)
{
	uint8_t big[TELNET_SB_MAX + 8] = {IAC, TELNET_SB, 24};
	struct telnet t;
	char want[32];

	(void)state;
	memset(big + 3, 'x', sizeof(big) - 3);
	telnet_init(&t);
	snprintf(want, sizeof(want), " error:%d", TELNET_E_SB_LONG);
	assert_string_equal(feed(&t, big, sizeof(big), 100), want);
	assert_string_equal(feed(&t, B('x'), 1, 1), want); /* sticky */
	/* a peer that asks and asks, and reads our answers */
	telnet_init(&t);
	for (unsigned i = 0; i < TELNET_CHANGES_MAX; i++) {
		uint8_t out[8];

		assert_string_equal(feed(&t, B(IAC, WILL, 1), 3, 3), "");
		assert_int_equal(telnet_output(&t, out, sizeof(out)), 3);
	}
	snprintf(want, sizeof(want), " error:%d", TELNET_E_CHANGES);
	assert_string_equal(feed(&t, B(IAC, WILL, 1), 3, 3), want);
	/* one that does not */
	telnet_init(&t);
	for (unsigned i = 0; i < TELNET_OUT_MAX / 3; i++)
		assert_string_equal(feed(&t, B(IAC, DO, 6), 3, 3), "");
	snprintf(want, sizeof(want), " error:%d", TELNET_E_OUT);
	assert_string_equal(feed(&t, B(IAC, DO, 6), 3, 3), want);
	for (unsigned e = 0; e < TELNET_ERRORS; e++)
		assert_true(strlen(telnet_error_text(e)) > 3);
}

/* Small buffers get whole commands, and never half of one. */
static void output_cuts_between_commands(void **state)
{
	uint8_t buf[16], all[64];
	struct telnet t;
	size_t n = 0, k;

	(void)state;
	telnet_init(&t);
	telnet_send_command(&t, TELNET_NOP);
	telnet_send_sb(&t, 40, B(8, 2, 255, 1), 4);
	telnet_send_record(&t, B(2, 255, 0), 3);
	telnet_send_mark(&t);
	assert_int_equal(telnet_output(&t, buf, 1), 0);
	for (size_t cap = 2; telnet_output_len(&t) > 0;) {
		k = telnet_output(&t, buf, cap);
		if (k == 0)
			cap++;
		memcpy(all + n, buf, k);
		n += k;
	}
	assert_int_equal(n, 21);
	assert_memory_equal(all,
			    B(IAC, TELNET_NOP, IAC, TELNET_SB, 40, 8, 2, 255,
			      255, 1, IAC, TELNET_SE, 2, 255, 255, 0, IAC,
			      TELNET_EOR, IAC, DO, 6),
			    21);
}

/* Both ways to double give the same bytes, for every place of IAC. */
static void doubling(void **state)
{
	uint8_t in[9], one[18], two[18];
	struct iovec iov[20];

	(void)state;
	for (unsigned bits = 0; bits < 512; bits++) {
		size_t n, want = 9;

		for (unsigned i = 0; i < 9; i++) {
			in[i] = bits >> i & 1 ? 255 : (uint8_t)i;
			want += bits >> i & 1;
		}
		n = telnet_escape(one, in, 9);
		assert_int_equal(n, want);
		for (int max = 2; max <= 20; max++) {
			size_t done = 0, used, m = 0;

			while (done < 9) {
				int k = telnet_escape_iov(in + done, 9 - done,
							  iov, max, &used);

				assert_in_range(k, 1, max);
				assert_true(used > 0);
				for (int i = 0; i < k; i++) {
					memcpy(two + m, iov[i].iov_base,
					       iov[i].iov_len);
					m += iov[i].iov_len;
				}
				done += used;
			}
			assert_int_equal(m, n);
			assert_memory_equal(one, two, n);
		}
	}
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(telnet_command_name(239), "EOR");
	assert_string_equal(telnet_command_name(255), "IAC");
	assert_string_equal(telnet_command_name(3), "?");
	assert_string_equal(telnet_option_name(46), "START_TLS");
	assert_string_equal(telnet_option_name(77), "?");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(frames_whatever_the_cuts),
	cmocka_unit_test(broken_subnegotiation_is_dropped),
	cmocka_unit_test(refuses_what_is_not_allowed),
	cmocka_unit_test(agrees_to_what_is_allowed),
	cmocka_unit_test(asks_and_is_answered),
	cmocka_unit_test(changes_its_mind_while_waiting),
	cmocka_unit_test(wrong_answers_end_too),
	cmocka_unit_test(timing_mark),
	cmocka_unit_test(two_machines_agree),
	cmocka_unit_test(limits_are_limits),
	cmocka_unit_test(output_cuts_between_commands),
	cmocka_unit_test(doubling),
	cmocka_unit_test(names),
};

UNIT_MAIN(tests)
