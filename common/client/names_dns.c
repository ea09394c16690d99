/*
 * names_dns.c: the DNS servers of the stack, asked with c-ares over sockets
 * of the stack. c-ares is loaded when the first question is asked: most
 * programs never ask, and none gets it into its process for nothing.
 */
#include "client/couplet.h"
#include "client/names.h"
#include "client/names_cache.h"
#include "client/op.h"

#include <ares.h>
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DNS_TIMEOUT_MS 2000
#define DNS_TRIES 3

#define ARES_LIST(X) \
	X(ares_library_init) \
	X(ares_init_options) \
	X(ares_destroy) \
	X(ares_set_servers_ports) \
	X(ares_set_socket_functions) \
	X(ares_getaddrinfo) \
	X(ares_send) \
	X(ares_freeaddrinfo) \
	X(ares_gethostbyaddr) \
	X(ares_getsock) \
	X(ares_timeout) \
	X(ares_process_fd)

struct ares {
#define ARES_FIELD(f) __typeof__(&f) f;
	ARES_LIST(ARES_FIELD)
};

static const char *const ares_names[] = {
#define ARES_NAME(f) #f,
	ARES_LIST(ARES_NAME)};

_Static_assert(sizeof(struct ares) == ARRAY_SIZE(ares_names) * sizeof(void *),
	       "a name for each function");

/* Loaded once; two threads that come first load the same. */
static const struct ares *load(void)
{
	static struct ares table;
	static _Atomic int state; /* 0 not tried, 1 ready, -1 missing */
	void *f[ARRAY_SIZE(ares_names)], *h;
	int s = atomic_load(&state);

	if (s)
		return s > 0 ? &table : NULL;
	h = dlopen("libcares.so.2", RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; h && i < ARRAY_SIZE(f); i++) {
		f[i] = dlsym(h, ares_names[i]);
		if (!f[i])
			h = NULL;
	}
	if (!h) {
		atomic_store(&state, -1);
		return NULL;
	}
	memcpy(&table, f, sizeof(table));
	table.ares_library_init(ARES_LIB_INIT_ALL);
	atomic_store(&state, 1);
	return &table;
}

/* ---- c-ares on our sockets
 * ---------------------------------------------------------- */

static ares_socket_t dns_socket(int domain, int type, int protocol, void *arg)
{
	const unsigned *id = arg;
	int fd = op_socket(*id, domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC,
			   protocol);

	if (fd >= 0)
		return fd;
	errno = -fd;
	return -1;
}

static int dns_close(ares_socket_t fd, void *arg)
{
	(void)arg;
	return close(fd);
}

static int dns_connect(ares_socket_t fd, const struct sockaddr *sa,
		       ares_socklen_t len, void *arg)
{
	(void)arg;
	return couplet_connect(fd, sa, len);
}

static ares_ssize_t dns_recv(ares_socket_t fd, void *b, size_t n, int flags,
			     struct sockaddr *sa, ares_socklen_t *len,
			     void *arg)
{
	(void)arg;
	return couplet_recvfrom(fd, b, n, flags, sa, len);
}

static ares_ssize_t dns_send(ares_socket_t fd, const struct iovec *v, int n,
			     void *arg)
{
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)v,
			   .msg_iovlen = (size_t)n};

	(void)arg;
	return couplet_sendmsg(fd, &m, MSG_NOSIGNAL);
}

static const struct ares_socket_functions functions = {
	dns_socket, dns_close, dns_connect, dns_recv, dns_send};

/* ---- a channel for one question
 * -------------------------------------------------------- */

static void set_servers(const struct ares *a, ares_channel ch,
			const struct proto_config *cf)
{
	struct ares_addr_port_node nodes[8];
	uint32_t n = MIN(cf->n_dns, 8u);

	memset(nodes, 0, sizeof(nodes));
	for (uint32_t i = 0; i < n; i++) {
		bool v4 = cf->dns[i].family == IP_V4;

		nodes[i].next = i + 1 < n ? &nodes[i + 1] : NULL;
		nodes[i].family = v4 ? AF_INET : AF_INET6;
		memcpy(&nodes[i].addr, cf->dns[i].b, v4 ? 4 : 16);
	}
	a->ares_set_servers_ports(ch, nodes);
}

