/* Life of a connection: made, opened, closed, failed; what its user sees. */
#include "tcp/conn.h"
#include "tcp/isn.h"

#include <errno.h>
#include <string.h>

/* An idle connection is this and nothing else. */
_Static_assert(sizeof(struct tcp_conn) <= 672, "idle connections are many");

size_t tcp_conn_size(void)
{
	return sizeof(struct tcp_conn);
}

struct tcp_conn *tcp_conn_init(void *mem, struct tcp_env *env)
{
	struct tcp_conn *c = mem;

	c->env = env;
	c->rcv_limit = env->tune.rcvbuf_init;
	c->rcv_mss = TCP_MSS_DEFAULT_V4;
	c->quick = TCP_QUICKACKS;
	tcp_timer_all_off(c);
	tcp_rtt_init(&c->rtt, env->tune.rto_initial);
	tcp_cc_init(&c->cc, env->tune.cc);
	tcp_sndbuf_init(&c->snd, TCP_SEQ(0), env->tune.sndbuf_init);
	tcp_rtx_init(&c->rtx, TCP_SEQ(0));
	return c;
}

static void drop_ooo(struct tcp_conn *c)
{
	tcp_ooo_free(c->ooo, c->env->pool);
	c->ooo = NULL;
}

void tcp_conn_fini(struct tcp_conn *c)
{
	drop_ooo(c);
	tcp_rcvq_clear(&c->rcv, c->env->pool);
	tcp_sndbuf_clear(&c->snd, c->env->pool);
	tcp_rtx_fini(&c->rtx);
	tcp_undo_forget(c);
	tcp_plpmtud_forget(c);
	tcp_bbr_end(c);
}

/* [RFC9293 3.6.1 MUST-13] */
void tcp_conn_set_state(struct tcp_conn *c, enum tcp_state s)
{
	c->state = s;
	if (s == TCP_S_CLOSED) {
		tcp_timer_all_off(c);
		tcp_undo_forget(c);
		tcp_plpmtud_forget(c);
		tcp_bbr_end(c);
	} else if (s == TCP_S_TIME_WAIT) {
		/* [RFC9293 3.10.7.4] start 2 MSL, turn off the others */
		tcp_timer_all_off(c);
		tcp_timer_set(c, TCP_T_2MSL,
			      mono_add(c->now, c->env->tune.timewait));
	} else if (s == TCP_S_FIN_WAIT_2 && c->orphan) {
		/* nobody is left who could wait longer for the peer's FIN */
		if (c->linger2_s < 0)
			tcp_conn_set_state(c, TCP_S_CLOSED);
		else
			tcp_timer_set(
				c, TCP_T_2MSL,
				mono_add(c->now,
					 c->linger2_s
						 ? DUR_S(c->linger2_s)
						 : c->env->tune.fin_wait2));
	}
}

/* Sequence numbers of a new connection. */
static void start_sending(struct tcp_conn *c, tcp_seq_t iss)
{
	c->iss = iss;
	c->snd_una = c->snd_nxt = iss;
	c->snd_sml = c->recover = c->cwr_end = c->limited_end = iss;
	c->snd.base = c->snd.end = seq_add(iss, 1);
	tcp_rtx_init(&c->rtx, seq_add(iss, 1));
}

static void open_common(struct tcp_conn *c, const struct tcp_tuple *t,
			const struct tcp_path *path, mono_t now)
{
	c->opened = true;
	c->now = now;
	c->tuple = *t;
	c->path = *path;
	c->tune_at = c->last_rcvd = c->last_sent = now;
}

int tcp_conn_open(struct tcp_conn *c, const struct tcp_tuple *t,
		  const struct tcp_path *path, mono_t now)
{
	struct tcp_tune *tune = &c->env->tune;

	if (c->opened)
		return -EISCONN;
	open_common(c, t, path, now);
	c->active = true;
	c->want_syn = true;
	c->ts_offset = tcp_ts_offset(&c->env->key, t);
	if (tune->window_scaling)
		c->rcv_wscale =
			tcp_opt_wscale_for(MAX(tune->rcvbuf_max, c->rcv_limit));
	start_sending(c, tcp_isn(&c->env->key, t, now));
	c->env->stats.active_opens++;
	tcp_conn_set_state(c, TCP_S_SYN_SENT);
	tcp_timer_arm_user(c, true, now);
	return 0;
}

