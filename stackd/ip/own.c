/* Frames the stack makes for itself wait here for ip_output(). */
#include "ip/ip_int.h"
#include "wire/icmp.h"

#include <string.h>

/*
 * What a frame needs besides its bytes travels in the owner's scratch
 * fields of the buffer: checksum place in seq, GSO kind and a "needs
 * checksum" bit in mark.
 */
#define MARK_NEEDS_CSUM 0x80u
#define MARK_GSO 0x0fu

struct pkt *ip_own_copy(struct ip_stack *ips, const struct frame *f)
{
	bool small = frame_len(f) <= PKT_SMALL_CAP - PKT_HEADROOM;
	struct pkt *p = pkt_new(ips->env.pool, small ? PKT_SMALL : PKT_LARGE);

	if (!p || frame_copy(f, pkt_data(p), pkt_tailroom(p)) < 0) {
		ip_drop(ips, p, IP_DROP_NO_BUFFER);
		return NULL;
	}
	p->len = (uint32_t)frame_len(f);
	p->ifindex = f->ifindex;
	p->gso_size = f->gso_size;
	p->seq = (uint32_t)f->csum_start << 16 | f->csum_offset;
	p->mark = (uint8_t)(f->gso | (f->needs_csum ? MARK_NEEDS_CSUM : 0));
	return p;
}

void ip_own_push(struct ip_stack *ips, struct pkt *p)
{
	if (ips->n_out == IP_OUTQ_MAX) {
		ip_drop(ips, p, IP_DROP_NO_BUFFER);
		return;
	}
	p->next = NULL;
	if (ips->out_tail)
		ips->out_tail->next = p;
	else
		ips->out_head = p;
	ips->out_tail = p;
	ips->n_out++;
}

static struct pkt *pop(struct ip_stack *ips)
{
	struct pkt *p = ips->out_head;

	if (!p)
		return NULL;
	ips->out_head = p->next;
	if (!ips->out_head)
		ips->out_tail = NULL;
	p->next = NULL;
	ips->n_out--;
	return p;
}

static void frame_of(const struct ip_iface *ifc, struct pkt *p, struct frame *f)
{
	uint32_t in_hdr = MIN(p->len, FRAME_HDR_MAX);

	f->ifindex = ifc->index;
	f->l2_len = ifc->l2_len;
	f->hdr_len = (uint16_t)in_hdr;
	memcpy(f->hdr, pkt_data(p), in_hdr);
	f->payload_len = p->len - in_hdr;
	f->n_iov = f->payload_len != 0;
	f->iov[0] = (struct iovec){
		.iov_base = pkt_data(p) + in_hdr,
		.iov_len = f->payload_len,
	};
	f->gso = p->mark & MARK_GSO;
	f->gso_size = p->gso_size;
	f->needs_csum = p->mark & MARK_NEEDS_CSUM;
	f->csum_start = (uint16_t)(p->seq >> 16);
	f->csum_offset = (uint16_t)p->seq;
}

bool ip_output(struct ip_stack *ips, struct frame *ret, mono_t now UNUSED)
{
	struct ip_iface *ifc;
	struct pkt *p;

	pkt_free(ips->env.pool, ips->out_sent);
	ips->out_sent = NULL;
	for (;;) {
		p = pop(ips);
		if (!p)
			return false;
		ifc = ips->iface[p->ifindex];
		if (ifc->up)
			break;
		ip_drop(ips, p, IP_DROP_IFACE_DOWN);
	}
	frame_of(ifc, p, ret);
	ips->out_sent = p;
	ips->count.tx_packets++;
	ifc->tx_packets++;
	ifc->tx_bytes += p->len;
	return true;
}

int ip_own_icmp(struct ip_stack *ips, const struct ip_path *path, uint8_t ttl,
		uint8_t tos, const uint8_t hdr[ICMP_HDR_LEN],
		const struct iovec *payload, mono_t now)
{
	struct ip_tx tx = {
		.path = path,
		.proto = path->dst.family == IP_V4 ? IP_PROTO_ICMP
						   : IP_PROTO_ICMPV6,
		.ttl = ttl,
		.tos = tos,
		.l4_hdr_len = ICMP_HDR_LEN,
		.csum_offset = 2,
	};

	memcpy(tx.l4_hdr, hdr, ICMP_HDR_LEN);
	if (payload) {
		tx.iov[0] = *payload;
		tx.n_iov = 1;
		tx.payload_len = (uint32_t)payload->iov_len;
	}
	ips->count.icmp_out++;
	return ip_own_send(ips, &tx, now);
}
