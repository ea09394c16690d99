/*
 * couplet.h: sockets of a Couplet stack for programs that know of it; see
 * libcouplet(3) and couplet-sockets(7).
 *
 * Each function does what the libc function of the same name does, on a
 * socket of a stack. On any other descriptor it is that libc function, so a
 * program written against this header works the same on the host's network:
 * with stack ID "*".
 *
 * read, write, readv, writev, close, dup, poll, select, epoll, fcntl,
 * sendfile and splice need no counterpart: the descriptor is a real one. (A
 * UDP socket without a peer is the exception: use couplet_recvfrom() and
 * couplet_sendto() on it.)
 *
 * All functions may be used by several threads at once and after fork().
 * They set errno as libc does; ENETDOWN: the stack is not running.
 */
#ifndef COUPLET_H
#define COUPLET_H

#include <ifaddrs.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

/* Programs in strict C, or without _GNU_SOURCE, do not see these in the
 * headers above. */
struct addrinfo;
struct mmsghdr;
struct timespec;

#ifdef __cplusplus
extern "C" {
#endif

/*
 * `id`: the stack's two digits, "*" for the host's network, NULL for the
 * stack that the environment variable COUPLET_ID names ("*" if it is unset).
 * AF_INET and AF_INET6, SOCK_STREAM and SOCK_DGRAM; with "*", anything.
 */
int couplet_socket(const char *id, int domain, int type, int protocol);
int couplet_bind(int fd, const struct sockaddr *addr, socklen_t len);
int couplet_connect(int fd, const struct sockaddr *addr, socklen_t len);
int couplet_listen(int fd, int backlog);
int couplet_accept(int fd, struct sockaddr *addr, socklen_t *len);
int couplet_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
int couplet_shutdown(int fd, int how);
int couplet_getsockname(int fd, struct sockaddr *addr, socklen_t *len);
int couplet_getpeername(int fd, struct sockaddr *addr, socklen_t *len);
int couplet_getsockopt(int fd, int level, int name, void *val, socklen_t *len);
int couplet_setsockopt(int fd, int level, int name, const void *val,
		       socklen_t len);
int couplet_ioctl(int fd, unsigned long request, void *arg);

ssize_t couplet_send(int fd, const void *buf, size_t len, int flags);
ssize_t couplet_recv(int fd, void *buf, size_t len, int flags);
ssize_t couplet_sendto(int fd, const void *buf, size_t len, int flags,
		       const struct sockaddr *addr, socklen_t addr_len);
ssize_t couplet_recvfrom(int fd, void *buf, size_t len, int flags,
			 struct sockaddr *addr, socklen_t *addr_len);
ssize_t couplet_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t couplet_recvmsg(int fd, struct msghdr *msg, int flags);
int couplet_sendmmsg(int fd, struct mmsghdr *vec, unsigned int n, int flags);
int couplet_recvmmsg(int fd, struct mmsghdr *vec, unsigned int n, int flags,
		     struct timespec *timeout);

/*
 * Names: the HOST table of the stack, then its DNS servers, over the stack
 * itself. With "*" these are libc's. The result of couplet_getaddrinfo() is
 * freed by couplet_freeaddrinfo().
 */
int couplet_getaddrinfo(const char *id, const char *node, const char *service,
			const struct addrinfo *hints, struct addrinfo **res);
void couplet_freeaddrinfo(const char *id, struct addrinfo *res);
int couplet_getnameinfo(const char *id, const struct sockaddr *addr,
			socklen_t len, char *host, socklen_t host_len,
			char *serv, socklen_t serv_len, int flags);
/* Interfaces and addresses of the stack. */
int couplet_getifaddrs(const char *id, struct ifaddrs **res);
void couplet_freeifaddrs(const char *id, struct ifaddrs *res);

/* Is the stack `id` (two digits) running? 1, or 0 with errno set. */
int couplet_running(const char *id);
/* Is `fd` a socket of a stack? Its two digits are written to `id` (3 bytes)
 * if that is not NULL. 1 or 0. */
int couplet_is_ours(int fd, char *id);

#ifdef __cplusplus
}
#endif

#endif
