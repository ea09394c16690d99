#include "world.h"

#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#include <stdlib.h>

const uint8_t world_mac[6] = {2, 0, 0, 0, 0, 1};
const uint8_t world_peer[6] = {2, 0, 0, 0, 0, 2};
const uint8_t world_other[6] = {2, 0, 0, 0, 0, 3};

static uint64_t rand64(void *arg)
{
	uint64_t *s = arg, z;

	*s += 0x9e3779b97f4a7c15u;
	z = *s;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

void world_init_pool(struct world *w, const struct ip_tune *tune,
		     size_t pool_limit)
{
	struct ip_env env = {
		.rand64 = rand64,
		.rand_arg = &w->seed,
		.pool = &w->pool,
		.key = {1, 2},
	};

	memset(w, 0, sizeof(*w));
	w->now.ns = 1000000000;
	pkt_pool_init(&w->pool, pool_limit);
	if (tune)
		w->tune = *tune;
	else
		ip_tune_default(&w->tune);
	w->ips = ip_stack_new(&env, &w->tune);
	assert_non_null(w->ips);
}

void world_init(struct world *w, const struct ip_tune *tune)
{
	world_init_pool(w, tune, 256u << 20);
}

void world_clear(struct world *w)
{
	for (int i = 0; i < w->n_out; i++)
		free(w->out[i].bytes);
	w->n_out = 0;
}

void world_fini(struct world *w)
{
	world_clear(w);
	ip_stack_free(w->ips);
	assert_int_equal(w->pool.used_bytes, 0);
	pkt_pool_fini(&w->pool);
}

static uint32_t add_iface(struct world *w, enum ip_link_kind kind, uint32_t mtu)
{
	struct ip_iface_config c = {
		.kind = kind,
		.mtu = mtu,
		.v4 = true,
		.v6 = mtu >= 1280,
	};
	int r;

	snprintf(c.name, sizeof(c.name), "LINK%u", mtu);
	memcpy(c.mac, world_mac, 6);
	r = ip_iface_add(w->ips, &c, w->now);
	assert_true(r > 1);
	return (uint32_t)r;
}

uint32_t world_l3(struct world *w, uint32_t mtu)
{
	return add_iface(w, IP_LINK_L3, mtu);
}

uint32_t world_l2(struct world *w, uint32_t mtu)
{
	return add_iface(w, IP_LINK_L2, mtu);
}

void world_addr(struct world *w, uint32_t ifindex, const char *a, unsigned plen)
{
	struct ip_addr ad = addr(a);

	assert_int_equal(ip_addr_add(w->ips, ifindex, &ad, plen, w->now), 0);
}

static void keep(struct world *w, const struct frame *f)
{
	struct out *o = &w->out[w->n_out++];
	uint32_t sum = 0;

	assert_true(w->n_out < WORLD_OUT_MAX);
	for (int i = 0; i < f->n_iov; i++)
		sum += (uint32_t)f->iov[i].iov_len;
	assert_int_equal(sum, f->payload_len);
	*o = (struct out){
		.ifindex = f->ifindex,
		.len = (uint32_t)frame_len(f),
		.l2_len = f->l2_len,
		.gso = f->gso,
		.gso_size = f->gso_size,
		.needs_csum = f->needs_csum,
		.csum_start = f->csum_start,
		.csum_offset = f->csum_offset,
	};
	o->bytes = malloc(o->len);
	assert_int_equal(frame_copy(f, o->bytes, o->len), o->len);
}

void world_drain(struct world *w)
{
	struct frame f;

	while (ip_output(w->ips, &f, w->now))
		keep(w, &f);
	assert_true(mono_lt(w->now, ip_deadline(w->ips)));
}

void world_run(struct world *w, uint32_t ms)
{
	mono_t end = mono_add(w->now, DUR_MS(ms));
	int rounds = 0;

	world_drain(w);
	while (mono_leq(ip_deadline(w->ips), end)) {
		w->now = ip_deadline(w->ips);
		ip_expire(w->ips, w->now);
		world_drain(w);
		assert_true(++rounds < 1000000);
	}
	w->now = end;
}

bool world_in(struct world *w, uint32_t ifindex, const void *bytes, size_t len,
	      struct ip_rx *rx)
{
	struct pkt *p = pkt_new(&w->pool, len > PKT_SMALL_CAP - PKT_HEADROOM
						  ? PKT_LARGE
						  : PKT_SMALL);

	assert_non_null(p);
	memcpy(pkt_data(p), bytes, len);
	p->len = (uint32_t)len;
	p->ifindex = ifindex;
	return ip_input(w->ips, p, rx, w->now);
}

void world_eat(struct world *w, uint32_t ifindex, const void *bytes, size_t len)
{
	struct ip_rx rx;

	assert_false(world_in(w, ifindex, bytes, len, &rx));
	world_drain(w);
}

void world_free(struct world *w, struct ip_rx *rx)
{
	pkt_free(&w->pool, rx->pkt);
}

bool world_event(struct world *w, enum ip_event_kind kind, struct ip_event *ret)
{
	while (ip_event(w->ips, ret))
		if (ret->kind == kind)
			return true;
	return false;
}

int world_tx(struct world *w, struct ip_tx *tx)
{
	struct frame f;
	int r;

	memset(&f, 0xee, sizeof(f));
	while ((r = ip_tx_next(w->ips, tx, &f, w->now)) == 1)
		keep(w, &f);
	return r;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

struct ip_tx world_udp(const struct ip_path *path, uint16_t sport,
		       uint16_t dport, const void *data, uint32_t len)
{
	struct ip_tx tx = {
		.path = path,
		.proto = IP_PROTO_UDP,
		.l4_hdr_len = 8,
		.csum_offset = 6,
		.payload_len = len,
		.n_iov = len ? 1 : 0,
	};

	memcpy(&tx.iov[0].iov_base, &data, sizeof(data));
	tx.iov[0].iov_len = len;
	put16(tx.l4_hdr, sport);
	put16(tx.l4_hdr + 2, dport);
	put16(tx.l4_hdr + 4, len + 8);
	return tx;
}

struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	if (ip_parse(text, &a) < 0)
		fail_msg("bad address %s", text);
	return a;
}

struct ip_prefix prefix(const char *text, unsigned len)
{
	struct ip_addr a = addr(text);

	return ip_prefix_make(&a, len);
}

size_t build_ip4(uint8_t *buf, const struct hdr *h, const void *payload,
		 size_t len)
{
	struct ipv4_header v = {
		.tos = h->tos,
		.ttl = h->ttl ? h->ttl : 64,
		.proto = h->proto,
		.total_len = (uint16_t)(20 + len),
		.id = h->id,
		.df = h->df,
		.mf = h->mf,
		.frag_off = h->frag_off,
		.src = addr(h->src),
		.dst = addr(h->dst),
	};

	ipv4_emit(&v, buf);
	if (len)
		memmove(buf + 20, payload, len);
	return 20 + len;
}

size_t build_ip6(uint8_t *buf, const struct hdr *h, const void *payload,
		 size_t len)
{
	struct ipv6_header v = {
		.tos = h->tos,
		.hop_limit = h->ttl ? h->ttl : 64,
		.next_header = h->proto,
		.payload_len = (uint16_t)len,
		.src = addr(h->src),
		.dst = addr(h->dst),
	};

	ipv6_emit(&v, buf);
	if (len)
		memmove(buf + 40, payload, len);
	return 40 + len;
}

static void put_csum(uint8_t *buf, size_t len, size_t at, const char *src,
		     const char *dst, uint8_t proto)
{
	struct ip_addr s = addr(src), d = addr(dst);
	uint64_t sum =
		proto == 1 ? 0 : csum_pseudo(&s, &d, proto, (uint32_t)len);
	uint16_t v;

	put16(buf + at, 0);
	v = csum_finish(csum_add(sum, buf, len));
	put16(buf + at, v == 0 && proto == 17 ? 0xffff : v);
}

size_t build_udp(uint8_t *buf, const char *src, const char *dst, uint16_t sport,
		 uint16_t dport, const void *data, size_t len)
{
	put16(buf, sport);
	put16(buf + 2, dport);
	put16(buf + 4, (uint32_t)len + 8);
	if (len)
		memmove(buf + 8, data, len);
	put_csum(buf, len + 8, 6, src, dst, 17);
	return len + 8;
}

size_t build_tcp(uint8_t *buf, const char *src, const char *dst, uint16_t sport,
		 uint16_t dport, const void *data, size_t len)
{
	memset(buf, 0, 20);
	put16(buf, sport);
	put16(buf + 2, dport);
	buf[12] = 0x50;
	buf[13] = 0x10;
	if (len)
		memmove(buf + 20, data, len);
	put_csum(buf, len + 20, 16, src, dst, 6);
	return len + 20;
}

size_t build_icmp(uint8_t *buf, const char *src, const char *dst, uint8_t type,
		  uint8_t code, uint32_t arg, const void *data, size_t len)
{
	uint8_t proto = addr(src).family == IP_V4 ? 1 : 58;

	buf[0] = type;
	buf[1] = code;
	put16(buf + 4, arg >> 16);
	put16(buf + 6, arg & 0xffff);
	if (len)
		memmove(buf + 8, data, len);
	put_csum(buf, len + 8, 2, src, dst, proto);
	return len + 8;
}

static size_t wrap(uint8_t *buf, const char *src, const char *dst,
		   uint8_t proto, uint8_t ttl, const uint8_t *msg, size_t len)
{
	struct hdr h = {.src = src, .dst = dst, .proto = proto, .ttl = ttl};

	return addr(src).family == IP_V4 ? build_ip4(buf, &h, msg, len)
					 : build_ip6(buf, &h, msg, len);
}

size_t build_udp_packet(uint8_t *buf, const char *src, const char *dst,
			uint16_t sport, uint16_t dport, const void *data,
			size_t len)
{
	static uint8_t msg[66000];
	size_t n = build_udp(msg, src, dst, sport, dport, data, len);

	return wrap(buf, src, dst, 17, 0, msg, n);
}

size_t build_icmp_packet(uint8_t *buf, const char *src, const char *dst,
			 uint8_t type, uint8_t code, uint32_t arg,
			 const void *data, size_t len, uint8_t ttl)
{
	static uint8_t msg[66000];
	size_t n = build_icmp(msg, src, dst, type, code, arg, data, len);

	return wrap(buf, src, dst, addr(src).family == IP_V4 ? 1 : 58, ttl, msg,
		    n);
}

size_t build_ether(uint8_t *buf, const uint8_t *dst, const uint8_t *src,
		   uint16_t type, size_t len)
{
	struct ether_header h = {.type = type};

	memcpy(h.dst, dst, 6);
	memcpy(h.src, src, 6);
	memmove(buf + 14, buf, len);
	ether_emit(&h, buf);
	return 14 + len;
}

size_t build_arp(uint8_t *buf, uint16_t op, const uint8_t *sha, const char *spa,
		 const uint8_t *tha, const char *tpa, const uint8_t *eth_dst)
{
	static const uint8_t zero[6];
	struct arp_packet a = {.op = op, .spa = addr(spa), .tpa = addr(tpa)};

	memcpy(a.sha, sha, 6);
	memcpy(a.tha, tha ? tha : zero, 6);
	arp_emit(&a, buf);
	return build_ether(buf, eth_dst, sha, ETHER_TYPE_ARP, ARP_LEN);
}

void check_sums(const struct out *o)
{
	const uint8_t *l3 = o->bytes + o->l2_len;
	uint32_t len = o->len - o->l2_len;
	struct ip_addr s, d;
	uint8_t proto;
	size_t hdr;

	if (l3[0] >> 4 == 4) {
		hdr = (l3[0] & 15) * 4u;
		assert_int_equal(csum_finish(csum_add(0, l3, hdr)), 0);
		assert_int_equal(l3[2] << 8 | l3[3], len);
		s = ip_from_bytes(IP_V4, l3 + 12);
		d = ip_from_bytes(IP_V4, l3 + 16);
		proto = l3[9];
		if ((l3[6] & 0x3f) || l3[7])
			return;
	} else {
		hdr = 40;
		assert_int_equal((l3[4] << 8 | l3[5]) + 40, len);
		s = ip_from_bytes(IP_V6, l3 + 8);
		d = ip_from_bytes(IP_V6, l3 + 24);
		proto = l3[6];
		if (proto == 0) {
			proto = l3[40];
			hdr += 8 + l3[41] * 8u;
		}
	}
	if (proto == 44 || o->needs_csum || proto == 2)
		return;
	assert_int_equal(csum_finish(csum_add(
				 proto == 1 ? 0
					    : csum_pseudo(&s, &d, proto,
							  len - (uint32_t)hdr),
				 l3 + hdr, len - hdr)),
			 0);
}
