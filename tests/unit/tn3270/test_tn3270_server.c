/* The server's machine, word for word: [RFC2355] [RFC1646] sequences as
 * pr3287, s3270 and others speak them, and what breaks the rules. */
#include "tn3270/server.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

#define IAC 255
#define SB 250
#define SE 240
#define WILL 251
#define WONT 252
#define DO 253
#define DONT 254
#define EOR 239
#define E 40

static struct tn3270_server_conf conf;
static struct tn3270_server s;
static struct tn3270_event ev;
static mono_t now;

static int setup(void **state UNUSED)
{
	tn3270_server_conf_init(&conf);
	now = (mono_t){1000000000};
	return 0;
}

static void expect_out(const uint8_t *want, size_t len)
{
	uint8_t buf[TELNET_OUT_MAX];
	size_t n = tn3270_server_output(&s, buf, sizeof(buf));

	if (n != len || (len && memcmp(buf, want, len)))
		for (size_t i = 0; i < n; i++)
			print_error("%02x ", buf[i]);
	assert_int_equal(n, len);
	if (len)
		assert_memory_equal(buf, want, len);
	/* the law: once output is dry, the deadline lies in the future, or
	 * an end waits to be told */
	if (s.state != TN3270_SERVER_ENDED)
		assert_true(mono_lt(now, tn3270_server_deadline(&s)));
}

/* Feeds bytes one by one until an event comes or all are used. */
static enum tn3270_event_kind feed(const uint8_t *in, size_t len)
{
	size_t done = 0;

	do {
		size_t used = tn3270_server_input(
			&s, in + done, MIN(len - done, 1u), &ev, now);

		done += used;
		if (used == 0 && ev.kind == TN3270_EV_NONE)
			break;
	} while (ev.kind == TN3270_EV_NONE && done < len);
	if (ev.kind == TN3270_EV_NONE)
		tn3270_server_input(&s, in + len, 0, &ev, now);
	else
		assert_int_equal(done, len);
	return ev.kind;
}

#define B(...) ((const uint8_t[]){__VA_ARGS__})
#define OUT(...) expect_out(B(__VA_ARGS__), sizeof(B(__VA_ARGS__)))
#define NO_OUT() expect_out(NULL, 0)
#define IN(kind_, ...) \
	assert_int_equal(feed(B(__VA_ARGS__), sizeof(B(__VA_ARGS__))), kind_)
#define TYPE_3287 'I', 'B', 'M', '-', '3', '2', '8', '7', '-', '1'
#define TYPE_3278 'I', 'B', 'M', '-', '3', '2', '7', '8', '-', '2'

static void start(void)
{
	tn3270_server_init(&s, &conf, now);
}

/* DO/WILL TN3270E, REQUEST of P001. */
static void to_device(void)
{
	start();
	OUT(IAC, DO, E);
	IN(TN3270_EV_NONE, IAC, WILL, E);
	OUT(IAC, SB, E, 8, 2, IAC, SE);
	IN(TN3270_EV_DEVICE, IAC, SB, E, 2, 7, TYPE_3287, 1, 'p', '0', '0', '1',
	   IAC, SE);
	assert_string_equal(ev.device->name, "P001");
	assert_int_equal(ev.device->kind, TN3270E_PRINTER);
	assert_int_equal(ev.device->how, TN3270E_BY_NAME);
}

/* The whole way, all functions. */
static void to_ready(void)
{
	to_device();
	assert_int_equal(tn3270_server_accept(&s, "P001", TN3270E_F_PRINTER, 0),
			 0);
	OUT(IAC, SB, E, 2, 4, TYPE_3287, 1, 'P', '0', '0', '1', IAC, SE);
	IN(TN3270_EV_READY, IAC, SB, E, 3, 7, 0, 1, 2, 3, IAC, SE);
	assert_int_equal(ev.functions, TN3270E_F_PRINTER);
	OUT(IAC, SB, E, 3, 4, 0, 1, 2, 3, IAC, SE);
}

static ssize_t put(enum tn3270e_type type, enum tn3270e_respond respond,
		   const void *data, size_t len, uint8_t *wire)
{
	return tn3270_server_write(&s, type, respond, data, len, wire,
				   TN3270_WIRE_MAX(len), now);
}

