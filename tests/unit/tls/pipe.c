#include "pipe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static ssize_t pull(void *arg, void *buf, size_t len)
{
	struct wire *w = ((struct end *)arg)->in;
	size_t n = MIN(len, w->len);

	if (w->per_pull)
		n = MIN(n, w->per_pull);
	if (n == 0)
		return w->eof ? 0 : -EAGAIN;
	memcpy(buf, w->buf, n);
	memmove(w->buf, w->buf + n, w->len - n);
	w->len -= n;
	return (ssize_t)n;
}

static ssize_t push(void *arg, const struct iovec *iov, int n)
{
	struct wire *w = ((struct end *)arg)->out;
	size_t room = MIN(w->room, PIPE_CAP - w->len), done = 0;

	if (w->error)
		return w->error;
	for (int i = 0; i < n && room; i++) {
		size_t part = MIN(iov[i].iov_len, room);

		memcpy(w->buf + w->len, iov[i].iov_base, part);
		w->len += part;
		room -= part;
		done += part;
	}
	if (w->room != SIZE_MAX)
		w->room -= done;
	return done ? (ssize_t)done : -EAGAIN;
}

const struct tls_io pipe_io = {pull, push};

struct pipe *pipe_new(void)
{
	struct pipe *p = calloc(1, sizeof *p);

	if (!p)
		abort();
	p->up.room = p->down.room = SIZE_MAX;
	p->client = (struct end){&p->down, &p->up};
	p->server = (struct end){&p->up, &p->down};
	return p;
}

void pipe_handshake(struct tls_session *c, struct tls_session *s, int *ret_c,
		    int *ret_s)
{
	*ret_c = *ret_s = -EAGAIN;
	for (int i = 0; i < 100 && (*ret_c == -EAGAIN || *ret_s == -EAGAIN);
	     i++) {
		if (*ret_c == -EAGAIN)
			*ret_c = tls_session_handshake(c);
		if (*ret_s == -EAGAIN)
			*ret_s = tls_session_handshake(s);
	}
}
