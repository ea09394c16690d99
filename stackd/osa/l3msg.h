/*
 * l3msg.h: the ARP (RFC 826, 5227) and neighbour discovery (RFC 4861)
 * messages of a layer 3 port, as whole Ethernet frames, and the reading of
 * those that come in. Pure.
 */
#ifndef COUPLET_OSA_L3MSG_H
#define COUPLET_OSA_L3MSG_H

#include "addr/addr.h"
#include "pkt/pkt.h"

enum l3msg_kind {
	L3MSG_NONE,   /* not ours to handle: goes to the stack */
	L3MSG_BROKEN, /* ARP or ND, but invalid: dropped */
	L3MSG_ASK,    /* who has `target`? from `sender` (family NONE: probe) */
	L3MSG_TELL,   /* `target` is at `mac` */
};

struct l3msg {
	enum l3msg_kind kind;
	struct ip_addr sender, target;
	bool has_mac;
	uint8_t mac[6]; /* of the sender */
};

/* Reads what follows an Ethernet header of type `type`; of v6 packets only
 * neighbour solicitations and advertisements are taken. `csum_ok`: the
 * checksum is known to be right. */
void l3msg_parse(uint16_t type, const uint8_t *data, size_t len, bool csum_ok,
		 struct l3msg *ret);

/* Addresses of the link layer for the messages below. */
struct l3msg_link {
	uint8_t mac[6]; /* ours */
	uint16_t vlan;
};

/*
 * Who has `target`? From address `src`; family NONE asks as a probe does
 * (RFC 5227 2.1.1, RFC 4862 5.4.2). To `to` if not NULL, else to everybody.
 */
void l3msg_ask(const struct l3msg_link *l, const struct ip_addr *src,
	       const struct ip_addr *target, const uint8_t *to,
	       struct frame *ret);
/* `addr` is here: to host `dst` at `to`; `dst` NULL: announced to everybody
 * (RFC 5227 2.3, RFC 4861 7.2.6). */
void l3msg_tell(const struct l3msg_link *l, const struct ip_addr *addr,
		const struct ip_addr *dst, const uint8_t *to,
		struct frame *ret);

#endif
