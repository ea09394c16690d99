/*
 * eza.h: the inside of libcouplet-eza, for the files of this room.
 *
 * eza.c is the entry, the table of functions and of the program's sockets;
 * eza_sock.c the calls on sockets, eza_select.c SELECT and SELECTEX,
 * eza_wait.c what ends their waiting, eza_name.c names and addresses,
 * eza_image.c GETIBMOPT, eza_give.c GIVESOCKET and TAKESOCKET, eza_text.c the
 * EZACIC routines, eza_errno.c the numbers of errors.
 */
#ifndef COUPLET_EZA_PRIV_H
#define COUPLET_EZA_PRIV_H

#include "base/base.h"
#include "eza/couplet-eza.h"

#include <sys/socket.h>

#define EZA_ARGS_MAX 13
#define EZA_SOCKETS_MAX 2000 /* MAXSOC, per process */
#define EZA_SOCKETS 50       /* without INITAPI */
#define EZA_AF_INET 2
#define EZA_AF_INET6 19
#define EZA_NAME 16  /* bytes of an IPv4 socket address */
#define EZA_NAME6 28 /* of an IPv6 one */
#define EZA_CLIENT 40
#define EZA_WAITS_MAX 64 /* calls that wait at one time, per process */
#define EZA_NO_SOCKET (-1)
#define EZA_CANCELLED 1009 /* ERRNO */

/* One call: its arguments behind the function name, without ERRNO and RETCODE.
 */
struct eza_call {
	void *a[EZA_ARGS_MAX];
};

/* A function: RETCODE, or negative errno, or -EZA_OWN_ERROR - n: ERRNO n. */
#define EZA_OWN_ERROR 100000
typedef long eza_fn(const struct eza_call *c);

/* ---- eza.c: numbers of sockets are the program's, from 0 */
/* The descriptor behind halfword `s`, or -EBADF. */
int eza_fd(const void *s);
/* The lowest free number for `fd`; -EMFILE (fd is closed). */
long eza_add(int fd);
long eza_remove(int s);
int eza_fd_of(int s);
/* The stack that INITAPI chose; NULL: libcouplet's default. */
const char *eza_stack(void);
/* "P" and seven digits of the process; the subtask of INITAPI. 8 bytes. */
void eza_client(char *name, char *task);
eza_fn eza_initapi, eza_initapix, eza_termapi, eza_getclientid;

/* ---- eza_errno.c */
int eza_errno(int linux_errno);

/* ---- eza_sock.c */
eza_fn eza_socket, eza_bind, eza_listen, eza_accept, eza_connect, eza_close,
	eza_read, eza_write, eza_readv, eza_writev, eza_send, eza_recv,
	eza_sendto, eza_recvfrom, eza_sendmsg, eza_recvmsg, eza_getsockname,
	eza_getpeername, eza_getsockopt, eza_setsockopt, eza_fcntl, eza_ioctl,
	eza_shutdown;
/* Socket address of the interface from and to Linux. 0, -EAFNOSUPPORT. */
int eza_name_get(const void *name, struct sockaddr_storage *ret,
		 socklen_t *ret_len) MUST_USE;
void eza_name_put(const struct sockaddr_storage *ss, void *name);

/* ---- eza_select.c */
eza_fn eza_select, eza_selectex;

/* ---- eza_wait.c: calls that another thread may end */
eza_fn eza_cancel;
/*
 * A place for the calling thread, which will wait for socket `s` (or
 * EZA_NO_SOCKET) and the control block `ecb` (or NULL). The place, -ENOBUFS
 * when EZA_WAITS_MAX threads wait, or the error of eventfd(). The descriptor
 * of a place becomes readable when there is something to look at, and
 * sometimes when there is not.
 */
int eza_wait_begin(const void *ecb, int s) MUST_USE;
int eza_wait_fd(int place);
void eza_wait_drain(int place);
void eza_wait_end(int place);
/* Waits until `fd` of socket `s` has input; signals do not end it. 0, -EAGAIN
 * for a non-blocking socket, the error of poll(), or EZA_CANCELLED as an own
 * error. */
long eza_wait_for(int s, int fd) MUST_USE;
/* Is the fullword `ecb` other than zero? */
bool eza_posted(const void *ecb);

/* ---- eza_image.c */
eza_fn eza_getibmopt;

/* ---- eza_name.c */
eza_fn eza_gethostbyname, eza_gethostbyaddr, eza_gethostid, eza_gethostname,
	eza_getaddrinfo, eza_freeaddrinfo, eza_getnameinfo, eza_ntop, eza_pton;

/* ---- eza_give.c */
eza_fn eza_givesocket, eza_takesocket;
/* Becomes readable when given socket `s` was taken; -1: it was not given. */
int eza_taken_fd(int s);
void eza_give_forget(int s);

#endif
