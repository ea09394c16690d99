/*
 * nd_tools.h: what the tests of neighbour discovery share: one world with one
 * Ethernet interface, ND messages to give it and to read from it.
 */
#ifndef COUPLET_TEST_ND_TOOLS_H
#define COUPLET_TEST_ND_TOOLS_H

#include "wire/ndp.h"
#include "world.h"

#define PEER "fe80::99"
#define PEER2 "fe80::98"

extern struct world w;
extern uint8_t buf[2000];
extern uint32_t ifx;
extern char ll[64]; /* our link-local address */

struct ip_tune no_dad(void);
void find_ll(void);
void setup(const struct ip_tune *tune);
void setup_quiet(void);
size_t opt_lladdr(uint8_t *p, uint8_t type, const uint8_t *mac);
size_t opt_prefix(uint8_t *p, const char *pfx, uint8_t len, uint8_t flags,
		  uint32_t valid, uint32_t preferred);
size_t opt_mtu(uint8_t *p, uint32_t mtu);
void give(const char *src, const char *dst, uint8_t type, uint32_t arg,
	  const uint8_t *body, size_t len, uint8_t ttl, const uint8_t *mac);
void give_ns(const char *src, const char *dst, const char *target,
	     const uint8_t *slla);
void give_na(const char *src, const char *dst, const char *target,
	     unsigned flags, const uint8_t *tlla);
void give_ra_from(const char *src, uint16_t life, uint8_t flags,
		  const uint8_t *opts, size_t n_opts);
void give_ra(uint16_t life, const uint8_t *opts, size_t n_opts);
const uint8_t *icmp_of(const struct out *o);
bool is_nd(int i, uint8_t type, struct ndp_message *m);
struct ip_addr src_of(int i);
struct ip_addr dst_of(int i);
int send_udp(const char *dst);
const char *state_of(const char *ip);
bool get_addr(const char *ip, struct ip_addr_info *ret);

#endif
