/*
 * tun_echo: what osa_read() and osa_write() cost, with the kernel's TCP at
 * the other end of a TUN or TAP and no stack of ours: one connection of a
 * minimal TCP, 64 KiB frames (or single segments) each way, and a ping-pong
 * of one byte. Prints Gbit/s by the clock and per second of our own CPU time
 * (which other load on the machine does not spoil), and frames. Runs in
 * namespaces of its own.
 *
 * tun_echo [-t] [-n] [-s SECONDS]   -t TAP  -n no offload
 */
#include "base/mono.h"
#include "minitcp.h"
#include "netns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT 5001
#define FLIGHT_MAX (2u << 20) /* what fits the caches */

enum mode { UP, DOWN, RR };

static char buf[1 << 20];

/* The kernel's end: sends, receives or echoes until the connection dies. */
static _Noreturn void kernel_end(enum mode mode)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(PORT)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, big = 8 << 20;
	int low = 512 << 10;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)inet_pton(AF_INET, "10.9.0.2", &to.sin_addr);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	/* A window that never closes while a core sleeps. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
	/* Seldom woken: an interrupt to another core costs a virtual machine
	 * more than the frame. */
	if (mode == DOWN)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low,
				 sizeof(low));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		perror("connect");
		_exit(1);
	}
	for (;;) {
		ssize_t n = mode == UP ? write(fd, buf, sizeof(buf))
				       : read(fd, buf, sizeof(buf));

		if (n <= 0)
			_exit(0);
		if (mode == RR && write(fd, buf, 1) != 1)
			_exit(0);
	}
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static void step(struct minitcp *m, enum mode mode, uint64_t *turns)
{
	uint64_t before = m->rx_bytes;

	if (mode == DOWN) {
		bool sent = false;

		while (minitcp_send(m, buf, 65000) > 0)
			sent = true;
		(void)(sent ? minitcp_drain(m) : minitcp_poll(m, 100));
		return;
	}
	if (minitcp_drain(m) == 0)
		(void)minitcp_poll(m, 100);
	if (mode == UP) {
		minitcp_ack(m);
	} else if (m->rx_bytes > before) {
		m->ack_due = false;
		(*turns)++;
		(void)minitcp_send(m, buf, 1);
	}
}

static double cpu_now(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void report(const struct osa_port *p, const char *name, double s,
		   double cpu, uint64_t bytes, uint64_t turns, enum mode mode)
{
	struct osa_info i;

	osa_get_info(p, &i);
	if (mode == RR)
		(void)printf(
			"%-5s %9.0f turns/s (%.1f us, %.1f us of our cpu)\n",
			name, (double)turns / s, s * 1e6 / (double)turns,
			cpu * 1e6 / (double)turns);
	else
		(void)printf(
			"%-5s %6.1f Gbit/s, %6.1f per cpu-s, %8.0f frames/s in (%.0f "
			"bytes), %8.0f out (%.0f bytes), tx drops %llu\n",
			name, (double)bytes * 8 / s / 1e9,
			(double)bytes * 8 / cpu / 1e9, (double)i.rx_frames / s,
			(double)i.rx_bytes / (double)i.rx_frames,
			(double)i.tx_frames / s,
			(double)i.tx_bytes / (double)i.tx_frames,
			(unsigned long long)i.tx_drops);
}

static void run(const struct deck_device *dev, enum mode mode, int other_cpu,
		double seconds, const char *name)
{
	static const char *const ours[] = {"10.9.0.2/24", NULL};
	struct osa_port *p = netns_open(dev, ours);
	struct pkt_pool pool;
	struct minitcp m;
	uint64_t turns = 0;
	mono_t start, end, now;
	double cpu;
	pid_t pid;

	pkt_pool_init(&pool, 256u << 20);
	minitcp_init(&m, p, &pool, "10.9.0.2", PORT);
	m.flight_max = FLIGHT_MAX;
	pid = fork();
	if (pid == 0) {
		pin(other_cpu);
		kernel_end(mode);
	}
	pin(0);
	end = mono_add(mono_now(), DUR_S(5));
	while (!m.established && mono_lt(mono_now(), end))
		(void)minitcp_poll(&m, 100);
	if (mode == RR)
		(void)minitcp_send(&m, buf, 1);
	cpu = cpu_now();
	start = now = mono_now();
	end = mono_add(start, DUR_MS(seconds * 1000));
	while (m.established && mono_lt(now, end)) {
		for (int i = 0; i < 32; i++)
			step(&m, mode, &turns);
		now = mono_now();
	}
	cpu = cpu_now() - cpu;
	report(p, name, (double)mono_sub(now, start).ns / 1e9, cpu,
	       mode == UP ? m.rx_bytes : m.tx_bytes, turns, mode);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	osa_close(p);
	pkt_pool_fini(&pool);
}

int main(int argc, char **argv)
{
	struct deck_device dev;
	double seconds = 2;
	bool tap = false, offload = true;
	int c;

	while ((c = getopt(argc, argv, "tns:")) != -1) {
		tap = tap || c == 't';
		offload = offload && c != 'n';
		seconds = c == 's' ? strtod(optarg, NULL) : seconds;
	}
	netns_enter();
	dev = netns_device(tap ? MEDIUM_TAP : MEDIUM_TUN);
	dev.offload = offload;
	netns_host_addr(&dev, "10.9.0.1/24");
	(void)printf("%s, offload %s\n", tap ? "TAP" : "TUN",
		     offload ? "on" : "off");
	run(&dev, UP, 1, seconds, "up");
	run(&dev, DOWN, 1, seconds, "down");
	run(&dev, RR, 0, seconds, "rr1");
	run(&dev, RR, 1, seconds, "rr2");
	return 0;
}