static void to_bound(void)
{
	uint8_t wire[64];

	to_ready();
	assert_int_equal(
		put(TN3270E_T_BIND_IMAGE, TN3270E_NO_RESPONSE, "\x31", 1, wire),
		8);
	assert_true(s.bound);
}

/* print3270 1.2: a session from DO to UNBIND. */
static void printer_session(void **state UNUSED)
{
	uint8_t wire[64];

	to_ready();
	assert_int_equal(
		put(TN3270E_T_SCS_DATA, TN3270E_ALWAYS_RESPONSE, "A", 1, wire),
		-EPROTO); /* [RFC2355 10.3] no BIND yet */
	assert_int_equal(
		put(TN3270E_T_BIND_IMAGE, TN3270E_NO_RESPONSE, "\x31", 1, wire),
		8);
	assert_memory_equal(wire, B(3, 0, 0, 0, 0, 0x31, IAC, EOR), 8);
	assert_int_equal(put(TN3270E_T_SCS_DATA, TN3270E_ALWAYS_RESPONSE,
			     "\xc1\xff", 2, wire),
			 10);
	assert_memory_equal(wire, B(1, 0, 2, 0, 0, 0xc1, IAC, IAC, IAC, EOR),
			    10);
	assert_int_equal(
		put(TN3270E_T_SCS_DATA, TN3270E_ALWAYS_RESPONSE, "A", 1, wire),
		-EBUSY);
	IN(TN3270_EV_RESPONSE, 2, 0, 0, 0, 0, 0, IAC, EOR);
	assert_true(ev.expected);
	assert_int_equal(ev.answer, TN3270E_DEVICE_END);
	assert_int_equal(
		put(TN3270E_T_3270_DATA, TN3270E_NO_RESPONSE, "\xf1", 1, wire),
		8);
	assert_memory_equal(wire, B(0, 0, 0, 0, 1, 0xf1, IAC, EOR), 8);
	assert_int_equal(
		put(TN3270E_T_PRINT_EOJ, TN3270E_ALWAYS_RESPONSE, "", 0, wire),
		7);
	assert_memory_equal(wire, B(8, 0, 2, 0, 0, IAC, EOR), 7);
	IN(TN3270_EV_RESPONSE, 2, 0, 1, 0, 0, 1, IAC, EOR);
	assert_int_equal(ev.answer, TN3270E_INTERVENTION);
	/* pr3287 says "cleared" as type 07; 06 is the RFC's */
	IN(TN3270_EV_CLEARED, 7, 0, 0, 0, 0, IAC, EOR);
	IN(TN3270_EV_CLEARED, 6, 0, 0, 0, 0, IAC, EOR);
	assert_int_equal(
		put(TN3270E_T_UNBIND, TN3270E_NO_RESPONSE, "\x01", 1, wire), 8);
	assert_int_equal(
		put(TN3270E_T_SCS_DATA, TN3270E_NO_RESPONSE, "A", 1, wire),
		-EPROTO);
}

/* [RFC2355 10.4] 0..32767, then 0; a header byte FF is doubled. */
static void sequence_numbers(void **state UNUSED)
{
	uint8_t wire[64];

	to_bound();
	s.seq = 0xff;
	assert_int_equal(
		put(TN3270E_T_SCS_DATA, TN3270E_ALWAYS_RESPONSE, "A", 1, wire),
		9);
	assert_memory_equal(wire, B(1, 0, 2, 0, IAC, IAC, 0x41, IAC, EOR), 9);
	IN(TN3270_EV_RESPONSE, 2, 0, 0, 0, IAC, IAC, 0, IAC, EOR);
	assert_true(ev.expected);
	s.seq = TN3270E_SEQ_MAX;
	assert_int_equal(
		put(TN3270E_T_SCS_DATA, TN3270E_ALWAYS_RESPONSE, "A", 1, wire),
		9);
	IN(TN3270_EV_RESPONSE, 2, 0, 0, 0x7f, IAC, IAC, 0, IAC, EOR);
	assert_true(ev.expected);
	assert_int_equal(s.seq, 0);
	/* an answer to what was not asked is told, but not expected */
	IN(TN3270_EV_RESPONSE, 2, 0, 0, 0, 9, 0, IAC, EOR);
	assert_false(ev.expected);
}

