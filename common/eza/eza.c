/*
 * eza.c: the entry EZASOKET, and the program's table of sockets.
 */
#include "eza/eza.h"

#include "client/couplet.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUNCTION_LEN 16

static struct {
	pthread_mutex_t lock;
	int fd[EZA_SOCKETS_MAX]; /* fd + 1, 0 free */
	int max;
	char stack[4]; /* "" none chosen */
	char task[9];
} eza = {.lock = PTHREAD_MUTEX_INITIALIZER,
	 .max = EZA_SOCKETS,
	 .task = "        "};

/* ---- numbers of sockets
 * ---------------------------------------------------------- */

int eza_fd_of(int s)
{
	int fd;

	if (s < 0 || s >= EZA_SOCKETS_MAX)
		return -EBADF;
	pthread_mutex_lock(&eza.lock);
	fd = eza.fd[s] - 1;
	pthread_mutex_unlock(&eza.lock);
	return fd < 0 ? -EBADF : fd;
}

int eza_fd(const void *s)
{
	return eza_fd_of(eza_get16(s));
}

long eza_add(int fd)
{
	long s = -EMFILE;

	if (fd < 0)
		return -errno;
	pthread_mutex_lock(&eza.lock);
	for (int i = 0; i < eza.max && s < 0; i++) {
		if (!eza.fd[i]) {
			eza.fd[i] = fd + 1;
			s = i;
		}
	}
	pthread_mutex_unlock(&eza.lock);
	if (s < 0)
		close(fd);
	return s;
}

long eza_remove(int s)
{
	int fd = eza_fd_of(s);

	if (fd < 0)
		return fd;
	eza_give_forget(s);
	pthread_mutex_lock(&eza.lock);
	eza.fd[s] = 0;
	pthread_mutex_unlock(&eza.lock);
	return close(fd) < 0 ? -errno : 0;
}

/* ---- INITAPI, TERMAPI, GETCLIENTID
 * --------------------------------------------------- */

const char *eza_stack(void)
{
	const char *v;

	if (eza.stack[0])
		return eza.stack;
	v = getenv("COUPLET_ID");
	if (v && *v)
		return NULL; /* libcouplet reads it */
	v = getenv("SYSPARM");
	return v && *v ? v : NULL;
}

/* IDENT (TCPNAME and ADSNAME, 8 bytes each), SUBTASK, MAXSNO. A TCPNAME that
 * ends in two digits names the stack. */
static long initapi(int max, const struct eza_call *c)
{
	const char *name = c->a[1];
	size_t n = 8;

	if (max < 0 || max > EZA_SOCKETS_MAX)
		return -EINVAL;
	while (n && (name[n - 1] == ' ' || !name[n - 1]))
		n--;
	pthread_mutex_lock(&eza.lock);
	eza.max = MAX(max, EZA_SOCKETS);
	eza.stack[0] = '\0';
	if (n >= 2 && isdigit((unsigned char)name[n - 1]) &&
	    isdigit((unsigned char)name[n - 2]))
		snprintf(eza.stack, sizeof(eza.stack), "%.2s", name + n - 2);
	memcpy(eza.task, c->a[2], 8);
	eza_put32(c->a[3], eza.max - 1);
	pthread_mutex_unlock(&eza.lock);
	return 0;
}

/* MAXSOC is a halfword here ... */
long eza_initapi(const struct eza_call *c)
{
	return initapi(eza_get16(c->a[0]), c);
}

/* ... and a fullword in the form for CICS programs. */
long eza_initapix(const struct eza_call *c)
{
	return initapi(eza_get32(c->a[0]), c);
}

long eza_termapi(const struct eza_call *c)
{
	(void)c;
	for (int s = 0; s < EZA_SOCKETS_MAX; s++)
		(void)eza_remove(s);
	return 0;
}

void eza_client(char *name, char *task)
{
	char text[16];

	snprintf(text, sizeof(text), "P%07u", (unsigned)getpid() % 10000000);
	memcpy(name, text, 8);
	memcpy(task, eza.task, 8);
}

/* CLIENT: DOMAIN fullword, NAME 8, TASK 8, reserved 20. */
long eza_getclientid(const struct eza_call *c)
{
	char *client = c->a[0];

	memset(client, 0, EZA_CLIENT);
	eza_put32(client, EZA_AF_INET);
	eza_client(client + 4, client + 12);
	return 0;
}

