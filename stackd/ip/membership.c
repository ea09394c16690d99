/*
 * Telling routers of our groups: IGMPv3 any-source, falling back to v2 and
 * v1 (RFC 3376, RFC 2236, RFC 1112), and MLDv2, falling back to v1 (RFC
 * 3810, RFC 2710). One machine for both: state-change reports, repeated;
 * answers to queries, after a random delay.
 */
#include "base/cursor.h"
#include "ip/ip_int.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/igmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/mld.h"

#include <errno.h>
#include <string.h>

#define ROBUSTNESS 2
#define QUERY_INTERVAL_S 125
#define UNSOLICITED_MS 1000      /* [RFC3376 8.11] [RFC3810 9.11] */
#define UNSOLICITED_OLD_MS 10000 /* [RFC2236 8.10] [RFC2710 7.10] */
#define RECORDS_MAX 60           /* in one report: any link takes 1280 */

static const struct ip_addr igmp_routers = {IP_V4, {224, 0, 0, 2}};
static const struct ip_addr igmp_v3_routers = {IP_V4, {224, 0, 0, 22}};
static const struct ip_addr mld_routers = {IP_V6, {0xff, 0x02, [15] = 2}};
static const struct ip_addr mld_v2_routers = {IP_V6, {0xff, 0x02, [15] = 22}};

static struct ip_querier *querier_of(const struct ip_group *g)
{
	return &g->ifc->querier[g->addr.family == IP_V6];
}

/* Protocol version to speak: 3 is IGMPv3 and MLDv2, 2 IGMPv2 and MLDv1. */
static int version_of(const struct ip_querier *q, mono_t now)
{
	if (mono_lt(now, q->old_until[0]))
		return 1;
	return mono_lt(now, q->old_until[1]) ? 2 : 3;
}

/* ---- sending ------------------------------------------------------------- */

/* IPv4 with the Router Alert option (RFC 2113), TTL 1. */
static void send_igmp(struct ip_iface *ifc, const struct ip_addr *dst,
		      const uint8_t *msg, size_t len)
{
	static const uint8_t alert[4] = {0x94, 0x04, 0, 0};
	struct ip_stack *ips = ifc->ips;
	const struct ip_ifaddr *ia = ip_ifaddr_first(ifc, IP_V4);
	struct pkt *p = pkt_new(ips->env.pool, PKT_SMALL);
	struct ipv4_header h = {
		.tos = 0xc0,
		.total_len = (uint16_t)(IPV4_HDR_MIN + sizeof(alert) + len),
		.ttl = 1,
		.proto = IP_PROTO_IGMP,
		.src = ia ? ia->addr : ip_any(IP_V4),
		.dst = *dst,
	};
	uint8_t mac[ETHER_MAC_LEN], *l3;
	uint16_t sum;

	if (!p) {
		ips->drops[IP_DROP_NO_BUFFER]++;
		return;
	}
	ether_group_mac(dst, mac);
	if (ifc->l2_len)
		ip_l2_emit(ifc, mac, ETHER_TYPE_IPV4, pkt_data(p));
	l3 = pkt_data(p) + ifc->l2_len;
	ipv4_emit(&h, l3);
	l3[0] = 0x46;
	memcpy(l3 + IPV4_HDR_MIN, alert, sizeof(alert));
	l3[10] = l3[11] = 0;
	sum = csum_finish(csum_add(0, l3, IPV4_HDR_MIN + sizeof(alert)));
	l3[10] = (uint8_t)(sum >> 8);
	l3[11] = (uint8_t)sum;
	memcpy(l3 + IPV4_HDR_MIN + sizeof(alert), msg, len);
	p->len = ifc->l2_len + h.total_len;
	p->ifindex = ifc->index;
	ip_own_push(ips, p);
}

/* IPv6 with a hop-by-hop header that has the Router Alert option (RFC 2711),
 * from a link-local address or, before there is one, from nowhere. */