/* All the ways to say no [RFC2355 10.4.1], and SNA sense (flag 2). */
static void negative_answers(void **state UNUSED)
{
	static const enum tn3270e_answer want[] = {
		TN3270E_COMMAND_REJECT, TN3270E_INTERVENTION,
		TN3270E_OPERATION_CHECK, TN3270E_DISCONNECTED,
		TN3270E_OPERATION_CHECK};

	to_bound();
	for (size_t code = 0; code < ARRAY_SIZE(want); code++) {
		IN(TN3270_EV_RESPONSE, 2, 0, 1, 0, 0, (uint8_t)code, IAC, EOR);
		assert_int_equal(ev.answer, want[code]);
	}
	IN(TN3270_EV_RESPONSE, 2, 0, 2, 0, 0, 0x08, 0x31, 0, 0, IAC, EOR);
	assert_int_equal(ev.answer, TN3270E_DISCONNECTED);
	IN(TN3270_EV_RESPONSE, 2, 0, 1, 0, 0, IAC, EOR);
	assert_int_equal(ev.answer, TN3270E_OPERATION_CHECK);
}

static void rejects_and_goes_on(void **state UNUSED)
{
	to_device();
	assert_int_equal(tn3270_server_reject(&s, TN3270E_DEVICE_IN_USE), 0);
	OUT(IAC, SB, E, 2, 6, 5, 1, IAC, SE);
	assert_int_equal(tn3270_server_reject(&s, TN3270E_DEVICE_IN_USE),
			 -EINVAL);
	IN(TN3270_EV_DEVICE, IAC, SB, E, 2, 7, TYPE_3287, 0, 'T', '1', IAC, SE);
	assert_int_equal(ev.device->how, TN3270E_BY_ASSOCIATION);
	/* what the machine knows to be wrong never reaches the caller */
	assert_int_equal(tn3270_server_reject(&s, TN3270E_INV_NAME), 0);
	OUT(IAC, SB, E, 2, 6, 5, 3, IAC, SE);
	IN(TN3270_EV_NONE, IAC, SB, E, 2, 7, 'v', 't', '1', IAC, SE);
	OUT(IAC, SB, E, 2, 6, 5, 4, IAC, SE);
	IN(TN3270_EV_NONE, IAC, SB, E, 2, 7, TYPE_3278, IAC, SE);
	OUT(IAC, SB, E, 2, 6, 5, 4, IAC, SE);
	IN(TN3270_EV_NONE, IAC, SB, E, 2, 7, TYPE_3278, 0, 'T', '1', IAC, SE);
	OUT(IAC, SB, E, 2, 6, 5, 2, IAC, SE);
	IN(TN3270_EV_NONE, IAC, SB, E, 2, 7, TYPE_3287, 1, 'T', ' ', IAC, SE);
	OUT(IAC, SB, E, 2, 6, 5, 3, IAC, SE);
	IN(TN3270_EV_NONE, IAC, SB, E, 2, 7, TYPE_3287, 1, '1', '2', '3', '4',
	   '5', '6', '7', '8', '9', IAC, SE);
	OUT(IAC, SB, E, 2, 6, 5, 3, IAC, SE);
	/* and the client gives up TN3270E: plain begins */
	IN(TN3270_EV_NONE, IAC, WONT, E);
	OUT(IAC, DONT, E, IAC, DO, 24);
}

static void rejects_have_an_end(void **state UNUSED)
{
	to_device();
	assert_int_equal(tn3270_server_reject(&s, TN3270E_INV_NAME), 0);
	for (unsigned i = 1; i < TN3270_REJECTS_MAX; i++) {
		OUT(IAC, SB, E, 2, 6, 5, 3, IAC, SE);
		IN(TN3270_EV_DEVICE, IAC, SB, E, 2, 7, TYPE_3287, IAC, SE);
		assert_int_equal(tn3270_server_reject(&s, TN3270E_INV_NAME), 0);
	}
	OUT(IAC, SB, E, 2, 6, 5, 3, IAC, SE);
	IN(TN3270_EV_CLOSE, IAC, SB, E, 2, 7, 'x', IAC, SE);
	assert_int_equal(ev.end, TN3270_END_DEVICES);
	IN(TN3270_EV_NONE, 'x'); /* told once */
	assert_true(mono_is_never(tn3270_server_deadline(&s)));
}

