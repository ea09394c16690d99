/*
 * trap.c: the supervisor's loop. One process, one thread, nothing that waits
 * but epoll_wait(): a call that cannot be answered yet is kept and tried again
 * from the start when its socket is ready.
 *
 * Signals. The filter asks for killable waits, so that Go's preemption
 * signals do not make the kernel drop a call that was carried out already.
 * A program that waits in accept() must see its signals all the same, so for
 * calls that wait the supervisor looks for pending signals itself and then
 * answers as the kernel would: restart, or EINTR.
 */
#include "client/trap_priv.h"

#include "client/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define KERNEL_ERESTARTSYS 512 /* never reaches user space */
#define NS_PER_MS 1000000LL
#define SIGNAL_LOOKS 16 /* waiting calls looked at per TRAP_SIGNAL_MS */
#define EVENTS_MAX 16
#define LISTENER UINT64_MAX                /* epoll's word for new calls */
#define WAIT_FD 512                        /* first number of waiting sockets */
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP /* Linux 6.6 */
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1UL
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif

/*
 * A call that waits. The supervisor holds no copy of its socket: a server
 * whose last process dies has no listener from that moment on. epoll does not
 * hold one either; the number that a socket has here while it is registered
 * belongs to the slot, so that two calls may wait on one socket.
 */
struct wait {
	struct seccomp_notif n;
	uint32_t gen;     /* of the slot; older events are ignored */
	int64_t until_ms; /* SO_RCVTIMEO, SO_SNDTIMEO; 0 none */
	uint64_t seen;    /* signals, see trap_signalled() */
	bool used;
	bool tick; /* for nothing that the socket shows */
};

struct trap {
	struct trap_config cf;
	bool root;
	int ep;
	struct seccomp_notif *rq;
	struct seccomp_notif_resp *rs;
	size_t rq_len, rs_len;
	struct wait waits[TRAP_WAITS_MAX];
	size_t n_slots;            /* of waits, by the number of descriptors */
	size_t n_waits, look, top; /* used slots are below `top` */
	uint8_t buffer[TRAP_DATA_MAX];
};

unsigned trap_stack(const struct trap *t)
{
	return t->cf.id;
}

bool trap_isolated(const struct trap *t)
{
	return t->cf.isolated;
}

int trap_listener(const struct trap *t)
{
	return t->cf.listener;
}

uint8_t *trap_buffer(struct trap *t)
{
	return t->buffer;
}

bool trap_as_root(const struct trap *t)
{
	return t->root;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / NS_PER_MS;
}

/* ---- answers
 * ----------------------------------------------------------------- */

static void answer(struct trap *t, uint64_t id, long r)
{
	memset(t->rs, 0, t->rs_len);
	t->rs->id = id;
	if (r == TRAP_CONTINUE)
		t->rs->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else if (r < 0)
		t->rs->error = (int)r;
	else
		t->rs->val = r;
	/* a thread that was killed meanwhile wants no answer */
	(void)!ioctl(t->cf.listener, SECCOMP_IOCTL_NOTIF_SEND, t->rs);
}

/* What the socket's own time-out says, as a point in time. */
static int64_t timeout_of(int fd, uint32_t events)
{
	struct timeval tv = {0, 0};
	socklen_t l = sizeof(tv);
	int name = events & EPOLLIN ? SO_RCVTIMEO : SO_SNDTIMEO;

	if (!events || sys_getsockopt(fd, SOL_SOCKET, name, &tv, &l) < 0 ||
	    (!tv.tv_sec && !tv.tv_usec))
		return 0;
	return now_ms() + tv.tv_sec * 1000 + tv.tv_usec / 1000 + 1;
}

static struct wait *free_slot(struct trap *t)
{
	for (size_t i = 0; i < t->n_slots; i++) {
		if (!t->waits[i].used) {
			t->top = MAX(t->top, i + 1);
			return &t->waits[i];
		}
	}
	return NULL;
}

