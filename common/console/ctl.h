/*
 * ctl.h: the console program: stackctl, and the same for the other daemons.
 * Each daemon's folder has a main() of one call with its own table.
 */
#ifndef COUPLET_CONSOLE_CTL_H
#define COUPLET_CONSOLE_CTL_H

#include "console/command.h"

struct ctl_spec {
	const char *name;   /* "stackctl" */
	const char *daemon; /* "stackd" */
	const char *version;
	const char *socket; /* below the run directory, %s = ID:
			     * "%s/console" */
	const struct command *table;
	size_t n_table;
	/* Address text of a host name by the stack's DNS, or negative errno;
	 * NULL: names are left to the daemon. `ret` has ADDR_TEXT_MAX bytes. */
	int (*resolve)(const char *run_dir, const char *id, const char *name,
		       char *ret);
};

/* Exit statuses are those of proto.h. */
int ctl_main(const struct ctl_spec *spec, int argc, char **argv);

#endif
