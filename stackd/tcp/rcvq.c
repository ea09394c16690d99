#include "tcp/rcvq.h"

#include <string.h>

/* Payloads up to this are copied behind waiting data; above, a copy costs
 * more than a buffer, unless memory is used badly. */
#define COPY_MAX 4096u
#define MEM_SLACK (2u * PKT_LARGE_CAP)

void tcp_rcvq_clear(struct tcp_rcvq *q, struct pkt_pool *pool)
{
	pkt_free_chain(pool, q->head);
	*q = (struct tcp_rcvq){0};
}

static bool copy_pays(const struct tcp_rcvq *q, const struct pkt *p)
{
	if (!q->tail || pkt_tailroom(q->tail) < p->len)
		return false;
	return p->len <= COPY_MAX || q->mem > 2 * q->bytes + MEM_SLACK;
}

/* Replaces the tail by a buffer that fits it. */
static void shrink_tail(struct tcp_rcvq *q, struct pkt_pool *pool)
{
	struct pkt *old = q->tail, **link = &q->head;
	uint32_t cap = old->cap;

	if (cap == PKT_SMALL_CAP || old->len > PKT_SMALL_CAP)
		return;
	while (*link != old)
		link = &(*link)->next;
	*link = q->tail = pkt_shrink(pool, old);
	q->mem -= cap - q->tail->cap;
}

void tcp_rcvq_push(struct tcp_rcvq *q, struct pkt_pool *pool, struct pkt *p)
{
	q->bytes += p->len;
	q->fresh = true;
	if (copy_pays(q, p)) {
		memcpy(pkt_data(q->tail) + q->tail->len, pkt_data(p), p->len);
		q->tail->len += p->len;
		pkt_free(pool, p);
		return;
	}
	p->next = NULL;
	q->mem += p->cap;
	if (!q->tail) {
		q->head = q->tail = p;
		return;
	}
	/* Only the first waiting packet can be small in a large buffer; later
	 * ones met the copy above. */
	if (q->tail == q->head)
		shrink_tail(q, pool);
	q->tail->next = p;
	q->tail = p;
}

size_t tcp_rcvq_peek(const struct tcp_rcvq *q, struct iovec *iov, int *n)
{
	size_t got = 0;
	int i = 0;

	for (struct pkt *p = q->head; p && i < *n; p = p->next) {
		iov[i++] = (struct iovec){pkt_data(p), p->len};
		got += p->len;
	}
	*n = i;
	return got;
}

void tcp_rcvq_consume(struct tcp_rcvq *q, struct pkt_pool *pool, size_t used)
{
	INVARIANT(used <= q->bytes);
	q->bytes -= (uint32_t)used;
	while (used) {
		struct pkt *p = q->head;

		if (used < p->len) {
			pkt_pull(p, (uint32_t)used);
			q->fresh = true;
			return;
		}
		used -= p->len;
		q->head = p->next;
		q->mem -= p->cap;
		pkt_free(pool, p);
	}
	if (!q->head) {
		q->tail = NULL;
		q->fresh = false;
	}
}

void tcp_rcvq_settle(struct tcp_rcvq *q, struct pkt_pool *pool)
{
	if (!q->fresh)
		return;
	q->fresh = false;
	/* A queue that is used well is also the only kind that is long. */
	if (q->tail && q->mem > 2 * q->bytes)
		shrink_tail(q, pool);
}

void tcp_rcvq_check(const struct tcp_rcvq *q)
{
	uint32_t bytes = 0, mem = 0;
	const struct pkt *last = NULL;

	for (const struct pkt *p = q->head; p; p = p->next) {
		INVARIANT(p->len > 0 && p->off + p->len <= p->cap);
		bytes += p->len;
		mem += p->cap;
		last = p;
	}
	INVARIANT(bytes == q->bytes && mem == q->mem && last == q->tail);
}
