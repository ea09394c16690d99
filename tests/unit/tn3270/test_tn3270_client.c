/* The client's machine against our own server's: everything is cut at random
 * places, and the words of other servers where ours would not say them. */
#include "tn3270/client.h"
#include "tn3270/server.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

#define IAC 255
#define B(...) ((const uint8_t[]){__VA_ARGS__})
#define TYPE_3287 'I', 'B', 'M', '-', '3', '2', '8', '7', '-', '1'
#define WIRE 65536u

static struct tn3270_server_conf sconf;
static struct tn3270_client_conf cconf;
static struct tn3270_server s;
static struct tn3270_client c;
static mono_t now;
static uint64_t seed;

/* What happened, as words. */
static char said[8192];
static uint8_t to_client[WIRE], to_server[WIRE];
static size_t to_client_len, to_server_len;
static unsigned taken; /* how many names the server has in use */

static uint64_t rnd(uint64_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % n;
}

static void say(const char *fmt, ...) PRINTF_LIKE(1, 2);

static void say(const char *fmt, ...)
{
	size_t n = strlen(said);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said + n, sizeof(said) - n, fmt, ap);
	va_end(ap);
}

static int setup(void **state UNUSED)
{
	tn3270_server_conf_init(&sconf);
	tn3270_client_conf_init(&cconf);
	cconf.how = TN3270E_BY_NAME;
	cconf.names = 1;
	snprintf(cconf.name[0], sizeof(cconf.name[0]), "%s", "P1");
	now = (mono_t){1000000000};
	said[0] = '\0';
	to_client_len = to_server_len = 0;
	taken = 0;
	seed = 7;
	return 0;
}

static void drain(void)
{
	to_client_len += tn3270_server_output(&s, to_client + to_client_len,
					      WIRE - to_client_len);
	to_server_len += tn3270_client_output(&c, to_server + to_server_len,
					      WIRE - to_server_len);
}

static void on_server(const struct tn3270_event *ev)
{
	switch (ev->kind) {
	case TN3270_EV_DEVICE:
		say("device %s %d|", ev->device->name, (int)ev->device->how);
		if (taken > 0) {
			taken--;
			assert_int_equal(
				tn3270_server_reject(&s, TN3270E_DEVICE_IN_USE),
				0);
		} else {
			assert_int_equal(
				tn3270_server_accept(&s,
						     ev->device->name[0]
							     ? ev->device->name
							     : "ANY",
						     TN3270E_F_PRINTER, 0),
				0);
		}
		break;
	case TN3270_EV_READY:
		say("s-ready %x|", ev->functions);
		break;
	case TN3270_EV_RESPONSE:
		say("answer %d %s|", (int)ev->answer,
		    ev->expected ? "exp" : "stray");
		break;
	case TN3270_EV_CLEARED:
		say("cleared|");
		break;
	case TN3270_EV_START_TLS:
		tn3270_server_secured(&s, now);
		break;
	case TN3270_EV_CLOSE:
		say("s-close %d|", (int)ev->end);
		break;
	case TN3270_EV_NONE:
	case TN3270_EV_REJECTED:
	case TN3270_EV_DATA:
	case TN3270_EV_LATE:
	case TN3270_EV_ATTN:
	case TN3270_EV_SYSREQ:
	case TN3270_EV_BIND:
	case TN3270_EV_UNBIND:
	case TN3270_EV_EOJ:
		break;
	}
}

static enum tn3270e_answer answer;

static void on_data(const struct tn3270_event *ev)
{
	if (ev->first)
		say("data%d:", ev->header.type);
	for (size_t i = 0; i < ev->len; i++)
		say("%02x", ev->data[i]);
	if (!ev->last)
		return;
	say("|");
	tn3270_client_respond(&c, answer);
}

