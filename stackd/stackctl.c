/* stackctl.c: the console program of stackd. */
#include "commands.h"
#include "console/ctl.h"

int main(int argc, char **argv)
{
	const struct ctl_spec spec = {
		.name = "stackctl",
		.daemon = "stackd",
		.version = COUPLET_VERSION,
		.socket = "%s/console",
		.table = stackd_commands,
		.n_table = stackd_n_commands,
	};

	return ctl_main(&spec, argc, argv);
}
