/*
 * fuzz_stack: the doors of a whole stack in any order. The input is a list of
 * operations: packets as they came from a wire (raw, or a TCP or UDP segment
 * with right checksums that aims at a live socket), time passing, programs
 * opening, writing, reading, closing. After each one: frames until dry, the
 * law of the deadline, the invariants of every connection. At the end all
 * memory must come back.
 *
 * Links: stackd_core.
 */
#include "base/cursor.h"
#include "virtual.h"
#include "wire/checksum.h"

#include <stdlib.h>
#include <string.h>

#define SOCKS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct fuzz_virtual v;
	struct sock *socks[SOCKS_MAX];
	uint32_t seq, ack; /* of the last TCP segment that the stack sent */
	struct rcur in;
};

static void add_iface(struct world *w, enum ip_link_kind kind, uint8_t net)
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
	struct ip_addr a4 = ip_v4(10, net, 0, 1);
	struct ip_addr a6 = {.family = IP_V6, .b = {0xfd, net, [15] = 1}};
	struct ip_route r = {.until = MONO_NEVER};
	int ifi = ip_iface_add(ips, &c, w->v.now);

	INVARIANT(ifi > 0);
	r.ifindex = (uint32_t)ifi;
	INVARIANT(ip_addr_add(ips, r.ifindex, &a4, 24, w->v.now) == 0);
	INVARIANT(ip_addr_add(ips, r.ifindex, &a6, 64, w->v.now) == 0);
	r.dst = ip_prefix_make(&a4, 24);
	INVARIANT(ip_route_add(ips, &r) == 0);
	r.dst = ip_prefix_make(&a6, 64);
	INVARIANT(ip_route_add(ips, &r) == 0);
	ip_iface_set_up(ips, r.ifindex, true, w->v.now);
}

static struct sock **slot(struct world *w)
{
	return &w->socks[rcur_8(&w->in) % SOCKS_MAX];
}

/* ---- operations
 * ---------------------------------------------------------------- */

static void op_raw(struct world *w)
{
	uint32_t ifi = 2 + (rcur_8(&w->in) & 1);
	size_t len = MIN((size_t)rcur_16(&w->in) % 1600, rcur_left(&w->in));
	const uint8_t *b = rcur_bytes(&w->in, len);
	struct pkt *p = pkt_new(stack_pool(w->v.s), PKT_SMALL);

	if (!p || !b) {
		pkt_free(stack_pool(w->v.s), p);
		return;
	}
	memcpy(pkt_data(p), b, len);
	p->len = (uint32_t)len;
	p->ifindex = ifi;
	p->gso_segs = 1;
	p->csum = rcur_8(&w->in) & 1 ? PKT_CSUM_OK : PKT_CSUM_UNKNOWN;
	stack_input(w->v.s, p, w->v.now);
}

static size_t ip_header(uint8_t *b, const struct ip_addr *src,
			const struct ip_addr *dst, uint8_t proto, size_t len)
{
	struct wcur c = wcur_of(b, 40);
	uint16_t sum;

	if (src->family == IP_V6) {
		wcur_32(&c, 0x60000000);
		wcur_16(&c, (uint16_t)len);
		wcur_8(&c, proto);
		wcur_8(&c, 64);
		wcur_copy(&c, src->b, 16);
		wcur_copy(&c, dst->b, 16);
		return 40;
	}
	wcur_16(&c, 0x4500);
	wcur_16(&c, (uint16_t)(len + 20));
	wcur_32(&c, 0x00004000);
	wcur_8(&c, 64);
	wcur_8(&c, proto);
	wcur_16(&c, 0);
	wcur_copy(&c, src->b, 4);
	wcur_copy(&c, dst->b, 4);
	sum = csum_finish(csum_add(0, b, 20));
	b[10] = (uint8_t)(sum >> 8);
	b[11] = (uint8_t)sum;
	return 20;
}

/* A segment of a peer that knows the socket's ports and, roughly, its
 * sequence numbers: what an attacker on the path can send. */
