/*
 * ether.h: Ethernet II headers with at most one 802.1Q tag, and the mapping
 * of IP groups to link-layer groups. Pure, no state. 802.3 length frames
 * parse with a type below 0x600, which no protocol here has.
 */
#ifndef COUPLET_ETHER_H
#define COUPLET_ETHER_H

#include "addr/addr.h"

#define ETHER_HDR_LEN 14
#define ETHER_TAGGED_LEN 18
#define ETHER_MAC_LEN 6

enum {
	ETHER_TYPE_IPV4 = 0x0800,
	ETHER_TYPE_ARP = 0x0806,
	ETHER_TYPE_VLAN = 0x8100,
	ETHER_TYPE_IPV6 = 0x86dd,
};

struct ether_header {
	uint8_t dst[ETHER_MAC_LEN], src[ETHER_MAC_LEN];
	uint16_t vlan; /* 1..4095; 0 = untagged or priority tag */
	uint16_t type; /* of the payload, behind a tag */
};

/* Parses `len` bytes that start with a frame. The header's length (14 or
 * 18), or -EINVAL when they are too few. */
int ether_parse(const void *data, size_t len,
		struct ether_header *ret) MUST_USE;
/* Writes the header, with a tag when h->vlan is set; its length. */
size_t ether_emit(const struct ether_header *h, uint8_t buf[ETHER_TAGGED_LEN]);
/* Group bit of a MAC: multicast or broadcast. */
static inline bool ether_is_group(const uint8_t *mac)
{
	return mac[0] & 1;
}
bool ether_is_zero(const uint8_t *mac);
bool ether_is_broadcast(const uint8_t *mac);
/* The link-layer group of an IP group: RFC 1112 6.4, RFC 2464 7. */
void ether_group_mac(const struct ip_addr *group,
		     uint8_t ret_mac[ETHER_MAC_LEN]);

#endif
