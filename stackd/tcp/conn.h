/*
 * conn.h: struct tcp_conn and what the mechanisms of this room call on each
 * other. Only stackd/tcp includes it.
 *
 * Who writes what: fsm the state (through tcp_conn_set_state), in the receive
 * side, ack and recov the send side, out what leaves, timer the clocks. A
 * segment: fsm -> (in: acceptable?) -> ack -> recov -> in (text) -> fsm (FIN);
 * then out, asked until dry.
 */
#ifndef COUPLET_TCP_CONN_H
#define COUPLET_TCP_CONN_H

#include "tcp/cc.h"
#include "tcp/ooo.h"
#include "tcp/rcvq.h"
#include "tcp/rtt.h"
#include "tcp/rtx.h"
#include "tcp/sndbuf.h"
#include "tcp/tcp.h"

#define TCP_MSS_DEFAULT_V4 536 /* [RFC9293 3.7.1 MUST-15] no MSS option */
#define TCP_MSS_DEFAULT_V6 1220
#define TCP_MSS_MIN 88u   /* a smaller offer is raised to this */
#define TCP_WSCALE_MAX 14 /* [RFC7323 2.3] */
#define TCP_WND_UNSCALED_MAX 65535u
#define TCP_LEN_TS_PADDED 12u     /* timestamps in a segment */
#define TCP_DUP_THRESH 3          /* [RFC5681 3.2] */
#define TCP_QUICKACKS 16          /* segments acked at once at the start */
#define TCP_CORK_HOLD DUR_MS(200) /* longest hold of a partial segment */
#define TCP_OOW_ACK_GAP \
	DUR_MS(50) /* between answers to empty segments that \
		    * are out of window: ends ACK wars */
#define TCP_TS_VALID DUR_S(24 * 86400) /* [RFC7323 5.5] */

/* A timer is MONO_NEVER when off. */
enum tcp_timer {
	TCP_T_REXMT,   /* SYN, data, FIN outstanding */
	TCP_T_PERSIST, /* nothing outstanding, window too small */
	TCP_T_DELACK,
	TCP_T_KEEP,
	TCP_T_CORK, /* a partial segment is held */
	TCP_T_2MSL, /* TIME-WAIT; FIN-WAIT-2 of an orphan */
	TCP_T_USER, /* TCP_USER_TIMEOUT, while data is outstanding */
	TCP_T_PACE, /* data waits: pace.c */
	TCP_T__COUNT
};

/* What TCP_T_REXMT is armed for; one at a time [RFC8985 8]. */
enum tcp_rexmt_for {
	TCP_FOR_RTO,   /* RFC 6298 */
	TCP_FOR_PROBE, /* tail loss probe */
	TCP_FOR_REO,   /* the reordering window of RACK closes */
};

/* What the sender is doing about loss. */
enum tcp_recovery {
	TCP_R_OPEN,
	TCP_R_FAST, /* fast recovery (RFC 6675, RFC 6582) */
	TCP_R_LOSS, /* after a time-out (RFC 5681 3.1) */
};

/* RACK-TLP [RFC8985 5.2] [RFC8985 7.1]; the small ones among the flags. */
struct tcp_rack {
	mono_t xmit_at;  /* latest sent of all that was delivered, 0: none */
	tcp_seq_t end;   /* and where it ends */
	uint32_t rtt_us; /* that one's */
	tcp_seq_t dsack_round; /* one widening per round, if dsack_seen */
	tcp_seq_t probe_end;   /* snd_nxt after the loss probe, if probed */
};

/* F-RTO: RFC 5682 3. */
enum tcp_frto {
	TCP_FRTO_OFF,
	TCP_FRTO_HEAD, /* the head was repeated after a time-out */
	TCP_FRTO_NEW,  /* it was acknowledged: new data is the test */
};

/* A loss while it is being repaired, and for a round trip afterwards, in
 * which it may turn out to have been none. On the heap: few connections
 * have one. */
struct tcp_repair {
	struct tcp_cc before; /* what it was answered from */
	tcp_seq_t from;       /* snd_una when it began */
	tcp_seq_t until;      /* forgotten then; valid once `left` */
	uint32_t unproven;    /* bytes repeated that no D-SACK reported */
	uint32_t resent_ts;   /* timestamp of the first repetition */
	bool resent, left;
	mono_t timeout_at; /* latest time-out, 0: none */
	/* RFC 6937 */
	uint32_t flight;         /* RecoverFS */
	uint32_t delivered, out; /* since it began */
};