static int open_channel(const struct ares *a, unsigned *id,
			const struct proto_config *cf, ares_channel *ret)
{
	struct ares_options o;
	char lookups[] = "b";
	int r;

	memset(&o, 0, sizeof(o));
	o.flags = ARES_FLAG_NOALIASES | ARES_FLAG_NOSEARCH;
	o.timeout = DNS_TIMEOUT_MS;
	o.tries = DNS_TRIES;
	o.lookups = lookups;
	/* no domains: the search list is gone through here, and that of
	 * /etc/resolv.conf is not ours */
	o.ndomains = 0;
	r = a->ares_init_options(ret, &o,
				 ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS |
					 ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
					 ARES_OPT_DOMAINS);
	if (r != ARES_SUCCESS)
		return EAI_MEMORY;
	set_servers(a, *ret, cf);
	a->ares_set_socket_functions(*ret, &functions, id);
	return 0;
}

static void run(const struct ares *a, ares_channel ch, const bool *done)
{
	while (!*done) {
		ares_socket_t s[ARES_GETSOCK_MAXNUM];
		struct pollfd p[ARES_GETSOCK_MAXNUM];
		struct timeval tv, *t;
		unsigned bits =
			(unsigned)a->ares_getsock(ch, s, ARES_GETSOCK_MAXNUM);
		nfds_t n = 0;

		for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
			short ev = 0;

			/* not c-ares' macros: they shift a signed 1 by 31 */
			if (bits >> i & 1)
				ev |= POLLIN;
			if (bits >> (i + ARES_GETSOCK_MAXNUM) & 1)
				ev |= POLLOUT;
			if (ev)
				p[n++] = (struct pollfd){s[i], ev, 0};
		}
		t = a->ares_timeout(ch, NULL, &tv);
		if (!n && !t)
			return;
		if (poll(p, n,
			 t ? (int)(t->tv_sec * 1000 + t->tv_usec / 1000) + 1
			   : -1) < 0)
			n = 0;
		a->ares_process_fd(ch, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
		for (nfds_t i = 0; i < n; i++) {
			if (!p[i].revents)
				continue;
			a->ares_process_fd(
				ch,
				p[i].events & POLLIN ? p[i].fd
						     : ARES_SOCKET_BAD,
				p[i].events & POLLOUT ? p[i].fd
						      : ARES_SOCKET_BAD);
		}
	}
}

static int eai(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return 0;
	case ARES_ENOTFOUND:
	case ARES_EBADNAME:
		return EAI_NONAME;
	case ARES_ENODATA:
		return EAI_NODATA;
	case ARES_ENOMEM:
		return EAI_MEMORY;
	case ARES_EREFUSED:
	case ARES_EFORMERR:
	case ARES_ENOTIMP:
		return EAI_FAIL;
	default: /* timeout, refused connection, SERVFAIL */
		return EAI_AGAIN;
	}
}

/* ---- forward
 * ---------------------------------------------------------------------------
 */

struct question {
	const struct ares *a;
	struct names_list *list;
	uint32_t ttl_s; /* the least of the answers */
	char *name;
	size_t len;
	int result;
	bool done;
};

static void on_addrs(void *arg, int status, int timeouts,
		     struct ares_addrinfo *ai)
{
	struct question *q = arg;

	(void)timeouts;
	q->done = true;
	q->result = eai(status);
	if (status != ARES_SUCCESS)
		return;
	for (struct ares_addrinfo_node *n = ai->nodes; n; n = n->ai_next) {
		struct ip_port p;

		if (q->list->n < NAMES_ADDRS_MAX &&
		    ip_port_from_sockaddr(n->ai_addr, n->ai_addrlen, &p) == 0) {
			q->list->a[q->list->n++] = p;
			q->ttl_s = MIN(q->ttl_s, (uint32_t)MAX(n->ai_ttl, 0));
		}
	}
	if (ai->name)
		snprintf(q->list->canon, sizeof(q->list->canon), "%s",
			 ai->name);
	for (struct ares_addrinfo_cname *c = ai->cnames; c; c = c->next) {
		q->ttl_s = MIN(q->ttl_s, (uint32_t)MAX(c->ttl, 0));
		if (c->name)
			snprintf(q->list->canon, sizeof(q->list->canon), "%s",
				 c->name);
	}
	q->a->ares_freeaddrinfo(ai);
}

static int64_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* FNV-1a over what decides about an answer. */
static uint64_t servers_hash(unsigned id, const struct proto_config *cf)
{
	const uint8_t *b = (const uint8_t *)cf;
	uint64_t h = 14695981039346656037u ^ id;

	for (size_t i = 0; i < sizeof(*cf); i++)
		h = (h ^ b[i]) * 1099511628211u;
	return h;
}