static void on_client(const struct tn3270_event *ev)
{
	switch (ev->kind) {
	case TN3270_EV_READY:
		say("c-ready %s%s|", ev->device->name,
		    ev->device->plain ? " plain" : "");
		break;
	case TN3270_EV_REJECTED:
		say("rejected %s|", tn3270e_reason_name(ev->reason));
		break;
	case TN3270_EV_DATA:
		on_data(ev);
		break;
	case TN3270_EV_BIND:
		say("bind %zu|", ev->len);
		tn3270_client_respond(&c, TN3270E_DEVICE_END);
		break;
	case TN3270_EV_UNBIND:
		say("unbind %d|", ev->reason);
		tn3270_client_respond(&c, TN3270E_DEVICE_END);
		break;
	case TN3270_EV_EOJ:
		say("eoj|");
		tn3270_client_respond(&c, answer);
		break;
	case TN3270_EV_START_TLS:
		say("tls|");
		tn3270_client_secured(&c, now);
		break;
	case TN3270_EV_CLOSE:
		say("c-close %d|", (int)ev->end);
		break;
	case TN3270_EV_NONE:
	case TN3270_EV_DEVICE:
	case TN3270_EV_RESPONSE:
	case TN3270_EV_CLEARED:
	case TN3270_EV_LATE:
	case TN3270_EV_ATTN:
	case TN3270_EV_SYSREQ:
		break;
	}
}

static void feed_server(void)
{
	struct tn3270_event ev;
	size_t n = rnd(to_server_len + 1), done = 0;

	do {
		done += tn3270_server_input(&s, to_server + done, n - done, &ev,
					    now);
		on_server(&ev);
	} while (ev.kind != TN3270_EV_NONE);
	to_server_len -= done;
	memmove(to_server, to_server + done, to_server_len);
}

static void feed_client(void)
{
	struct tn3270_event ev;
	size_t n = rnd(to_client_len + 1), done = 0;

	do {
		done += tn3270_client_input(&c, to_client + done, n - done, &ev,
					    now);
		on_client(&ev);
	} while (ev.kind != TN3270_EV_NONE);
	to_client_len -= done;
	memmove(to_client, to_client + done, to_client_len);
}

/* Until nobody has anything to say. */
static void settle(void)
{
	for (int quiet = 0; quiet < 3;) {
		drain();
		quiet = to_client_len + to_server_len ? 0 : quiet + 1;
		feed_server();
		feed_client();
	}
}

static void begin(void)
{
	said[0] = '\0';
	to_client_len = to_server_len = 0;
	tn3270_server_init(&s, &sconf, now);
	tn3270_client_init(&c, &cconf, now);
	settle();
}

static int put(enum tn3270e_type type, const void *data, size_t len)
{
	ssize_t n = tn3270_server_write(&s, type, TN3270E_ALWAYS_RESPONSE, data,
					len, to_client + to_client_len,
					WIRE - to_client_len, now);

	if (n < 0)
		return (int)n;
	to_client_len += (size_t)n;
	settle();
	return 0;
}

static void a_job_with_any_cuts(void **state UNUSED)
{
	for (seed = 1; seed < 400; seed++) {
		uint64_t at = seed;

		begin();
		assert_string_equal(said, "device P1 1|s-ready f|c-ready P1|");
		said[0] = '\0';
		assert_int_equal(put(TN3270E_T_BIND_IMAGE, "\x31xx", 3), 0);
		answer = TN3270E_DEVICE_END;
		assert_int_equal(put(TN3270E_T_SCS_DATA, "\xff\xc1\xff", 3), 0);
		answer = TN3270E_INTERVENTION;
		assert_int_equal(put(TN3270E_T_3270_DATA, "\xf1", 1), 0);
		tn3270_client_cleared(&c);
		settle();
		answer = TN3270E_DEVICE_END;
		assert_int_equal(put(TN3270E_T_PRINT_EOJ, "", 0), 0);
		assert_int_equal(put(TN3270E_T_UNBIND, "\x02", 1), 0);
		assert_string_equal(said,
				    "bind 3|answer 0 exp|data1:ffc1ff|answer 0"
				    " exp|data0:f1|answer 2 exp|cleared|eoj|"
				    "answer 0 exp|unbind 2|answer 0 exp|");
		seed = at;
	}
}

