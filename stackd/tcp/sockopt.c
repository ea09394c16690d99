/* What a program may set on a connection; ranges as Linux checks them. */
#include "tcp/conn.h"

#include <errno.h>

#define KEEP_S_MAX 32767
#define COUNT_MAX 127
#define BUF_MIN 2048u /* smaller requests are raised */
#define BUF_MAX (1u << 30)
#define LINGER2_MAX_S 120 /* longer ones are cut */
#define MAXSEG_LO 88
#define MAXSEG_HI 65495

static bool bad(int64_t v, int64_t lo, int64_t hi)
{
	return v < lo || v > hi;
}

static uint32_t buf_size(int64_t v)
{
	return (uint32_t)CLAMP(v, (int64_t)BUF_MIN, (int64_t)BUF_MAX);
}

/* [RFC9293 3.8.4 MUST-24, MUST-27] */
static int set_keep(struct tcp_conn *c, enum tcp_opt o, int64_t v, mono_t now)
{
	if (o == TCP_OPT_KEEPALIVE) {
		c->keepalive = v != 0;
	} else if (o == TCP_OPT_KEEPCNT) {
		if (bad(v, 1, COUNT_MAX))
			return -EINVAL;
		c->keep_count = (uint8_t)v;
		return 0;
	} else {
		if (bad(v, 1, KEEP_S_MAX))
			return -EINVAL;
		if (o == TCP_OPT_KEEPIDLE)
			c->keep_idle_s = (uint16_t)v;
		else
			c->keep_intvl_s = (uint16_t)v;
	}
	if (o != TCP_OPT_KEEPINTVL)
		tcp_timer_arm_keep(c, now);
	return 0;
}

static int set_buf(struct tcp_conn *c, enum tcp_opt o, int64_t v)
{
	if (v < 0)
		return -EINVAL;
	if (o == TCP_OPT_SNDBUF) {
		c->snd.limit = buf_size(v);
		c->sndbuf_locked = true;
	} else if (o == TCP_OPT_RCVBUF) {
		c->rcv_limit = buf_size(v);
		c->rcvbuf_locked = true;
	} else if (o == TCP_OPT_WINDOW_CLAMP) {
		c->rcv_clamp = v ? buf_size(v) : 0;
	} else {
		if (v > UINT32_MAX)
			return -EINVAL;
		c->notsent_lowat = (uint32_t)v;
	}
	return 0;
}

static int set_maxseg(struct tcp_conn *c, int64_t v)
{
	if (v && bad(v, MAXSEG_LO, MAXSEG_HI))
		return -EINVAL;
	c->maxseg = (uint16_t)v;
	if (c->peer_mss)
		tcp_opt_update_mss(c);
	return 0;
}

static void set_cc(struct tcp_conn *c, enum tcp_cc_kind k)
{
	if (tcp_cc_kind(&c->cc) == k)
		return;
	tcp_undo_forget(c); /* it would bring the old one back */
	tcp_bbr_end(c);
	tcp_cc_set_kind(&c->cc, k);
	if (c->established)
		tcp_bbr_begin(c);
}

/* [RFC9293 3.7.4 MUST-17] [RFC9293 3.8.3 MUST-21] [RFC9293 3.8.2 MAY-18] */
int tcp_conn_set_opt(struct tcp_conn *c, enum tcp_opt o, int64_t v, mono_t now)
{
	c->now = now;
	switch (o) {
	case TCP_OPT_NODELAY:
		c->nodelay = v != 0;
		c->more = c->more && !c->nodelay;
		return 0;
	case TCP_OPT_CORK:
		c->cork = v != 0;
		c->more = c->more && c->cork;
		return 0;
	case TCP_OPT_QUICKACK:
		c->quickack = v != 0;
		if (c->quickack && tcp_timer_on(c, TCP_T_DELACK))
			c->want_ack = true;
		return 0;
	case TCP_OPT_KEEPALIVE:
	case TCP_OPT_KEEPIDLE:
	case TCP_OPT_KEEPINTVL:
	case TCP_OPT_KEEPCNT:
		return set_keep(c, o, v, now);
	case TCP_OPT_MAXSEG:
		return set_maxseg(c, v);
	case TCP_OPT_USER_TIMEOUT:
		if (bad(v, 0, INT32_MAX))
			return -EINVAL;
		c->user_timeout_ms = (uint32_t)v;
		tcp_timer_arm_user(c, true, now);
		return 0;
	case TCP_OPT_SYNCNT:
		if (bad(v, 1, COUNT_MAX))
			return -EINVAL;
		c->syn_retries = (uint8_t)v;
		return 0;
	case TCP_OPT_LINGER2:
		c->linger2_s = (int16_t)(v < 0 ? -1 : MIN(v, LINGER2_MAX_S));
		return 0;
	case TCP_OPT_CC:
		if (bad(v, TCP_CC_CUBIC, TCP_CC_BBR))
			return -EINVAL;
		set_cc(c, (enum tcp_cc_kind)v);
		return 0;
	case TCP_OPT_SNDBUF:
	case TCP_OPT_RCVBUF:
	case TCP_OPT_NOTSENT_LOWAT:
	case TCP_OPT_WINDOW_CLAMP:
		return set_buf(c, o, v);
	case TCP_OPT__COUNT:
		break;
	}
	return -EINVAL;
}

