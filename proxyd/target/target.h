/*
 * target.h: which server a new connection goes to, and whether a server is
 * believed to be there. Pure: results of checks, addresses and the time come
 * in.
 *
 * A target is one host of a PROXY or SNI command with the addresses that its
 * name has just now. A group is the targets of one command.
 */
#ifndef COUPLET_PROXYD_TARGET_H
#define COUPLET_PROXYD_TARGET_H

#include "addr/addr.h"
#include "base/base.h"
#include "base/mono.h"

#define TARGET_ADDRS_MAX 8 /* addresses of one name that are tried */

enum target_health {
	TARGET_UP,   /* at first, and with HEALTH OFF */
	TARGET_DOWN, /* `fall` checks in a row failed */
	TARGET_OFF,  /* taken out by the operator */
};

struct target {
	const char *host; /* borrowed */
	uint16_t port;
	struct ip_addr addrs[TARGET_ADDRS_MAX];
	uint8_t n_addrs;
	bool literal;       /* the host is an address: never resolved */
	mono_t resolved_at; /* last answer, MONO_NEVER = none yet */
	enum target_health health;
	uint32_t streak; /* checks in a row that contradict `health` */
	uint32_t conns;  /* now */
	uint64_t total, failed;
};

struct target_group {
	struct target *list;
	uint32_t n;
	uint32_t next; /* round robin: where the search begins */
	bool least;    /* least connections in place of round robin */
};

/* A set of targets that were tried: bit i is list[i]; groups have at most
 * 64. */
typedef uint64_t target_set;

/*
 * The target for a new connection that is not in `tried`, or NULL: all were.
 * Those that are up come first; without any, those that are down are tried
 * all the same (a check may be wrong), but never those that are off.
 * Adds its choice to `tried`.
 */
struct target *target_pick(struct target_group *g, target_set *tried);

/* The outcome of one health check. True: `health` changed. */
bool target_checked(struct target *t, bool ok, uint32_t rise, uint32_t fall);

/* The addresses that its name has now, interleaved by family, IPv6 first
 * [RFC8305 4], at most TARGET_ADDRS_MAX. */
void target_set_addrs(struct target *t, const struct ip_addr *addrs, size_t n,
		      mono_t now);

#endif
