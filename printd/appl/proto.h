/*
 * proto.h: what programs and printd say to each other at RUN/printd-ID/appl,
 * as messages of ipc/ipc.h. It stands in the place of VTAM: a program opens a
 * LU, sends chains of a data stream, and gets responses.
 *
 * One job at a time. Every message but DATA without APPL_RESPOND is answered
 * by one ANSWER; a DATA that failed is told by the next ANSWER. Bodies are
 * text ("name=value" lines) but for DATA.
 */
#ifndef COUPLET_PRINTD_APPL_PROTO_H
#define COUPLET_PRINTD_APPL_PROTO_H

#define APPL_SOCKET "appl"     /* in RUN/printd-ID */
#define APPL_RECORD_MAX 65536u /* bytes of a chain: spool/spool.h's frame */
#define APPL_TEXT_MAX 1024     /* body of any message but DATA */

enum {
	APPL_OPEN = 1,  /* body: LU name */
	APPL_BEGIN = 2, /* body: form, title, user, host, codepage, copies,
			 * hold */
	APPL_DATA = 3,  /* body: bytes; flags below */
	APPL_END = 4,   /* ANSWER: value = job number, once it is on disk */
	APPL_ABORT = 5, /* forget the job */
	APPL_WAIT = 6,  /* value = job: ANSWER when it is DONE, HELD or gone */
	APPL_ANSWER = 64, /* value: 0 and more, or negative errno; body: text */
};

/* Flags of DATA: SNA's chaining. A text, PDF or raw job has no chains. */
enum {
	APPL_FIRST = 1,   /* first of chain */
	APPL_LAST = 2,    /* last of chain */
	APPL_RESPOND = 4, /* definite response */
};

/* Values of the ANSWER to WAIT. */
enum { APPL_DONE = 0, APPL_HELD = 1, APPL_GONE = 2 };

#endif
