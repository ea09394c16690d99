#include "osa/l3port.h"
#include "osa/trace.h"
#include "osa/vnet.h"

#include <errno.h>
#include <string.h>

/* Largest live bytes that move into a small buffer. */
#define SMALL_MAX (PKT_SMALL_CAP - PKT_HEADROOM)

/*
 * Where a packet begins in a large buffer. On processors that copy with
 * "rep movsb" (FSRM) a copy is 3 to 20 times slower while the target lies 1
 * to 31 bytes above the source modulo a page: some Zen cores take it for an
 * overlap. The kernel's pages begin at 0, so a payload (40 to 90 bytes into
 * the packet) must not begin just behind a page boundary, nor, as it will be
 * copied out again, just before one.
 */
static uint32_t good_offset(const struct pkt *k)
{
	uint32_t at = (uint32_t)((uintptr_t)(k->buf + PKT_HEADROOM) & 4095);

	if (at < 16)
		return PKT_HEADROOM + 16 - at;
	return at > 3968 ? PKT_HEADROOM + 4096 + 16 - at : PKT_HEADROOM;
}

static void count(struct osa_port *p, const struct pkt *k)
{
	p->info.rx_frames++;
	p->info.rx_bytes += k->len;
	if (k->gso_size)
		p->info.rx_gso++;
}

/*
 * One message lies in `k` (the port's spare buffer if the pool is
 * exhausted) from k->off - vnet on. Offload facts, trace, layer 3
 * mode. False: consumed here or broken.
 */
static bool digest(struct osa_port *p, struct pkt *k, size_t len)
{
	uint32_t vnet = p->vnet ? VNET_LEN : 0;

	if (len <= vnet) {
		p->info.rx_drops++;
		return false;
	}
	k->len = (uint32_t)len - vnet;
	k->csum = PKT_CSUM_UNKNOWN;
	k->gso_size = 0;
	k->gso_segs = 1;
	k->l2_multicast = 0;
	if (p->vnet)
		vnet_parse(pkt_data(k) - VNET_LEN, k);
	count(p, k);
	if (UNLIKELY(p->trace != NULL))
		trace_pkt(p, k);
	if (p->eth)
		k->l2_multicast = pkt_data(k)[0] & 1;
	return !p->l3 || l3port_input(p->l3, k);
}

/* A small buffer with the live bytes and facts of `k`, or NULL. */
static struct pkt *copy_small(struct pkt_pool *pool, const struct pkt *k)
{
	struct pkt *s = pkt_new(pool, PKT_SMALL);

	if (!s)
		return NULL;
	memcpy(s->buf + PKT_HEADROOM, k->buf + k->off, k->len);
	s->len = k->len;
	s->gso_size = k->gso_size;
	s->gso_segs = k->gso_segs;
	s->csum = k->csum;
	s->l2_multicast = k->l2_multicast;
	return s;
}

/* What to hand up for the packet in `k`: a small copy, or *big itself. */
static struct pkt *choose(struct osa_port *p, struct pkt_pool *pool,
			  struct pkt *k, struct pkt **big)
{
	struct pkt *s;

	if (k->len <= SMALL_MAX) {
		s = copy_small(pool, k);
		if (s)
			return s;
	}
	if (*big) {
		s = *big;
		*big = NULL;
		return s;
	}
	p->info.rx_drops++;
	return NULL;
}

/*
 * Every packet is read into the same large buffer. A small one is copied
 * out, so that the buffer stays hot in the cache and a queue of small
 * packets does not hold 64 KiB for each; a large one leaves with its buffer.
 */
int osa_read(struct osa_port *p, int q, struct pkt_pool *pool, uint32_t ifindex,
	     int max, struct pkt **ret, bool *ret_more)
{
	struct pkt *big = NULL, **tail = ret;
	ssize_t r = 0;
	int n = 0;

	*ret = NULL;
	for (int i = 0; i < max; i++) {
		struct pkt *k;
		uint32_t front;

		if (!big)
			big = pkt_new(pool, PKT_LARGE);
		k = big ? big : p->spare;
		k->off = good_offset(k);
		front = k->off - (p->vnet ? VNET_LEN : 0);
		r = p->medium->recv(p, q, k->buf + front, k->cap - front);
		p->info.rx_syscalls++;
		if (r < 0)
			break;
		if (!digest(p, k, (size_t)r))
			continue;
		k = choose(p, pool, k, &big);
		if (!k)
			continue;
		k->ifindex = ifindex;
		*tail = k;
		tail = &k->next;
		n++;
	}
	*tail = NULL;
	pkt_free(pool, big);
	*ret_more = r >= 0;
	if (n > 0 || r >= 0 || r == -EAGAIN)
		return n;
	return (int)r;
}