/* [RFC2355 7.2.1] the list exactly, or a REQUEST with what is common. */
static void functions_are_negotiated(void **state UNUSED)
{
	to_device();
	assert_int_equal(tn3270_server_accept(&s, "P001", TN3270E_F_PRINTER, 0),
			 0);
	OUT(IAC, SB, E, 2, 4, TYPE_3287, 1, 'P', '0', '0', '1', IAC, SE);
	/* pr3287 asks for SYSREQ too; others for functions we do not know */
	IN(TN3270_EV_NONE, IAC, SB, E, 3, 7, 0, 1, 2, 3, 4, IAC, SE);
	OUT(IAC, SB, E, 3, 7, 0, 1, 2, 3, IAC, SE);
	IN(TN3270_EV_NONE, IAC, SB, E, 3, 7, 1, 2, 5, IAC, SE);
	OUT(IAC, SB, E, 3, 7, 1, 2, IAC, SE);
	IN(TN3270_EV_READY, IAC, SB, E, 3, 4, 2, 1, IAC, SE);
	assert_int_equal(s.functions, 6);
	assert_true(s.bound); /* no BIND-IMAGE: data at once */
}

/* [RFC2355 10.1] a printer needs SCS or 3270 data; and what the LU needs. */
static void functions_without_which_nothing_goes(void **state UNUSED)
{
	for (int times = 0; times < 2; times++) {
		to_device();
		assert_int_equal(tn3270_server_accept(&s, "P001",
						      TN3270E_F_PRINTER,
						      times ? 8 : 0),
				 0);
		OUT(IAC, SB, E, 2, 4, TYPE_3287, 1, 'P', '0', '0', '1', IAC,
		    SE);
		IN(times ? TN3270_EV_NONE : TN3270_EV_CLOSE, IAC, SB, E, 3, 7,
		   2, IAC, SE);
		if (times) { /* asked for once, refused once */
			OUT(IAC, SB, E, 3, 7, 2, 3, IAC, SE);
			IN(TN3270_EV_CLOSE, IAC, SB, E, 3, 7, 2, IAC, SE);
		}
		assert_int_equal(ev.end, TN3270_END_FUNCTIONS);
		OUT(IAC, DONT, E);
	}
}

static void function_rounds_have_an_end(void **state UNUSED)
{
	to_device();
	assert_int_equal(tn3270_server_accept(&s, "P001", TN3270E_F_PRINTER, 0),
			 0);
	OUT(IAC, SB, E, 2, 4, TYPE_3287, 1, 'P', '0', '0', '1', IAC, SE);
	for (unsigned i = 0; i < TN3270_ROUNDS_MAX; i++) {
		IN(TN3270_EV_NONE, IAC, SB, E, 3, 7, 1, 2, 4, IAC, SE);
		OUT(IAC, SB, E, 3, 7, 1, 2, IAC, SE);
	}
	IN(TN3270_EV_CLOSE, IAC, SB, E, 3, 7, 1, 2, 4, IAC, SE);
	assert_int_equal(ev.end, TN3270_END_FUNCTIONS);
}

/* A subnegotiation where it has no place ends the session. */
static void out_of_order(void **state UNUSED)
{
	start();
	OUT(IAC, DO, E);
	IN(TN3270_EV_CLOSE, IAC, SB, E, 2, 7, TYPE_3287, IAC, SE);
	assert_int_equal(ev.end, TN3270_END_ORDER);
	to_device();
	assert_int_equal(tn3270_server_accept(&s, "BAD NAME", 0, 0), -EINVAL);
	assert_int_equal(tn3270_server_accept(&s, "P001", TN3270E_F_PRINTER, 0),
			 0);
	OUT(IAC, SB, E, 2, 4, TYPE_3287, 1, 'P', '0', '0', '1', IAC, SE);
	/* IS before any REQUEST */
	IN(TN3270_EV_CLOSE, IAC, SB, E, 3, 4, 1, 2, IAC, SE);
	assert_int_equal(ev.end, TN3270_END_ORDER);
	to_ready();
	IN(TN3270_EV_CLOSE, IAC, WONT, E);
	assert_int_equal(ev.end, TN3270_END_ORDER);
}

