/*
 * ftp.h: what all FTP sessions share: libcurl's multi handle on our loop, so
 * that no server, however slow, holds up another session.
 *
 * libcurl was chosen because it is the best kept FTP client there is. On a
 * stack it gets its sockets from libcouplet through its open-socket function;
 * there only passive mode is possible (an active data connection would be
 * listened for on the host's network), so FTP behaves as FTPP.
 */
#ifndef COUPLET_PRINTD_SESSION_FTP_H
#define COUPLET_PRINTD_SESSION_FTP_H

#include "base/base.h"

struct ftp_pool;
struct session_env;

/* 0 or negative errno. `env` lives longer. */
int ftp_pool_new(const struct session_env *env, struct ftp_pool **ret) MUST_USE;
/* After all sessions; NULL is fine. */
void ftp_pool_free(struct ftp_pool *p);

#endif
