/* stackctl.c: the console program of stackd. */
#include "addr/addr.h"
#include "client/couplet.h"
#include "commands.h"
#include "console/ctl.h"

#include <errno.h>
#include <stdlib.h>

/* As any program on the stack would: host table, then name servers. */
static int resolve(const char *run_dir, const char *id, const char *name,
		   char *ret)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *ai;
	struct ip_addr literal;
	struct ip_port found;
	int r;

	if (ip_parse(name, &literal) == 0)
		return -ENOENT; /* nothing to be done */
	if (setenv("COUPLET_RUN", run_dir, 1) < 0)
		return -errno;
	if (couplet_getaddrinfo(id, name, NULL, &hints, &ai) != 0)
		return -ENOENT;
	r = ip_port_from_sockaddr(ai->ai_addr, ai->ai_addrlen, &found);
	if (r == 0)
		ip_format(&found.addr, ret);
	couplet_freeaddrinfo(id, ai);
	return r;
}

int main(int argc, char **argv)
{
	const struct ctl_spec spec = {
		.name = "stackctl",
		.daemon = "stackd",
		.version = COUPLET_VERSION,
		.socket = "%s/console",
		.table = stackd_commands,
		.n_table = stackd_n_commands,
		.resolve = resolve,
	};

	return ctl_main(&spec, argc, argv);
}