static void walks_its_list_of_names(void **state UNUSED)
{
	cconf.names = 3;
	snprintf(cconf.name[1], sizeof(cconf.name[1]), "%s", "P2");
	snprintf(cconf.name[2], sizeof(cconf.name[2]), "%s", "P3");
	taken = 2;
	begin();
	assert_string_equal(said,
			    "device P1 1|rejected DEVICE-IN-USE|device P2 1|"
			    "rejected DEVICE-IN-USE|device P3 1|s-ready f|"
			    "c-ready P3|");
	taken = 3;
	begin();
	assert_non_null(strstr(said, "c-close"));
	assert_int_equal(c.end, TN3270_END_DEVICES);
	/* the same in plain TN3270: the list of terminal types */
	sconf.no_tn3270e = true;
	taken = 2;
	begin();
	assert_string_equal(said, "device P1 1|device P2 1|device P3 1|"
				  "c-ready P3 plain|s-ready 0|");
	taken = 3;
	begin();
	assert_string_equal(said, "device P1 1|device P2 1|device P3 1|"
				  "s-close 5|");
}

static void plain_job(void **state UNUSED)
{
	cconf.no_tn3270e = true;
	begin();
	assert_non_null(strstr(said, "c-ready P1 plain|"));
	said[0] = '\0';
	answer = TN3270E_DEVICE_END;
	assert_int_equal(put(TN3270E_T_3270_DATA, "\xf1\xc8", 2), 0);
	assert_int_equal(put(TN3270E_T_SCS_DATA, "\xc1", 1), 0);
	answer = TN3270E_DATA_CHECK;
	assert_int_equal(put(TN3270E_T_3270_DATA, "\xf1", 1), 0);
	tn3270_client_cleared(&c);
	settle();
	assert_int_equal(put(TN3270E_T_PRINT_EOJ, "", 0), 0);
	assert_string_equal(said, "data0:f1c8|answer 0 exp|data1:c1|answer 0 "
				  "exp|data0:f1|answer 5 exp|cleared|eoj|");
}

static void tls_comes_first(void **state UNUSED)
{
	cconf.tls = sconf.tls = TN3270_TLS_REQUIRE;
	begin();
	assert_string_equal(said, "tls|device P1 1|s-ready f|c-ready P1|");
	sconf.tls = TN3270_TLS_OFF;
	begin();
	assert_int_equal(c.end, TN3270_END_TLS);
	cconf.tls = TN3270_TLS_OFF;
	sconf.tls = TN3270_TLS_OFFER;
	begin();
	assert_string_equal(said, "device P1 1|s-ready f|c-ready P1|");
}

/* No byte is used while a record waits for its answer. */
static void holds_back_until_answered(void **state UNUSED)
{
	static const uint8_t two[] = {8, 0, 2, 0, 0, IAC, TELNET_EOR,
				      8, 0, 2, 0, 0, IAC, TELNET_EOR};
	struct tn3270_event ev;

	begin();
	assert_int_equal(tn3270_client_input(&c, two, 14, &ev, now), 7);
	assert_int_equal(ev.kind, TN3270_EV_EOJ);
	assert_int_equal(tn3270_client_input(&c, two + 7, 7, &ev, now), 0);
	assert_int_equal(ev.kind, TN3270_EV_NONE);
	tn3270_client_respond(&c, TN3270E_DISCONNECTED);
	assert_int_equal(tn3270_client_input(&c, two + 7, 7, &ev, now), 7);
	assert_int_equal(ev.kind, TN3270_EV_EOJ);
}

/* Feeds the client what a server says; the last event. */
static enum tn3270_event_kind hear(const uint8_t *p, size_t len)
{
	struct tn3270_event ev = {.kind = TN3270_EV_NONE};
	enum tn3270_event_kind last = TN3270_EV_NONE;
	size_t done = 0;