struct tcp_conn {
	struct tcp_env *env;
	mono_t now; /* latest that any door was told */
	struct tcp_tuple tuple;
	struct tcp_path path;
	uint32_t cwnd_used_ms; /* low bits of the time, see cwnd_used */
	mono_t timers[TCP_T__COUNT];

	uint8_t state;    /* enum tcp_state */
	uint8_t recovery; /* enum tcp_recovery */
	uint8_t dupacks;
	uint8_t snd_wscale, rcv_wscale;
	uint8_t quick;   /* immediate ACKs left */
	uint8_t retries; /* expiries of REXMT or PERSIST in a row */
	uint8_t keep_sent;
	uint8_t rexmt_for;         /* enum tcp_rexmt_for */
	uint8_t frto;              /* enum tcp_frto */
	uint8_t error, error_soft; /* positive errno, all below 256 */

	/* handshake */
	bool ts_ok : 1, sack_ok : 1, wscale_ok : 1, ecn_ok : 1;
	bool active : 1;    /* opened by us */
	bool syn_again : 1; /* the SYN was retransmitted */
	bool want_syn : 1;
	/* sending */
	bool fin_queued : 1;   /* FIN after the last byte of the buffer */
	bool force_rtx : 1;    /* the next retransmission ignores the pipe */
	bool push : 1;         /* partial segment held long enough */
	bool more : 1;         /* MSG_MORE on the latest write */
	bool sws_override : 1; /* persist expired: send what fits */
	bool cwnd_limited : 1; /* cwnd was what stopped us last */
	bool burst : 1;        /* new data has left in this go */
	bool want_probe : 1;   /* zero-window or keepalive probe */
	bool want_tlp : 1;     /* tail loss probe */
	/* RACK-TLP, see struct tcp_rack */
	bool reordering : 1;  /* seen */
	bool dsack_seen : 1;  /* reo_mult grew in this round */
	bool probed : 1;      /* a probe is out */
	bool probe_again : 1; /* and repeats data */
	bool want_rst : 1;    /* of our own accord, then silence */
	bool want_reply : 1;  /* RST in answer to a segment */
	bool reply_has_ack : 1;
	bool cwr_sent : 1, want_cwr : 1; /* [RFC3168 6.1.2] */
	/* receiving */
	bool want_ack : 1;
	bool ece : 1;      /* [RFC3168 6.1.3] echo until CWR */
	bool fin_seen : 1; /* rcv_fin is valid */
	bool dsack : 1;    /* dsack_block waits to be reported */
	bool ts_recent_ok : 1;
	/* life */
	bool opened : 1;      /* open or accept was called */
	bool established : 1; /* the handshake was completed */
	bool orphan : 1;      /* the program has gone */
	/* options */
	bool nodelay : 1, cork : 1, quickack : 1, keepalive : 1;
	bool sndbuf_locked : 1, rcvbuf_locked : 1;

	/* send sequence space (RFC 9293 3.3.1) */
	tcp_seq_t iss, snd_una, snd_nxt, snd_wl1, snd_wl2;
	tcp_seq_t snd_sml;     /* end of the latest partial segment */
	tcp_seq_t recover;     /* snd_nxt when recovery began */
	tcp_seq_t cwr_end;     /* no second answer to ECE before this */
	tcp_seq_t limited_end; /* cwnd_limited holds for data below this */
	uint32_t snd_wnd, max_snd_wnd;
	uint16_t mss;         /* payload per segment, options taken off */
	uint16_t peer_mss;    /* from its SYN */
	uint32_t reno_sacked; /* bytes that duplicate ACKs stand for */

	/* receive sequence space */
	tcp_seq_t irs, rcv_nxt;
	tcp_seq_t rcv_adv;   /* right edge promised; never moves left */
	tcp_seq_t rcv_acked; /* Last.ACK.sent of RFC 7323 */
	tcp_seq_t rcv_fin;
	uint32_t rcv_limit;  /* bytes of stream we would hold */
	uint32_t rcv_clamp;  /* TCP_OPT_WINDOW_CLAMP, 0 none */
	uint32_t wnd_slack;  /* see win.c */
	uint16_t rcv_mss;    /* largest segment seen */
	uint8_t reo_mult;    /* RACK: quarters of the shortest round trip,
			      * less 1 */
	uint8_t reo_persist; /* recoveries until that is forgotten */
	struct tcp_sack_block dsack_block;
	uint32_t ts_recent, ts_offset;
	uint32_t cwnd_used; /* since cwnd_used_ms no more than this was */
	mono_t ts_recent_at;

