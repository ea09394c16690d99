/* ICMP errors out and in, extension headers, addresses nobody may use. */
#include "ip/ip_int.h"
#include "wire/icmp.h"
#include "world.h"

#include <errno.h>

static struct world w;
static uint8_t buf[70000];
static uint32_t ifx;

static void setup_tune(const struct ip_tune *tune)
{
	world_init(&w, tune);
	ifx = world_l3(&w, 1500);
	world_addr(&w, ifx, "10.0.0.2", 24);
	world_addr(&w, ifx, "2001:db8::2", 64);
}

static void setup(void)
{
	setup_tune(NULL);
}

static uint64_t drops(enum ip_drop d)
{
	return ip_drops(w.ips)[d];
}

static const char *src4 = "10.0.0.1", *src6 = "2001:db8::1";

/* A UDP datagram that nobody wants. */
static void unwanted(const char *src, const char *dst, const void *data,
		     size_t len)
{
	struct ip_rx rx;
	size_t n = build_udp_packet(buf, src, dst, 1234, 9, data, len);

	assert_true(world_in(&w, ifx, buf, n, &rx));
	ip_unreachable_port(w.ips, &rx, w.now);
	world_free(&w, &rx);
	world_drain(&w);
}

static void port_unreachable(void **state UNUSED)
{
	static const uint8_t data[2000];

	setup();
	unwanted(src4, "10.0.0.2", "hello", 5);
	assert_int_equal(w.n_out, 1);
	check_sums(&w.out[0]);
	assert_int_equal(w.out[0].bytes[20], 3);
	assert_int_equal(w.out[0].bytes[21], 3);
	assert_int_equal(w.out[0].len, 28 + 33);
	assert_memory_equal(w.out[0].bytes + 28, buf, 33);
	unwanted(src6, "2001:db8::2", "hello", 5);
	check_sums(&w.out[1]);
	assert_int_equal(w.out[1].bytes[40], 1);
	assert_int_equal(w.out[1].bytes[41], 4);
	assert_memory_equal(w.out[1].bytes + 48, buf, 53);
	/* as much as may be quoted, and no more */
	unwanted(src4, "10.0.0.2", data, 1400);
	assert_int_equal(w.out[2].len, 576);
	unwanted(src6, "2001:db8::2", data, 1400);
	assert_int_equal(w.out[3].len, 1280);
	check_sums(&w.out[3]);
	world_fini(&w);
}

/* [RFC1122 3.2.2] [RFC4443 2.4 e] */
static void never_an_error_about(void **state UNUSED)
{
	struct ip_addr g4 = addr("239.1.1.1"), g6 = addr("ff02::77");
	size_t n;

	setup();
	assert_int_equal(ip_group_join(w.ips, ifx, &g4, w.now), 0);
	assert_int_equal(ip_group_join(w.ips, ifx, &g6, w.now), 0);
	world_run(&w, 5000);
	world_clear(&w);
	/* groups and broadcasts */
	unwanted(src4, "239.1.1.1", "x", 1);
	unwanted(src4, "10.0.0.255", "x", 1);
	unwanted(src4, "255.255.255.255", "x", 1);
	unwanted(src6, "ff02::77", "x", 1);
	assert_int_equal(w.n_out, 0);
	/* errors: here one whose transport nobody has */
	{ /* unknown protocol in a plain packet: answered */
		struct hdr h = {.src = src4, .dst = "10.0.0.2", .proto = 99};

		n = build_ip4(buf, &h, "12345678", 8);
	}
	world_eat(&w, ifx, buf, n);
	assert_int_equal(w.n_out, 1);
	assert_int_equal(w.out[0].bytes[21], 2);
	/* an ICMPv6 error behind an option that demands a report */
	{
		uint8_t ext[100] = {58, 0, 0x80 | 0x3f, 4};
		struct hdr h = {.src = src6, .dst = "2001:db8::2", .proto = 60};

		build_icmp(ext + 8, src6, "2001:db8::2", 1, 0, 0, "12345678",
			   8);
		n = build_ip6(buf, &h, ext, 8 + 16);
		world_eat(&w, ifx, buf, n);
		assert_int_equal(w.n_out, 1);
		/* and the same about an echo is answered */
		build_icmp(ext + 8, src6, "2001:db8::2", 128, 0, 0, "12345678",
			   8);
		n = build_ip6(buf, &h, ext, 8 + 16);
		world_eat(&w, ifx, buf, n);
		assert_int_equal(w.n_out, 2);
	}
	world_fini(&w);
}

