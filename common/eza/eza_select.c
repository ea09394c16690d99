/*
 * eza_select.c: SELECT and SELECTEX. A mask is an array of fullwords; socket n
 * is bit n % 32 of word n / 32, counted from the least significant.
 */
#include "base/mono.h"
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

/* ---- waiting */

/* TIMEOUT: seconds, microseconds; negative: wait. */
static int timeout_ms(const void *timeout)
{
	int s = eza_get32(timeout), us = eza_get32((const char *)timeout + 4);

	return s < 0 ? -1
		     : (int)MIN((int64_t)s * 1000 + (us + 999) / 1000,
				(int64_t)INT32_MAX);
}

/* Rounded up, so that the time is over when poll() says so. */
static int left_ms(mono_t end)
{
	dur_t left = mono_sub(end, mono_now());

	return (int)MAX(dur_ms(dur_add(left, DUR_NS(999999))), 0);
}

/* poll(), which a post of `ecb` ends too; a wake-up for nothing does not. */
static int poll_ecb(struct pollfd *p, int used, int ms, const void *ecb)
{
	int place = eza_wait_begin(ecb, EZA_NO_SOCKET), r;
	mono_t end = mono_add(mono_now(), DUR_MS(MAX(ms, 0)));

	if (place < 0)
		return place;
	p[used] = (struct pollfd){eza_wait_fd(place), POLLIN, 0};
	for (;;) {
		bool posted = eza_posted(ecb);
		int left = ms < 0 ? -1 : left_ms(end);

		r = poll(p, (nfds_t)used + 1, posted ? 0 : left);
		if (r < 0)
			r = errno == EINTR && eza_posted(ecb) ? 0 : -errno;
		if (r <= 0 || posted || r > 1 || !p[used].revents)
			break;
		eza_wait_drain(place);
	}
	eza_wait_end(place);
	return r;
}

static long wait_and_report(const struct eza_call *c, const void *ecb,
			    struct pollfd *p, struct watched *w)
{
	int n = CLAMP(eza_get32(c->a[0]), 0, EZA_SOCKETS_MAX), r;
	int used = collect(c, n, p, w), ms = timeout_ms(c->a[1]);

	if (used < 0)
		return used;
	if (ecb) {
		r = poll_ecb(p, used, ms, ecb);
	} else {
		r = poll(p, (nfds_t)used, ms);
		r = r < 0 ? -errno : r;
	}
	if (r < 0)
		return r;
	for (int i = 5; i < 8; i++)
		clear(c->a[i], n);
	return report(c, p, w, used);
}

static long select_or_ecb(const struct eza_call *c, const void *ecb)
{
	/* one more for the control block */
	struct pollfd *p = calloc(2 * EZA_SOCKETS_MAX + 1, sizeof(*p));
	struct watched *w = calloc(2 * EZA_SOCKETS_MAX, sizeof(*w));
	long r = p && w ? wait_and_report(c, ecb, p, w) : -ENOMEM;

	free(p);
	free(w);
	return r;
}

/* MAXSOC, TIMEOUT, RSNDMSK WSNDMSK ESNDMSK, RRETMSK WRETMSK ERETMSK. */
long eza_select(const struct eza_call *c)
{
	return select_or_ecb(c, NULL);
}

/* As SELECT, then SELECB. RETCODE 0 and a SELECB other than 0: it was posted.
 */
long eza_selectex(const struct eza_call *c)
{
	return select_or_ecb(c, c->a[8]);
}
