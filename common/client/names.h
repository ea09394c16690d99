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

/* names_dns.c: asks the servers of `cf`; adds to *ret. 0 or EAI_. */
int names_dns(unsigned id, const struct proto_config *cf, const char *name,
	      int family, struct names_list *ret);
int names_dns_reverse(unsigned id, const struct proto_config *cf,
		      const struct ip_addr *a, char *name, size_t len);

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
