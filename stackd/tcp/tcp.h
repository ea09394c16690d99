/*
 * tcp.h: the face of the TCP engine. Connections, listeners and TIME-WAIT
 * records as pure state machines: no clock, no I/O, no callbacks, no IP
 * headers. The rooms behind it own one mechanism each (README of stackd).
 *
 * Four doors of a connection: tcp_conn_input(), tcp_conn_output(),
 * tcp_conn_deadline(), tcp_conn_expire(). Order of calls: input, expire and
 * user calls any number of times; then output until it returns false; then
 * arm a timer for deadline(). Laws, checked in every test: `now` never goes
 * backwards; input never emits, only output does; once output is dry at
 * `now`, deadline > now.
 *
 * Received data is held as packets, sent data in buffers of the same pool
 * and handed out as iovecs, so nothing is copied here.
 */
#ifndef COUPLET_TCP_H
#define COUPLET_TCP_H

#include "addr/addr.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/mono.h"
#include "pkt/pkt.h"
#include "wire/tcp_header.h"

/* ---- world ---- */

enum tcp_cc_kind { TCP_CC_CUBIC, TCP_CC_NEWRENO, TCP_CC_BBR };
enum tcp_ecn_mode { TCP_ECN_OFF, TCP_ECN_PASSIVE, TCP_ECN_ON };

/* Deck-wide tunables; per-connection copies of some can be changed by
 * options. All have documented defaults (tcp_tune_default()). */
struct tcp_tune {
	dur_t rto_initial; /* 1 s, RFC 6298 2.1 */
	dur_t rto_min;     /* 200 ms */
	dur_t rto_max;     /* 120 s */
	dur_t delack;      /* 40 ms; at most 500 ms (RFC 9293 MUST-59) */
	dur_t timewait;    /* 60 s */
	dur_t fin_wait2;   /* 60 s, orphaned connections only */
	dur_t keep_idle, keep_intvl;          /* 7200 s, 75 s */
	uint32_t keep_count;                  /* 9 */
	uint32_t syn_retries, synack_retries; /* 6, 5 */
	uint32_t retries2;          /* 15 retransmissions before giving up */
	uint32_t orphan_retries;    /* 8 */
	uint32_t initial_cwnd_segs; /* 10, RFC 6928 */
	uint32_t sndbuf_init, sndbuf_max; /* 64 KiB, 4 MiB */
	uint32_t rcvbuf_init, rcvbuf_max; /* 128 KiB, 6 MiB */
	uint32_t syn_backlog_max;         /* half-open per listener, 1024 */
	uint32_t challenge_acks_per_s;    /* per stack, RFC 5961 7, 1000 */
	bool timestamps, sack, window_scaling, syn_cookies;
	bool plpmtud;          /* on: RFC 4821 after time-outs */
	bool pacing;           /* off; on long paths only, see pace.c */
	enum tcp_ecn_mode ecn; /* passive */
	enum tcp_cc_kind cc;   /* CUBIC */
};

void tcp_tune_default(struct tcp_tune *ret);

/* Why a segment was ignored; one counter each. */
enum tcp_drop {
	TCP_DROP_NONE,
	TCP_DROP_BAD_HEADER,
	TCP_DROP_BAD_CSUM,
	TCP_DROP_NO_CONN, /* nobody listens; RST sent unless it was one */
	TCP_DROP_WINDOW,  /* sequence number outside the window */
	TCP_DROP_PAWS,
	TCP_DROP_ACK_RANGE,   /* RFC 5961 5.2 */
	TCP_DROP_RST_SEQ,     /* RST not exactly at rcv_nxt, RFC 5961 3.2 */
	TCP_DROP_SYN_IN_CONN, /* RFC 5961 4.2 */
	TCP_DROP_NO_ACK,      /* synchronized state, ACK bit off */
	TCP_DROP_OOO_LIMIT,   /* out-of-order memory exhausted */
	TCP_DROP_NO_BUFFER,
	TCP_DROP_SYN_LIMIT, /* SYN queue full and cookies off */
	TCP_DROP_COOKIE_BAD,
	TCP_DROP_BACKLOG,     /* accept queue full */
	TCP_DROP_AFTER_CLOSE, /* data for a program that has gone; RST */
	TCP_DROP__COUNT
};

const char *tcp_drop_name(enum tcp_drop d);

struct tcp_stats { /* 64-bit, never reset */
	uint64_t segs_in, segs_out, bytes_in, bytes_out, retrans_segs,
		rto_timeouts, fast_recoveries, sack_recoveries, dsack_in,
		ooo_in, dup_in, active_opens, passive_opens, failed_opens,
		resets_in, resets_out, established, challenge_acks,
		cookies_sent, cookies_ok, zero_window_probes, keep_probes,
		timewait_made, timewait_reused, spurious_rto,
		spurious_recoveries, loss_probes, mtu_black_holes, ecn_ce_in;
	uint64_t drops[TCP_DROP__COUNT];
};

