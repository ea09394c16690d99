/*
 * fuzz_conn: one connection after its handshake, with a peer that knows all
 * numbers: segments around the window with every option, acknowledgements
 * and SACK blocks around what is outstanding, ICMP errors that quote it, the
 * program writing, reading, closing, time passing. First bytes: options of
 * the SYN.
 *
 * Held against it after each step: the law of the deadline, the invariants
 * of the connection, every byte the program reads is the byte the peer's
 * stream has there, every byte sent is the byte the program wrote there,
 * nothing acknowledged that was not sent, nothing sent beyond the window,
 * the promised edge never to the left.
 *
 * Links: stackd_core.
 */
#include "base/cursor.h"
#include "virtual.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 600
#define ISN 0xfffff800u /* wraps soon */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct fuzz_virtual v;
	struct sock *listener, *sk;
	struct rcur in;
	uint32_t iss;
	uint32_t peer_end; /* of what the peer may have sent, from ISN */
	int64_t edge;      /* right edge promised to us, from the ISS */
	int64_t promised;  /* right edge promised by it, from ISN */
	uint64_t written, read;
	uint8_t wscale;    /* of the peer */
	uint8_t our_scale; /* of the stack */
	bool ts, iss_known;
	uint32_t ts_val, ts_ecr, last_ack, last_end;
};

static uint8_t peer_byte(uint32_t i)
{
	return (uint8_t)(i * 151 + (i >> 7));
}

static uint8_t our_byte(uint64_t i)
{
	return (uint8_t)(i * 173 + (i >> 9) + 5);
}

/* ---- the peer's segments ---------------------------------------------------
 */

static void put_options(struct world *w, struct wcur *c, bool syn,
			uint8_t n_sack)
{
	if (w->ts) {
		wcur_32(c, 0x0101080a);
		wcur_32(c, w->ts_val);
		wcur_32(c, w->ts_ecr);
	}
	if (syn) {
		wcur_32(c, 0x020405b4);
		wcur_32(c, 0x01010402);
		wcur_32(c, 0x01030300u | w->wscale);
	}
	if (!n_sack)
		return;
	wcur_16(c, 0x0101);
	wcur_8(c, 5);
	wcur_8(c, (uint8_t)(2 + 8 * n_sack));
	for (uint8_t i = 0; i < n_sack; i++) {
		uint32_t left = w->iss + w->last_ack + rcur_16(&w->in) % 8000;

		wcur_32(c, left);
		wcur_32(c, left + rcur_16(&w->in) % 4000);
	}
}

static void segment(struct world *w, uint8_t flags, uint32_t seq, uint32_t ack,
		    uint16_t win, uint16_t len, uint8_t n_sack)
{
	struct pkt *p = pkt_new(stack_pool(w->v.s), PKT_SMALL);
	struct wcur c;
	size_t tcp;

	if (!p)
		return;
	c = wcur_of(pkt_data(p), 1600);
	wcur_32(&c, 0x60000000);
	wcur_16(&c, 0);
	wcur_16(&c, 0x0640);
	wcur_32(&c, 0xfd000000);
	wcur_32(&c, 0);
	wcur_32(&c, 0);
	wcur_32(&c, 2);
	wcur_32(&c, 0xfd000000);
	wcur_32(&c, 0);
	wcur_32(&c, 0);
	wcur_32(&c, 1);
	tcp = c.len;
	wcur_32(&c, 4000u << 16 | 80);
	wcur_32(&c, ISN + seq);
	wcur_32(&c, w->iss + ack);
	wcur_8(&c, 0);
	wcur_8(&c, flags);
	wcur_16(&c, win);
	wcur_32(&c, 0);
	put_options(w, &c, flags & 2, n_sack);
	c.base[tcp + 12] = (uint8_t)((c.len - tcp) << 2);
	for (uint32_t i = 0; i < len; i++)
		wcur_8(&c, peer_byte(seq - 1 + i));
	c.base[4] = (uint8_t)((c.len - 40) >> 8);
	c.base[5] = (uint8_t)(c.len - 40);
	p->len = (uint32_t)c.len;
	p->ifindex = 2;
	p->gso_segs = 1;
	p->csum = PKT_CSUM_OK;
	w->peer_end = MAX(w->peer_end, seq + len + (flags & 1));
	if (flags & 0x10)
		w->edge =
			MAX(w->edge, (int64_t)(int32_t)ack +
					     ((int64_t)win
					      << (flags & 2 ? 0 : w->wscale)));
	else if (flags & 2)
		w->edge = MAX(w->edge, (int64_t)1 + win);
	stack_input(w->v.s, p, w->v.now);
}

/* ---- what it sends ----------------------------------------------------------
 */

