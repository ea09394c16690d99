/* args.h: the options that all daemons share. */
#ifndef COUPLET_DAEMON_ARGS_H
#define COUPLET_DAEMON_ARGS_H

#include "daemon/daemon.h"

enum args_verdict { ARGS_RUN, ARGS_EXIT_OK, ARGS_EXIT_USAGE };

/* Reads them into *ret (borrowing argv); prints help and version on `out`,
 * complaints on `err`. */
enum args_verdict args_parse(const struct daemon_spec *spec, int argc,
			     char **argv, struct daemon_options *ret, FILE *out,
			     FILE *err);

#endif
