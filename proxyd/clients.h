/*
 * clients.h: how many connections each client address has, for LIMIT CLIENT.
 * A hash table keyed so that nobody can aim at one bucket; an address costs
 * an entry only while it has a connection.
 */
#ifndef COUPLET_PROXYD_CLIENTS_H
#define COUPLET_PROXYD_CLIENTS_H

#include "addr/addr.h"
#include "base/hash.h"

struct clients;
struct client;

/* NULL: no memory. */
struct clients *clients_new(const struct hash_key *key);
/* Every client must have left; NULL is fine. */
void clients_free(struct clients *c);
/* Connections that the address has now. */
uint32_t clients_count(const struct clients *c, const struct ip_addr *addr);
/* One more; NULL: no memory, it is not counted. */
struct client *clients_enter(struct clients *c, const struct ip_addr *addr);
/* One less; NULL is fine. */
void clients_leave(struct clients *c, struct client *cl);
/* Addresses with a connection. */
uint32_t clients_addresses(const struct clients *c);

#endif
