/*
 * names.c: getaddrinfo() and getnameinfo().
 */
#include "client/names.h"

#include "client/ctl.h"
#include "client/names_order.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERV_BUF 4096
#define DNS_MAX ARRAY_SIZE(((struct proto_config *)0)->dns)

/* ---- asking the stack
 * ------------------------------------------------------------ */

static int config_of(unsigned id, struct proto_config *ret)
{
	struct proto_req rq = {.op = PROTO_CONFIG, .flags = PROTO_F_NOSOCK};
	struct proto_rep rep;
	int r = ctl_call(id, -1, &rq, &rep, ret, sizeof(*ret));

	if (r == 0 && rep.data_len != sizeof(*ret))
		r = -EPROTO;
	return r;
}

int names_config(unsigned id, struct proto_config *ret)
{
	unsigned other = ctl_couple(id);
	struct proto_config more;
	int r = config_of(id, ret);

	if (other == id || config_of(other, &more) < 0)
		return r;
	if (r < 0) {
		*ret = more;
		return 0;
	}
	ret->has_v4 |= more.has_v4;
	ret->has_v6 |= more.has_v6;
	for (uint32_t i = 0; i < MIN(more.n_dns, (uint32_t)DNS_MAX); i++) {
		if (ret->n_dns < DNS_MAX)
			ret->dns[ret->n_dns++] = more.dns[i];
	}
	if (!ret->search[0])
		memcpy(ret->search, more.search, sizeof(ret->search));
	return 0;
}

static bool wanted(const struct ip_addr *a, int family)
{
	return family == AF_UNSPEC ||
	       a->family == (family == AF_INET ? IP_V4 : IP_V6);
}

static void add(struct names_list *l, const struct ip_addr *a, int family)
{
	if (l->n < NAMES_ADDRS_MAX && wanted(a, family))
		l->a[l->n++] = (struct ip_port){.addr = *a};
}

/* True: the HOST table knows the name (maybe not in this family). */
static bool from_table_of(unsigned id, const char *name, int family,
			  struct names_list *ret)
{
	struct proto_req rq = {.op = PROTO_HOST, .flags = PROTO_F_NOSOCK};
	struct proto_addr got[NAMES_ADDRS_MAX];
	struct proto_rep rep;
	size_t n = strlen(name);

	if (n >= PROTO_TEXT_MAX)
		return false;
	memcpy(rq.text, name, n);
	rq.text_len = (uint16_t)n;
	if (ctl_call(id, -1, &rq, &rep, got, sizeof(got)) < 0)
		return false;
	for (size_t i = 0; i < rep.data_len / sizeof(got[0]); i++) {
		struct ip_port p;

		if (proto_addr_get(&got[i], &p) == 0)
			add(ret, &p.addr, family);
	}
	return true;
}

static bool from_table(unsigned id, const char *name, int family,
		       struct names_list *ret)
{
	unsigned other = ctl_couple(id);
	bool known = from_table_of(id, name, family, ret);

	if (other != id && from_table_of(other, name, family, ret))
		known = true;
	return known;
}

/* RFC 6761 6.3: localhost needs no server. */
static bool is_localhost(const char *name)
{
	size_t n = strlen(name);

	if (n && name[n - 1] == '.')
		n--;
	return (n == 9 && !strncasecmp(name, "localhost", 9)) ||
	       (n > 10 && !strncasecmp(name + n - 10, ".localhost", 10));
}

/* ---- order
 * -------------------------------------------------------------------------- */

/* The source that the stack would use; family IP_NONE: none. */
static struct ip_addr source_for(unsigned id, const struct ip_port *to)
{
	struct proto_req rq = {.op = PROTO_ROUTESRC, .flags = PROTO_F_NOSOCK};
	struct ip_port src = {0};
	struct proto_rep rep;

	if (to->addr.family == IP_V4)
		id = ctl_couple(id);
	proto_addr_put(to, &rq.addr);
	if (ctl_call(id, -1, &rq, &rep, NULL, 0) < 0 ||
	    proto_addr_get(&rep.local, &src) < 0)
		src.addr.family = IP_NONE;
	return src.addr;
}

static void order(unsigned id, struct names_list *l)
{
	struct names_dest d[NAMES_ADDRS_MAX];

	if (l->n < 2)
		return;
	for (size_t i = 0; i < l->n; i++) {
		d[i].to = l->a[i];
		d[i].src = source_for(id, &l->a[i]);
	}
	names_order(d, l->n);
	for (size_t i = 0; i < l->n; i++)
		l->a[i] = d[i].to;
}

