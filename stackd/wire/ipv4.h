/*
 * ipv4.h: IPv4 headers as values (RFC 791 3.1). Pure, no state.
 */
#ifndef COUPLET_IPV4_H
#define COUPLET_IPV4_H

#include "addr/addr.h"

#define IPV4_HDR_MIN 20
#define IPV4_HDR_MAX 60

struct ipv4_header {
	uint8_t hdr_len; /* 20..60 bytes, options included */
	uint8_t tos, ttl, proto;
	uint16_t total_len; /* header and payload, bytes */
	uint16_t id;
	bool df, mf;
	uint16_t frag_off; /* bytes, a multiple of 8, up to 65528 */
	struct ip_addr src, dst;
};

/*
 * Parses a header at `data` with `len` bytes behind it (link-layer padding
 * may follow the datagram). Its length, or -EMSGSIZE (shorter than its
 * lengths say), -EINVAL (version, header or total length impossible),
 * -EBADMSG (header checksum, RFC 1122 3.2.1.2).
 */
int ipv4_parse(const void *data, size_t len, struct ipv4_header *ret) MUST_USE;
/* Writes 20 bytes with a right checksum; h->hdr_len is ignored. */
void ipv4_emit(const struct ipv4_header *h, uint8_t buf[IPV4_HDR_MIN]);

enum ipv4_options {
	IPV4_OPTIONS_OK,
	IPV4_OPTIONS_SOURCE_ROUTE, /* loose or strict source route inside */
	IPV4_OPTIONS_BAD,          /* a length that runs out of the header */
};

/* Looks through `len` option bytes. For _BAD *ret_at is the offset in
 * `opt` of the byte in error. */
enum ipv4_options ipv4_options_check(const uint8_t *opt, size_t len,
				     size_t *ret_at);

#endif
