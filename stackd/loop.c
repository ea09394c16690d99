#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

/*
 * One round: what is ready (devices first into the engine, then programs'
 * sockets), due timers, then news to programs and frames to devices until both
 * are dry. Packets are delivered to programs a few at a time, so that a
 * buffer is reused while it is still in the cache, but answered once per
 * round, so that an ACK covers all of them.
 */

#define PORTS_MAX DECK_DEVICES_MAX
#define EVENTS_PER_WAIT 256
#define READ_CHUNK 4  /* packets between deliveries */
#define READ_ROUND 64 /* packets of one queue in one round */
#define RUN_ROUNDS 64 /* rounds before the event base has its turn */

enum tag {
	TAG_API = 0,
	TAG_PORT = 1,
	TAG_OWN = 2,
	TAG_MASK = 3,
	TAG_TIMER = TAG_OWN,
	TAG_BASE = TAG_OWN | 4,
};

struct loop_port {
	struct osa_port *port;
	uint32_t ifindex;
	uint64_t round; /* when it was read last */
	int expect;     /* packets to read before asking epoll again */
	int error;      /* positive errno once dead */
	bool told;
};

struct loop {
	int epfd, timerfd;
	mono_t armed;  /* what timerfd is set to */
	mono_t api_at; /* api's own timer */
	struct stack *stack;
	struct api *api;
	struct loop_port ports[PORTS_MAX];
	uint32_t n_ports;
	bool base_ready;
	struct loop_stats stats;
};

static int watch_fd(struct loop *l, int fd, uint32_t events, uint64_t tagged)
{
	struct epoll_event ev = {.events = events, .data.u64 = tagged};

	return epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

int loop_new(struct stack *s, struct loop **ret)
{
	struct loop *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->stack = s;
	l->armed = l->api_at = MONO_NEVER;
	l->timerfd = -1;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd >= 0)
		l->timerfd = timerfd_create(CLOCK_MONOTONIC,
					    TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->timerfd < 0)
		r = -errno;
	else
		r = watch_fd(l, l->timerfd, EPOLLIN | EPOLLET, TAG_TIMER);
	if (r < 0) {
		loop_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	if (l->timerfd >= 0)
		close(l->timerfd);
	if (l->epfd >= 0)
		close(l->epfd);
	free(l);
}

int loop_add_port(struct loop *l, struct osa_port *p, uint32_t ifindex)
{
	int fds[16];
	int n = osa_fds(p, fds, ARRAY_SIZE(fds));

	if (l->n_ports == PORTS_MAX)
		return -ENOSPC;
	for (int q = 0; q < n; q++) {
		uint64_t tag = ((uint64_t)l->n_ports << 8 | (unsigned)q) << 2;
		int r = watch_fd(l, fds[q], EPOLLIN, tag | TAG_PORT);

		if (r < 0)
			return r;
	}
	l->ports[l->n_ports++] =
		(struct loop_port){.port = p, .ifindex = ifindex, .expect = 1};
	return 0;
}

static int api_watch(void *arg, int fd, void *ref)
{
	return watch_fd(arg, fd, EPOLLIN | EPOLLRDHUP | (uint32_t)EPOLLET,
			(uint64_t)(uintptr_t)ref | TAG_API);
}

static int api_watch_out(void *arg, int fd, void *ref)
{
	struct loop *l = arg;
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | (uint32_t)EPOLLET,
		.data.u64 = (uint64_t)(uintptr_t)ref | TAG_API,
	};

	return epoll_ctl(l->epfd, EPOLL_CTL_MOD, fd, &ev) < 0 ? -errno : 0;
}

static void api_unwatch(void *arg, int fd)
{
	struct loop *l = arg;

	epoll_ctl(l->epfd, EPOLL_CTL_DEL, fd, NULL);
}

static void api_timer(void *arg, mono_t at)
{
	struct loop *l = arg;

	l->api_at = at;
}

struct api_ops loop_api_ops(struct loop *l)
{
	return (struct api_ops){.watch = api_watch,
				.watch_out = api_watch_out,
				.unwatch = api_unwatch,
				.timer = api_timer,
				.arg = l};
}

void loop_set_api(struct loop *l, struct api *a)
{
	l->api = a;
}

int loop_watch_base(struct loop *l, int base_fd)
{
	return watch_fd(l, base_fd, EPOLLIN, TAG_BASE);
}

/* ---- the round ----------------------------------------------------------- */

static bool tell_programs(struct loop *l, mono_t now)
{
	struct sock *sk;
	unsigned events;
	bool any = false;

	while ((sk = stack_ready(l->stack, &events))) {
		if (l->api)
			api_on_ready(l->api, sk, events, now);
		any = true;
	}
	return any;
}

static struct osa_port *port_of(struct loop *l, uint32_t ifindex)
{
	for (uint32_t i = 0; i < l->n_ports; i++)
		if (l->ports[i].ifindex == ifindex)
			return l->ports[i].port;
	return NULL;
}

static void send_frames(struct loop *l, mono_t now)
{
	struct frame f;

	while (stack_output(l->stack, &f, now)) {
		struct osa_port *p = port_of(l, f.ifindex);

		/* A medium that is full or dead loses frames as a wire does;
		 * osa counts them. */
		if (p)
			(void)!osa_write(p, &f);
		l->stats.frames_out++;
	}
}

/* Output may bring what was sent to ourselves back in, so news can follow
 * frames even when no frame left. */
static void settle(struct loop *l, mono_t now)
{
	tell_programs(l, now);
	do
		send_frames(l, now);
	while (tell_programs(l, now));
}

