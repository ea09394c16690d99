/*
 * ndp.h: neighbour discovery messages as values (RFC 4861 4, RFC 4862,
 * RFC 4191 2.2, RFC 7527, RFC 8106). Parsing makes the checks that need no
 * state: lengths, reserved target, options of length zero; the caller checks
 * hop limit, code, checksum and addresses of the IP header. Pure, no state.
 */
#ifndef COUPLET_NDP_H
#define COUPLET_NDP_H

#include "wire/ether.h"

#define NDP_PREFIX_MAX 16 /* prefix options taken from one RA */
#define NDP_NONCE_LEN 6   /* of our own messages (RFC 3971 5.3.2) */
#define NDP_MAX_LEN 64    /* longest message emitted here */
#define NDP_RDNSS_MAX 4   /* name servers taken from one RA */
#define NDP_DNSSL_MAX 4   /* search domains taken from one RA */
#define NDP_NAME_MAX 64   /* longest domain taken, with its zero byte */
#define NDP_INFINITE 0xffffffffu

struct ndp_prefix {
	struct ip_addr addr;
	uint8_t len;
	bool on_link, autonomous;
	uint32_t valid_s, preferred_s; /* NDP_INFINITE = for ever */
};

struct ndp_options {
	bool has_slla, has_tlla, has_mtu, has_nonce;
	uint8_t slla[ETHER_MAC_LEN], tlla[ETHER_MAC_LEN];
	uint8_t nonce[NDP_NONCE_LEN];
	uint32_t mtu;
	uint8_t n_prefix;
	struct ndp_prefix prefix[NDP_PREFIX_MAX];
	/* RFC 8106; names as text, letters, digits, "-" and "_" only */
	uint8_t n_rdnss, n_dnssl;
	struct ip_addr rdnss[NDP_RDNSS_MAX];
	uint32_t rdnss_life_s[NDP_RDNSS_MAX];
	char dnssl[NDP_DNSSL_MAX][NDP_NAME_MAX];
	uint32_t dnssl_life_s[NDP_DNSSL_MAX];
};

struct ndp_message {
	uint8_t type;                     /* ICMP6_RS .. ICMP6_REDIRECT */
	struct ip_addr target;            /* NS, NA, redirect */
	struct ip_addr dest;              /* redirect */
	bool router, solicited, override; /* NA */
	/* RA */
	uint8_t hop_limit; /* 0 = unspecified */
	int8_t preference; /* RFC 4191: 1 high, 0 medium, -1 low */
	uint16_t router_life_s;
	uint32_t reachable_ms, retrans_ms; /* 0 = unspecified */
	struct ndp_options opt;
};

/* `data` starts with the ICMPv6 header. 0, or -EINVAL. */
int ndp_parse(const void *data, size_t len, struct ndp_message *ret) MUST_USE;
/* Writes an RS, NS or NA with its options, checksum zero; the length. */
size_t ndp_emit(const struct ndp_message *m, uint8_t buf[NDP_MAX_LEN]);

#endif
