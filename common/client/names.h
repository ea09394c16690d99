/*
 * names.h: the resolver functions for programs on a stack. Numbers are read
 * here, names come from the stack's HOST table, then from its DNS servers over
 * the stack itself. Neither /etc/hosts nor /etc/resolv.conf of the host is
 * looked at; services are the host's /etc/services.
 */
#ifndef COUPLET_CLIENT_NAMES_H
#define COUPLET_CLIENT_NAMES_H

#include "client/proto.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>

#define NAMES_ADDRS_MAX 64

struct names_list {
	struct ip_port a[NAMES_ADDRS_MAX];
	size_t n;
	char canon[256];
};

/* names.c: as the libc functions; 0 or EAI_. */
int names_getaddrinfo(unsigned id, const char *node, const char *service,
		      const struct addrinfo *hints, struct addrinfo **res);
void names_freeaddrinfo(struct addrinfo *res);
int names_getnameinfo(unsigned id, const struct sockaddr *sa, socklen_t len,
		      char *host, socklen_t host_len, char *serv,
		      socklen_t serv_len, int flags);
/* Addresses of a name, ordered; family AF_UNSPEC, AF_INET, AF_INET6. Numbers
 * too unless `names_only`. 0 or EAI_. */
int names_lookup(unsigned id, const char *name, int family, bool addrconfig,
		 struct names_list *ret);
int names_number(unsigned id, const char *name, struct ip_port *ret);
/* The name of an address. 0 or EAI_. */
int names_reverse(unsigned id, const struct ip_addr *a, char *name, size_t len);

/* What resolvers need of the stack; of a couple, what both have to say, or
 * the one that is running. 0 or negative errno. */
int names_config(unsigned id, struct proto_config *ret);

/* names_res.c: the i-th name to ask for in place of `name`, by the search list
 * of the stack: a name with a dot is asked for first as it is, one without
 * last, one with a dot at its end is not searched for. False: no more. */
bool names_candidate(const struct proto_config *cf, const char *name,
		     unsigned i, char *full, size_t len);
/* As res_send(), res_query() and res_search(). */
int names_res_send(unsigned id, const unsigned char *msg, int len,
		   unsigned char *answer, int cap);
int names_res_query(unsigned id, const char *name, int class, int type,
		    unsigned char *answer, int cap);
int names_res_search(unsigned id, const char *name, int class, int type,
		     unsigned char *answer, int cap);

/* names_dns.c: asks the servers of `cf`; adds to *ret. 0 or EAI_. */
int names_dns(unsigned id, const struct proto_config *cf, const char *name,
	      int family, struct names_list *ret);
int names_dns_reverse(unsigned id, const struct proto_config *cf,
		      const struct ip_addr *a, char *name, size_t len);

/* One message to the servers, their answer cut to `cap`: its length or
 * EAI_. */
int names_dns_send(unsigned id, const unsigned char *msg, int len,
		   unsigned char *answer, int cap);

/* names_old.c: gethostbyname2_r() and gethostbyaddr_r(). */
int names_hostbyname(unsigned id, const char *name, int family,
		     struct hostent *he, char *buf, size_t len,
		     struct hostent **res, int *herr);
int names_hostbyaddr(unsigned id, const void *addr, socklen_t alen, int family,
		     struct hostent *he, char *buf, size_t len,
		     struct hostent **res, int *herr);

/* names_if.c */
int names_getifaddrs(unsigned id, struct ifaddrs **res);
void names_freeifaddrs(struct ifaddrs *res);
unsigned names_if_index(unsigned id, const char *name);
/* `name`: IF_NAMESIZE bytes. */
bool names_if_name(unsigned id, unsigned index, char *name);
struct if_nameindex *names_if_list(unsigned id);

#endif