static void port_died(struct loop *l, struct loop_port *lp, int error)
{
	int fds[16];
	int n = osa_fds(lp->port, fds, ARRAY_SIZE(fds));

	lp->error = -error;
	for (int q = 0; q < n; q++)
		epoll_ctl(l->epfd, EPOLL_CTL_DEL, fds[q], NULL);
	ip_iface_set_up(stack_ip(l->stack), lp->ifindex, false, mono_now());
}

/*
 * How many packets to read before epoll is asked again: as many as came last
 * time, twice as many when more was ready in the very next round. A lone
 * request is so read without a second, empty read; a burst is read in one go.
 */
static int read_quota(struct loop *l, struct loop_port *lp)
{
	if (lp->round + 1 == l->stats.rounds)
		lp->expect = MIN(lp->expect * 2, READ_ROUND);
	lp->round = l->stats.rounds;
	return lp->expect;
}

static void read_port(struct loop *l, uint64_t tag, mono_t now)
{
	struct loop_port *lp = &l->ports[tag >> 10];
	int q = (int)(tag >> 2 & 0xff);
	int quota = read_quota(l, lp), got = 0;
	bool more = true;

	while (more && got < quota) {
		struct pkt *p = NULL;
		int n = osa_read(lp->port, q, stack_pool(l->stack), lp->ifindex,
				 MIN(quota - got, READ_CHUNK), &p, &more);

		if (n < 0) {
			port_died(l, lp, n);
			return;
		}
		while (p) {
			struct pkt *next = p->next;

			p->next = NULL;
			stack_input(l->stack, p, now);
			p = next;
		}
		got += n;
		tell_programs(l, now);
	}
	l->stats.packets_in += (uint64_t)got;
	if (!more)
		lp->expect = MAX(got, 1);
}

static void on_timer(struct loop *l)
{
	uint64_t n;

	(void)!read(l->timerfd, &n, sizeof(n));
	l->armed = MONO_NEVER;
	l->stats.timer_fires++;
}

static void dispatch(struct loop *l, const struct epoll_event *ev, mono_t now)
{
	uint64_t tag = ev->data.u64;

	switch ((enum tag)(tag & TAG_MASK)) {
	case TAG_PORT:
		read_port(l, tag, now);
		break;
	case TAG_OWN:
		if (tag == TAG_BASE)
			l->base_ready = true;
		else
			on_timer(l);
		break;
	case TAG_API:
		api_on_event(l->api, (void *)(uintptr_t)tag, ev->events, now);
		break;
	case TAG_MASK:
	case TAG_BASE:
		break;
	}
}

/*
 * What is ready at once may depend on each other: an option was set before
 * the data was written, a socket closed before the packet for it was sent. So
 * control connections come first, then programs, then devices.
 */
static unsigned turn_of(struct loop *l, const struct epoll_event *ev)
{
	uint64_t tag = ev->data.u64;

	if ((tag & TAG_MASK) != TAG_API)
		return 2;
	return api_is_control(l->api, (void *)(uintptr_t)tag) ? 0 : 1;
}

static void dispatch_all(struct loop *l, const struct epoll_event *ev, int n,
			 mono_t now)
{
	uint8_t turn[EVENTS_PER_WAIT];

	for (int i = 0; i < n; i++)
		turn[i] = (uint8_t)turn_of(l, &ev[i]);
	for (unsigned t = 0; t < 3; t++)
		for (int i = 0; i < n; i++)
			if (turn[i] == t)
				dispatch(l, &ev[i], now);
}

static void run_timers(struct loop *l, mono_t now)
{
	if (mono_leq(stack_deadline(l->stack), now))
		stack_expire(l->stack, now);
	if (mono_leq(l->api_at, now)) {
		l->api_at = MONO_NEVER;
		api_on_timer(l->api, now);
	}
}

/* A deadline that moved back leaves the timer as it is: it fires once for
 * nothing, which is cheaper than a system call for every ACK. */
static void arm(struct loop *l)
{
	mono_t at = mono_min(stack_deadline(l->stack), l->api_at);
	struct itimerspec its = {0};

	if (mono_leq(l->armed, at))
		return;
	its.it_value.tv_sec = (time_t)(at.ns / 1000000000u);
	its.it_value.tv_nsec = (long)(at.ns % 1000000000u);
	if (at.ns == 0)
		its.it_value.tv_nsec = 1;
	timerfd_settime(l->timerfd, TFD_TIMER_ABSTIME, &its, NULL);
	l->armed = at;
}

static void round_end(struct loop *l, mono_t now)
{
	run_timers(l, now);
	settle(l, now);
	arm(l);
}

bool loop_wait(struct loop *l)
{
	struct epoll_event ev[EVENTS_PER_WAIT];
	int n = epoll_wait(l->epfd, ev, EVENTS_PER_WAIT, -1);
	mono_t now = mono_now();

	l->base_ready = false;
	l->stats.waits++;
	dispatch_all(l, ev, n, now);
	l->stats.events += n > 0 ? (uint64_t)n : 0;
	l->stats.rounds++;
	round_end(l, now);
	return l->base_ready;
}

void loop_run(struct loop *l)
{
	round_end(l, mono_now());
}

int loop_dead_port(struct loop *l, struct osa_port **ret)
{
	for (uint32_t i = 0; i < l->n_ports; i++) {
		struct loop_port *lp = &l->ports[i];

		if (lp->error && !lp->told) {
			lp->told = true;
			*ret = lp->port;
			return lp->error;
		}
	}
	return 0;
}

void loop_get_stats(const struct loop *l, struct loop_stats *ret)
{
	*ret = l->stats;
}
