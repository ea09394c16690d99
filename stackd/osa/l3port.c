#include "osa/l3port.h"

#include "base/mono.h"
#include "osa/host.h"
#include "osa/l3msg.h"
#include "osa/l3neigh.h"
#include "osa/oat.h"
#include "wire/ether.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* RFC 5227 2.4: an address is defended at most that often. */
#define DEFEND_INTERVAL DUR_S(10)

struct l3port {
	struct osa_port *p;
	struct l3msg_link link;
	struct osa_route *routes;
	uint32_t n_routes;
	/* the host at the other end of an unbridged TAP */
	struct ip_addr host[2];
	uint32_t n_host;
	bool host_known;
	uint8_t host_mac[6];
	mono_t defended;
	struct l3neigh_table neigh;
};

int l3port_new(struct osa_port *p, const struct deck_device *dev,
	       struct l3port **ret)
{
	struct l3port *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->p = p;
	l->link.vlan = dev->vlan;
	memcpy(l->link.mac, p->info.mac, 6);
	for (uint32_t i = 0; i < dev->n_host_addr; i++)
		if (l->n_host < ARRAY_SIZE(l->host))
			l->host[l->n_host++] = dev->host_addr[i].addr;
	if (p->has_iface && !dev->bridge[0] && dev->medium == MEDIUM_TAP)
		l->host_known = host_mac(p->info.ifname, l->host_mac) == 0;
	*ret = l;
	return 0;
}

void l3port_free(struct l3port *l)
{
	if (!l)
		return;
	l3neigh_clear(&l->neigh);
	free(l->routes);
	free(l);
}