struct tcp_env { /* one per stack, outlives every connection */
	uint64_t (*rand64)(void *arg);
	void *rand_arg;
	struct pkt_pool *pool;
	struct hash_key key; /* secret: ISN (RFC 6528), cookies, timestamps */
	struct tcp_tune tune;
	struct tcp_stats stats;
	/* RFC 5961 7 token bucket, owned by the engine */
	mono_t challenge_window;
	uint32_t challenge_count;
};

struct tcp_tuple {
	struct ip_addr local, remote;
	uint16_t local_port, remote_port;
	uint32_t scope;
};

/* What the path allows; core refreshes it by tcp_conn_set_path(). */
struct tcp_path {
	uint16_t mss;           /* largest TCP payload + options in one packet:
				 * path MTU - IP header - 20 */
	uint16_t mss_advertise; /* for our SYN: link MTU - IP header - 20,
				 * at most 65495 */
	uint32_t gso_max;       /* largest payload of one GSO frame, 0 = no GSO;
				 * below 65536 */
};

/* ---- segments ---- */

struct tcp_seg { /* arrived */
	struct tcp_header h;
	uint32_t len;    /* payload bytes, without SYN and FIN */
	uint16_t segs;   /* wire segments merged into this one, >= 1 */
	uint8_t ecn;     /* code point of the IP header */
	struct pkt *pkt; /* live bytes = payload; may be NULL when len is 0.
			  * input() takes it by setting this to NULL */
};

struct tcp_out {             /* to be sent */
	struct tcp_header h; /* ports, seq, ack, flags, options; all set */
	uint32_t len;        /* payload bytes */
	uint16_t gso_size;   /* 0: one segment; else payload per segment */
	uint8_t ecn;         /* code point to put into the IP header */
	int n_iov;
	struct iovec iov[FRAME_IOV_MAX - 2]; /* payload, borrowed until the
					      * next call on this object */
};

/* ---- connections ---- */

enum tcp_state { /* RFC 9293 3.3.2; names in tcp_state_name() */
		 TCP_S_CLOSED,
		 TCP_S_SYN_SENT,
		 TCP_S_SYN_RECEIVED,
		 TCP_S_ESTABLISHED,
		 TCP_S_FIN_WAIT_1,
		 TCP_S_FIN_WAIT_2,
		 TCP_S_CLOSE_WAIT,
		 TCP_S_CLOSING,
		 TCP_S_LAST_ACK,
		 TCP_S_TIME_WAIT,
		 TCP_S__COUNT
};

const char *tcp_state_name(enum tcp_state s);

struct tcp_conn; /* opaque; tcp/conn.h has it for the rooms of tcp/ */

/* Bytes a connection takes, so that core can embed one in its socket. */
size_t tcp_conn_size(void);

/* `mem`: tcp_conn_size() zeroed bytes, 16-aligned. State CLOSED. */
struct tcp_conn *tcp_conn_init(void *mem, struct tcp_env *env);
/* Frees everything the connection holds, sends nothing. */
void tcp_conn_fini(struct tcp_conn *c);

/* Active open: state SYN-SENT; output() has the SYN. 0 or -EISCONN. */
int tcp_conn_open(struct tcp_conn *c, const struct tcp_tuple *t,
		  const struct tcp_path *path, mono_t now) MUST_USE;

struct tcp_request; /* a half-open passive connection, see listeners */
/* Passive open from a request that tcp_listener_input() completed: state
 * ESTABLISHED. Then give the same segment to tcp_conn_input(). */
void tcp_conn_accept(struct tcp_conn *c, const struct tcp_request *req,
		     const struct tcp_path *path, mono_t now);

void tcp_conn_input(struct tcp_conn *c, struct tcp_seg *in, mono_t now);
bool tcp_conn_output(struct tcp_conn *c, struct tcp_out *ret, mono_t now);
mono_t tcp_conn_deadline(const struct tcp_conn *c);
void tcp_conn_expire(struct tcp_conn *c, mono_t now);

/*
 * User side, sending. reserve: space to receive into, at most `max` bytes
 * in at most `n` pieces, bounded by the send buffer limit; returns the bytes
 * offered, 0 when the buffer is full or nothing may be sent any more. The
 * space is good until the next call on this connection: commit it at once,
 * with 0 if nothing came after all, or the buffers stay held till output.
 * commit: `used` of them were filled. `more` says that the program is known
 * to have more (MSG_MORE): hold a partial segment for up to 200 ms.
 */
size_t tcp_conn_write_reserve(struct tcp_conn *c, size_t max, struct iovec *iov,
			      int *n);
void tcp_conn_write_commit(struct tcp_conn *c, size_t used, bool more,
			   mono_t now);
