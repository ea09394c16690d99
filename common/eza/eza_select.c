/*
 * eza_select.c: SELECT. A mask is an array of fullwords; socket n is bit n % 32
 * of word n / 32, counted from the least significant.
 */
#include "eza/eza.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

struct watched {
	int s;
	short events;
	bool taken; /* waits for TAKESOCKET */
};

static bool get_bit(const void *mask, int s)
{
	const unsigned char *b = mask;

	return b && eza_get32(b + s / 32 * 4) & (int)(1u << (s % 32));
}

static void set_bit(void *mask, int s)
{
	unsigned char *b = (unsigned char *)mask + s / 32 * 4;

	if (mask)
		eza_put32(b, eza_get32(b) | (int)(1u << (s % 32)));
}

static void clear(void *mask, int n)
{
	for (int i = 0; mask && i < (n + 31) / 32; i++)
		eza_put32((unsigned char *)mask + i * 4, 0);
}

/* What of sockets below n the masks ask for; -EBADF. */
static int collect(const struct eza_call *c, int n, struct pollfd *p,
		   struct watched *w)
{
	int used = 0;

	for (int s = 0; s < n; s++) {
		bool r = get_bit(c->a[2], s), wr = get_bit(c->a[3], s);
		bool e = get_bit(c->a[4], s);
		int fd = r || wr || e ? eza_fd_of(s) : -1;

		if (!r && !wr && !e)
			continue;
		if (fd < 0)
			return fd;
		w[used] = (struct watched){s,
					   (short)((r ? POLLIN : 0) |
						   (wr ? POLLOUT : 0) |
						   (e ? POLLPRI : 0)),
					   false};
		p[used] = (struct pollfd){fd, w[used].events, 0};
		used++;
		if (e && eza_taken_fd(s) >= 0) {
			w[used] = (struct watched){s, POLLPRI, true};
			p[used++] = (struct pollfd){eza_taken_fd(s), POLLIN, 0};
		}
	}
	return used;
}

static int report(const struct eza_call *c, const struct pollfd *p,
		  const struct watched *w, int used)
{
	const short readable = POLLIN | POLLHUP | POLLERR;
	const short writable = POLLOUT | POLLERR;
	int n = 0;

	for (int i = 0; i < used; i++) {
		bool r = w[i].events & POLLIN && p[i].revents & readable;
		bool wr = w[i].events & POLLOUT && p[i].revents & writable;
		bool e = w[i].taken ? p[i].revents & POLLIN
				    : p[i].revents & POLLPRI;

		if (r)
			set_bit(c->a[5], w[i].s);
		if (wr)
			set_bit(c->a[6], w[i].s);
		if (e)
			set_bit(c->a[7], w[i].s);
		n += r + wr + e;
	}
	return n;
}

/* MAXSOC, TIMEOUT (seconds, microseconds; negative: wait), RSNDMSK WSNDMSK
 * ESNDMSK, RRETMSK WRETMSK ERETMSK. */
long eza_select(const struct eza_call *c)
{
	int n = CLAMP(eza_get32(c->a[0]), 0, EZA_SOCKETS_MAX), used;
	int s = eza_get32(c->a[1]), us = eza_get32((char *)c->a[1] + 4);
	int ms = s < 0 ? -1
		       : (int)MIN((int64_t)s * 1000 + (us + 999) / 1000,
				  (int64_t)INT32_MAX);
	struct pollfd *p = calloc(2 * EZA_SOCKETS_MAX, sizeof(*p));
	struct watched *w = calloc(2 * EZA_SOCKETS_MAX, sizeof(*w));
	long r = p && w ? 0 : -ENOMEM;

	used = r < 0 ? 0 : collect(c, n, p, w);
	if (used < 0)
		r = used;
	if (r == 0) {
		r = poll(p, (nfds_t)used, ms);
		r = r < 0 ? -errno : r;
	}
	if (r >= 0) {
		for (int i = 5; i < 8; i++)
			clear(c->a[i], n);
		r = report(c, p, w, used);
	}
	free(p);
	free(w);
	return r;
}