static void check_text(struct world *w, const uint8_t *p, uint32_t seq,
		       size_t len)
{
	for (size_t i = 0; i < len; i++)
		INVARIANT(p[i] == our_byte((uint64_t)(seq - 1) + i));
	INVARIANT(seq - 1 + len <= w->written);
	/* one byte more may probe a closed window */
	INVARIANT((int64_t)(seq + len) <= w->edge + 1 || len <= 1);
	w->last_end = MAX(w->last_end, (uint32_t)(seq + len));
}

static void check_ack(struct world *w, const uint8_t *t, bool syn)
{
	uint32_t ack = ((uint32_t)t[8] << 24 | (uint32_t)t[9] << 16 |
			(uint32_t)t[10] << 8 | t[11]) -
		       ISN;
	int64_t edge = ack + ((int64_t)(t[14] << 8 | t[15])
			      << (syn ? 0 : w->our_scale));

	INVARIANT(ack <= w->peer_end + 1);
	/* [RFC7323 2.4] rounding may take back less than one unit */
	INVARIANT(edge + (1 << w->our_scale) > w->promised);
	w->promised = MAX(w->promised, edge);
}

static void read_syn_options(struct world *w, const uint8_t *t, size_t hdr)
{
	for (size_t i = 20; i < hdr && t[i];) {
		if (t[i] == 3)
			w->our_scale = t[i + 2];
		i += t[i] == 1 ? 1 : t[i + 1];
	}
}

static void read_timestamp(struct world *w, const uint8_t *t, size_t hdr)
{
	for (size_t i = 20; i + 10 <= hdr; i++)
		if (t[i] == 8 && t[i + 1] == 10) {
			w->ts_ecr = (uint32_t)t[i + 2] << 24 |
				    (uint32_t)t[i + 3] << 16 |
				    (uint32_t)t[i + 4] << 8 | t[i + 5];
			return;
		}
}

static void overhear(struct world *w, const uint8_t *p, size_t len)
{
	const uint8_t *t = p + 40;
	size_t hdr;
	uint32_t seq;

	INVARIANT(len >= 60 || (len >= 48 && p[6] != 6));
	if (p[6] != 6 || t[2] != 4000 >> 8)
		return;
	hdr = (size_t)(t[12] >> 4) * 4;
	INVARIANT(hdr >= 20 && 40 + hdr <= len);
	seq = (uint32_t)t[4] << 24 | (uint32_t)t[5] << 16 |
	      (uint32_t)t[6] << 8 | t[7];
	if (t[13] & 2 && !w->iss_known) {
		w->iss = seq;
		w->iss_known = true;
		read_syn_options(w, t, hdr);
	}
	if (t[13] & 4 || !w->iss_known)
		return;
	if (w->ts)
		read_timestamp(w, t, hdr);
	if (t[13] & 0x10)
		check_ack(w, t, t[13] & 2);
	if (len > 40 + hdr)
		check_text(w, t + hdr, seq - w->iss, len - 40 - hdr);
}

static void on_frame(void *arg, const struct frame *f)
{
	static uint8_t buf[70000];
	int n = frame_copy(f, buf, sizeof(buf));

	INVARIANT(n > 0);
	overhear(arg, buf, (size_t)n);
}

static void check(void *arg)
{
	struct world *w = arg;

	if (w->sk)
		tcp_conn_check(sock_tcp(w->sk));
}

/* ---- steps
 * ---------------------------------------------------------------------- */

static void peer_sends(struct world *w)
{
	static const uint8_t flags[] = {0x10, 0x10, 0x18, 0x10, 0x11, 0x30,
					0x50, 0x90, 0x14, 0x12, 0x00, 0x10};
	uint8_t what = rcur_8(&w->in);
	int8_t dseq = (int8_t)rcur_8(&w->in), dack = (int8_t)rcur_8(&w->in);
	uint32_t edge = w->promised > 0 ? (uint32_t)w->promised : 1;
	uint32_t base = what & 0x80 ? edge : (uint32_t)w->read + 1;
	uint32_t seq = base + (uint32_t)(dseq * (what & 0x40 ? 100 : 1));
	uint32_t ack = (what & 0x20 ? w->last_end : w->last_ack) +
		       (uint32_t)(dack * (what & 0x10 ? 100 : 1));
	uint16_t len = rcur_16(&w->in) % 1400;
	uint16_t win = rcur_16(&w->in);

	if ((int32_t)seq < 1)
		seq = 1;
	if ((int32_t)ack < 0)
		ack = 0;
	w->ts_val += rcur_8(&w->in) & 7;
	if (seq_leq(TCP_SEQ(ack), TCP_SEQ(w->last_end + 1)))
		w->last_ack = MAX(w->last_ack, ack);
	segment(w, flags[what % ARRAY_SIZE(flags)], seq, ack, win,
		what % 3 ? len : 0, what % 5 == 0 ? 1 + len % 3 : 0);
}

