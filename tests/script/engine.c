/*
 * The door to the engine: one stack made from the deck, virtual time. After
 * each thing that happens the stack is settled as stackd's loop does it, the
 * law of the deadline and the invariants of every connection are checked,
 * and what it sent waits in a ring with the time it was sent at.
 */
#include "script.h"

#include "core/stack.h"
#include "deck.h"
#include "deck/deck.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define RING 4096

struct sent {
	uint8_t *bytes;
	size_t len;
};

struct engine {
	struct stack *s;
	uint64_t rng;
	struct sent ring[RING];
	unsigned head, n;
	uint32_t ifindex;
};

static uint64_t rnd(void *arg)
{
	uint64_t *x = arg;

	return *x = *x * 6364136223846793005u + 1442695040888963407u;
}

static mono_t now_of(const struct script *s)
{
	return (mono_t){(uint64_t)s->now_ns};
}

static struct sock *sock_of(const struct script *s, unsigned slot)
{
	return s->slot[slot].sock;
}

/* ---- time
 * --------------------------------------------------------------------- */

static void keep(struct script *s, const struct frame *f)
{
	struct engine *e = s->world;
	struct sent *out = &e->ring[(e->head + e->n) % RING];
	int len;

	if (e->n == RING) {
		script_fail(s, "more than %d packets wait", RING);
		return;
	}
	out->bytes = malloc(frame_len(f));
	INVARIANT(out->bytes != NULL);
	len = frame_copy(f, out->bytes, frame_len(f));
	INVARIANT(len > 0);
	out->len = (size_t)len;
	e->n++;
}

static void check_all(struct engine *e)
{
	struct sock_info i;
	uint64_t it = 0;

	while (stack_iter_sock(e->s, &it, &i))
		if (i.conn)
			tcp_conn_check(i.conn);
}

static void settle(struct script *s)
{
	struct engine *e = s->world;
	unsigned ev, rounds = 0;
	bool busy = true;
	struct frame f;

	while (busy) {
		INVARIANT(++rounds < 1000);
		busy = rounds == 1;
		while (stack_ready(e->s, &ev))
			busy = true;
		while (stack_output(e->s, &f, now_of(s)))
			keep(s, &f);
	}
	INVARIANT(mono_lt(now_of(s), stack_deadline(e->s)));
	check_all(e);
}

static size_t next(struct script *s, dur_t wait, uint8_t *buf, size_t cap)
{
	struct engine *e = s->world;
	int64_t end = s->now_ns + wait.ns;
	struct sent *p;
	size_t len;

	while (!e->n) {
		mono_t at = stack_deadline(e->s);

		if (mono_is_never(at) || (int64_t)at.ns > end) {
			s->now_ns = MAX(s->now_ns, end);
			return 0;
		}
		s->now_ns = MAX(s->now_ns, (int64_t)at.ns);
		stack_expire(e->s, now_of(s));
		settle(s);
	}
	p = &e->ring[e->head];
	len = MIN(p->len, cap);
	memcpy(buf, p->bytes, len);
	free(p->bytes);
	e->head = (e->head + 1) % RING;
	e->n--;
	return len;
}

static void inject(struct script *s, const uint8_t *bytes, size_t len)
{
	struct engine *e = s->world;
	struct pkt *p = pkt_new(stack_pool(e->s),
				len > PKT_SMALL_CAP - PKT_HEADROOM ? PKT_LARGE
								   : PKT_SMALL);

	INVARIANT(p != NULL);
	memcpy(pkt_data(p), bytes, len);
	p->len = (uint32_t)len;
	p->ifindex = e->ifindex;
	p->gso_segs = 1;
	stack_input(e->s, p, now_of(s));
	settle(s);
}

/* ---- life
 * --------------------------------------------------------------------- */

