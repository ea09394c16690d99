/* Fragments in and out, their bounds and their end. */
#include "base/cursor.h"
#include "ip/ip_int.h"
#include "wire/ipv6.h"
#include "world.h"

#include <errno.h>

static struct world w;
static uint8_t data[65536], pktbuf[70000];
static uint32_t ifx;

static void setup_tune(const struct ip_tune *tune)
{
	world_init(&w, tune);
	ifx = world_l3(&w, 1500);
	world_addr(&w, ifx, "10.0.0.2", 24);
	world_addr(&w, ifx, "2001:db8::2", 64);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + (i >> 8));
}

static const uint64_t *drops(void)
{
	return ip_drops(w.ips);
}

/* A fragment of `msg`; true = something was delivered. */
static bool frag(bool v6, uint32_t id, const uint8_t *msg, uint32_t off,
		 uint32_t len, bool more, struct ip_rx *rx)
{
	static uint8_t body[66000];
	struct hdr h = {.src = v6 ? "2001:db8::1" : "10.0.0.1",
			.dst = v6 ? "2001:db8::2" : "10.0.0.2"};
	struct ipv6_frag f = {17, (uint16_t)off, more, id};
	size_t n;

	if (v6) {
		ipv6_frag_emit(&f, body);
		memcpy(body + 8, msg + off, len);
		h.proto = 44;
		n = build_ip6(pktbuf, &h, body, len + 8);
	} else {
		h.proto = 17;
		h.id = (uint16_t)id;
		h.mf = more;
		h.frag_off = (uint16_t)off;
		n = build_ip4(pktbuf, &h, msg + off, len);
	}
	return world_in(&w, ifx, pktbuf, n, rx);
}

static uint32_t make_udp(bool v6, uint8_t *msg, uint32_t len)
{
	return (uint32_t)build_udp(msg, v6 ? "2001:db8::1" : "10.0.0.1",
				   v6 ? "2001:db8::2" : "10.0.0.2", 7, 9, data,
				   len);
}