/* [RFC1646] IBM-3287-1@P001, records without header, status, AO. */
static void plain_printer(void **state UNUSED)
{
	uint8_t wire[64];

	start();
	OUT(IAC, DO, E);
	IN(TN3270_EV_NONE, IAC, WONT, E);
	OUT(IAC, DO, 24);
	IN(TN3270_EV_NONE, IAC, WILL, 24);
	OUT(IAC, SB, 24, 1, IAC, SE);
	IN(TN3270_EV_DEVICE, IAC, SB, 24, 0, TYPE_3287, '@', 'p', '1', IAC, SE);
	assert_true(ev.device->plain);
	assert_string_equal(ev.device->name, "P1");
	assert_int_equal(tn3270_server_reject(&s, TN3270E_DEVICE_IN_USE), 0);
	OUT(IAC, SB, 24, 1, IAC, SE); /* the next of its list */
	IN(TN3270_EV_DEVICE, IAC, SB, 24, 0, TYPE_3287, ' ', '@', ' ', 'P', '2',
	   IAC, SE);
	assert_string_equal(ev.device->name, "P2");
	assert_int_equal(tn3270_server_accept(&s, "P2", 0, 0), 0);
	OUT(IAC, DO, 25, IAC, WILL, 25, IAC, DO, 0, IAC, WILL, 0);
	IN(TN3270_EV_NONE, IAC, WILL, 25, IAC, DO, 25, IAC, WILL, 0);
	IN(TN3270_EV_READY, IAC, DO, 0);
	assert_int_equal(
		put(TN3270E_T_BIND_IMAGE, TN3270E_NO_RESPONSE, "\x31", 1, wire),
		0); /* nothing to send */
	assert_int_equal(put(TN3270E_T_3270_DATA, TN3270E_NO_RESPONSE,
			     "\xf1\xc8\x19", 3, wire),
			 5);
	assert_memory_equal(wire, B(0xf1, 0xc8, 0x19, IAC, EOR), 5);
	assert_int_equal(
		put(TN3270E_T_3270_DATA, TN3270E_NO_RESPONSE, "x", 1, wire),
		-EBUSY); /* each is answered */
	IN(TN3270_EV_RESPONSE, 1, 0x6c, 0xd9, 2, 0, IAC, EOR);
	assert_true(ev.expected);
	IN(TN3270_EV_CLEARED, 1, 0x6c, 0xd9, 2, 0, IAC, EOR);
	IN(TN3270_EV_RESPONSE, 1, 0x6c, 0xd9, 4, 0x10, IAC, EOR);
	assert_false(ev.expected);
	assert_int_equal(ev.answer, TN3270E_INTERVENTION);
	/* [RFC1646 3.2] LU 1 data begin with 00 */
	assert_int_equal(
		put(TN3270E_T_SCS_DATA, TN3270E_NO_RESPONSE, "\xc1", 1, wire),
		4);
	assert_memory_equal(wire, B(0, 0xc1, IAC, EOR), 4);
	IN(TN3270_EV_RESPONSE, 1, 0x6c, 0xd9, 2, 0, IAC, EOR);
	assert_int_equal(
		put(TN3270E_T_PRINT_EOJ, TN3270E_ALWAYS_RESPONSE, "", 0, wire),
		0);
	OUT(IAC, TELNET_AO);
	assert_int_equal(
		put(TN3270E_T_NVT_DATA, TN3270E_NO_RESPONSE, "x", 1, wire),
		-ENOTSUP);
	IN(TN3270_EV_NONE, 'x', IAC, EOR);
	assert_int_equal(s.ignored, 1);
	IN(TN3270_EV_CLOSE, IAC, WONT, 25); /* back to NVT */
}

