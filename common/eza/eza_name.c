/*
 * eza_name.c: names and addresses. Structures of this interface hold addresses
 * of storage; these are pointers of the machine (USAGE POINTER), 8 bytes.
 */
#include "eza/eza.h"

#include "client/couplet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define NAME_MAX_EZA 255
#define HOST_ADDRS 16

/* What EZACIC08 takes apart. The interface leaves its layout to the library. */
struct eza_hostent {
	char name[NAME_MAX_EZA + 1];
	int n;
	unsigned char addr[HOST_ADDRS][4];
};

/* ADDRINFO: five fullwords, then addresses of the canonical name, of the
 * socket address and of the next element. */
struct eza_addrinfo {
	unsigned char flags[4], af[4], socktype[4], proto[4], namelen[4],
		pad[4];
	char *canonname;
	void *name;
	struct eza_addrinfo *next;
};

_Static_assert(sizeof(struct eza_addrinfo) == 48, "layout");

static void text(const void *from, int len, char *to)
{
	const char *f = from;
	size_t n = (size_t)CLAMP(len, 0, NAME_MAX_EZA);

	while (n && (f[n - 1] == ' ' || !f[n - 1]))
		n--;
	memcpy(to, f, n);
	to[n] = '\0';
}

/* Blank-padded to `len`; false: it does not fit. */
static bool put_text(const char *from, void *to, size_t len)
{
	size_t n = strlen(from);

	memset(to, ' ', len);
	memcpy(to, from, MIN(n, len));
	return n <= len;
}

/* ---- the first calls, IPv4 only
 * ----------------------------------------------------- */

static _Thread_local struct eza_hostent host;

static int store_host(const struct addrinfo *ai, const char *name)
{
	memset(&host, 0, sizeof(host));
	snprintf(host.name, sizeof(host.name), "%.*s", NAME_MAX_EZA,
		 ai && ai->ai_canonname ? ai->ai_canonname : name);
	for (; ai && host.n < HOST_ADDRS; ai = ai->ai_next) {
		struct sockaddr_in in;

		memcpy(&in, ai->ai_addr, sizeof(in));
		memcpy(host.addr[host.n++], &in.sin_addr, 4);
	}
	return host.n ? 0 : -EADDRNOTAVAIL;
}

/* NAMELEN, NAME, HOSTENT. */
long eza_gethostbyname(const struct eza_call *c)
{
	struct addrinfo hints = {.ai_family = AF_INET,
				 .ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_CANONNAME};
	struct addrinfo *ai;
	struct eza_hostent *at = &host;
	char name[NAME_MAX_EZA + 1];
	int r;

	text(c->a[1], eza_get32(c->a[0]), name);
	if (couplet_getaddrinfo(eza_stack(), name, NULL, &hints, &ai) != 0)
		return -ENOENT;
	r = store_host(ai, name);
	couplet_freeaddrinfo(eza_stack(), ai);
	memcpy(c->a[2], &at, sizeof(at));
	return r;
}

/* HOSTADR, HOSTENT. */
long eza_gethostbyaddr(const struct eza_call *c)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct eza_hostent *at = &host;

	memcpy(&in.sin_addr, c->a[0], 4);
	memset(&host, 0, sizeof(host));
	if (couplet_getnameinfo(eza_stack(), (struct sockaddr *)&in, sizeof(in),
				host.name, sizeof(host.name), NULL, 0,
				NI_NAMEREQD) != 0)
		return -ENOENT;
	host.n = 1;
	memcpy(host.addr[0], &in.sin_addr, 4);
	memcpy(c->a[1], &at, sizeof(at));
	return 0;
}

