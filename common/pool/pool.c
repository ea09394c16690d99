#include "pool/pool.h"

#include "ev/ev.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct list todo, finished; /* under lock */
	unsigned waiting;
	bool stop;
	int fd; /* eventfd: something is finished */
	struct ev_io *io;
	pthread_t threads[POOL_THREADS_MAX];
	unsigned n;
};

static struct pool_job *take(struct pool *p)
{
	struct list *n = NULL;

	pthread_mutex_lock(&p->lock);
	while (!p->stop && !(n = list_pop_head(&p->todo)))
		pthread_cond_wait(&p->work, &p->lock);
	if (n)
		p->waiting--;
	pthread_mutex_unlock(&p->lock);
	return n ? container_of(n, struct pool_job, node) : NULL;
}

static void give_back(struct pool *p, struct pool_job *j)
{
	static const uint64_t one = 1;
	bool first;

	pthread_mutex_lock(&p->lock);
	first = list_empty(&p->finished);
	list_push_tail(&p->finished, &j->node);
	pthread_mutex_unlock(&p->lock);
	/* the loop takes all of them at once */
	if (first)
		(void)!write(p->fd, &one, sizeof(one));
}

static void *worker(void *arg)
{
	struct pool *p = arg;
	struct pool_job *j;

	while ((j = take(p))) {
		j->run(j);
		give_back(p, j);
	}
	return NULL;
}

static void on_finished(void *arg, int fd, unsigned events)
{
	struct pool *p = arg;
	struct list batch, *n;
	uint64_t count;

	(void)events;
	(void)!read(fd, &count, sizeof(count));
	list_init(&batch);
	pthread_mutex_lock(&p->lock);
	while ((n = list_pop_head(&p->finished)))
		list_push_tail(&batch, n);
	pthread_mutex_unlock(&p->lock);
	while ((n = list_pop_head(&batch))) {
		struct pool_job *j = container_of(n, struct pool_job, node);

		j->done(j);
	}
}

void pool_submit(struct pool *p, struct pool_job *j)
{
	pthread_mutex_lock(&p->lock);
	list_push_tail(&p->todo, &j->node);
	p->waiting++;
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

unsigned pool_waiting(struct pool *p)
{
	unsigned n;

	pthread_mutex_lock(&p->lock);
	n = p->waiting;
	pthread_mutex_unlock(&p->lock);
	return n;
}

unsigned pool_threads(unsigned asked)
{
	cpu_set_t set;

	if (!asked && sched_getaffinity(0, sizeof(set), &set) == 0)
		asked = (unsigned)CPU_COUNT(&set);
	return MIN(MAX(asked, 1U), (unsigned)POOL_THREADS_MAX);
}

static int start_threads(struct pool *p, unsigned threads)
{
	sigset_t all, old;
	int r = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (r == 0 && p->n < MIN(threads, POOL_THREADS_MAX)) {
		r = pthread_create(&p->threads[p->n], NULL, worker, p);
		if (r == 0)
			p->n++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

int pool_new(struct ev_loop *l, unsigned threads, struct pool **ret)
{
	struct pool *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	list_init(&p->todo);
	list_init(&p->finished);
	p->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r = p->fd < 0 ? -errno
		      : ev_io_new(l, p->fd, EV_IO_IN, on_finished, p, &p->io);
	if (r == 0)
		r = start_threads(p, threads);
	if (r < 0) {
		pool_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n; i++)
		pthread_join(p->threads[i], NULL);
	ev_io_free(p->io);
	if (p->fd >= 0)
		close(p->fd);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
