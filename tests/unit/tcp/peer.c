#include "peer.h"

#include <stdlib.h>
#include <string.h>

#define POOL_LIMIT (64u << 20)

static uint64_t fixed_random(void *arg)
{
	uint64_t *x = arg;

	*x = *x * 6364136223846793005u + 1442695040888963407u;
	return *x >> 16;
}

static uint64_t random_state;

void peer_init(struct peer *p)
{
	memset(p, 0, sizeof(*p));
	random_state = 42;
	pkt_pool_init(&p->pool, POOL_LIMIT);
	p->env = (struct tcp_env){.rand64 = fixed_random,
				  .rand_arg = &random_state,
				  .pool = &p->pool,
				  .key = {1, 2}};
	tcp_tune_default(&p->env.tune);
	p->now = (mono_t){DUR_S(5000).ns};
	p->path = (struct tcp_path){.mss = 1460, .mss_advertise = 1460};
	p->mss = 1460;
	p->wnd = PEER_WND;
	p->wscale = -1;
	p->ts_val = 1000;
	p->segs = 1;
	p->c = tcp_conn_init(calloc(1, tcp_conn_size()), &p->env);
}

void peer_fini(struct peer *p)
{
	tcp_conn_fini(p->c);
	free(p->c);
	assert_int_equal(p->pool.used_bytes, 0);
	pkt_pool_fini(&p->pool);
}

uint8_t peer_byte(uint32_t at)
{
	return (uint8_t)(at * 7 + at / 256);
}

static void options(const struct peer *p, struct tcp_header *h)
{
	if (h->flags & TCP_SYN) {
		h->opt.has_mss = p->mss;
		h->opt.mss = p->mss;
		h->opt.sack_permitted = p->sack;
		h->opt.has_wscale = p->wscale >= 0;
		h->opt.wscale = (uint8_t)p->wscale;
	}
	if (p->ts) {
		h->opt.has_ts = true;
		h->opt.ts_val = p->ts_val;
		h->opt.ts_ecr = p->o.h.opt.ts_val;
	}
	h->opt.n_sack = p->n_sack;
	memcpy(h->opt.sack, p->sacks, sizeof(p->sacks));
}

void peer_sack(struct peer *p, uint32_t left, uint32_t right)
{
	p->sacks[p->n_sack++] = (struct tcp_sack_block){
		seq_add(p->c->iss, left), seq_add(p->c->iss, right)};
}

void peer_send(struct peer *p, uint8_t flags, uint32_t seq, uint32_t ack,
	       uint32_t len)
{
	struct tcp_seg in = {
		.h = {.src_port = 80,
		      .dst_port = 4000,
		      .seq = TCP_SEQ(PEER_ISS + seq),
		      .ack = seq_add(p->c->iss, ack),
		      .flags = flags,
		      .wnd = p->wnd},
		.len = len,
		.segs = p->segs,
		.ecn = p->ecn,
	};

	options(p, &in.h);
	if (len) {
		in.pkt = pkt_new(&p->pool, PKT_LARGE);
		in.pkt->len = len;
		for (uint32_t i = 0; i < len; i++)
			pkt_data(in.pkt)[i] = peer_byte(seq + i);
	}
	tcp_conn_input(p->c, &in, p->now);
	assert_null(in.pkt);
	tcp_conn_check(p->c);
	p->n_sack = p->ecn = 0;
	p->segs = 1;
}

size_t peer_write(struct peer *p, size_t n)
{
	struct iovec iov[4];
	int k = 4;
	size_t room = tcp_conn_write_reserve(p->c, n, iov, &k);
	size_t done = 0;

	for (int i = 0; i < k; i++) {
		memset(iov[i].iov_base, 'w', iov[i].iov_len);
		done += iov[i].iov_len;
	}
	assert_int_equal(done, room);
	tcp_conn_write_commit(p->c, room, false, p->now);
	tcp_conn_check(p->c);
	return room;
}

size_t peer_read(struct peer *p, uint32_t at, size_t n)
{
	struct iovec iov[8];
	int k = 8;
	size_t have = tcp_conn_read_peek(p->c, iov, &k), done = 0;

	have = MIN(have, n);
	for (int i = 0; i < k; i++)
		for (size_t b = 0; b < iov[i].iov_len && done < have; b++)
			assert_int_equal(((uint8_t *)iov[i].iov_base)[b],
					 peer_byte(at + (uint32_t)done++));
	tcp_conn_read_consume(p->c, have, p->now);
	tcp_conn_check(p->c);
	return have;
}