static void errors_are_rationed(void **state UNUSED)
{
	struct ip_tune tune;
	int first;

	setup();
	for (int i = 0; i < 500; i++)
		unwanted(src4, "10.0.0.2", "x", 1);
	first = w.n_out;
	assert_in_range(first, 47, 50);
	assert_int_equal(drops(IP_DROP_RATE_LIMIT), 500 - first);
	world_run(&w, 100); /* ten more */
	for (int i = 0; i < 500; i++)
		unwanted(src6, "2001:db8::2", "x", 1);
	assert_in_range(w.n_out - first, 9, 11);
	/* time does not pile up more than a burst */
	world_run(&w, 1000000);
	first = w.n_out;
	for (int i = 0; i < 500; i++)
		unwanted(src4, "10.0.0.2", "x", 1);
	assert_in_range(w.n_out - first, 47, 50);
	world_fini(&w);
	ip_tune_default(&tune);
	tune.icmp_errors_per_s = 0;
	setup_tune(&tune);
	unwanted(src4, "10.0.0.2", "x", 1);
	assert_int_equal(w.n_out, 0);
	world_fini(&w);
}

/* A small rate must not starve when it is asked often. */
static void rate_accumulates(void **state UNUSED)
{
	int before;

	setup();
	for (int i = 0; i < 60; i++)
		unwanted(src4, "10.0.0.2", "x", 1);
	before = w.n_out;
	for (int i = 0; i < 100000; i++) {
		w.now.ns += 1000;
		if (i % 5 == 0)
			unwanted(src4, "10.0.0.2", "x", 1);
	}
	assert_in_range(w.n_out - before, 9, 11); /* 0.1 s */
	world_fini(&w);
}

/* ---- errors in -------------------------------------------------------------
 */

/* An ICMP error about a TCP segment of ours. */
static void give_error(const char *from, const char *to, uint8_t type,
		       uint8_t code, uint32_t arg)
{
	uint8_t quote[100], seg[60];
	bool v4 = addr(from).family == IP_V4;
	struct hdr h = {.src = v4 ? "10.0.0.2" : "2001:db8::2",
			.dst = v4 ? "192.0.2.7" : "2001:db8:7::7",
			.proto = 6};
	size_t n = build_tcp(seg, h.src, h.dst, 4000, 80, NULL, 0);

	memcpy(seg + 4, "\x12\x34\x56\x78", 4);
	n = v4 ? build_ip4(quote, &h, seg, 8) : build_ip6(quote, &h, seg, n);
	if (v4) /* length of what was sent, not of what is quoted */
		memcpy(quote + 2, "\x05\xdc", 2);
	n = build_icmp_packet(buf, from, to, type, code, arg, quote, n, 0);
	world_eat(&w, ifx, buf, n);
}

