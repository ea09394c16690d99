/* struct tcp_info as Linux lays it out. */
#include "tcp/conn.h"

#include <linux/tcp.h>
#include <string.h>

/* Linux's numbers of states (include/net/tcp_states.h). */
static const uint8_t linux_state[TCP_S__COUNT] = {
	[TCP_S_CLOSED] = 7,       [TCP_S_SYN_SENT] = 2,
	[TCP_S_SYN_RECEIVED] = 3, [TCP_S_ESTABLISHED] = 1,
	[TCP_S_FIN_WAIT_1] = 4,   [TCP_S_FIN_WAIT_2] = 5,
	[TCP_S_CLOSE_WAIT] = 8,   [TCP_S_CLOSING] = 11,
	[TCP_S_LAST_ACK] = 9,     [TCP_S_TIME_WAIT] = 6,
};

static uint32_t ms_since(mono_t then, mono_t now)
{
	return mono_leq(now, then) ? 0 : (uint32_t)dur_ms(mono_sub(now, then));
}

static uint8_t options(const struct tcp_conn *c)
{
	return (uint8_t)((c->ts_ok ? TCPI_OPT_TIMESTAMPS : 0) |
			 (c->sack_ok ? TCPI_OPT_SACK : 0) |
			 (c->wscale_ok ? TCPI_OPT_WSCALE : 0) |
			 (c->ecn_ok ? TCPI_OPT_ECN : 0));
}

static uint8_t ca_state(const struct tcp_conn *c)
{
	if (c->recovery == TCP_R_LOSS)
		return TCP_CA_Loss;
	if (c->recovery == TCP_R_FAST)
		return TCP_CA_Recovery;
	return c->dupacks ? TCP_CA_Disorder : TCP_CA_Open;
}

/* Linux counts these in segments. */
static void fill_segments(const struct tcp_conn *c, struct tcp_info *i)
{
	uint32_t mss = MAX(c->mss, (uint16_t)1);

	i->tcpi_unacked = (tcp_conn_outstanding(c) + mss - 1) / mss;
	i->tcpi_sacked = (c->rtx.sacked + c->reno_sacked) / mss;
	i->tcpi_lost = (c->rtx.lost + mss - 1) / mss;
	i->tcpi_retrans = (c->rtx.rtx + mss - 1) / mss;
	i->tcpi_fackets = 0;
	i->tcpi_snd_cwnd = c->cc.cwnd / mss;
	i->tcpi_snd_ssthresh = c->cc.ssthresh == UINT32_MAX
				       ? 0x7fffffff
				       : c->cc.ssthresh / mss;
}

static void fill_times(const struct tcp_conn *c, struct tcp_info *i, mono_t now)
{
	i->tcpi_rto =
		(uint32_t)dur_us(tcp_rtt_rto(&c->rtt, c->env->tune.rto_max));
	i->tcpi_ato = (uint32_t)dur_us(c->env->tune.delack);
	i->tcpi_rtt = (uint32_t)(c->rtt.srtt_ns / 1000);
	i->tcpi_rttvar = (uint32_t)(c->rtt.rttvar_ns / 1000);
	i->tcpi_min_rtt = c->rtt.min_us;
	i->tcpi_rcv_rtt = c->rcv_rtt_us;
	i->tcpi_last_data_sent = ms_since(c->last_sent, now);
	i->tcpi_last_data_recv = ms_since(c->last_rcvd, now);
	i->tcpi_last_ack_recv = i->tcpi_last_data_recv;
}

/* Each byte that is acknowledged or outstanding was sent, some again. */
static uint64_t bytes_sent(const struct tcp_conn *c)
{
	uint32_t out = 0;

	if (c->established && seq_lt(c->snd.base, c->snd_nxt))
		out = (uint32_t)seq_diff(seq_min(c->snd_nxt, c->snd.end),
					 c->snd.base);
	return c->bytes_acked + out + c->bytes_retrans;
}

void tcp_conn_info(const struct tcp_conn *c, struct tcp_info *ret, mono_t now)
{
	struct tcp_info i;

	memset(&i, 0, sizeof(i));
	i.tcpi_state = linux_state[c->state];
	i.tcpi_ca_state = ca_state(c);
	i.tcpi_retransmits = c->retries;
	i.tcpi_probes = c->keep_sent;
	i.tcpi_backoff = c->rtt.backoff;
	i.tcpi_options = options(c);
	i.tcpi_snd_wscale = c->snd_wscale & 15;
	i.tcpi_rcv_wscale = c->rcv_wscale & 15;
	i.tcpi_snd_mss = c->mss;
	i.tcpi_rcv_mss = c->rcv_mss;
	i.tcpi_advmss = c->path.mss_advertise;
	i.tcpi_pmtu =
		c->path.mss + (c->tuple.remote.family == IP_V6 ? 60u : 40u);
	i.tcpi_rcv_ssthresh = c->rcv_limit;
	i.tcpi_rcv_space = c->tune_copied;
	i.tcpi_total_retrans = c->total_retrans;
	i.tcpi_bytes_acked = c->bytes_acked;
	i.tcpi_bytes_received = c->bytes_received;
	i.tcpi_bytes_sent = bytes_sent(c);
	i.tcpi_bytes_retrans = c->bytes_retrans;
	i.tcpi_segs_out = c->segs_out;
	i.tcpi_segs_in = c->segs_in;
	i.tcpi_data_segs_in = c->data_segs_in;
	i.tcpi_data_segs_out = c->data_segs_out;
	i.tcpi_dsack_dups = c->dsack_in;
	i.tcpi_rcv_ooopack = c->ooo_in;
	i.tcpi_snd_wnd = c->snd_wnd;
	if (c->established && c->state != TCP_S_CLOSED)
		i.tcpi_notsent_bytes =
			(uint32_t)MAX(seq_diff(c->snd.end, c->snd_nxt), 0);
	if (tcp_bbr_of(c))
		i.tcpi_pacing_rate = tcp_bbr_pacing(c);
	fill_segments(c, &i);
	fill_times(c, &i, now);
	*ret = i;
}
