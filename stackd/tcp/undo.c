/*
 * Second thoughts about a loss: what was repeated may have been late only.
 * Three proofs: a timestamp that echoes the first transmission (Eifel,
 * RFC 3522), D-SACKs for all that was repeated (RFC 3708), and after a
 * time-out an ACK of data that was not repeated (F-RTO, RFC 5682; recov.c
 * sees to it that there is such data). Then the window is what it was
 * (RFC 4015 3.2, RFC 9438 4.9).
 */
#include "tcp/conn.h"
#include "tcp/isn.h"

#include <stdlib.h>

void tcp_undo_begin(struct tcp_conn *c)
{
	struct tcp_repair *r = c->repair;

	if (c->recovery != TCP_R_OPEN && r)
		return; /* the same trouble, grown worse */
	if (!r)
		r = malloc(sizeof(*r));
	c->repair = r;
	if (r)
		*r = (struct tcp_repair){.before = c->cc, .from = c->snd_una};
}

void tcp_undo_forget(struct tcp_conn *c)
{
	free(c->repair);
	c->repair = NULL;
}

void tcp_undo_left(struct tcp_conn *c)
{
	if (!c->repair)
		return;
	c->repair->left = true;
	c->repair->until = c->snd_nxt;
}

void tcp_undo_resent(struct tcp_conn *c, uint32_t len)
{
	struct tcp_repair *r = c->repair;

	if (!r)
		return;
	r->unproven += len;
	if (r->resent)
		return;
	r->resent = true;
	r->resent_ts = tcp_ts_now(c->ts_offset, c->now);
}

/* [RFC3522 3.2] the segment that moved snd_una was sent before any was
 * repeated */
static bool eifel(const struct tcp_conn *c, const struct tcp_recov_event *ev)
{
	const struct tcp_options *o = &ev->seg->h.opt;

	return c->recovery != TCP_R_OPEN && ev->acked && c->ts_ok &&
	       o->has_ts && o->ts_ecr &&
	       (int32_t)(o->ts_ecr - c->repair->resent_ts) < 0;
}

/* [RFC3708 3] each repeated byte was reported as a duplicate */
static bool all_duplicates(struct tcp_repair *r,
			   const struct tcp_recov_event *ev)
{
	const struct tcp_sack_block *b = ev->seg->h.opt.sack;
	uint32_t n;

	if (!ev->dsack || seq_lt(b->left, r->from))
		return false;
	n = (uint32_t)seq_diff(b->right, b->left);
	r->unproven -= MIN(n, r->unproven);
	return !r->unproven;
}

/* [RFC5682 3.1 step 3b] without SACK an ACK that covers a repeated segment
 * proves nothing about those behind it */
static bool frto(const struct tcp_conn *c, const struct tcp_recov_event *ev)
{
	return c->frto != TCP_FRTO_OFF && ev->acc->have_sample &&
	       mono_lt(ev->acc->sent_at, c->repair->timeout_at) &&
	       (c->sack_ok || !ev->acc->resent_at.ns);
}

static void restore(struct tcp_conn *c)
{
	tcp_cc_restore(&c->cc, &c->repair->before);
	tcp_rtx_unmark(&c->rtx);
	c->recovery = TCP_R_OPEN;
	c->frto = TCP_FRTO_OFF;
	c->recover = c->snd_una;
	c->dupacks = 0;
	c->reno_sacked = 0;
	c->force_rtx = false;
	tcp_undo_forget(c);
}

bool tcp_undo_ack(struct tcp_conn *c, const struct tcp_recov_event *ev)
{
	struct tcp_repair *r = c->repair;

	if (!r)
		return false;
	if (!r->resent ||
	    !(eifel(c, ev) || all_duplicates(r, ev) || frto(c, ev))) {
		if (r->left && seq_leq(r->until, c->snd_una))
			tcp_undo_forget(c);
		return false;
	}
	if (c->recovery == TCP_R_LOSS)
		c->env->stats.spurious_rto++;
	else
		c->env->stats.spurious_recoveries++;
	restore(c);
	return true;
}
