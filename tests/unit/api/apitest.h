/*
 * apitest.h: what the tests of the socket contract share: a stack in a child
 * process for each case, and shorthand. Every wait is a blocking call or a
 * poll with a limit; nothing sleeps.
 */
#ifndef COUPLET_TEST_APITEST_H
#define COUPLET_TEST_APITEST_H

#include "unit.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

#define WAIT_MS 5000

struct fixture {
	char dir[64];
	pid_t box;
};

/* Set-up and tear-down of a case: a stack "00" in a directory of its own,
 * named by COUPLET_RUN. A sanitizer's finding or a leak in it fails. */
int start(void **state);
int stop(void **state);
/* Forgets the stack of *state, which is dead, and starts another. */
void start_again(void **state);

#define SA(x) ((struct sockaddr *)(x))

struct sockaddr_in loopback(uint16_t port);
int sock(int type);
struct sockaddr_in name_of(int fd);
int listener(int backlog, struct sockaddr_in *ret);
/* 0 or negative errno */
int connect_to(int fd, const struct sockaddr_in *a);
void pair(int *ret_client, int *ret_server);
/* revents, 0 after WAIT_MS */
short wait_for(int fd, short events);
void expect_read(int fd, const char *text);
void expect_error(int fd, int e);
void expect_eof(int fd);
int opt(int fd, int level, int name);
/* 0 or negative errno */
int set_opt(int fd, int level, int name, int v);

#endif