void tcp_conn_accept(struct tcp_conn *c, const struct tcp_request *req,
		     const struct tcp_path *path, mono_t now)
{
	open_common(c, &req->tuple, path, now);
	c->ts_offset = req->ts_offset;
	start_sending(c, req->iss);
	c->snd_una = c->snd_nxt = seq_add(req->iss, 1);
	c->irs = req->irs;
	c->rcv_nxt = c->rcv_acked = seq_add(req->irs, 1);
	c->rcv_adv = seq_add(c->rcv_nxt, tcp_opt_syn_window(&c->env->tune));
	c->snd_wl1 = req->irs;
	c->snd_wl2 = c->snd_una;
	c->snd_wnd = c->max_snd_wnd = req->peer_wnd;
	c->peer_mss = req->peer_mss;
	c->ts_ok = req->ts_ok;
	c->sack_ok = req->sack_ok;
	c->ecn_ok = req->ecn_ok;
	c->wscale_ok = req->wscale_ok;
	c->snd_wscale = req->wscale_ok ? req->snd_wscale : 0;
	c->rcv_wscale = req->wscale_ok ? req->rcv_wscale : 0;
	c->ts_recent = req->ts_recent;
	c->ts_recent_at = now;
	c->ts_recent_ok = req->ts_ok;
	tcp_opt_update_mss(c);
	if (!mono_is_never(req->synack_sent))
		tcp_ack_sample(c, mono_sub(now, req->synack_sent));
	else
		c->syn_again = !req->from_cookie;
	c->env->stats.passive_opens++;
	tcp_conn_establish(c);
}

void tcp_conn_establish(struct tcp_conn *c)
{
	const struct tcp_tune *t = &c->env->tune;

	/* [RFC6298 5.7] [RFC6928 2] one lost SYN does not shrink the window,
	 * several do */
	if (c->syn_again && !c->rtt.srtt_ns)
		tcp_rtt_after_syn_loss(&c->rtt);
	tcp_cc_begin(&c->cc, c->mss, c->retries > 1 ? 1 : t->initial_cwnd_segs);
	tcp_bbr_begin(c);
	if (!c->sndbuf_locked)
		c->snd.limit = MIN(MAX(c->snd.limit, 2 * c->cc.cwnd),
				   MAX(t->sndbuf_max, t->sndbuf_init));
	c->retries = 0;
	c->rtt.backoff = 0;
	c->established = true;
	c->tune_at = c->last_rcvd = c->last_sent = c->now;
	c->cwnd_used_ms = (uint32_t)(c->now.ns / 1000000);
	c->env->stats.established++;
	tcp_timer_off(c, TCP_T_REXMT);
	tcp_conn_set_state(c, c->fin_queued ? TCP_S_FIN_WAIT_1
					    : TCP_S_ESTABLISHED);
	tcp_timer_arm_keep(c, c->now);
	tcp_timer_arm_user(c, true, c->now);
}

void tcp_conn_fail(struct tcp_conn *c, int error, bool rst)
{
	if (!c->established && c->active)
		c->env->stats.failed_opens++;
	if (!c->error)
		c->error = (uint8_t)error;
	drop_ooo(c);
	if (c->orphan)
		tcp_rcvq_clear(&c->rcv, c->env->pool);
	tcp_sndbuf_clear(&c->snd, c->env->pool);
	tcp_rtx_fini(&c->rtx);
	tcp_rtx_init(&c->rtx, c->snd_nxt);
	c->recovery = TCP_R_OPEN;
	c->snd_una = c->snd.base = c->snd.end = c->snd_nxt;
	c->fin_queued = false;
	c->want_ack = c->want_syn = c->want_probe = c->want_tlp = false;
	c->want_rst = rst;
	tcp_conn_set_state(c, TCP_S_CLOSED);
}