static void any_order(void **state UNUSED)
{
	static const int order[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
				       {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	static uint8_t msg[66000];
	struct ip_rx rx;

	setup_tune(NULL);
	for (uint32_t v6 = 0; v6 < 2; v6++) {
		for (size_t o = 0; o < ARRAY_SIZE(order); o++) {
			uint32_t n = make_udp(v6, msg, 3000);
			bool got = false;

			for (int k = 0; k < 3; k++) {
				uint32_t off = (uint32_t)order[o][k] * 1200;

				assert_false(got);
				got = frag(v6, 100 + (uint32_t)o, msg, off,
					   MIN(1200, n - off), off + 1200 < n,
					   &rx);
			}
			assert_true(got);
			assert_int_equal(rx.pkt->len, n);
			assert_memory_equal(pkt_data(rx.pkt), msg, n);
			assert_int_equal(rx.l3_len, v6 ? 40 : 20);
			/* the rebuilt header may be quoted */
			assert_int_equal(pkt_data(rx.pkt)[-rx.l3_len] >> 4,
					 v6 ? 6 : 4);
			world_free(&w, &rx);
		}
	}
	assert_int_equal(ip_counters(w.ips)->reassembled, 12);
	assert_int_equal(w.pool.used_bytes, 0);
	world_fini(&w);
}

/* A fragment that fills a small buffer just so keeps its header. */
static void header_of_a_large_first_fragment(void **state UNUSED)
{
	static const uint32_t size[] = {1960, 2000, 2024, 2032, 2040, 2048};
	static uint8_t msg[66000];
	struct ip_rx rx;

	setup_tune(NULL);
	for (uint32_t v6 = 0; v6 < 2; v6++) {
		for (size_t i = 0; i < ARRAY_SIZE(size); i++) {
			struct ip_addr s =
				addr(v6 ? "2001:db8::1" : "10.0.0.1");
			uint32_t n = make_udp(v6, msg, 3000);
			const uint8_t *l3;

			assert_false(frag(v6, 9, msg, 0, size[i], true, &rx));
			assert_true(frag(v6, 9, msg, size[i], n - size[i],
					 false, &rx));
			l3 = pkt_data(rx.pkt) - rx.l3_len;
			assert_memory_equal(l3 + (v6 ? 8 : 12), s.b,
					    v6 ? 16 : 4);
			assert_memory_equal(pkt_data(rx.pkt), msg, n);
			world_free(&w, &rx);
		}
	}
	world_fini(&w);
}

static void biggest_datagram(void **state UNUSED)
{
	static uint8_t msg[66000];
	struct ip_rx rx;

	setup_tune(NULL);
	for (uint32_t v6 = 0; v6 < 2; v6++) {
		uint32_t n = make_udp(v6, msg, v6 ? 65527 : 65507);
		bool got = false;

		for (uint32_t off = 0; off < n; off += 1400)
			got = frag(v6, 5, msg, off, MIN(1400, n - off),
				   off + 1400 < n, &rx);
		assert_true(got);
		assert_int_equal(rx.pkt->len, n);
		assert_memory_equal(pkt_data(rx.pkt), msg, n);
		world_free(&w, &rx);
	}
	world_fini(&w);
}

static void beyond_65535(void **state UNUSED)
{
	struct ip_rx rx;

	setup_tune(NULL);
	/* [RFC791] the ping of death */
	assert_false(frag(false, 1, data, 65528, 8, false, &rx));
	assert_int_equal(drops()[IP_DROP_FRAG_BAD], 1);
	assert_false(frag(true, 1, data, 65528, 8, false, &rx));
	assert_int_equal(drops()[IP_DROP_FRAG_BAD], 2);
	/* [RFC8200 4.5] and is told where: the offset field */
	world_drain(&w);
	assert_int_equal(w.n_out, 1);
	assert_int_equal(w.out[0].bytes[40], 4);
	assert_int_equal(w.out[0].bytes[41], 0);
	assert_int_equal(w.out[0].bytes[47], 42);
	/* a length that is no multiple of eight */
	assert_false(frag(false, 1, data, 0, 1201, true, &rx));
	assert_int_equal(drops()[IP_DROP_FRAG_BAD], 3);
	assert_false(frag(true, 1, data, 0, 1201, true, &rx));
	assert_int_equal(drops()[IP_DROP_FRAG_BAD], 4);
	world_drain(&w);
	assert_int_equal(w.n_out, 2);
	assert_int_equal(w.out[1].bytes[47], 4);
	/* nothing at all in it */
	assert_false(frag(false, 1, data, 800, 0, true, &rx));
	assert_int_equal(drops()[IP_DROP_FRAG_BAD], 5);
	world_fini(&w);
}

static void overlap_kills_the_datagram(void **state UNUSED)
{
	static const struct {
		uint32_t off, len;
		bool more;
	} evil[] = {
		{8, 16, true},   /* inside the first */
		{88, 16, true},  /* over the first's end */
		{192, 16, true}, /* over the second's start, past its end */
		{0, 96, true},   /* the first again, other bytes */
		{104, 8, false}, /* an end in the middle */
	};
	static uint8_t msg[4000];
	struct ip_rx rx;

	setup_tune(NULL);
	for (uint32_t v6 = 0; v6 < 2; v6++) {
		for (size_t i = 0; i < ARRAY_SIZE(evil); i++) {
			uint64_t before = drops()[IP_DROP_FRAG_OVERLAP];
			uint32_t n = make_udp(v6, msg, 400),
				 id = 300 + (uint32_t)i;

			assert_false(frag(v6, id, msg, 0, 96, true, &rx));
			assert_false(frag(v6, id, msg, 200, 96, true, &rx));
			msg[50] ^= 1;
			assert_false(frag(v6, id, msg, evil[i].off, evil[i].len,
					  evil[i].more, &rx));
			msg[50] ^= 1;
			assert_int_equal(drops()[IP_DROP_FRAG_OVERLAP],
					 before + 1);
			/* [RFC5722 4] nothing of it is ever delivered */
			assert_false(frag(v6, id, msg, 96, 104, true, &rx));
			assert_false(
				frag(v6, id, msg, 296, n - 296, false, &rx));
			assert_int_equal(drops()[IP_DROP_FRAG_OVERLAP],
					 before + 3);
			assert_int_equal(w.pool.used_bytes, 0);
		}
	}
	world_fini(&w);
}

static void an_end_that_moves(void **state UNUSED)
{
	struct ip_rx rx;

	setup_tune(NULL);
	for (uint32_t v6 = 0; v6 < 2; v6++) {
		uint64_t before = drops()[IP_DROP_FRAG_OVERLAP];

		/* something behind the end */
		assert_false(frag(v6, 1, data, 200, 80, false, &rx));
		assert_false(frag(v6, 1, data, 280, 80, true, &rx));
		/* a second end */
		assert_false(frag(v6, 2, data, 200, 80, false, &rx));
		assert_false(frag(v6, 2, data, 160, 40, false, &rx));
		/* an end before what is there */
		assert_false(frag(v6, 3, data, 280, 80, true, &rx));
		assert_false(frag(v6, 3, data, 200, 80, false, &rx));
		assert_int_equal(drops()[IP_DROP_FRAG_OVERLAP], before + 3);
		assert_int_equal(w.pool.used_bytes, 0);
	}
	world_fini(&w);
}

static void exact_duplicates_are_harmless(void **state UNUSED)
{
	static uint8_t msg[4000];
	struct ip_rx rx;

	setup_tune(NULL);
	for (uint32_t v6 = 0; v6 < 2; v6++) {
		uint32_t n = make_udp(v6, msg, 400);

		assert_false(frag(v6, 1, msg, 0, 200, true, &rx));
		assert_false(frag(v6, 1, msg, 0, 200, true, &rx));
		assert_false(frag(v6, 1, msg, 304, n - 304, false, &rx));
		assert_false(frag(v6, 1, msg, 304, n - 304, false, &rx));
		assert_true(frag(v6, 1, msg, 200, 104, true, &rx));
		assert_memory_equal(pkt_data(rx.pkt), msg, n);
		world_free(&w, &rx);
	}
	assert_int_equal(drops()[IP_DROP_FRAG_OVERLAP], 0);
	world_fini(&w);
}

static void tiny_fragments(void **state UNUSED)
{
	static uint8_t msg[4000];
	struct ip_rx rx;
	uint32_t n;
	bool got = false;

	setup_tune(NULL);
	n = make_udp(false, msg, 800);
	for (uint32_t off = 0; off < n; off += 8)
		got = frag(false, 1, msg, off, MIN(8, n - off), off + 8 < n,
			   &rx);
	assert_true(got);
	assert_memory_equal(pkt_data(rx.pkt), msg, n);
	world_free(&w, &rx);
	/* but not without an end: 256 pieces are enough for anybody */
	for (uint32_t off = 0; off < 8 * 300; off += 8)
		assert_false(frag(false, 2, data, off, 8, true, &rx));
	assert_true(drops()[IP_DROP_FRAG_LIMIT] >= 1);
	assert_int_equal(w.pool.used_bytes, 0);
	/* [RFC7112 5] IPv6 wants all headers in the first */
	assert_false(frag(true, 3, msg, 0, 0, true, &rx));
	world_fini(&w);
}

static void first_fragment_without_headers(void **state UNUSED)
{
	static uint8_t body[200];
	struct ipv6_frag f = {6, 0, true, 77};
	struct hdr h = {"2001:db8::1", "2001:db8::2", 44, .ttl = 64};
	size_t n;

	setup_tune(NULL);
	ipv6_frag_emit(&f, body);
	n = build_ip6(pktbuf, &h, body, 8 + 16); /* TCP needs 20 */
	world_eat(&w, ifx, pktbuf, n);
	assert_int_equal(drops()[IP_DROP_FRAG_BAD], 1);
	assert_int_equal(w.n_out, 1);
	assert_int_equal(w.out[0].bytes[40], 4);
	assert_int_equal(w.out[0].bytes[41], 3);
	world_fini(&w);
}

static void timeout_is_told(void **state UNUSED)
{
	struct ip_rx rx;

	setup_tune(NULL);
	assert_false(frag(false, 1, data, 0, 800, true, &rx));
	assert_false(frag(true, 1, data, 0, 800, true, &rx));
	/* without the first fragment nobody is told */
	assert_false(frag(false, 2, data, 800, 800, true, &rx));
	world_run(&w, 29999);
	assert_int_equal(w.n_out, 0);
	world_run(&w, 2);
	assert_int_equal(w.n_out, 1);
	assert_int_equal(w.out[0].bytes[20], 11); /* time exceeded */
	assert_int_equal(w.out[0].bytes[21], 1);
	assert_int_equal(drops()[IP_DROP_FRAG_TIMEOUT], 2);
	world_run(&w, 30000);
	assert_int_equal(w.n_out, 2);
	assert_int_equal(w.out[1].bytes[40], 3);
	assert_int_equal(w.out[1].bytes[41], 1);
	check_sums(&w.out[1]);
	assert_int_equal(w.pool.used_bytes, 0);
	world_fini(&w);
}

static void memory_is_bounded(void **state UNUSED)
{
	struct ip_tune tune;
	struct ip_rx rx;
	static uint8_t msg[4000];
	uint32_t n;

	ip_tune_default(&tune);
	tune.reasm_limit_bytes = 100000;
	tune.reasm_per_src = 1000;
	setup_tune(&tune);
	for (uint32_t id = 0; id < 500; id++) {
		assert_false(frag(id & 1, id, data, 0, 800, true, &rx));
		assert_true(w.pool.used_bytes <= 100000);
	}
	assert_true(drops()[IP_DROP_FRAG_LIMIT] > 400);
	/* whoever comes last is served */
	n = make_udp(false, msg, 1000);
	assert_false(frag(false, 9999, msg, 0, 800, true, &rx));
	assert_true(frag(false, 9999, msg, 800, n - 800, false, &rx));
	world_free(&w, &rx);
	world_fini(&w);
}

static void one_source_gets_no_more_than_its_share(void **state UNUSED)
{
	struct ip_tune tune;
	struct ip_rx rx;

	ip_tune_default(&tune);
	tune.reasm_per_src = 5;
	setup_tune(&tune);
	for (uint32_t id = 0; id < 8; id++)
		assert_false(frag(false, id, data, 0, 800, true, &rx));
	assert_int_equal(drops()[IP_DROP_FRAG_LIMIT], 3);
	/* another source has its own */
	assert_false(frag(true, 1, data, 0, 800, true, &rx));
	assert_int_equal(drops()[IP_DROP_FRAG_LIMIT], 3);
	/* and time gives it back */
	world_run(&w, 31000);
	assert_false(frag(false, 100, data, 0, 800, true, &rx));
	assert_int_equal(drops()[IP_DROP_FRAG_LIMIT], 3);
	world_fini(&w);
}

static void number_of_datagrams_is_bounded(void **state UNUSED)
{
	struct ip_tune tune;
	struct ip_rx rx;

	ip_tune_default(&tune);
	tune.reasm_per_src = 60000;
	tune.reasm_limit_bytes = 64u << 20;
	setup_tune(&tune);
	for (uint32_t id = 0; id < 1500; id++)
		assert_false(frag(true, id, data, 0, 16, true, &rx));
	assert_int_equal(drops()[IP_DROP_FRAG_LIMIT], 1500 - 1024);
	world_fini(&w);
}

/* [RFC6946] an atomic fragment neither waits nor meets others */
static void atomic_fragment(void **state UNUSED)
{
	static uint8_t msg[4000];
	struct ip_rx rx;
	uint32_t n;

	setup_tune(NULL);
	n = make_udp(true, msg, 100);
	assert_false(frag(true, 1, data, 0, 800, true, &rx));
	assert_true(frag(true, 1, msg, 0, n, false, &rx));
	assert_int_equal(rx.l3_len, 48);
	world_free(&w, &rx);
	assert_int_equal(ip_counters(w.ips)->fragments_in, 1);
	world_fini(&w);
}

static void ecn_of_fragments(void **state UNUSED)
{
	static const struct {
		uint8_t a, b;
		int want; /* -1: dropped */
	} c[] = {{0, 0, 0}, {2, 2, 2},  {1, 1, 1}, {2, 3, 3},
		 {1, 3, 3}, {0, 3, -1}, {0, 2, 0}, {1, 2, 2}};
	static uint8_t msg[4000];
	struct ip_rx rx;
	uint32_t n;

	setup_tune(NULL);
	n = make_udp(false, msg, 1000);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct hdr h = {"10.0.0.1",    "10.0.0.2",        17,
				.tos = c[i].a, .id = (uint16_t)i, .mf = true};
		size_t len = build_ip4(pktbuf, &h, msg, 800);

		assert_false(world_in(&w, ifx, pktbuf, len, &rx));
		h.tos = c[i].b;
		h.mf = false;
		h.frag_off = 800;
		len = build_ip4(pktbuf, &h, msg + 800, n - 800);
		assert_int_equal(world_in(&w, ifx, pktbuf, len, &rx),
				 c[i].want >= 0);
		if (c[i].want >= 0) {
			assert_int_equal(rx.ecn, c[i].want);
			world_free(&w, &rx);
		}
	}
	world_fini(&w);
}

/* What we cut up, another stack of ours puts together. */
static void out_and_in_again(void **state UNUSED)
{
	static const uint32_t sizes[] = {1473, 2000, 65507, 3000, 1480 * 2 - 8};
	struct ip_addr d;
	struct ip_path p;
	struct ip_rx rx;

	setup_tune(NULL);
	for (uint32_t v6 = 0; v6 < 2; v6++) {
		d = addr(v6 ? "2001:db8::1" : "10.0.0.1");
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			struct ip_tx tx;
			bool got = false;
			uint32_t n = sizes[i];

			assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
			/* payload in odd pieces */
			tx = world_udp(&p, 7, 9, data, n);
			tx.iov[0].iov_len = 333;
			tx.iov[1] = (struct iovec){data + 333, 1001};
			tx.iov[2] = (struct iovec){data + 1334, n - 1334};
			tx.n_iov = 3;
			assert_int_equal(world_tx(&w, &tx), 0);
			assert_true(w.n_out >= 2);
			for (int k = 0; k < w.n_out; k++) {
				struct out *o = &w.out[k];

				assert_true(o->len <= 1500);
				assert_false(o->needs_csum);
				check_sums(o);
				/* turn it round */
				if (v6) {
					memcpy(o->bytes + 8, d.b, 16);
					memcpy(o->bytes + 24, p.src.b, 16);
				} else {
					memcpy(o->bytes + 12, d.b, 4);
					memcpy(o->bytes + 16, p.src.b, 4);
				}
				got = world_in(&w, ifx, o->bytes, o->len, &rx);
			}
			assert_true(got);
			assert_int_equal(rx.pkt->len, n + 8);
			assert_memory_equal(pkt_data(rx.pkt) + 8, data, n);
			world_free(&w, &rx);
			world_clear(&w);
		}
	}
	world_fini(&w);
}

