/*
 * relay: a bad network between two kernels and a stackd, in real time.
 *
 *    relay WORD=VALUE...
 *
 * Senders are behind the TUN interface `ta` of namespace a= and behind the
 * SEQPACKET socket sock= of a stackd; receivers behind `tb` of namespace b=.
 * A TCP flow to port 6000 + i takes pipe i modulo pipes=; pipe k draws its
 * losses from seed= + k modulo same=, so that flows on two stacks can meet
 * the same losses. Each pipe is a lab_path there and one back: loss= burst_in=
 * burst_out= reorder= ackloss= in 1/1000, rate= police= in bit/s, queue=
 * police_bytes= in bytes, delay_us= (one way) jitter_us= reorder_us=; pipe k is
 * k times step_us= longer than the first, there.
 * Says "ready"; on SIGTERM it prints a line about each pipe and ends.
 */
#include "sim/lab_path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FIRST_PORT 6000u
#define PIPES_MAX 128u
#define PACKET_MAX 2048
#define WAITING_MAX 200000u
#define IP_MIN 20u
#define PROTO_TCP 6

enum side { KERNEL, STACKD, FAR, SIDES };

struct waiting {
	mono_t at;
	uint64_t order;
	int to;
	uint32_t len;
	uint8_t data[];
};

struct relay {
	int fd[SIDES];
	struct lab_path there[PIPES_MAX], back[PIPES_MAX];
	int near[PIPES_MAX][2]; /* whose is flow k, k + pipes */
	struct waiting **heap;
	uint32_t n;
	uint64_t order;
	uint32_t pipes, same, step_us;
	uint64_t seed;
	struct lab_path_cfg there_cfg, back_cfg;
	const char *a, *b, *sock;
};

static volatile sig_atomic_t ended;

static void on_term(int sig)
{
	(void)sig;
	ended = 1;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static mono_t clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (mono_t){(uint64_t)ts.tv_sec * 1000000000u +
			(uint64_t)ts.tv_nsec};
}

/* ---- words ---------------------------------------------------------- */

static bool take_text(struct relay *r, const char *word, const char *v)
{
	if (strcmp(word, "a") == 0)
		r->a = v;
	else if (strcmp(word, "b") == 0)
		r->b = v;
	else if (strcmp(word, "sock") == 0)
		r->sock = v;
	else
		return false;
	return true;
}

static bool take_number(struct relay *r, const char *word, uint64_t v)
{
	struct lab_path_cfg *c = &r->there_cfg;

	if (strcmp(word, "pipes") == 0)
		r->pipes = (uint32_t)CLAMP(v, 1, PIPES_MAX);
	else if (strcmp(word, "same") == 0)
		r->same = (uint32_t)MAX(v, 1u);
	else if (strcmp(word, "step_us") == 0)
		r->step_us = (uint32_t)v;
	else if (strcmp(word, "seed") == 0)
		r->seed = v;
	else if (strcmp(word, "loss") == 0)
		c->loss_pm = (uint32_t)v;
	else if (strcmp(word, "burst_in") == 0)
		c->burst_in_pm = (uint32_t)v;
	else if (strcmp(word, "burst_out") == 0)
		c->burst_out_pm = (uint32_t)v;
	else if (strcmp(word, "reorder") == 0)
		c->reorder_pm = (uint32_t)v;
	else if (strcmp(word, "reorder_us") == 0)
		c->reorder = DUR_US(v);
	else if (strcmp(word, "ackloss") == 0)
		r->back_cfg.loss_pm = (uint32_t)v;
	else if (strcmp(word, "rate") == 0)
		c->rate_bps = v;
	else if (strcmp(word, "queue") == 0)
		c->queue_bytes = (uint32_t)v;
	else if (strcmp(word, "police") == 0)
		c->police_bps = v;
	else if (strcmp(word, "police_bytes") == 0)
		c->police_bytes = (uint32_t)v;
	else if (strcmp(word, "jitter_us") == 0)
		c->jitter = r->back_cfg.jitter = DUR_US(v);
	else if (strcmp(word, "delay_us") == 0)
		c->delay = r->back_cfg.delay = DUR_US(v);
	else
		return false;
	return true;
}

static void take_words(struct relay *r, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *value = strchr(argv[i], '='), *end;
		uint64_t v;

		errno = EINVAL;
		if (!value)
			die(argv[i]);
		*value++ = 0;
		if (take_text(r, argv[i], value))
			continue;
		v = strtoull(value, &end, 10);
		if (*end || !take_number(r, argv[i], v))
			die(argv[i]);
	}
	errno = EINVAL;
	if (!r->a || !r->b)
		die("a= and b= are needed");
}

/* ---- devices -------------------------------------------------------- */

static int open_tun(const char *netns, const char *name)
{
	struct ifreq req = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	char path[128];
	int ns, fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		die(path);
	close(ns);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &req) < 0)
		die(name);
	return fd;
}

static int join_stackd(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
			0);
	int size = 8 << 20;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die(path);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

/* ---- packets that wait: a heap by time ------------------------------ */

static bool before(const struct waiting *x, const struct waiting *y)
{
	return x->at.ns != y->at.ns ? x->at.ns < y->at.ns : x->order < y->order;
}

