/*
 * slots.c: records in chunks that never move, found by handle, by cookie and
 * by inotify watch.
 */
#include "api/impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define INDEX_BITS 24

struct api_sock *slots_at(struct api *a, uint32_t index)
{
	return index / API_CHUNK < a->n_chunks
		       ? &a->chunks[index / API_CHUNK][index % API_CHUNK]
		       : NULL;
}

static int add_chunk(struct api *a)
{
	uint32_t base = a->n_chunks * API_CHUNK;
	struct api_sock *k;

	if (a->n_chunks == API_CHUNKS_MAX)
		return -ENFILE;
	k = calloc(API_CHUNK, sizeof(*k));
	if (!k)
		return -ENOMEM;
	a->chunks[a->n_chunks++] = k;
	for (uint32_t i = API_CHUNK; i-- > 0;) {
		k[i].index = base + i;
		k[i].cookie_next = a->free_head;
		a->free_head = base + i + 1;
	}
	return 0;
}

struct api_sock *slots_new(struct api *a)
{
	struct api_sock *c;
	uint32_t gen, index;

	if (!a->free_head && add_chunk(a) < 0)
		return NULL;
	c = slots_at(a, a->free_head - 1);
	if (!c)
		return NULL;
	a->free_head = c->cookie_next;
	gen = c->gen;
	index = c->index;
	memset(c, 0, sizeof(*c));
	c->gen = gen;
	c->index = index;
	c->fd = c->wd = c->path_fd = -1;
	list_init(&c->node);
	a->counters.open++;
	return c;
}

/* ---- cookies ---------------------------------------------------------------
 */

static uint32_t *cookie_head(struct api *a, uint64_t cookie)
{
	return &a->cookies[(cookie * 0x9e3779b97f4a7c15ULL >> 32) &
			   a->cookies_mask];
}

static void cookie_unlink(struct api *a, struct api_sock *c)
{
	uint32_t *at;

	if (!c->cookie)
		return;
	for (at = cookie_head(a, c->cookie); *at;
	     at = &slots_at(a, *at - 1)->cookie_next) {
		if (*at == c->index + 1) {
			*at = c->cookie_next;
			a->n_cookies--;
			break;
		}
	}
	c->cookie = 0;
}

static void cookie_grow(struct api *a)
{
	uint32_t mask = a->cookies_mask ? a->cookies_mask * 2 + 1 : 1023;
	uint32_t *old = a->cookies, old_mask = a->cookies_mask;
	uint32_t *fresh = calloc((size_t)mask + 1, sizeof(*fresh));

	if (!fresh) /* longer chains, no failure */
		return;
	a->cookies = fresh;
	a->cookies_mask = mask;
	for (uint32_t i = 0; old && i <= old_mask; i++) {
		for (uint32_t at = old[i], next; at; at = next) {
			struct api_sock *c = slots_at(a, at - 1);
			uint32_t *h = cookie_head(a, c->cookie);

			next = c->cookie_next;
			c->cookie_next = *h;
			*h = at;
		}
	}
	free(old);
}

void slots_set_cookie(struct api *a, struct api_sock *c, uint64_t cookie)
{
	uint32_t *h;

	cookie_unlink(a, c);
	if (!cookie)
		return;
	if (!a->cookies || a->n_cookies > a->cookies_mask)
		cookie_grow(a);
	if (!a->cookies)
		return;
	h = cookie_head(a, cookie);
	c->cookie = cookie;
	c->cookie_next = *h;
	*h = c->index + 1;
	a->n_cookies++;
}

struct api_sock *slots_find(struct api *a, uint64_t cookie)
{
	if (!a->cookies || !cookie)
		return NULL;
	for (uint32_t at = *cookie_head(a, cookie); at;) {
		struct api_sock *c = slots_at(a, at - 1);

		if (c->cookie == cookie)
			return c;
		at = c->cookie_next;
	}
	return NULL;
}

/* ---- inotify watches
 * --------------------------------------------------------- */