static int add_links(struct script *s, const struct stackd_deck *d)
{
	struct engine *e = s->world;
	struct ip_iface_config c = {
		.kind = d->devices[0].layer2 ? IP_LINK_L2 : IP_LINK_L3,
		.mtu = s->mtu,
		.vlan = d->devices[0].vlan,
		.v4 = true,
		.v6 = s->mtu >= 1280,
		.name = "OSA0",
	};
	int r;

	memcpy(c.mac, d->devices[0].mac, 6);
	r = ip_iface_add(stack_ip(e->s), &c, now_of(s));
	e->ifindex = (uint32_t)r;
	for (uint32_t i = 0; r >= 0 && i < d->n_links; i++)
		r = ip_addr_add(stack_ip(e->s), e->ifindex, &d->links[i].addr,
				d->links[i].plen, now_of(s));
	for (uint32_t i = 0; r >= 0 && i < d->n_routes; i++) {
		struct ip_route route = d->routes[i].route;

		route.ifindex = e->ifindex;
		route.until = MONO_NEVER;
		r = ip_route_add(stack_ip(e->s), &route);
		if (r == -EEXIST)
			r = 0;
	}
	for (uint32_t i = 0; r >= 0 && i < d->n_rules; i++)
		r = ip_rule_add(stack_ip(e->s), &d->rules[i]);
	return MIN(r, 0);
}

static void make(struct script *s, const struct stackd_deck *d)
{
	struct engine *e = s->world;
	struct stack_config c;

	stack_config_default(&c);
	c.ip = d->ip;
	c.tcp = d->tcp;
	c.pool_limit_bytes = d->pool_limit_bytes;
	c.sock_max = d->sock_max;
	c.timewait_max = d->timewait_max;
	c.port_lo = d->port_lo;
	c.port_hi = d->port_hi;
	c.key = (struct hash_key){11, 22};
	c.rand64 = rnd;
	c.rand_arg = &e->rng;
	e->s = stack_new(&c);
	INVARIANT(e->s != NULL);
	if (add_links(s, d) < 0)
		script_fail(s, "the engine refuses the deck");
}

static void start(struct script *s)
{
	struct engine *e = calloc(1, sizeof(*e));
	struct deck_report report;
	struct stackd_deck *d = calloc(1, sizeof(*d));
	char text[DECK_MAX + 512];

	INVARIANT(e && d);
	s->world = e;
	e->rng = 7;
	s->now_ns = 1000 * INT64_C(1000000000);
	script_deck(s, "MEDIUM SEQPACKET /x LISTEN", text, sizeof(text));
	deck_report_init(&report);
	if (stackd_deck_parse(s->name, text, strlen(text), d, &report) < 0) {
		deck_report_print(&report, stderr);
		script_fail(s, "the deck of this script is wrong");
	} else {
		make(s, d);
	}
	stackd_deck_free(d);
	free(d);
	deck_report_fini(&report);
	if (s->failed)
		return;
	settle(s);
	if (s->l2 && !s->chatter) { /* announcements, reports of groups */
		while (next(s, DUR_S(12), s->buf, sizeof(s->buf)))
			;
	}
}

/* Everything must come to an end by itself and give back its memory. */
static void leave_nothing(struct script *s)
{
	struct engine *e = s->world;
	struct stack_counters c;

	for (unsigned i = 0; i < SLOTS_MAX; i++)
		if (s->slot[i].used && s->slot[i].sock)
			stack_sock_abort(e->s, s->slot[i].sock, now_of(s));
	settle(s);
	for (int64_t until = s->now_ns + DUR_S(3600).ns; s->now_ns < until;)
		if (!next(s, DUR_NS(until - s->now_ns), s->buf, sizeof(s->buf)))
			break;
	stack_counters(e->s, &c);
	if (c.socks || c.timewaits)
		script_fail(s,
			    "%u sockets and %u records are left an hour "
			    "after the end",
			    c.socks, c.timewaits);
}

