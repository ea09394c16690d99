#include "tcp/cc.h"

#include <errno.h>
#include <string.h>

#define IW_BYTES_PER_SEG 1460u /* what RFC 6928 multiplies by ten */

static const struct tcp_cc_ops *const table[] = {
	[TCP_CC_CUBIC] = &tcp_cc_cubic,
	[TCP_CC_NEWRENO] = &tcp_cc_newreno,
	[TCP_CC_BBR] = &tcp_cc_bbr,
};

const char *tcp_cc_name(enum tcp_cc_kind k)
{
	return (size_t)k < ARRAY_SIZE(table) ? table[k]->name : "?";
}

int tcp_cc_by_name(const char *name, enum tcp_cc_kind *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (strcmp(table[i]->name, name) == 0) {
			*ret = (enum tcp_cc_kind)i;
			return 0;
		}
	}
	return -ENOENT;
}

void tcp_cc_init(struct tcp_cc *cc, enum tcp_cc_kind kind)
{
	*cc = (struct tcp_cc){.ssthresh = UINT32_MAX, .mss = 536, .cwnd = 536};
	tcp_cc_set_kind(cc, kind);
}

void tcp_cc_set_kind(struct tcp_cc *cc, enum tcp_cc_kind kind)
{
	cc->phase = TCP_CC_LATER;
	cc->ops = table[kind];
	cc->ops->start(cc);
}

enum tcp_cc_kind tcp_cc_kind(const struct tcp_cc *cc)
{
	return cc->ops->kind;
}

uint32_t tcp_cc_initial_window(uint32_t mss, uint32_t segs)
{
	return MIN(segs * mss, MAX(2 * mss, segs * IW_BYTES_PER_SEG));
}

void tcp_cc_begin(struct tcp_cc *cc, uint32_t mss, uint32_t segs)
{
	cc->mss = mss;
	cc->cwnd = tcp_cc_initial_window(mss, segs);
	cc->ops->start(cc);
	if (cc->ops != &tcp_cc_bbr) /* it ends its start-up itself */
		tcp_hystart_begin(cc);
}

void tcp_cc_set_mss(struct tcp_cc *cc, uint32_t mss)
{
	cc->mss = mss;
	cc->cwnd = MAX(cc->cwnd, mss);
	cc->ssthresh = MAX(cc->ssthresh, 2 * mss);
}

void tcp_cc_acked(struct tcp_cc *cc, uint32_t acked, dur_t srtt, mono_t now)
{
	if (cc->cwnd < cc->ssthresh) {
		/* [RFC5681 3.1] [RFC3465 2.2] by bytes; what is left over at
		 * ssthresh counts for avoidance */
		uint32_t step = MIN(acked, cc->ssthresh - cc->cwnd);

		cc->cwnd += step;
		acked -= step;
	}
	if (acked)
		cc->ops->avoid(cc, acked, srtt, now);
	cc->cwnd = MIN(cc->cwnd, TCP_CWND_MAX);
}

void tcp_cc_congestion(struct tcp_cc *cc, uint32_t in_flight)
{
	tcp_hystart_end(cc);
	cc->ssthresh = cc->ops->reduce(cc, in_flight);
	cc->cwnd = MIN(cc->cwnd, cc->ssthresh);
}

/* [RFC9293 3.8.2 MUST-19] */
void tcp_cc_timeout(struct tcp_cc *cc, uint32_t in_flight, bool repeated)
{
	tcp_hystart_end(cc);
	if (!repeated)
		cc->ssthresh = cc->ops->reduce(cc, in_flight);
	cc->cwnd = cc->mss;
}

void tcp_cc_restore(struct tcp_cc *cc, const struct tcp_cc *before)
{
	uint32_t cwnd = MAX(cc->cwnd, before->cwnd), mss = cc->mss;
	uint32_t ssthresh = MAX(cc->ssthresh, before->ssthresh);

	/* [RFC4015 3.2] [RFC9438 4.9] */
	if (before->ops == cc->ops)
		*cc = *before;
	cc->cwnd = cwnd;
	cc->ssthresh = ssthresh;
	tcp_cc_set_mss(cc, mss);
}

/* [RFC2861 3] what the window was is not forgotten */
static void remember(struct tcp_cc *cc)
{
	if (cc->ssthresh != UINT32_MAX)
		cc->ssthresh = MAX(cc->ssthresh, cc->cwnd / 4 * 3);
}

void tcp_cc_restart(struct tcp_cc *cc, uint32_t rw, dur_t idle, dur_t rto)
{
	uint32_t cwnd = cc->cwnd;

	tcp_hystart_end(cc);
	cc->ops->idle(cc, idle);
	remember(cc);
	for (int64_t left = idle.ns; left > rto.ns && cwnd > rw; left -= rto.ns)
		cwnd /= 2;
	cc->cwnd = MIN(cc->cwnd, MAX(cwnd, rw));
}

void tcp_cc_unused(struct tcp_cc *cc, uint32_t used)
{
	if (cc->cwnd <= used)
		return;
	remember(cc);
	cc->cwnd = used + (cc->cwnd - used) / 2;
}
