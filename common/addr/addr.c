#include "addr/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

struct ip_addr ip_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct ip_addr){.family = IP_V4, .b = {a, b, c, d}};
}

struct ip_addr ip_from_bytes(enum ip_family f, const uint8_t *b)
{
	struct ip_addr a = {.family = (uint8_t)f};

	memcpy(a.b, b, ip_addr_len(&a));
	return a;
}

struct ip_addr ip_any(enum ip_family f)
{
	return (struct ip_addr){.family = (uint8_t)f};
}

struct ip_addr ip_loopback(enum ip_family f)
{
	struct ip_addr a = {.family = (uint8_t)f};

	if (f == IP_V4)
		return ip_v4(127, 0, 0, 1);
	a.b[15] = 1;
	return a;
}

bool ip_eq(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family &&
	       memcmp(a->b, b->b, ip_addr_len(a)) == 0;
}

bool ip_is_any(const struct ip_addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->b, zero, ip_addr_len(a)) == 0;
}

bool ip_is_loopback(const struct ip_addr *a)
{
	struct ip_addr one;

	if (a->family == IP_V4)
		return a->b[0] == 127;
	one = ip_loopback(IP_V6);
	return ip_eq(a, &one);
}

bool ip_is_multicast(const struct ip_addr *a)
{
	return a->family == IP_V4 ? (a->b[0] & 0xf0) == 0xe0 : a->b[0] == 0xff;
}

bool ip_is_link_local(const struct ip_addr *a)
{
	return a->family == IP_V4 ? a->b[0] == 169 && a->b[1] == 254
				  : a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

bool ip_is_broadcast(const struct ip_addr *a)
{
	return a->family == IP_V4 && a->b[0] == 255 && a->b[1] == 255 &&
	       a->b[2] == 255 && a->b[3] == 255;
}

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

bool ip_is_v4_mapped(const struct ip_addr *a)
{
	return a->family == IP_V6 && memcmp(a->b, mapped_prefix, 12) == 0;
}

struct ip_addr ip_v4_to_mapped(const struct ip_addr *a)
{
	struct ip_addr m = {.family = IP_V6};

	memcpy(m.b, mapped_prefix, 12);
	memcpy(m.b + 12, a->b, 4);
	return m;
}

struct ip_addr ip_mapped_to_v4(const struct ip_addr *a)
{
	return ip_from_bytes(IP_V4, a->b + 12);
}

int ip_parse(const char *text, struct ip_addr *ret)
{
	struct ip_addr a = {0};

	if (inet_pton(AF_INET, text, a.b) == 1)
		a.family = IP_V4;
	else if (inet_pton(AF_INET6, text, a.b) == 1)
		a.family = IP_V6;
	else
		return -EINVAL;
	*ret = a;
	return 0;
}

/* By hand: it is done for every connection, and printf costs ten times as
 * much. */
static void format_v4(const uint8_t *b, char *to)
{
	for (int i = 0; i < 4; i++) {
		if (b[i] >= 100)
			*to++ = (char)('0' + b[i] / 100);
		if (b[i] >= 10)
			*to++ = (char)('0' + b[i] / 10 % 10);
		*to++ = (char)('0' + b[i] % 10);
		*to++ = '.';
	}
	to[-1] = '\0';
}

const char *ip_format(const struct ip_addr *a, char *buf)
{
	if (a->family == IP_V4)
		format_v4(a->b, buf);
	else if (a->family == IP_NONE ||
		 !inet_ntop(AF_INET6, a->b, buf, ADDR_TEXT_MAX))
		snprintf(buf, ADDR_TEXT_MAX, "*");
	return buf;
}

const char *ip_port_format(const struct ip_port *p, char *buf)
{
	char a[ADDR_TEXT_MAX];

	ip_format(&p->addr, a);
	if (p->addr.family != IP_V6)
		snprintf(buf, PORT_TEXT_MAX, "%.39s:%u", a, p->port);
	else if (p->scope)
		snprintf(buf, PORT_TEXT_MAX, "[%.45s%%%u]:%u", a, p->scope,
			 p->port);
	else
		snprintf(buf, PORT_TEXT_MAX, "[%.45s]:%u", a, p->port);
	return buf;
}

struct ip_prefix ip_prefix_make(const struct ip_addr *a, unsigned len)
{
	struct ip_prefix p = {.addr = *a};
	size_t bytes = ip_addr_len(a);

	p.len = (uint8_t)MIN(len, bytes * 8);
	for (size_t i = 0; i < bytes; i++) {
		unsigned bit = (unsigned)i * 8;

		if (bit >= p.len)
			p.addr.b[i] = 0;
		else if (bit + 8 > p.len)
			p.addr.b[i] &= (uint8_t)(0xff00u >> (p.len - bit));
	}
	return p;
}

unsigned ip_common_bits(const struct ip_addr *a, const struct ip_addr *b)
{
	size_t bytes = ip_addr_len(a);

	for (size_t i = 0; i < bytes; i++) {
		uint8_t d = a->b[i] ^ b->b[i];

		if (d)
			return (unsigned)(i * 8) +
			       (unsigned)(__builtin_clz(d) - 24);
	}
	return (unsigned)bytes * 8;
}

bool ip_prefix_has(const struct ip_prefix *p, const struct ip_addr *a)
{
	return p->addr.family == a->family &&
	       ip_common_bits(&p->addr, a) >= p->len;
}

int ip_mask_len(const struct ip_addr *mask)
{
	size_t bytes = ip_addr_len(mask);
	int len = 0;
	bool ended = false;

	for (size_t i = 0; i < bytes * 8; i++) {
		bool set = mask->b[i / 8] & (0x80 >> (i % 8));

		if (set && ended)
			return -EINVAL;
		ended |= !set;
		len += set;
	}
	return len;
}

int ip_port_from_sockaddr(const struct sockaddr *sa, socklen_t len,
			  struct ip_port *ret)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (len < (socklen_t)sizeof(sa_family_t))
		return -EINVAL;
	if (sa->sa_family == AF_INET) {
		if (len < (socklen_t)sizeof(in))
			return -EINVAL;
		memcpy(&in, sa, sizeof(in));
		*ret = (struct ip_port){
			.addr = ip_from_bytes(IP_V4, (uint8_t *)&in.sin_addr),
			.port = ntohs(in.sin_port),
		};
		return 0;
	}
	if (sa->sa_family != AF_INET6)
		return -EAFNOSUPPORT;
	if (len < 24) /* SIN6_LEN_RFC2133: no sin6_scope_id */
		return -EINVAL;
	memset(&in6, 0, sizeof(in6));
	memcpy(&in6, sa, MIN(len, (socklen_t)sizeof(in6)));
	*ret = (struct ip_port){
		.addr = ip_from_bytes(IP_V6, (uint8_t *)&in6.sin6_addr),
		.port = ntohs(in6.sin6_port),
		.scope = in6.sin6_scope_id,
	};
	return 0;
}

socklen_t ip_port_to_sockaddr(const struct ip_port *p,
			      struct sockaddr_storage *ret)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	memset(ret, 0, sizeof(*ret));
	if (p->addr.family == IP_V4) {
		in.sin_port = htons(p->port);
		memcpy(&in.sin_addr, p->addr.b, 4);
		memcpy(ret, &in, sizeof(in));
		return sizeof(in);
	}
	in6.sin6_port = htons(p->port);
	in6.sin6_scope_id = p->scope;
	memcpy(&in6.sin6_addr, p->addr.b, 16);
	memcpy(ret, &in6, sizeof(in6));
	return sizeof(in6);
}
