/*
 * client.c: the daemon's side of the key process.
 */
#include "keys/client.h"

#include "keys/proto.h"
#include "keys/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long keys_stop() waits before it kills. */
enum { STOP_MS = 2000 };

struct channel {
	pthread_mutex_t lock;
	int fd;
};

struct keys {
	atomic_uint refs; /* one of keys_start(), one of each pair */
	atomic_bool dead;
	pid_t pid;
	int life; /* end of a pipe whose other end dies with the process */
	unsigned n;
	struct channel control;
	struct channel channel[KEYS_CHANNELS_MAX];
};

/* ---- start, stop
 * ---------------------------------------------------------------- */

struct pairs {
	int ours[KEYS_CHANNELS_MAX + 1], theirs[KEYS_CHANNELS_MAX + 1];
	unsigned n; /* [0] is control */
};

static void close_all(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int make_pairs(struct pairs *p, unsigned channels)
{
	for (p->n = 0; p->n <= channels; p->n++) {
		int fds[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) <
		    0) {
			int r = -errno;

			close_all(p->ours, p->n);
			close_all(p->theirs, p->n);
			return r;
		}
		p->ours[p->n] = fds[0];
		p->theirs[p->n] = fds[1];
	}
	return 0;
}

static int receive(int fd, void *buf, size_t cap)
{
	ssize_t n;

	do
		n = recv(fd, buf, cap, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : (int)n;
}

static int transmit(int fd, const void *buf, size_t len)
{
	ssize_t n;

	do
		n = send(fd, buf, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static struct keys *keys_make(const struct pairs *p)
{
	struct keys *k = calloc(1, sizeof *k);

	if (!k)
		return NULL;
	atomic_init(&k->refs, 1);
	k->life = -1;
	k->n = p->n - 1;
	k->control.fd = p->ours[0];
	(void)pthread_mutex_init(&k->control.lock, NULL);
	for (unsigned i = 0; i < k->n; i++) {
		k->channel[i].fd = p->ours[i + 1];
		(void)pthread_mutex_init(&k->channel[i].lock, NULL);
	}
	return k;
}

static void keys_unref(struct keys *k)
{
	if (atomic_fetch_sub(&k->refs, 1) != 1)
		return;
	pthread_mutex_destroy(&k->control.lock);
	for (unsigned i = 0; i < k->n; i++)
		pthread_mutex_destroy(&k->channel[i].lock);
	free(k);
}

/* The child's word that it has locked itself up. */
static int await_lock(struct keys *k)
{
	int32_t word = -EIO;
	int r = receive(k->control.fd, &word, sizeof word);

	if (r == sizeof word)
		return word;
	return r < 0 ? r : -EPIPE;
}

static int fork_server(struct keys *k, struct pairs *p,
		       const struct keys_options *o)
{
	int life[2], r;

	if (pipe2(life, O_CLOEXEC) < 0)
		return -errno;
	k->pid = fork();
	r = k->pid < 0 ? -errno : 0;
	if (k->pid == 0) {
		close_all(p->ours, p->n);
		close(life[0]);
		server_run(p->theirs[0], p->theirs + 1, life[1], o);
	}
	close(life[1]);
	k->life = life[0];
	return r;
}

int keys_start(const struct keys_options *o, struct keys **ret)
{
	struct pairs p;
	struct keys *k;
	int r;

	if (o->channels == 0 || o->channels > KEYS_CHANNELS_MAX)
		return -EINVAL;
	r = make_pairs(&p, o->channels);
	if (r < 0)
		return r;
	k = keys_make(&p);
	if (!k) {
		close_all(p.ours, p.n);
		close_all(p.theirs, p.n);
		return -ENOMEM;
	}
	r = fork_server(k, &p, o);
	close_all(p.theirs, p.n);
	if (r == 0)
		r = await_lock(k);
	if (r < 0) {
		keys_stop(k);
		return r;
	}
	*ret = k;
	return 0;
}

/* Has it ended within `ms`? */
static bool has_ended(const struct keys *k, int ms)
{
	struct pollfd gone = {.fd = k->life, .events = POLLIN};
	int r;

	do
		r = poll(&gone, 1, ms);
	while (r < 0 && errno == EINTR);
	return r == 1;
}

static void reap(struct keys *k)
{
	if (k->pid <= 0)
		return;
	if (!has_ended(k, STOP_MS))
		(void)kill(k->pid, SIGKILL);
	while (waitpid(k->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void keys_stop(struct keys *k)
{
	if (!k)
		return;
	atomic_store(&k->dead, true);
	/* its control socket closes, it ends */
	close(k->control.fd);
	for (unsigned i = 0; i < k->n; i++)
		close(k->channel[i].fd);
	reap(k);
	if (k->life >= 0)
		close(k->life);
	keys_unref(k);
}

int keys_fd(const struct keys *k)
{
	return k->life;
}

pid_t keys_pid(const struct keys *k)
{
	return k->pid;
}

bool keys_alive(const struct keys *k)
{
	return !atomic_load(&k->dead) && !has_ended(k, 0);
}

/* ---- requests
 * --------------------------------------------------------------------- */

/* A channel that nobody uses, else one to wait for; locked. Threads begin at
 * different places, so that with a channel for each they never meet. */
static struct channel *take_channel(struct keys *k)
{
	static atomic_uint threads;
	static _Thread_local unsigned mine;
	unsigned first;

	if (!mine)
		mine = atomic_fetch_add(&threads, 1) + 1;
	first = mine % k->n;
	for (unsigned i = 0; i < k->n; i++) {
		struct channel *c = &k->channel[(first + i) % k->n];

		if (pthread_mutex_trylock(&c->lock) == 0)
			return c;
	}
	pthread_mutex_lock(&k->channel[first].lock);
	return &k->channel[first];
}

static int ask(struct keys *k, struct channel *c, const void *q, size_t len,
	       void *a, size_t cap)
{
	int r = atomic_load(&k->dead) ? -EPIPE : transmit(c->fd, q, len);

	if (r == 0)
		r = receive(c->fd, a, cap);
	if (r == 0 || r == -ECONNRESET || r == -EPIPE) {
		atomic_store(&k->dead, true);
		r = -EPIPE;
	}
	return r;
}

/* Sends the request, its answer's data to out[0..cap). Bytes or negative. */
static int call(struct keys *k, const struct proto_request *q, uint8_t *out,
		size_t cap)
{
	struct channel *c = take_channel(k);
	struct proto_answer a;
	int r = ask(k, c, q, PROTO_REQUEST_HEAD + q->len, &a, sizeof a);

	pthread_mutex_unlock(&c->lock);
	if (r < 0)
		return r;
	if ((size_t)r < PROTO_ANSWER_HEAD)
		return -EBADMSG;
	if (a.result > 0) {
		if ((size_t)a.result != (size_t)r - PROTO_ANSWER_HEAD ||
		    (size_t)a.result > cap)
			return -EBADMSG;
		memcpy(out, a.data, (size_t)a.result);
	}
	r = a.result;
	if (q->op == PROTO_DECRYPT)
		explicit_bzero(&a, sizeof a);
	return r;
}

int client_sign(struct keys *k, uint32_t id, enum keys_algorithm a, bool hashed,
		const void *data, size_t len, uint8_t *sig)
{
	struct proto_request q = {.op = PROTO_SIGN,
				  .algorithm = (uint16_t)a,
				  .id = id,
				  .hashed = hashed,
				  .len = (uint16_t)len};

	if (len > sizeof q.data)
		return -EMSGSIZE;
	memcpy(q.data, data, len);
	return call(k, &q, sig, KEYS_SIGN_MAX);
}

int client_decrypt(struct keys *k, uint32_t id, const void *data, size_t len,
		   uint8_t *plain, size_t n)
{
	struct proto_request q = {.op = PROTO_DECRYPT,
				  .id = id,
				  .len = (uint16_t)len,
				  .want = (uint16_t)n};
	int r;

	if (len > sizeof q.data || n > KEYS_DATA_MAX)
		return -EMSGSIZE;
	memcpy(q.data, data, len);
	r = call(k, &q, plain, n);
	if (r < 0)
		return r;
	return (size_t)r == n ? 0 : -EBADMSG;
}

void client_drop(struct keys *k, uint32_t id)
{
	struct proto_request q = {.op = PROTO_DROP, .id = id};

	if (id)
		(void)call(k, &q, NULL, 0);
	keys_unref(k);
}

/* The bytes that follow the answer to LOAD. */
static int receive_blob(struct keys *k, uint32_t len, uint8_t **ret)
{
	uint8_t *p = len <= PROTO_BLOB_MAX ? malloc(len + 1) : NULL;
	size_t at = 0;

	if (!p)
		return -ENOMEM;
	while (at < len) {
		int n = receive(k->control.fd, p + at, len - at);

		if (n <= 0) {
			free(p);
			return n < 0 ? n : -EPIPE;
		}
		at += (size_t)n;
	}
	*ret = p;
	return 0;
}

int client_load(struct keys *k, const struct proto_load *q,
		struct proto_loaded *a, uint8_t **ret_blob)
{
	int r;

	*ret_blob = NULL;
	pthread_mutex_lock(&k->control.lock);
	r = ask(k, &k->control, q, sizeof *q, a, sizeof *a);
	if (r == sizeof *a)
		r = a->result == 0 ? receive_blob(k, a->blob, ret_blob)
				   : a->result;
	else if (r >= 0)
		r = -EBADMSG;
	pthread_mutex_unlock(&k->control.lock);
	if (r == 0)
		atomic_fetch_add(&k->refs, 1);
	return r;
}