	/* auto-tuning of the receive buffer */
	mono_t tune_at;
	uint32_t tune_copied; /* consumed since */
	uint32_t rcv_rtt_us;  /* 0 unknown */

	mono_t last_sent;  /* data */
	mono_t last_rcvd;  /* anything acceptable */
	mono_t oow_ack_at; /* answer to an unacceptable segment */

	struct tcp_sndbuf snd;
	struct tcp_rtx rtx;
	struct tcp_rcvq rcv;
	struct tcp_ooo *ooo; /* NULL: no hole */
	struct tcp_rtt rtt;
	struct tcp_cc cc;
	struct tcp_rack rack;
	struct tcp_plpmtud *plpmtud; /* NULL: the path keeps its word */
	struct tcp_repair *repair;   /* NULL: none, or no memory for one */

	/* RST in answer to a segment */
	uint32_t reply_num; /* its ACK if it has one, else its SEQ */

	uint8_t keep_count, syn_retries;            /* 0: the tune's */
	uint16_t keep_idle_s, keep_intvl_s, maxseg; /* 0: the tune's */
	int16_t linger2_s; /* 0: the tune's, -1 never waits */
	uint32_t user_timeout_ms, notsent_lowat;
	uint32_t pace_credit_ns; /* the pace timer was late by this */

	/* for tcp_info */
	uint32_t segs_in, segs_out, data_segs_in, data_segs_out, total_retrans,
		ooo_in, dsack_in;
	uint64_t bytes_acked, bytes_received, bytes_retrans;
};

/* ---- conn.c --------------------------------------------------------- */

/* The only writer of c->state; does what entering a state implies. */
void tcp_conn_set_state(struct tcp_conn *c, enum tcp_state s);
/* CLOSED with `error` (0 none); `rst`: tell the peer. Received data stays
 * readable unless the program has gone. */
void tcp_conn_fail(struct tcp_conn *c, int error, bool rst);
/* Handshake complete: windows, congestion control, buffers. */
void tcp_conn_establish(struct tcp_conn *c);
static inline bool tcp_conn_fin_acked(const struct tcp_conn *c)
{
	return c->fin_queued && seq_lt(c->snd.end, c->snd_una);
}
/* Sequence numbers sent and not acknowledged. */
static inline uint32_t tcp_conn_outstanding(const struct tcp_conn *c)
{
	return (uint32_t)seq_diff(c->snd_nxt, c->snd_una);
}
/* What is left to send: bytes, and one for FIN. */
static inline uint32_t tcp_conn_unsent(const struct tcp_conn *c)
{
	return (uint32_t)seq_diff(seq_add(c->snd.end, c->fin_queued ? 1 : 0),
				  c->snd_nxt);
}
/* States in which data and FIN of ours may be sent. */
static inline bool tcp_conn_may_send(const struct tcp_conn *c)
{
	return (1u << c->state) &
	       (1u << TCP_S_ESTABLISHED | 1u << TCP_S_CLOSE_WAIT |
		1u << TCP_S_FIN_WAIT_1 | 1u << TCP_S_CLOSING |
		1u << TCP_S_LAST_ACK);
}
/* States in which the peer may still send data. */
static inline bool tcp_conn_may_receive(const struct tcp_conn *c)
{
	return (1u << c->state) &
	       (1u << TCP_S_ESTABLISHED | 1u << TCP_S_FIN_WAIT_1 |
		1u << TCP_S_FIN_WAIT_2);
}
/* Sends a RST in answer to `in` (RFC 9293 3.5.2) from the next output. */
void tcp_conn_reply_reset(struct tcp_conn *c, const struct tcp_seg *in);

/* ---- opt.c: negotiation --------------------------------------------- */

/* Options of our SYN or SYN-ACK (`answer`: only what the peer offered). */
void tcp_opt_syn(const struct tcp_conn *c, bool answer,
		 struct tcp_options *ret);