static void errors_become_events(void **state UNUSED)
{
	static const struct {
		bool v6;
		uint8_t type, code;
		uint32_t arg;
		enum ip_event_kind kind;
		int error;
		bool hard;
		uint32_t mtu;
	} c[] = {
		{0, 3, 0, 0, IP_EV_UNREACH, ENETUNREACH, false, 0},
		{0, 3, 1, 0, IP_EV_UNREACH, EHOSTUNREACH, false, 0},
		{0, 3, 2, 0, IP_EV_UNREACH, ENOPROTOOPT, true, 0},
		{0, 3, 3, 0, IP_EV_UNREACH, ECONNREFUSED, true, 0},
		{0, 3, 4, 1400, IP_EV_PMTU, EMSGSIZE, false, 1400},
		{0, 3, 4, 0, IP_EV_PMTU, EMSGSIZE, false, 1492},
		{0, 3, 13, 0, IP_EV_UNREACH, EHOSTUNREACH, true, 0},
		{0, 11, 0, 0, IP_EV_UNREACH, EHOSTUNREACH, false, 0},
		{0, 12, 0, 0, IP_EV_UNREACH, EPROTO, true, 0},
		{1, 1, 0, 0, IP_EV_UNREACH, ENETUNREACH, false, 0},
		{1, 1, 1, 0, IP_EV_UNREACH, EACCES, true, 0},
		{1, 1, 3, 0, IP_EV_UNREACH, EHOSTUNREACH, false, 0},
		{1, 1, 4, 0, IP_EV_UNREACH, ECONNREFUSED, true, 0},
		{1, 1, 99, 0, IP_EV_UNREACH, EHOSTUNREACH, false, 0},
		{1, 2, 0, 1300, IP_EV_PMTU, EMSGSIZE, false, 1300},
		{1, 3, 0, 0, IP_EV_UNREACH, EHOSTUNREACH, false, 0},
		{1, 4, 1, 0, IP_EV_UNREACH, EPROTO, true, 0},
	};

	setup();
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct ip_addr me = addr(c[i].v6 ? "2001:db8::2" : "10.0.0.2");
		struct ip_addr he =
			addr(c[i].v6 ? "2001:db8:7::7" : "192.0.2.7");
		struct ip_addr r = addr(c[i].v6 ? "2001:db8::99" : "10.0.0.99");
		struct ip_event ev;

		give_error(c[i].v6 ? "2001:db8::99" : "10.0.0.99",
			   c[i].v6 ? "2001:db8::2" : "10.0.0.2", c[i].type,
			   c[i].code, c[i].arg);
		assert_true(world_event(&w, c[i].kind, &ev));
		assert_int_equal(ev.error, c[i].error);
		assert_int_equal(ev.hard, c[i].hard);
		assert_int_equal(ev.mtu, c[i].mtu);
		assert_true(ip_eq(&ev.local, &me));
		assert_true(ip_eq(&ev.remote, &he));
		assert_true(ip_eq(&ev.reporter, &r));
		assert_int_equal(ev.proto, 6);
		assert_int_equal(ev.local_port, 4000);
		assert_int_equal(ev.remote_port, 80);
		assert_int_equal(ev.tcp_seq, 0x12345678);
		assert_int_equal(ev.icmp_type, c[i].type);
		assert_int_equal(ev.icmp_code, c[i].code);
		assert_false(world_event(&w, c[i].kind, &ev));
	}
	world_fini(&w);
}

static void errors_that_are_lies(void **state UNUSED)
{
	struct ip_event ev;
	uint8_t q[100] = {0};
	size_t n;

	setup();
	/* too big for less than every link takes [RFC8201 4] */
	give_error("2001:db8::99", "2001:db8::2", 2, 0, 1279);
	/* about a packet we never can have sent */
	{
		struct hdr h = {
			.src = "10.0.0.77", .dst = "192.0.2.7", .proto = 6};

		n = build_ip4(q, &h, "12345678", 8);
		n = build_icmp_packet(buf, src4, "10.0.0.2", 3, 1, 0, q, n, 0);
		world_eat(&w, ifx, buf, n);
	}
	/* about another family */
	{
		struct hdr h = {.src = "2001:db8::2",
				.dst = "2001:db8::5",
				.proto = 17};

		n = build_ip6(q, &h, "12345678", 8);
		n = build_icmp_packet(buf, src4, "10.0.0.2", 3, 1, 0, q, n, 0);
		world_eat(&w, ifx, buf, n);
	}
	/* with half a quote */
	n = build_icmp_packet(buf, src4, "10.0.0.2", 3, 1, 0, q, 12, 0);
	world_eat(&w, ifx, buf, n);
	/* about a fragment in the middle */
	{
		struct hdr h = {.src = "10.0.0.2",
				.dst = "192.0.2.7",
				.proto = 17,
				.frag_off = 80};

		n = build_ip4(q, &h, "12345678", 8);
		n = build_icmp_packet(buf, src4, "10.0.0.2", 3, 1, 0, q, n, 0);
		world_eat(&w, ifx, buf, n);
	}
	/* a code nobody gave out */
	give_error("10.0.0.99", "10.0.0.2", 3, 16, 0);
	assert_int_equal(drops(IP_DROP_ICMP_INVALID), 6);
	/* wrong checksum, short */
	n = build_icmp_packet(buf, src4, "10.0.0.2", 8, 0, 0, "abcdefgh", 8, 0);
	buf[n - 1]++;
	world_eat(&w, ifx, buf, n);
	assert_int_equal(drops(IP_DROP_BAD_CSUM), 1);
	{
		struct hdr h = {.src = src4, .dst = "10.0.0.2", .proto = 1};

		n = build_ip4(buf, &h, "1234567", 7);
		world_eat(&w, ifx, buf, n);
		assert_int_equal(drops(IP_DROP_SHORT), 1);
	}
	while (ip_event(w.ips, &ev))
		assert_int_not_equal(ev.kind, IP_EV_UNREACH);
	assert_int_equal(w.n_out, 0);
	world_fini(&w);
}