static void send_mld(struct ip_iface *ifc, const struct ip_addr *dst,
		     uint8_t *msg, size_t len, mono_t now)
{
	static const uint8_t hop_by_hop[8] = {
		IP_PROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0,
	};
	const struct ip_ifaddr *ia = ip_ifaddr_link_local(ifc);
	struct ip_addr src = ia ? ia->addr : ip_any(IP_V6);
	struct ip_path path;
	struct ip_tx tx = {
		.path = &path,
		.proto = IPV6_NH_HOPOPTS,
		.ttl = 1,
		.l4_hdr_len = sizeof(hop_by_hop),
		.csum_offset = IP_CSUM_NONE,
		.iov[0] = {msg, len},
		.n_iov = 1,
		.payload_len = (uint32_t)len,
	};
	uint64_t sum = csum_pseudo(&src, dst, IP_PROTO_ICMPV6, (uint32_t)len);
	uint16_t v = csum_finish(csum_add(sum, msg, len));

	msg[2] = (uint8_t)(v >> 8);
	msg[3] = (uint8_t)v;
	memcpy(tx.l4_hdr, hop_by_hop, sizeof(hop_by_hop));
	ip_path_direct(ifc, &src, dst, &path);
	ifc->ips->count.icmp_out++;
	(void)!ip_own_send(ifc->ips, &tx, now);
}

/* One message of the older versions about one group. */
static void send_old(const struct ip_group *g, int version, bool leave,
		     mono_t now)
{
	uint8_t msg[MLD_V1_LEN];

	if (g->addr.family == IP_V6) {
		mld_emit(leave ? ICMP6_MLD_DONE : ICMP6_MLD_REPORT, &g->addr,
			 msg);
		send_mld(g->ifc, leave ? &mld_routers : &g->addr, msg,
			 MLD_V1_LEN, now);
		return;
	}
	if (leave)
		igmp_emit(IGMP_V2_LEAVE, &g->addr, msg);
	else
		igmp_emit(version == 1 ? IGMP_V1_REPORT : IGMP_V2_REPORT,
			  &g->addr, msg);
	send_igmp(g->ifc, leave ? &igmp_routers : &g->addr, msg, 8);
}

/* A report under construction. */
struct report {
	struct ip_iface *ifc;
	uint8_t family;
	uint16_t n;
	uint8_t msg[MLD_V2_HDR_LEN + RECORDS_MAX * MLD_V2_RECORD_LEN];
};

static void report_send(struct report *r, mono_t now)
{
	size_t len;

	if (!r->n)
		return;
	if (r->family == IP_V6) {
		len = MLD_V2_HDR_LEN + (size_t)r->n * MLD_V2_RECORD_LEN;
		mld_v2_header(r->n, r->msg);
		send_mld(r->ifc, &mld_v2_routers, r->msg, len, now);
	} else {
		len = IGMP_V3_HDR_LEN + (size_t)r->n * IGMP_V3_RECORD_LEN;
		igmp_v3_header(r->n, r->msg);
		igmp_v3_finish(r->msg, len);
		send_igmp(r->ifc, &igmp_v3_routers, r->msg, len);
	}
	r->n = 0;
}

static void report_add(struct report *r, uint8_t type,
		       const struct ip_addr *group, mono_t now)
{
	if (r->family == IP_V6)
		mld_v2_record(type, group,
			      r->msg + MLD_V2_HDR_LEN +
				      (size_t)r->n * MLD_V2_RECORD_LEN);
	else
		igmp_v3_record(type, group,
			       r->msg + IGMP_V3_HDR_LEN +
				       (size_t)r->n * IGMP_V3_RECORD_LEN);
	if (++r->n == RECORDS_MAX)
		report_send(r, now);
}

static void send_record(const struct ip_group *g, uint8_t type, mono_t now)
{
	struct report r = {.ifc = g->ifc, .family = g->addr.family};

	report_add(&r, type, &g->addr, now);
	report_send(&r, now);
}

/* ---- state changes ---------------------------------------------------------
 */

static void group_arm(struct ip_group *g)
{
	ip_timer_arm(g->ifc->ips, &g->timer,
		     mono_min(g->report_at, g->answer_at));
}

static bool reportable(const struct ip_group *g)
{
	return !ip_group_silent(&g->addr) && g->ifc->up &&
	       g->ifc->cfg.kind != IP_LINK_LOOPBACK;
}

/* One state-change report, and the time of the next. A group that was left
 * is gone with its last report. */
