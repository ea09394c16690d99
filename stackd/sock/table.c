#include "sock/sock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_MIN 1024

int table_init(struct table *t)
{
	t->buckets = calloc(TABLE_MIN, sizeof(struct sock *));
	t->mask = TABLE_MIN - 1;
	t->used = 0;
	return t->buckets ? 0 : -ENOMEM;
}

void table_fini(struct table *t)
{
	free(t->buckets);
	t->buckets = NULL;
}

uint32_t table_hash(const struct hash_key *key, const struct ip_addr *local,
		    uint16_t local_port, const struct ip_addr *remote,
		    uint16_t remote_port)
{
	uint8_t b[36];
	size_t n = ip_addr_len(local), m = ip_addr_len(remote);

	memcpy(b, local->b, n);
	memcpy(b + n, remote->b, m);
	n += m;
	memcpy(b + n, &local_port, 2);
	memcpy(b + n + 2, &remote_port, 2);
	return (uint32_t)hash_bytes(key, b, n + 4);
}

/* Doubling keeps chains short; one rehash per doubling. */
static void grow(struct table *t)
{
	uint32_t n = (t->mask + 1) * 2;
	struct sock **b = calloc(n, sizeof(struct sock *));

	if (!b)
		return; /* longer chains, still right */
	for (uint32_t i = 0; i <= t->mask; i++) {
		struct sock *sk = t->buckets[i];

		while (sk) {
			struct sock *next = sk->hash_next;

			sk->hash_next = b[sk->hash & (n - 1)];
			b[sk->hash & (n - 1)] = sk;
			sk = next;
		}
	}
	free(t->buckets);
	t->buckets = b;
	t->mask = n - 1;
}

void table_insert(struct table *t, struct sock *sk)
{
	struct sock **head;

	if (t->used > t->mask)
		grow(t);
	head = &t->buckets[sk->hash & t->mask];
	sk->hash_next = *head;
	*head = sk;
	t->used++;
	sk->flags |= SOCK_F_HASHED;
}

void table_remove(struct table *t, struct sock *sk)
{
	struct sock **at = &t->buckets[sk->hash & t->mask];

	if (!(sk->flags & SOCK_F_HASHED))
		return;
	while (*at != sk)
		at = &(*at)->hash_next;
	*at = sk->hash_next;
	t->used--;
	sk->flags &= (uint16_t)~SOCK_F_HASHED;
}

struct sock *table_find(const struct table *t, uint32_t hash,
			const struct ip_addr *local, uint16_t local_port,
			const struct ip_addr *remote, uint16_t remote_port)
{
	struct sock *sk = t->buckets[hash & t->mask];

	for (; sk; sk = sk->hash_next)
		if (sk->hash == hash && sk->local.port == local_port &&
		    sk->remote.port == remote_port &&
		    ip_eq(&sk->local.addr, local) &&
		    ip_eq(&sk->remote.addr, remote))
			return sk;
	return NULL;
}