static void event_queue_keeps_the_oldest(void **state UNUSED)
{
	struct ip_event ev;
	int n = 0;

	setup();
	while (ip_event(w.ips, &ev))
		;
	for (int i = 0; i < 400; i++)
		give_error("10.0.0.99", "10.0.0.2", 3, 4, 1000 + (uint32_t)i);
	for (; ip_event(w.ips, &ev); n++)
		assert_int_equal(ev.mtu, 1000 + n);
	assert_int_equal(n, 256);
	world_fini(&w);
}

static void redirect4(void **state UNUSED)
{
	struct ip_addr d = addr("192.0.2.7"), gw = addr("10.0.0.254"),
		       other = addr("10.0.0.253");
	struct ip_path p;

	for (int obey = 0; obey < 2; obey++) {
		struct ip_route r = {.dst = prefix("0.0.0.0", 0),
				     .gateway = gw};
		struct ip_tune tune;

		ip_tune_default(&tune);
		tune.redirects = obey;
		setup_tune(&tune);
		assert_int_equal(ip_route_add(w.ips, &r), 0);
		/* from a stranger; to a gateway off the link; to ourselves */
		give_error("10.0.0.99", "10.0.0.2", 5, 1, 0x0a0000fd);
		give_error("10.0.0.254", "10.0.0.2", 5, 1, 0x0b0000fd);
		give_error("10.0.0.254", "10.0.0.2", 5, 1, 0x0a000002);
		assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
		assert_true(ip_eq(&p.next_hop, &gw));
		assert_int_equal(drops(IP_DROP_ICMP_INVALID), obey ? 3 : 0);
		give_error("10.0.0.254", "10.0.0.2", 5, 1, 0x0a0000fd);
		assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
		assert_true(ip_eq(&p.next_hop, obey ? &other : &gw));
		world_fini(&w);
	}
}

static void echo_rules(void **state UNUSED)
{
	static uint8_t big[60000];
	struct ip_addr all = addr("ff02::1");
	struct ip_path p UNUSED;
	size_t n;

	setup();
	/* broadcasts and groups: IPv4 keeps silent [RFC1122 3.2.2.6] */
	n = build_icmp_packet(buf, src4, "10.0.0.255", 8, 0, 0, "abcdefgh", 8,
			      0);
	world_eat(&w, ifx, buf, n);
	n = build_icmp_packet(buf, src4, "224.0.0.1", 8, 0, 0, "abcdefgh", 8,
			      0);
	world_eat(&w, ifx, buf, n);
	assert_int_equal(w.n_out, 0);
	assert_int_equal(drops(IP_DROP_NO_ROUTE), 0); /* on purpose */
	/* IPv6 answers, from an address of its own [RFC4443 4.2] */
	n = build_icmp_packet(buf, src6, "ff02::1", 128, 0, 0, "abcdefgh", 8,
			      0);
	world_eat(&w, ifx, buf, n);
	assert_int_equal(w.n_out, 1);
	assert_memory_not_equal(w.out[0].bytes + 8, all.b, 16);
	/* big ones come back whole, in pieces */
	n = build_icmp_packet(buf, src4, "10.0.0.2", 8, 0, 0, big, sizeof(big),
			      0);
	world_eat(&w, ifx, buf, n);
	assert_int_equal(w.n_out, 1 + 41);
	/* replies nobody waits for, unknown types, time stamps: silence */
	n = build_icmp_packet(buf, src4, "10.0.0.2", 0, 0, 0, "abcdefgh", 8, 0);
	world_eat(&w, ifx, buf, n);
	n = build_icmp_packet(buf, src4, "10.0.0.2", 13, 0, 0, "abcdefgh1234",
			      12, 0);
	world_eat(&w, ifx, buf, n);
	n = build_icmp_packet(buf, src4, "10.0.0.2", 4, 0, 0, "abcdefgh", 8, 0);
	world_eat(&w, ifx, buf, n);
	assert_int_equal(w.n_out, 42);
	world_fini(&w);
}

