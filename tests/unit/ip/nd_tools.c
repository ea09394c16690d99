#include "nd_tools.h"

#include "base/cursor.h"
#include "wire/icmp.h"
#include "wire/ipv6.h"

struct world w;
uint8_t buf[2000];
uint32_t ifx;
char ll[64]; /* our link-local address */

struct ip_tune no_dad(void)
{
	struct ip_tune tune;

	ip_tune_default(&tune);
	tune.dad_transmits = 0;
	return tune;
}

void find_ll(void)
{
	struct ip_addr_info i;
	uint32_t it = 0;

	ll[0] = 0;
	while (ip_iter_addr(w.ips, &it, &i))
		if (ip_is_link_local(&i.addr) && i.ifindex == ifx)
			ip_format(&i.addr, ll);
	assert_true(ll[0]);
}

void setup(const struct ip_tune *tune)
{
	world_init(&w, tune);
	ifx = world_l2(&w, 1500);
	find_ll();
}

/* An interface at rest: its first words are spoken. */
void setup_quiet(void)
{
	struct ip_tune tune = no_dad();

	setup(&tune);
	world_addr(&w, ifx, "2001:db8::2", 64);
	world_run(&w, 60000);
	world_clear(&w);
}

/* ND options. */
size_t opt_lladdr(uint8_t *p, uint8_t type, const uint8_t *mac)
{
	p[0] = type;
	p[1] = 1;
	memcpy(p + 2, mac, 6);
	return 8;
}

size_t opt_prefix(uint8_t *p, const char *pfx, uint8_t len, uint8_t flags,
		  uint32_t valid, uint32_t preferred)
{
	struct ip_addr a = addr(pfx);
	struct wcur c = wcur_of(p, 32);

	wcur_8(&c, 3);
	wcur_8(&c, 4);
	wcur_8(&c, len);
	wcur_8(&c, flags);
	wcur_32(&c, valid);
	wcur_32(&c, preferred);
	wcur_32(&c, 0);
	wcur_copy(&c, a.b, 16);
	return 32;
}

size_t opt_mtu(uint8_t *p, uint32_t mtu)
{
	struct wcur c = wcur_of(p, 8);

	wcur_16(&c, 5 << 8 | 1);
	wcur_16(&c, 0);
	wcur_32(&c, mtu);
	return 8;
}

/* An ICMPv6 message from `mac`, hop limit `ttl`. */
void give(const char *src, const char *dst, uint8_t type, uint32_t arg,
	  const uint8_t *body, size_t len, uint8_t ttl, const uint8_t *mac)
{
	struct ip_addr d = addr(dst);
	uint8_t to[6];
	size_t n =
		build_icmp_packet(buf, src, dst, type, 0, arg, body, len, ttl);

	memcpy(to, world_mac, 6);
	if (ip_is_multicast(&d))
		ether_group_mac(&d, to);
	n = build_ether(buf, to, mac, 0x86dd, n);
	world_eat(&w, ifx, buf, n);
}

void give_ns(const char *src, const char *dst, const char *target,
	     const uint8_t *slla)
{
	struct ip_addr t = addr(target);
	uint8_t body[64] = {0};
	size_t n = 16;

	memcpy(body, t.b, 16);
	if (slla)
		n += opt_lladdr(body + n, 1, slla);
	give(src, dst, ICMP6_NS, 0, body, n, 255, world_peer);
}

/* flags: 8 router, 4 solicited, 2 override */
void give_na(const char *src, const char *dst, const char *target,
	     unsigned flags, const uint8_t *tlla)
{
	struct ip_addr t = addr(target);
	uint8_t body[64] = {0};
	size_t n = 16;

	memcpy(body, t.b, 16);
	if (tlla)
		n += opt_lladdr(body + n, 2, tlla);
	give(src, dst, ICMP6_NA, (uint32_t)flags << 28, body, n, 255,
	     tlla ? tlla : world_peer);
}

/* An RA from PEER; `opts` behind it. */
void give_ra_from(const char *src, uint16_t life, uint8_t flags,
		  const uint8_t *opts, size_t n_opts)
{
	uint8_t body[1000] = {0};

	if (n_opts)
		memcpy(body + 8, opts, n_opts);
	give(src, "ff02::1", ICMP6_RA, 64u << 24 | (uint32_t)flags << 16 | life,
	     body, 8 + n_opts, 255, world_peer);
}

void give_ra(uint16_t life, const uint8_t *opts, size_t n_opts)
{
	give_ra_from(PEER, life, 0, opts, n_opts);
}

const uint8_t *icmp_of(const struct out *o)
{
	if (o->bytes[12] != 0x86 || o->bytes[20] != 58)
		return NULL;
	return o->bytes + 14 + 40;
}

/* Parses frame i as an ND message and checks what all must have. */
bool is_nd(int i, uint8_t type, struct ndp_message *m)
{
	const struct out *o = &w.out[i];
	const uint8_t *icmp = icmp_of(o);

	if (!icmp || icmp[0] != type)
		return false;
	check_sums(o);
	assert_int_equal(o->bytes[14 + 7], 255);
	assert_int_equal(ndp_parse(icmp, o->len - 54, m), 0);
	return true;
}

struct ip_addr src_of(int i)
{
	return ip_from_bytes(IP_V6, w.out[i].bytes + 14 + 8);
}

struct ip_addr dst_of(int i)
{
	return ip_from_bytes(IP_V6, w.out[i].bytes + 14 + 24);
}

int send_udp(const char *dst)
{
	struct ip_addr d = addr(dst);
	struct ip_path p;
	struct ip_tx tx;

	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	tx = world_udp(&p, 5, 6, "datum", 5);
	return world_tx(&w, &tx);
}

const char *state_of(const char *ip)
{
	struct ip_neigh_info n;
	struct ip_addr a = addr(ip);
	uint32_t it = 0;

	while (ip_iter_neigh(w.ips, &it, &n))
		if (ip_eq(&n.addr, &a))
			return n.state;
	return "-";
}

bool get_addr(const char *ip, struct ip_addr_info *ret)
{
	struct ip_addr a = addr(ip);
	uint32_t it = 0;

	while (ip_iter_addr(w.ips, &it, ret))
		if (ip_eq(&ret->addr, &a))
			return true;
	return false;
}
