/* clear.c: an end whose descriptor's bytes are the stream. */
#include "client/couplet.h"
#include "relay/relay.h"

#include <errno.h>
#include <sys/socket.h>

static ssize_t clear_recv(struct relay_end *e, void *buf, size_t len)
{
	ssize_t n;

	do
		n = recv(e->watch.fd, buf, len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t clear_send(struct relay_end *e, const void *buf, size_t len)
{
	ssize_t n;

	do
		n = send(e->watch.fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int clear_finish(struct relay_end *e)
{
	int r = e->stack ? couplet_shutdown(e->watch.fd, SHUT_WR)
			 : shutdown(e->watch.fd, SHUT_WR);

	return r < 0 ? -errno : 0;
}

/* [RFC9293 3.10.5] ABORT: what was not acknowledged is forgotten, the peer
 * gets a reset. */
static void clear_close(struct relay_end *e, bool reset)
{
	static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	if (!reset)
		return;
	if (e->stack)
		(void)!couplet_setsockopt(e->watch.fd, SOL_SOCKET, SO_LINGER,
					  &at_once, sizeof at_once);
	else
		(void)!setsockopt(e->watch.fd, SOL_SOCKET, SO_LINGER, &at_once,
				  sizeof at_once);
}

const struct relay_io relay_clear = {.recv = clear_recv,
				     .send = clear_send,
				     .finish = clear_finish,
				     .close = clear_close,
				     .raw = true};
