/*
 * A transport message becomes frames: link-layer header, IP header,
 * fragments where need be, checksum or what a device needs to finish it.
 */
#include "ip/ip_int.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#include <errno.h>
#include <string.h>

/* The part of a message that one frame carries. */
struct piece {
	uint32_t off, len; /* of transport header and payload */
	bool frag, more;
};

static inline void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/*
 * [RFC6864 4] [RFC7739 5.3] A counter per hash of the addresses, and a
 * secret offset per pair: no value repeats soon, none tells another host's.
 */
static uint32_t next_ident(struct ip_stack *ips, const struct ip_path *path,
			   uint8_t proto)
{
	struct {
		struct ip_addr src, dst;
		uint8_t proto;
	} key = {path->src, path->dst, proto};
	uint64_t h = hash_bytes(&ips->env.key, &key, sizeof(key));
	uint32_t *c = &ips->ident[h % ARRAY_SIZE(ips->ident)];

	return (uint32_t)(h >> 32) + (*c)++;
}

static uint32_t tx_total(const struct ip_tx *tx)
{
	return tx->l4_hdr_len + tx->payload_len;
}

static uint32_t l3_hdr_len(const struct ip_tx *tx)
{
	return tx->path->dst.family == IP_V4 ? IPV4_HDR_MIN : IPV6_HDR_LEN;
}

static uint32_t tx_mtu(const struct ip_iface *ifc, const struct ip_tx *tx)
{
	uint32_t mtu = ip_iface_mtu(ifc, tx->path->dst.family);

	return tx->path->mtu ? MIN(mtu, tx->path->mtu) : mtu;
}

static uint64_t pseudo_sum(const struct ip_tx *tx)
{
	/* [RFC792] ICMP for IPv4 has no pseudo-header */
	if (tx->proto == IP_PROTO_ICMP)
		return 0;
	return csum_pseudo(&tx->path->src, &tx->path->dst, tx->proto,
			   tx_total(tx));
}

static uint16_t software_csum(const struct ip_tx *tx, const uint8_t *l4_hdr)
{
	uint64_t sum = csum_add(pseudo_sum(tx), l4_hdr, tx->l4_hdr_len);
	uint16_t v;

	/* headers of all transports have an even length */
	sum = csum_add_iov(sum, tx->iov, tx->n_iov);
	v = csum_finish(sum);
	/* [RFC768] zero would mean "no checksum" */
	return v == 0 && tx->proto == IP_PROTO_UDP ? 0xffff : v;
}

static bool tx_filtered(struct ip_stack *ips, const struct ip_tx *tx)
{
	struct ip_flow f = {
		.out = true,
		.proto = tx->proto,
		.local = &tx->path->src,
		.remote = &tx->path->dst,
		.l4 = tx->l4_hdr,
		.l4_len = tx->l4_hdr_len,
	};

	return ips->n_rule && !ip_filter_pass(ips, &f);
}

/* Once per message: may it go, and must it go in pieces? */
static int tx_begin(struct ip_stack *ips, const struct ip_iface *ifc,
		    struct ip_tx *tx)
{
	bool v4 = tx->path->dst.family == IP_V4;
	uint32_t total = tx_total(tx);

	tx->started = true;
	if (total > 65535u - (v4 ? IPV4_HDR_MIN : 0))
		return -EMSGSIZE;
	if (ifc->index != IP_LOOPBACK && tx_filtered(ips, tx)) {
		ips->drops[IP_DROP_FILTER]++;
		return -EPERM;
	}
	if (tx->gso || l3_hdr_len(tx) + total <= tx_mtu(ifc, tx))
		return 0;
	if (tx->dont_fragment && !tx->path->mtu_locked)
		return -EMSGSIZE;
	/* A fragmented message is summed up as a whole, once. */
	if (tx->csum_offset != IP_CSUM_NONE)
		put16(tx->l4_hdr + tx->csum_offset,
		      software_csum(tx, tx->l4_hdr));
	tx->frag_id = next_ident(ips, tx->path, tx->proto);
	return 0;
}

/* [RFC1122 3.3.3] */
static struct piece next_piece(const struct ip_iface *ifc,
			       const struct ip_tx *tx)
{
	uint32_t hdr = l3_hdr_len(tx), total = tx_total(tx), room;
	uint32_t mtu = tx_mtu(ifc, tx);
	struct piece pc = {.off = tx->frag_off, .len = total - tx->frag_off};

	if (tx->gso || hdr + total <= mtu)
		return pc;
	pc.frag = true;
	if (tx->path->dst.family == IP_V6)
		hdr += IPV6_FRAG_LEN;
	room = (mtu - hdr) & ~7u;
	if (hdr + pc.len > mtu) {
		pc.len = room;
		pc.more = true;
	}
	return pc;
}

/* [RFC1122 3.2.1.7] [RFC8200 8.2] */
static uint8_t tx_ttl(const struct ip_stack *ips, const struct ip_iface *ifc,
		      const struct ip_tx *tx)
{
	if (tx->ttl)
		return tx->ttl;
	if (ip_is_multicast(&tx->path->dst))
		return 1; /* [RFC1112 6.1] */
	return tx->path->dst.family == IP_V6 ? ifc->hop_limit : ips->tune.ttl;
}

