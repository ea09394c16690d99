/*
 * about.h: what programs hear of their connections.
 */
#ifndef COUPLET_TLSD_ABOUT_H
#define COUPLET_TLSD_ABOUT_H

#include "pair.h"

/* Tells stackd what there is to say about `p`, whose session is `s`, NULL:
 * none. */
void about_tell(struct pair *p, struct tls_session *s);
/*
 * Sends `m`, an ANSWER, with the peer's certificate or its whole chain. 0;
 * then nothing more is to be said. -EBADFD: no TLS is on; -ENODATA: the peer
 * showed none; -EMSGSIZE: more than client/attls.h allows; -EAGAIN, or another
 * error.
 */
int about_certs(struct pair *p, struct divert_msg *m, bool chain) MUST_USE;

#endif