static void dont_fragment_and_sizes(void **state UNUSED)
{
	struct ip_addr d;
	struct ip_path p;
	struct ip_tx tx;

	setup_tune(NULL);
	for (uint32_t v6 = 0; v6 < 2; v6++) {
		d = addr(v6 ? "2001:db8::1" : "10.0.0.1");
		assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
		tx = world_udp(&p, 7, 9, data, 1500);
		tx.dont_fragment = true;
		assert_int_equal(world_tx(&w, &tx), -EMSGSIZE);
		/* and stays finished */
		assert_int_equal(world_tx(&w, &tx), 0);
		tx = world_udp(&p, 7, 9, data, 65535);
		assert_int_equal(world_tx(&w, &tx), -EMSGSIZE);
		tx = world_udp(&p, 7, 9, data, 1500 - (v6 ? 48 : 28));
		tx.dont_fragment = true;
		assert_int_equal(world_tx(&w, &tx), 0);
		assert_int_equal(w.n_out, 1);
		assert_int_equal(w.out[0].len, 1500);
		if (!v6)
			assert_int_equal(w.out[0].bytes[6] & 0x40, 0x40);
		world_clear(&w);
	}
	world_fini(&w);
}

static uint32_t ident_of(const char *dst)
{
	struct ip_addr d = addr(dst);
	struct ip_path p;
	struct ip_tx tx;
	uint32_t id;

	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	tx = world_udp(&p, 7, 9, data, 20);
	assert_int_equal(world_tx(&w, &tx), 0);
	id = (uint32_t)(w.out[0].bytes[4] << 8 | w.out[0].bytes[5]);
	world_clear(&w);
	return id;
}