/* ---- headers
 * ------------------------------------------------------------------ */

static void ipv4_header_checks(void **state UNUSED)
{
	static const struct {
		int at;
		uint8_t value;
		enum ip_drop why;
	} c[] = {
		{0, 0x55, IP_DROP_BAD_HEADER}, /* version */
		{0, 0x44, IP_DROP_BAD_HEADER}, /* header length */
		{3, 19, IP_DROP_BAD_HEADER},   /* shorter than its header */
		{2, 9, IP_DROP_SHORT},         /* longer than what came */
		{11, 1, IP_DROP_BAD_CSUM},
	};

	setup();
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		uint64_t before = drops(c[i].why);
		size_t n =
			build_udp_packet(buf, src4, "10.0.0.2", 1, 2, "x", 1);

		buf[c[i].at] =
			(uint8_t)(c[i].at == 11 ? buf[11] + 1 : c[i].value);
		if (c[i].at == 3)
			buf[2] = 0;
		world_eat(&w, ifx, buf, n);
		assert_int_equal(drops(c[i].why), before + 1);
	}
	for (size_t n = 0; n < 20; n++) {
		build_udp_packet(buf, src4, "10.0.0.2", 1, 2, "x", 1);
		world_eat(&w, ifx, buf, n);
	}
	assert_int_equal(drops(IP_DROP_SHORT), 21);
	world_fini(&w);
}

/* A UDP packet with IPv4 options (a multiple of four bytes). */
static size_t with_options(const uint8_t *opt, size_t len)
{
	struct hdr h = {.src = src4, .dst = "10.0.0.2", .proto = 17};
	uint8_t body[200];
	size_t n = build_udp(body + len, src4, "10.0.0.2", 1, 2, "x", 1);

	memcpy(body, opt, len);
	n = build_ip4(buf, &h, body, len + n);
	buf[0] = (uint8_t)(0x45 + len / 4);
	{
		uint32_t sum = 0;

		buf[10] = buf[11] = 0;
		for (size_t i = 0; i < 20 + len; i += 2)
			sum += (uint32_t)(buf[i] << 8 | buf[i + 1]);
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		buf[10] = (uint8_t)(~sum >> 8);
		buf[11] = (uint8_t)~sum;
	}
	return n;
}

static void ipv4_options(void **state UNUSED)
{
	static const uint8_t rr[8] = {1, 7, 7, 4, 0, 0, 0, 0};
	static const uint8_t lsrr[8] = {131, 7, 4, 10, 0, 0, 9, 0};
	static const uint8_t ssrr[8] = {1, 137, 7, 4, 10, 0, 0, 9};
	static const uint8_t bad[4] = {1, 7, 40, 0};
	static const uint8_t zero[4] = {7, 0, 0, 0};
	struct ip_rx rx;
	size_t n;

	setup();
	n = with_options(rr, 8);
	assert_true(world_in(&w, ifx, buf, n, &rx));
	assert_int_equal(rx.l3_len, 28);
	world_free(&w, &rx);
	world_eat(&w, ifx, buf, with_options(lsrr, 8));
	world_eat(&w, ifx, buf, with_options(ssrr, 8));
	assert_int_equal(drops(IP_DROP_OPTION), 2);
	assert_int_equal(w.n_out, 0);
	world_eat(&w, ifx, buf, with_options(bad, 4));
	world_eat(&w, ifx, buf, with_options(zero, 4));
	assert_int_equal(drops(IP_DROP_BAD_HEADER), 2);
	/* [RFC1122 3.2.2.5] and is told where */
	assert_int_equal(w.n_out, 2);
	assert_int_equal(w.out[0].bytes[20], 12);
	assert_int_equal(w.out[0].bytes[24], 22);
	world_fini(&w);
}

