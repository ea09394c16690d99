/* proxyctl.c: the console program of proxyd. */
#include "commands.h"
#include "console/ctl.h"

int main(int argc, char **argv)
{
	const struct ctl_spec spec = {
		.name = "proxyctl",
		.daemon = "proxyd",
		.version = COUPLET_VERSION,
		.socket = "proxyd-%s/console",
		.table = proxyd_commands,
		.n_table = proxyd_n_commands,
	};

	return ctl_main(&spec, argc, argv);
}
