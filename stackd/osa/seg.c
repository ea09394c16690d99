#include "osa/seg.h"

#include "wire/checksum.h"

#include <errno.h>
#include <string.h>

#define TCP_FLAGS_AT 13
#define FLAG_FIN 0x01
#define FLAG_PSH 0x08
#define FLAG_CWR 0x80

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static int check_gso(const struct frame *f)
{
	const uint8_t *ip = f->hdr + f->l2_len;
	uint32_t l4_min = f->gso == FRAME_GSO_UDP ? 8 : 20;
	uint32_t ip_min;

	if (f->gso_size == 0 || !f->needs_csum || f->l2_len + 20u > f->hdr_len)
		return -EINVAL;
	ip_min = ip[0] >> 4 == 4 ? 20 : ip[0] >> 4 == 6 ? 40 : 0;
	if (!ip_min || f->csum_start < f->l2_len + ip_min ||
	    f->csum_start + l4_min > f->hdr_len)
		return -EINVAL;
	if (ip_min == 20 && f->csum_start != f->l2_len + (ip[0] & 15) * 4u)
		return -EINVAL;
	return 0;
}

int seg_begin(struct seg_iter *it, const struct frame *f)
{
	if (f->needs_csum && f->csum_start + f->csum_offset + 2u > f->hdr_len)
		return -EINVAL;
	if (f->hdr_len > FRAME_HDR_MAX || f->n_iov > FRAME_IOV_MAX)
		return -EINVAL;
	if (f->gso != FRAME_GSO_NONE && check_gso(f) < 0)
		return -EINVAL;
	*it = (struct seg_iter){.f = f};
	return 0;
}

/* Borrows the next `want` payload bytes; returns the number of pieces. */
static int take_payload(struct seg_iter *it, uint32_t want, struct iovec *iov)
{
	int n = 0;

	while (want > 0 && it->piece < it->f->n_iov) {
		const struct iovec *from = &it->f->iov[it->piece];
		size_t len = MIN(from->iov_len - it->piece_off, want);

		if (len > 0) {
			iov[n].iov_base =
				(uint8_t *)from->iov_base + it->piece_off;
			iov[n++].iov_len = len;
		}
		it->piece_off += len;
		want -= (uint32_t)len;
		if (it->piece_off == from->iov_len) {
			it->piece++;
			it->piece_off = 0;
		}
	}
	return n;
}

static void fix_ip(const struct seg_iter *it, uint8_t *hdr, uint32_t len)
{
	const struct frame *f = it->f;
	uint8_t *ip = hdr + f->l2_len;
	uint32_t ip_len = f->csum_start - f->l2_len;
	uint32_t total = f->hdr_len - f->l2_len + len;

	if (ip[0] >> 4 == 6) {
		put16(ip + 4, total - 40);
		return;
	}
	put16(ip + 2, total);
	put16(ip + 4, get16(ip + 4) + it->index);
	put16(ip + 10, 0);
	put16(ip + 10, csum_finish(csum_add(0, ip, ip_len)));
}

static void fix_l4(const struct seg_iter *it, uint8_t *hdr, uint32_t len,
		   bool last)
{
	const struct frame *f = it->f;
	uint8_t *l4 = hdr + f->csum_start;

	if (f->gso == FRAME_GSO_UDP) {
		put16(l4 + 4, f->hdr_len - f->csum_start + len);
		return;
	}
	put32(l4 + 4, get32(l4 + 4) + it->at);
	if (!last)
		l4[TCP_FLAGS_AT] &= (uint8_t) ~(FLAG_FIN | FLAG_PSH);
	if (it->index > 0)
		l4[TCP_FLAGS_AT] &= (uint8_t)~FLAG_CWR;
}

/*
 * The field holds the folded pseudo-header sum of the whole frame. Only the
 * length in it differs for a segment: take the old one out and the new one
 * in (RFC 1624), then sum the segment with the field in place.
 */
static void finish_csum(const struct frame *f, uint8_t *hdr, struct iovec *iov,
			int n, uint32_t len)
{
	uint8_t *field = hdr + f->csum_start + f->csum_offset;
	uint32_t l4_hdr = f->hdr_len - f->csum_start;
	uint8_t adjust[4];
	struct iovec all = iov[0];
	uint16_t sum;

	put16(adjust, ~(l4_hdr + f->payload_len));
	put16(adjust + 2, l4_hdr + len);
	iov[0].iov_base = hdr + f->csum_start;
	iov[0].iov_len = l4_hdr;
	sum = csum_finish(csum_add_iov(csum_add(0, adjust, 4), iov, n));
	iov[0] = all;
	/* RFC 768: a computed zero goes out as all ones. */
	if (sum == 0 && f->csum_offset == 6)
		sum = 0xffff;
	put16(field, sum);
}

int seg_next(struct seg_iter *it, uint8_t hdr[FRAME_HDR_MAX],
	     struct iovec iov[SEG_IOV_MAX])
{
	const struct frame *f = it->f;
	uint32_t left = f->payload_len - it->at;
	uint32_t len = f->gso == FRAME_GSO_NONE ? left : MIN(left, f->gso_size);
	int n;

	if (it->done)
		return 0;
	memcpy(hdr, f->hdr, f->hdr_len);
	iov[0].iov_base = hdr;
	iov[0].iov_len = f->hdr_len;
	n = 1 + take_payload(it, len, iov + 1);
	if (f->gso != FRAME_GSO_NONE) {
		fix_ip(it, hdr, len);
		fix_l4(it, hdr, len, len == left);
	}
	if (f->needs_csum)
		finish_csum(f, hdr, iov, n, len);
	it->at += len;
	it->index++;
	it->done = it->at == f->payload_len;
	return n;
}