/* The peer's SYN or SYN-ACK: what both agree on. */
void tcp_opt_agree(struct tcp_conn *c, const struct tcp_seg *in);
/* Payload per segment now: path, peer, user, timestamps. */
void tcp_opt_update_mss(struct tcp_conn *c);
uint16_t tcp_opt_peer_mss(const struct tcp_options *o, enum ip_family f);
/* Window scale for a buffer that may grow to `bytes`. */
uint8_t tcp_opt_wscale_for(uint32_t bytes);
/* Raw window of a SYN. */
uint16_t tcp_opt_syn_window(const struct tcp_tune *t);

/* ---- in.c: segment checks, text ------------------------------------- */

/* RFC 7323 5.3; false: dropped (counted, ACK wanted). */
bool tcp_in_paws(struct tcp_conn *c, const struct tcp_seg *in, mono_t now);
/* RFC 9293 3.10.7.4 first; false: dropped. May clip text and FIN when the
 * window is closed. */
bool tcp_in_acceptable(struct tcp_conn *c, struct tcp_seg *in, mono_t now);
void tcp_in_update_ts(struct tcp_conn *c, const struct tcp_seg *in, mono_t now);
/* Seventh step, and remembers where a FIN lies. */
void tcp_in_text(struct tcp_conn *c, struct tcp_seg *in, mono_t now);
/* True when all data before a FIN has arrived and FIN was not counted. */
bool tcp_in_fin_due(const struct tcp_conn *c);
/* RFC 5961 7: may a challenge ACK be sent? Then wants it. */
void tcp_in_challenge(struct tcp_conn *c, mono_t now);
bool tcp_env_challenge_ok(struct tcp_env *env, mono_t now);

/* ---- win.c: receive window ------------------------------------------ */

static inline uint32_t tcp_win_rcv_wnd(const struct tcp_conn *c)
{
	int32_t w = seq_diff(c->rcv_adv, c->rcv_nxt);

	return w > 0 ? (uint32_t)w : 0;
}
/* Raw window for the segment being built; moves rcv_adv. */
uint16_t tcp_win_select(struct tcp_conn *c);
/* After data was consumed: does the peer have to hear of it now? */
bool tcp_win_update_due(const struct tcp_conn *c);
/* `n` bytes were consumed: auto-tuning. */
void tcp_win_consumed(struct tcp_conn *c, uint32_t n, mono_t now);
/* A data segment arrived: round-trip estimate of the receiver. */
void tcp_win_sample(struct tcp_conn *c, const struct tcp_seg *in, mono_t now);

/* ---- ack.c: acknowledgements, recov.c: loss ------------------------- */

/* RFC 9293 3.10.7.4 fifth for synchronized states; false: drop segment. */
bool tcp_ack_input(struct tcp_conn *c, const struct tcp_seg *in, mono_t now);
/* [RFC9293 3.10.7.4] SND.WND <- SEG.WND etc. without the test of age. */
void tcp_ack_set_window(struct tcp_conn *c, const struct tcp_seg *in);
/* RTT sample of the handshake. */
void tcp_ack_sample(struct tcp_conn *c, dur_t sample);

/* Bytes thought to be in the network. */
uint32_t tcp_recov_in_flight(const struct tcp_conn *c);
struct tcp_recov_event {
	uint32_t acked; /* snd_una moved by this */
	bool dup;       /* duplicate ACK (RFC 5681 2) */
	bool dsack;     /* *seg begins with a report of a duplicate */
	const struct tcp_seg *seg;
	const struct tcp_rtx_acked *acc; /* by ACK and SACK */
};
/* Sets REXMT as well. */
void tcp_recov_ack(struct tcp_conn *c, const struct tcp_recov_event *ev,
		   mono_t now);
/* REXMT expired with data outstanding. */
void tcp_recov_timeout(struct tcp_conn *c, mono_t now);
/* The reordering window closed. */
void tcp_recov_reo_expired(struct tcp_conn *c, mono_t now);
/* [start, +len) was sent again. */
void tcp_recov_resent(struct tcp_conn *c, uint32_t len);
/* A loss that RACK did not see was mended by a probe. */
void tcp_recov_probe_mended(struct tcp_conn *c);
/* [RFC3168 6.1.2] ECE arrived. */
void tcp_recov_ece(struct tcp_conn *c);
/* What is outstanding is too large for the path now. */
void tcp_recov_resegment(struct tcp_conn *c);

enum tcp_want_kind {
	TCP_WANT_NOTHING,
	TCP_WANT_REPLY, /* RST in answer to a segment */
	TCP_WANT_RST,
	TCP_WANT_SYN,
	TCP_WANT_REXMT,
	TCP_WANT_NEW,
	TCP_WANT_PROBE,
	TCP_WANT_ACK,
};

