/*
 * Path MTU discovery without ICMP (RFC 4821): a path that swallows large
 * packets and says nothing. When a full segment has timed out several times
 * in a row it may be its size: the MSS falls to what nearly every path takes
 * (RFC 4821 7.7). It was an outage if it was not that, so once data flows
 * again single larger segments are sent: what arrives is the new MSS, what is
 * lost alone is no congestion (RFC 4821 7.6). The search starts at the old
 * size and halves.
 */
#include "tcp/conn.h"

#include <stdlib.h>

#define TIMEOUTS 3u      /* in a row, of a full segment */
#define BASE_V4 1024u    /* [RFC4821 7.2] what a first try falls to */
#define FLOOR_V4 536u    /* of the size; smaller paths say so or are dead */
#define FLOOR_V6 1220u   /* [RFC8200 5] 1280 passes everywhere */
#define TRIES 2u         /* of a size before it counts as too large */
#define CLOSE_ENOUGH 24u /* bytes between what passes and what does not */
#define PAUSE DUR_S(600) /* [RFC4821 7.7] before a search begins again */

struct tcp_plpmtud {
	/* sizes as in tcp_path.mss: payload and options */
	uint16_t passes, fails; /* largest known, smallest known or assumed */
	uint16_t top;           /* what it was at first */
	uint16_t size;          /* of the probe that is out, 0 none */
	uint8_t tries;
	tcp_seq_t start, end; /* of the probe */
	mono_t next_at;
};

static uint16_t options_len(const struct tcp_conn *c)
{
	return c->ts_ok ? TCP_LEN_TS_PADDED : 0;
}

static uint16_t floor_of(const struct tcp_conn *c)
{
	return c->tuple.remote.family == IP_V6 ? FLOOR_V6 : FLOOR_V4;
}

uint16_t tcp_plpmtud_limit(const struct tcp_conn *c)
{
	return c->plpmtud ? c->plpmtud->passes : UINT16_MAX;
}

size_t tcp_plpmtud_memory(const struct tcp_conn *c)
{
	return c->plpmtud ? sizeof(*c->plpmtud) : 0;
}

void tcp_plpmtud_forget(struct tcp_conn *c)
{
	free(c->plpmtud);
	c->plpmtud = NULL;
}

/* From first to last: the whole range is open again. */
static void begin_search(struct tcp_plpmtud *p, mono_t at)
{
	p->fails = (uint16_t)(p->top + 1);
	p->size = p->tries = 0;
	p->next_at = at;
}

void tcp_plpmtud_timeout(struct tcp_conn *c, mono_t now)
{
	uint16_t size = (uint16_t)(c->mss + options_len(c));
	struct tcp_plpmtud *p = c->plpmtud;

	if (p)
		p->size = 0;
	if (!c->env->tune.plpmtud || c->retries < TIMEOUTS ||
	    size <= floor_of(c) || !tcp_rtx_head_is(&c->rtx, c->mss))
		return;
	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return;
		c->plpmtud = p;
		p->top = size;
	}
	p->passes = MAX(floor_of(c),
			(uint16_t)(size > BASE_V4 ? BASE_V4 : size / 2));
	begin_search(p, mono_add(now, DUR_NS(c->rtt.srtt_ns)));
	c->env->stats.mtu_black_holes++;
	tcp_opt_update_mss(c);
}

/* The next size to try: the old one at first, then half way. */
static uint16_t next_size(const struct tcp_plpmtud *p)
{
	return p->fails > p->top ? p->top
				 : (uint16_t)((p->passes + p->fails) / 2);
}

uint32_t tcp_plpmtud_want(const struct tcp_conn *c, uint32_t data,
			  uint32_t room)
{
	const struct tcp_plpmtud *p = c->plpmtud;
	uint32_t len;

	if (!p || p->size || c->recovery != TCP_R_OPEN || c->rtx.lost ||
	    mono_lt(c->now, p->next_at) || p->fails <= p->passes + 1u)
		return 0;
	len = next_size(p) - (uint32_t)options_len(c);
	/* something has to follow that tells of its loss */
	if (len <= c->mss || data < len + 2u * c->mss || room < len)
		return 0;
	return len;
}

void tcp_plpmtud_sent(struct tcp_conn *c, tcp_seq_t start, uint32_t len)
{
	c->plpmtud->size = (uint16_t)(len + options_len(c));
	c->plpmtud->start = start;
	c->plpmtud->end = seq_add(start, len);
}

/* What lies between is not worth a probe: later again. */
static void settle(struct tcp_conn *c, mono_t now)
{
	struct tcp_plpmtud *p = c->plpmtud;

	if (p->passes >= p->top) { /* it was an outage */
		tcp_plpmtud_forget(c);
		return;
	}
	if (p->fails - p->passes <= (int)CLOSE_ENOUGH)
		begin_search(p, mono_add(now, PAUSE));
}

void tcp_plpmtud_ack(struct tcp_conn *c, mono_t now)
{
	struct tcp_plpmtud *p = c->plpmtud;

	if (!p || !p->size || seq_lt(c->snd_una, p->end))
		return;
	p->passes = p->size;
	p->size = p->tries = 0;
	settle(c, now);
	tcp_opt_update_mss(c);
}

bool tcp_plpmtud_lost(struct tcp_conn *c, mono_t now)
{
	struct tcp_plpmtud *p = c->plpmtud;
	uint16_t size;
	tcp_seq_t seq;
	uint32_t len;

	if (!p || !p->size)
		return false;
	size = p->size;
	p->size = 0;
	if (!tcp_rtx_next(&c->rtx, &seq, &len) || !seq_eq(seq, p->start) ||
	    c->rtx.lost > (uint32_t)seq_diff(p->end, p->start))
		return false; /* others too: that is congestion */
	if (++p->tries >= TRIES) {
		p->tries = 0;
		p->fails = size;
		settle(c, now);
	}
	return true;
}
