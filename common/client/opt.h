/* opt.h: shared by the files about options (op_opt*.c). */
#ifndef COUPLET_CLIENT_OPT_H
#define COUPLET_CLIENT_OPT_H

#include "base/base.h"

#include <sys/socket.h>

/* The int that a program passed. 0, -EINVAL (short), -EFAULT. */
int opt_int(const void *val, socklen_t len, int *ret);
/* Hands a value out, cut to *len, and sets *len. 0, -EFAULT, -EINVAL. */
int opt_put(const void *v, size_t n, void *val, socklen_t *len);
int opt_put_int(int v, void *val, socklen_t *len);
/* Sets or clears bits of the tag. */
void opt_note(int fd, uint64_t *t, uint64_t bits, bool on);

/* op_opt_tcp.c */
int opt_set_tcp(int fd, uint64_t t, int name, const void *val, socklen_t len);
int opt_get_tcp(int fd, uint64_t t, int name, void *val, socklen_t *len);
/* op_opt_ip.c */
int opt_set_ip(int fd, uint64_t t, int name, const void *val, socklen_t len);
int opt_get_ip(int fd, uint64_t t, int name, void *val, socklen_t *len);
int opt_set_ipv6(int fd, uint64_t t, int name, const void *val, socklen_t len);
int opt_get_ipv6(int fd, uint64_t t, int name, void *val, socklen_t *len);

/* op_attls.c: SOL_ATTLS. */
int opt_get_attls(int fd, uint64_t t, int name, void *val, socklen_t *len);
int opt_set_attls(int fd, uint64_t t, int name, const void *val, socklen_t len);

#endif