static void push(struct relay *r, struct waiting *w)
{
	uint32_t i = r->n++;

	for (; i && before(w, r->heap[(i - 1) / 2]); i = (i - 1) / 2)
		r->heap[i] = r->heap[(i - 1) / 2];
	r->heap[i] = w;
}

static struct waiting *pop(struct relay *r)
{
	struct waiting *top = r->heap[0], *w = r->heap[--r->n];
	uint32_t i = 0;

	for (;;) {
		uint32_t k = 2 * i + 1;

		if (k >= r->n)
			break;
		if (k + 1 < r->n && before(r->heap[k + 1], r->heap[k]))
			k++;
		if (!before(r->heap[k], w))
			break;
		r->heap[i] = r->heap[k];
		i = k;
	}
	if (r->n)
		r->heap[i] = w;
	return top;
}

/* ---- the way of a packet -------------------------------------------- */

static uint32_t be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

/* Index of the flow, from the port of the far side; false: not ours. */
static bool flow_of(const struct relay *r, int from, const uint8_t *p,
		    uint32_t len, uint32_t *ret)
{
	uint32_t hdr = (p[0] & 15u) * 4, port;

	if (p[0] >> 4 != 4 || len < IP_MIN || p[9] != PROTO_TCP ||
	    len < hdr + 4)
		return false;
	port = be16(p + hdr + (from == FAR ? 0 : 2));
	*ret = port - FIRST_PORT;
	return port >= FIRST_PORT && *ret < 2 * r->pipes;
}

static void forward(struct relay *r, int from, const uint8_t *p, uint32_t len,
		    mono_t now)
{
	struct waiting *w;
	struct lab_path *path;
	uint32_t flow, k;
	mono_t at;
	int to = FAR;

	if (!flow_of(r, from, p, len, &flow) || r->n == WAITING_MAX)
		return;
	k = flow % r->pipes;
	if (from == FAR) {
		to = r->near[k][flow / r->pipes];
		path = &r->back[k];
	} else {
		r->near[k][flow / r->pipes] = from;
		path = &r->there[k];
	}
	at = lab_path_carry(path, len, now, NULL);
	if (mono_is_never(at))
		return;
	w = malloc(sizeof(*w) + len);
	if (!w)
		die("malloc");
	*w = (struct waiting){at, r->order++, to, len};
	memcpy(w->data, p, len);
	push(r, w);
}

static void read_all(struct relay *r, int from)
{
	uint8_t p[PACKET_MAX];
	ssize_t n;

	while ((n = read(r->fd[from], p, sizeof(p))) > 0)
		forward(r, from, p, (uint32_t)n, clock_now());
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		ended = 1;
}

static void deliver_due(struct relay *r, mono_t now)
{
	while (r->n && mono_leq(r->heap[0]->at, now)) {
		struct waiting *w = pop(r);

		/* a full device drops, as devices do */
		if (write(r->fd[w->to], w->data, w->len) < 0 &&
		    errno != EAGAIN && errno != ENOBUFS && errno != EIO)
			die("write");
		free(w);
	}
}

static void run(struct relay *r)
{
	struct pollfd p[SIDES];

	for (int i = 0; i < SIDES; i++)
		p[i] = (struct pollfd){.fd = r->fd[i], .events = POLLIN};
	while (!ended) {
		struct timespec ts, *wait = NULL;
		mono_t now = clock_now();

		deliver_due(r, now);
		if (r->n) {
			dur_t d = mono_sub(mono_max(r->heap[0]->at, now), now);

			ts = (struct timespec){d.ns / 1000000000,
					       d.ns % 1000000000};
			wait = &ts;
		}
		if (ppoll(p, SIDES, wait, NULL) < 0 && errno != EINTR)
			die("ppoll");
		for (int i = 0; i < SIDES; i++)
			if (p[i].revents)
				read_all(r, i);
	}
}

static void report(const struct relay *r)
{
	for (uint32_t k = 0; k < r->pipes; k++)
		printf("pipe %u packets %llu lost %llu queue %llu police "
		       "%llu\n",
		       k, (unsigned long long)r->there[k].packets,
		       (unsigned long long)r->there[k].lost,
		       (unsigned long long)r->there[k].queue_drops,
		       (unsigned long long)r->there[k].police_drops);
}

int main(int argc, char **argv)
{
	static struct relay r = {.pipes = 1, .same = PIPES_MAX, .seed = 1};

	take_words(&r, argc, argv);
	prctl(PR_SET_TIMERSLACK, 1); /* ns */
	signal(SIGTERM, on_term);
	for (uint32_t k = 0; k < r.pipes; k++) {
		struct lab_path_cfg there = r.there_cfg;

		there.delay = dur_add(there.delay, DUR_US(k * r.step_us));
		lab_path_init(&r.there[k], &there, r.seed + k % r.same);
		lab_path_init(&r.back[k], &r.back_cfg,
			      r.seed + k % r.same + 5000);
	}
	r.heap = calloc(WAITING_MAX, sizeof(*r.heap));
	if (!r.heap)
		die("calloc");
	r.fd[STACKD] = r.sock ? join_stackd(r.sock) : -1;
	r.fd[KERNEL] = open_tun(r.a, "ta");
	r.fd[FAR] = open_tun(r.b, "tb");
	puts("ready");
	fflush(stdout);
	run(&r);
	report(&r);
	while (r.n)
		free(pop(&r));
	free(r.heap);
	return 0;
}