struct tcp_want {
	enum tcp_want_kind kind;
	tcp_seq_t seq; /* REXMT, NEW */
	uint32_t len;  /* sequence numbers, FIN included */
};

/* ---- rack.c, tlp.c: RFC 8985 ---------------------------------------- */

/* Takes from an ACK what RACK wants to know. */
void tcp_rack_ack(struct tcp_conn *c, const struct tcp_recov_event *ev,
		  mono_t now);
/* Marks what is lost; the bytes that became due. *ret_next: when to look
 * again, MONO_NEVER if an ACK comes first. */
uint32_t tcp_rack_detect(struct tcp_conn *c, mono_t now, mono_t *ret_next);
/* Sent at this time or before: lost, should there be a time-out now. */
mono_t tcp_rack_lost_if_sent(const struct tcp_conn *c, mono_t now);
/* A recovery has ended. */
void tcp_rack_recovered(struct tcp_conn *c);

/* May a loss probe be sent, and how long from now? */
bool tcp_tlp_timeout(const struct tcp_conn *c, dur_t *ret);
/* What the probe is, if want_tlp. */
struct tcp_want tcp_tlp_want(const struct tcp_conn *c);
/* It was sent. */
void tcp_tlp_sent(struct tcp_conn *c, bool again);
void tcp_tlp_ack(struct tcp_conn *c, const struct tcp_recov_event *ev);
/* Does the D-SACK report the loss probe? */
bool tcp_tlp_is_dsack(const struct tcp_conn *c,
		      const struct tcp_recov_event *ev);

/* ---- undo.c, prr.c -------------------------------------------------- */

/* A loss will be answered: remembers what there was before. */
void tcp_undo_begin(struct tcp_conn *c);
/* `len` bytes were sent again. */
void tcp_undo_resent(struct tcp_conn *c, uint32_t len);
/* The recovery has ended. */
void tcp_undo_left(struct tcp_conn *c);
void tcp_undo_forget(struct tcp_conn *c);
/* True when the ACK proves that nothing was lost: the window is what it was,
 * nothing is marked. */
bool tcp_undo_ack(struct tcp_conn *c, const struct tcp_recov_event *ev);

void tcp_prr_begin(struct tcp_conn *c);
/* cwnd for what may be sent on this ACK; `lost`: it told of new losses. */
void tcp_prr_ack(struct tcp_conn *c, const struct tcp_recov_event *ev,
		 bool lost);
static inline void tcp_prr_sent(struct tcp_conn *c, uint32_t len)
{
	if (c->repair)
		c->repair->out += len;
}

/* ---- plpmtud.c ------------------------------------------------------ */

/* Sizes here are those of tcp_path.mss. At most so large: */
uint16_t tcp_plpmtud_limit(const struct tcp_conn *c);
/* After REXMT expired: is it the size? May lower the MSS. */
void tcp_plpmtud_timeout(struct tcp_conn *c, mono_t now);
/* Payload of a probe that may go now, 0 none: `data` bytes wait, `room` is
 * what both windows take. */
uint32_t tcp_plpmtud_want(const struct tcp_conn *c, uint32_t data,
			  uint32_t room);
/* It went. */
void tcp_plpmtud_sent(struct tcp_conn *c, tcp_seq_t start, uint32_t len);
/* snd_una moved. */
void tcp_plpmtud_ack(struct tcp_conn *c, mono_t now);
/* Something is lost. True: the probe alone, which is no congestion. */
bool tcp_plpmtud_lost(struct tcp_conn *c, mono_t now);
void tcp_plpmtud_forget(struct tcp_conn *c);
size_t tcp_plpmtud_memory(const struct tcp_conn *c);

/* ---- pace.c --------------------------------------------------------- */

#define TCP_PACE_FREE_SEGS 16u /* of a flight, not paced */

/* Largest frame now, at most `max`. */
uint32_t tcp_pace_frame(const struct tcp_conn *c, uint32_t max);
/* `len` bytes of data went: the next wait. */
void tcp_pace_sent(struct tcp_conn *c, uint32_t len);
/* TCP_T_PACE was due at `due`. */
void tcp_pace_expired(struct tcp_conn *c, mono_t due, mono_t now);

/* ---- bbr_conn.c: none of these but on BBR ---------------------------- */

