/*
 * pcapng.h: blocks of a capture file (draft-ietf-opsawg-pcapng), always
 * little-endian, time stamps in nanoseconds. Pure.
 */
#ifndef COUPLET_OSA_PCAPNG_H
#define COUPLET_OSA_PCAPNG_H

#include "base/base.h"

#define PCAPNG_EPB_HEAD 28u
#define PCAPNG_EPB_TAIL_MAX (3u + 8u + 4u + 4u)
#define PCAPNG_EPB_TYPE 6u

enum {
	PCAPNG_ETHERNET = 1, /* LINKTYPE_ETHERNET */
	PCAPNG_RAW = 101,    /* LINKTYPE_RAW: IPv4 or IPv6 by version */
};

/* Section header and interface description. The length written, 0 if `cap`
 * is too small. */
size_t pcapng_shb(uint8_t *buf, size_t cap, const char *application);
size_t pcapng_idb(uint8_t *buf, size_t cap, uint16_t linktype, uint32_t snaplen,
		  const char *if_name);

/*
 * An enhanced packet block is head, `cap_len` packet bytes, tail. The head
 * is PCAPNG_EPB_HEAD bytes; the tail (padding, direction flags, length) at
 * most PCAPNG_EPB_TAIL_MAX; its length is returned.
 */
void pcapng_epb_head(uint8_t *buf, uint32_t iface, uint64_t time_ns,
		     uint32_t cap_len, uint32_t orig_len);
size_t pcapng_epb_tail(uint8_t *buf, uint32_t cap_len, bool outbound);

/* Type and length of the block at `buf`; false if `len` does not hold it. */
bool pcapng_block(const uint8_t *buf, size_t len, uint32_t *ret_type,
		  uint32_t *ret_len);

#endif
