/* ARP and ND of a layer 3 port: what it says is understood, by itself and
 * byte for byte; what is invalid is not. */
#include "osa/l3msg.h"
#include "unit.h"
#include "wire/checksum.h"
#include "wire/ether.h"

#include <string.h>

static const struct l3msg_link link_ = {.mac = {2, 0, 0, 0, 0, 1}};
static const struct l3msg_link tagged = {.mac = {2, 0, 0, 0, 0, 1}, .vlan = 42};
static const uint8_t peer[6] = {2, 0, 0, 0, 0, 2};
static const struct ip_addr none = {.family = IP_NONE};

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(text, &a), 0);
	return a;
}

/* Reads a frame made here; its Ethernet header is in *eth. */
static struct l3msg read_back(const struct frame *f, struct ether_header *eth)
{
	struct l3msg m;
	int n = ether_parse(f->hdr, f->hdr_len, eth);

	assert_int_equal(n, f->l2_len);
	assert_int_equal(f->payload_len, 0);
	l3msg_parse(eth->type, f->hdr + n, f->hdr_len - (size_t)n, false, &m);
	assert_memory_equal(eth->src, link_.mac, 6);
	return m;
}

static void test_arp_request_bytes(void **state)
{
	static const uint8_t want[] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,  1, 8, 6,
		0,    1,    8,    0,    6,    4,    0, 1, 2, 0, 0,  0, 0, 1,
		10,   0,    0,    1,    0,    0,    0, 0, 0, 0, 10, 0, 0, 2,
	};
	struct ip_addr us = addr("10.0.0.1"), them = addr("10.0.0.2");
	struct frame f;

	(void)state;
	l3msg_ask(&link_, &us, &them, NULL, &f);
	assert_int_equal(f.hdr_len, sizeof(want));
	assert_memory_equal(f.hdr, want, sizeof(want));
	assert_int_equal(f.l2_len, 14);
	assert_false(f.needs_csum);
}

static void ask_and_tell(const char *us_text, const char *them_text)
{
	struct ip_addr us = addr(us_text), them = addr(them_text);
	struct ether_header eth;
	struct l3msg m;
	struct frame f;

	l3msg_ask(&link_, &us, &them, NULL, &f);
	m = read_back(&f, &eth);
	assert_int_equal(m.kind, L3MSG_ASK);
	assert_true(ip_eq(&m.sender, &us));
	assert_true(ip_eq(&m.target, &them));
	assert_true(m.has_mac);
	assert_memory_equal(m.mac, link_.mac, 6);
	assert_true(ether_is_group(eth.dst));
	l3msg_ask(&tagged, &us, &them, peer, &f);
	m = read_back(&f, &eth);
	assert_int_equal(m.kind, L3MSG_ASK);
	assert_int_equal(eth.vlan, 42);
	assert_memory_equal(eth.dst, peer, 6);
	l3msg_ask(&link_, &none, &them, NULL, &f);
	m = read_back(&f, &eth);
	assert_int_equal(m.kind, L3MSG_ASK);
	assert_int_equal(m.sender.family, IP_NONE);
	assert_true(ip_eq(&m.target, &them));
	l3msg_tell(&link_, &us, &them, peer, &f);
	m = read_back(&f, &eth);
	assert_int_equal(m.kind, L3MSG_TELL);
	assert_true(ip_eq(&m.target, &us));
	assert_true(m.has_mac);
	assert_memory_equal(m.mac, link_.mac, 6);
	assert_memory_equal(eth.dst, peer, 6);
	l3msg_tell(&link_, &us, NULL, NULL, &f);
	m = read_back(&f, &eth);
	assert_int_equal(m.kind, L3MSG_TELL);
	assert_true(ip_eq(&m.target, &us));
	assert_true(ether_is_group(eth.dst));
}

static void test_v4(void **state)
{
	(void)state;
	ask_and_tell("10.0.0.1", "10.0.0.2");
}

static void test_v6(void **state)
{
	(void)state;
	ask_and_tell("2001:db8::1", "2001:db8::1:2");
}

static enum l3msg_kind kind_of(const struct frame *f)
{
	struct l3msg m;

	l3msg_parse(ETHER_TYPE_IPV6, f->hdr + 14, f->hdr_len - 14u, false, &m);
	return m.kind;
}

static void test_invalid_nd_dropped(void **state)
{
	struct ip_addr us = addr("fd00::1"), them = addr("fd00::2");
	struct frame good, f;

	(void)state;
	l3msg_ask(&link_, &us, &them, NULL, &good);
	assert_int_equal(kind_of(&good), L3MSG_ASK);
	f = good;
	f.hdr[14 + 7] = 254; /* came through a router */
	assert_int_equal(kind_of(&f), L3MSG_BROKEN);
	f = good;
	f.hdr[14 + 40 + 2] ^= 1; /* checksum */
	assert_int_equal(kind_of(&f), L3MSG_BROKEN);
	f = good;
	f.hdr[14 + 40 + 1] = 1; /* code */
	assert_int_equal(kind_of(&f), L3MSG_BROKEN);
	for (uint16_t n = 14; n < good.hdr_len; n++) {
		f = good;
		f.hdr_len = n;
		assert_int_not_equal(kind_of(&f), L3MSG_ASK);
	}
}

/* Everything else is the stack's. */
static void test_others_pass(void **state)
{
	struct ip_addr us = addr("fd00::1"), them = addr("fd00::2");
	struct l3msg m;
	struct frame f;
	uint8_t v4[20] = {0x45};

	(void)state;
	l3msg_parse(ETHER_TYPE_IPV4, v4, sizeof(v4), false, &m);
	assert_int_equal(m.kind, L3MSG_NONE);
	l3msg_ask(&link_, &us, &them, NULL, &f);
	f.hdr[14 + 40] = 128; /* an echo request */
	assert_int_equal(kind_of(&f), L3MSG_NONE);
	f.hdr[14 + 40] = 134; /* a router advertisement */
	assert_int_equal(kind_of(&f), L3MSG_NONE);
	l3msg_parse(ETHER_TYPE_ARP, v4, sizeof(v4), false, &m);
	assert_int_equal(m.kind, L3MSG_BROKEN);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_arp_request_bytes),
	cmocka_unit_test(test_v4),
	cmocka_unit_test(test_v6),
	cmocka_unit_test(test_invalid_nd_dropped),
	cmocka_unit_test(test_others_pass),
};

UNIT_MAIN(tests)
