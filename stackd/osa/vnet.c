#include "osa/vnet.h"

#include <assert.h>
#include <linux/virtio_net.h>
#include <string.h>

/* Debian 12's headers end before it (Linux 6.2). */
#define GSO_UDP_L4 5

static_assert(sizeof(struct virtio_net_hdr) == VNET_LEN,
	      "the header without num_buffers");

/* Length of everything in front of the payload, told by the transport
 * header at `start`; 0 if the packet does not reach that far. */
static uint32_t headers_len(struct pkt *p, uint32_t start, bool tcp)
{
	uint32_t len;

	if (start + 20 > p->len)
		return 0;
	len = start + (tcp ? (pkt_data(p)[start + 12] >> 4) * 4u : 8u);
	return len <= p->len ? len : 0;
}

static void parse_gso(const struct virtio_net_hdr *h, struct pkt *p)
{
	uint8_t type = h->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	uint32_t hdrs, segs;

	if (type != VIRTIO_NET_HDR_GSO_TCPV4 &&
	    type != VIRTIO_NET_HDR_GSO_TCPV6 && type != GSO_UDP_L4)
		return;
	if (h->gso_size == 0 || !(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return;
	hdrs = headers_len(p, h->csum_start, type != GSO_UDP_L4);
	segs = (p->len - hdrs + h->gso_size - 1) / h->gso_size;
	if (segs <= 1)
		return;
	p->gso_size = h->gso_size;
	p->gso_segs = (uint16_t)MIN(segs, UINT16_MAX);
}

void vnet_parse(const uint8_t hdr[VNET_LEN], struct pkt *p)
{
	struct virtio_net_hdr h;

	memcpy(&h, hdr, sizeof(h));
	p->gso_size = 0;
	p->gso_segs = 1;
	p->csum = PKT_CSUM_UNKNOWN;
	/* NEEDS_CSUM: never on a wire yet, so nothing could spoil it. */
	if (h.flags &
	    (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID))
		p->csum = PKT_CSUM_OK;
	if (h.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		parse_gso(&h, p);
}

static uint8_t gso_type(const struct frame *f)
{
	/* CWR belongs to the first segment alone (RFC 3168 6.1.2); the bit
	 * tells the kernel to take care of that. */
	const uint32_t flags_at = f->csum_start + 13u;
	uint8_t ecn = flags_at < f->hdr_len && (f->hdr[flags_at] & 0x80)
			      ? VIRTIO_NET_HDR_GSO_ECN
			      : 0;

	switch ((enum frame_gso)f->gso) {
	case FRAME_GSO_TCP4:
		return VIRTIO_NET_HDR_GSO_TCPV4 | ecn;
	case FRAME_GSO_TCP6:
		return VIRTIO_NET_HDR_GSO_TCPV6 | ecn;
	case FRAME_GSO_UDP:
		return GSO_UDP_L4;
	case FRAME_GSO_NONE:
	default:
		return VIRTIO_NET_HDR_GSO_NONE;
	}
}

void vnet_emit(const struct frame *f, uint8_t hdr[VNET_LEN])
{
	struct virtio_net_hdr h = {0};

	if (f->needs_csum) {
		h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h.csum_start = f->csum_start;
		h.csum_offset = f->csum_offset;
	}
	if (f->gso != FRAME_GSO_NONE && f->payload_len > f->gso_size) {
		h.gso_type = gso_type(f);
		h.gso_size = f->gso_size;
		h.hdr_len = f->hdr_len;
	}
	memcpy(hdr, &h, sizeof(h));
}
