/*
 * oat.h: the OSA address table of a port: the addresses that the stack has
 * registered (SETIP). Pure.
 */
#ifndef COUPLET_OSA_OAT_H
#define COUPLET_OSA_OAT_H

#include "osa/osa.h"

struct oat_entry {
	struct osa_oat_entry pub;
	bool news; /* a conflict that nobody has been told of */
};

struct oat {
	struct oat_entry *e; /* OSA_ADDRS_MAX when there is any */
	uint32_t n;
};

/* 0, -EEXIST, -ENOSPC, -ENOMEM, -EINVAL (not a unicast address). */
int oat_add(struct oat *t, const struct ip_prefix *a) MUST_USE;
/* 0 or -ENOENT. */
int oat_del(struct oat *t, const struct ip_addr *a) MUST_USE;
void oat_clear(struct oat *t);
/* NULL when not registered. */
struct oat_entry *oat_find(const struct oat *t, const struct ip_addr *a);
/* In the network of a registered address, or link-local. */
bool oat_on_link(const struct oat *t, const struct ip_addr *a);
/* 255.255.255.255 or the broadcast address of such a network. */
bool oat_is_broadcast(const struct oat *t, const struct ip_addr *a);
/* Address to ask for `target` from: one of its network, else any of its
 * family, else family NONE. */
struct ip_addr oat_source(const struct oat *t, const struct ip_addr *target);
void oat_conflict(struct oat_entry *e, const uint8_t mac[6]);

#endif
