/*
 * arp.h: ARP packets for IPv4 over Ethernet (RFC 826). Parsing refuses
 * everything else: other hardware, other protocols, senders that no host can
 * have. Pure, no state.
 */
#ifndef COUPLET_ARP_H
#define COUPLET_ARP_H

#include "wire/ether.h"

#define ARP_LEN 28

enum { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp_packet {
	uint16_t op;
	uint8_t sha[ETHER_MAC_LEN], tha[ETHER_MAC_LEN];
	struct ip_addr spa, tpa; /* spa 0.0.0.0: a probe (RFC 5227 1.1) */
};

/* 0, or -EINVAL: too short, not Ethernet/IPv4, unknown operation, sender
 * hardware address zero or a group, protocol address a group or broadcast. */
int arp_parse(const void *data, size_t len, struct arp_packet *ret) MUST_USE;
void arp_emit(const struct arp_packet *a, uint8_t buf[ARP_LEN]);

#endif