	do {
		done += tn3270_client_input(&c, p + done, len - done, &ev, now);
		if (ev.kind != TN3270_EV_NONE)
			last = ev.kind;
	} while (ev.kind != TN3270_EV_NONE);
	assert_int_equal(done, len);
	return last;
}

#define HEAR(...) hear(B(__VA_ARGS__), sizeof(B(__VA_ARGS__)))

static void up_to_functions(void)
{
	uint8_t out[256];

	tn3270_client_init(&c, &cconf, now);
	HEAR(IAC, TELNET_DO, 40, IAC, TELNET_SB, 40, 8, 2, IAC, TELNET_SE, IAC,
	     TELNET_SB, 40, 2, 4, TYPE_3287, 1, 'P', 'O', 'O', 'L', '7', IAC,
	     TELNET_SE);
	assert_int_equal(c.state, TN3270_CLIENT_FUNCTIONS);
	assert_string_equal(c.device.name, "POOL7");
	tn3270_client_output(&c, out, sizeof(out));
}

/* Servers that answer IS with fewer functions, or ask back. */
static void other_servers(void **state UNUSED)
{
	uint8_t out[64];

	up_to_functions();
	assert_int_equal(HEAR(IAC, TELNET_SB, 40, 3, 4, 3, IAC, TELNET_SE),
			 TN3270_EV_READY);
	assert_int_equal(c.functions, 8);
	up_to_functions();
	assert_int_equal(HEAR(IAC, TELNET_SB, 40, 3, 7, 2, 3, IAC, TELNET_SE),
			 TN3270_EV_READY);
	assert_int_equal(tn3270_client_output(&c, out, sizeof(out)), 9);
	assert_memory_equal(
		out, B(IAC, TELNET_SB, 40, 3, 4, 2, 3, IAC, TELNET_SE), 9);
	/* more than was asked for */
	up_to_functions();
	assert_int_equal(HEAR(IAC, TELNET_SB, 40, 3, 4, 3, 4, IAC, TELNET_SE),
			 TN3270_EV_CLOSE);
	/* asks for SYSREQ: we ask back without it */
	up_to_functions();
	assert_int_equal(HEAR(IAC, TELNET_SB, 40, 3, 7, 3, 4, IAC, TELNET_SE),
			 TN3270_EV_NONE);
	assert_int_equal(tn3270_client_output(&c, out, sizeof(out)), 8);
	/* nothing to print with */
	up_to_functions();
	assert_int_equal(HEAR(IAC, TELNET_SB, 40, 3, 4, 2, IAC, TELNET_SE),
			 TN3270_EV_CLOSE);
	/* no further specific request after UNSUPPORTED-REQ */
	cconf.names = 2;
	tn3270_client_init(&c, &cconf, now);
	assert_int_equal(HEAR(IAC, TELNET_DO, 40, IAC, TELNET_SB, 40, 8, 2, IAC,
			      TELNET_SE, IAC, TELNET_SB, 40, 2, 6, 5, 7, IAC,
			      TELNET_SE),
			 TN3270_EV_CLOSE);
}

/* [RFC2355 10.4] ERROR-RESPONSE: silence is consent. */
static void answers_only_what_is_asked(void **state UNUSED)
{
	uint8_t out[64];

	up_to_functions();
	HEAR(IAC, TELNET_SB, 40, 3, 4, 0, 2, 3, IAC, TELNET_SE);
	assert_int_equal(HEAR(1, 0, 1, 0, 5, 0xc1, IAC, TELNET_EOR),
			 TN3270_EV_DATA);
	tn3270_client_respond(&c, TN3270E_DEVICE_END);
	assert_int_equal(tn3270_client_output(&c, out, sizeof(out)), 0);
	HEAR(1, 0, 1, 0, 6, 0xc1, IAC, TELNET_EOR);
	tn3270_client_respond(&c, TN3270E_OPERATION_CHECK);
	assert_int_equal(tn3270_client_output(&c, out, sizeof(out)), 8);
	assert_memory_equal(out, B(2, 0, 1, 0, 6, 2, IAC, TELNET_EOR), 8);
	HEAR(1, 0, 0, 0, 7, 0xc1, IAC, TELNET_EOR);
	tn3270_client_respond(&c, TN3270E_OPERATION_CHECK);
	assert_int_equal(tn3270_client_output(&c, out, sizeof(out)), 0);
}

