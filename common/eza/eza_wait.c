/*
 * eza_wait.c: what ends the waiting of a thread before its socket does: CANCEL
 * of the socket, and EZAPOST of an event control block.
 *
 * A waiting thread holds a place with an eventfd of its own, which it polls
 * beside its sockets. The eventfd stays with the place for the life of the
 * process, so that a late post never meets a descriptor that is something
 * else by then; who is woken for nothing looks and waits again.
 *
 * EZAPOST takes no lock: a signal handler may call it. It sets the bit, then
 * reads the places; SELECTEX takes its place, then reads the bit. One of them
 * sees the other.
 */
#include "eza/eza.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ECB_BYTE 2 /* of the fullword */
#define ECB_POSTED 0x80

struct place {
	const void *_Atomic ecb;
	atomic_int event; /* descriptor + 1, 0 none yet */
	int s;            /* whose wait CANCEL ends; EZA_NO_SOCKET none */
	bool busy, cancelled;
};

static struct {
	pthread_mutex_t lock;
	struct place place[EZA_WAITS_MAX];
	pid_t pid; /* whose places they are: not a child's */
} waits = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* After a fork the threads that held places are the parent's, and so are the
 * eventfds. Called with the lock held. */
static void forget_parent(void)
{
	if (waits.pid == getpid())
		return;
	for (int i = 0; i < EZA_WAITS_MAX; i++) {
		struct place *p = &waits.place[i];
		int fd = atomic_exchange(&p->event, 0) - 1;

		if (fd >= 0)
			close(fd);
		atomic_store(&p->ecb, NULL);
		p->busy = false;
	}
	waits.pid = getpid();
}

static int find_place(void)
{
	for (int i = 0; i < EZA_WAITS_MAX; i++) {
		struct place *p = &waits.place[i];
		int fd;

		if (p->busy)
			continue;
		if (atomic_load(&p->event))
			return i;
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fd < 0)
			return -errno;
		atomic_store(&p->event, fd + 1);
		return i;
	}
	return -ENOBUFS;
}

int eza_wait_begin(const void *ecb, int s)
{
	int i;

	pthread_mutex_lock(&waits.lock);
	forget_parent();
	i = find_place();
	if (i >= 0) {
		struct place *p = &waits.place[i];

		p->busy = true;
		p->cancelled = false;
		p->s = s;
		atomic_store(&p->ecb, ecb);
	}
	pthread_mutex_unlock(&waits.lock);
	if (i >= 0)
		eza_wait_drain(i);
	return i;
}

int eza_wait_fd(int i)
{
	return atomic_load(&waits.place[i].event) - 1;
}

void eza_wait_drain(int i)
{
	uint64_t n;

	(void)!read(eza_wait_fd(i), &n, sizeof(n));
}

void eza_wait_end(int i)
{
	pthread_mutex_lock(&waits.lock);
	atomic_store(&waits.place[i].ecb, NULL);
	waits.place[i].busy = false;
	pthread_mutex_unlock(&waits.lock);
}

static void wake(const struct place *p)
{
	int fd = atomic_load(&p->event) - 1;
	uint64_t one = 1;

	if (fd >= 0)
		(void)!write(fd, &one, sizeof(one));
}

/* ---- CANCEL */

static bool cancelled(int i)
{
	bool r;

	pthread_mutex_lock(&waits.lock);
	r = waits.place[i].cancelled;
	pthread_mutex_unlock(&waits.lock);
	return r;
}

/* S. RETCODE: how many calls it ended. */
long eza_cancel(const struct eza_call *c)
{
	int s = eza_get16(c->a[0]), fd = eza_fd(c->a[0]), n = 0;

	if (fd < 0)
		return fd;
	pthread_mutex_lock(&waits.lock);
	for (int i = 0; i < EZA_WAITS_MAX; i++) {
		struct place *p = &waits.place[i];

		if (!p->busy || p->s != s || p->cancelled)
			continue;
		p->cancelled = true;
		wake(p);
		n++;
	}
	pthread_mutex_unlock(&waits.lock);
	return n;
}

long eza_wait_for(int s, int fd)
{
	struct pollfd p[2] = {{fd, POLLIN, 0}, {-1, POLLIN, 0}};
	int fl = fcntl(fd, F_GETFL), i;
	long r;

	if (fl < 0 || fl & O_NONBLOCK)
		return fl < 0 ? -errno : -EAGAIN;
	/* without a place it still waits, and only CANCEL does not find it */
	i = eza_wait_begin(NULL, s);
	if (i >= 0)
		p[1].fd = eza_wait_fd(i);
	do {
		if (p[1].revents)
			eza_wait_drain(i);
		p[0].revents = p[1].revents = 0;
		r = i >= 0 && cancelled(i) ? -EZA_OWN_ERROR - EZA_CANCELLED
		    : poll(p, 2, -1) < 0   ? -errno
					   : 0;
	} while (r == -EINTR || (r == 0 && !p[0].revents));
	if (i >= 0)
		eza_wait_end(i);
	return r;
}

/* ---- event control blocks */

bool eza_posted(const void *ecb)
{
	const unsigned char *b = ecb;
	unsigned char any = 0;

	for (int i = 0; i < 4; i++)
		any |= __atomic_load_n(b + i, __ATOMIC_SEQ_CST);
	return any;
}

int EZAPOST(void *ecb)
{
	int e = errno; /* of whom a signal handler interrupts */

	(void)__atomic_fetch_or((unsigned char *)ecb + ECB_BYTE, ECB_POSTED,
				__ATOMIC_SEQ_CST);
	for (int i = 0; i < EZA_WAITS_MAX; i++) {
		if (atomic_load(&waits.place[i].ecb) == ecb)
			wake(&waits.place[i]);
	}
	errno = e;
	return 0;
}