/* The model, NULL if the connection is on another controller. */
static inline struct tcp_bbr *tcp_bbr_of(const struct tcp_conn *c)
{
	return c->cc.ops == &tcp_cc_bbr ? c->cc.bbr.model : NULL;
}
/* Makes the model if BBR was chosen; CUBIC if there is no memory. */
void tcp_bbr_begin(struct tcp_conn *c);
/* Frees it, if there is one: before the controller changes. */
void tcp_bbr_end(struct tcp_conn *c);
size_t tcp_bbr_memory(const struct tcp_conn *c);
/* Bytes a second, not 0. */
uint64_t tcp_bbr_pacing(const struct tcp_conn *c);
/* `len` new bytes went, snd_nxt is behind them. */
void tcp_bbr_sent(struct tcp_conn *c, uint32_t len);
/* Nothing more may be sent now. */
void tcp_bbr_dry(struct tcp_conn *c);
/* So many bytes were found lost; the next ACK tells the model. */
void tcp_bbr_lost(struct tcp_conn *c, uint32_t len);
void tcp_bbr_ack(struct tcp_conn *c, const struct tcp_rtx_acked *acc,
		 mono_t now);

/* ---- cwv.c: is cwnd in use? ------------------------------------------ */

/* The program writes after a silence. */
void tcp_cwv_idle(struct tcp_conn *c, mono_t now);
/* All that may be sent now has been. */
void tcp_cwv_sent(struct tcp_conn *c, mono_t now);

/* ---- out.c ---------------------------------------------------------- */

/* What the next output would emit: the one predicate that output and
 * deadline share. Depends on state only; times are turned into state by
 * expire. */
struct tcp_want tcp_out_want(const struct tcp_conn *c);
/* Is the window, not cwnd or Nagle, what stops new data? */
bool tcp_out_window_blocked(const struct tcp_conn *c);
/* Usable window of RFC 9293 3.8.6.2.1, from `seq` on. [RFC9293 3.8.6 MUST-34,
 * SHLD-15] [RFC9293 3.1 REC-1] */
static inline uint32_t tcp_out_usable(const struct tcp_conn *c, tcp_seq_t seq)
{
	int32_t n = seq_diff(seq_add(c->snd_una, c->snd_wnd), seq);

	return n > 0 ? (uint32_t)n : 0;
}

/* ---- timer.c -------------------------------------------------------- */

static inline void tcp_timer_set(struct tcp_conn *c, enum tcp_timer t,
				 mono_t at)
{
	c->timers[t] = at;
}
static inline void tcp_timer_off(struct tcp_conn *c, enum tcp_timer t)
{
	c->timers[t] = MONO_NEVER;
}
static inline bool tcp_timer_on(const struct tcp_conn *c, enum tcp_timer t)
{
	return !mono_is_never(c->timers[t]);
}
mono_t tcp_timer_first(const struct tcp_conn *c);
void tcp_timer_all_off(struct tcp_conn *c);
/* REXMT: a loss probe where there may be one, else the RTO from now. */
void tcp_timer_arm_rexmt(struct tcp_conn *c, mono_t now);
/* REXMT after an ACK: RACK looks again at `reo_at`, MONO_NEVER if not. */
void tcp_timer_after_ack(struct tcp_conn *c, bool advanced, mono_t reo_at,
			 mono_t now);
/* KEEP, if keepalive is on and the state has it. */
void tcp_timer_arm_keep(struct tcp_conn *c, mono_t now);
/* USER, while something is outstanding or waits. `restart`: there was
 * progress. */
void tcp_timer_arm_user(struct tcp_conn *c, bool restart, mono_t now);
/* Output is dry: PERSIST and CORK as the state needs them. */
void tcp_timer_settle(struct tcp_conn *c, mono_t now);

/* ---- listen.c, cookie.c --------------------------------------------- */

struct tcp_options;
/* Makes the ISS (and *ts_val's low bits, if the peer sent timestamps) that
 * carry `req` through a handshake without memory. */
void tcp_cookie_make(const struct tcp_env *env, struct tcp_request *req,
		     uint32_t *ts_val, mono_t now);
/* The final ACK of a handshake: rebuilds *req, or false. */
bool tcp_cookie_check(const struct tcp_env *env, const struct tcp_tuple *t,
		      const struct tcp_seg *in, struct tcp_request *ret,
		      mono_t now);

#endif