static void forget(struct trap *t, struct wait *w)
{
	w->used = false;
	w->gen++;
	t->n_waits--;
	while (t->top && !t->waits[t->top - 1].used)
		t->top--;
}

/* Tells once when c->fd is ready. */
static int arm(struct trap *t, const struct trap_call *c, const struct wait *w,
	       uint32_t events)
{
	uint32_t slot = (uint32_t)(w - t->waits);
	int number = dup3(c->fd, WAIT_FD + (int)slot, O_CLOEXEC), r = 0;
	struct epoll_event ev = {.events = events | EPOLLONESHOT,
				 .data.u64 = (uint64_t)w->gen << 32 | slot};

	if (number < 0)
		return -errno;
	/* the slot may have waited on this socket before */
	if (epoll_ctl(t->ep, EPOLL_CTL_ADD, number, &ev) < 0 &&
	    (errno != EEXIST ||
	     epoll_ctl(t->ep, EPOLL_CTL_MOD, number, &ev) < 0))
		r = -errno;
	close(number);
	return r;
}

/* The call waits; `at`: again. 0 or negative errno. */
static int keep(const struct trap_call *c, uint32_t events, struct wait *at)
{
	struct trap *t = c->t;
	struct wait *w = at ? at : free_slot(t);
	int r;

	if (!w)
		return -ENOBUFS;
	w->tick = !events;
	if (!at) {
		w->n = *c->n;
		w->until_ms = timeout_of(c->fd, events);
		w->seen = 0;
		w->used = true;
		t->n_waits++;
	}
	r = arm(t, c, w, events);
	if (r < 0 && !at)
		forget(t, w);
	return r;
}

static uint32_t events_of(long r)
{
	return r == TRAP_WAIT_IN ? EPOLLIN : r == TRAP_WAIT_OUT ? EPOLLOUT : 0;
}

/* One call, new or (`at`) one that has waited. */
static void serve(struct trap *t, const struct seccomp_notif *n,
		  struct wait *at)
{
	struct trap_call c = {.t = t, .n = n, .pidfd = -1, .fd = -1};
	struct op_other other = {.pid = (pid_t)n->pid,
				 .again = at != NULL,
				 .replaced = trap_replace,
				 .arg = &c};
	trap_fn *fn = trap_find(n->data.nr);
	bool waits = false;
	long r;

	op_other = &other;
	r = fn ? fn(&c) : -ENOSYS;
	op_other = NULL;
	if (r == TRAP_WAIT_IN || r == TRAP_WAIT_OUT || r == TRAP_WAIT_TICK) {
		r = keep(&c, events_of(r), at);
		waits = r == 0;
	}
	if (!waits && r != TRAP_ANSWERED)
		answer(t, n->id, r);
	if (!waits && at)
		forget(t, at);
	if (c.fd >= 0)
		close(c.fd);
	trap_close_task(&c);
}

/* ---- calls that wait
 * ------------------------------------------------------------- */

static void ready(struct trap *t, uint64_t data)
{
	struct wait *w = &t->waits[(uint32_t)data];

	if (w->used && w->gen == data >> 32)
		serve(t, &w->n, w);
}