/* The first address of the stack that is not loopback. */
static bool own_address(int family, struct sockaddr_storage *ret)
{
	struct ifaddrs *all;
	bool found = false;

	if (couplet_getifaddrs(eza_stack(), &all) < 0)
		return false;
	for (struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
		struct sockaddr_in in;

		if (!i->ifa_addr || i->ifa_addr->sa_family != family)
			continue;
		memcpy(&in, i->ifa_addr, sizeof(in));
		if (family == AF_INET &&
		    ntohl(in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET)
			continue;
		memset(ret, 0, sizeof(*ret));
		memcpy(ret, i->ifa_addr,
		       family == AF_INET ? sizeof(in)
					 : sizeof(struct sockaddr_in6));
		found = true;
	}
	couplet_freeifaddrs(eza_stack(), all);
	return found;
}

long eza_gethostid(const struct eza_call *c)
{
	struct sockaddr_storage ss;
	struct sockaddr_in in;

	(void)c;
	if (!own_address(AF_INET, &ss))
		return -EADDRNOTAVAIL;
	memcpy(&in, &ss, sizeof(in));
	/* an address above 127 is negative as a fullword; no error */
	return (long)ntohl(in.sin_addr.s_addr);
}

/* NAMELEN, NAME: the name that HOST gives to the stack's own address. */
long eza_gethostname(const struct eza_call *c)
{
	struct sockaddr_storage ss;
	char name[NAME_MAX_EZA + 1] = "";
	int len = eza_get32(c->a[0]);

	if (!own_address(AF_INET, &ss) ||
	    couplet_getnameinfo(eza_stack(), (struct sockaddr *)&ss,
				sizeof(struct sockaddr_in), name, sizeof(name),
				NULL, 0, NI_NAMEREQD) != 0) {
		if (gethostname(name, sizeof(name) - 1) < 0)
			return -errno;
	}
	if (len < 1)
		return -EINVAL;
	(void)!put_text(name, c->a[1], (size_t)len);
	return 0;
}

/* ---- GETADDRINFO
 * ----------------------------------------------------------------- */

/* Flags as this interface numbers them. */
static const struct {
	int eza, linux_no;
} flags[] = {{1, AI_PASSIVE},     {2, AI_CANONNAME}, {4, AI_NUMERICHOST},
	     {8, AI_NUMERICSERV}, {16, AI_V4MAPPED}, {32, AI_ALL},
	     {64, AI_ADDRCONFIG}};

/* EAI_NONAME 1, AGAIN 2, FAIL 3, OVERFLOW 4, FAMILY 5, MEMORY 6, BADFLAGS 7,
 * SERVICE 8, SOCKTYPE 9. */
static long own_error(int eai)
{
	static const int order[] = {EAI_NONAME,   EAI_AGAIN,   EAI_FAIL,
				    EAI_OVERFLOW, EAI_FAMILY,  EAI_MEMORY,
				    EAI_BADFLAGS, EAI_SERVICE, EAI_SOCKTYPE};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (order[i] == eai)
			return -EZA_OWN_ERROR - (long)i - 1;
	}
	return eai == EAI_SYSTEM ? -errno : -EZA_OWN_ERROR - 1;
}

static void get_hints(const void *at, struct addrinfo *ret)
{
	const struct eza_addrinfo *h;
	int f, af;

	memset(ret, 0, sizeof(*ret));
	memcpy(&h, at, sizeof(h));
	if (!h)
		return;
	f = eza_get32(h->flags);
	af = eza_get32(h->af);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		ret->ai_flags |= f & flags[i].eza ? flags[i].linux_no : 0;
	ret->ai_family = af == EZA_AF_INET    ? AF_INET
			 : af == EZA_AF_INET6 ? AF_INET6
					      : AF_UNSPEC;
	ret->ai_socktype = eza_get32(h->socktype);
	ret->ai_protocol = eza_get32(h->proto);
}

/* One element, in one piece with its address and name. */
static struct eza_addrinfo *copy(const struct addrinfo *ai)
{
	size_t canon = ai->ai_canonname ? strlen(ai->ai_canonname) + 1 : 0;
	struct eza_addrinfo *e = calloc(1, sizeof(*e) + EZA_NAME6 + canon);
	bool v4 = ai->ai_family == AF_INET;
	struct sockaddr_storage ss;

	if (!e)
		return NULL;
	memset(&ss, 0, sizeof(ss));
	memcpy(&ss, ai->ai_addr, MIN(ai->ai_addrlen, sizeof(ss)));
	e->name = e + 1;
	eza_name_put(&ss, e->name);
	eza_put32(e->af, v4 ? EZA_AF_INET : EZA_AF_INET6);
	eza_put32(e->socktype, ai->ai_socktype);
	eza_put32(e->proto, ai->ai_protocol);
	eza_put32(e->namelen, v4 ? EZA_NAME : EZA_NAME6);
	if (canon) {
		e->canonname = (char *)e->name + EZA_NAME6;
		memcpy(e->canonname, ai->ai_canonname, canon);
	}
	return e;
}

static void free_all(struct eza_addrinfo *e)
{
	while (e) {
		struct eza_addrinfo *next = e->next;

		free(e);
		e = next;
	}
}

/* NODE NODELEN SERVICE SERVLEN HINTS RES CANNLEN. */
long eza_getaddrinfo(const struct eza_call *c)
{
	char node[NAME_MAX_EZA + 1], service[NAME_MAX_EZA + 1];
	struct eza_addrinfo *first = NULL, **tail = &first;
	struct addrinfo hints, *ai;
	int r;

	text(c->a[0], eza_get32(c->a[1]), node);
	text(c->a[2], eza_get32(c->a[3]), service);
	get_hints(c->a[4], &hints);
	r = couplet_getaddrinfo(eza_stack(), node[0] ? node : NULL,
				service[0] ? service : NULL, &hints, &ai);
	if (r)
		return own_error(r);
	for (struct addrinfo *i = ai; i; i = i->ai_next) {
		*tail = copy(i);
		if (!*tail) {
			free_all(first);
			couplet_freeaddrinfo(eza_stack(), ai);
			return -ENOMEM;
		}
		tail = &(*tail)->next;
	}
	eza_put32(c->a[6], first && first->canonname
				   ? (int)strlen(first->canonname)
				   : 0);
	couplet_freeaddrinfo(eza_stack(), ai);
	memcpy(c->a[5], &first, sizeof(first));
	return 0;
}