/* A host that begins TLS in the middle of a session that stands. */
static void tls_does_not_come_later(void **state UNUSED)
{
	uint8_t out[16];

	cconf.tls = TN3270_TLS_OFFER;
	for (int plain = 0; plain < 2; plain++) {
		cconf.no_tn3270e = plain;
		begin();
		assert_int_equal(c.state, TN3270_CLIENT_READY);
		assert_int_equal(HEAR(IAC, TELNET_DO, 46), TN3270_EV_NONE);
		assert_int_equal(tn3270_client_output(&c, out, sizeof(out)), 9);
		assert_int_equal(HEAR(IAC, TELNET_SB, 46, 1, IAC, TELNET_SE),
				 TN3270_EV_CLOSE);
		assert_int_equal(c.end, TN3270_END_ORDER);
	}
}

static void time_passes(void **state UNUSED)
{
	struct tn3270_event ev;
	uint8_t out[16];

	tn3270_client_init(&c, &cconf, now);
	now = tn3270_client_deadline(&c);
	tn3270_client_expire(&c, now, &ev);
	assert_int_equal(ev.end, TN3270_END_TIME);
	cconf.times.keepalive = DUR_S(10);
	cconf.times.keepalive_reply = DUR_S(5);
	begin();
	now = tn3270_client_deadline(&c);
	tn3270_client_expire(&c, now, &ev);
	assert_int_equal(ev.kind, TN3270_EV_NONE);
	assert_int_equal(tn3270_client_output(&c, out, sizeof(out)), 3);
	now = tn3270_client_deadline(&c);
	tn3270_client_expire(&c, now, &ev);
	assert_int_equal(ev.end, TN3270_END_DEAD);
	assert_true(mono_is_never(tn3270_client_deadline(&c)));
}

static void own_records(void **state UNUSED)
{
	uint8_t head[TN3270_HEAD_MAX];
	size_t n;

	tn3270_client_init(&c, &cconf, now);
	assert_int_equal(
		tn3270_client_record(&c, TN3270E_T_3270_DATA, head, &n),
		-ENOTCONN);
	begin();
	assert_int_equal(
		tn3270_client_record(&c, TN3270E_T_3270_DATA, head, &n),
		-EPROTO);
	assert_int_equal(tn3270_client_record(&c, TN3270E_T_SCS_DATA, head, &n),
			 -ENOTSUP);
	assert_int_equal(put(TN3270E_T_BIND_IMAGE, "\x31", 1), 0);
	for (uint8_t i = 0; i < 2; i++) {
		assert_int_equal(
			tn3270_client_record(&c, TN3270E_T_3270_DATA, head, &n),
			0);
		assert_memory_equal(head, B(0, 0, 0, 0, i), 5);
	}
	assert_string_equal(tn3270_client_state_name(c.state), "READY");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(a_job_with_any_cuts, setup),
	cmocka_unit_test_setup(walks_its_list_of_names, setup),
	cmocka_unit_test_setup(plain_job, setup),
	cmocka_unit_test_setup(tls_does_not_come_later, setup),
	cmocka_unit_test_setup(tls_comes_first, setup),
	cmocka_unit_test_setup(holds_back_until_answered, setup),
	cmocka_unit_test_setup(other_servers, setup),
	cmocka_unit_test_setup(answers_only_what_is_asked, setup),
	cmocka_unit_test_setup(time_passes, setup),
	cmocka_unit_test_setup(own_records, setup),
};

UNIT_MAIN(tests)
