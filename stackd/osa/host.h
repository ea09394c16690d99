/*
 * host.h: the host's side of a port, done with libnl at open: interface up,
 * MTU, queue length, bridge membership, host addresses, routes to the
 * stack's addresses. Every change is recorded; host_undo() takes back those
 * that would outlive the interface.
 */
#ifndef COUPLET_OSA_HOST_H
#define COUPLET_OSA_HOST_H

#include "deck.h"

struct osa_host;

/*
 * Sets up interface `ifname` as `dev` asks, `mtu` bytes. `vanishes`: the
 * interface dies with our descriptors, and what is on it with it. 0; on
 * error everything is undone, `err` has the sentence, negative errno.
 */
int host_setup(const struct deck_device *dev, const char *ifname, bool vanishes,
	       uint32_t mtu, const struct ip_prefix *stack_addrs,
	       uint32_t n_stack_addrs, struct osa_host **ret, char *err,
	       size_t err_len) MUST_USE;

/* Undoing needs CAP_NET_ADMIN: something outlives the interface. */
bool host_undo_privileged(const struct osa_host *h);

/* Undoes and frees; NULL is fine. Goes on at errors (the interface may be
 * gone already). */
void host_undo(struct osa_host *h);

/* Hardware address of `ifname`. 0 or negative errno. */
int host_mac(const char *ifname, uint8_t ret[6]) MUST_USE;

#endif