/* The list of types is over when one repeats itself [RFC1091]. */
static void plain_list_has_an_end(void **state UNUSED)
{
	conf.no_tn3270e = true;
	start();
	OUT(IAC, DO, 24);
	IN(TN3270_EV_NONE, IAC, WILL, 24);
	OUT(IAC, SB, 24, 1, IAC, SE);
	IN(TN3270_EV_NONE, IAC, SB, 24, 0, 'x', 't', 'e', 'r', 'm', IAC, SE);
	OUT(IAC, SB, 24, 1, IAC, SE);
	IN(TN3270_EV_CLOSE, IAC, SB, 24, 0, 'X', 'T', 'E', 'R', 'M', IAC, SE);
	assert_int_equal(ev.end, TN3270_END_DEVICES);
	start();
	OUT(IAC, DO, 24);
	IN(TN3270_EV_CLOSE, IAC, WONT, 24);
	assert_int_equal(ev.end, TN3270_END_REFUSED);
	conf.no_tn3270e = false;
	conf.no_plain = true;
	start();
	OUT(IAC, DO, E);
	IN(TN3270_EV_CLOSE, IAC, WONT, E);
	assert_int_equal(ev.end, TN3270_END_REFUSED);
}

/* A terminal server stands on the same machine. */
static void display_session(void **state UNUSED)
{
	uint8_t wire[64];

	conf.displays = true;
	start();
	OUT(IAC, DO, E);
	IN(TN3270_EV_NONE, IAC, WILL, E);
	OUT(IAC, SB, E, 8, 2, IAC, SE);
	IN(TN3270_EV_DEVICE, IAC, SB, E, 2, 7, TYPE_3278, '-', 'E', IAC, SE);
	assert_int_equal(ev.device->kind, TN3270E_DISPLAY);
	assert_int_equal(tn3270_server_accept(&s, "T001", TN3270E_F_DISPLAY, 0),
			 0);
	OUT(IAC, SB, E, 2, 4, TYPE_3278, '-', 'E', 1, 'T', '0', '0', '1', IAC,
	    SE);
	IN(TN3270_EV_READY, IAC, SB, E, 3, 7, 0, 2, 4, IAC, SE);
	OUT(IAC, SB, E, 3, 4, 0, 2, 4, IAC, SE);
	assert_int_equal(
		put(TN3270E_T_SSCP_LU_DATA, TN3270E_NO_RESPONSE, "x", 1, wire),
		8);
	assert_int_equal(
		put(TN3270E_T_PRINT_EOJ, TN3270E_NO_RESPONSE, "", 0, wire),
		-ENOTSUP);
	assert_int_equal(
		put(TN3270E_T_SCS_DATA, TN3270E_NO_RESPONSE, "", 0, wire),
		-ENOTSUP);
	IN(TN3270_EV_ATTN, IAC, TELNET_IP);
	IN(TN3270_EV_ATTN, IAC, TELNET_BRK);
	IN(TN3270_EV_SYSREQ, IAC, TELNET_AO);
	IN(TN3270_EV_NONE, IAC, TELNET_AYT);
	OUT(IAC, TELNET_NOP);
	/* [RFC2355 8] IP inside a record waits for its end */
	IN(TN3270_EV_DATA, 0, 0, 0, 0, 0, 0x7d);
	assert_true(ev.first && !ev.last && ev.len == 1);
	IN(TN3270_EV_NONE, IAC, TELNET_IP);
	IN(TN3270_EV_DATA, IAC, EOR);
	assert_true(ev.last);
	tn3270_server_input(&s, "", 0, &ev, now);
	assert_int_equal(ev.kind, TN3270_EV_ATTN);
}

/* A record of any size needs no memory, but has a limit; headers are
 * whole. */
static void record_limits(void **state UNUSED)
{
	conf.displays = true;
	conf.record_max = 3;
	to_bound();
	IN(TN3270_EV_NONE, IAC, EOR); /* empty, between records */
	IN(TN3270_EV_DATA, 0, 0, 0, 0, 0, 'a');
	IN(TN3270_EV_DATA, 'b');
	IN(TN3270_EV_DATA, IAC, IAC);
	IN(TN3270_EV_CLOSE, 'd');
	assert_int_equal(ev.end, TN3270_END_RECORD);
	to_bound();
	IN(TN3270_EV_CLOSE, 0, 0, 0, IAC, EOR);
	assert_int_equal(ev.end, TN3270_END_HEADER);
	to_bound();
	IN(TN3270_EV_NONE, 99, 0, 0, 0, 0, 'a', IAC, EOR);
	assert_int_equal(s.ignored, 1);
}

