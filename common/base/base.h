/*
 * base.h: the few macros every room uses. No state, no I/O, depends on
 * nothing.
 */
#ifndef COUPLET_BASE_H
#define COUPLET_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define CLAMP(v, lo, hi) ((v) < (lo) ? (lo) : (v) > (hi) ? (hi) : (v))

/* The struct of type `type` whose member `member` is at `ptr`. */
#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Ignoring the result of a call marked so is a compile error. */
#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED __attribute__((unused))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/*
 * INVARIANT: what our own code guarantees; kept in release builds. Never
 * used on anything that a peer, a program or a file can influence.
 * Prints expression, file and line on stderr and aborts.
 */
#define INVARIANT(x) \
	(LIKELY(x) ? (void)0 : invariant_failed(#x, __FILE__, __LINE__))

_Noreturn void invariant_failed(const char *expr, const char *file, int line);

#endif