/* [RFC1122 3.2.1.6] */
static size_t put_ipv4(struct ip_stack *ips, const struct ip_iface *ifc,
		       const struct ip_tx *tx, const struct piece *pc,
		       uint8_t *buf)
{
	bool df = tx->dont_fragment && !tx->path->mtu_locked && !pc->frag;
	struct ipv4_header h = {
		.tos = tx->tos,
		.total_len = (uint16_t)(IPV4_HDR_MIN + pc->len),
		.df = df,
		.mf = pc->more,
		.frag_off = (uint16_t)pc->off,
		.ttl = tx_ttl(ips, ifc, tx),
		.proto = tx->proto,
		.src = tx->path->src,
		.dst = tx->path->dst,
	};

	/* [RFC6864 4.1] an atomic datagram may carry any value */
	if (pc->frag)
		h.id = (uint16_t)tx->frag_id;
	else if (!df)
		h.id = (uint16_t)next_ident(ips, tx->path, tx->proto);
	ipv4_emit(&h, buf);
	return IPV4_HDR_MIN;
}

/*
 * [RFC6437 3] [RFC8200 6] The same for all packets of a flow, another for
 * each flow, nothing that a stranger could foretell. What has no ports has
 * no flow.
 */
static uint32_t flow_label(const struct ip_stack *ips, const struct ip_tx *tx)
{
	struct {
		struct ip_addr src, dst;
		uint8_t ports[4], proto, what;
	} key = {tx->path->src, tx->path->dst, {0}, tx->proto, 'f'};

	if (tx->flow_label)
		return tx->flow_label;
	if (tx->proto != IP_PROTO_TCP && tx->proto != IP_PROTO_UDP)
		return 0;
	memcpy(key.ports, tx->l4_hdr, sizeof(key.ports));
	return MAX((uint32_t)hash_bytes(&ips->env.key, &key, sizeof(key)) &
			   0xfffff,
		   1u);
}

static size_t put_ipv6(struct ip_stack *ips, const struct ip_iface *ifc,
		       const struct ip_tx *tx, const struct piece *pc,
		       uint8_t *buf)
{
	size_t ext = pc->frag ? IPV6_FRAG_LEN : 0;
	struct ipv6_header h = {
		.tos = tx->tos,
		.flow = flow_label(ips, tx),
		.payload_len = (uint16_t)(ext + pc->len),
		.next_header = pc->frag ? IPV6_NH_FRAGMENT : tx->proto,
		.hop_limit = tx_ttl(ips, ifc, tx),
		.src = tx->path->src,
		.dst = tx->path->dst,
	};
	struct ipv6_frag f = {
		.next_header = tx->proto,
		.off = (uint16_t)pc->off,
		.more = pc->more,
		.id = tx->frag_id,
	};

	ipv6_emit(&h, buf);
	if (pc->frag)
		ipv6_frag_emit(&f, buf + IPV6_HDR_LEN);
	return IPV6_HDR_LEN + ext;
}

/* Points the frame at bytes off..off+len of the payload. */
static void slice(struct frame *f, const struct ip_tx *tx, uint32_t off,
		  uint32_t len)
{
	f->payload_len = len;
	f->n_iov = 0;
	for (int i = 0; i < tx->n_iov && len; i++) {
		uint32_t have = (uint32_t)tx->iov[i].iov_len, take;

		if (off >= have) {
			off -= have;
			continue;
		}
		take = MIN(have - off, len);
		f->iov[f->n_iov++] = (struct iovec){
			.iov_base = (uint8_t *)tx->iov[i].iov_base + off,
			.iov_len = take,
		};
		len -= take;
		off = 0;
	}
}

/* Transport header and payload of one piece behind what f->hdr has. */
static void put_payload(struct frame *f, const struct ip_tx *tx,
			const struct piece *pc)
{
	uint32_t in_hdr = 0;

	if (pc->off < tx->l4_hdr_len) {
		in_hdr = MIN(tx->l4_hdr_len - pc->off, pc->len);
		memcpy(f->hdr + f->hdr_len, tx->l4_hdr + pc->off, in_hdr);
		f->hdr_len = (uint16_t)(f->hdr_len + in_hdr);
	}
	slice(f, tx, pc->off + in_hdr - tx->l4_hdr_len, pc->len - in_hdr);
}

/* [RFC9293 3.1 MUST-2] */
static void put_csum(const struct ip_iface *ifc, const struct ip_tx *tx,
		     struct frame *f)
{
	uint8_t *l4 = f->hdr + f->csum_start;
	bool device =
		tx->gso || (ifc->cfg.tx_csum && (tx->proto == IP_PROTO_TCP ||
						 tx->proto == IP_PROTO_UDP));

	if (tx->csum_offset == IP_CSUM_NONE)
		return;
	if (!device) {
		put16(l4 + tx->csum_offset, software_csum(tx, l4));
		return;
	}
	put16(l4 + tx->csum_offset, csum_fold(pseudo_sum(tx)));
	f->needs_csum = true;
}