static void martians(void **state UNUSED)
{
	static const char *const v4[] = {
		"127.0.0.1", "127.0.0.5",       "0.0.0.0",    "0.1.2.3",
		"224.0.0.1", "255.255.255.255", "10.0.0.255", "10.0.0.2"};
	static const char *const v6[] = {"::1", "ff02::1", "::ffff:1.2.3.4",
					 "2001:db8::2", "::"};
	struct ip_addr reserved = addr("ff00::1");
	uint64_t n = 0;
	size_t len;

	setup();
	for (size_t i = 0; i < ARRAY_SIZE(v4); i++) {
		len = build_udp_packet(buf, v4[i], "10.0.0.2", 1, 2, "x", 1);
		world_eat(&w, ifx, buf, len);
		assert_int_equal(drops(IP_DROP_MARTIAN), ++n);
	}
	for (size_t i = 0; i < ARRAY_SIZE(v6); i++) {
		len = build_udp_packet(buf, v6[i], "2001:db8::2", 1, 2, "x", 1);
		world_eat(&w, ifx, buf, len);
		assert_int_equal(drops(IP_DROP_MARTIAN), ++n);
	}
	/* loopback destinations from outside */
	len = build_udp_packet(buf, src4, "127.0.0.1", 1, 2, "x", 1);
	world_eat(&w, ifx, buf, len);
	len = build_udp_packet(buf, src6, "::1", 1, 2, "x", 1);
	world_eat(&w, ifx, buf, len);
	assert_int_equal(drops(IP_DROP_MARTIAN), n + 2);
	/* and what is simply not ours */
	len = build_udp_packet(buf, src4, "10.0.0.3", 1, 2, "x", 1);
	world_eat(&w, ifx, buf, len);
	len = build_udp_packet(buf, src6, "ff05::99", 1, 2, "x", 1);
	world_eat(&w, ifx, buf, len);
	/* [RFC4291 2.7] reserved, even if somebody joined it */
	assert_int_equal(ip_group_join(w.ips, ifx, &reserved, w.now), 0);
	world_drain(&w);
	world_clear(&w);
	len = build_udp_packet(buf, src6, "ff00::1", 1, 2, "x", 1);
	world_eat(&w, ifx, buf, len);
	len = build_udp_packet(buf, src6, "ff01::1", 1, 2, "x", 1);
	world_eat(&w, ifx, buf, len);
	assert_int_equal(drops(IP_DROP_NOT_OURS), 4);
	assert_int_equal(w.n_out, 0);
	world_fini(&w);
}

static void udp_and_tcp_lengths(void **state UNUSED)
{
	struct hdr h = {.src = src4, .dst = "10.0.0.2", .proto = 17};
	struct ip_rx rx;
	uint8_t msg[100];
	size_t n;

	setup();
	n = build_ip4(buf, &h, "1234567", 7);
	world_eat(&w, ifx, buf, n);
	build_udp(msg, src4, "10.0.0.2", 1, 2, "abcd", 4);
	msg[5] = 13; /* more than there is */
	n = build_ip4(buf, &h, msg, 12);
	world_eat(&w, ifx, buf, n);
	msg[5] = 7;
	n = build_ip4(buf, &h, msg, 12);
	world_eat(&w, ifx, buf, n);
	assert_int_equal(drops(IP_DROP_SHORT), 3);
	/* less than there is: the rest is cut off */
	build_udp(msg, src4, "10.0.0.2", 1, 2, "abcd", 4);
	memcpy(msg + 12, "trailer", 7);
	n = build_ip4(buf, &h, msg, 19);
	assert_true(world_in(&w, ifx, buf, n, &rx));
	assert_int_equal(rx.pkt->len, 12);
	world_free(&w, &rx);
	h.proto = 6;
	build_tcp(msg, src4, "10.0.0.2", 1, 2, NULL, 0);
	n = build_ip4(buf, &h, msg, 19);
	world_eat(&w, ifx, buf, n);
	assert_int_equal(drops(IP_DROP_SHORT), 4);
	n = build_ip4(buf, &h, msg, 20);
	assert_true(world_in(&w, ifx, buf, n, &rx));
	world_free(&w, &rx);
	world_fini(&w);
}

