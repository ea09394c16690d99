/* What the two SYNs agree on: MSS, window scale, SACK, timestamps, ECN. */
#include "tcp/conn.h"
#include "tcp/isn.h"

uint8_t tcp_opt_wscale_for(uint32_t bytes)
{
	uint8_t s = 0;

	while (s < TCP_WSCALE_MAX && TCP_WND_UNSCALED_MAX << s < bytes)
		s++;
	return s;
}

uint16_t tcp_opt_syn_window(const struct tcp_tune *t)
{
	/* [RFC7323 2.2] the window of a SYN is never scaled */
	return (uint16_t)MIN(t->rcvbuf_init, TCP_WND_UNSCALED_MAX);
}

uint16_t tcp_opt_peer_mss(const struct tcp_options *o, enum ip_family f)
{
	if (o->has_mss)
		return (uint16_t)MAX(o->mss, TCP_MSS_MIN);
	return f == IP_V6 ? TCP_MSS_DEFAULT_V6 : TCP_MSS_DEFAULT_V4;
}

/* [RFC9293 3.7.1 MUST-14, MUST-67, SHLD-5, MAY-3] */
void tcp_opt_syn(const struct tcp_conn *c, bool answer, struct tcp_options *ret)
{
	const struct tcp_tune *t = &c->env->tune;

	ret->has_mss = true;
	ret->mss = c->path.mss_advertise;
	if (c->maxseg)
		ret->mss = MIN(ret->mss, c->maxseg);
	ret->sack_permitted = answer ? c->sack_ok : t->sack;
	ret->has_ts = answer ? c->ts_ok : t->timestamps;
	ret->ts_val = tcp_ts_now(c->ts_offset, c->now);
	ret->ts_ecr = answer ? c->ts_recent : 0;
	ret->has_wscale = answer ? c->wscale_ok : t->window_scaling;
	ret->wscale = c->rcv_wscale;
}

/* [RFC7323 1.3] [RFC9293 3.2 MUST-65] */
void tcp_opt_agree(struct tcp_conn *c, const struct tcp_seg *in)
{
	const struct tcp_options *o = &in->h.opt;
	const struct tcp_tune *t = &c->env->tune;

	c->peer_mss =
		tcp_opt_peer_mss(o, (enum ip_family)c->tuple.remote.family);
	c->sack_ok = t->sack && o->sack_permitted;
	c->wscale_ok = t->window_scaling && o->has_wscale;
	/* [RFC7323 2.3] above 14 is 14 */
	c->snd_wscale = c->wscale_ok ? MIN(o->wscale, TCP_WSCALE_MAX) : 0;
	if (!c->wscale_ok)
		c->rcv_wscale = 0;
	c->ts_ok = t->timestamps && o->has_ts;
	if (c->ts_ok) {
		c->ts_recent = o->ts_val;
		c->ts_recent_at = c->now;
		c->ts_recent_ok = true;
	}
	tcp_opt_update_mss(c);
}

void tcp_opt_update_mss(struct tcp_conn *c)
{
	uint32_t mss = MIN(c->path.mss, c->peer_mss);

	if (c->maxseg)
		mss = MIN(mss, (uint32_t)c->maxseg);
	mss = MIN(mss, (uint32_t)tcp_plpmtud_limit(c));
	/* [RFC9293 3.7.1 MUST-16] [RFC6691 2] options come out of it */
	mss = MAX(mss, TCP_MSS_MIN) - (c->ts_ok ? TCP_LEN_TS_PADDED : 0);
	c->mss = (uint16_t)mss;
	tcp_cc_set_mss(&c->cc, mss);
}