/* ---- look-up
 * ------------------------------------------------------------------------- */

/* "1.2.3.4", "127.1" as inet_aton() reads it, "fe80::1%2", "fe80::1%OSA0". */
int names_number(unsigned id, const char *name, struct ip_port *ret)
{
	char b[ADDR_TEXT_MAX];
	const char *pct = strchr(name, '%');
	struct in_addr in;
	size_t n = pct ? (size_t)(pct - name) : strlen(name);
	char *end;

	if (n >= sizeof(b))
		return -EINVAL;
	memcpy(b, name, n);
	b[n] = '\0';
	*ret = (struct ip_port){0};
	if (!pct && !strchr(b, ':') && inet_aton(b, &in)) {
		ret->addr = ip_from_bytes(IP_V4, (const uint8_t *)&in.s_addr);
		return 0;
	}
	if (ip_parse(b, &ret->addr) < 0)
		return -EINVAL;
	if (!pct)
		return 0;
	if (ret->addr.family != IP_V6 || !pct[1])
		return -EINVAL;
	ret->scope = (uint32_t)strtoul(pct + 1, &end, 10);
	if (*end)
		ret->scope = names_if_index(id, pct + 1);
	return ret->scope ? 0 : -EINVAL;
}

int names_lookup(unsigned id, const char *name, int family, bool addrconfig,
		 struct names_list *ret)
{
	struct ip_addr a4 = ip_loopback(IP_V4), a6 = ip_loopback(IP_V6);
	struct proto_config cf;
	bool known;
	int r = names_config(id, &cf);

	if (r < 0) {
		errno = -r;
		return EAI_SYSTEM;
	}
	if (addrconfig && family == AF_UNSPEC && cf.has_v4 != cf.has_v6)
		family = cf.has_v4 ? AF_INET : AF_INET6;
	snprintf(ret->canon, sizeof(ret->canon), "%s", name);
	known = from_table(id, name, family, ret);
	if (!known && is_localhost(name)) {
		known = true;
		add(ret, &a6, family);
		add(ret, &a4, family);
	}
	if (!known) {
		r = names_dns(id, &cf, name, family, ret);
		if (r)
			return r;
	}
	if (!ret->n)
		return known ? EAI_ADDRFAMILY : EAI_NONAME;
	order(id, ret);
	return 0;
}

int names_reverse(unsigned id, const struct ip_addr *a, char *name, size_t len)
{
	struct proto_req rq = {.op = PROTO_HOSTREV, .flags = PROTO_F_NOSOCK};
	struct ip_port p = {.addr = *a};
	struct proto_config cf;
	struct proto_rep rep;
	char got[256];
	int r;

	if (ip_is_v4_mapped(&p.addr))
		p.addr = ip_mapped_to_v4(&p.addr);
	proto_addr_put(&p, &rq.addr);
	r = ctl_call(id, -1, &rq, &rep, got, sizeof(got));
	if (r < 0 && ctl_couple(id) != id)
		r = ctl_call(ctl_couple(id), -1, &rq, &rep, got, sizeof(got));
	if (r == 0 && rep.data_len && rep.data_len <= sizeof(got)) {
		got[rep.data_len - 1] = '\0';
		if (strlen(got) >= len)
			return EAI_OVERFLOW;
		memcpy(name, got, strlen(got) + 1);
		return 0;
	}
	if (ip_is_loopback(&p.addr)) {
		if (len < sizeof("localhost"))
			return EAI_OVERFLOW;
		memcpy(name, "localhost", sizeof("localhost"));
		return 0;
	}
	if (names_config(id, &cf) < 0)
		return EAI_AGAIN;
	return names_dns_reverse(id, &cf, &p.addr, name, len);
}

/* ---- services
 * ------------------------------------------------------------------------- */

struct kind {
	int type, proto;
	const char *name;
};

static const struct kind kinds[] = {{SOCK_STREAM, IPPROTO_TCP, "tcp"},
				    {SOCK_DGRAM, IPPROTO_UDP, "udp"},
				    {SOCK_RAW, 0, NULL}};

struct service {
	int type, proto;
	uint16_t port;
};

