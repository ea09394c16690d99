/*
 * ftp_flow.h: OPTION FTP: the control connection of a flow is followed by
 * ftp/ftp.h, data connections are made as it asks. A control connection has
 * one listener at a time, open for FTP_LISTEN_LIFE, and at most FTP_DATA_MAX
 * data connections; those go on when it ends.
 */
#ifndef COUPLET_PROXYD_FTP_FLOW_H
#define COUPLET_PROXYD_FTP_FLOW_H

#include "proxyd.h"

#define FTP_LISTEN_LIFE DUR_S(60)
#define FTP_DATA_MAX 8
#define FTP_READ_MAX 2048 /* bytes of a side that wait to be followed */

/* Does TLS of that side (0 client, 1 server) begin with AUTH? */
bool ftp_flow_explicit(const struct proxy *px, int side);
/* Takes the place of relay_start() for `f`. False: no memory. */
bool ftp_flow_begin(struct flow *f);
/* The time-out of a quiet control connection came; true: it is not over, as
 * data moves. */
bool ftp_flow_busy(struct flow *f);
/* The control connection has ended. */
void ftp_flow_end(struct flow *f);
/* Ends every data connection. */
void ftp_kill_all(struct proxyd *pd);

#endif
