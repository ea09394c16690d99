/*
 * hash.h: SipHash-2-4 with a 128-bit key, for hash tables that a stranger
 * could otherwise flood and for secrets derived from tuples (ISN, cookies,
 * ports, flow labels, interface identifiers). Pure.
 */
#ifndef COUPLET_HASH_H
#define COUPLET_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k0, k1;
};

/* SipHash-2-4 of `len` bytes at `data`. */
uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t len);

#endif
