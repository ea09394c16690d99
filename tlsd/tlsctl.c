/* tlsctl.c: the console program of tlsd. */
#include "commands.h"
#include "console/ctl.h"

int main(int argc, char **argv)
{
	const struct ctl_spec spec = {
		.name = "tlsctl",
		.daemon = "tlsd",
		.version = COUPLET_VERSION,
		.socket = "tlsd-%s/console",
		.table = tlsd_commands,
		.n_table = tlsd_n_commands,
	};

	return ctl_main(&spec, argc, argv);
}