static void stop(struct script *s)
{
	struct engine *e = s->world;
	char text[256];
	size_t len;

	if (!e->s) {
		free(e);
		return;
	}
	while (!s->failed && e->n) {
		len = next(s, DUR_NS(0), s->buf, sizeof(s->buf));
		if (script_is_chatter(s, s->buf, len))
			continue;
		script_fail(
			s, "a packet is left over: %s",
			script_describe(s, s->buf, len, text, sizeof(text)));
	}
	if (!s->failed)
		leave_nothing(s);
	while (e->n)
		(void)next(s, DUR_NS(0), s->buf, sizeof(s->buf));
	stack_free(e->s);
	free(e);
}

/* ---- calls
 * ----------------------------------------------------------------------- */

static int open_sock(struct script *s, unsigned slot, bool tcp, bool v6)
{
	static const struct sock_owner me = {1, 1000, 1000};
	struct engine *e = s->world;

	return stack_sock_new(e->s, tcp ? SOCK_TCP : SOCK_UDP,
			      v6 ? IP_V6 : IP_V4, &me, NULL,
			      (struct sock **)&s->slot[slot].sock);
}

static int bind_sock(struct script *s, unsigned slot, const struct ip_port *at)
{
	struct engine *e = s->world;

	return stack_sock_bind(e->s, sock_of(s, slot), at);
}

static int listen_sock(struct script *s, unsigned slot, int backlog)
{
	struct engine *e = s->world;
	int r = stack_sock_listen(e->s, sock_of(s, slot), (uint32_t)backlog,
				  now_of(s));

	settle(s);
	return r;
}

static int accept_sock(struct script *s, unsigned from, unsigned slot)
{
	struct engine *e = s->world;
	struct sock *c = stack_sock_accept(e->s, sock_of(s, from));

	s->slot[slot].sock = c;
	return c ? 0 : -EAGAIN;
}

static int connect_sock(struct script *s, unsigned slot,
			const struct ip_port *to)
{
	struct engine *e = s->world;
	int r = stack_sock_connect(e->s, sock_of(s, slot), to, now_of(s));

	settle(s);
	return r;
}

static int write_udp(struct script *s, unsigned slot, const uint8_t *p,
		     size_t len, const struct ip_port *to, unsigned gso)
{
	struct iovec iov = {(void *)(uintptr_t)p, len};
	struct engine *e = s->world;
	int r = stack_udp_send(e->s, sock_of(s, slot), to, NULL, &iov, 1,
			       (uint16_t)gso, now_of(s));

	settle(s);
	return r < 0 ? r : (int)len;
}

/* What a write to a connection that takes no more says. */
static int write_refused(struct sock *sk)
{
	int err = sock_error(sk, true);

	if (err)
		return -err;
	return tcp_conn_state(sock_tcp(sk)) == TCP_S_ESTABLISHED ||
			       tcp_conn_state(sock_tcp(sk)) ==
				       TCP_S_CLOSE_WAIT ||
			       tcp_conn_state(sock_tcp(sk)) == TCP_S_SYN_SENT
		       ? -EAGAIN
		       : -EPIPE;
}

static int write_sock(struct script *s, unsigned slot, const uint8_t *p,
		      size_t len, bool more)
{
	struct sock *sk = sock_of(s, slot);
	struct engine *e = s->world;
	size_t done = 0, before;

	if (sock_type(sk) == SOCK_UDP)
		return write_udp(s, slot, p, len, NULL, 0);
	do {
		struct iovec iov[8];
		int n = 8;
		size_t got =
			stack_sock_write_reserve(e->s, sk, len - done, iov, &n);

		before = done;
		got = MIN(got, len - done);
		for (int i = 0; i < n && done < before + got; i++) {
			size_t k = MIN(iov[i].iov_len, before + got - done);

			memcpy(iov[i].iov_base, p + done, k);
			done += k;
		}
		stack_sock_write_commit(e->s, sk, done - before, more,
					now_of(s));
	} while (done > before && done < len);
	settle(s);
	return done ? (int)done : write_refused(sk);
}

