#include "clients.h"

#include "base/list.h"

#include <stdlib.h>

#define BUCKETS 4096

struct client {
	struct list node;
	struct ip_addr addr;
	uint32_t conns;
};

struct clients {
	struct hash_key key;
	uint32_t n;
	struct list buckets[BUCKETS];
};

struct clients *clients_new(const struct hash_key *key)
{
	struct clients *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->key = *key;
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&c->buckets[i]);
	return c;
}

void clients_free(struct clients *c)
{
	free(c);
}

static const struct list *bucket_of(const struct clients *c,
				    const struct ip_addr *addr)
{
	uint64_t h = hash_bytes(&c->key, addr->b, ip_addr_len(addr));

	return &c->buckets[h % BUCKETS];
}

static struct client *find(const struct list *bucket,
			   const struct ip_addr *addr)
{
	LIST_FOREACH (it, bucket) {
		struct client *cl = container_of(it, struct client, node);

		if (ip_eq(&cl->addr, addr))
			return cl;
	}
	return NULL;
}

uint32_t clients_count(const struct clients *c, const struct ip_addr *addr)
{
	const struct client *cl = find(bucket_of(c, addr), addr);

	return cl ? cl->conns : 0;
}

struct client *clients_enter(struct clients *c, const struct ip_addr *addr)
{
	struct list *bucket = (struct list *)(uintptr_t)bucket_of(c, addr);
	struct client *cl = find(bucket, addr);

	if (!cl) {
		cl = calloc(1, sizeof *cl);
		if (!cl)
			return NULL;
		cl->addr = *addr;
		list_push_head(bucket, &cl->node);
		c->n++;
	}
	cl->conns++;
	return cl;
}

void clients_leave(struct clients *c, struct client *cl)
{
	if (!cl || --cl->conns)
		return;
	list_remove(&cl->node);
	c->n--;
	free(cl);
}

uint32_t clients_addresses(const struct clients *c)
{
	return c->n;
}
