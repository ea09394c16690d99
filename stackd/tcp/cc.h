/*
 * cc.h: congestion control: how many bytes may be in flight. A controller is
 * a const table of functions over one small state; it is told facts and
 * never sees the connection. Growth is called only for acknowledgements of
 * data that was sent with the window in full use (RFC 9438 4.6, 5.8).
 */
#ifndef COUPLET_TCP_CC_H
#define COUPLET_TCP_CC_H

#include "tcp/tcp.h"

#define TCP_CWND_MAX (1u << 30)

struct tcp_cc;
struct tcp_bbr;

struct tcp_cc_ops {
	enum tcp_cc_kind kind;
	const char *name;
	/* New connection or change of algorithm; cwnd and ssthresh stay. */
	void (*start)(struct tcp_cc *cc);
	/* Congestion avoidance: `acked` bytes arrived, round trip `srtt`. */
	void (*avoid)(struct tcp_cc *cc, uint32_t acked, dur_t srtt,
		      mono_t now);
	/* Congestion seen with `in_flight` bytes out: the new ssthresh. */
	uint32_t (*reduce)(struct tcp_cc *cc, uint32_t in_flight);
	/* The sender was silent for `idle`. */
	void (*idle)(struct tcp_cc *cc, dur_t idle);
};

enum tcp_cc_phase {
	TCP_CC_LATER,        /* after the first slow start */
	TCP_CC_SLOW,         /* in it */
	TCP_CC_CONSERVATIVE, /* in it, and round trips have grown */
};

struct tcp_cc {
	const struct tcp_cc_ops *ops;
	uint32_t cwnd, ssthresh; /* bytes; ssthresh UINT32_MAX at first */
	uint32_t mss;
	uint8_t phase; /* enum tcp_cc_phase */
	union {
		struct { /* phase is not LATER */
			tcp_seq_t round_end;
			uint32_t last_min_us, min_us, base_us;
			uint8_t samples, css_rounds;
			bool running;
		} hystart;
		struct {
			uint32_t acked; /* bytes towards the next segment */
		} reno;
		struct {
			mono_t epoch; /* MONO_NEVER: none running */
			uint32_t w_max, cwnd_prior;
			uint32_t k_ms;
			uint32_t w_est, est_acked, target_acked;
		} cubic;
		struct {
			struct tcp_bbr *model; /* the connection's, or NULL */
		} bbr;
	};
};

extern const struct tcp_cc_ops tcp_cc_cubic, tcp_cc_newreno, tcp_cc_bbr;

void tcp_cc_init(struct tcp_cc *cc, enum tcp_cc_kind kind);
void tcp_cc_set_kind(struct tcp_cc *cc, enum tcp_cc_kind kind);
enum tcp_cc_kind tcp_cc_kind(const struct tcp_cc *cc);
/* [RFC6928 2] generalised to `segs` segments. */
uint32_t tcp_cc_initial_window(uint32_t mss, uint32_t segs);
/* Data moves: cwnd = initial window of `segs` segments of `mss`. */
void tcp_cc_begin(struct tcp_cc *cc, uint32_t mss, uint32_t segs);
void tcp_cc_set_mss(struct tcp_cc *cc, uint32_t mss);
/* `acked` new bytes arrived. Slow start below ssthresh, then the
 * algorithm's own avoidance. */
void tcp_cc_acked(struct tcp_cc *cc, uint32_t acked, dur_t srtt, mono_t now);
/* Loss or ECN mark: ssthresh falls, and cwnd to it. */
void tcp_cc_congestion(struct tcp_cc *cc, uint32_t in_flight);
/* [RFC5681 3.1 eq 4] Time-out: ssthresh falls (unless it is a repeat), cwnd
 * is one segment. */
void tcp_cc_timeout(struct tcp_cc *cc, uint32_t in_flight, bool repeated);
/* It was no loss: what was before it, if that is more. */
void tcp_cc_restore(struct tcp_cc *cc, const struct tcp_cc *before);
/* [RFC5681 4.1] Nothing was sent for `idle`, longer than the time-out `rto`:
 * cwnd falls towards the restart window `rw`. */
void tcp_cc_restart(struct tcp_cc *cc, uint32_t rw, dur_t idle, dur_t rto);
/* [RFC2861 3.2] For a time-out no more than `used` of cwnd was in use. */
void tcp_cc_unused(struct tcp_cc *cc, uint32_t used);

/* hystart.c: the first slow start. */
void tcp_hystart_begin(struct tcp_cc *cc);
/* Loss, idleness or a long round ended it. */
void tcp_hystart_end(struct tcp_cc *cc);
/* An ACK; rtt_us is its sample, 0 none. How much of `acked` counts. */
uint32_t tcp_hystart_ack(struct tcp_cc *cc, uint32_t acked, uint32_t rtt_us,
			 tcp_seq_t snd_una, tcp_seq_t snd_nxt);

#endif
