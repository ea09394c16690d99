/*
 * preload_names.c: libc's resolver and interface functions, for programs
 * under stackrun. libc's own never run: they would talk to the host.
 */
#include "client/id.h"
#include "client/names.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define OLD_BUF 8192

/* Stack 127 never answers: without COUPLET_ID everything fails. */
static unsigned stack(void)
{
	int n = id_parse(NULL);

	return n < 0 ? 127 : (unsigned)n;
}

EXPORT int getaddrinfo(const char *node, const char *service,
		       const struct addrinfo *hints, struct addrinfo **res)
{
	return names_getaddrinfo(stack(), node, service, hints, res);
}

EXPORT void freeaddrinfo(struct addrinfo *res)
{
	names_freeaddrinfo(res);
}

EXPORT int getnameinfo(const struct sockaddr *sa, socklen_t len, char *host,
		       socklen_t host_len, char *serv, socklen_t serv_len,
		       int flags)
{
	return names_getnameinfo(stack(), sa, len, host, host_len, serv,
				 serv_len, flags);
}

/* ---- gethostbyname and family
 * ---------------------------------------------------- */

EXPORT int gethostbyname2_r(const char *name, int family, struct hostent *he,
			    char *buf, size_t len, struct hostent **res,
			    int *herr)
{
	return names_hostbyname(stack(), name, family, he, buf, len, res, herr);
}

EXPORT int gethostbyname_r(const char *name, struct hostent *he, char *buf,
			   size_t len, struct hostent **res, int *herr)
{
	return names_hostbyname(stack(), name, AF_INET, he, buf, len, res,
				herr);
}

EXPORT int gethostbyaddr_r(const void *addr, socklen_t alen, int family,
			   struct hostent *he, char *buf, size_t len,
			   struct hostent **res, int *herr)
{
	return names_hostbyaddr(stack(), addr, alen, family, he, buf, len, res,
				herr);
}

static __thread struct hostent host;
static __thread char host_buf[OLD_BUF];

EXPORT struct hostent *gethostbyname2(const char *name, int family)
{
	struct hostent *res = NULL;
	int e = 0;

	gethostbyname2_r(name, family, &host, host_buf, sizeof(host_buf), &res,
			 &e);
	if (!res)
		h_errno = e;
	return res;
}

EXPORT struct hostent *gethostbyname(const char *name)
{
	return gethostbyname2(name, AF_INET);
}

EXPORT struct hostent *gethostbyaddr(const void *addr, socklen_t alen,
				     int family)
{
	struct hostent *res = NULL;
	int e = 0;

	gethostbyaddr_r(addr, alen, family, &host, host_buf, sizeof(host_buf),
			&res, &e);
	if (!res)
		h_errno = e;
	return res;
}

/* ---- messages of name servers
 * ---------------------------------------------------------- */

/* <resolv.h> may give these other names inside libc; programs ask for both. */
struct __res_state;
EXPORT int couplet_res_send(const unsigned char *msg, int len,
			    unsigned char *answer, int cap);
EXPORT int couplet_res_query(const char *name, int class, int type,
			     unsigned char *answer, int cap);
EXPORT int couplet_res_search(const char *name, int class, int type,
			      unsigned char *answer, int cap);
EXPORT int couplet_res_nsend(struct __res_state *s, const unsigned char *msg,
			     int len, unsigned char *answer, int cap);
EXPORT int couplet_res_nquery(struct __res_state *s, const char *name,
			      int class, int type, unsigned char *answer,
			      int cap);
EXPORT int couplet_res_nsearch(struct __res_state *s, const char *name,
			       int class, int type, unsigned char *answer,
			       int cap);

EXPORT int couplet_res_send(const unsigned char *msg, int len,
			    unsigned char *answer, int cap)
{
	return names_res_send(stack(), msg, len, answer, cap);
}

EXPORT int couplet_res_query(const char *name, int class, int type,
			     unsigned char *answer, int cap)
{
	return names_res_query(stack(), name, class, type, answer, cap);
}

EXPORT int couplet_res_search(const char *name, int class, int type,
			      unsigned char *answer, int cap)
{
	return names_res_search(stack(), name, class, type, answer, cap);
}

EXPORT int couplet_res_nsend(struct __res_state *s, const unsigned char *msg,
			     int len, unsigned char *answer, int cap)
{
	(void)s;
	return names_res_send(stack(), msg, len, answer, cap);
}

EXPORT int couplet_res_nquery(struct __res_state *s, const char *name,
			      int class, int type, unsigned char *answer,
			      int cap)
{
	(void)s;
	return names_res_query(stack(), name, class, type, answer, cap);
}

EXPORT int couplet_res_nsearch(struct __res_state *s, const char *name,
			       int class, int type, unsigned char *answer,
			       int cap)
{
	(void)s;
	return names_res_search(stack(), name, class, type, answer, cap);
}

#define SAME_AS(name) \
	__asm__(".globl res_" #name ", __res_" #name "\n" \
		".set res_" #name ", couplet_res_" #name "\n" \
		".set __res_" #name ", couplet_res_" #name)
SAME_AS(send);
SAME_AS(query);
SAME_AS(search);
SAME_AS(nsend);
SAME_AS(nquery);
SAME_AS(nsearch);

/* ---- interfaces
 * -------------------------------------------------------------------- */

EXPORT int getifaddrs(struct ifaddrs **res)
{
	int r = names_getifaddrs(stack(), res);

	if (r == 0)
		return 0;
	errno = -r;
	return -1;
}

EXPORT void freeifaddrs(struct ifaddrs *res)
{
	names_freeifaddrs(res);
}

EXPORT unsigned if_nametoindex(const char *name)
{
	unsigned n = names_if_index(stack(), name);

	if (!n)
		errno = ENODEV;
	return n;
}

EXPORT char *if_indextoname(unsigned index, char name[IF_NAMESIZE])
{
	if (names_if_name(stack(), index, name))
		return name;
	errno = ENXIO;
	return NULL;
}

EXPORT struct if_nameindex *if_nameindex(void)
{
	struct if_nameindex *v = names_if_list(stack());

	if (!v)
		errno = ENOBUFS;
	return v;
}

EXPORT void if_freenameindex(struct if_nameindex *v)
{
	free(v);
}

/* ---- reserved ports
 * -------------------------------------------------------------------- */

EXPORT int bindresvport(int fd, struct sockaddr_in *sin)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	unsigned start = (unsigned)getpid() % 424;

	if (!sin)
		sin = &any;
	if (sin->sin_family != AF_INET) {
		errno = EPFNOSUPPORT;
		return -1;
	}
	for (unsigned i = 0; i < 424; i++) { /* 600..1023 */
		sin->sin_port = htons((uint16_t)(600 + (start + i) % 424));
		if (bind(fd, (struct sockaddr *)sin, sizeof(*sin)) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -1;
	}
	return -1;
}
