/*
 * udp.h: PROXY UDP. Each client address and port that sends is a flow with a
 * socket of its own towards a target; what comes back on it goes to the
 * client from the address that the client had sent to. A flow ends when
 * nothing passed for TIMEOUT UDP; LIMIT UDPFLOWS says how many there may be in
 * all, and a datagram that would need one more is dropped and counted.
 */
#ifndef COUPLET_PROXYD_UDP_H
#define COUPLET_PROXYD_UDP_H

#include "proxyd.h"

struct udp;

/* Takes `fd`, bound. 0 or negative errno, then fd stays the caller's. */
int udp_new(struct proxy *px, int fd, struct udp **ret) MUST_USE;
/* Ends all flows, closes the socket; NULL is fine. */
void udp_free(struct udp *u);
/* Another PROXY owns it now; flows that live keep their targets' sockets. */
void udp_move(struct udp *u, struct proxy *px);

struct udp_info {
	struct ip_port client, server;
	uint64_t bytes[2], datagrams[2];
	mono_t begun, last;
};
/* Flows of `u` one after the other, *it = NULL first; false: no more. Nothing
 * may happen in between. */
bool udp_next(const struct udp *u, const void **it, struct udp_info *ret);

#endif
