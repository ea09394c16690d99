/*
 * op.h: the operations on sockets of ours, for both libraries. Each takes the
 * descriptor and its tag (tag.h), and returns what the libc function of the
 * same name returns on success, or negative errno. Arguments are the
 * program's: pointers may be NULL where libc allows it.
 */
#ifndef COUPLET_CLIENT_OP_H
#define COUPLET_CLIENT_OP_H

#include "client/ctl.h"
#include "client/tag.h"

#include <sys/socket.h>
#include <time.h>

/* The kernel's send buffer of a connected stream. A quarter of it must hold
 * the largest buffer that one unread byte can keep in use, 64 KiB from
 * sendfile() (probe "planted" of stackd --selftest), even where the system
 * limits it to half of this; bulk transfer is best from here on. */
#define OP_SNDBUF (416 * 1024)
/* While it connects, and for good when the program never asks how connect()
 * ended but just writes: what the kernel makes of it, twice as much, still
 * holds those 64 KiB and their overhead in a quarter. More would take more
 * padding. */
#define OP_SNDBUF_CONNECTING (144 * 1024)
#define OP_BUF_MAX (64 << 20)

/*
 * Whose socket it is. Operations work on a descriptor of this process and on
 * memory of this process; that is all there is to it for a library inside the
 * program. The supervisor of stackrun (trap.h) borrows the program's
 * descriptor and copies its arguments, and says here what is left: it must
 * not wait, and a descriptor that is replaced is the program's too.
 */
struct op_other {
	pid_t pid;  /* the program's thread, told to stackd */
	bool again; /* the call has waited and is made anew */
	/* `fd` of this process is a fresh object now: put it in the program
	 * too, where its registrations with epoll are. 0, negative errno. */
	int (*replaced)(void *arg, int fd, bool cloexec);
	void *arg;
};
/* NULL: this process itself. Set around calls, by the supervisor only. */
extern const struct op_other *op_other;

/* op_socket.c */
int op_socket(unsigned id, int domain, int type, int protocol);
int op_bind(int fd, uint64_t t, const struct sockaddr *sa, socklen_t len);
int op_listen(int fd, uint64_t t, int backlog);
int op_accept(int fd, uint64_t t, struct sockaddr *sa, socklen_t *len,
	      int flags);
int op_shutdown(int fd, uint64_t t, int how);
int op_getsockname(int fd, uint64_t t, struct sockaddr *sa, socklen_t *len);
int op_getpeername(int fd, uint64_t t, struct sockaddr *sa, socklen_t *len);
int op_ioctl(int fd, uint64_t t, unsigned long rq, void *arg);

/* op_connect.c */
int op_connect(int fd, uint64_t t, const struct sockaddr *sa, socklen_t len);
/* The pending error (positive errno, taken), and what is to be done once a
 * connection stands. */
int op_error(int fd, uint64_t t);
/* Puts a fresh socket object under the same number. */
int op_replace(int fd, uint64_t *t);

/* op_epoll.c: the epoll registrations of `fd` in process `pid`, kept over
 * op_replace(). NULL: none. */
struct epoll_event;
struct op_epoll *op_epoll_save(pid_t pid, int fd);
/* The i-th of them, false: there are not so many. *ret_set is a number of
 * that process. */
bool op_epoll_get(const struct op_epoll *e, size_t i, int *ret_set,
		  struct epoll_event *ret);
/* Makes them again for what is `fd` now in this process, and frees `e`. */
void op_epoll_restore(struct op_epoll *e, int fd);

/* op_opt*.c */
int op_setsockopt(int fd, uint64_t t, int level, int name, const void *val,
		  socklen_t len);
int op_getsockopt(int fd, uint64_t t, int level, int name, void *val,
		  socklen_t *len);
/* Options that were set before stackd knows of the socket. */
void op_collect(int fd, uint64_t t, struct proto_opts *ret);
/* As ctl_call, about `fd`; brings the options along the first time and notes
 * in *t (and in the socket) that stackd knows it. */
int op_ctl(int fd, uint64_t *t, struct proto_req *rq, struct proto_rep *rep,
	   void *data, size_t cap);
int op_ctl_set(int fd, uint64_t *t, int name, int64_t v, bool wait);
int op_ctl_get(int fd, uint64_t *t, int name, int64_t *ret);

/* op_data.c */
ssize_t op_send(int fd, uint64_t t, const struct msghdr *m, int flags);
ssize_t op_recv(int fd, uint64_t t, struct msghdr *m, int flags);

/* op_dgram.c */
int dgram_attach(int fd, uint64_t *t);
int dgram_do_connect(int fd, uint64_t t, const struct ip_port *to);
ssize_t dgram_send(int fd, uint64_t t, const struct msghdr *m, int flags);
ssize_t dgram_recv(int fd, uint64_t t, struct msghdr *m, int flags);
/* A UDP socket of ours may be in this process: data calls must look. */
extern _Atomic bool dgram_seen;
/* For a program that inherits sockets: looks at all its descriptors. */
void dgram_scan(void);

/* op_if.c */
int if_ioctl(unsigned id, unsigned long rq, void *arg);

/* addresses, op_socket.c */
/* Fills *sa, at most *len bytes, and sets *len to the true length. */
void op_put_addr(const struct ip_port *p, bool v6, struct sockaddr *sa,
		 socklen_t *len);
/* Linux's checks of an address to connect or send to. 0, -EINVAL,
 * -EAFNOSUPPORT. */
int op_dest(uint64_t t, const struct sockaddr *sa, socklen_t len,
	    struct ip_port *ret);
bool op_nonblocking(int fd);
/* Chooses the stack of a couple for a socket that no stack knows yet. */
void op_route(int fd, uint64_t *t, const struct ip_port *to);

#endif
