/*
 * pool.h: worker threads for what takes time: handshakes. A job lies in its
 * owner's struct; a worker runs it once, then the loop's thread is told. A
 * job that runs cannot be taken back: its owner waits for `done`.
 *
 * Workers hold no lock while a job runs. Signals are the loop's.
 */
#ifndef COUPLET_POOL_H
#define COUPLET_POOL_H

#include "base/base.h"
#include "base/list.h"

struct ev_loop;
struct pool;

#define POOL_THREADS_MAX 64

struct pool_job {
	void (*run)(struct pool_job *j);  /* on a worker */
	void (*done)(struct pool_job *j); /* on the loop; may submit again */
	struct list node;
};

/* Workers for a deck that asks for `asked`; 0: one for each processor that we
 * may use. 1..POOL_THREADS_MAX. */
unsigned pool_threads(unsigned asked);
/* `threads` (1..POOL_THREADS_MAX) workers. 0 or negative errno. Before the
 * system call filter: threads are made here and never later. */
int pool_new(struct ev_loop *l, unsigned threads, struct pool **ret) MUST_USE;
/* Waits for the jobs that run; those that wait are forgotten, done() is not
 * called for any. NULL is fine. */
void pool_free(struct pool *p);
/* In the order of their submission. Any thread. */
void pool_submit(struct pool *p, struct pool_job *j);
/* Jobs that wait for a worker. */
unsigned pool_waiting(struct pool *p);

#endif
