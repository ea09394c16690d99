#include "sock/sock.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t bucket_of(enum sock_type type, uint16_t port)
{
	return (port * 2u + (type == SOCK_UDP)) & (PORTS_BUCKETS - 1);
}

struct port_entry *ports_find(const struct ports *p, enum sock_type type,
			      uint16_t port)
{
	struct port_entry *e = p->buckets[bucket_of(type, port)];

	while (e && (e->port != port || e->type != type))
		e = e->next;
	return e;
}

static struct port_entry *entry_get(struct ports *p, enum sock_type type,
				    uint16_t port)
{
	struct port_entry *e = ports_find(p, type, port);
	uint32_t b = bucket_of(type, port);

	if (e)
		return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	list_init(&e->bound);
	e->port = port;
	e->type = (uint8_t)type;
	e->next = p->buckets[b];
	p->buckets[b] = e;
	return e;
}

static void entry_put(struct ports *p, struct port_entry *e)
{
	struct port_entry **at =
		&p->buckets[bucket_of((enum sock_type)e->type, e->port)];

	if (e->n_conns[0] || e->n_conns[1] || !list_empty(&e->bound))
		return;
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	free(e);
}

int ports_claim(struct ports *p, struct sock *sk, uint16_t port)
{
	struct port_entry *e = entry_get(p, (enum sock_type)sk->type, port);

	if (!e)
		return -ENOMEM;
	list_push_tail(&e->bound, &sk->port_node);
	sk->port = e;
	sk->flags |= SOCK_F_BOUND;
	return 0;
}

void ports_release(struct ports *p, struct sock *sk)
{
	if (!sk->port)
		return;
	list_remove(&sk->port_node);
	entry_put(p, sk->port);
	sk->port = NULL;
	sk->flags &= (uint16_t)~SOCK_F_BOUND;
}

int ports_hold(struct ports *p, uint8_t family, uint16_t port)
{
	struct port_entry *e = entry_get(p, SOCK_TCP, port);

	if (!e)
		return -ENOMEM;
	e->n_conns[family == IP_V6]++;
	return 0;
}

void ports_drop(struct ports *p, uint8_t family, uint16_t port)
{
	struct port_entry *e = ports_find(p, SOCK_TCP, port);

	if (!e || !e->n_conns[family == IP_V6])
		return;
	e->n_conns[family == IP_V6]--;
	entry_put(p, e);
}

/* Do two local addresses cover a common packet? */
static bool overlap(const struct sock *a, const struct ip_addr *aa,
		    const struct sock *b)
{
	const struct ip_addr *ba = &b->local.addr;
	bool any_a = ip_is_any(aa), any_b = ip_is_any(ba);

	if (a->bind_if && b->bind_if && a->bind_if != b->bind_if)
		return false;
	if (aa->family == ba->family)
		return any_a || any_b || ip_eq(aa, ba);
	/* Different families meet only where the v6 side is dual and any. */
	if (aa->family == IP_V6)
		return any_a && !(a->flags & SOCK_F_V6ONLY);
	return any_b && !(b->flags & SOCK_F_V6ONLY);
}

static bool may_share(const struct sock *a, const struct sock *b,
		      bool listening)
{
	bool listen = listening || (b->flags & SOCK_F_LISTEN);

	if ((a->flags & b->flags & SOCK_F_REUSEPORT) &&
	    a->owner.uid == b->owner.uid)
		return true;
	if (!(a->flags & b->flags & SOCK_F_REUSEADDR))
		return false;
	return a->type == SOCK_UDP || !listen;
}

/* [RFC9293 3.9.1.1 MUST-41, MUST-42] */
bool ports_conflict(const struct ports *p, const struct sock *sk,
		    const struct ip_addr *addr, uint16_t port, bool listening)
{
	const struct port_entry *e =
		ports_find(p, (enum sock_type)sk->type, port);

	if (!e)
		return false;
	LIST_FOREACH (n, &e->bound) {
		const struct sock *o = container_of(n, struct sock, port_node);

		if (o == sk)
			continue;
		if (overlap(sk, addr, o) && !may_share(sk, o, listening))
			return true;
	}
	/* Live or lingering connections block a plain bind, not one with
	 * SO_REUSEADDR. */
	if (listening || (sk->flags & (SOCK_F_REUSEADDR | SOCK_F_REUSEPORT)))
		return false;
	if (addr->family == IP_V6 && e->n_conns[1])
		return true;
	return e->n_conns[0] &&
	       (addr->family == IP_V4 ||
		(ip_is_any(addr) && !(sk->flags & SOCK_F_V6ONLY)));
}

void ports_fini(struct ports *p)
{
	for (size_t i = 0; i < PORTS_BUCKETS; i++) {
		struct port_entry *e = p->buckets[i];

		while (e) {
			struct port_entry *next = e->next;

			free(e);
			e = next;
		}
		p->buckets[i] = NULL;
	}
}
