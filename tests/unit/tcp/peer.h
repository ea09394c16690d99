/*
 * peer.h: one connection under test and a peer played by hand, segment by
 * segment, in virtual time. Sequence numbers of the peer count from PEER_ISS,
 * ours from our own ISS: the helpers take offsets, 1 being the first byte.
 */
#ifndef COUPLET_TEST_TCP_PEER_H
#define COUPLET_TEST_TCP_PEER_H

#include "unit.h"

#include "tcp/conn.h"

#define PEER_ISS 0xfffffff0u /* wraps soon */
#define PEER_WND 60000

struct peer {
	struct tcp_env env;
	struct pkt_pool pool;
	struct tcp_conn *c;
	mono_t now;
	struct tcp_path path;
	/* what the peer's SYN offers */
	bool ts, sack;
	int wscale; /* -1: none */
	uint16_t mss, wnd;
	uint32_t ts_val; /* of the next segment */
	/* of the next segment only */
	struct tcp_sack_block sacks[TCP_SACK_MAX];
	uint8_t n_sack, ecn;
	uint16_t segs;
	/* what came out last */
	struct tcp_out o;
};

/* Fresh connection, CLOSED; tune and path may still be changed. */
void peer_init(struct peer *p);
/* Frees all and asserts that no buffer is left. */
void peer_fini(struct peer *p);
/* Active open up to ESTABLISHED, final ACK taken. */
void peer_connect(struct peer *p);
/* init, connect and drive to `s` by real segments. */
void peer_in_state(struct peer *p, enum tcp_state s);

/* A segment from the peer: offsets of seq and ack, `len` bytes whose values
 * are those of peer_byte(seq offset ...). */
void peer_send(struct peer *p, uint8_t flags, uint32_t seq, uint32_t ack,
	       uint32_t len);
uint8_t peer_byte(uint32_t at);
void peer_sack(struct peer *p, uint32_t left, uint32_t right);

/* Our program writes `n` bytes; returns what fitted. */
size_t peer_write(struct peer *p, size_t n);
/* Our program reads up to `n` bytes from offset `at` on and checks them. */
size_t peer_read(struct peer *p, uint32_t at, size_t n);

/* Next segment from us into p->o; asserts there is one. */
void peer_take(struct peer *p);
/* Asserts that nothing more comes and the deadline lies ahead. */
void peer_dry(struct peer *p);
/* Takes all segments; returns how many. The last stays in p->o. */
int peer_drain(struct peer *p);
/* Takes one and asserts flags, offsets, length. */
void peer_expect(struct peer *p, uint8_t flags, uint32_t seq, uint32_t ack,
		 uint32_t len);
/* Time passes; timers expire. */
void peer_wait(struct peer *p, dur_t d);
/* Time until the next deadline, ms rounded up; passes it. */
int64_t peer_wait_deadline(struct peer *p);
/* Offsets of our numbers. */
uint32_t peer_una(const struct peer *p);
uint32_t peer_nxt(const struct peer *p);

#endif
