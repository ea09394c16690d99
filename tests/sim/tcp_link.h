/*
 * tcp_link.h: two TCP engines and a network between them in virtual time.
 * The network loses, duplicates, delays and reorders wire segments as told;
 * everything follows from the seed. Headers cross it as bytes. Programs are
 * played by the test, which calls the engine's user side itself.
 *
 * After every step the link asserts the engine's laws: tcp_conn_check(),
 * dry output means a deadline in the future, no segment larger than the MSS,
 * the advertised right edge does not move left (by a unit of the window
 * scale at most).
 */
#ifndef COUPLET_TEST_TCP_LINK_H
#define COUPLET_TEST_TCP_LINK_H

#include "tcp/tcp.h"

#include <stdio.h>

struct link_cfg {
	uint64_t seed;
	uint32_t loss_pm, dup_pm, reorder_pm, corrupt_pm, ce_pm; /* 1/1000 */
	dur_t delay;                                             /* one way */
	dur_t jitter;  /* 0..jitter more, keeps order */
	dur_t reorder; /* 0..reorder more for those picked, breaks order */
	uint16_t mss;
	uint32_t gso_max; /* 0: none */
	bool gro;         /* frames may arrive merged */
	bool trace;       /* every segment on stdout */
};

struct link_seg { /* on the wire */
	mono_t at;
	uint64_t order;
	int to;
	uint32_t hdr_len, len;
	uint16_t segs;
	uint8_t ecn;
	bool corrupt;
	uint8_t hdr[TCP_HDR_MAX];
	uint8_t payload[];
};

struct link_host {
	struct tcp_env env;
	struct pkt_pool pool;
	struct tcp_conn *conn; /* NULL: none (yet) */
	struct tcp_listener *listener;
	struct tcp_timewait tw;
	bool in_tw;
	bool accepted;
	uint8_t sent_wscale; /* of our SYN, for the edge check */
	bool edge_known, scaled;
	tcp_seq_t edge;
	uint64_t frames; /* emitted */
	uint64_t acks;   /* of these without payload */
};

struct link {
	struct link_cfg cfg;
	mono_t now;
	uint64_t rng;
	struct link_host h[2]; /* 0 opens, 1 listens */
	struct link_seg **heap;
	size_t n, cap;
	uint64_t order;
	uint64_t wire_segs, lost;
	/* called for each accepted connection, before its first segment */
	void (*on_accept)(struct link *l, void *arg);
	void *arg;
	bool lax; /* no check of sizes and edges */
	/* tcp_conn_check() after every so many steps only; 0: after each.
	 * For long runs with large windows. */
	uint32_t check_every, steps;
	/* if set: the network between the hosts in the place of cfg's. Says
	 * when a segment of `bytes` (headers included) arrives, MONO_NEVER
	 * when it does not; may set *ce. */
	mono_t (*carry)(struct link *l, int to, uint32_t bytes, bool *ce,
			void *arg);
	/* if set: true drops this segment (deterministic loss) */
	bool (*drop)(struct link *l, const struct tcp_header *h, uint32_t len,
		     int to, void *arg);
};

/* Tunes may be changed between init and open. */
void link_init(struct link *l, const struct link_cfg *cfg);
/* Frees all; asserts that no pool has a byte in use. */
void link_fini(struct link *l);
uint64_t link_rand(struct link *l);
uint32_t link_below(struct link *l, uint32_t n); /* 0..n-1, n > 0 */
bool link_chance(struct link *l, uint32_t per_mille);

void link_listen(struct link *l); /* host 1 */
void link_open(struct link *l);   /* host 0 */
/* Lets both engines send what they have; checks the laws. */
void link_flush(struct link *l);
/* Earliest of deliveries and deadlines. */
mono_t link_next(const struct link *l);
/* Time moves to `to` (not beyond link_next()): deliveries and expiries due
 * then, and what follows from them. */
void link_step(struct link *l, mono_t to);
/* Runs until nothing is due before `end`; now = end. */
void link_run_until(struct link *l, mono_t end);
/* A segment made by hand, to host `to`, now. */
void link_inject(struct link *l, int to, const struct tcp_header *h,
		 const void *payload, uint32_t len);

#define LINK_ASSERT(l, x) \
	((x) ? (void)0 : link_failed((l), #x, __FILE__, __LINE__))
_Noreturn void link_failed(const struct link *l, const char *expr,
			   const char *file, int line);

#endif
