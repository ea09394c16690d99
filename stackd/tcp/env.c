/* Defaults and names. */
#include "tcp/tcp.h"

#define KIB 1024u
#define MIB (1024u * 1024u)

/* [RFC9293 3.8.4 MUST-25, MUST-28] [RFC9293 3.8.3 MUST-20, MUST-22, SHLD-11] */
void tcp_tune_default(struct tcp_tune *ret)
{
	*ret = (struct tcp_tune){
		.rto_initial = DUR_S(1),
		.rto_min = DUR_MS(200),
		.rto_max = DUR_S(120),
		.delack = DUR_MS(40),
		.timewait = DUR_S(60),
		.fin_wait2 = DUR_S(60),
		.keep_idle = DUR_S(7200),
		.keep_intvl = DUR_S(75),
		.keep_count = 9,
		.syn_retries = 6,
		.synack_retries = 5,
		.retries2 = 15,
		.orphan_retries = 8,
		.initial_cwnd_segs = 10,
		.sndbuf_init = 64 * KIB,
		.sndbuf_max = 4 * MIB,
		.rcvbuf_init = 128 * KIB,
		.rcvbuf_max = 6 * MIB,
		.syn_backlog_max = 1024,
		.challenge_acks_per_s = 1000,
		.timestamps = true,
		.sack = true,
		.window_scaling = true,
		.syn_cookies = true,
		.ecn = TCP_ECN_PASSIVE,
		.cc = TCP_CC_CUBIC,
		.pacing = false,
		.plpmtud = true,
	};
}

static const char *const drop_names[] = {
	[TCP_DROP_NONE] = "none",
	[TCP_DROP_BAD_HEADER] = "bad-header",
	[TCP_DROP_BAD_CSUM] = "bad-checksum",
	[TCP_DROP_NO_CONN] = "no-connection",
	[TCP_DROP_WINDOW] = "out-of-window",
	[TCP_DROP_PAWS] = "paws",
	[TCP_DROP_ACK_RANGE] = "ack-out-of-range",
	[TCP_DROP_RST_SEQ] = "rst-not-exact",
	[TCP_DROP_SYN_IN_CONN] = "syn-in-connection",
	[TCP_DROP_NO_ACK] = "no-ack-bit",
	[TCP_DROP_OOO_LIMIT] = "reassembly-limit",
	[TCP_DROP_NO_BUFFER] = "no-buffer",
	[TCP_DROP_SYN_LIMIT] = "syn-queue-full",
	[TCP_DROP_COOKIE_BAD] = "bad-cookie",
	[TCP_DROP_BACKLOG] = "accept-queue-full",
	[TCP_DROP_AFTER_CLOSE] = "data-after-close",
};
_Static_assert(ARRAY_SIZE(drop_names) == TCP_DROP__COUNT, "one name each");

const char *tcp_drop_name(enum tcp_drop d)
{
	return (size_t)d < ARRAY_SIZE(drop_names) ? drop_names[d] : "?";
}

static const char *const state_names[] = {
	[TCP_S_CLOSED] = "CLOSED",
	[TCP_S_SYN_SENT] = "SYN-SENT",
	[TCP_S_SYN_RECEIVED] = "SYN-RECEIVED",
	[TCP_S_ESTABLISHED] = "ESTABLISHED",
	[TCP_S_FIN_WAIT_1] = "FIN-WAIT-1",
	[TCP_S_FIN_WAIT_2] = "FIN-WAIT-2",
	[TCP_S_CLOSE_WAIT] = "CLOSE-WAIT",
	[TCP_S_CLOSING] = "CLOSING",
	[TCP_S_LAST_ACK] = "LAST-ACK",
	[TCP_S_TIME_WAIT] = "TIME-WAIT",
};
_Static_assert(ARRAY_SIZE(state_names) == TCP_S__COUNT, "one name each");

const char *tcp_state_name(enum tcp_state s)
{
	return (size_t)s < ARRAY_SIZE(state_names) ? state_names[s] : "?";
}