static void send_change(struct ip_group *g, mono_t now)
{
	struct ip_stack *ips = g->ifc->ips;
	int version = version_of(querier_of(g), now);

	g->report_at = MONO_NEVER;
	if (version == 3)
		send_record(g, g->leaving ? IGMP_TO_INCLUDE : IGMP_TO_EXCLUDE,
			    now);
	else if (!g->leaving)
		send_old(g, version, false, now);
	else if (version == 2 && g->last_reporter)
		send_old(g, version, true, now);
	g->last_reporter = !g->leaving;
	if (--g->reports_left)
		g->report_at = ip_soon(ips, now, 0,
				       version == 3 ? UNSOLICITED_MS
						    : UNSOLICITED_OLD_MS);
	else if (g->leaving) {
		ip_group_free(g);
		return;
	}
	group_arm(g);
}

void ip_group_changed(struct ip_group *g, bool joined, mono_t now)
{
	if (!reportable(g)) {
		if (!joined)
			ip_group_free(g);
		return;
	}
	g->reports_left = querier_of(g)->robustness;
	g->answer_at = MONO_NEVER;
	/* [RFC4862 5.4.2] a group joined for one of our addresses may be the
	 * first we say on this link: not at once */
	if (joined && !g->refs) {
		g->report_at = ip_soon(g->ifc->ips, now, 0, UNSOLICITED_MS);
		group_arm(g);
		return;
	}
	send_change(g, now);
}

void ip_groups_up(struct ip_iface *ifc, mono_t now)
{
	LIST_FOREACH_SAFE (it, &ifc->groups) {
		struct ip_group *g = container_of(it, struct ip_group, node);

		g->leaving = false;
		ip_group_changed(g, true, now);
	}
}

void ip_groups_down(struct ip_iface *ifc)
{
	for (int i = 0; i < 2; i++) {
		struct ip_querier *q = &ifc->querier[i];

		q->answer_at = MONO_NEVER;
		q->old_until[0] = q->old_until[1] = (mono_t){0};
		q->robustness = ROBUSTNESS;
		q->interval_s = QUERY_INTERVAL_S;
		ip_timer_stop(ifc->ips, &q->timer);
	}
	LIST_FOREACH_SAFE (it, &ifc->groups) {
		struct ip_group *g = container_of(it, struct ip_group, node);

		g->report_at = g->answer_at = MONO_NEVER;
		ip_timer_stop(ifc->ips, &g->timer);
		if (g->leaving)
			ip_group_free(g);
	}
}

/* ---- queries
 * ------------------------------------------------------------------ */

struct query {
	int version;                 /* as version_of() counts */
	const struct ip_addr *group; /* NULL = all */
	uint32_t max_resp_ms;
	uint8_t qrv;
	uint32_t qqi_s;
};

static void group_answer(struct ip_group *g, const struct query *qu, mono_t now)
{
	mono_t at = ip_soon(g->ifc->ips, now, 0, qu->max_resp_ms);

	if (g->leaving || !reportable(g))
		return;
	g->answer_at = mono_min(g->answer_at, at);
	group_arm(g);
}

static void answer_groups(struct ip_querier *q, const struct query *qu,
			  mono_t now)
{
	LIST_FOREACH (it, &q->ifc->groups) {
		struct ip_group *g = container_of(it, struct ip_group, node);

		if (g->addr.family == q->family &&
		    (!qu->group || ip_eq(qu->group, &g->addr)))
			group_answer(g, qu, now);
	}
}

/* [RFC3376 7.2.1] [RFC3810 8.2.1] an older querier is believed for a while */
static void remember_version(struct ip_querier *q, const struct query *qu,
			     mono_t now)
{
	dur_t d = DUR_MS(q->robustness * q->interval_s * 1000ull +
			 qu->max_resp_ms);

	if (qu->version < 3)
		q->old_until[qu->version - 1] = mono_add(now, d);
	if (qu->version == 3 && qu->qrv)
		q->robustness = qu->qrv;
	if (qu->version == 3 && qu->qqi_s)
		q->interval_s = qu->qqi_s;
}

/* [RFC1122 3.2.3] */
static void query_input(struct ip_querier *q, const struct query *qu,
			mono_t now)
{
	mono_t at;

	remember_version(q, qu, now);
	/* [RFC3376 5.2] one report tells all; older versions need one per
	 * group */
	if (qu->group || version_of(q, now) < 3) {
		answer_groups(q, qu, now);
		return;
	}
	at = ip_soon(q->ifc->ips, now, 0, qu->max_resp_ms);
	q->answer_at = mono_min(q->answer_at, at);
	ip_timer_arm(q->ifc->ips, &q->timer, q->answer_at);
}