/* START_TLS: DO, WILL and FOLLOWS, FOLLOWS, handshake, afresh. */
static void start_tls(void **state UNUSED)
{
	conf.tls = TN3270_TLS_REQUIRE;
	start();
	OUT(IAC, DO, 46);
	IN(TN3270_EV_NONE, IAC, WILL, 46);
	OUT(IAC, SB, 46, 1, IAC, SE);
	IN(TN3270_EV_START_TLS, IAC, SB, 46, 1, IAC, SE);
	/* what follows is TLS's: nothing is used */
	assert_int_equal(tn3270_server_input(&s, "\x16\x03", 2, &ev, now), 0);
	tn3270_server_secured(&s, now);
	OUT(IAC, DO, E);
	start();
	OUT(IAC, DO, 46);
	IN(TN3270_EV_CLOSE, IAC, WONT, 46);
	assert_int_equal(ev.end, TN3270_END_TLS);
	conf.tls = TN3270_TLS_OFFER;
	start();
	OUT(IAC, DO, 46);
	IN(TN3270_EV_NONE, IAC, WONT, 46);
	OUT(IAC, DO, E);
	/* before TLS nothing else is negotiated */
	start();
	OUT(IAC, DO, 46);
	IN(TN3270_EV_NONE, IAC, WILL, E);
	OUT(IAC, DONT, E);
}

static void expire_at_deadline(void)
{
	now = tn3270_server_deadline(&s);
	tn3270_server_expire(&s, now, &ev);
}

static void negotiation_takes_no_for_ever(void **state UNUSED)
{
	to_device();
	expire_at_deadline();
	assert_int_equal(ev.kind, TN3270_EV_CLOSE);
	assert_int_equal(ev.end, TN3270_END_TIME);
	assert_int_equal(now.ns, 61000000000u);
}

static void keepalive(void **state UNUSED)
{
	uint8_t wire[64];

	conf.times.keepalive = DUR_S(60);
	conf.times.keepalive_reply = DUR_S(10);
	to_bound();
	for (int i = 0; i < 3; i++) {
		expire_at_deadline();
		assert_int_equal(ev.kind, TN3270_EV_NONE);
		OUT(IAC, DO, 6);
		now = mono_add(now, DUR_S(9));
		IN(TN3270_EV_NONE, IAC, i & 1 ? WONT : WILL, 6);
		NO_OUT();
	}
	/* a printer that is busy with a record says nothing, and may; the
	 * marks make TCP find a dead one */
	assert_int_equal(
		put(TN3270E_T_SCS_DATA, TN3270E_ALWAYS_RESPONSE, "A", 1, wire),
		8);
	for (int i = 0; i < 5; i++) {
		expire_at_deadline();
		assert_int_equal(ev.kind, TN3270_EV_NONE);
		OUT(IAC, DO, 6);
	}
	IN(TN3270_EV_RESPONSE, 2, 0, 0, 0, 0, 0, IAC, EOR);
	NO_OUT();
	expire_at_deadline();
	OUT(IAC, DO, 6);
	expire_at_deadline();
	assert_int_equal(ev.kind, TN3270_EV_CLOSE);
	assert_int_equal(ev.end, TN3270_END_DEAD);
	/* without a time for the answer it is only sent */
	conf.times.keepalive_reply = DUR_S(0);
	to_bound();
	for (int i = 0; i < 3; i++) {
		expire_at_deadline();
		OUT(IAC, DO, 6);
	}
}

/* Asked for life between keepalives: any byte is an answer, silence is none,
 * and who has a record to answer is not asked. */