static int64_t or_tune_s(int64_t v, dur_t tune)
{
	return v ? v : tune.ns / DUR_S(1).ns;
}

int64_t tcp_conn_get_opt(const struct tcp_conn *c, enum tcp_opt o)
{
	const struct tcp_tune *t = &c->env->tune;

	switch (o) {
	case TCP_OPT_NODELAY:
		return c->nodelay;
	case TCP_OPT_CORK:
		return c->cork;
	case TCP_OPT_QUICKACK:
		return c->quickack;
	case TCP_OPT_KEEPALIVE:
		return c->keepalive;
	case TCP_OPT_KEEPIDLE:
		return or_tune_s(c->keep_idle_s, t->keep_idle);
	case TCP_OPT_KEEPINTVL:
		return or_tune_s(c->keep_intvl_s, t->keep_intvl);
	case TCP_OPT_KEEPCNT:
		return c->keep_count ? c->keep_count : t->keep_count;
	case TCP_OPT_MAXSEG:
		if (c->established)
			return c->mss;
		return c->maxseg ? c->maxseg : TCP_MSS_DEFAULT_V4;
	case TCP_OPT_USER_TIMEOUT:
		return c->user_timeout_ms;
	case TCP_OPT_SYNCNT:
		return c->syn_retries ? c->syn_retries : t->syn_retries;
	case TCP_OPT_LINGER2:
		return or_tune_s(c->linger2_s, t->fin_wait2);
	case TCP_OPT_CC:
		return tcp_cc_kind(&c->cc);
	case TCP_OPT_SNDBUF:
		return c->snd.limit;
	case TCP_OPT_RCVBUF:
		return c->rcv_limit;
	case TCP_OPT_NOTSENT_LOWAT:
		return c->notsent_lowat;
	case TCP_OPT_WINDOW_CLAMP:
		return c->rcv_clamp;
	case TCP_OPT__COUNT:
		break;
	}
	return 0;
}

void tcp_conn_copy_opts(struct tcp_conn *to, const struct tcp_conn *from)
{
	to->nodelay = from->nodelay;
	to->cork = from->cork;
	to->quickack = from->quickack;
	to->keepalive = from->keepalive;
	to->keep_count = from->keep_count;
	to->keep_idle_s = from->keep_idle_s;
	to->keep_intvl_s = from->keep_intvl_s;
	to->syn_retries = from->syn_retries;
	to->linger2_s = from->linger2_s;
	to->user_timeout_ms = from->user_timeout_ms;
	to->notsent_lowat = from->notsent_lowat;
	to->rcv_clamp = from->rcv_clamp;
	if (from->sndbuf_locked)
		to->snd.limit = from->snd.limit;
	if (from->rcvbuf_locked)
		to->rcv_limit = from->rcv_limit;
	to->sndbuf_locked = from->sndbuf_locked;
	to->rcvbuf_locked = from->rcvbuf_locked;
	set_cc(to, tcp_cc_kind(&from->cc));
	to->maxseg = from->maxseg;
	if (to->peer_mss)
		tcp_opt_update_mss(to);
	tcp_timer_arm_keep(to, to->now);
	tcp_timer_arm_user(to, true, to->now);
}