/* ---- the entry
 * ----------------------------------------------------------------------- */

enum { NO_ERRNO = 1, NO_RETCODE = 2 };

static const struct function {
	const char *name;
	eza_fn *fn;
	int args; /* without ERRNO and RETCODE */
	int flags;
} functions[] = {
	{"ACCEPT", eza_accept, 2, 0},
	{"BIND", eza_bind, 2, 0},
	{"CANCEL", eza_cancel, 1, 0},
	{"CLOSE", eza_close, 1, 0},
	{"CONNECT", eza_connect, 2, 0},
	{"FCNTL", eza_fcntl, 3, 0},
	{"FREEADDRINFO", eza_freeaddrinfo, 1, 0},
	{"GETADDRINFO", eza_getaddrinfo, 7, 0},
	{"GETCLIENTID", eza_getclientid, 1, 0},
	{"GETHOSTBYADDR", eza_gethostbyaddr, 2, NO_ERRNO},
	{"GETHOSTBYNAME", eza_gethostbyname, 3, NO_ERRNO},
	{"GETHOSTID", eza_gethostid, 0, NO_ERRNO},
	{"GETHOSTNAME", eza_gethostname, 2, 0},
	{"GETIBMOPT", eza_getibmopt, 2, 0},
	{"GETNAMEINFO", eza_getnameinfo, 7, 0},
	{"GETPEERNAME", eza_getpeername, 2, 0},
	{"GETSOCKNAME", eza_getsockname, 2, 0},
	{"GETSOCKOPT", eza_getsockopt, 4, 0},
	{"GIVESOCKET", eza_givesocket, 2, 0},
	{"INITAPI", eza_initapi, 4, 0},
	{"INITAPIX", eza_initapix, 4, 0},
	{"IOCTL", eza_ioctl, 4, 0},
	{"LISTEN", eza_listen, 2, 0},
	{"NTOP", eza_ntop, 4, 0},
	{"PTON", eza_pton, 4, 0},
	{"READ", eza_read, 3, 0},
	{"READV", eza_readv, 3, 0},
	{"RECV", eza_recv, 4, 0},
	{"RECVFROM", eza_recvfrom, 5, 0},
	{"RECVMSG", eza_recvmsg, 3, 0},
	{"SELECT", eza_select, 8, 0},
	{"SELECTEX", eza_selectex, 9, 0},
	{"SEND", eza_send, 4, 0},
	{"SENDMSG", eza_sendmsg, 3, 0},
	{"SENDTO", eza_sendto, 5, 0},
	{"SETSOCKOPT", eza_setsockopt, 4, 0},
	{"SHUTDOWN", eza_shutdown, 2, 0},
	{"SOCKET", eza_socket, 3, 0},
	{"TAKESOCKET", eza_takesocket, 2, 0},
	{"TERMAPI", eza_termapi, 0, NO_ERRNO | NO_RETCODE},
	{"WRITE", eza_write, 3, 0},
	{"WRITEV", eza_writev, 3, 0},
};

static const struct function *find(const char *name)
{
	size_t n = FUNCTION_LEN;

	while (n && (name[n - 1] == ' ' || !name[n - 1]))
		n--;
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		if (strlen(functions[i].name) == n &&
		    memcmp(functions[i].name, name, n) == 0)
			return &functions[i];
	}
	return NULL;
}

int EZASOKET(const void *name, ...)
{
	const struct function *f = find(name);
	struct eza_call c = {{NULL}};
	void *no = NULL, *ret = NULL;
	va_list ap;
	long r;

	/* how many arguments there are is not known then, nor where to say
	 * so: the program is told by its RETURN-CODE */
	if (!f)
		return EINVAL;
	va_start(ap, name);
	for (int i = 0; i < f->args; i++)
		c.a[i] = va_arg(ap, void *);
	if (!(f->flags & NO_ERRNO))
		no = va_arg(ap, void *);
	if (!(f->flags & NO_RETCODE))
		ret = va_arg(ap, void *);
	va_end(ap);
	r = f->fn(&c);
	if (no)
		eza_put32(no, r >= 0                ? 0
			      : r <= -EZA_OWN_ERROR ? (int)-r - EZA_OWN_ERROR
						    : eza_errno((int)-r));
	if (ret)
		eza_put32(ret, r < 0 ? -1 : (int)r);
	return 0;
}
