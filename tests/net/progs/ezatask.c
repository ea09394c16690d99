/*
 * The subtask of ezasel.cob: a thread that does what it reads on stdin, a line
 * each. "post" posts the event control block, "cancel" ends the call that
 * waits for the socket.
 */
#include "couplet-eza.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *ecb, *sock;

static void cancel(void)
{
	char no[4], ret[4];

	do { /* until the call waits */
		EZASOKET("CANCEL          ", sock, no, ret);
	} while (eza_get32(ret) == 0);
	if (eza_get32(ret) != 1) {
		fprintf(stderr, "CANCEL: %d, ERRNO %d\n", eza_get32(ret),
			eza_get32(no));
		exit(1);
	}
}

static void *task(void *arg)
{
	char line[16];

	while (fgets(line, sizeof(line), stdin)) {
		if (strcmp(line, "post\n") == 0)
			EZAPOST(ecb);
		else if (strcmp(line, "cancel\n") == 0)
			cancel();
	}
	return arg;
}

int EZATASK(void *e, void *s)
{
	pthread_t t;

	ecb = e;
	sock = s;
	return pthread_create(&t, NULL, task, NULL);
}
