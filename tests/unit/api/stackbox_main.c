/*
 * stackbox RUN_DIR [IFNAME STACK-ADDR/N HOST-ADDR/N]: a stack to try programs
 * on, until SIGTERM or SIGINT.
 */
#include "stackbox.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static int stop_fd;

static void on_signal(int sig)
{
	(void)sig;
	(void)!write(stop_fd, "x", 1);
}

int main(int argc, char **argv)
{
	static struct stackbox b;
	struct rlimit rl = {1 << 20, 1 << 20};

	if (argc != 2 && argc != 5) {
		fprintf(stderr,
			"usage: stackbox RUN_DIR [IFNAME STACK HOST]\n");
		return 2;
	}
	(void)setrlimit(RLIMIT_NOFILE, &rl);
	stackbox_open(&b, argv[1]);
	stop_fd = b.wake[1];
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGPIPE, SIG_IGN);
	if (argc == 5)
		stackbox_tun(&b, argv[2], argv[3], argv[4]);
	stackbox_run(&b);
	stackbox_close(&b);
	return 0;
}