static void op_segment(struct world *w)
{
	struct sock *sk = *slot(w);
	uint8_t flags = rcur_8(&w->in), opt_len = rcur_8(&w->in) % 41;
	int16_t dseq = (int16_t)rcur_16(&w->in),
		dack = (int16_t)rcur_16(&w->in);
	uint16_t wnd = rcur_16(&w->in), len = rcur_16(&w->in) % 1200;
	struct ip_port local, remote = {.addr = ip_v4(10, 0, 0, 2), .port = 9};
	struct pkt *p;
	struct wcur c;
	uint8_t *l4, opts[40] = {0};
	uint16_t sum;
	size_t hl, tl;

	if (!sk || sock_type(sk) != SOCK_TCP)
		return;
	sock_local(sk, &local);
	if (sock_remote(sk, &remote) < 0 && local.addr.family == IP_V6)
		remote.addr = (struct ip_addr){.family = IP_V6,
					       .b = {0xfd, 0, [15] = 2}};
	if (ip_is_any(&local.addr))
		local.addr =
			remote.addr.family == IP_V4
				? ip_v4(10, 0, 0, 1)
				: (struct ip_addr){.family = IP_V6,
						   .b = {0xfd, 0, [15] = 1}};
	if (ip_is_v4_mapped(&local.addr) || ip_is_v4_mapped(&remote.addr))
		return;
	p = pkt_new(stack_pool(w->v.s), PKT_SMALL);
	if (!p)
		return;
	rcur_copy(&w->in, opts, opt_len);
	opt_len = (uint8_t)((opt_len + 3) & ~3);
	tl = 20u + opt_len + len;
	hl = ip_header(pkt_data(p), &remote.addr, &local.addr, IP_PROTO_TCP,
		       tl);
	l4 = pkt_data(p) + hl;
	c = wcur_of(l4, 1600);
	wcur_16(&c, remote.port);
	wcur_16(&c, local.port);
	wcur_32(&c, w->ack + (uint32_t)dseq);
	wcur_32(&c, w->seq + (uint32_t)dack);
	wcur_8(&c, (uint8_t)((20 + opt_len) << 2));
	wcur_8(&c, flags);
	wcur_16(&c, wnd);
	wcur_32(&c, 0);
	wcur_copy(&c, opts, opt_len);
	memset(l4 + 20 + opt_len, 0x5a, len);
	sum = csum_finish(csum_add(csum_pseudo(&remote.addr, &local.addr,
					       IP_PROTO_TCP, (uint32_t)tl),
				   l4, tl));
	l4[16] = (uint8_t)(sum >> 8);
	l4[17] = (uint8_t)sum;
	p->len = (uint32_t)(hl + tl);
	p->ifindex = 2;
	p->gso_segs = 1;
	stack_input(w->v.s, p, w->v.now);
}

static void op_open(struct world *w)
{
	static const struct sock_owner me = {1, 1, 1};
	struct sock **at = slot(w);
	uint8_t how = rcur_8(&w->in);
	enum ip_family f = how & 1 ? IP_V6 : IP_V4;
	struct ip_port to = {.port = (uint16_t)(rcur_8(&w->in) % 4 + 1)};

	if (*at || stack_sock_new(w->v.s, how & 2 ? SOCK_UDP : SOCK_TCP, f, &me,
				  at, at) < 0)
		return;
	to.addr = f == IP_V4 ? ip_v4(10, 0, 0, how & 4 ? 1 : 2)
			     : (struct ip_addr){
				       .family = IP_V6,
				       .b = {0xfd, 0, [15] = how & 4 ? 1 : 2}};
	if (how & 8) {
		to.addr = ip_any(f);
		(void)!stack_sock_bind(w->v.s, *at, &to);
		(void)!stack_sock_listen(w->v.s, *at, how >> 5, w->v.now);
	} else {
		(void)!stack_sock_connect(w->v.s, *at, &to, w->v.now);
	}
}

static void op_write(struct world *w)
{
	struct sock *sk = *slot(w);
	uint16_t len = rcur_16(&w->in);
	struct iovec iov[3];
	uint8_t payload[600] = {1};
	size_t got;
	int n = 3;

	if (!sk || sock_is_listener(sk))
		return;
	if (sock_type(sk) == SOCK_UDP) {
		iov[0] = (struct iovec){payload, len % sizeof(payload)};
		(void)!stack_udp_send(w->v.s, sk, NULL, NULL, iov, 1, 0,
				      w->v.now);
		return;
	}
	got = stack_sock_write_reserve(w->v.s, sk, len, iov, &n);
	for (int i = 0; i < n && got; i++)
		memset(iov[i].iov_base, 7, iov[i].iov_len);
	stack_sock_write_commit(w->v.s, sk, MIN(got, len), len & 1, w->v.now);
}

