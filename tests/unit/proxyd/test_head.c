/* test_head.c: PROXY protocol headers and server names. */
#include "head/head.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

static ssize_t parse(const char *buf, size_t len, unsigned allowed,
		     struct head_proxy *h)
{
	return head_proxy_parse(buf, len, allowed, h);
}

static void v1_good(void **state)
{
	static const char line[] =
		"PROXY TCP4 192.0.2.1 198.51.100.2 65535 443\r\nGET /";
	static const char line6[] = "PROXY TCP6 2001:db8::1 ::1 1 2\r\n";
	struct ip_addr want = ip_v4(192, 0, 2, 1);
	struct head_proxy h;

	(void)state;
	assert_int_equal(parse(line, sizeof line - 1, HEAD_V1, &h),
			 sizeof line - 1 - 5);
	assert_true(h.known);
	assert_true(ip_eq(&h.client.addr, &want));
	assert_int_equal(h.client.port, 65535);
	assert_int_equal(h.local.port, 443);
	assert_int_equal(parse(line6, sizeof line6 - 1, HEAD_V1, &h),
			 sizeof line6 - 1);
	assert_int_equal(h.client.addr.family, IP_V6);
	assert_int_equal(parse("PROXY UNKNOWN\r\n", 15, HEAD_V1, &h), 15);
	assert_false(h.known);
	assert_int_equal(
		parse("PROXY UNKNOWN a b c d e f\r\n", 27, HEAD_V1, &h), 27);
	assert_false(h.known);
}

/* no end of line within 107 bytes */
static const char too_long[] =
	"PROXY TCP4 192.0.2.1 198.51.100.2 1 2 "
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	"xxxxxxxxxx";

static void v1_bad(void **state)
{
	static const char *const bad[] = {
		"PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2  1 2\r\n",
		"PROXY TCP4 ::1 ::1 1 2\r\n",
		"PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n",
		"PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n",
		"PROXY TCP4 x y 1 2\r\n",
		"GET / HTTP/1.0\r\n",
		"PROXX",
		too_long,
	};
	struct head_proxy h;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse(bad[i], strlen(bad[i]), HEAD_V1, &h),
				 -EPROTO);
	assert_int_equal(parse(bad[0], strlen(bad[0]), HEAD_V2, &h), -EPROTO);
}

static void pieces_ask_for_more(void **state)
{
	struct ip_port a = {.addr = ip_v4(1, 2, 3, 4), .port = 5};
	struct ip_port b = {.addr = ip_v4(6, 7, 8, 9), .port = 10};
	struct head_proxy h;
	char buf[HEAD_V1_MAX + 1];

	(void)state;
	for (unsigned v = HEAD_V1; v <= HEAD_V2; v++) {
		size_t n = head_proxy_emit(v, &a, &b, buf);

		for (size_t k = 1; k < n; k++)
			assert_int_equal(parse(buf, k, HEAD_V1 | HEAD_V2, &h),
					 -EAGAIN);
		assert_int_equal(parse(buf, n, HEAD_V1 | HEAD_V2, &h), n);
		assert_true(h.known);
		assert_true(ip_eq(&h.client.addr, &a.addr));
		assert_true(ip_eq(&h.local.addr, &b.addr));
		assert_int_equal(h.client.port, 5);
		assert_int_equal(h.local.port, 10);
	}
}

static void v2_with_tlvs_local_and_lies(void **state)
{
	char buf[64] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10"
		       "\1\2\3\4\5\6\7\x8\0\x9\0\xa\3\0\1x";
	struct head_proxy h;

	(void)state;
	assert_int_equal(parse(buf, 32, HEAD_V2, &h), 32);
	assert_true(h.known);
	assert_int_equal(h.local.port, 10);
	buf[12] = 0x20; /* LOCAL */
	assert_int_equal(parse(buf, 32, HEAD_V2, &h), 32);
	assert_false(h.known);
	buf[12] = 0x21;
	buf[15] = 4; /* shorter than its addresses */
	assert_int_equal(parse(buf, 32, HEAD_V2, &h), -EPROTO);
	buf[14] = 0x7f; /* longer than we accept */
	assert_int_equal(parse(buf, 32, HEAD_V2, &h), -EPROTO);
	buf[14] = 0;
	buf[15] = 16;
	buf[12] = 0x11; /* version 1 of it */
	assert_int_equal(parse(buf, 32, HEAD_V2, &h), -EPROTO);
	buf[12] = 0x22; /* no such command */
	assert_int_equal(parse(buf, 32, HEAD_V2, &h), -EPROTO);
}

