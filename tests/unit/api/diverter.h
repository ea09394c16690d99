/*
 * diverter.h: the test in the place of tlsd: one diverter (common/divert) for
 * each case of the tests of stackd's side.
 */
#ifndef COUPLET_TEST_DIVERTER_H
#define COUPLET_TEST_DIVERTER_H

#include "divert/divert.h"

struct fixture;
struct sockaddr_in;

extern int door; /* of the case that runs */

/* Another connection to the door of the stack in `dir`, -1 and errno. */
int connect_door(const char *dir);
/* A set of rules: begin, rules, commit. */
void begin(const struct fixture *f);
void add_rule(unsigned flags, uint16_t port, uint16_t as);
void commit(void);
void say(enum divert_op op, uint64_t serial, int error);
/* The next message that is `op`; others are skipped. */
struct divert_msg hear(enum divert_op op, int fds[DIVERT_FDS]);
/* One that a listener has just given back. */
uint16_t free_port(void);
/* A socket that connects without waiting. */
int connect_later(const struct sockaddr_in *a);
/* Takes the padding out of a program's end, but for the last byte of it. */
void take_padding(int fd, uint32_t skip);

#endif