/* Receiving: borrow in-order data as at most *n pieces; returns bytes.
 * consume: the first `used` of them were delivered; opens the window. */
size_t tcp_conn_read_peek(const struct tcp_conn *c, struct iovec *iov, int *n);
void tcp_conn_read_consume(struct tcp_conn *c, size_t used, mono_t now);

void tcp_conn_shutdown(struct tcp_conn *c, mono_t now); /* FIN after data */
/* The program has gone: FIN, and data that still arrives is answered by a
 * RST (RFC 9293 3.6.1, RFC 2525 2.17). Undelivered data: RST at once. */
void tcp_conn_close(struct tcp_conn *c, mono_t now);
void tcp_conn_abort(struct tcp_conn *c, mono_t now); /* RST, then CLOSED */
/* The operator ends it: RST to the peer, `error` (positive errno) to the
 * program, which still holds its end. */
void tcp_conn_kill(struct tcp_conn *c, int error, mono_t now);

/* Readiness, level: what is true now. */
enum {
	TCP_READY_IN = 1,    /* read_peek() > 0 */
	TCP_READY_EOF = 2,   /* FIN received and all data consumed */
	TCP_READY_OUT = 4,   /* write_reserve() would offer space */
	TCP_READY_CONN = 8,  /* handshake is complete */
	TCP_READY_ERR = 16,  /* failed or reset: tcp_conn_error() */
	TCP_READY_DONE = 32, /* CLOSED: nothing left to send or receive */
};

unsigned tcp_conn_ready(const struct tcp_conn *c);
enum tcp_state tcp_conn_state(const struct tcp_conn *c);
const struct tcp_tuple *tcp_conn_tuple(const struct tcp_conn *c);
int tcp_conn_error(const struct tcp_conn *c); /* positive errno, 0 none */
/* Bytes sent and not acknowledged, bytes not yet sent, bytes received and
 * not consumed. */
void tcp_conn_queues(const struct tcp_conn *c, size_t *ret_unacked,
		     size_t *ret_unsent, size_t *ret_unread);
size_t tcp_conn_memory(const struct tcp_conn *c); /* buffers, not the struct */
/* Aborts through INVARIANT when the state contradicts itself (tests). */
void tcp_conn_check(const struct tcp_conn *c);

/* The path changed (route, PMTU). */
void tcp_conn_set_path(struct tcp_conn *c, const struct tcp_path *path,
		       mono_t now);
/* ICMP said: `error` (positive errno); `seq` is the quoted sequence number
 * (RFC 5927 4.1: outside snd_una..snd_nxt it is ignored). A hard error ends
 * SYN-SENT only, later it is soft (RFC 1122 4.2.3.9, RFC 5927 5.2).
 * Returns false when it was ignored. */
bool tcp_conn_icmp(struct tcp_conn *c, int error, bool hard, tcp_seq_t seq,
		   mono_t now);
/* Is `seq` inside snd_una..snd_nxt? (before obeying a PMTU message) */
bool tcp_conn_seq_sent(const struct tcp_conn *c, tcp_seq_t seq);

enum tcp_opt {
	TCP_OPT_NODELAY,      /* 0, 1 */
	TCP_OPT_CORK,         /* 0, 1 */
	TCP_OPT_QUICKACK,     /* 0, 1 */
	TCP_OPT_KEEPALIVE,    /* 0, 1 */
	TCP_OPT_KEEPIDLE,     /* s, 1..32767 */
	TCP_OPT_KEEPINTVL,    /* s, 1..32767 */
	TCP_OPT_KEEPCNT,      /* 1..127 */
	TCP_OPT_MAXSEG,       /* bytes, 88..65495 */
	TCP_OPT_USER_TIMEOUT, /* ms, 0 = default (RFC 5482 names it) */
	TCP_OPT_SYNCNT,       /* 1..127 */
	TCP_OPT_LINGER2,      /* s, -1 = for ever never waits */
	TCP_OPT_CC,           /* enum tcp_cc_kind */
	TCP_OPT_SNDBUF,       /* bytes of stream; turns auto-tuning off */
	TCP_OPT_RCVBUF,
	TCP_OPT_NOTSENT_LOWAT, /* bytes */
	TCP_OPT_WINDOW_CLAMP,  /* bytes */
	TCP_OPT__COUNT
};

/* 0 or -EINVAL (range as Linux). Works in every state, also before open. */
int tcp_conn_set_opt(struct tcp_conn *c, enum tcp_opt o, int64_t v,
		     mono_t now) MUST_USE;
int64_t tcp_conn_get_opt(const struct tcp_conn *c, enum tcp_opt o);
/* Options a listener hands to the connections it accepts. */
void tcp_conn_copy_opts(struct tcp_conn *to, const struct tcp_conn *from);

