/*
 * core_net.h: two whole stacks on a perfect link, and the calls that the tests
 * of core/ make on them all the time.
 */
#ifndef COUPLET_TEST_CORE_NET_H
#define COUPLET_TEST_CORE_NET_H

#include "simnet.h"
#include "unit.h"

/* Who owns every socket here. */
extern const struct sock_owner core_owner;

struct net {
	struct simnet sim;
	struct sock *gone; /* listener to close when a SYN probes it */
	int gone_side;
};

void start(struct net *n, void (*change)(struct sim_setup *));
void finish(struct net *n);
void run_ms(struct net *n, int64_t ms);
struct sock *sock_on(struct net *n, int side, enum sock_type t,
		     enum ip_family f);
struct ip_port at(enum ip_family f, int side, uint16_t port);
struct sock *listen_on(struct net *n, int side, enum ip_family f, uint16_t port,
		       uint32_t backlog);
struct sock *connect_to(struct net *n, int side, enum ip_family f,
			const struct ip_port *to);
void send_text(struct net *n, int side, struct sock *sk, const char *t);
void expect_text(struct net *n, int side, struct sock *sk, const char *t);
unsigned events_of(struct net *n, int side, const struct sock *sk);

#endif