static bool port_of(const char *service, const struct kind *k, int flags,
		    uint16_t *ret, bool *ret_numeric)
{
	char buf[SERV_BUF], *end;
	struct servent se, *got = NULL;
	unsigned long v;

	*ret_numeric = true;
	*ret = 0;
	if (!service)
		return true;
	v = strtoul(service, &end, 10);
	if (*service && !*end) {
		*ret = (uint16_t)v;
		return v <= UINT16_MAX;
	}
	*ret_numeric = false;
	if (flags & AI_NUMERICSERV || !k->name ||
	    getservbyname_r(service, k->name, &se, buf, sizeof(buf), &got) !=
		    0 ||
	    !got)
		return false;
	*ret = ntohs((uint16_t)got->s_port);
	return true;
}

static int services(const char *service, const struct addrinfo *h,
		    struct service *ret, size_t *ret_n)
{
	size_t n = 0;
	bool fits = false;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind *k = &kinds[i];
		bool numeric;
		uint16_t port;

		if ((h->ai_socktype && h->ai_socktype != k->type) ||
		    (h->ai_protocol && k->proto && h->ai_protocol != k->proto))
			continue;
		fits = true;
		if (!port_of(service, k, h->ai_flags, &port, &numeric))
			continue;
		ret[n++] = (struct service){
			k->type, k->proto ? k->proto : h->ai_protocol, port};
	}
	*ret_n = n;
	if (n)
		return 0;
	if (!fits)
		return h->ai_socktype ? EAI_SOCKTYPE : EAI_SERVICE;
	return h->ai_flags & AI_NUMERICSERV ? EAI_NONAME : EAI_SERVICE;
}

/* ---- getaddrinfo
 * ------------------------------------------------------------------------ */

struct node { /* one allocation per element */
	struct addrinfo ai;
	union {
		struct sockaddr_storage ss;
		struct sockaddr sa;
	} u;
	char canon[];
};

static int append(struct addrinfo ***tail, const struct ip_port *addr,
		  const struct service *s, const char *canon)
{
	size_t extra = canon ? strlen(canon) + 1 : 0;
	struct node *n = calloc(1, sizeof(*n) + extra);
	struct ip_port p = *addr;

	if (!n)
		return EAI_MEMORY;
	p.port = s->port;
	n->ai.ai_addrlen = ip_port_to_sockaddr(&p, &n->u.ss);
	n->ai.ai_family = n->u.ss.ss_family;
	n->ai.ai_socktype = s->type;
	n->ai.ai_protocol = s->proto;
	n->ai.ai_addr = &n->u.sa;
	if (canon) {
		memcpy(n->canon, canon, extra);
		n->ai.ai_canonname = n->canon;
	}
	**tail = &n->ai;
	*tail = &n->ai.ai_next;
	return 0;
}

void names_freeaddrinfo(struct addrinfo *res)
{
	while (res) {
		struct addrinfo *next = res->ai_next;

		free(res); /* first member of its struct node */
		res = next;
	}
}

static void without_node(const struct addrinfo *h, struct names_list *l)
{
	struct ip_addr a4 =
		h->ai_flags & AI_PASSIVE ? ip_any(IP_V4) : ip_loopback(IP_V4);
	struct ip_addr a6 =
		h->ai_flags & AI_PASSIVE ? ip_any(IP_V6) : ip_loopback(IP_V6);

	/* glibc's order: 0.0.0.0 before ::, but ::1 before 127.0.0.1 */
	if (h->ai_flags & AI_PASSIVE)
		add(l, &a4, h->ai_family);
	add(l, &a6, h->ai_family);
	if (!(h->ai_flags & AI_PASSIVE))
		add(l, &a4, h->ai_family);
}

static void map_v4(struct names_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->a[i].addr.family == IP_V4)
			l->a[i].addr = ip_v4_to_mapped(&l->a[i].addr);
	}
}

static int with_node(unsigned id, const char *node, const struct addrinfo *h,
		     struct names_list *l)
{
	bool mapped = h->ai_flags & AI_V4MAPPED && h->ai_family == AF_INET6;
	int r;

	if (names_number(id, node, &l->a[0]) == 0) {
		l->n = 1;
		snprintf(l->canon, sizeof(l->canon), "%s", node);
		if (mapped)
			map_v4(l);
		return wanted(&l->a[0].addr, h->ai_family) ? 0 : EAI_ADDRFAMILY;
	}
	if (h->ai_flags & AI_NUMERICHOST || strchr(node, '%'))
		return EAI_NONAME;
	r = names_lookup(id, node,
			 mapped && h->ai_flags & AI_ALL ? AF_UNSPEC
							: h->ai_family,
			 h->ai_flags & AI_ADDRCONFIG, l);
	if (mapped &&
	    (r == EAI_NONAME || r == EAI_ADDRFAMILY || r == EAI_NODATA))
		r = names_lookup(id, node, AF_INET, false, l);
	if (r == 0 && mapped)
		map_v4(l);
	return r;
}