/* [RFC6864] [RFC7739] */
static void identifications(void **state UNUSED)
{
	uint8_t seen[65536] = {0};
	uint32_t a;

	setup_tune(NULL);
	a = ident_of("10.0.0.1");
	/* none comes again soon */
	for (int i = 0; i < 2000; i++) {
		uint32_t id = ident_of("10.0.0.1");

		assert_int_equal(seen[id]++, 0);
	}
	/* another destination is elsewhere */
	assert_true(ident_of("10.0.0.3") - a > 5000 ||
		    a - ident_of("10.0.0.4") > 5000);
	world_fini(&w);
}

static void path_mtu(void **state UNUSED)
{
	struct ip_addr d4 = addr("10.0.0.1"), d6 = addr("2001:db8::1");
	struct ip_path p;
	uint64_t gen;
	struct ip_tx tx;

	setup_tune(NULL);
	gen = ip_path_gen(w.ips);
	assert_int_equal(ip_pmtu_set(w.ips, &d4, 1400, w.now), 0);
	assert_true(ip_path_gen(w.ips) != gen);
	assert_int_equal(ip_path(w.ips, &d4, NULL, 0, &p), 0);
	assert_int_equal(p.mtu, 1400);
	/* never up */
	assert_int_equal(ip_pmtu_set(w.ips, &d4, 1450, w.now), -EALREADY);
	assert_int_equal(ip_pmtu_set(w.ips, &d4, 9000, w.now), -EALREADY);
	/* [RFC8201 4] [RFC8021] */
	assert_int_equal(ip_pmtu_set(w.ips, &d6, 1279, w.now), -EINVAL);
	assert_int_equal(ip_pmtu_set(w.ips, &d6, 1280, w.now), 0);
	assert_int_equal(ip_path(w.ips, &d6, NULL, 0, &p), 0);
	assert_int_equal(p.mtu, 1280);
	/* less than we believe: DF goes, the packet passes */
	assert_int_equal(ip_pmtu_set(w.ips, &d4, 100, w.now), 0);
	assert_int_equal(ip_path(w.ips, &d4, NULL, 0, &p), 0);
	assert_int_equal(p.mtu, 552);
	assert_true(p.mtu_locked);
	tx = world_udp(&p, 7, 9, data, 1000);
	tx.dont_fragment = true;
	assert_int_equal(world_tx(&w, &tx), 0);
	assert_int_equal(w.n_out, 2);
	assert_int_equal(w.out[0].bytes[6] & 0x40, 0);
	world_clear(&w);
	tx = world_udp(&p, 7, 9, data, 100);
	tx.dont_fragment = true;
	assert_int_equal(world_tx(&w, &tx), 0);
	assert_int_equal(w.out[0].bytes[6] & 0x40, 0);
	/* ten minutes later the link's MTU is tried again */
	gen = ip_path_gen(w.ips);
	world_run(&w, 601000);
	assert_true(ip_path_gen(w.ips) != gen);
	assert_int_equal(ip_path(w.ips, &d4, NULL, 0, &p), 0);
	assert_int_equal(p.mtu, 1500);
	assert_false(p.mtu_locked);
	world_fini(&w);
}

