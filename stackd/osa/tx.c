#include "osa/l3port.h"
#include "osa/port.h"
#include "osa/seg.h"
#include "osa/trace.h"
#include "osa/vnet.h"

#include <errno.h>
#include <string.h>

/* Drop or error: what the caller is told about a failed write. */
static int failed(struct osa_port *p, int r)
{
	p->info.tx_drops++;
	if (r == -ENOBUFS || r == -ENOMEM || r == -EWOULDBLOCK)
		return -EAGAIN;
	return r;
}

/*
 * One message: virtio-net header and frame headers in one piece (copying
 * some 60 bytes is cheaper than another iovec), then the payload.
 */
static int send_whole(struct osa_port *p, const struct frame *f)
{
	uint8_t head[VNET_LEN + FRAME_HDR_MAX];
	struct iovec iov[1 + FRAME_IOV_MAX];
	size_t vnet = p->vnet ? VNET_LEN : 0;

	if (vnet)
		vnet_emit(f, head);
	memcpy(head + vnet, f->hdr, f->hdr_len);
	iov[0].iov_base = head;
	iov[0].iov_len = vnet + f->hdr_len;
	memcpy(iov + 1, f->iov, (size_t)f->n_iov * sizeof(*iov));
	p->info.tx_syscalls++;
	return p->medium->send(p, iov, 1 + f->n_iov);
}

/* The same frame as the wire frames an adapter would make of it. */
static int send_segments(struct osa_port *p, const struct frame *f)
{
	uint8_t head[VNET_LEN + FRAME_HDR_MAX] = {0};
	size_t vnet = p->vnet ? VNET_LEN : 0;
	struct iovec iov[SEG_IOV_MAX];
	struct seg_iter it;
	int n, r;

	r = seg_begin(&it, f);
	while (r == 0 && (n = seg_next(&it, head + vnet, iov)) > 0) {
		iov[0].iov_base = head;
		iov[0].iov_len += vnet;
		p->info.tx_syscalls++;
		r = p->medium->send(p, iov, n);
	}
	return r;
}

static bool medium_can(const struct osa_port *p, const struct frame *f)
{
	if (f->gso == FRAME_GSO_UDP)
		return p->uso;
	return p->tso || (f->gso == FRAME_GSO_NONE && !f->needs_csum);
}

int port_send(struct osa_port *p, const struct frame *f)
{
	int r;

	if (f->hdr_len > FRAME_HDR_MAX || f->n_iov > FRAME_IOV_MAX)
		return failed(p, -EMSGSIZE);
	r = medium_can(p, f) ? send_whole(p, f) : send_segments(p, f);
	if (r < 0)
		return failed(p, r);
	p->info.tx_frames++;
	p->info.tx_bytes += frame_len(f);
	if (f->gso != FRAME_GSO_NONE)
		p->info.tx_gso++;
	if (UNLIKELY(p->trace != NULL))
		trace_frame(p, f);
	return 0;
}

int osa_write(struct osa_port *p, const struct frame *f)
{
	return UNLIKELY(p->l3 != NULL) ? l3port_output(p->l3, f)
				       : port_send(p, f);
}
