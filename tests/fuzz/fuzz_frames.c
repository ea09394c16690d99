/*
 * fuzz_frames: frames from a wire, with the checksums they should have, at a
 * stack with a layer 3 and a layer 2 interface and some programs: records of
 * one byte of kind, two of length, and that many bytes. The seeds are what
 * the packet scripts inject (script_engine -c).
 *
 * Links: stackd_core.
 */
#include "base/cursor.h"
#include "virtual.h"
#include "wire/checksum.h"

#include <stdlib.h>
#include <string.h>

#define RECORDS_MAX 200
#define FRAME_MAX 9000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct fuzz_virtual v;
	struct sock *tcp, *udp;
};

static void add_iface(struct world *w, enum ip_link_kind kind, uint8_t last4,
		      uint8_t last6)
{
	struct ip_iface_config c = {
		.name = "F",
		.kind = kind,
		.mac = {2, 0, 0, 0, 0, 1},
		.mtu = 1500,
		.v4 = true,
		.v6 = true,
	};
	struct ip_stack *ips = stack_ip(w->v.s);
	struct ip_addr a4 = ip_v4(192, 0, 2, last4);
	struct ip_addr a6 = {IP_V6, {0x20, 0x01, 0x0d, 0xb8, [15] = last6}};
	int ifi = ip_iface_add(ips, &c, w->v.now);

	INVARIANT(ifi > 0);
	INVARIANT(ip_addr_add(ips, (uint32_t)ifi, &a4, 16, w->v.now) == 0);
	INVARIANT(ip_addr_add(ips, (uint32_t)ifi, &a6, 64, w->v.now) == 0);
}

static struct sock *program(struct world *w, enum sock_type t, uint16_t port)
{
	static const struct sock_owner me = {1, 1, 1};
	struct ip_port at = {.addr = ip_any(IP_V6), .port = port};
	struct sock *sk;

	INVARIANT(stack_sock_new(w->v.s, t, IP_V6, &me, NULL, &sk) == 0);
	INVARIANT(stack_sock_bind(w->v.s, sk, &at) == 0);
	if (t == SOCK_TCP)
		INVARIANT(stack_sock_listen(w->v.s, sk, 8, w->v.now) == 0);
	return sk;
}

/* Programs that accept and hang up, or read whatever comes. */
static void on_ready(void *arg, struct sock *sk, unsigned events)
{
	struct world *w = arg;

	if (sk == w->tcp && events & SOCK_EV_ACCEPT)
		while ((sk = stack_sock_accept(w->v.s, w->tcp)))
			stack_sock_close(w->v.s, sk, w->v.now);
	while (sk && sk == w->udp &&
	       stack_udp_peek(w->v.s, sk, &(struct udp_meta){0},
			      &(struct iovec){0}))
		stack_udp_pop(w->v.s, sk);
}

/* The checksum of an IPv4 header, which the pool of mutations would spoil
 * most of the time. */
static void mend(uint8_t *ip, size_t len)
{
	size_t hl;
	uint16_t sum;

	if (len < 20 || ip[0] >> 4 != 4)
		return;
	hl = (size_t)(ip[0] & 15) * 4;
	if (hl < 20 || hl > len)
		return;
	ip[10] = ip[11] = 0;
	sum = csum_finish(csum_add(0, ip, hl));
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

static void frame(struct world *w, bool l2, const uint8_t *b, size_t len)
{
	struct pkt *p =
		pkt_new(stack_pool(w->v.s), len > 1900 ? PKT_LARGE : PKT_SMALL);
	size_t at = l2 ? 14 : 0;

	if (!p)
		return;
	if (len)
		memcpy(pkt_data(p), b, len);
	if (len > at)
		mend(pkt_data(p) + at, len - at);
	p->len = (uint32_t)len;
	p->ifindex = l2 ? 3 : 2;
	p->gso_segs = 1;
	p->csum = PKT_CSUM_OK;
	stack_input(w->v.s, p, w->v.now);
}

static void records(struct world *w, struct rcur *in)
{
	for (unsigned i = 0; i < RECORDS_MAX && rcur_left(in) >= 3; i++) {
		uint8_t kind = rcur_8(in);
		size_t len = rcur_16(in) % FRAME_MAX;

		len = MIN(len, rcur_left(in));
		if (kind & 2)
			fuzz_pass(&w->v, DUR_MS(len * 10));
		else
			frame(w, kind & 1, rcur_bytes(in, len), len);
		fuzz_settle(&w->v);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rcur in = rcur_of(data, size);
	struct stack_config c;
	struct world w = {.udp = NULL};

	w.v = (struct fuzz_virtual){
		.now = {1000000000}, .on_ready = on_ready, .arg = &w};
	fuzz_config(&w.v, &c);
	c.ip.dad_transmits = c.ip.arp_probes = 0;
	w.v.s = stack_new(&c);
	INVARIANT(w.v.s != NULL);
	add_iface(&w, IP_LINK_L3, 1, 1);
	add_iface(&w, IP_LINK_L2, 3, 3);
	w.tcp = program(&w, SOCK_TCP, 8001);
	w.udp = program(&w, SOCK_UDP, 53);
	fuzz_settle(&w.v);
	records(&w, &in);
	stack_sock_close(w.v.s, w.tcp, w.v.now);
	stack_sock_close(w.v.s, w.udp, w.v.now);
	w.udp = NULL;
	fuzz_end(&w.v);
	return 0;
}
