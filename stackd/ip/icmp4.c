/* ICMP for IPv4 in (RFC 792, RFC 1122 3.2.2). */
#include "ip/ip_int.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"

#include <errno.h>
#include <string.h>

/* How an unreachable code looks to a program, and whether it ends a
 * connection (RFC 1122 4.2.3.9); code 4 is a matter of its own. */
static const struct {
	int error;
	bool hard;
} unreach[ICMP4_UNREACH__COUNT] = {
	{ENETUNREACH, false},  {EHOSTUNREACH, false}, {ENOPROTOOPT, true},
	{ECONNREFUSED, true},  {EMSGSIZE, false},     {EOPNOTSUPP, false},
	{ENETUNREACH, true},   {EHOSTDOWN, true},     {ENONET, true},
	{ENETUNREACH, true},   {EHOSTUNREACH, true},  {ENETUNREACH, false},
	{EHOSTUNREACH, false}, {EHOSTUNREACH, true},  {EHOSTUNREACH, true},
	{EHOSTUNREACH, true},
};

/* [RFC1191 7.1] MTUs that links have, for routers that do not say theirs */
static uint32_t plateau_below(uint32_t len)
{
	static const uint16_t plateau[] = {32000, 17914, 8166, 4352, 2002,
					   1492,  1006,  508,  296};

	for (size_t i = 0; i < ARRAY_SIZE(plateau); i++)
		if (plateau[i] < len)
			return plateau[i];
	return 68;
}

static void frag_needed(const uint8_t *msg, const uint8_t *quote,
			struct ip_event *ev)
{
	uint32_t sent = (uint32_t)(quote[2] << 8 | quote[3]);

	ev->kind = IP_EV_PMTU;
	ev->mtu = (uint32_t)(msg[6] << 8 | msg[7]);
	if (ev->mtu == 0)
		ev->mtu = plateau_below(sent);
}

/* [RFC1122 3.2.2.4] and parameter problem */
static void error_event(uint8_t type, uint8_t code, struct ip_event *ev)
{
	ev->kind = IP_EV_UNREACH;
	if (type == ICMP4_UNREACH) {
		ev->error = unreach[code].error;
		ev->hard = unreach[code].hard;
	} else if (type == ICMP4_PARAM_PROBLEM) {
		ev->error = EPROTO;
		ev->hard = true;
	} else {
		ev->error = EHOSTUNREACH;
	}
}

/* [RFC1122 3.2.2] hand it to the transport it is about, with a packet of
 * ours inside or not at all [RFC9293 3.9.2.2 MUST-54] */
static bool error_input(struct ip_stack *ips, const struct ip_in *in,
			const uint8_t *msg, size_t len)
{
	const uint8_t *quote = msg + ICMP_HDR_LEN;
	struct ip_event ev = {
		.reporter = in->src,
		.icmp_type = msg[0],
		.icmp_code = msg[1],
		.ifindex = in->ifc->index,
	};

	if (!ip_quote_parse(quote, len - ICMP_HDR_LEN, &ev) ||
	    ev.local.family != IP_V4 || !ip_addr_is_local(ips, &ev.local))
		return false;
	if (msg[0] == ICMP4_UNREACH && msg[1] >= ICMP4_UNREACH__COUNT)
		return false;
	error_event(msg[0], msg[1], &ev);
	if (msg[0] == ICMP4_UNREACH && msg[1] == ICMP4_UNREACH_FRAG)
		frag_needed(msg, quote, &ev);
	ip_event_push(ips, &ev);
	return true;
}

/* [RFC1122 3.2.2.6] echo what was sent; not to those who call everybody */
static void echo_input(struct ip_stack *ips, const struct ip_in *in,
		       uint8_t *msg, size_t len, mono_t now)
{
	uint8_t hdr[ICMP_HDR_LEN] = {ICMP4_ECHO_REPLY};
	struct iovec data = {
		.iov_base = msg + ICMP_HDR_LEN,
		.iov_len = len - ICMP_HDR_LEN,
	};
	struct ip_path path;

	if (in->multicast || in->p->l2_multicast)
		return;
	if (ip_path(ips, &in->src, &in->dst, 0, &path) < 0) {
		ips->drops[IP_DROP_NO_ROUTE]++;
		return;
	}
	memcpy(hdr + 4, msg + 4, 4);
	(void)!ip_own_icmp(ips, &path, 0, in->tos, hdr, &data, now);
}

/*
 * [RFC1122 3.2.2.2] A redirect is obeyed only when asked for, from the
 * gateway now in use, to a gateway on the same link.
 */
static bool redirect_input(struct ip_stack *ips, const struct ip_in *in,
			   const uint8_t *msg, size_t len, mono_t now)
{
	const struct ip_route *now_used;
	struct ip_event ev = {0};
	struct ip_route r = {
		.gateway = ip_from_bytes(IP_V4, msg + 4),
		.ifindex = in->ifc->index,
		.until = mono_add(now, DUR_S(600)),
	};

	if (!ips->tune.redirects)
		return true;
	if (!ip_quote_parse(msg + ICMP_HDR_LEN, len - ICMP_HDR_LEN, &ev) ||
	    ev.remote.family != IP_V4 || !ip_addr_is_local(ips, &ev.local) ||
	    msg[1] > 3)
		return false;
	now_used = ip_route_find(ips, &ev.remote, in->ifc->index);
	if (!now_used || !ip_eq(&now_used->gateway, &in->src))
		return false;
	now_used = ip_route_find(ips, &r.gateway, in->ifc->index);
	if (!now_used || now_used->gateway.family != IP_NONE ||
	    ip_ifaddr_find(ips, &r.gateway) ||
	    ip_is_local_broadcast(ips, NULL, &r.gateway))
		return false;
	r.dst = ip_prefix_make(&ev.remote, 32);
	ip_route_redirect(ips, &r);
	return true;
}

/* [RFC1122 3.2.2.7, 3.2.2.9] What asks for information, masks or the time is
 * left unanswered. */
void ip_icmp4_input(struct ip_stack *ips, struct ip_in *in, mono_t now)
{
	struct pkt *p = in->p;
	uint8_t *msg = pkt_data(p);
	bool good = true;

	ips->count.icmp_in++;
	if (p->len < ICMP_HDR_LEN) {
		ip_drop(ips, p, IP_DROP_SHORT);
		return;
	}
	if (p->csum != PKT_CSUM_OK &&
	    csum_finish(csum_add(0, msg, p->len)) != 0) {
		ip_drop(ips, p, IP_DROP_BAD_CSUM);
		return;
	}
	switch (msg[0]) {
	case ICMP4_ECHO:
		echo_input(ips, in, msg, p->len, now);
		break;
	case ICMP4_ECHO_REPLY:
		ip_ping_reply(ips, in, msg, p->len, now);
		break;
	case ICMP4_UNREACH:
	case ICMP4_TIME_EXCEEDED:
	case ICMP4_PARAM_PROBLEM:
		good = error_input(ips, in, msg, p->len);
		break;
	case ICMP4_REDIRECT:
		good = redirect_input(ips, in, msg, p->len, now);
		break;
	default: /* [RFC1122 3.2.2] unknown types; quench:
		  * [RFC9293 3.9.2.2 MUST-55] [RFC6633 4] */
		break;
	}
	if (good)
		pkt_free(ips->env.pool, p);
	else
		ip_drop(ips, p, IP_DROP_ICMP_INVALID);
}
