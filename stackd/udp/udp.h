/*
 * udp.h: UDP datagrams (RFC 768, RFC 1122 4.1, RFC 8200 8.1): the header and
 * the receive queue of a socket. Checksums are verified in ip/. Pure.
 */
#ifndef COUPLET_UDP_H
#define COUPLET_UDP_H

#include "addr/addr.h"
#include "pkt/pkt.h"

#define UDP_HDR_LEN 8
#define UDP_PAYLOAD_MAX 65507u /* 65535 - 20 - 8 */

/* In: where it arrived (local) and who sent it (remote). */
struct udp_meta {
	struct ip_port local, remote;
	uint32_t ifindex;
	uint8_t ttl, tos;
};

/* Reads the header at the live bytes of `p`, strips it and trims trailing
 * bytes. 0 or -EINVAL (short, length field beyond the packet). */
int udp_header_take(struct pkt *p, uint16_t *ret_src,
		    uint16_t *ret_dst) MUST_USE;
/* Header with checksum zero; `payload` bytes follow. */
void udp_header_emit(uint8_t buf[UDP_HDR_LEN], uint16_t src, uint16_t dst,
		     uint32_t payload);

/* Where, whence and how of a queued datagram are kept in the headroom of its
 * buffer, so that the queue needs no memory of its own. */
void udp_meta_store(struct pkt *p, const struct udp_meta *m);
void udp_meta_load(const struct pkt *p, struct udp_meta *ret);

#endif