/* ---- ClientHello
 * ------------------------------------------------------------- */

static uint8_t hello[1200];

static size_t put(size_t at, const char *bytes, size_t n)
{
	memcpy(hello + at, bytes, n);
	return at + n;
}

/* A ClientHello with the name, in records of at most `record` bytes. */
static size_t make_hello(const char *name, size_t record)
{
	uint8_t body[600];
	size_t n = 0, len = strlen(name), out = 0;

	memset(body, 7, sizeof body);
	n = 4 + 2 + 32;
	body[n++] = 0;                     /* session id */
	memcpy(body + n, "\0\2\x13\1", 4); /* suites */
	n += 4;
	memcpy(body + n, "\1\0", 2); /* compression */
	n += 2;
	body[n++] = 0;
	body[n++] = (uint8_t)(len + 9 + 4);
	memcpy(body + n, "\0\x17\0\0", 4); /* another extension first */
	n += 4;
	memcpy(body + n, "\0\0\0", 3);
	body[n + 3] = (uint8_t)(len + 5);
	body[n + 4] = 0;
	body[n + 5] = (uint8_t)(len + 3);
	body[n + 6] = 0;
	body[n + 7] = 0;
	body[n + 8] = (uint8_t)len;
	n += 9;
	memcpy(body + n, name, len);
	n += len;
	body[0] = 1;
	body[1] = 0;
	body[2] = (uint8_t)((n - 4) >> 8);
	body[3] = (uint8_t)(n - 4);
	for (size_t at = 0; at < n; at += record) {
		size_t part = MIN(record, n - at);
		char head[5] = {22, 3, 1, (char)(part >> 8), (char)part};

		out = put(out, head, 5);
		out = put(out, (const char *)body + at, part);
	}
	return out;
}

static void name_is_found_in_any_records(void **state)
{
	char name[HEAD_NAME_MAX + 1];

	(void)state;
	for (size_t record = 1; record < 200; record += 13) {
		size_t n = make_hello("WWW.Example.org", record);

		for (size_t k = 0; k < n; k++)
			assert_int_equal(head_sni(hello, k, name), -EAGAIN);
		assert_int_equal(head_sni(hello, n, name), 0);
		assert_string_equal(name, "www.example.org");
	}
}

static void what_is_no_hello_is_refused(void **state)
{
	char name[HEAD_NAME_MAX + 1];
	size_t n;

	(void)state;
	assert_int_equal(
		head_sni((const uint8_t *)"GET / HTTP/1.1\r\n", 16, name),
		-EPROTO);
	n = make_hello("a b", 1000);
	assert_int_equal(head_sni(hello, n, name), -EPROTO);
	n = make_hello("ok", 1000);
	hello[5] = 2; /* a ServerHello */
	assert_int_equal(head_sni(hello, n, name), -EPROTO);
	hello[5] = 1;
	hello[6] = 1; /* 64 KiB long */
	assert_int_equal(head_sni(hello, n, name), -EPROTO);
}

static void patterns(void **state)
{
	(void)state;
	assert_true(head_name_fits("a.example", "a.example"));
	assert_false(head_name_fits("a.example", "b.a.example"));
	assert_true(head_name_fits("*.example", "a.example"));
	assert_true(head_name_fits("*.example", "b.a.example"));
	assert_false(head_name_fits("*.example", "example"));
	assert_false(head_name_fits("*.example", ".example"));
	assert_false(head_name_fits("*.example", "aexample"));
	assert_false(head_name_fits("a.example", ""));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(v1_good),
	cmocka_unit_test(v1_bad),
	cmocka_unit_test(pieces_ask_for_more),
	cmocka_unit_test(v2_with_tlvs_local_and_lies),
	cmocka_unit_test(name_is_found_in_any_records),
	cmocka_unit_test(what_is_no_hello_is_refused),
	cmocka_unit_test(patterns),
};

UNIT_MAIN(tests)