static void probe(void **state UNUSED)
{
	uint8_t wire[64];

	conf.times.keepalive = DUR_S(0);
	tn3270_server_init(&s, &conf, now);
	assert_false(tn3270_server_probe(&s, DUR_S(5), now));
	to_bound();
	assert_true(mono_is_never(tn3270_server_deadline(&s)));
	assert_true(tn3270_server_probe(&s, DUR_S(5), now));
	OUT(IAC, DO, 6);
	now = mono_add(now, DUR_S(4));
	IN(TN3270_EV_NONE, IAC, WONT, 6);
	assert_true(mono_is_never(tn3270_server_deadline(&s)));
	assert_int_equal(
		put(TN3270E_T_SCS_DATA, TN3270E_ALWAYS_RESPONSE, "A", 1, wire),
		8);
	assert_false(tn3270_server_probe(&s, DUR_S(5), now));
	NO_OUT();
	IN(TN3270_EV_RESPONSE, 2, 0, 0, 0, 0, 0, IAC, EOR);
	assert_true(tn3270_server_probe(&s, DUR_S(5), now));
	OUT(IAC, DO, 6);
	assert_true(
		mono_leq(tn3270_server_deadline(&s), mono_add(now, DUR_S(5))));
	expire_at_deadline();
	assert_int_equal(ev.kind, TN3270_EV_CLOSE);
	assert_int_equal(ev.end, TN3270_END_DEAD);
}

static void late_answer(void **state UNUSED)
{
	uint8_t wire[64];

	conf.times.response = DUR_S(30);
	to_bound();
	assert_int_equal(
		put(TN3270E_T_SCS_DATA, TN3270E_ALWAYS_RESPONSE, "A", 1, wire),
		8);
	expire_at_deadline();
	assert_int_equal(ev.kind, TN3270_EV_LATE);
	NO_OUT();
	assert_true(mono_is_never(tn3270_server_deadline(&s)));
	tn3270_server_forget(&s);
	IN(TN3270_EV_RESPONSE, 2, 0, 0, 0, 0, 0, IAC, EOR);
	assert_false(ev.expected);
}

/* Without RESPONSES nothing is asked for, and the number stays 0. */
static void without_responses(void **state UNUSED)
{
	uint8_t wire[64];

	to_device();
	assert_int_equal(tn3270_server_accept(&s, "P001", TN3270E_F_PRINTER, 0),
			 0);
	OUT(IAC, SB, E, 2, 4, TYPE_3287, 1, 'P', '0', '0', '1', IAC, SE);
	IN(TN3270_EV_READY, IAC, SB, E, 3, 7, 3, IAC, SE);
	OUT(IAC, SB, E, 3, 4, 3, IAC, SE);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(put(TN3270E_T_SCS_DATA,
				     TN3270E_ALWAYS_RESPONSE, "A", 1, wire),
				 8);
		assert_memory_equal(wire, B(1, 0, 0, 0, 0), 5);
	}
	assert_int_equal(
		put(TN3270E_T_3270_DATA, TN3270E_NO_RESPONSE, "A", 1, wire),
		-ENOTSUP);
}

static void words(void **state UNUSED)
{
	assert_string_equal(tn3270_server_state_name(TN3270_SERVER_READY),
			    "READY");
	for (unsigned e = 0; e < TN3270_ENDS; e++)
		assert_true(strlen(tn3270_end_text(e)) > 3);
	assert_string_equal(tn3270_end_text(TN3270_ENDS), "?");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(printer_session, setup),
	cmocka_unit_test_setup(sequence_numbers, setup),
	cmocka_unit_test_setup(negative_answers, setup),
	cmocka_unit_test_setup(rejects_and_goes_on, setup),
	cmocka_unit_test_setup(rejects_have_an_end, setup),
	cmocka_unit_test_setup(functions_are_negotiated, setup),
	cmocka_unit_test_setup(functions_without_which_nothing_goes, setup),
	cmocka_unit_test_setup(function_rounds_have_an_end, setup),
	cmocka_unit_test_setup(out_of_order, setup),
	cmocka_unit_test_setup(plain_printer, setup),
	cmocka_unit_test_setup(plain_list_has_an_end, setup),
	cmocka_unit_test_setup(display_session, setup),
	cmocka_unit_test_setup(record_limits, setup),
	cmocka_unit_test_setup(start_tls, setup),
	cmocka_unit_test_setup(negotiation_takes_no_for_ever, setup),
	cmocka_unit_test_setup(keepalive, setup),
	cmocka_unit_test_setup(probe, setup),
	cmocka_unit_test_setup(late_answer, setup),
	cmocka_unit_test_setup(without_responses, setup),
	cmocka_unit_test_setup(words, setup),
};

UNIT_MAIN(tests)
