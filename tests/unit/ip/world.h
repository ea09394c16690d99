/*
 * world.h: one layer-3 stack under test in virtual time, with helpers that
 * build packets for it and take apart what it sends. Every step checks the
 * law of the four doors: once output is dry, the deadline lies in the
 * future.
 */
#ifndef COUPLET_TEST_IP_WORLD_H
#define COUPLET_TEST_IP_WORLD_H

#include "ip/ip.h"
#include "unit.h"

#include <string.h>

#define WORLD_OUT_MAX 4096

struct out { /* one frame that came out */
	uint32_t ifindex;
	uint32_t len;
	uint16_t l2_len;
	uint8_t gso;
	bool needs_csum;
	uint16_t csum_start, csum_offset, gso_size;
	uint8_t *bytes; /* whole frame */
};

struct world {
	struct pkt_pool pool;
	struct ip_stack *ips;
	struct ip_tune tune;
	mono_t now;
	uint64_t seed;
	uint64_t gen;
	struct out out[WORLD_OUT_MAX];
	int n_out;
};

/* Our MAC and a neighbour's. */
extern const uint8_t world_mac[6], world_peer[6], world_other[6];

/* A stack with only its loopback; `tune` NULL = defaults. */
void world_init(struct world *w, const struct ip_tune *tune);
void world_init_pool(struct world *w, const struct ip_tune *tune,
		     size_t pool_limit);
/* Frees all and checks that every buffer came back. */
void world_fini(struct world *w);
/* Adds an interface that is up; its index. */
uint32_t world_l3(struct world *w, uint32_t mtu);
uint32_t world_l2(struct world *w, uint32_t mtu);
void world_addr(struct world *w, uint32_t ifindex, const char *addr,
		unsigned plen);
/* Virtual time to now + ms, running every deadline on the way and collecting
 * what is sent. */
void world_run(struct world *w, uint32_t ms);
/* Takes what waits in ip_output() into w->out. */
void world_drain(struct world *w);
void world_clear(struct world *w); /* forgets w->out */
/* Gives bytes to ip_input(); true = delivered (rx->pkt is the caller's). */
bool world_in(struct world *w, uint32_t ifindex, const void *bytes, size_t len,
	      struct ip_rx *rx);
/* The same, expecting no delivery; then drains. */
void world_eat(struct world *w, uint32_t ifindex, const void *bytes,
	       size_t len);
void world_free(struct world *w, struct ip_rx *rx);
/* Next event of a kind; others on the way are dropped. */
bool world_event(struct world *w, enum ip_event_kind kind,
		 struct ip_event *ret);
/* What ip_tx makes of payload over a path; frames go to w->out. Returns the
 * result of the last ip_tx_next(). */
int world_tx(struct world *w, struct ip_tx *tx);
struct ip_tx world_udp(const struct ip_path *path, uint16_t sport,
		       uint16_t dport, const void *data, uint32_t len);

struct ip_addr addr(const char *text);
struct ip_prefix prefix(const char *text, unsigned len);

/* Builders: all return the length written to `buf`. */
struct hdr {
	const char *src, *dst;
	uint8_t proto, ttl; /* ttl 0 = 64 */
	uint8_t tos;
	uint16_t id;
	bool df, mf;
	uint16_t frag_off;
};
size_t build_ip4(uint8_t *buf, const struct hdr *h, const void *payload,
		 size_t len);
size_t build_ip6(uint8_t *buf, const struct hdr *h, const void *payload,
		 size_t len);
size_t build_udp(uint8_t *buf, const char *src, const char *dst, uint16_t sport,
		 uint16_t dport, const void *data, size_t len);
size_t build_tcp(uint8_t *buf, const char *src, const char *dst, uint16_t sport,
		 uint16_t dport, const void *data, size_t len);
/* ICMP or ICMPv6 (by the family of src) with a right checksum. */
size_t build_icmp(uint8_t *buf, const char *src, const char *dst, uint8_t type,
		  uint8_t code, uint32_t arg, const void *data, size_t len);
/* UDP datagram in a whole IP packet of either family. */
size_t build_udp_packet(uint8_t *buf, const char *src, const char *dst,
			uint16_t sport, uint16_t dport, const void *data,
			size_t len);
/* ICMP message in a whole IP packet, hop limit `ttl` (0 = 64). */
size_t build_icmp_packet(uint8_t *buf, const char *src, const char *dst,
			 uint8_t type, uint8_t code, uint32_t arg,
			 const void *data, size_t len, uint8_t ttl);
/* Ethernet in front of `len` bytes at `buf` (which must have room). */
size_t build_ether(uint8_t *buf, const uint8_t *dst, const uint8_t *src,
		   uint16_t type, size_t len);
size_t build_arp(uint8_t *buf, uint16_t op, const uint8_t *sha, const char *spa,
		 const uint8_t *tha, const char *tpa, const uint8_t *eth_dst);

/* The IP checksums of frame `o` are right. */
void check_sums(const struct out *o);

#endif
