/*
 * cursor.h: bounds-checked reading and writing of network-order bytes.
 *
 * A cursor never passes its end. The first access that would sets `bad`,
 * and every later access does nothing and reads as zero, so a parser reads
 * all its fields and checks cur_ok() once. No packet byte is ever cast to
 * a struct anywhere in Couplet.
 */
#ifndef COUPLET_CURSOR_H
#define COUPLET_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Reader over borrowed bytes. */
struct rcur {
	const uint8_t *p, *end;
	bool bad;
};

/* Writer into borrowed space. */
struct wcur {
	uint8_t *base;
	size_t len, cap; /* written, in all */
	bool bad;
};

/* NULL, as rcur_bytes() gives it when there is less, is an empty reader; a
 * bad one when it should have had bytes. No arithmetic is done on NULL. */
static inline struct rcur rcur_of(const void *p, size_t len)
{
	static const uint8_t nothing[1];
	const uint8_t *b = p;

	if (!b)
		return (struct rcur){nothing, nothing, len > 0};
	return (struct rcur){b, b + len, false};
}

static inline size_t rcur_left(const struct rcur *c)
{
	return c->bad ? 0 : (size_t)(c->end - c->p);
}

static inline bool rcur_ok(const struct rcur *c)
{
	return !c->bad;
}

/* Borrow the next `n` bytes, or NULL (and bad) when fewer are left. */
static inline const uint8_t *rcur_bytes(struct rcur *c, size_t n)
{
	const uint8_t *p = c->p;

	if (c->bad || (size_t)(c->end - c->p) < n) {
		c->bad = true;
		return NULL;
	}
	c->p += n;
	return p;
}

static inline uint8_t rcur_8(struct rcur *c)
{
	const uint8_t *p = rcur_bytes(c, 1);

	return p ? p[0] : 0;
}

static inline uint16_t rcur_16(struct rcur *c)
{
	const uint8_t *p = rcur_bytes(c, 2);

	return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t rcur_32(struct rcur *c)
{
	const uint8_t *p = rcur_bytes(c, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
			       (uint32_t)p[2] << 8 | p[3]
		 : 0;
}

static inline void rcur_copy(struct rcur *c, void *dst, size_t n)
{
	const uint8_t *p = rcur_bytes(c, n);

	if (p)
		memcpy(dst, p, n);
	else
		memset(dst, 0, n);
}

static inline struct wcur wcur_of(void *p, size_t cap)
{
	return (struct wcur){p, 0, cap, false};
}

static inline size_t wcur_len(const struct wcur *c)
{
	return c->len;
}

static inline bool wcur_ok(const struct wcur *c)
{
	return !c->bad;
}

/* Claim the next `n` bytes, or NULL (and bad) when they do not fit. */
static inline uint8_t *wcur_bytes(struct wcur *c, size_t n)
{
	uint8_t *p = c->base + c->len;

	if (c->bad || c->cap - c->len < n) {
		c->bad = true;
		return NULL;
	}
	c->len += n;
	return p;
}

static inline void wcur_8(struct wcur *c, uint8_t v)
{
	uint8_t *p = wcur_bytes(c, 1);

	if (p)
		p[0] = v;
}

static inline void wcur_16(struct wcur *c, uint16_t v)
{
	uint8_t *p = wcur_bytes(c, 2);

	if (p) {
		p[0] = (uint8_t)(v >> 8);
		p[1] = (uint8_t)v;
	}
}

static inline void wcur_32(struct wcur *c, uint32_t v)
{
	uint8_t *p = wcur_bytes(c, 4);

	if (p) {
		p[0] = (uint8_t)(v >> 24);
		p[1] = (uint8_t)(v >> 16);
		p[2] = (uint8_t)(v >> 8);
		p[3] = (uint8_t)v;
	}
}

static inline void wcur_copy(struct wcur *c, const void *src, size_t n)
{
	uint8_t *p = wcur_bytes(c, n);

	if (p && n)
		memcpy(p, src, n);
}

#endif