static int ask(const struct ares *a, unsigned id, const struct proto_config *cf,
	       const char *name, int family, struct names_list *ret,
	       uint32_t *ret_ttl_s)
{
	struct ares_addrinfo_hints h = {.ai_flags = ARES_AI_NOSORT,
					.ai_family = family};
	struct question q = {.a = a, .list = ret, .ttl_s = UINT32_MAX};
	ares_channel ch;
	int r = open_channel(a, &id, cf, &ch);

	if (r)
		return r;
	a->ares_getaddrinfo(ch, name, NULL, &h, on_addrs, &q);
	run(a, ch, &q.done);
	a->ares_destroy(ch);
	*ret_ttl_s = q.ttl_s;
	return q.done ? q.result : EAI_AGAIN;
}

/* The first name of the search list that exists; a server that does not know
 * one domain may know the next. */
int names_dns(unsigned id, const struct proto_config *cf, const char *name,
	      int family, struct names_list *ret)
{
	uint64_t servers = servers_hash(id, cf);
	const struct ares *a;
	int r = EAI_NONAME, first = EAI_NONAME;
	bool again = false;
	char full[256];

	if (!cf->n_dns)
		return EAI_NONAME;
	if (names_cache_get(name, family, servers, now_s(), ret))
		return 0;
	a = load();
	if (!a)
		return EAI_FAIL;
	for (unsigned i = 0; names_candidate(cf, name, i, full, sizeof(full));
	     i++) {
		uint32_t ttl_s;

		r = ask(a, id, cf, full, family, ret, &ttl_s);
		if (r == 0) {
			names_cache_put(name, family, servers, now_s(), ttl_s,
					ret);
			return 0;
		}
		if (r == EAI_MEMORY)
			return r;
		again |= r == EAI_AGAIN;
		if (i == 0)
			first = r;
	}
	/* what the servers said of a name with a dot as it is, counts most */
	if (strchr(name, '.'))
		return first;
	return again ? EAI_AGAIN : r;
}

/* ---- reverse
 * ---------------------------------------------------------------------------
 */

static void on_host(void *arg, int status, int timeouts, struct hostent *he)
{
	struct question *q = arg;

	(void)timeouts;
	q->done = true;
	q->result = eai(status);
	if (status != ARES_SUCCESS)
		return;
	if (!he->h_name || strlen(he->h_name) >= q->len)
		q->result = EAI_OVERFLOW;
	else
		memcpy(q->name, he->h_name, strlen(he->h_name) + 1);
}

int names_dns_reverse(unsigned id, const struct proto_config *cf,
		      const struct ip_addr *addr, char *name, size_t len)
{
	struct question q = {.name = name, .len = len};
	bool v4 = addr->family == IP_V4;
	ares_channel ch;
	int r;

	if (!cf->n_dns)
		return EAI_NONAME;
	q.a = load();
	if (!q.a)
		return EAI_FAIL;
	r = open_channel(q.a, &id, cf, &ch);
	if (r)
		return r;
	q.a->ares_gethostbyaddr(ch, addr->b, v4 ? 4 : 16,
				v4 ? AF_INET : AF_INET6, on_host, &q);
	run(q.a, ch, &q.done);
	q.a->ares_destroy(ch);
	return q.done ? q.result : EAI_AGAIN;
}

/* ---- messages as they are
 * ----------------------------------------------------------------- */

struct raw {
	unsigned char *answer;
	int cap, len;
	bool done;
};

static void on_message(void *arg, int status, int timeouts, unsigned char *msg,
		       int len)
{
	struct raw *w = arg;

	(void)status;
	(void)timeouts;
	w->done = true;
	/* an answer that says "no" is an answer */
	w->len = msg ? len : EAI_AGAIN;
	if (msg)
		memcpy(w->answer, msg, (size_t)MIN(len, w->cap));
}

int names_dns_send(unsigned id, const unsigned char *msg, int len,
		   unsigned char *answer, int cap)
{
	struct raw w = {.answer = answer, .cap = cap, .len = EAI_AGAIN};
	const struct ares *a = load();
	struct proto_config cf;
	ares_channel ch;
	int r;

	if (!a || names_config(id, &cf) < 0 || !cf.n_dns)
		return EAI_AGAIN;
	r = open_channel(a, &id, &cf, &ch);
	if (r)
		return r;
	a->ares_send(ch, msg, len, on_message, &w);
	run(a, ch, &w.done);
	a->ares_destroy(ch);
	return w.len;
}