static bool take(struct peer *p)
{
	struct tcp_out o;
	bool due = mono_leq(tcp_conn_deadline(p->c), p->now);
	bool any = tcp_conn_output(p->c, &o, p->now);

	tcp_conn_check(p->c);
	/* the deadline had announced it */
	assert_true(!any || due);
	if (any)
		p->o = o;
	else
		assert_true(mono_lt(p->now, tcp_conn_deadline(p->c)));
	return any;
}

void peer_take(struct peer *p)
{
	assert_true(take(p));
}

void peer_dry(struct peer *p)
{
	assert_false(take(p));
}

int peer_drain(struct peer *p)
{
	int n = 0;

	while (take(p))
		assert_true(++n < 1000);
	return n;
}

void peer_expect(struct peer *p, uint8_t flags, uint32_t seq, uint32_t ack,
		 uint32_t len)
{
	peer_take(p);
	assert_int_equal(p->o.h.flags, flags);
	assert_int_equal(p->o.h.seq.v - p->c->iss.v, seq);
	if (flags & TCP_ACK)
		assert_int_equal(p->o.h.ack.v - PEER_ISS, ack);
	assert_int_equal(p->o.len, len);
}

void peer_wait(struct peer *p, dur_t d)
{
	p->now = mono_add(p->now, d);
	tcp_conn_expire(p->c, p->now);
	tcp_conn_check(p->c);
}

int64_t peer_wait_deadline(struct peer *p)
{
	mono_t due = tcp_conn_deadline(p->c);
	dur_t d;

	assert_false(mono_is_never(due));
	d = mono_sub(due, p->now);
	peer_wait(p, d);
	return (d.ns + 999999) / 1000000;
}

uint32_t peer_una(const struct peer *p)
{
	return p->c->snd_una.v - p->c->iss.v;
}

uint32_t peer_nxt(const struct peer *p)
{
	return p->c->snd_nxt.v - p->c->iss.v;
}

void peer_connect(struct peer *p)
{
	struct tcp_tuple t = {.local = ip_v4(10, 0, 0, 1),
			      .remote = ip_v4(10, 0, 0, 2),
			      .local_port = 4000,
			      .remote_port = 80};

	assert_int_equal(tcp_conn_open(p->c, &t, &p->path, p->now), 0);
	peer_take(p);
	assert_int_equal(p->o.h.flags & ~(TCP_ECE | TCP_CWR), TCP_SYN);
	peer_dry(p);
	p->now = mono_add(p->now, DUR_MS(10));
	peer_send(p, TCP_SYN | TCP_ACK, 0, 1, 0);
	assert_int_equal(tcp_conn_state(p->c), TCP_S_ESTABLISHED);
	peer_expect(p, TCP_ACK, 1, 1, 0);
	peer_dry(p);
}

void peer_in_state(struct peer *p, enum tcp_state s)
{
	struct tcp_tuple t = {.local = ip_v4(10, 0, 0, 1),
			      .remote = ip_v4(10, 0, 0, 2),
			      .local_port = 4000,
			      .remote_port = 80};
	bool peer_ends_first = s == TCP_S_CLOSE_WAIT || s == TCP_S_LAST_ACK;

	if (s == TCP_S_SYN_SENT || s == TCP_S_SYN_RECEIVED) {
		assert_int_equal(tcp_conn_open(p->c, &t, &p->path, p->now), 0);
		peer_drain(p);
		if (s == TCP_S_SYN_RECEIVED)
			peer_send(p, TCP_SYN, 0, 0, 0);
		peer_drain(p);
	} else {
		peer_connect(p);
		if (peer_ends_first)
			peer_send(p, TCP_FIN | TCP_ACK, 1, 1, 0);
		if (s != TCP_S_ESTABLISHED && s != TCP_S_CLOSE_WAIT)
			tcp_conn_shutdown(p->c, p->now);
		peer_drain(p);
		if (s == TCP_S_FIN_WAIT_2 || s == TCP_S_TIME_WAIT)
			peer_send(p, TCP_ACK, 1, 2, 0);
		if (s == TCP_S_CLOSING)
			peer_send(p, TCP_FIN | TCP_ACK, 1, 1, 0);
		if (s == TCP_S_TIME_WAIT)
			peer_send(p, TCP_FIN | TCP_ACK, 1, 2, 0);
		if (s == TCP_S_CLOSED)
			tcp_conn_abort(p->c, p->now);
		peer_drain(p);
	}
	assert_int_equal(tcp_conn_state(p->c), s);
}