/* ---- extension headers
 * ---------------------------------------------------------- */

/* IPv6 packet: first header `nh`, then `ext`, then a UDP datagram. */
static size_t chain(uint8_t nh, const uint8_t *ext, size_t len, const char *dst)
{
	struct hdr h = {.src = src6, .dst = dst, .proto = nh};
	uint8_t body[1000];
	size_t n;

	memcpy(body, ext, len);
	n = build_udp(body + len, src6, dst, 1, 2, "payload", 7);
	return build_ip6(buf, &h, body, len + n);
}

static void expect_problem(uint8_t code, uint32_t pointer)
{
	const uint8_t *o;

	assert_int_equal(w.n_out, 1);
	o = w.out[0].bytes;
	check_sums(&w.out[0]);
	assert_int_equal(o[40], 4);
	assert_int_equal(o[41], code);
	assert_int_equal((uint32_t)o[44] << 24 | (uint32_t)o[45] << 16 |
				 (uint32_t)o[46] << 8 | o[47],
			 pointer);
	world_clear(&w);
}

static void good_chains(void **state UNUSED)
{
	/* hop-by-hop (PadN), routing (none left), destination (PadN) */
	static const uint8_t ext[] = {
		43, 0, 1,    4, 0, 0, 0, 0, /* hop-by-hop */
		60, 0, 0,    0, 0, 0, 0, 0, /* routing type 0, 0 left */
		17, 0, 0x1e, 1, 0, 0, 1, 0, /* unknown option: skip */
	};
	struct ip_rx rx;
	size_t n;

	setup();
	n = chain(0, ext, sizeof(ext), "2001:db8::2");
	ip_iface_set_up(w.ips, ifx, true, w.now);
	assert_true(world_in(&w, ifx, buf, n, &rx));
	assert_int_equal(rx.l3_len, 40 + 24);
	assert_int_equal(rx.pkt->len, 15);
	/* the error quotes it all */
	ip_unreachable_port(w.ips, &rx, w.now);
	world_free(&w, &rx);
	world_drain(&w);
	assert_int_equal(w.n_out, 1);
	assert_memory_equal(w.out[0].bytes + 48, buf, n);
	world_fini(&w);
}

static void option_actions(void **state UNUSED)
{
	static const struct {
		uint8_t type;
		const char *dst;
		bool delivered, told;
	} c[] = {
		{0x3e, "2001:db8::2", true, false},
		{0x7e, "2001:db8::2", false, false},
		{0xbe, "2001:db8::2", false, true},
		{0xfe, "2001:db8::2", false, true},
		{0x3e, "ff02::1", true, false},
		{0x7e, "ff02::1", false, false},
		{0xbe, "ff02::1", false, true},
		{0xfe, "ff02::1", false, false},
	};

	setup();
	for (int hbh = 0; hbh < 2; hbh++) {
		for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
			uint8_t ext[8] = {17, 0, 1, 0, c[i].type, 2, 0, 0};
			size_t n = chain(hbh ? 0 : 60, ext, 8, c[i].dst);
			struct ip_rx rx;
			bool got = world_in(&w, ifx, buf, n, &rx);

			world_drain(&w);
			assert_int_equal(got, c[i].delivered);
			if (got)
				world_free(&w, &rx);
			if (c[i].told)
				expect_problem(2, 44);
			else
				assert_int_equal(w.n_out, 0);
		}
	}
	assert_int_equal(drops(IP_DROP_OPTION), 12);
	world_fini(&w);
}

