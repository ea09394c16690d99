/* What is kept of a connection for 2 MSL: RFC 9293 3.6.1, RFC 6191. */
#include "tcp/conn.h"
#include "tcp/isn.h"

#define REUSE_AFTER DUR_S(1)

void tcp_timewait_from(const struct tcp_conn *c, struct tcp_timewait *ret)
{
	*ret = (struct tcp_timewait){
		.tuple = c->tuple,
		.snd_nxt = c->snd_nxt,
		.rcv_nxt = c->rcv_nxt,
		.ts_recent = c->ts_recent,
		.ts_offset = c->ts_offset,
		.ts_recent_at = c->ts_recent_at,
		.until = c->timers[TCP_T_2MSL],
		.rcv_wnd = (uint16_t)MIN(tcp_win_rcv_wnd(c) >> c->rcv_wscale,
					 TCP_WND_UNSCALED_MAX),
		.ts_ok = c->ts_ok,
	};
}

static void build_ack(const struct tcp_timewait *tw, struct tcp_out *ret,
		      mono_t now)
{
	*ret = (struct tcp_out){.h = {.src_port = tw->tuple.local_port,
				      .dst_port = tw->tuple.remote_port,
				      .seq = tw->snd_nxt,
				      .ack = tw->rcv_nxt,
				      .flags = TCP_ACK,
				      .wnd = tw->rcv_wnd}};
	if (!tw->ts_ok)
		return;
	ret->h.opt.has_ts = true;
	ret->h.opt.ts_val = tcp_ts_now(tw->ts_offset, now);
	ret->h.opt.ts_ecr = tw->ts_recent;
}

/* [RFC6191 2] [RFC9293 3.6.1 MAY-2] May this SYN begin a new connection? */
static bool new_incarnation(const struct tcp_timewait *tw,
			    const struct tcp_seg *in)
{
	const struct tcp_options *o = &in->h.opt;

	if (tw->ts_ok && o->has_ts && o->ts_val != tw->ts_recent)
		return (int32_t)(o->ts_val - tw->ts_recent) > 0;
	return seq_lt(tw->rcv_nxt, in->h.seq);
}

enum tcp_tw_verdict tcp_timewait_input(struct tcp_timewait *tw,
				       struct tcp_env *env,
				       const struct tcp_seg *in,
				       struct tcp_out *ret_out, mono_t now)
{
	uint8_t f = in->h.flags;
	tcp_seq_t end = seq_add(in->h.seq, in->len);

	env->stats.segs_in += in->segs;
	/* [RFC1337 3] a stray RST must not end the quiet time */
	if (f & TCP_RST)
		return TCP_TW_NOTHING;
	if ((f & TCP_SYN) && !(f & TCP_ACK) && new_incarnation(tw, in)) {
		env->stats.timewait_reused++;
		return TCP_TW_REUSE;
	}
	if ((f & TCP_FIN) && seq_eq(seq_add(end, 1), tw->rcv_nxt)) {
		/* the ACK of the last FIN was lost: again, and again 2 MSL */
		tw->until = mono_add(now, env->tune.timewait);
		build_ack(tw, ret_out, now);
		return TCP_TW_REPLY;
	}
	/* A plain ACK that agrees with ours needs no answer; anything else
	 * gets one, within the limit of RFC 5961 7. */
	if (!(f & TCP_SYN) && !in->len && seq_eq(in->h.seq, tw->rcv_nxt))
		return TCP_TW_NOTHING;
	if (!tcp_env_challenge_ok(env, now))
		return TCP_TW_NOTHING;
	build_ack(tw, ret_out, now);
	return TCP_TW_REPLY;
}

/* [RFC9293 3.6.1 SHLD-4] */
bool tcp_timewait_reusable(const struct tcp_timewait *tw, mono_t now)
{
	/* [RFC6191 2] our next timestamp must be larger than any sent */
	return tw->ts_ok &&
	       mono_leq(mono_add(tw->ts_recent_at, REUSE_AFTER), now);
}
