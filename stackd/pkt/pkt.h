/*
 * pkt.h: packet buffers and the frames that go out.
 *
 * A pkt is one buffer with one owner: whoever holds the pointer frees it or
 * hands it on. The live bytes are buf[off .. off+len). Layers strip headers
 * by moving `off` forward and prepend by moving it back. Buffers come in two
 * sizes from one pool with a limit in bytes; an exhausted pool returns NULL,
 * which callers treat as a lost packet. Free buffers are reused last in,
 * first out, so that a busy stack stays inside the processor's cache.
 *
 * A frame is what the engine wants sent: headers it built, then borrowed
 * pieces of payload. It is valid until the next call into the engine, so a
 * device writes it (writev) or copies it at once.
 *
 * Nothing here does I/O or reads a clock.
 */
#ifndef COUPLET_PKT_H
#define COUPLET_PKT_H

#include "base/base.h"

#include <sys/uio.h>

enum pkt_size {
	PKT_SMALL, /* PKT_SMALL_CAP bytes */
	PKT_LARGE, /* PKT_LARGE_CAP bytes: a 64 KiB frame with room to spare */
};

#define PKT_SMALL_CAP 2048u
#define PKT_LARGE_CAP (65536u + 512u)
#define PKT_HEADROOM 64u /* space kept before received bytes */

enum pkt_csum {
	PKT_CSUM_UNKNOWN, /* the engine must verify the transport checksum */
	PKT_CSUM_OK,      /* verified by the sender's host or the adapter */
};

struct pkt {
	struct pkt *next;     /* for whatever queue the owner keeps */
	uint32_t cap;         /* bytes at buf */
	uint32_t off, len;    /* live bytes */
	uint32_t seq;         /* scratch for the owner (TCP: sequence number) */
	uint32_t ifindex;     /* interface it came in on, 1.. */
	uint16_t gso_size;    /* payload bytes of each merged segment, 0 none */
	uint16_t gso_segs;    /* wire segments in here, at least 1 */
	uint8_t csum;         /* enum pkt_csum */
	uint8_t l2_multicast; /* link-layer destination was a group */
	uint8_t mark;         /* scratch for the owner */
	uint8_t ecn;          /* ECN code point of the IP header, 0..3 */
	uint8_t buf[];
};

struct pkt_pool {
	struct pkt *free_small, *free_large;
	size_t used_bytes;   /* in buffers held by somebody */
	size_t cached_bytes; /* in buffers on the free lists */
	size_t limit_bytes;  /* used_bytes never passes this */
	uint64_t refused;    /* allocations that met the limit */
};

/* An empty pool that hands out at most `limit_bytes` at a time. */
void pkt_pool_init(struct pkt_pool *pool, size_t limit_bytes);
/* Frees the cached buffers; all others must have come back. */
void pkt_pool_fini(struct pkt_pool *pool);

/* New buffer with off = PKT_HEADROOM, len = 0, everything else zero;
 * NULL at the limit. */
struct pkt *pkt_new(struct pkt_pool *pool, enum pkt_size size);
void pkt_free(struct pkt_pool *pool, struct pkt *p); /* NULL is fine */
/* Frees a chain linked by ->next. */
void pkt_free_chain(struct pkt_pool *pool, struct pkt *p);

/*
 * Gives back memory: if the live bytes of a large buffer fit a small one,
 * moves them there and frees the large one. Returns the buffer to use from
 * now on (`p` itself where it does not pay or the pool is exhausted).
 */
struct pkt *pkt_shrink(struct pkt_pool *pool, struct pkt *p);

static inline uint8_t *pkt_data(struct pkt *p)
{
	return p->buf + p->off;
}

/* Bytes that can still be appended. */
static inline uint32_t pkt_tailroom(const struct pkt *p)
{
	return p->cap - p->off - p->len;
}

/* Drops `n` bytes (at most len) from the front or from the back. */
static inline void pkt_pull(struct pkt *p, uint32_t n)
{
	p->off += n;
	p->len -= n;
}

static inline void pkt_trim(struct pkt *p, uint32_t n)
{
	p->len -= n;
}

#define FRAME_HDR_MAX 256
#define FRAME_IOV_MAX 8

enum frame_gso {
	FRAME_GSO_NONE,
	FRAME_GSO_TCP4,
	FRAME_GSO_TCP6,
	FRAME_GSO_UDP,
};

struct frame {
	uint32_t ifindex;     /* interface to send it on, 1.. */
	uint16_t hdr_len;     /* bytes of hdr in use */
	uint16_t l2_len;      /* of these, link-layer header (0 or 14, 18) */
	uint32_t payload_len; /* sum of iov */
	uint8_t gso;          /* enum frame_gso */
	bool needs_csum;      /* transport checksum holds the pseudo-header
			       * sum; the device must finish it or call
			       * frame_finish_csum() */
	uint16_t gso_size;    /* payload bytes per wire segment */
	uint16_t csum_start;  /* transport header, from the start of hdr */
	uint16_t csum_offset; /* checksum field from csum_start */
	int n_iov;
	struct iovec iov[FRAME_IOV_MAX]; /* borrowed */
	uint8_t hdr[FRAME_HDR_MAX];
};

static inline size_t frame_len(const struct frame *f)
{
	return (size_t)f->hdr_len + f->payload_len;
}

/* Computes the transport checksum in software; clears needs_csum. Not for
 * GSO frames (segment first). */
void frame_finish_csum(struct frame *f);
/* Copies the whole frame to `dst` (cap bytes); its length, or -ENOSPC. */
ssize_t frame_copy(const struct frame *f, void *dst, size_t cap);

#endif
