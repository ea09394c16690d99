/* The list of osa_syscalls() is enough for everything after open: reading,
 * writing, tracing, a neighbour that goes and comes, undoing at close. */
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIR "/tmp/couplet-osa"

static const char *const ours[] = {"10.9.0.2/24", NULL};

/* What any program may do: memory and its end. */
static const char *const base[] = {
	"brk",    "mmap",       "munmap",       "mprotect",       "madvise",
	"mremap", "exit_group", "rt_sigreturn", "rt_sigprocmask", "futex",
	"getpid", "gettid",     "sched_yield",  "sigaltstack",    "prctl",
};

/* Opened before the filter comes down, used and closed behind it. */
struct all {
	struct osa_port *tun, *tap, *given, *listener, *connector;
	struct pkt_pool pool;
	int file;
};

static struct osa_port *make(enum deck_medium medium, const char *ifname)
{
	struct deck_device dev = netns_device(medium);

	(void)snprintf(dev.ifname, sizeof(dev.ifname), "%s", ifname);
	if (medium == MEDIUM_TUN)
		netns_host_addr(&dev, strcmp(ifname, "given") == 0
					      ? "10.8.0.1/24"
					      : "10.9.0.1/24");
	dev.host_routes = strcmp(ifname, "given") == 0;
	return netns_open(&dev, dev.host_routes || medium == MEDIUM_TAP ? NULL
									: ours);
}

static struct osa_port *make_wire(bool listener)
{
	struct deck_device dev = netns_device(MEDIUM_SEQPACKET);

	(void)snprintf(dev.path, sizeof(dev.path), "%s", DIR "/wire");
	dev.path_listen = listener;
	return netns_open(&dev, NULL);
}

static void on_sigsys(int sig, siginfo_t *si, void *ctx)
{
	char text[] = "system call 000 is not in the list\n";
	int nr = si->si_syscall;

	(void)sig;
	(void)ctx;
	for (int i = 14; i > 11; i--, nr /= 10)
		text[i] = (char)('0' + nr % 10);
	(void)!write(2, text, sizeof(text) - 1);
	_exit(99);
}

static void lock_up(void)
{
	struct sigaction sa = {.sa_sigaction = on_sigsys,
			       .sa_flags = SA_SIGINFO};
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_TRAP);
	size_t n;
	const int *list = osa_syscalls(&n);

	if (!f || sigaction(SIGSYS, &sa, NULL) < 0)
		_exit(2);
	for (size_t i = 0; i < n; i++)
		if (seccomp_rule_add(f, SCMP_ACT_ALLOW, list[i], 0) < 0)
			_exit(3);
	for (size_t i = 0; i < ARRAY_SIZE(base); i++)
		if (seccomp_rule_add(f, SCMP_ACT_ALLOW,
				     seccomp_syscall_resolve_name(base[i]),
				     0) < 0)
			_exit(4);
	if (seccomp_load(f) < 0)
		_exit(5);
}

static void stir(struct all *a, struct osa_port *p)
{
	struct frame f = {.hdr_len = 20, .hdr = {0x45}};
	struct pkt *k;
	bool more = true;

	(void)osa_write(p, &f);
	while (more && osa_read(p, 0, &a->pool, 1, 64, &k, &more) >= 0)
		pkt_free_chain(&a->pool, k);
}

static bool carrier(const struct osa_port *p)
{
	struct osa_info i;

	osa_get_info(p, &i);
	return i.carrier;
}

/* The listener drops its neighbour by closing; the connector retries. */
static void work(struct all *a)
{
	struct pollfd wire = {.events = POLLIN};
	struct osa_trace *t;
	uint64_t packets, dropped;
	int error;

	if (osa_trace_start(a->file, &a->tun, 1, NULL, &t) < 0)
		_exit(6);
	stir(a, a->tun);
	stir(a, a->tap);
	stir(a, a->given);
	osa_trace_flush(t);
	(void)osa_fds(a->connector, &wire.fd, 1);
	stir(a, a->listener);
	stir(a, a->connector);
	osa_close(a->listener);
	for (int i = 0; i < 3; i++) {
		stir(a, a->connector);
		(void)poll(&wire, 1, 200);
	}
	if (carrier(a->connector))
		_exit(7);
	for (int i = 0; i < 5000 && !osa_trace_error(t); i++)
		stir(a, a->tun); /* beyond the limit: cut back */
	osa_trace_stop(t, &packets, &dropped, &error);
	osa_close(a->tun);
	osa_close(a->tap);
	osa_close(a->connector);
	osa_close(a->given);
	_exit(error == -EFBIG ? 0 : 8);
}

static void test_list_is_enough(void **state)
{
	struct rlimit limit = {200001, RLIM_INFINITY};
	struct all a = {0};
	int status = -1;
	pid_t pid;

	(void)state;
	netns_ok("mkdir -p " DIR " && mount -t tmpfs none " DIR);
	netns_ok("ip tuntap add given mode tun vnet_hdr");
	pid = fork();
	if (pid == 0) {
		(void)alarm(30);
		pkt_pool_init(&a.pool, 64u << 20);
		a.tun = make(MEDIUM_TUN, "osa0");
		a.tap = make(MEDIUM_TAP, "osa1");
		a.given = make(MEDIUM_TUN, "given");
		a.listener = make_wire(true);
		a.connector = make_wire(false);
		a.file = open(DIR "/trace", O_WRONLY | O_CREAT, 0600);
		if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
			_exit(9);
		lock_up();
		work(&a);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	netns_fails("ip addr show given | grep -q 10.8.0.1");
	netns_fails("ip link show osa0 >/dev/null 2>&1");
	netns_ok("test ! -e " DIR "/wire && umount " DIR " && rmdir " DIR);
	netns_ok("ip link del given");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_list_is_enough),
};

NETNS_MAIN(tests)
