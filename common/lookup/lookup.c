#include "lookup/lookup.h"

#include "base/list.h"
#include "client/couplet.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct lookup_query {
	struct list work;  /* of shared.todo or shared.done */
	struct shared *sh; /* as long as there is an owner */
	lookup_fn *fn;     /* NULL: freed while a thread had it */
	void *arg;
	bool asked; /* a thread has it, or is to get it */
	int domain;
	char id[3];
	char host[LOOKUP_HOST_MAX + 1];
	/* the answer */
	int error; /* of getaddrinfo(), 0 = none */
	uint32_t n;
	struct ip_addr addrs[LOOKUP_ADDRS_MAX];
};

/* What loop and threads share. Threads are left alone at the end, since one
 * may be inside the resolver for long: whoever goes last frees. */
struct shared {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct list todo, done;
	int wake; /* eventfd: done has something */
	bool stop;
	unsigned refs;
};

struct lookup {
	struct shared *sh;
};

/* ---- a thread
 * ------------------------------------------------------------------------ */

static void take_answer(struct lookup_query *q, const struct addrinfo *ai)
{
	struct ip_port p;

	for (q->n = 0; ai && q->n < LOOKUP_ADDRS_MAX; ai = ai->ai_next) {
		if (ip_port_from_sockaddr(ai->ai_addr, ai->ai_addrlen, &p) == 0)
			q->addrs[q->n++] = p.addr;
	}
}

static void ask(struct lookup_query *q)
{
	const struct addrinfo hints = {.ai_family = q->domain,
				       .ai_socktype = SOCK_STREAM};
	struct addrinfo *ai = NULL;

	q->error = couplet_getaddrinfo(q->id, q->host, NULL, &hints, &ai);
	take_answer(q, q->error ? NULL : ai);
	if (!q->error)
		couplet_freeaddrinfo(q->id, ai);
}

/* Not by list_pop_head(): clang's analyser takes the neighbours of what it
 * takes out for freed ones. */
static void free_queries(struct list *l)
{
	LIST_FOREACH_SAFE (n, l)
		free(container_of(n, struct lookup_query, work));
	list_init(l);
}

/* With the lock held; frees at the last reference. */
static void leave(struct shared *sh)
{
	bool last = --sh->refs == 0;

	pthread_mutex_unlock(&sh->lock);
	if (!last)
		return;
	free_queries(&sh->todo);
	free_queries(&sh->done);
	close(sh->wake);
	pthread_cond_destroy(&sh->more);
	pthread_mutex_destroy(&sh->lock);
	free(sh);
}

static void *thread_main(void *arg)
{
	struct shared *sh = arg;
	const uint64_t one = 1;

	pthread_mutex_lock(&sh->lock);
	while (!sh->stop) {
		struct list *n = list_pop_head(&sh->todo);
		struct lookup_query *q;

		if (!n) {
			pthread_cond_wait(&sh->more, &sh->lock);
			continue;
		}
		q = container_of(n, struct lookup_query, work);
		pthread_mutex_unlock(&sh->lock);
		ask(q);
		pthread_mutex_lock(&sh->lock);
		list_push_tail(&sh->done, &q->work);
		(void)!write(sh->wake, &one, sizeof one);
	}
	leave(sh);
	return NULL;
}

/* ---- queries
 * ------------------------------------------------------------------------- */

int lookup_query_new(struct lookup *l, const char *id, const char *host,
		     enum ip_family family, lookup_fn *fn, void *arg,
		     struct lookup_query **ret)
{
	struct lookup_query *q;

	if (strlen(host) > LOOKUP_HOST_MAX)
		return -ENAMETOOLONG;
	q = calloc(1, sizeof *q);
	if (!q)
		return -ENOMEM;
	list_init(&q->work);
	q->sh = l->sh;
	q->fn = fn;
	q->arg = arg;
	q->domain = family == IP_V4   ? AF_INET
		    : family == IP_V6 ? AF_INET6
				      : AF_UNSPEC;
	snprintf(q->id, sizeof q->id, "%s", id);
	snprintf(q->host, sizeof q->host, "%s", host);
	*ret = q;
	return 0;
}

void lookup_ask(struct lookup_query *q)
{
	if (q->asked)
		return;
	q->asked = true;
	pthread_mutex_lock(&q->sh->lock);
	list_push_tail(&q->sh->todo, &q->work);
	pthread_cond_signal(&q->sh->more);
	pthread_mutex_unlock(&q->sh->lock);
}

void lookup_query_free(struct lookup_query *q)
{
	bool mine;

	if (!q)
		return;
	q->fn = NULL;
	pthread_mutex_lock(&q->sh->lock);
	/* on a list, or inside a thread? */
	mine = !q->asked || !list_empty(&q->work);
	if (mine)
		list_remove(&q->work);
	pthread_mutex_unlock(&q->sh->lock);
	if (mine)
		free(q);
}

static void answered(struct lookup_query *q)
{
	struct lookup_answer a = {.n = q->n};
	struct ip_addr addrs[LOOKUP_ADDRS_MAX];

	q->asked = false;
	if (!q->fn) {
		free(q);
		return;
	}
	if (q->error)
		a.error = gai_strerror(q->error);
	else if (!q->n)
		a.error = "no address of this family";
	/* the query may be gone, or asked again, before the call returns */
	memcpy(addrs, q->addrs, q->n * sizeof addrs[0]);
	a.addrs = addrs;
	q->fn(q->arg, &a);
}

void lookup_collect(struct lookup *l)
{
	struct shared *sh = l->sh;
	struct list *n;
	uint64_t times;

	(void)!read(sh->wake, &times, sizeof times);
	pthread_mutex_lock(&sh->lock);
	while ((n = list_pop_head(&sh->done))) {
		pthread_mutex_unlock(&sh->lock);
		answered(container_of(n, struct lookup_query, work));
		pthread_mutex_lock(&sh->lock);
	}
	pthread_mutex_unlock(&sh->lock);
}

/* ---- start, end
 * ---------------------------------------------------------------------- */

static struct shared *shared_new(void)
{
	struct shared *sh = calloc(1, sizeof *sh);

	if (!sh)
		return NULL;
	sh->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sh->wake < 0) {
		free(sh);
		return NULL;
	}
	pthread_mutex_init(&sh->lock, NULL);
	pthread_cond_init(&sh->more, NULL);
	list_init(&sh->todo);
	list_init(&sh->done);
	sh->refs = 1;
	return sh;
}

static int start_threads(struct shared *sh, unsigned threads)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t id;
	int r = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_mutex_lock(&sh->lock);
	for (unsigned i = 0; i < threads && r == 0; i++) {
		r = pthread_create(&id, &attr, thread_main, sh);
		sh->refs += r == 0;
	}
	pthread_mutex_unlock(&sh->lock);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

int lookup_new(unsigned threads, struct lookup **ret)
{
	struct lookup *l = calloc(1, sizeof *l);
	int r;

	if (!l)
		return -ENOMEM;
	l->sh = shared_new();
	if (!l->sh) {
		free(l);
		return -ENOMEM;
	}
	r = start_threads(l->sh, MIN(threads, LOOKUP_THREADS_MAX));
	if (r < 0) {
		lookup_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

void lookup_free(struct lookup *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->sh->lock);
	l->sh->stop = true;
	pthread_cond_broadcast(&l->sh->more);
	leave(l->sh);
	free(l);
}

int lookup_fd(const struct lookup *l)
{
	return l->sh->wake;
}
