/* tcp_conn_check(): what must hold between any two calls. */
#include "tcp/conn.h"

static void check_send(const struct tcp_conn *c)
{
	tcp_seq_t end = seq_add(c->snd.end, c->fin_queued ? 1 : 0);

	tcp_sndbuf_check(&c->snd);
	INVARIANT(seq_leq(c->snd_una, c->snd_nxt));
	INVARIANT(seq_leq(c->snd_nxt, end));
	INVARIANT(seq_eq(c->snd.base, seq_min(c->snd_una, c->snd.end)));
	tcp_rtx_check(&c->rtx, c->snd_una, c->snd_nxt);
	INVARIANT(c->cc.cwnd >= c->mss && c->cc.cwnd <= TCP_CWND_MAX);
	INVARIANT(c->cc.mss == c->mss && c->mss >= TCP_MSS_MIN / 2);
	INVARIANT(tcp_recov_in_flight(c) <= tcp_conn_outstanding(c));
	/* whatever is outstanding will be asked after again */
	if (tcp_conn_may_send(c) && tcp_conn_outstanding(c))
		INVARIANT(tcp_timer_on(c, TCP_T_REXMT) || c->force_rtx ||
			  c->want_tlp);
	INVARIANT(!c->want_tlp || c->rtx.n);
	INVARIANT(c->frto == TCP_FRTO_OFF || c->recovery == TCP_R_LOSS);
	if (c->repair)
		INVARIANT(tcp_conn_outstanding(c) || tcp_conn_unsent(c) ||
			  c->recovery != TCP_R_OPEN);
}

static void check_receive(const struct tcp_conn *c)
{
	tcp_rcvq_check(&c->rcv);
	/* a FIN may lie one beyond the promised edge */
	INVARIANT(seq_diff(c->rcv_nxt, c->rcv_adv) <= 1);
	INVARIANT(seq_leq(c->rcv_acked, c->rcv_nxt));
	if (c->ooo)
		tcp_ooo_check(c->ooo, c->rcv_nxt);
	if (c->fin_seen && seq_lt(c->rcv_fin, c->rcv_nxt))
		INVARIANT(seq_eq(c->rcv_nxt, seq_add(c->rcv_fin, 1)));
}

static void check_state(const struct tcp_conn *c)
{
	bool fin_rcvd = c->fin_seen && seq_lt(c->rcv_fin, c->rcv_nxt);

	switch ((enum tcp_state)c->state) {
	case TCP_S_CLOSED:
		INVARIANT(mono_is_never(tcp_timer_first(c)));
		INVARIANT(!c->ooo && !c->snd.head && !c->rtx.n);
		break;
	case TCP_S_SYN_SENT:
	case TCP_S_SYN_RECEIVED:
		INVARIANT(c->want_syn || tcp_timer_on(c, TCP_T_REXMT));
		break;
	case TCP_S_ESTABLISHED:
		INVARIANT(!c->fin_queued && !fin_rcvd);
		break;
	case TCP_S_FIN_WAIT_1:
		INVARIANT(c->fin_queued && !fin_rcvd && !tcp_conn_fin_acked(c));
		break;
	case TCP_S_FIN_WAIT_2:
		INVARIANT(tcp_conn_fin_acked(c) && !fin_rcvd);
		INVARIANT(!c->orphan || tcp_timer_on(c, TCP_T_2MSL));
		break;
	case TCP_S_CLOSE_WAIT:
		INVARIANT(!c->fin_queued && fin_rcvd);
		break;
	case TCP_S_CLOSING:
	case TCP_S_LAST_ACK:
		INVARIANT(c->fin_queued && fin_rcvd && !tcp_conn_fin_acked(c));
		break;
	case TCP_S_TIME_WAIT:
		INVARIANT(tcp_conn_fin_acked(c) && fin_rcvd);
		INVARIANT(tcp_timer_on(c, TCP_T_2MSL));
		break;
	case TCP_S__COUNT:
		INVARIANT(c->state < TCP_S__COUNT);
		break;
	}
}

void tcp_conn_check(const struct tcp_conn *c)
{
	check_state(c);
	if (c->state == TCP_S_CLOSED || c->state == TCP_S_SYN_SENT)
		return;
	check_receive(c);
	if (c->state != TCP_S_SYN_RECEIVED)
		check_send(c);
}
