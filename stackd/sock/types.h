/*
 * types.h: the words about sockets that the rooms around sock/ share.
 */
#ifndef COUPLET_SOCK_TYPES_H
#define COUPLET_SOCK_TYPES_H

#include <sys/types.h>

enum sock_type { SOCK_TCP = 1, SOCK_UDP = 2 };

/* Who made a socket, as the kernel says (SO_PEERCRED). */
struct sock_owner {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

#endif