static int read_udp(struct script *s, struct sock *sk, uint8_t *p, size_t len)
{
	struct engine *e = s->world;
	struct udp_meta m;
	struct iovec iov;
	int err = sock_error(sk, true);

	if (err)
		return -err;
	if (!stack_udp_peek(e->s, sk, &m, &iov))
		return -EAGAIN;
	len = MIN(len, iov.iov_len);
	memcpy(p, iov.iov_base, len);
	stack_udp_pop(e->s, sk);
	return (int)len;
}

static int read_sock(struct script *s, unsigned slot, uint8_t *p, size_t len)
{
	struct sock *sk = sock_of(s, slot);
	struct engine *e = s->world;
	struct iovec iov[8];
	size_t done = 0;
	int n = 8, err;

	if (sock_type(sk) == SOCK_UDP)
		return read_udp(s, sk, p, len);
	if (stack_sock_read_peek(e->s, sk, iov, &n)) {
		for (int i = 0; i < n && done < len; i++) {
			size_t k = MIN(iov[i].iov_len, len - done);

			memcpy(p + done, iov[i].iov_base, k);
			done += k;
		}
		stack_sock_read_consume(e->s, sk, done, now_of(s));
		settle(s);
		return (int)done;
	}
	err = sock_error(sk, true);
	if (err)
		return -err;
	return stack_sock_events(e->s, sk) & (SOCK_EV_EOF | SOCK_EV_DONE)
		       ? 0
		       : -EAGAIN;
}

static int shutdown_sock(struct script *s, unsigned slot)
{
	struct engine *e = s->world;

	stack_sock_shutdown(e->s, sock_of(s, slot), now_of(s));
	settle(s);
	return 0;
}

static int close_sock(struct script *s, unsigned slot, bool abort)
{
	struct engine *e = s->world;

	if (abort)
		stack_sock_abort(e->s, sock_of(s, slot), now_of(s));
	else
		stack_sock_close(e->s, sock_of(s, slot), now_of(s));
	s->slot[slot].sock = NULL;
	settle(s);
	return 0;
}

/* ---- options
 * ----------------------------------------------------------------------- */

static const struct {
	const char *name;
	bool tcp;
	int opt;
} options[] = {
	{"nodelay", true, TCP_OPT_NODELAY},
	{"cork", true, TCP_OPT_CORK},
	{"quickack", true, TCP_OPT_QUICKACK},
	{"keepalive", true, TCP_OPT_KEEPALIVE},
	{"keepidle", true, TCP_OPT_KEEPIDLE},
	{"keepintvl", true, TCP_OPT_KEEPINTVL},
	{"keepcnt", true, TCP_OPT_KEEPCNT},
	{"maxseg", true, TCP_OPT_MAXSEG},
	{"usertimeout", true, TCP_OPT_USER_TIMEOUT},
	{"syncnt", true, TCP_OPT_SYNCNT},
	{"linger2", true, TCP_OPT_LINGER2},
	{"sndbuf", true, TCP_OPT_SNDBUF},
	{"rcvbuf", true, TCP_OPT_RCVBUF},
	{"lowat", true, TCP_OPT_NOTSENT_LOWAT},
	{"clamp", true, TCP_OPT_WINDOW_CLAMP},
	{"reuseaddr", false, SOCK_OPT_REUSEADDR},
	{"v6only", false, SOCK_OPT_V6ONLY},
	{"broadcast", false, SOCK_OPT_BROADCAST},
	{"linger", false, SOCK_OPT_LINGER},
	{"ttl", false, SOCK_OPT_TTL},
	{"tos", false, SOCK_OPT_TOS},
	{"mttl", false, SOCK_OPT_MCAST_TTL},
	{"pmtudisc", false, SOCK_OPT_MTU_DISCOVER},
	{"recverr", false, SOCK_OPT_RECVERR},
};