static void bad_chains(void **state UNUSED)
{
	static const uint8_t rh[8] = {17, 0, 0, 1};
	static const uint8_t rh4[8] = {17, 0, 4, 1};
	static const uint8_t late_hbh[16] = {0, 0, 1,  4, 0, 0,
					     0, 0, 17, 0, 1, 4};
	static const uint8_t over[8] = {17, 0, 1, 9};
	static const uint8_t cut[8] = {17, 30};
	static const uint8_t none[8] = {59, 0, 1, 4};
	static const uint8_t unknown[8] = {200, 0, 1, 4};
	uint8_t many[80], opts[24] = {17, 2};

	setup();
	/* [RFC5095 3] and any routing header with segments left */
	world_eat(&w, ifx, buf, chain(43, rh, 8, "2001:db8::2"));
	expect_problem(0, 42);
	world_eat(&w, ifx, buf, chain(43, rh4, 8, "2001:db8::2"));
	expect_problem(0, 42);
	assert_int_equal(drops(IP_DROP_OPTION), 2);
	/* [RFC8200 4.1] hop-by-hop in the middle */
	world_eat(&w, ifx, buf, chain(60, late_hbh, 16, "2001:db8::2"));
	expect_problem(1, 40);
	/* an option that runs out of its header */
	world_eat(&w, ifx, buf, chain(60, over, 8, "2001:db8::2"));
	expect_problem(0, 42);
	assert_int_equal(drops(IP_DROP_BAD_HEADER), 2);
	/* a header that runs out of the packet */
	world_eat(&w, ifx, buf, chain(60, cut, 8, "2001:db8::2"));
	assert_int_equal(drops(IP_DROP_SHORT), 1);
	/* nothing follows */
	world_eat(&w, ifx, buf, chain(60, none, 8, "2001:db8::2"));
	assert_int_equal(drops(IP_DROP_NO_PROTO), 1);
	assert_int_equal(w.n_out, 0);
	/* nobody knows what follows */
	world_eat(&w, ifx, buf, chain(60, unknown, 8, "2001:db8::2"));
	expect_problem(1, 40);
	assert_int_equal(drops(IP_DROP_NO_PROTO), 2);
	/* chains and options without end */
	memset(many, 0, sizeof(many));
	for (int i = 0; i < 10; i++) {
		many[i * 8] = i == 9 ? 17 : 60;
		many[i * 8 + 2] = 1;
		many[i * 8 + 3] = 4;
	}
	world_eat(&w, ifx, buf, chain(60, many, 80, "2001:db8::2"));
	assert_int_equal(drops(IP_DROP_BAD_HEADER), 3);
	world_eat(&w, ifx, buf, chain(60, opts, 24, "2001:db8::2"));
	assert_int_equal(drops(IP_DROP_OPTION), 3);
	assert_int_equal(w.n_out, 0);
	world_fini(&w);
}

static void protocols_of_the_other_family(void **state UNUSED)
{
	struct hdr h = {.src = src6, .dst = "2001:db8::2", .proto = 1};
	size_t n;

	setup();
	n = build_ip6(buf, &h, "12345678", 8);
	world_eat(&w, ifx, buf, n);
	expect_problem(1, 6);
	h = (struct hdr){.src = src4, .dst = "10.0.0.2", .proto = 58};
	n = build_ip4(buf, &h, "12345678", 8);
	world_eat(&w, ifx, buf, n);
	assert_int_equal(w.n_out, 1);
	assert_int_equal(w.out[0].bytes[20], 3);
	assert_int_equal(w.out[0].bytes[21], 2);
	assert_int_equal(drops(IP_DROP_NO_PROTO), 2);
	world_fini(&w);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(port_unreachable),
	cmocka_unit_test(never_an_error_about),
	cmocka_unit_test(errors_are_rationed),
	cmocka_unit_test(rate_accumulates),
	cmocka_unit_test(errors_become_events),
	cmocka_unit_test(errors_that_are_lies),
	cmocka_unit_test(event_queue_keeps_the_oldest),
	cmocka_unit_test(redirect4),
	cmocka_unit_test(echo_rules),
	cmocka_unit_test(ipv4_header_checks),
	cmocka_unit_test(ipv4_options),
	cmocka_unit_test(martians),
	cmocka_unit_test(udp_and_tcp_lengths),
	cmocka_unit_test(good_chains),
	cmocka_unit_test(option_actions),
	cmocka_unit_test(bad_chains),
	cmocka_unit_test(protocols_of_the_other_family),
};

UNIT_MAIN(tests)
