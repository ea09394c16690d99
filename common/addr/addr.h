/*
 * addr.h: IP addresses, prefixes and socket addresses as values.
 *
 * An ip_addr holds either family; `family` is IP_V4 or IP_V6 and decides how
 * many of the bytes count (4 or 16, network order; the rest are zero so that
 * memcmp works). No I/O, no name look-ups.
 */
#ifndef COUPLET_ADDR_H
#define COUPLET_ADDR_H

#include "base/base.h"

#include <sys/socket.h>

enum ip_family { IP_NONE = 0, IP_V4 = 4, IP_V6 = 6 };

struct ip_addr {
	uint8_t family; /* enum ip_family */
	uint8_t b[16];
};

/* Network address and length; host bits are zero after ip_prefix_make(). */
struct ip_prefix {
	struct ip_addr addr;
	uint8_t len; /* 0..32 or 0..128 */
};

/* Transport address. scope: interface index of a link-local address, 0 none */
struct ip_port {
	struct ip_addr addr;
	uint16_t port; /* host order */
	uint32_t scope;
};

#define ADDR_TEXT_MAX 64 /* "addr%scope" with its zero */
#define PORT_TEXT_MAX 80 /* "[addr%scope]:port" with its zero */

static inline size_t ip_addr_len(const struct ip_addr *a)
{
	return a->family == IP_V4 ? 4 : a->family == IP_V6 ? 16 : 0;
}

struct ip_addr ip_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
struct ip_addr ip_from_bytes(enum ip_family f, const uint8_t *b);
struct ip_addr ip_any(enum ip_family f);
struct ip_addr ip_loopback(enum ip_family f);

bool ip_eq(const struct ip_addr *a, const struct ip_addr *b);
bool ip_is_any(const struct ip_addr *a);
bool ip_is_loopback(const struct ip_addr *a);   /* 127/8, ::1 */
bool ip_is_multicast(const struct ip_addr *a);  /* 224/4, ff00::/8 */
bool ip_is_link_local(const struct ip_addr *a); /* 169.254/16, fe80::/10 */
bool ip_is_broadcast(const struct ip_addr *a);  /* 255.255.255.255 */
bool ip_is_v4_mapped(const struct ip_addr *a);  /* ::ffff:0:0/96 */
struct ip_addr ip_v4_to_mapped(const struct ip_addr *a);
struct ip_addr ip_mapped_to_v4(const struct ip_addr *a);

/* Any RFC 4291 text or a dotted quad. 0, or -EINVAL. */
int ip_parse(const char *text, struct ip_addr *ret) MUST_USE;
/* Canonical text (RFC 5952); returns `buf`, of ADDR_TEXT_MAX bytes. */
const char *ip_format(const struct ip_addr *a, char *buf);
/* "1.2.3.4:80" or "[::1]:80"; returns `buf`, of PORT_TEXT_MAX bytes. */
const char *ip_port_format(const struct ip_port *p, char *buf);

struct ip_prefix ip_prefix_make(const struct ip_addr *a, unsigned len);
bool ip_prefix_has(const struct ip_prefix *p, const struct ip_addr *a);
/* Length of a contiguous netmask, or -EINVAL. */
int ip_mask_len(const struct ip_addr *mask) MUST_USE;
/* Number of leading bits that both share (same family), 0..128. */
unsigned ip_common_bits(const struct ip_addr *a, const struct ip_addr *b);

/* Between ip_port and the kernel's sockaddr. From: 0, -EINVAL (short),
 * -EAFNOSUPPORT. To: the length written, at most sizeof(sockaddr_in6). */
int ip_port_from_sockaddr(const struct sockaddr *sa, socklen_t len,
			  struct ip_port *ret) MUST_USE;
socklen_t ip_port_to_sockaddr(const struct ip_port *p,
			      struct sockaddr_storage *ret);

#endif
