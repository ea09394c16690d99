/*
 * ipv6.h: IPv6 headers and extension headers as values (RFC 8200). Pure, no
 * state.
 */
#ifndef COUPLET_IPV6_H
#define COUPLET_IPV6_H

#include "addr/addr.h"

#define IPV6_HDR_LEN 40
#define IPV6_FRAG_LEN 8
#define IPV6_MTU_MIN 1280

enum { /* next header values that are extension headers */
       IPV6_NH_HOPOPTS = 0,
       IPV6_NH_ROUTING = 43,
       IPV6_NH_FRAGMENT = 44,
       IPV6_NH_NONE = 59,
       IPV6_NH_DSTOPTS = 60,
};

struct ipv6_header {
	uint8_t tos;   /* traffic class */
	uint32_t flow; /* 20 bits */
	uint16_t payload_len;
	uint8_t next_header, hop_limit;
	struct ip_addr src, dst;
};

/* Parses a header at `data` with `len` bytes behind it. IPV6_HDR_LEN, or
 * -EMSGSIZE (shorter than its lengths say), -EINVAL (version). */
int ipv6_parse(const void *data, size_t len, struct ipv6_header *ret) MUST_USE;
void ipv6_emit(const struct ipv6_header *h, uint8_t buf[IPV6_HDR_LEN]);

struct ipv6_frag {
	uint8_t next_header;
	uint16_t off; /* bytes, a multiple of 8, up to 65528 */
	bool more;
	uint32_t id;
};

/* Fragment header (RFC 8200 4.5): 0, or -EMSGSIZE when too short. */
int ipv6_frag_parse(const void *data, size_t len,
		    struct ipv6_frag *ret) MUST_USE;
void ipv6_frag_emit(const struct ipv6_frag *f, uint8_t buf[IPV6_FRAG_LEN]);

/* Length in bytes of an options, routing or destination header whose first
 * bytes are at `data`; -EMSGSIZE when it runs past `len`. */
int ipv6_ext_len(const uint8_t *data, size_t len) MUST_USE;

enum ipv6_options { /* what the options demand (RFC 8200 4.2) */
		    IPV6_OPTIONS_OK,
		    IPV6_OPTIONS_DISCARD, /* 01: silently */
		    IPV6_OPTIONS_PROBLEM, /* 10: parameter problem, always */
		    IPV6_OPTIONS_PROBLEM_UNICAST, /* 11: unless sent to a group
						   */
		    IPV6_OPTIONS_BAD, /* an option runs out of its header */
		    IPV6_OPTIONS_TOO_MANY, /* more than IPV6_OPTIONS_MAX */
};

/* Options that a header may carry before it is taken for an attack, padding
 * included (RFC 8504 5.3). */
#define IPV6_OPTIONS_MAX 16

/*
 * Looks through a hop-by-hop or destination options header of `len` bytes
 * (from ipv6_ext_len()). Known: Pad1, PadN, Router Alert (5), jumbo payload
 * never. *ret_at is the offset of the offending option type, from `data`.
 */
enum ipv6_options ipv6_options_check(const uint8_t *data, size_t len,
				     size_t *ret_at);

/* Does a header that ipv6_options_check() found good have the Router Alert
 * option (RFC 2711)? */
bool ipv6_has_router_alert(const uint8_t *data, size_t len);

/* The solicited-node group of a unicast address (RFC 4291 2.7.1). */
struct ip_addr ipv6_solicited_node(const struct ip_addr *a);

#endif