/* Its time is over, its thread has gone or has a signal to handle. */
static bool ended(struct trap *t, struct wait *w, bool look)
{
	struct trap_call c = {.t = t, .n = &w->n, .pidfd = -1, .fd = -1};
	enum trap_signal sig;
	uint64_t id = w->n.id;

	if (w->until_ms && now_ms() >= w->until_ms) {
		answer(t, id,
		       w->n.data.nr == SYS_connect ? -EINPROGRESS : -EAGAIN);
		return true;
	}
	if (!look)
		return false;
	if (ioctl(t->cf.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0)
		return true;
	sig = trap_signalled(&c, &w->seen);
	if (sig == TRAP_SIGNAL_NONE)
		return false;
	/* with a time-out of its own a call is not restarted, nor one that
	 * has had its effect */
	answer(t, id,
	       sig == TRAP_SIGNAL_INTERRUPT || w->until_ms || w->tick
		       ? -EINTR
		       : -KERNEL_ERESTARTSYS);
	return true;
}

/* Every TRAP_SIGNAL_MS: time-outs of all, signals of some. */
static void look_at_waits(struct trap *t)
{
	size_t looks = SIGNAL_LOOKS;

	for (size_t k = t->top; k > 0 && t->top; k--) {
		struct wait *w;

		t->look = (t->look + 1) % t->top;
		w = &t->waits[t->look];
		if (!w->used)
			continue;
		if (ended(t, w, looks > 0))
			forget(t, w);
		else if (w->tick)
			serve(t, &w->n, w);
		looks -= looks > 0;
	}
}

/* ---- the loop
 * -------------------------------------------------------------------- */

static void receive(struct trap *t)
{
	memset(t->rq, 0, t->rq_len);
	if (ioctl(t->cf.listener, SECCOMP_IOCTL_NOTIF_RECV, t->rq) == 0)
		serve(t, t->rq, NULL);
}

/* False: nobody is under the filter any more. */
static bool handle(struct trap *t, const struct epoll_event *ev)
{
	if (ev->data.u64 != LISTENER)
		ready(t, ev->data.u64);
	else if (ev->events & EPOLLIN)
		receive(t);
	else
		return false;
	return true;
}

static int run(struct trap *t)
{
	struct epoll_event ev[EVENTS_MAX] = {
		{.events = EPOLLIN, .data.u64 = LISTENER}};
	int64_t tick = now_ms();

	if (epoll_ctl(t->ep, EPOLL_CTL_ADD, t->cf.listener, ev) < 0)
		return -errno;
	for (;;) {
		int n = epoll_wait(t->ep, ev, EVENTS_MAX,
				   t->n_waits ? TRAP_SIGNAL_MS : -1);
		int64_t now;

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++) {
			if (!handle(t, &ev[i]))
				return 0;
		}
		now = t->n_waits ? now_ms() : tick;
		if (now - tick >= TRAP_SIGNAL_MS) {
			look_at_waits(t);
			tick = now;
		}
	}
}

/* ---- start
 * ----------------------------------------------------------------------- */

static int make_buffers(struct trap *t)
{
	struct seccomp_notif_sizes sz;

	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sz) < 0)
		return -errno;
	t->rq_len = MAX(sz.seccomp_notif, sizeof(*t->rq));
	t->rs_len = MAX(sz.seccomp_notif_resp, sizeof(*t->rs));
	t->rq = calloc(1, t->rq_len);
	t->rs = calloc(1, t->rs_len);
	return t->rq && t->rs ? 0 : -ENOMEM;
}

static void own_ways(struct trap *t)
{
	static const int ignored[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
				      SIGPIPE, SIGTSTP, SIGUSR1, SIGUSR2};
	struct rlimit rl = {0, 0};

	(void)!prctl(PR_SET_NAME, "stackrun-trap", 0L, 0L, 0L);
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		(void)!setrlimit(RLIMIT_NOFILE, &rl);
	}
	(void)!getrlimit(RLIMIT_NOFILE, &rl);
	if (rl.rlim_cur > WAIT_FD)
		t->n_slots = MIN(rl.rlim_cur - WAIT_FD, (rlim_t)TRAP_WAITS_MAX);
}

int trap_serve(const struct trap_config *cf)
{
	struct trap *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->cf = *cf;
	t->root = geteuid() == 0;
	own_ways(t);
	trap_keep_capabilities();
	/* hand the processor over with the answer */
	(void)!ioctl(cf->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
		     SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	t->ep = epoll_create1(EPOLL_CLOEXEC);
	r = t->ep < 0 ? -errno : make_buffers(t);
	if (r == 0)
		r = run(t);
	if (t->ep >= 0)
		close(t->ep);
	free(t->rq);
	free(t->rs);
	free(t);
	return r;
}