void ip_querier_expire(struct ip_querier *q, mono_t now)
{
	struct report r = {.ifc = q->ifc, .family = q->family};

	q->answer_at = MONO_NEVER;
	LIST_FOREACH (it, &q->ifc->groups) {
		struct ip_group *g = container_of(it, struct ip_group, node);

		if (g->addr.family == q->family && !g->leaving && reportable(g))
			report_add(&r, IGMP_IS_EXCLUDE, &g->addr, now);
	}
	report_send(&r, now);
}

void ip_group_expire(struct ip_group *g, mono_t now)
{
	int version = version_of(querier_of(g), now);

	if (mono_leq(g->answer_at, now)) {
		g->answer_at = MONO_NEVER;
		if (version == 3)
			send_record(g, IGMP_IS_EXCLUDE, now);
		else
			send_old(g, version, false, now);
		g->last_reporter = true;
	}
	if (mono_leq(g->report_at, now)) {
		send_change(g, now);
		return;
	}
	group_arm(g);
}

/* [RFC2236 3] [RFC2710 4] older versions: another member has answered, which
 * is enough */
static void report_heard(struct ip_iface *ifc, const struct ip_addr *group,
			 mono_t now)
{
	LIST_FOREACH (it, &ifc->groups) {
		struct ip_group *g = container_of(it, struct ip_group, node);

		if (!ip_eq(&g->addr, group) ||
		    version_of(querier_of(g), now) == 3)
			continue;
		g->answer_at = MONO_NEVER;
		if (!g->leaving)
			g->report_at = MONO_NEVER;
		g->last_reporter = false;
		group_arm(g);
	}
}

void ip_igmp_input(struct ip_stack *ips, struct ip_in *in, mono_t now)
{
	struct pkt *p = in->p;
	struct igmp_query m = {0};
	struct ip_addr group;
	int r = igmp_query_parse(pkt_data(p), p->len, &m);
	struct query qu = {
		.version = m.version,
		.group = ip_is_any(&m.group) ? NULL : &m.group,
		.max_resp_ms = m.max_resp_ms,
		.qrv = m.qrv,
		.qqi_s = m.qqi_s,
	};

	/* [RFC3376 4] never forwarded */
	if (in->ttl != 1 || (r < 0 && r != -EPROTO)) {
		ip_drop(ips, p,
			r == -EBADMSG ? IP_DROP_BAD_CSUM
				      : IP_DROP_ICMP_INVALID);
		return;
	}
	if (r == 0) {
		query_input(&in->ifc->querier[0], &qu, now);
	} else if (pkt_data(p)[0] == IGMP_V1_REPORT ||
		   pkt_data(p)[0] == IGMP_V2_REPORT) {
		group = ip_from_bytes(IP_V4, pkt_data(p) + 4);
		report_heard(in->ifc, &group, now);
	}
	pkt_free(ips->env.pool, p);
}

void ip_mld_input(struct ip_stack *ips, struct ip_in *in, mono_t now)
{
	struct pkt *p = in->p;
	struct mld_query m;
	struct ip_addr group;
	struct query qu = {0};

	/* [RFC3810 5.1.14, 6.2] [RFC2710 5] */
	if (in->ttl != 1 || !in->router_alert || !ip_is_link_local(&in->src))
		goto bad;
	if (pkt_data(p)[0] == ICMP6_MLD_REPORT) {
		if (p->len < MLD_V1_LEN)
			goto bad;
		group = ip_from_bytes(IP_V6, pkt_data(p) + 8);
		report_heard(in->ifc, &group, now);
		pkt_free(ips->env.pool, p);
		return;
	}
	if (mld_query_parse(pkt_data(p), p->len, &m) < 0)
		goto bad;
	qu = (struct query){
		.version = m.version + 1,
		.group = ip_is_any(&m.group) ? NULL : &m.group,
		.max_resp_ms = m.max_resp_ms,
		.qrv = m.qrv,
		.qqi_s = m.qqi_s,
	};
	query_input(&in->ifc->querier[1], &qu, now);
	pkt_free(ips->env.pool, p);
	return;
bad:
	ip_drop(ips, p, IP_DROP_ICMP_INVALID);
}
