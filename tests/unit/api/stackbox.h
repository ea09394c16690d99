/*
 * stackbox.h: a whole stack without the daemon: engine, loop and socket
 * server, with the stack's loopback and, if wanted, a TUN interface. Runs
 * until told to stop, in a thread of a test or as the program `stackbox`.
 */
#ifndef COUPLET_TEST_STACKBOX_H
#define COUPLET_TEST_STACKBOX_H

#include "api/api.h"
#include "core/stack.h"
#include "deck.h"
#include "loop.h"

struct stackbox {
	struct stackd_deck deck;
	struct stack *stack;
	struct loop *loop;
	struct api *api;
	struct osa_port *port;
	int wake[2];
};

/* Stack "00" in run_dir with 127.0.0.1 and ::1. Prints and exits on error. */
void stackbox_open(struct stackbox *b, const char *run_dir);
/* Adds a TUN interface: "a.b.c.d/n" of the stack and of the host. */
void stackbox_tun(struct stackbox *b, const char *ifname, const char *stack,
		  const char *host);
/* Until a byte arrives on wake[0] (written to wake[1]). */
void stackbox_run(struct stackbox *b);
void stackbox_close(struct stackbox *b);

#endif