void tcp_conn_shutdown(struct tcp_conn *c, mono_t now)
{
	c->now = now;
	if (c->fin_queued || c->state == TCP_S_CLOSED)
		return;
	switch ((enum tcp_state)c->state) {
	case TCP_S_ESTABLISHED:
		tcp_conn_set_state(c, TCP_S_FIN_WAIT_1);
		break;
	case TCP_S_CLOSE_WAIT:
		tcp_conn_set_state(c, TCP_S_LAST_ACK);
		break;
	case TCP_S_SYN_SENT:
	case TCP_S_SYN_RECEIVED:
		/* [RFC9293 3.10.4] FIN waits for the handshake */
		break;
	case TCP_S_CLOSED:
	case TCP_S_FIN_WAIT_1:
	case TCP_S_FIN_WAIT_2:
	case TCP_S_CLOSING:
	case TCP_S_LAST_ACK:
	case TCP_S_TIME_WAIT:
	case TCP_S__COUNT:
		return;
	}
	c->fin_queued = true;
	tcp_timer_arm_user(c, false, now);
}

/* [RFC9293 3.10.5] ABORT: which states tell the peer */
static bool abort_sends_rst(const struct tcp_conn *c)
{
	return (1u << c->state) &
	       (1u << TCP_S_SYN_RECEIVED | 1u << TCP_S_ESTABLISHED |
		1u << TCP_S_FIN_WAIT_1 | 1u << TCP_S_FIN_WAIT_2 |
		1u << TCP_S_CLOSE_WAIT);
}

void tcp_conn_abort(struct tcp_conn *c, mono_t now)
{
	bool rst = abort_sends_rst(c);

	c->now = now;
	c->orphan = true;
	tcp_rcvq_clear(&c->rcv, c->env->pool);
	if (c->state != TCP_S_CLOSED)
		tcp_conn_fail(c, 0, rst);
}

void tcp_conn_kill(struct tcp_conn *c, int error, mono_t now)
{
	bool rst = abort_sends_rst(c);

	c->now = now;
	if (c->state != TCP_S_CLOSED)
		tcp_conn_fail(c, error, rst);
}

/* [RFC1122 4.2.2.13] [RFC9293 3.6.1 MAY-1] */
void tcp_conn_close(struct tcp_conn *c, mono_t now)
{
	bool unread = c->rcv.bytes > 0;

	c->now = now;
	if (c->orphan)
		return;
	c->orphan = true;
	tcp_rcvq_clear(&c->rcv, c->env->pool);
	drop_ooo(c);
	if (c->state == TCP_S_CLOSED || c->state == TCP_S_TIME_WAIT)
		return;
	if (c->state == TCP_S_SYN_SENT) {
		tcp_conn_fail(c, 0, false);
		return;
	}
	if (unread) { /* [RFC2525 2.17] the peer must learn of the loss */
		tcp_conn_fail(c, 0, true);
		return;
	}
	tcp_timer_off(c, TCP_T_KEEP);
	if (c->state == TCP_S_FIN_WAIT_2)
		tcp_conn_set_state(c, TCP_S_FIN_WAIT_2); /* now with an end */
	else
		tcp_conn_shutdown(c, now);
}

/* ---- user side: data ------------------------------------------------ */

static bool may_write(const struct tcp_conn *c)
{
	return !c->fin_queued && !c->orphan &&
	       (1u << c->state) &
		       (1u << TCP_S_SYN_SENT | 1u << TCP_S_SYN_RECEIVED |
			1u << TCP_S_ESTABLISHED | 1u << TCP_S_CLOSE_WAIT);
}

/* Bytes written and not yet sent; the SYN counts as sent. */
static uint32_t unsent_bytes(const struct tcp_conn *c)
{
	int32_t n = seq_diff(c->snd.end, seq_max(c->snd_nxt, c->snd.base));

	return n > 0 ? (uint32_t)n : 0;
}

size_t tcp_conn_write_reserve(struct tcp_conn *c, size_t max, struct iovec *iov,
			      int *n)
{
	if (!may_write(c) ||
	    (c->notsent_lowat && unsent_bytes(c) >= c->notsent_lowat)) {
		*n = 0;
		return 0;
	}
	return tcp_sndbuf_reserve(&c->snd, c->env->pool, max, iov, n);
}

void tcp_conn_write_commit(struct tcp_conn *c, size_t used, bool more,
			   mono_t now)
{
	c->now = now;
	/* [RFC5681 4.1] the network may have changed in the meantime */
	if (used && c->established && !tcp_conn_outstanding(c) &&
	    !tcp_conn_unsent(c))
		tcp_cwv_idle(c, now);
	tcp_sndbuf_commit(&c->snd, c->env->pool, used);
	c->more = more;
	if (used)
		tcp_timer_arm_user(c, false, now);
}