struct tcp_info; /* <linux/tcp.h> */
/* Fills all fields the engine knows, zero elsewhere. */
void tcp_conn_info(const struct tcp_conn *c, struct tcp_info *ret, mono_t now);
const char *tcp_cc_name(enum tcp_cc_kind k); /* "cubic" "reno" "bbr" */
int tcp_cc_by_name(const char *name, enum tcp_cc_kind *ret) MUST_USE;

/* ---- listeners: SYN queue, cookies ---- */

struct tcp_request {
	struct tcp_tuple tuple;
	tcp_seq_t iss, irs;
	uint16_t peer_mss, mss_advertised;
	uint8_t snd_wscale, rcv_wscale; /* valid when wscale_ok */
	bool wscale_ok, sack_ok, ts_ok, ecn_ok, from_cookie;
	uint32_t ts_recent; /* peer's clock */
	uint32_t ts_offset; /* added to our timestamps */
	uint32_t peer_wnd;
	mono_t created, synack_sent; /* synack_sent: for the first RTT sample,
				      * MONO_NEVER if retransmitted or cookie */
};

struct tcp_listener;

struct tcp_listener *tcp_listener_new(struct tcp_env *env);
void tcp_listener_free(struct tcp_listener *l);
/* backlog: connections waiting for accept; half-open ones are limited by
 * the larger of it and tune.syn_backlog_max. */
void tcp_listener_set_backlog(struct tcp_listener *l, uint32_t backlog);

enum tcp_listen_verdict {
	TCP_LISTEN_NOTHING, /* consumed or dropped (counted) */
	TCP_LISTEN_REPLY,   /* send *ret_out now */
	TCP_LISTEN_ACCEPT,  /* *ret_req is complete: make a connection */
};

/*
 * A segment for this port that matches no connection. `accept_room` false:
 * the accept queue is full (SYNs are dropped, a final ACK keeps its request
 * waiting). *path supplies mss_advertise. Requests are found by tuple; RST
 * and bad ACKs are answered or ignored as RFC 9293 3.10.7.2/3.10.7.4 say.
 */
enum tcp_listen_verdict tcp_listener_input(
	struct tcp_listener *l, const struct tcp_tuple *t,
	const struct tcp_seg *in, const struct tcp_path *path, bool accept_room,
	struct tcp_out *ret_out, struct tcp_request *ret_req, mono_t now);
/* Retransmits SYN-ACKs: false = dry. ret_tuple says where to. */
bool tcp_listener_output(struct tcp_listener *l, struct tcp_out *ret,
			 struct tcp_tuple *ret_tuple, mono_t now);
mono_t tcp_listener_deadline(const struct tcp_listener *l);
void tcp_listener_expire(struct tcp_listener *l, mono_t now);
uint32_t tcp_listener_half_open(const struct tcp_listener *l);
/* ICMP error for a half-open connection: drops the request if hard. */
void tcp_listener_icmp(struct tcp_listener *l, const struct tcp_tuple *t,
		       int error, bool hard, tcp_seq_t seq, mono_t now);

/* ---- TIME-WAIT ---- */

struct tcp_timewait {
	struct tcp_tuple tuple;
	tcp_seq_t snd_nxt, rcv_nxt;
	uint32_t ts_recent, ts_offset;
	mono_t ts_recent_at, until;
	uint16_t rcv_wnd; /* raw */
	bool ts_ok;
};

/* `c` is in TIME-WAIT and its program has gone: keep only this. */
void tcp_timewait_from(const struct tcp_conn *c, struct tcp_timewait *ret);

enum tcp_tw_verdict {
	TCP_TW_NOTHING,
	TCP_TW_REPLY, /* send *ret_out (re-ACK a FIN, challenge ACK) */
	TCP_TW_REUSE, /* an acceptable new SYN (RFC 6191, RFC 9293 MAY-2):
		       * forget the record, offer the segment to the
		       * listener */
};

enum tcp_tw_verdict tcp_timewait_input(struct tcp_timewait *tw,
				       struct tcp_env *env,
				       const struct tcp_seg *in,
				       struct tcp_out *ret_out, mono_t now);
/* May an active open take this tuple over now? (RFC 6191 2; after 1 s with
 * timestamps, as Linux's tcp_tw_reuse) */
bool tcp_timewait_reusable(const struct tcp_timewait *tw, mono_t now);

/* ---- stray segments ---- */

/* The RST that RFC 9293 3.10.7.1 asks for in answer to `in`; false when `in`
 * is itself a RST. */
bool tcp_reset_for(const struct tcp_seg *in, struct tcp_out *ret);

/* RFC 6528 initial sequence number; also the basis of timestamp offsets. */
tcp_seq_t tcp_isn(const struct hash_key *key, const struct tcp_tuple *t,
		  mono_t now);

#endif