static void path_mtu_table_is_bounded(void **state UNUSED)
{
	struct ip_addr d = addr("10.0.0.1"), first = d;
	struct ip_path p;

	setup_tune(NULL);
	for (int i = 0; i < 1030; i++) {
		d.b[2] = (uint8_t)(i >> 8);
		d.b[3] = (uint8_t)i;
		w.now.ns++;
		(void)!ip_pmtu_set(w.ips, &d, 1000, w.now);
	}
	assert_int_equal(w.ips->n_pmtu, 1024);
	first.b[3] = 0;
	assert_null(ip_pmtu_get(w.ips, &first)); /* the oldest went */
	d.b[2] = 0;
	d.b[3] = 50;
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	assert_int_equal(p.mtu, 1000);
	world_fini(&w);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(any_order),
	cmocka_unit_test(header_of_a_large_first_fragment),
	cmocka_unit_test(biggest_datagram),
	cmocka_unit_test(beyond_65535),
	cmocka_unit_test(overlap_kills_the_datagram),
	cmocka_unit_test(an_end_that_moves),
	cmocka_unit_test(exact_duplicates_are_harmless),
	cmocka_unit_test(tiny_fragments),
	cmocka_unit_test(first_fragment_without_headers),
	cmocka_unit_test(timeout_is_told),
	cmocka_unit_test(memory_is_bounded),
	cmocka_unit_test(one_source_gets_no_more_than_its_share),
	cmocka_unit_test(number_of_datagrams_is_bounded),
	cmocka_unit_test(atomic_fragment),
	cmocka_unit_test(ecn_of_fragments),
	cmocka_unit_test(out_and_in_again),
	cmocka_unit_test(dont_fragment_and_sizes),
	cmocka_unit_test(identifications),
	cmocka_unit_test(path_mtu),
	cmocka_unit_test(path_mtu_table_is_bounded),
};

UNIT_MAIN(tests)
