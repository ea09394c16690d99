/*
 * follow.h: what the files of this room share.
 *
 *   ftp.c       doors: lines, output, wishes
 *   client.c    commands
 *   server.c    replies
 *   notation.c  addresses and ports as text
 */
#ifndef COUPLET_FTP_FOLLOW_H
#define COUPLET_FTP_FOLLOW_H

#include "ftp/ftp.h"

/* Output for a side; the room for it was there before its line was taken. */
void ftp_say(struct ftp *f, enum ftp_side side, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* The line in f->in[side] as it came, to the other side. */
void ftp_pass(struct ftp *f, enum ftp_side from);
/* The owner is to do this. */
void ftp_want(struct ftp *f, const struct ftp_wish *w);
void ftp_end(struct ftp *f, const char *why);
/* A command is under way whose reply is `p`; false: too many. */
void ftp_push(struct ftp *f, enum ftp_pending p);
enum ftp_pending ftp_front(const struct ftp *f);
void ftp_pop(struct ftp *f);

/* One line (text without its end, behind Telnet's interruptions). */
void ftp_client_line(struct ftp *f, const char *text);
void ftp_server_line(struct ftp *f, const char *text);

#endif
