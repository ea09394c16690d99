/*
 * checksum.h: the Internet checksum (RFC 1071 arithmetic, RFC 791, 8200
 * 8.1). Sums are ones-complement partial sums in 64 bits; fold at the end.
 * Pure.
 */
#ifndef COUPLET_CHECKSUM_H
#define COUPLET_CHECKSUM_H

#include "addr/addr.h"

#include <sys/uio.h>

/* Adds `len` bytes to `sum`. An odd `len` is only right for the last piece
 * of a message. */
uint64_t csum_add(uint64_t sum, const void *data, size_t len);
/* The same over pieces of any lengths, odd ones included. */
uint64_t csum_add_iov(uint64_t sum, const struct iovec *iov, int n);
/* Pseudo-header of either family; `len` is the upper-layer length. */
uint64_t csum_pseudo(const struct ip_addr *src, const struct ip_addr *dst,
		     uint8_t proto, uint32_t len);
/* 16 bits in host order, not complemented. */
uint16_t csum_fold(uint64_t sum);
/* Complemented: what goes into (or makes zero of) a checksum field. */
static inline uint16_t csum_finish(uint64_t sum)
{
	return (uint16_t)~csum_fold(sum);
}

#endif