static void program_writes(struct world *w)
{
	struct iovec iov[4];
	size_t want = rcur_16(&w->in), got, done = 0;
	int n = 4;

	if (!w->sk)
		return;
	got = stack_sock_write_reserve(w->v.s, w->sk, want, iov, &n);
	got = MIN(got, want);
	for (int i = 0; i < n && done < got; i++)
		for (size_t k = 0; k < iov[i].iov_len && done < got; k++)
			((uint8_t *)iov[i].iov_base)[k] =
				our_byte(w->written + done++);
	stack_sock_write_commit(w->v.s, w->sk, done, false, w->v.now);
	w->written += done;
}

static void program_reads(struct world *w)
{
	struct iovec iov[4];
	size_t max = rcur_16(&w->in), got, done = 0;
	int n = 4;

	if (!w->sk)
		return;
	got = MIN(stack_sock_read_peek(w->v.s, w->sk, iov, &n), max);
	for (int i = 0; i < n && done < got; i++)
		for (size_t k = 0; k < iov[i].iov_len && done < got; k++)
			INVARIANT(((uint8_t *)iov[i].iov_base)[k] ==
				  peer_byte((uint32_t)(w->read + done++)));
	stack_sock_read_consume(w->v.s, w->sk, done, w->v.now);
	w->read += done;
}

static void program_ends(struct world *w)
{
	uint8_t how = rcur_8(&w->in) % 8;

	if (!w->sk)
		return;
	if (how < 6) {
		stack_sock_shutdown(w->v.s, w->sk, w->v.now);
		return;
	}
	if (how == 6)
		stack_sock_close(w->v.s, w->sk, w->v.now);
	else
		stack_sock_abort(w->v.s, w->sk, w->v.now);
	w->sk = NULL;
}

static void path_shrinks(struct world *w)
{
	struct tcp_path path = {.mss = 1220, .mss_advertise = 1440};

	/* what core does for a believed "packet too big" */
	path.mss = (uint16_t)(path.mss + rcur_8(&w->in));
	if (w->sk)
		tcp_conn_set_path(sock_tcp(w->sk), &path, w->v.now);
}

static void steps(struct world *w)
{
	for (unsigned i = 0; i < STEPS_MAX && rcur_left(&w->in); i++) {
		switch (rcur_8(&w->in) % 10) {
		case 0:
		case 1:
		case 2:
		case 3:
			peer_sends(w);
			break;
		case 4:
		case 5:
			program_writes(w);
			break;
		case 6:
		case 7:
			program_reads(w);
			break;
		case 8:
			fuzz_pass(&w->v, DUR_MS(rcur_16(&w->in) % 5000));
			break;
		default:
			if (rcur_8(&w->in) & 7)
				path_shrinks(w);
			else
				program_ends(w);
			break;
		}
		fuzz_settle(&w->v);
	}
}

/* ---- the whole
 * -------------------------------------------------------------------- */

static void make_stack(struct world *w)
{
	struct ip_iface_config c = {
		.name = "F", .kind = IP_LINK_L3, .mtu = 1500, .v6 = true};
	struct ip_addr a = {.family = IP_V6, .b = {0xfd, 0, [15] = 1}};
	struct stack_config cfg;

	fuzz_config(&w->v, &cfg);
	w->v.s = stack_new(&cfg);
	INVARIANT(w->v.s != NULL);
	INVARIANT(ip_iface_add(stack_ip(w->v.s), &c, w->v.now) == 2);
	INVARIANT(ip_addr_add(stack_ip(w->v.s), 2, &a, 64, w->v.now) == 0);
	fuzz_settle(&w->v);
}

static bool handshake(struct world *w)
{
	static const struct sock_owner me = {1, 1, 1};
	struct ip_port at = {.addr = ip_any(IP_V6), .port = 80};
	uint8_t how = rcur_8(&w->in);

	INVARIANT(stack_sock_new(w->v.s, SOCK_TCP, IP_V6, &me, NULL,
				 &w->listener) == 0);
	INVARIANT(stack_sock_bind(w->v.s, w->listener, &at) == 0);
	INVARIANT(stack_sock_listen(w->v.s, w->listener, 4, w->v.now) == 0);
	w->ts = how & 1;
	w->wscale = (how >> 1) % 15;
	w->peer_end = 1;
	segment(w, 2, 0, 0, rcur_16(&w->in), 0, 0);
	fuzz_settle(&w->v);
	w->last_ack = w->last_end = 1;
	segment(w, 0x10, 1, 1, rcur_16(&w->in), 0, 0);
	fuzz_settle(&w->v);
	w->sk = stack_sock_accept(w->v.s, w->listener);
	return w->sk != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = {.in = rcur_of(data, size)};

	w.v = (struct fuzz_virtual){.now = {1000000000},
				    .on_frame = on_frame,
				    .check = check,
				    .arg = &w};
	make_stack(&w);
	if (handshake(&w))
		steps(&w);
	if (w.sk)
		stack_sock_abort(w.v.s, w.sk, w.v.now);
	w.sk = NULL;
	stack_sock_close(w.v.s, w.listener, w.v.now);
	fuzz_end(&w.v);
	return 0;
}