static void op_read(struct world *w)
{
	struct sock *sk = *slot(w);
	struct udp_meta m;
	struct iovec iov[4];
	int n = 4;

	if (!sk || sock_is_listener(sk))
		return;
	if (sock_type(sk) == SOCK_UDP) {
		if (stack_udp_peek(w->v.s, sk, &m, iov))
			stack_udp_pop(w->v.s, sk);
		return;
	}
	stack_sock_read_consume(w->v.s, sk,
				stack_sock_read_peek(w->v.s, sk, iov, &n),
				w->v.now);
}

static void op_end(struct world *w)
{
	struct sock **at = slot(w);
	uint8_t how = rcur_8(&w->in) % 3;

	if (!*at)
		return;
	if (how == 0 && sock_tcp(*at)) {
		stack_sock_shutdown(w->v.s, *at, w->v.now);
		return;
	}
	if (how == 1)
		stack_sock_abort(w->v.s, *at, w->v.now);
	else
		stack_sock_close(w->v.s, *at, w->v.now);
	*at = NULL;
}

static void op_option(struct world *w)
{
	struct sock *sk = *slot(w);
	uint8_t which = rcur_8(&w->in);
	int32_t v = (int32_t)rcur_32(&w->in);

	if (!sk)
		return;
	if (which & 128)
		(void)!stack_sock_set(w->v.s, sk,
				      (enum sock_opt)(which % SOCK_OPT__COUNT),
				      v);
	else
		(void)!stack_sock_set_tcp(
			w->v.s, sk, (enum tcp_opt)(which % TCP_OPT__COUNT), v,
			w->v.now);
}

/* ---- the caller's side of the contract
 * -------------------------------------------- */

/* An attacker on the path reads what passes. */
static void overhear(void *arg, const struct frame *f)
{
	struct world *w = arg;
	struct rcur c =
		rcur_of(f->hdr + f->l2_len, (size_t)(f->hdr_len - f->l2_len));
	bool v4 = rcur_left(&c) && c.p[0] >> 4 == 4;
	const uint8_t *ip = rcur_bytes(&c, v4 ? 20 : 40);

	rcur_32(&c);
	if (!ip || ip[v4 ? 9 : 6] != IP_PROTO_TCP)
		return;
	w->seq = rcur_32(&c);
	w->ack = rcur_32(&c);
}

static void accept_and_close(void *arg, struct sock *sk, unsigned events)
{
	struct world *w = arg;
	struct sock *c;

	if (!(events & SOCK_EV_ACCEPT))
		return;
	c = stack_sock_accept(w->v.s, sk);
	if (c)
		stack_sock_close(w->v.s, c, w->v.now);
}

static void check(void *arg)
{
	struct world *w = arg;

	for (unsigned i = 0; i < SOCKS_MAX; i++)
		if (w->socks[i] && sock_tcp(w->socks[i]))
			tcp_conn_check(sock_tcp(w->socks[i]));
}

static void run(struct world *w)
{
	for (unsigned ops = 0; rcur_left(&w->in) && ops < 400; ops++) {
		switch (rcur_8(&w->in) % 10) {
		case 0:
		case 1:
			op_raw(w);
			break;
		case 2:
		case 3:
			op_segment(w);
			break;
		case 4:
			op_open(w);
			break;
		case 5:
			op_write(w);
			break;
		case 6:
			op_read(w);
			break;
		case 7:
			op_end(w);
			break;
		case 8:
			op_option(w);
			break;
		default:
			fuzz_pass(&w->v, DUR_MS(rcur_16(&w->in)));
			break;
		}
		fuzz_settle(&w->v);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = {.in = rcur_of(data, size)};
	struct stack_config c;

	w.v = (struct fuzz_virtual){.now = {1000000000},
				    .on_ready = accept_and_close,
				    .on_frame = overhear,
				    .check = check,
				    .arg = &w};
	fuzz_config(&w.v, &c);
	w.v.s = stack_new(&c);
	INVARIANT(w.v.s != NULL);
	add_iface(&w, IP_LINK_L3, 0);
	add_iface(&w, IP_LINK_L2, 1);
	run(&w);
	for (unsigned i = 0; i < SOCKS_MAX; i++)
		if (w.socks[i]) {
			stack_sock_abort(w.v.s, w.socks[i], w.v.now);
			w.socks[i] = NULL;
		}
	fuzz_end(&w.v);
	return 0;
}