static int set_opt(struct script *s, unsigned slot, const char *opt, int v)
{
	struct engine *e = s->world;
	int r = -ENOPROTOOPT;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (strcmp(options[i].name, opt) == 0)
			r = options[i].tcp
				    ? stack_sock_set_tcp(
					      e->s, sock_of(s, slot),
					      (enum tcp_opt)options[i].opt, v,
					      now_of(s))
				    : stack_sock_set(
					      e->s, sock_of(s, slot),
					      (enum sock_opt)options[i].opt, v);
	settle(s);
	return r;
}

static int get_opt(struct script *s, unsigned slot, const char *opt, int *ret)
{
	struct engine *e = s->world;

	if (strcmp(opt, "mtu") == 0) {
		*ret = stack_sock_mtu(e->s, sock_of(s, slot));
		return MIN(*ret, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (strcmp(options[i].name, opt) != 0)
			continue;
		*ret = options[i].tcp ? (int)stack_sock_get_tcp(
						e->s, sock_of(s, slot),
						(enum tcp_opt)options[i].opt)
				      : (int)stack_sock_get(
						e->s, sock_of(s, slot),
						(enum sock_opt)options[i].opt);
		return 0;
	}
	return -ENOPROTOOPT;
}

static int error_of(struct script *s, unsigned slot)
{
	return sock_error(sock_of(s, slot), true);
}

static int poll_sock(struct script *s, unsigned slot)
{
	struct engine *e = s->world;
	unsigned ev = stack_sock_events(e->s, sock_of(s, slot));

	return (ev & (SOCK_EV_IN | SOCK_EV_EOF | SOCK_EV_ACCEPT | SOCK_EV_ERR)
			? POLLIN
			: 0) |
	       (ev & (SOCK_EV_OUT | SOCK_EV_ERR) ? POLLOUT : 0);
}

static const char *state_of(struct script *s, unsigned slot)
{
	struct tcp_conn *c = sock_tcp(sock_of(s, slot));

	return c ? tcp_state_name(tcp_conn_state(c)) : "LISTEN";
}

static int64_t count_of(struct script *s, const char *name)
{
	struct engine *e = s->world;
	const struct tcp_stats *t = &stack_tcp_env(e->s)->stats;
	const uint64_t *drops = ip_drops(stack_ip(e->s));
	struct stack_counters c;

	for (int i = 0; i < TCP_DROP__COUNT; i++)
		if (strcmp(tcp_drop_name((enum tcp_drop)i), name) == 0)
			return (int64_t)t->drops[i];
	for (int i = 0; strncmp(name, "ip-", 3) == 0 && i < IP_DROP__COUNT; i++)
		if (strcmp(ip_drop_name((enum ip_drop)i), name + 3) == 0)
			return (int64_t)drops[i];
	stack_counters(e->s, &c);
	if (strcmp(name, "sockets") == 0)
		return c.socks;
	if (strcmp(name, "timewaits") == 0)
		return c.timewaits;
	if (strcmp(name, "cookies") == 0)
		return (int64_t)t->cookies_ok;
	if (strcmp(name, "challenges") == 0)
		return (int64_t)t->challenge_acks;
	return -1;
}

const struct door engine_door = {
	.name = "engine",
	.start = start,
	.stop = stop,
	.inject = inject,
	.next = next,
	.open = open_sock,
	.bind = bind_sock,
	.listen = listen_sock,
	.accept = accept_sock,
	.connect = connect_sock,
	.write = write_sock,
	.read = read_sock,
	.sendto = write_udp,
	.shutdown = shutdown_sock,
	.close = close_sock,
	.set = set_opt,
	.get = get_opt,
	.error = error_of,
	.poll = poll_sock,
	.state = state_of,
	.count = count_of,
};