static int check_hints(const struct addrinfo *h, const char *node,
		       const char *service)
{
	const int known = AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST |
			  AI_V4MAPPED | AI_ALL | AI_ADDRCONFIG | AI_IDN |
			  AI_CANONIDN | AI_NUMERICSERV | 0x100 | 0x200;

	if (!node && !service)
		return EAI_NONAME;
	if (h->ai_flags & ~known || (h->ai_flags & AI_CANONNAME && !node))
		return EAI_BADFLAGS;
	if (h->ai_family != AF_UNSPEC && h->ai_family != AF_INET &&
	    h->ai_family != AF_INET6)
		return EAI_FAMILY;
	return 0;
}

int names_getaddrinfo(unsigned id, const char *node, const char *service,
		      const struct addrinfo *hints, struct addrinfo **res)
{
	struct addrinfo h = {.ai_flags = AI_V4MAPPED | AI_ADDRCONFIG};
	struct addrinfo *first = NULL, **tail = &first;
	struct names_list l = {.n = 0};
	struct service s[ARRAY_SIZE(kinds)];
	size_t n_s;
	int r;

	if (hints)
		h = *hints;
	/* "*" stands for nothing, as in glibc */
	if (node && !strcmp(node, "*"))
		node = NULL;
	if (service && !strcmp(service, "*"))
		service = NULL;
	r = check_hints(&h, node, service);
	if (r == 0)
		r = services(service, &h, s, &n_s);
	if (r)
		return r;
	if (node)
		r = with_node(id, node, &h, &l);
	else
		without_node(&h, &l);
	for (size_t i = 0; r == 0 && i < l.n; i++) {
		for (size_t k = 0; r == 0 && k < n_s; k++)
			r = append(&tail, &l.a[i], &s[k],
				   h.ai_flags & AI_CANONNAME && !first ? l.canon
								       : NULL);
	}
	if (r) {
		names_freeaddrinfo(first);
		return r;
	}
	*res = first;
	return 0;
}

/* ---- getnameinfo
 * ----------------------------------------------------------------------------
 */

static int host_text(unsigned id, const struct ip_port *p, char *host,
		     socklen_t len, int flags)
{
	char text[ADDR_TEXT_MAX], ifname[IF_NAMESIZE];
	int n, r = EAI_NONAME;

	if (!(flags & NI_NUMERICHOST))
		r = names_reverse(id, &p->addr, host, len);
	if (r == 0 || r == EAI_OVERFLOW)
		return r;
	if (flags & NI_NAMEREQD)
		return EAI_NONAME;
	ip_format(&p->addr, text);
	if (p->scope && names_if_name(id, p->scope, ifname))
		n = snprintf(host, len, "%s%%%s", text, ifname);
	else if (p->scope)
		n = snprintf(host, len, "%s%%%u", text, p->scope);
	else
		n = snprintf(host, len, "%s", text);
	return n < (int)len ? 0 : EAI_OVERFLOW;
}

static int serv_text(uint16_t port, char *serv, socklen_t len, int flags)
{
	char buf[SERV_BUF];
	struct servent se, *got = NULL;
	int n;

	if (!(flags & NI_NUMERICSERV) &&
	    getservbyport_r(htons(port), flags & NI_DGRAM ? "udp" : "tcp", &se,
			    buf, sizeof(buf), &got) == 0 &&
	    got)
		n = snprintf(serv, len, "%s", got->s_name);
	else
		n = snprintf(serv, len, "%u", (unsigned)port);
	return n < (int)len ? 0 : EAI_OVERFLOW;
}

int names_getnameinfo(unsigned id, const struct sockaddr *sa, socklen_t len,
		      char *host, socklen_t host_len, char *serv,
		      socklen_t serv_len, int flags)
{
	struct ip_port p;
	int r = 0;

	if (!sa || ip_port_from_sockaddr(sa, len, &p) < 0)
		return EAI_FAMILY;
	if ((!host || !host_len) && (!serv || !serv_len))
		return EAI_NONAME;
	if (host && host_len)
		r = host_text(id, &p, host, host_len, flags);
	if (r == 0 && serv && serv_len)
		r = serv_text(p.port, serv, serv_len, flags);
	return r;
}