size_t ip_l2_emit(const struct ip_iface *ifc, const uint8_t *dst_mac,
		  uint16_t type, uint8_t *buf)
{
	struct ether_header h = {.vlan = ifc->cfg.vlan, .type = type};

	memcpy(h.dst, dst_mac, ETHER_MAC_LEN);
	memcpy(h.src, ifc->cfg.mac, ETHER_MAC_LEN);
	return ether_emit(&h, buf);
}

/* One frame, headers and all. */
static void build(struct ip_stack *ips, const struct ip_iface *ifc,
		  struct ip_tx *tx, const uint8_t *mac, struct frame *f)
{
	bool v4 = tx->path->dst.family == IP_V4;
	struct piece pc = next_piece(ifc, tx);

	f->ifindex = ifc->index;
	f->hdr_len = f->l2_len = ifc->l2_len;
	if (f->l2_len)
		ip_l2_emit(ifc, mac, v4 ? ETHER_TYPE_IPV4 : ETHER_TYPE_IPV6,
			   f->hdr);
	f->hdr_len =
		(uint16_t)(f->hdr_len + (v4 ? put_ipv4(ips, ifc, tx, &pc,
						       f->hdr + f->hdr_len)
					    : put_ipv6(ips, ifc, tx, &pc,
						       f->hdr + f->hdr_len)));
	f->csum_start = f->hdr_len;
	f->csum_offset = tx->csum_offset;
	f->needs_csum = false;
	f->gso = tx->gso;
	f->gso_size = tx->gso_size;
	put_payload(f, tx, &pc);
	if (pc.frag)
		ips->count.fragments_out++;
	else
		put_csum(ifc, tx, f);
	tx->frag_off += pc.len;
	tx->done = !pc.more;
}

/* Copies every frame of `tx` and hangs them on a neighbour that has yet to
 * answer. */
static int hold(struct ip_stack *ips, const struct ip_iface *ifc,
		struct ip_tx *tx, struct ip_neigh *n)
{
	static const uint8_t nobody[ETHER_MAC_LEN];
	bool first = tx->frag_off == 0;
	struct frame f;

	while (!tx->done) {
		struct pkt *p;

		build(ips, ifc, tx, nobody, &f);
		p = ip_own_copy(ips, &f);
		if (!p) {
			tx->done = true;
			return -ENOBUFS;
		}
		ip_neigh_hold(n, p, first);
		first = false;
	}
	return 0;
}

/* Link-layer destination; READY needs no neighbour for groups. */
static enum ip_resolved tx_resolve(struct ip_iface *ifc,
				   const struct ip_path *path, mono_t now,
				   uint8_t mac[ETHER_MAC_LEN],
				   struct ip_neigh **ret)
{
	if (path->broadcast) {
		memset(mac, 0xff, ETHER_MAC_LEN);
		return IP_RES_READY;
	}
	if (ip_is_multicast(&path->dst)) {
		ether_group_mac(&path->dst, mac);
		return IP_RES_READY;
	}
	return ip_neigh_resolve(ifc, &path->next_hop, &path->src, now, mac,
				ret);
}

/* ip_tx_next() without the counting. */
static int tx_next(struct ip_stack *ips, struct ip_tx *tx, struct frame *ret,
		   mono_t now)
{
	struct ip_iface *ifc = ip_iface_get(ips, tx->path->ifindex);
	uint8_t mac[ETHER_MAC_LEN];
	struct ip_neigh *n = NULL;
	int r;

	if (!ifc || !ifc->up)
		return -ENETDOWN;
	if (!tx->started) {
		r = tx_begin(ips, ifc, tx);
		if (r < 0)
			return r;
	}
	if (ifc->cfg.kind == IP_LINK_L2) {
		switch (tx_resolve(ifc, tx->path, now, mac, &n)) {
		case IP_RES_WAIT:
			return hold(ips, ifc, tx, n);
		case IP_RES_FAILED:
			return -EHOSTUNREACH;
		case IP_RES_READY:
			break;
		}
	}
	build(ips, ifc, tx, mac, ret);
	return 1;
}

int ip_tx_next(struct ip_stack *ips, struct ip_tx *tx, struct frame *ret,
	       mono_t now)
{
	int r;

	if (tx->done)
		return 0;
	r = tx_next(ips, tx, ret, now);
	if (r < 0)
		tx->done = true;
	if (r == 1) {
		struct ip_iface *ifc = ips->iface[ret->ifindex];

		ips->count.tx_packets++;
		ifc->tx_packets++;
		ifc->tx_bytes += frame_len(ret);
	}
	return r;
}

int ip_own_send(struct ip_stack *ips, struct ip_tx *tx, mono_t now)
{
	struct frame f;
	int r = 0;

	while (!tx->done) {
		struct pkt *p;

		r = tx_next(ips, tx, &f, now);
		if (r <= 0)
			break;
		p = ip_own_copy(ips, &f);
		if (!p)
			return -ENOBUFS;
		ip_own_push(ips, p);
	}
	return MIN(r, 0);
}
