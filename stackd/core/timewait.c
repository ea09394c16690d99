#include "core/impl.h"

#include <errno.h>
#include <stdlib.h>

/*
 * Connections in TIME-WAIT whose program has gone are kept as small records
 * in a hash table of their own, oldest first in a list (RFC 9293 3.3.2; the
 * wait is the same for all, so the list is in order of expiry).
 */

#define TW_BUCKETS 16384

int tw_init(struct stack *s)
{
	s->tw_buckets = calloc(TW_BUCKETS, sizeof(*s->tw_buckets));
	s->tw_mask = TW_BUCKETS - 1;
	return s->tw_buckets ? 0 : -ENOMEM;
}

static struct tw_entry *oldest(const struct stack *s)
{
	return list_empty(&s->tw_age)
		       ? NULL
		       : container_of(s->tw_age.next, struct tw_entry, age);
}

void tw_fini(struct stack *s)
{
	struct tw_entry *e;

	if (!s->tw_buckets)
		return;
	while ((e = oldest(s)))
		tw_drop(s, e);
	free(s->tw_buckets);
}

void tw_drop(struct stack *s, struct tw_entry *e)
{
	struct tw_entry **at = &s->tw_buckets[e->hash & s->tw_mask];

	while (*at != e)
		at = &(*at)->hash_next;
	*at = e->hash_next;
	list_remove(&e->age);
	ports_drop(&s->ports, e->tw.tuple.local.family, e->tw.tuple.local_port);
	s->n_tw--;
	free(e);
}

void tw_adopt(struct stack *s, struct sock *sk, mono_t now)
{
	struct tw_entry *e = malloc(sizeof(*e));

	/* Without memory or place the oldest record, or this one, ends its
	 * wait early, as every host under load does. */
	if (s->n_tw >= s->cfg.timewait_max && oldest(s))
		tw_drop(s, oldest(s));
	if (!e ||
	    ports_hold(&s->ports, sk->local.addr.family, sk->local.port) < 0) {
		free(e);
		core_destroy(s, sk);
		return;
	}
	tcp_timewait_from(sk->conn, &e->tw);
	e->hash = sk->hash;
	e->hash_next = s->tw_buckets[e->hash & s->tw_mask];
	s->tw_buckets[e->hash & s->tw_mask] = e;
	list_push_tail(&s->tw_age, &e->age);
	s->n_tw++;
	s->tcp.stats.timewait_made++;
	core_destroy(s, sk);
	(void)now;
}

struct tw_entry *tw_find(const struct stack *s, uint32_t hash,
			 const struct ip_addr *local, uint16_t local_port,
			 const struct ip_addr *remote, uint16_t remote_port)
{
	struct tw_entry *e = s->tw_buckets[hash & s->tw_mask];

	for (; e; e = e->hash_next)
		if (e->hash == hash && e->tw.tuple.local_port == local_port &&
		    e->tw.tuple.remote_port == remote_port &&
		    ip_eq(&e->tw.tuple.local, local) &&
		    ip_eq(&e->tw.tuple.remote, remote))
			return e;
	return NULL;
}

void tw_restart(struct stack *s, struct tw_entry *e)
{
	list_remove(&e->age);
	list_push_tail(&s->tw_age, &e->age);
}

mono_t tw_deadline(const struct stack *s)
{
	const struct tw_entry *e = oldest(s);

	return e ? e->tw.until : MONO_NEVER;
}

void tw_expire(struct stack *s, mono_t now)
{
	struct tw_entry *e;

	while ((e = oldest(s)) && mono_leq(e->tw.until, now))
		tw_drop(s, e);
}