static int wds_grow(struct api *a)
{
	uint32_t mask = a->wds_mask ? a->wds_mask * 2 + 1 : 255;
	uint32_t *fresh = calloc((size_t)mask + 1, sizeof(*fresh));

	if (!fresh)
		return -ENOMEM;
	for (uint32_t i = 0; a->wds && i <= a->wds_mask; i++) {
		uint32_t h;

		if (!a->wds[i])
			continue;
		h = (uint32_t)slots_at(a, a->wds[i] - 1)->wd & mask;
		while (fresh[h])
			h = (h + 1) & mask;
		fresh[h] = a->wds[i];
	}
	free(a->wds);
	a->wds = fresh;
	a->wds_mask = mask;
	return 0;
}

int slots_set_wd(struct api *a, struct api_sock *c, int wd)
{
	uint32_t h;

	if (!a->wds || a->n_wds * 2 > a->wds_mask) {
		int r = wds_grow(a);

		if (r < 0)
			return r;
	}
	c->wd = wd;
	h = (uint32_t)wd & a->wds_mask;
	while (a->wds[h])
		h = (h + 1) & a->wds_mask;
	a->wds[h] = c->index + 1;
	a->n_wds++;
	return 0;
}

static uint32_t wd_at(struct api *a, int wd)
{
	uint32_t h = (uint32_t)wd & a->wds_mask;

	while (a->wds[h] && slots_at(a, a->wds[h] - 1)->wd != wd)
		h = (h + 1) & a->wds_mask;
	return h;
}

struct api_sock *slots_of_wd(struct api *a, int wd)
{
	uint32_t h;

	if (!a->wds)
		return NULL;
	h = wd_at(a, wd);
	return a->wds[h] ? slots_at(a, a->wds[h] - 1) : NULL;
}

void slots_clear_wd(struct api *a, struct api_sock *c)
{
	uint32_t h, mask = a->wds_mask;

	if (c->wd < 0)
		return;
	h = wd_at(a, c->wd);
	inotify_rm_watch(a->inotify_fd, c->wd);
	a->wds[h] = 0;
	a->n_wds--;
	/* close the gap: later entries of the run move up */
	for (uint32_t i = (h + 1) & mask; a->wds[i]; i = (i + 1) & mask) {
		uint32_t want = (uint32_t)slots_at(a, a->wds[i] - 1)->wd & mask;

		if (((i - want) & mask) >= ((i - h) & mask)) {
			a->wds[h] = a->wds[i];
			a->wds[i] = 0;
			h = i;
		}
	}
	c->wd = -1;
}

/* ---- end of life and handles
 * --------------------------------------------------- */

void slots_free(struct api *a, struct api_sock *c)
{
	if (c->flags & API_F_COUNTED)
		policy_leave(a, c);
	listen_forget_file(a, c);
	divert_forget(a, c);
	cookie_unlink(a, c);
	slots_clear_wd(a, c);
	api_untimed(c);
	if (c->fd >= 0)
		close(c->fd);
	if (c->path_fd >= 0)
		close(c->path_fd);
	c->fd = c->path_fd = -1;
	c->kind = API_FREE;
	c->sk = NULL;
	c->gen++;
	c->cookie_next = a->free_head;
	a->free_head = c->index + 1;
	a->counters.open--;
}

void slots_fini(struct api *a)
{
	for (uint32_t i = 0; i < a->n_chunks; i++)
		free(a->chunks[i]);
	free(a->cookies);
	free(a->wds);
}

/* The two lowest bits of a ref belong to the loop. */
void *slots_ref(const struct api_sock *c)
{
	return (void *)(uintptr_t)(slots_serial(c) << 2);
}

struct api_sock *slots_of_ref(struct api *a, void *ref)
{
	return slots_of_serial(a, (uint64_t)(uintptr_t)ref >> 2);
}

uint64_t slots_serial(const struct api_sock *c)
{
	return (uint64_t)(c->gen & ((1u << INDEX_BITS) - 1)) << INDEX_BITS |
	       c->index;
}

struct api_sock *slots_of_serial(struct api *a, uint64_t serial)
{
	struct api_sock *c =
		slots_at(a, (uint32_t)(serial & ((1u << INDEX_BITS) - 1)));

	return c && c->kind != API_FREE && slots_serial(c) == serial ? c : NULL;
}
