/*
 * proto.h: what console clients and daemons say to each other, as messages of
 * ipc/ipc.h. One command at a time: COMMAND, then any number of OUT and ERR,
 * then one END; CANCEL in between asks a long command to come to its end.
 */
#ifndef COUPLET_CONSOLE_PROTO_H
#define COUPLET_CONSOLE_PROTO_H

enum {
	CONSOLE_COMMAND = 1, /* client: body = command line; flags; perhaps a
			      * descriptor for its output file */
	CONSOLE_CANCEL = 2,  /* client */
	CONSOLE_OUT = 3,     /* daemon: body = bytes for stdout */
	CONSOLE_ERR = 4,     /* daemon: body = bytes for stderr */
	CONSOLE_END = 5,     /* daemon: value = exit status of the command */
};

enum { CONSOLE_FLAG_JSON = 1 };

#define CONSOLE_LINE_MAX 4096 /* bytes of a command line */
#define CONSOLE_WORDS_MAX 64

/* Exit statuses of the client program. */
enum {
	CONSOLE_OK = 0,
	CONSOLE_FAILED = 1, /* the command said why */
	CONSOLE_USAGE = 2,  /* no such command, or not with these words */
	CONSOLE_NO_DAEMON = 3,
};

#endif
