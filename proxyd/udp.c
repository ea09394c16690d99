#include "udp.h"

#include "client/couplet.h"
#include "daemon/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BUCKETS 1024
#define ROUND 64 /* datagrams before others have a turn */

struct udp_flow {
	struct list bucket; /* of udp.buckets */
	struct list all;    /* of udp.flows */
	struct udp *u;
	struct relay_watch watch; /* towards the server */
	struct relay_timer timer;
	struct ip_port client, server;
	struct ip_addr local;  /* what the client sent to; IP_NONE: unknown */
	struct target *target; /* NULL once its PROXY is no longer in force */
	mono_t begun, last;
	uint64_t bytes[2], datagrams[2];
	struct relay_corpse corpse;
};

struct udp {
	struct proxy *px;
	struct proxyd *pd;
	struct relay_watch watch;
	struct list flows;
	struct list buckets[BUCKETS];
	struct relay_corpse corpse;
};

/* ---- one datagram
 * --------------------------------------------------------------- */

union control {
	char buf[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct cmsghdr align;
};

static void local_address(struct msghdr *m, struct ip_addr *ret)
{
	*ret = (struct ip_addr){.family = IP_NONE};
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		if (h->cmsg_level == IPPROTO_IP && h->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo p;

			memcpy(&p, CMSG_DATA(h), sizeof p);
			*ret = ip_from_bytes(IP_V4,
					     (const uint8_t *)&p.ipi_addr);
		} else if (h->cmsg_level == IPPROTO_IPV6 &&
			   h->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo p;

			memcpy(&p, CMSG_DATA(h), sizeof p);
			*ret = ip_from_bytes(IP_V6, p.ipi6_addr.s6_addr);
		}
	}
}

/* Bytes at relay_scratch(), or negative errno. */
static ssize_t take(struct udp *u, struct ip_port *from, struct ip_addr *local)
{
	struct sockaddr_storage sa;
	union control control;
	struct iovec io = {relay_scratch(u->pd->set), RELAY_CHUNK};
	struct msghdr m = {.msg_name = &sa,
			   .msg_namelen = sizeof sa,
			   .msg_iov = &io,
			   .msg_iovlen = 1,
			   .msg_control = control.buf,
			   .msg_controllen = sizeof control.buf};
	ssize_t n = couplet_recvmsg(u->watch.fd, &m, MSG_DONTWAIT);
	int r;

	if (n < 0)
		return -errno;
	r = ip_port_from_sockaddr((struct sockaddr *)&sa, m.msg_namelen, from);
	local_address(&m, local);
	return r < 0 ? r : n;
}

static void put_local(struct msghdr *m, union control *c,
		      const struct ip_addr *local)
{
	struct in_pktinfo p4 = {.ipi_ifindex = 0};
	struct in6_pktinfo p6 = {.ipi6_ifindex = 0};
	bool v4 = local->family == IP_V4;
	size_t len = v4 ? sizeof p4 : sizeof p6;
	struct cmsghdr *h;

	if (local->family == IP_NONE)
		return;
	memcpy(&p4.ipi_spec_dst, local->b, sizeof p4.ipi_spec_dst);
	memcpy(&p6.ipi6_addr, local->b, sizeof p6.ipi6_addr);
	memset(c, 0, sizeof *c);
	m->msg_control = c->buf;
	m->msg_controllen = CMSG_SPACE(len);
	h = CMSG_FIRSTHDR(m);
	h->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	h->cmsg_type = v4 ? IP_PKTINFO : IPV6_PKTINFO;
	h->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(h), v4 ? (void *)&p4 : (void *)&p6, len);
}

