/*
 * ftp_parts.h: what the two files of OPTION FTP share: ftp_ctl.c follows the
 * control connection, ftp_data.c makes data connections.
 */
#ifndef COUPLET_PROXYD_FTP_PARTS_H
#define COUPLET_PROXYD_FTP_PARTS_H

#include "ftp/ftp.h"
#include "ftp_flow.h"

struct ftp_data;

struct ftp_rest { /* read from a side and not yet taken */
	char buf[FTP_READ_MAX];
	uint16_t len;
};

struct ftp_flow {
	struct flow *f;
	struct ftp ftp;
	struct ftp_rest rest[2];
	struct list data; /* of ftp_data */
	uint32_t n_data;
	struct ftp_data *listening; /* the one that waits for its connection */
	struct relay_corpse corpse;
};

/* A listener for a connection from `side`, to be joined to `to` of the other
 * side; *ret_at is where. 0 or negative errno. */
int ftp_data_listen(struct ftp_flow *ff, enum ftp_side side,
		    const struct ip_port *to, struct ip_port *ret_at) MUST_USE;
/* The control connection ends: listeners close, transfers go on alone. */
void ftp_data_orphan(struct ftp_flow *ff);

#endif
