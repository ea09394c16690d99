/*
 * pipe.h: two sessions over memory, for tests of common/tls.
 */
#ifndef COUPLET_TEST_TLS_PIPE_H
#define COUPLET_TEST_TLS_PIPE_H

#include "tls/tls.h"

enum { PIPE_CAP = 1 << 18 };

/* One direction of the wire. */
struct wire {
	uint8_t buf[PIPE_CAP];
	size_t len;
	size_t room;     /* bytes it takes; 0: full */
	size_t per_pull; /* at most so many bytes a pull; 0: no limit */
	bool eof;
	int error; /* negative errno for push */
};

struct end {
	struct wire *in, *out;
};

struct pipe {
	struct wire up, down; /* client to server, server to client */
	struct end client, server;
};

extern const struct tls_io pipe_io; /* arg: struct end */

/* A fresh one; free(). */
struct pipe *pipe_new(void);
/* Handshakes both until each is done or has failed; results of both. */
void pipe_handshake(struct tls_session *c, struct tls_session *s, int *ret_c,
		    int *ret_s);

#endif