size_t tcp_conn_read_peek(const struct tcp_conn *c, struct iovec *iov, int *n)
{
	return tcp_rcvq_peek(&c->rcv, iov, n);
}

void tcp_conn_read_consume(struct tcp_conn *c, size_t used, mono_t now)
{
	c->now = now;
	if (!used)
		return;
	tcp_rcvq_consume(&c->rcv, c->env->pool, used);
	if (!tcp_conn_may_receive(c))
		return;
	tcp_win_consumed(c, (uint32_t)used, now);
	if (tcp_win_update_due(c))
		c->want_ack = true;
}

/* ---- user side: what is so ------------------------------------------ */

unsigned tcp_conn_ready(const struct tcp_conn *c)
{
	bool fin = c->fin_seen && seq_lt(c->rcv_fin, c->rcv_nxt);
	unsigned r = 0;

	if (c->rcv.bytes)
		r |= TCP_READY_IN;
	else if (fin)
		r |= TCP_READY_EOF;
	if (c->established && may_write(c) && tcp_sndbuf_room(&c->snd) &&
	    (!c->notsent_lowat || unsent_bytes(c) < c->notsent_lowat))
		r |= TCP_READY_OUT;
	if (c->established)
		r |= TCP_READY_CONN;
	if (c->error)
		r |= TCP_READY_ERR;
	if (c->opened && c->state == TCP_S_CLOSED && !c->want_rst &&
	    !c->want_reply && !c->rcv.bytes)
		r |= TCP_READY_DONE;
	return r;
}

enum tcp_state tcp_conn_state(const struct tcp_conn *c)
{
	return (enum tcp_state)c->state;
}

const struct tcp_tuple *tcp_conn_tuple(const struct tcp_conn *c)
{
	return &c->tuple;
}

int tcp_conn_error(const struct tcp_conn *c)
{
	return c->error;
}

void tcp_conn_queues(const struct tcp_conn *c, size_t *ret_unacked,
		     size_t *ret_unsent, size_t *ret_unread)
{
	*ret_unsent = unsent_bytes(c);
	*ret_unacked = tcp_sndbuf_len(&c->snd) - *ret_unsent;
	*ret_unread = c->rcv.bytes;
}

size_t tcp_conn_memory(const struct tcp_conn *c)
{
	size_t n = tcp_sndbuf_memory(&c->snd) + tcp_rtx_memory(&c->rtx);

	n += c->rcv.mem;
	if (c->repair)
		n += sizeof(*c->repair);
	n += tcp_plpmtud_memory(c) + tcp_bbr_memory(c);
	if (c->ooo)
		n += sizeof(*c->ooo) + c->ooo->mem +
		     c->ooo->cap * sizeof(c->ooo->v[0]);
	return n;
}

/* ---- the network said ----------------------------------------------- */

void tcp_conn_set_path(struct tcp_conn *c, const struct tcp_path *path,
		       mono_t now)
{
	uint16_t old = c->mss;

	c->now = now;
	c->path = *path;
	if (!c->peer_mss) /* before the peer's SYN there is nothing to adapt */
		return;
	tcp_opt_update_mss(c);
	if (c->mss < old && c->rtx.n)
		tcp_recov_resegment(c);
}

bool tcp_conn_seq_sent(const struct tcp_conn *c, tcp_seq_t seq)
{
	return c->state != TCP_S_CLOSED && seq_in(seq, c->snd_una, c->snd_nxt);
}

/* [RFC9293 3.9.2.2 MUST-56] */
bool tcp_conn_icmp(struct tcp_conn *c, int error, bool hard, tcp_seq_t seq,
		   mono_t now)
{
	c->now = now;
	/* [RFC5927 4.1] quoted bytes must be ones in flight */
	if (!tcp_conn_seq_sent(c, seq))
		return false;
	/* [RFC5927 5.2] [RFC1122 4.2.3.9] later it is only a hint */
	if (hard && (c->state == TCP_S_SYN_SENT ||
		     (c->state == TCP_S_SYN_RECEIVED && c->active)))
		tcp_conn_fail(c, error, false);
	else
		c->error_soft = (uint8_t)error;
	return true;
}
