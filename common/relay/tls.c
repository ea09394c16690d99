/*
 * tls.c: an end with a TLS session on its descriptor. The session pulls and
 * pushes the wire through the end, which notes in `ready` when the descriptor
 * has no more.
 */
#include "tls/tls.h"
#include "relay/relay.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* ---- the wire below a session
 * ------------------------------------------------ */

static ssize_t wire_pull(void *arg, void *buf, size_t len)
{
	struct relay_end *e = arg;
	ssize_t n = relay_clear.recv(e, buf, len);

	/* the edge of what comes later is still ahead of us */
	if (n == -EAGAIN ||
	    (n > 0 && (size_t)n < len && !(e->watch.ready & RELAY_FIN)))
		e->watch.ready &= (uint8_t)~RELAY_IN;
	return n;
}

static ssize_t wire_push(void *arg, const struct iovec *iov, int n)
{
	struct relay_end *e = arg;
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov,
			   .msg_iovlen = (size_t)n};
	ssize_t r;

	do
		r = sendmsg(e->watch.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno == EAGAIN)
		e->watch.ready &= (uint8_t)~RELAY_OUT;
	return r < 0 ? -errno : r;
}

static const struct tls_io wire = {wire_pull, wire_push};

void relay_tls_adopt(struct relay_end *e, struct tls_session *s)
{
	e->tls = s;
	e->io = &relay_tls;
	tls_session_set_io(s, &wire, e);
	e->want_out = tls_session_wants(s) & TLS_WANTS_OUT;
}

/* ---- the end
 * ---------------------------------------------------------------- */

/* Records are gathered, so that the other end gets them in one piece. */
static ssize_t tls_recv(struct relay_end *e, void *buf, size_t len)
{
	size_t got = 0;

	for (;;) {
		ssize_t n =
			tls_session_read(e->tls, (char *)buf + got, len - got);

		if (n <= 0)
			return got ? (ssize_t)got : n;
		got += (size_t)n;
		/* what the session holds is as good as readable */
		if (tls_session_pending(e->tls))
			e->watch.ready |= RELAY_IN;
		if (len - got < TLS_RECORD_MAX || !(e->watch.ready & RELAY_IN))
			return (ssize_t)got;
	}
}

static int tls_flush(struct relay_end *e)
{
	int r = tls_session_flush(e->tls);

	e->want_out = r == -EAGAIN;
	return r;
}

static ssize_t tls_send(struct relay_end *e, const void *buf, size_t len)
{
	ssize_t n = tls_session_write(e->tls, buf, len);

	e->want_out = tls_session_wants(e->tls) & TLS_WANTS_OUT;
	return n;
}

/* close_notify is the end of the stream; the FIN behind it spares the peer a
 * connection that stays open for nothing. */
static int tls_finish(struct relay_end *e)
{
	int r = tls_session_close(e->tls);

	return r < 0 ? r : relay_clear.finish(e);
}

static void tls_end(struct relay_end *e, bool reset)
{
	tls_session_free(e->tls);
	e->tls = NULL;
	relay_clear.close(e, reset);
}

const struct relay_io relay_tls = {.recv = tls_recv,
				   .send = tls_send,
				   .flush = tls_flush,
				   .finish = tls_finish,
				   .close = tls_end};