static bool to_client(const struct udp_flow *f, size_t len)
{
	struct sockaddr_storage sa;
	union control control;
	struct iovec io = {relay_scratch(f->u->pd->set), len};
	struct msghdr m = {.msg_name = &sa,
			   .msg_namelen = ip_port_to_sockaddr(&f->client, &sa),
			   .msg_iov = &io,
			   .msg_iovlen = 1};

	put_local(&m, &control, &f->local);
	return couplet_sendmsg(f->u->watch.fd, &m,
			       MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* ---- flows
 * ---------------------------------------------------------------------- */

static void log_flow(const struct udp_flow *f)
{
	const struct proxyd *pd = f->u->pd;
	char client[PORT_TEXT_MAX], server[PORT_TEXT_MAX];
	unsigned long long in = f->bytes[0], out = f->bytes[1];
	unsigned long long n_in = f->datagrams[0], n_out = f->datagrams[1];

	if (pd->deck.log != TLSDECK_LOG_ALL)
		return;
	log_every(MSG_CPLT618I, ip_port_format(&f->client, client),
		  f->u->px->label, ip_port_format(&f->server, server), n_in, in,
		  n_out, out);
}

static void flow_end(struct udp_flow *f)
{
	struct proxyd *pd = f->u->pd;

	log_flow(f);
	list_remove(&f->bucket);
	list_remove(&f->all);
	if (f->target)
		f->target->conns--;
	pd->n_udp--;
	relay_watch_close(pd->set, &f->watch);
	relay_timer_set(pd->set, &f->timer, MONO_NEVER);
	relay_bury(pd->set, &f->corpse, f);
}

static void on_timer(struct relay_timer *t, mono_t now)
{
	struct udp_flow *f = container_of(t, struct udp_flow, timer);
	mono_t at = mono_add(f->last, f->u->px->conf.set.udp_timeout);

	if (mono_lt(now, at))
		relay_timer_set(f->u->pd->set, t, at);
	else
		flow_end(f);
}

static void count(struct udp_flow *f, int side, size_t len, bool sent)
{
	struct proxyd *pd = f->u->pd;

	f->last = relay_now(pd->set);
	if (!sent) {
		pd->count.udp_dropped++;
		return;
	}
	f->bytes[side] += len;
	f->datagrams[side]++;
	pd->count.udp_datagrams[side]++;
}

static void on_server(struct relay_watch *w, mono_t now)
{
	struct udp_flow *f = container_of(w, struct udp_flow, watch);
	struct relay_set *s = f->u->pd->set;

	(void)now;
	for (int i = 0; i < ROUND; i++) {
		ssize_t n = couplet_recv(w->fd, relay_scratch(s), RELAY_CHUNK,
					 MSG_DONTWAIT);

		/* a refused port is told by ICMP: the client hears nothing,
		 * as it would if nobody answered */
		if (n < 0 && errno != ECONNREFUSED)
			return;
		if (n >= 0)
			count(f, 1, (size_t)n, to_client(f, (size_t)n));
	}
	relay_watch_again(s, w);
}

static struct list *bucket_of(struct udp *u, const struct ip_port *client)
{
	/* ports of one client differ; who aims at a bucket with addresses of
	 * his own slows down himself, up to LIMIT UDPFLOWS */
	uint32_t h = client->port;

	for (size_t i = 0; i < ip_addr_len(&client->addr); i++)
		h = h * 31 + client->addr.b[i];
	return &u->buckets[(h ^ h >> 10) % BUCKETS];
}

static struct udp_flow *find(struct udp *u, const struct ip_port *client)
{
	struct list *bucket = bucket_of(u, client);

	LIST_FOREACH (it, bucket) {
		struct udp_flow *f = container_of(it, struct udp_flow, bucket);

		if (f->client.port == client->port &&
		    f->client.scope == client->scope &&
		    ip_eq(&f->client.addr, &client->addr))
			return f;
	}
	return NULL;
}

/* A socket connected to a target of the PROXY, or negative errno. */
static int open_server(struct udp *u, struct target **ret_target,
		       struct ip_port *ret_to)
{
	struct sockaddr_storage sa;
	target_set tried = 0;
	struct target *t = target_pick(&u->px->group, &tried);
	socklen_t len;
	int fd, r;

	while (t && !t->n_addrs)
		t = target_pick(&u->px->group, &tried);
	if (!t)
		return -EADDRNOTAVAIL;
	*ret_to = (struct ip_port){.addr = t->addrs[0], .port = t->port};
	fd = proxyd_socket(u->pd, ret_to->addr.family, true);
	if (fd < 0)
		return fd;
	len = ip_port_to_sockaddr(ret_to, &sa);
	if (couplet_connect(fd, (struct sockaddr *)&sa, len) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	*ret_target = t;
	return fd;
}

static struct udp_flow *flow_begin(struct udp *u, const struct ip_port *client,
				   const struct ip_addr *local)
{
	struct proxyd *pd = u->pd;
	struct udp_flow *f;
	int fd;

	if (pd->n_udp >= pd->deck.flow_max ||
	    !proxy_admits(u->px, &client->addr)) {
		pd->count.udp_limited++;
		return NULL;
	}
	f = calloc(1, sizeof *f);
	if (!f)
		return NULL;
	relay_watch_init(&f->watch, on_server);
	relay_timer_init(&f->timer, on_timer);
	f->u = u;
	f->client = *client;
	f->local = *local;
	fd = open_server(u, &f->target, &f->server);
	if (fd < 0 || relay_watch_add(pd->set, &f->watch, fd) < 0) {
		if (fd >= 0)
			close(fd);
		free(f);
		return NULL;
	}
	f->target->conns++;
	f->target->total++;
	f->begun = f->last = relay_now(pd->set);
	list_push_tail(bucket_of(u, client), &f->bucket);
	list_push_tail(&u->flows, &f->all);
	pd->n_udp++;
	pd->count.udp_flows++;
	relay_timer_set(pd->set, &f->timer,
			mono_add(f->last, u->px->conf.set.udp_timeout));
	return f;
}

static void on_client(struct relay_watch *w, mono_t now)
{
	struct udp *u = container_of(w, struct udp, watch);

	(void)now;
	for (int i = 0; i < ROUND; i++) {
		struct ip_port from;
		struct ip_addr local;
		ssize_t n = take(u, &from, &local);
		struct udp_flow *f;

		if (n == -EAGAIN)
			return;
		if (n < 0)
			continue; /* an error of one that we sent */
		f = find(u, &from);
		if (!f)
			f = flow_begin(u, &from, &local);
		if (f)
			count(f, 0, (size_t)n,
			      couplet_send(f->watch.fd,
					   relay_scratch(u->pd->set), (size_t)n,
					   MSG_DONTWAIT | MSG_NOSIGNAL) >= 0);
		else
			u->pd->count.udp_dropped++;
	}
	relay_watch_again(u->pd->set, w);
}

/* ---- the face
 * ------------------------------------------------------------------- */

int udp_new(struct proxy *px, int fd, struct udp **ret)
{
	struct udp *u = calloc(1, sizeof *u);
	int one = 1, r;

	if (!u)
		return -ENOMEM;
	u->px = px;
	u->pd = px->pd;
	list_init(&u->flows);
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&u->buckets[i]);
	relay_watch_init(&u->watch, on_client);
	if (px->conf.client.family == IP_V4)
		(void)!couplet_setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one,
					  sizeof one);
	else
		(void)!couplet_setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO,
					  &one, sizeof one);
	r = relay_watch_add(px->pd->set, &u->watch, fd);
	if (r < 0) {
		free(u);
		return r;
	}
	*ret = u;
	return 0;
}

void udp_free(struct udp *u)
{
	if (!u)
		return;
	LIST_FOREACH_SAFE (it, &u->flows)
		flow_end(container_of(it, struct udp_flow, all));
	relay_watch_close(u->pd->set, &u->watch);
	relay_bury(u->pd->set, &u->corpse, u);
}

void udp_move(struct udp *u, struct proxy *px)
{
	LIST_FOREACH (it, &u->flows) {
		struct udp_flow *f = container_of(it, struct udp_flow, all);

		if (f->target)
			f->target->conns--;
		f->target = NULL;
	}
	u->px = px;
}

bool udp_next(const struct udp *u, const void **it, struct udp_info *ret)
{
	const struct list *n =
		*it ? ((const struct list *)*it)->next : u->flows.next;
	const struct udp_flow *f;

	if (n == &u->flows)
		return false;
	*it = n;
	f = container_of((struct list *)(uintptr_t)n, struct udp_flow, all);
	*ret = (struct udp_info){
		.client = f->client,
		.server = f->server,
		.bytes = {f->bytes[0], f->bytes[1]},
		.datagrams = {f->datagrams[0], f->datagrams[1]},
		.begun = f->begun,
		.last = f->last,
	};
	return true;
}