long eza_freeaddrinfo(const struct eza_call *c)
{
	struct eza_addrinfo *first;

	memcpy(&first, c->a[0], sizeof(first));
	free_all(first);
	return 0;
}

/* NAME NAMELEN HOST HOSTLEN SERVICE SERVLEN FLAGS. */
long eza_getnameinfo(const struct eza_call *c)
{
	char name[NAME_MAX_EZA + 1], service[64];
	struct sockaddr_storage ss;
	socklen_t len;
	int r = eza_name_get(c->a[0], &ss, &len), f = eza_get32(c->a[6]);

	if (r < 0)
		return r;
	r = couplet_getnameinfo(
		eza_stack(), (struct sockaddr *)&ss, len, name, sizeof(name),
		service, sizeof(service),
		(f & 2 ? NI_NUMERICHOST : 0) | (f & 4 ? NI_NAMEREQD : 0) |
			(f & 8 ? NI_NUMERICSERV : 0) | (f & 16 ? NI_DGRAM : 0));
	if (r)
		return own_error(r);
	if (!put_text(name, c->a[2], (size_t)MAX(eza_get32(c->a[3]), 0)) ||
	    !put_text(service, c->a[4], (size_t)MAX(eza_get32(c->a[5]), 0)))
		return own_error(EAI_OVERFLOW);
	return 0;
}

/* FAMILY, SRCADDR, DSTADDR, DSTLEN (halfword, in and out). */
long eza_ntop(const struct eza_call *c)
{
	bool v6 = eza_get32(c->a[0]) == EZA_AF_INET6;
	int cap = eza_get16(c->a[3]);
	char b[INET6_ADDRSTRLEN];

	if (!v6 && eza_get32(c->a[0]) != EZA_AF_INET)
		return -EAFNOSUPPORT;
	inet_ntop(v6 ? AF_INET6 : AF_INET, c->a[1], b, sizeof(b));
	if (cap < 1 || !put_text(b, c->a[2], (size_t)cap))
		return -ENOSPC;
	eza_put16(c->a[3], (int)strlen(b));
	return 0;
}

/* FAMILY, SRCADDR, SRCLEN (halfword), DSTADDR. */
long eza_pton(const struct eza_call *c)
{
	bool v6 = eza_get32(c->a[0]) == EZA_AF_INET6;
	char b[NAME_MAX_EZA + 1];

	if (!v6 && eza_get32(c->a[0]) != EZA_AF_INET)
		return -EAFNOSUPPORT;
	text(c->a[1], eza_get16(c->a[2]), b);
	return inet_pton(v6 ? AF_INET6 : AF_INET, b, c->a[3]) == 1 ? 0
								   : -EINVAL;
}

/* ---- taking results apart
 * -------------------------------------------------------- */

int EZACIC08(const void *hostent, void *name_len, void *name, void *alias_count,
	     void *alias_seq, void *alias_len, void *alias, void *addr_type,
	     void *addr_len, void *addr_count, void *addr_seq, void *addr,
	     void *retcode)
{
	const struct eza_hostent *h;
	int seq = eza_get16(addr_seq);

	memcpy(&h, hostent, sizeof(h));
	if (!h || seq < 0 || seq > h->n) {
		eza_put32(retcode, -1);
		return 0;
	}
	seq = MAX(seq, 1);
	eza_put16(name_len, (int)strlen(h->name));
	(void)!put_text(h->name, name, NAME_MAX_EZA);
	/* the stack's tables know no aliases */
	eza_put16(alias_count, 0);
	eza_put16(alias_seq, 0);
	eza_put16(alias_len, 0);
	memset(alias, ' ', NAME_MAX_EZA);
	eza_put16(addr_type, EZA_AF_INET);
	eza_put16(addr_len, 4);
	eza_put16(addr_count, h->n);
	memcpy(addr, h->addr[seq - 1], 4);
	eza_put16(addr_seq, seq + 1);
	eza_put32(retcode, 0);
	return 0;
}

int EZACIC09(const void *res, void *name_len, void *name, void *addr,
	     void *next, void *retcode)
{
	const struct eza_addrinfo *e;

	memcpy(&e, res, sizeof(e));
	eza_put32(retcode, e ? 0 : -1);
	if (!e)
		return 0;
	memcpy(name_len, e->namelen, 4);
	(void)!put_text(e->canonname ? e->canonname : "", name, 256);
	memcpy(addr, &e->name, sizeof(e->name));
	memcpy(next, &e->next, sizeof(e->next));
	return 0;
}