int l3port_set_routes(struct l3port *l, const struct osa_route *r, uint32_t n)
{
	struct osa_route *copy = calloc(n ? n : 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	if (n)
		memcpy(copy, r, n * sizeof(*r));
	free(l->routes);
	l->routes = copy;
	l->n_routes = n;
	return 0;
}

/* ---- in -------------------------------------------------------------------
 */

/* Sends `h` to the neighbour that has just become known. */
static void release(struct l3port *l, struct l3held *h, const uint8_t mac[6])
{
	if (!h)
		return;
	memcpy(h->f.hdr, mac, 6);
	(void)port_send(l->p, &h->f);
	free(h);
}

/* `create`: whoever asks for us will be answered soon. */
static void learn(struct l3port *l, const struct ip_addr *a,
		  const uint8_t mac[6], bool create)
{
	mono_t now = mono_now();
	struct l3neigh *n = create ? l3neigh_get(&l->neigh, a, now)
				   : l3neigh_find(&l->neigh, a);

	if (n)
		release(l, l3neigh_learn(&l->neigh, n, mac, now), mac);
}

static void answer(struct l3port *l, const struct l3msg *m,
		   const uint8_t from[6])
{
	const uint8_t *to = m->has_mac ? m->mac : from;
	struct frame f;

	if (m->sender.family == IP_NONE && m->target.family == IP_V4) {
		/* A probe wants an answer to 0.0.0.0. */
		struct ip_addr any = ip_any(IP_V4);

		l3msg_tell(&l->link, &m->target, &any, to, &f);
	} else if (m->sender.family == IP_NONE) {
		l3msg_tell(&l->link, &m->target, NULL, NULL, &f);
	} else {
		l3msg_tell(&l->link, &m->target, &m->sender, to, &f);
	}
	(void)port_send(l->p, &f);
}

/* Somebody else claims one of our addresses. */
static void conflict(struct l3port *l, struct oat_entry *e,
		     const uint8_t mac[6])
{
	mono_t now = mono_now();
	struct frame f;

	oat_conflict(e, mac);
	if (l->defended.ns &&
	    mono_lt(now, mono_add(l->defended, DEFEND_INTERVAL)))
		return;
	l->defended = now;
	l3msg_tell(&l->link, &e->pub.addr.addr, NULL, NULL, &f);
	(void)port_send(l->p, &f);
}

static void handle(struct l3port *l, const struct l3msg *m,
		   const uint8_t from[6])
{
	bool mine = m->has_mac && !memcmp(m->mac, l->link.mac, 6);
	struct oat_entry *target = oat_find(&l->p->oat, &m->target);
	struct oat_entry *sender = oat_find(&l->p->oat, &m->sender);

	if (mine) /* our own, come back through a loop or a hub */
		return;
	if (m->kind == L3MSG_TELL) {
		if (target && m->has_mac)
			conflict(l, target, m->mac);
		else if (m->has_mac)
			learn(l, &m->target, m->mac, false);
		return;
	}
	if (sender && m->has_mac)
		conflict(l, sender, m->mac);
	else if (m->sender.family != IP_NONE && m->has_mac)
		learn(l, &m->sender, m->mac, target != NULL);
	if (target)
		answer(l, m, from);
}

bool l3port_input(struct l3port *l, struct pkt *k)
{
	const uint8_t *d = pkt_data(k);
	struct ether_header e;
	struct l3msg m;
	int n = ether_parse(d, k->len, &e);

	if (n < 0) {
		l->p->info.rx_drops++;
		return false;
	}
	/* flooded by a switch, another network, or our own */
	if ((!ether_is_group(e.dst) && memcmp(e.dst, l->link.mac, 6) != 0) ||
	    e.vlan != l->link.vlan || !memcmp(e.src, l->link.mac, 6))
		return false;
	l3msg_parse(e.type, d + n, k->len - (uint32_t)n, k->csum == PKT_CSUM_OK,
		    &m);
	if (m.kind == L3MSG_ASK || m.kind == L3MSG_TELL)
		handle(l, &m, e.src);
	else if (m.kind == L3MSG_BROKEN)
		l->p->info.rx_drops++;
	if (m.kind != L3MSG_NONE ||
	    (e.type != ETHER_TYPE_IPV4 && e.type != ETHER_TYPE_IPV6))
		return false;
	pkt_pull(k, (uint32_t)n);
	return true;
}

/* ---- out ------------------------------------------------------------------
 */

static bool destination(const struct frame *f, struct ip_addr *ret)
{
	if (f->l2_len != 0 || f->hdr_len < 20)
		return false;
	if (f->hdr[0] >> 4 == 4)
		*ret = ip_from_bytes(IP_V4, f->hdr + 16);
	else if (f->hdr[0] >> 4 == 6 && f->hdr_len >= 40)
		*ret = ip_from_bytes(IP_V6, f->hdr + 24);
	else
		return false;
	return true;
}

/* Who on this link gets packets for `dst`; false: nobody known but the host
 * itself. */
static bool next_hop(const struct l3port *l, const struct ip_addr *dst,
		     struct ip_addr *ret)
{
	const struct osa_route *best = NULL;

	*ret = *dst;
	if (oat_on_link(&l->p->oat, dst))
		return true;
	for (uint32_t i = 0; i < l->n_routes; i++)
		if (ip_prefix_has(&l->routes[i].dst, dst) &&
		    (!best || l->routes[i].dst.len > best->dst.len))
			best = &l->routes[i];
	if (best) {
		if (best->gateway.family != IP_NONE)
			*ret = best->gateway;
		return true;
	}
	for (uint32_t i = 0; i < l->n_host; i++) {
		if (l->host[i].family == dst->family) {
			*ret = l->host[i];
			return true;
		}
	}
	return !l->host_known;
}

static void ask(struct l3port *l, const struct l3neigh *n)
{
	struct ip_addr src = oat_source(&l->p->oat, &n->addr);
	struct frame f;

	l3msg_ask(&l->link, &src, &n->addr, n->known ? n->mac : NULL, &f);
	(void)port_send(l->p, &f);
}

/* Bytes of f->hdr that fit behind an Ethernet header; the engine may fill
 * hdr to the brim with a small payload. */
#define HDR_ROOM (FRAME_HDR_MAX - ETHER_TAGGED_LEN)

/* The rest becomes a piece of payload, borrowed from `f`. */
static int move_rest(const struct frame *f, struct frame *ret)
{
	uint16_t rest = (uint16_t)(f->hdr_len - HDR_ROOM);

	if (f->n_iov == FRAME_IOV_MAX || f->gso != FRAME_GSO_NONE)
		return -EMSGSIZE;
	memmove(ret->iov + 1, ret->iov, (size_t)f->n_iov * sizeof(*f->iov));
	ret->iov[0].iov_base = (void *)(uintptr_t)(f->hdr + HDR_ROOM);
	ret->iov[0].iov_len = rest;
	ret->n_iov++;
	ret->payload_len += rest;
	ret->hdr_len = (uint16_t)(ret->hdr_len - rest);
	return 0;
}

/* The frame with an Ethernet header to `mac` in front; drops are counted. */
static int wrap(const struct l3port *l, const struct frame *f,
		const uint8_t mac[6], struct frame *ret)
{
	struct ether_header e = {.vlan = l->link.vlan};
	uint16_t n;

	e.type = f->hdr[0] >> 4 == 4 ? ETHER_TYPE_IPV4 : ETHER_TYPE_IPV6;
	memcpy(ret, f, offsetof(struct frame, iov));
	memcpy(ret->iov, f->iov, (size_t)f->n_iov * sizeof(*f->iov));
	if (f->hdr_len > HDR_ROOM && move_rest(f, ret) < 0) {
		l->p->info.tx_drops++;
		return -EMSGSIZE;
	}
	memcpy(e.dst, mac, 6);
	memcpy(e.src, l->link.mac, 6);
	n = (uint16_t)ether_emit(&e, ret->hdr);
	memcpy(ret->hdr + n, f->hdr, ret->hdr_len);
	ret->l2_len = n;
	ret->hdr_len = (uint16_t)(ret->hdr_len + n);
	ret->csum_start = (uint16_t)(f->csum_start + n);
	return 0;
}

static int send_to(struct l3port *l, const struct frame *f,
		   const uint8_t mac[6])
{
	struct frame out;
	int r = wrap(l, f, mac, &out);

	return r < 0 ? r : port_send(l->p, &out);
}

/* Nobody answers yet: the frame waits if it may. */
static int hold(struct l3port *l, struct l3neigh *n, const struct frame *f)
{
	static const uint8_t unknown[6];
	struct frame out;
	int r = wrap(l, f, unknown, &out);

	if (r < 0)
		return r;
	r = l3neigh_hold(&l->neigh, n, &out) ? 0 : -EAGAIN;
	l->p->info.tx_drops += l->neigh.lost + (r < 0);
	l->neigh.lost = 0;
	return r;
}

int l3port_output(struct l3port *l, const struct frame *f)
{
	struct ip_addr dst, hop;
	enum l3neigh_use use;
	struct l3neigh *n;
	mono_t now;

	if (f->hdr_len > FRAME_HDR_MAX || f->n_iov > FRAME_IOV_MAX ||
	    !destination(f, &dst)) {
		l->p->info.tx_drops++;
		return -EINVAL;
	}
	if (ip_is_multicast(&dst) || oat_is_broadcast(&l->p->oat, &dst)) {
		uint8_t mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

		if (ip_is_multicast(&dst))
			ether_group_mac(&dst, mac);
		return send_to(l, f, mac);
	}
	if (!next_hop(l, &dst, &hop))
		return send_to(l, f, l->host_mac);
	now = mono_now();
	n = l3neigh_get(&l->neigh, &hop, now);
	use = l3neigh_use(n, now);
	if (use == L3NEIGH_SEND_ASK || use == L3NEIGH_WAIT_ASK)
		ask(l, n);
	if (use == L3NEIGH_SEND || use == L3NEIGH_SEND_ASK)
		return send_to(l, f, n->mac);
	return hold(l, n, f);
}

void l3port_announce(struct l3port *l, const struct ip_addr *addr)
{
	struct ip_addr nobody = {.family = IP_NONE};
	struct frame f;

	l3msg_ask(&l->link, &nobody, addr, NULL, &f);
	(void)port_send(l->p, &f);
	l3msg_tell(&l->link, addr, NULL, NULL, &f);
	(void)port_send(l->p, &f);
}
