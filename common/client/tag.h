/*
 * tag.h: how a front end knows its sockets. The tag is a 64-bit word kept in
 * the kernel's socket (SO_MAX_PACING_RATE, which AF_UNIX ignores), so it
 * follows the socket through dup, fork, exec and SCM_RIGHTS, and nobody keeps
 * a table of descriptors. Its bits are in proto.h.
 */
#ifndef COUPLET_CLIENT_TAG_H
#define COUPLET_CLIENT_TAG_H

#include "client/proto.h"

/* Is `fd` a socket of ours? Leaves errno alone. */
bool tag_get(int fd, uint64_t *ret);
void tag_put(int fd, uint64_t tag);

static inline uint64_t tag_make(unsigned id, bool v6, bool dgram)
{
	return TAG_MAGIC << 48 | (uint64_t)(id & 127) << TAG_ID_SHIFT |
	       (v6 ? TAG_V6 : 0) | (dgram ? TAG_DGRAM : 0);
}

static inline unsigned tag_id(uint64_t t)
{
	return (unsigned)(t >> TAG_ID_SHIFT) & 127;
}

static inline uint64_t tag_with_id(uint64_t t, unsigned id)
{
	return (t & ~(127ULL << TAG_ID_SHIFT)) | (uint64_t)(id & 127)
							 << TAG_ID_SHIFT;
}

static inline enum tag_state tag_state(uint64_t t)
{
	return (enum tag_state)((t & TAG_STATE_MASK) >> TAG_STATE_SHIFT);
}

static inline uint64_t tag_with(uint64_t t, enum tag_state s)
{
	return (t & ~TAG_STATE_MASK) | (uint64_t)s << TAG_STATE_SHIFT;
}

static inline unsigned tag_field(uint64_t t, unsigned shift, unsigned bits)
{
	return (unsigned)(t >> shift) & ((1u << bits) - 1);
}

static inline uint64_t tag_set_field(uint64_t t, unsigned shift, unsigned bits,
				     unsigned v)
{
	uint64_t mask = (uint64_t)((1u << bits) - 1) << shift;

	return (t & ~mask) | ((uint64_t)v << shift & mask);
}

#endif
