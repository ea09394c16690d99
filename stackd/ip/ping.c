/* Echo requests of the operator. */
#include "ip/ip_int.h"
#include "wire/icmp.h"

#include <errno.h>
#include <string.h>

#define WAIT_S 60
#define LEN_MIN 8
#define LEN_MAX 65507

static void put_cookie(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (56 - 8 * i));
}

static uint64_t get_cookie(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

/* Replies to ids nobody used of late could be a stranger's way to push real
 * events out of their ring. */
static bool is_awaited(const struct ip_stack *ips, uint16_t id, mono_t now)
{
	for (uint32_t i = 0; i < IP_PING_MAX; i++)
		if (ips->ping[i].id == id && mono_lt(now, ips->ping[i].until))
			return true;
	return false;
}

static void await(struct ip_stack *ips, uint16_t id, mono_t now)
{
	mono_t until = mono_add(now, DUR_S(WAIT_S));

	for (uint32_t i = 0; i < IP_PING_MAX; i++) {
		if (ips->ping[i].id == id && ips->ping[i].until.ns) {
			ips->ping[i].until = until;
			return;
		}
	}
	ips->ping[ips->ping_next++ % IP_PING_MAX] =
		(struct ip_ping_id){.id = id, .until = until};
}

void ip_ping_reply(struct ip_stack *ips, const struct ip_in *in,
		   const uint8_t *msg, size_t len, mono_t now)
{
	struct ip_event ev = {
		.kind = IP_EV_ECHO_REPLY,
		.local = in->dst,
		.remote = in->src,
		.reporter = in->src,
		.id = (uint16_t)(msg[4] << 8 | msg[5]),
		.seq = (uint16_t)(msg[6] << 8 | msg[7]),
		.ttl = in->ttl,
		.len = (uint32_t)(len - ICMP_HDR_LEN),
		.ifindex = in->ifc->index,
	};

	if (ev.len < LEN_MIN || !is_awaited(ips, ev.id, now))
		return;
	ev.cookie = get_cookie(msg + ICMP_HDR_LEN);
	ip_event_push(ips, &ev);
}

/* [RFC4443 4.1] */
int ip_ping(struct ip_stack *ips, const struct ip_addr *dst,
	    const struct ip_addr *src, uint16_t id, uint16_t seq,
	    uint64_t cookie, uint32_t len, uint8_t ttl, mono_t now)
{
	uint8_t hdr[ICMP_HDR_LEN] = {
		dst->family == IP_V4 ? ICMP4_ECHO : ICMP6_ECHO,
		0,
		0,
		0,
		(uint8_t)(id >> 8),
		(uint8_t)id,
		(uint8_t)(seq >> 8),
		(uint8_t)seq,
	};
	struct iovec data = {.iov_len = len};
	struct ip_path path;
	struct pkt *p;
	int r;

	if (len < LEN_MIN || len > LEN_MAX)
		return -EINVAL;
	r = ip_path(ips, dst, src, 0, &path);
	if (r < 0)
		return r;
	p = pkt_new(ips->env.pool, len <= PKT_SMALL_CAP - PKT_HEADROOM
					   ? PKT_SMALL
					   : PKT_LARGE);
	if (!p)
		return -ENOBUFS;
	data.iov_base = pkt_data(p);
	put_cookie(pkt_data(p), cookie);
	for (uint32_t i = 8; i < len; i++)
		pkt_data(p)[i] = (uint8_t)i;
	await(ips, id, now);
	r = ip_own_icmp(ips, &path, ttl, 0, hdr, &data, now);
	pkt_free(ips->env.pool, p);
	return r;
}
