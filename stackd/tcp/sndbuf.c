#include "tcp/sndbuf.h"

#include <string.h>

/* A reserve offers nothing below the smaller of a quarter of the buffer and
 * this many bytes. */
#define ROOM_MIN_MAX (32u << 10)

void tcp_sndbuf_init(struct tcp_sndbuf *b, tcp_seq_t base, uint32_t limit)
{
	*b = (struct tcp_sndbuf){.base = base, .end = base, .limit = limit};
}

void tcp_sndbuf_clear(struct tcp_sndbuf *b, struct pkt_pool *pool)
{
	pkt_free_chain(pool, b->head);
	pkt_free_chain(pool, b->spare);
	tcp_sndbuf_init(b, b->end, b->limit);
}

uint32_t tcp_sndbuf_room(const struct tcp_sndbuf *b)
{
	uint32_t len = tcp_sndbuf_len(b);
	uint32_t room = b->limit > len ? b->limit - len : 0;

	return room < MIN(b->limit / 4, ROOM_MIN_MAX) ? 0 : room;
}

/* One more buffer at the end of the spare chain. */
static struct pkt *more_spare(struct tcp_sndbuf *b, struct pkt_pool *pool,
			      size_t want)
{
	enum pkt_size size = want > PKT_SMALL_CAP ? PKT_LARGE : PKT_SMALL;
	struct pkt *p = pkt_new(pool, size), **link = &b->spare;

	if (!p)
		return NULL;
	p->off = 0; /* nothing is ever put in front of these bytes */
	while (*link)
		link = &(*link)->next;
	*link = p;
	return p;
}

size_t tcp_sndbuf_reserve(struct tcp_sndbuf *b, struct pkt_pool *pool,
			  size_t max, struct iovec *iov, int *n)
{
	size_t left = MIN(max, (size_t)tcp_sndbuf_room(b)), got = 0;
	struct pkt *p = b->spare;
	int cap = *n, i = 0;

	if (left && i < cap && b->tail && pkt_tailroom(b->tail)) {
		got = MIN(left, (size_t)pkt_tailroom(b->tail));
		iov[i++] = (struct iovec){
			b->tail->buf + b->tail->off + b->tail->len, got};
		left -= got;
	}
	while (left && i < cap) {
		size_t part;

		if (!p)
			p = more_spare(b, pool, left);
		if (!p)
			break;
		part = MIN(left, (size_t)p->cap);
		iov[i++] = (struct iovec){p->buf, part};
		left -= part;
		got += part;
		p = p->next;
	}
	*n = i;
	return got;
}

static void append(struct tcp_sndbuf *b, struct pkt *p)
{
	p->next = NULL;
	p->seq = b->end.v;
	if (b->tail)
		b->tail->next = p;
	else
		b->head = p;
	b->tail = p;
}

void tcp_sndbuf_commit(struct tcp_sndbuf *b, struct pkt_pool *pool, size_t used)
{
	if (used && b->tail) {
		size_t part = MIN(used, (size_t)pkt_tailroom(b->tail));

		b->tail->len += (uint32_t)part;
		b->end = seq_add(b->end, (uint32_t)part);
		used -= part;
	}
	while (used && b->spare) {
		struct pkt *p = b->spare;

		b->spare = p->next;
		p->len = (uint32_t)MIN(used, (size_t)p->cap);
		used -= p->len;
		/* a few bytes do not keep 64 KiB */
		p = pkt_shrink(pool, p);
		append(b, p);
		b->end = seq_add(b->end, p->len);
	}
	INVARIANT(used == 0);
	pkt_free_chain(pool, b->spare);
	b->spare = NULL;
}

static void drop_head(struct tcp_sndbuf *b, struct pkt_pool *pool)
{
	struct pkt *p = b->head;

	b->head = p->next;
	if (!b->head)
		b->tail = NULL;
	for (int i = 0; i < TCP_SNDBUF__HINTS; i++)
		if (b->hint[i] == p)
			b->hint[i] = NULL;
	pkt_free(pool, p);
}

void tcp_sndbuf_ack(struct tcp_sndbuf *b, struct pkt_pool *pool, tcp_seq_t una)
{
	while (b->head && seq_lt(b->base, una)) {
		uint32_t n = (uint32_t)seq_diff(una, b->base);

		n = MIN(n, b->head->len);
		b->base = seq_add(b->base, n);
		if (n == b->head->len) {
			drop_head(b, pool);
			continue;
		}
		pkt_pull(b->head, n);
		b->head->seq += n;
	}
}

static struct pkt *find(const struct tcp_sndbuf *b, const struct pkt *hint,
			tcp_seq_t seq)
{
	struct pkt *p = b->head;

	if (hint && seq_leq(TCP_SEQ(hint->seq), seq))
		p = (struct pkt *)(uintptr_t)hint;
	while (p && seq_leq(TCP_SEQ(p->seq + p->len), seq))
		p = p->next;
	return p;
}

uint32_t tcp_sndbuf_iov(struct tcp_sndbuf *b, enum tcp_sndbuf_hint h,
			tcp_seq_t seq, uint32_t len, struct iovec *iov, int *n)
{
	struct pkt *p = find(b, b->hint[h], seq);
	uint32_t got = 0;
	int i = 0;

	while (p && got < len && i < *n) {
		uint32_t skip = seq.v + got - p->seq;
		uint32_t part = MIN(len - got, p->len - skip);

		iov[i++] = (struct iovec){pkt_data(p) + skip, part};
		got += part;
		b->hint[h] = p;
		p = p->next;
	}
	*n = i;
	return got;
}

size_t tcp_sndbuf_memory(const struct tcp_sndbuf *b)
{
	size_t sum = 0;

	for (const struct pkt *p = b->head; p; p = p->next)
		sum += p->cap;
	for (const struct pkt *p = b->spare; p; p = p->next)
		sum += p->cap;
	return sum;
}

void tcp_sndbuf_check(const struct tcp_sndbuf *b)
{
	bool hints[TCP_SNDBUF__HINTS] = {0};
	tcp_seq_t s = b->base;
	const struct pkt *last = NULL;

	for (const struct pkt *p = b->head; p; p = p->next) {
		INVARIANT(p->len > 0 && p->seq == s.v);
		INVARIANT(p->off + p->len <= p->cap);
		s = seq_add(s, p->len);
		last = p;
		for (int i = 0; i < TCP_SNDBUF__HINTS; i++)
			hints[i] = hints[i] || b->hint[i] == p;
	}
	INVARIANT(seq_eq(s, b->end));
	INVARIANT(last == b->tail);
	for (int i = 0; i < TCP_SNDBUF__HINTS; i++)
		INVARIANT(!b->hint[i] || hints[i]);
}
