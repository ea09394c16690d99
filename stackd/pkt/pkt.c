#include "pkt/pkt.h"

#include "wire/checksum.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Free buffers kept for reuse; more than this goes back to the system. */
#define CACHE_MAX_BYTES (16u << 20)

static uint32_t cap_of(enum pkt_size size)
{
	return size == PKT_SMALL ? PKT_SMALL_CAP : PKT_LARGE_CAP;
}

static size_t bytes_of(uint32_t cap)
{
	return sizeof(struct pkt) + cap;
}

void pkt_pool_init(struct pkt_pool *pool, size_t limit_bytes)
{
	*pool = (struct pkt_pool){.limit_bytes = limit_bytes};
}

static void free_list(struct pkt *p)
{
	while (p) {
		struct pkt *next = p->next;

		free(p);
		p = next;
	}
}

void pkt_pool_fini(struct pkt_pool *pool)
{
	free_list(pool->free_small);
	free_list(pool->free_large);
	pool->free_small = pool->free_large = NULL;
	pool->cached_bytes = 0;
}

struct pkt *pkt_new(struct pkt_pool *pool, enum pkt_size size)
{
	struct pkt **list =
		size == PKT_SMALL ? &pool->free_small : &pool->free_large;
	uint32_t cap = cap_of(size);
	struct pkt *p = *list;

	if (pool->used_bytes + bytes_of(cap) > pool->limit_bytes) {
		pool->refused++;
		return NULL;
	}
	if (p) {
		*list = p->next;
		pool->cached_bytes -= bytes_of(cap);
	} else {
		p = malloc(bytes_of(cap));
		if (!p) {
			pool->refused++;
			return NULL;
		}
	}
	pool->used_bytes += bytes_of(cap);
	memset(p, 0, sizeof(*p));
	p->cap = cap;
	p->off = PKT_HEADROOM;
	return p;
}

void pkt_free(struct pkt_pool *pool, struct pkt *p)
{
	struct pkt **list;

	if (!p)
		return;
	pool->used_bytes -= bytes_of(p->cap);
	if (pool->cached_bytes + bytes_of(p->cap) > CACHE_MAX_BYTES) {
		free(p);
		return;
	}
	list = p->cap == PKT_SMALL_CAP ? &pool->free_small : &pool->free_large;
	p->next = *list;
	*list = p;
	pool->cached_bytes += bytes_of(p->cap);
}

void pkt_free_chain(struct pkt_pool *pool, struct pkt *p)
{
	while (p) {
		struct pkt *next = p->next;

		pkt_free(pool, p);
		p = next;
	}
}

struct pkt *pkt_shrink(struct pkt_pool *pool, struct pkt *p)
{
	struct pkt *small;
	uint32_t off;

	if (p->cap == PKT_SMALL_CAP || p->len > PKT_SMALL_CAP)
		return p;
	small = pkt_new(pool, PKT_SMALL);
	if (!small)
		return p;
	/* Keep the bytes in front (headers an ICMP error may quote) as far
	 * as they fit. */
	off = MIN(p->off, PKT_SMALL_CAP - p->len);
	memcpy(small->buf, p->buf + p->off - off, (size_t)off + p->len);
	small->off = off;
	small->len = p->len;
	small->next = p->next;
	small->seq = p->seq;
	small->ifindex = p->ifindex;
	small->gso_size = p->gso_size;
	small->gso_segs = p->gso_segs;
	small->csum = p->csum;
	small->l2_multicast = p->l2_multicast;
	small->mark = p->mark;
	small->ecn = p->ecn;
	pkt_free(pool, p);
	return small;
}

void frame_finish_csum(struct frame *f)
{
	struct iovec all[FRAME_IOV_MAX + 1];
	uint8_t *l4 = f->hdr + f->csum_start;
	uint16_t sum;

	if (!f->needs_csum)
		return;
	/* The field holds the folded pseudo-header sum; summing the segment
	 * with it in place adds it in. */
	all[0] = (struct iovec){l4, (size_t)(f->hdr_len - f->csum_start)};
	memcpy(&all[1], f->iov, (size_t)f->n_iov * sizeof(all[0]));
	sum = csum_finish(csum_add_iov(0, all, f->n_iov + 1));
	if (sum == 0 && f->csum_offset == 6) /* UDP: RFC 768, zero means none */
		sum = 0xffff;
	l4[f->csum_offset] = (uint8_t)(sum >> 8);
	l4[f->csum_offset + 1] = (uint8_t)sum;
	f->needs_csum = false;
}

ssize_t frame_copy(const struct frame *f, void *dst, size_t cap)
{
	uint8_t *p = dst;

	if (frame_len(f) > cap)
		return -ENOSPC;
	memcpy(p, f->hdr, f->hdr_len);
	p += f->hdr_len;
	for (int i = 0; i < f->n_iov; i++) {
		memcpy(p, f->iov[i].iov_base, f->iov[i].iov_len);
		p += f->iov[i].iov_len;
	}
	return p - (uint8_t *)dst;
}
