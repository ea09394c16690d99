/*
 * The door to a running stackd: packets go over the SEQPACKET medium of its
 * adapter, calls through libcouplet. Scripts with the same deck share one
 * stackd; each has a peer address and a port of its own, and what still
 * comes for the peer of an earlier script is not looked at.
 */
#include "script.h"

#include "client/couplet.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 60000
#define ID "77"

static struct {
	char dir[64], deck[DECK_MAX + 512], exe[256];
	pid_t pid;
	int wire;
} stackd = {.wire = -1};

static int64_t clock_ns(void)
{
	return (int64_t)mono_now().ns;
}

/* ---- the daemon
 * ----------------------------------------------------------------- */

static void remove_dir(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", stackd.dir, (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
}

/* SIGTERM; it must end by itself with status 0. */
static void end_stackd(void)
{
	int status = 0;

	if (stackd.wire >= 0)
		close(stackd.wire);
	stackd.wire = -1;
	if (stackd.pid <= 0)
		return;
	kill(stackd.pid, SIGTERM);
	(void)waitpid(stackd.pid, &status, 0);
	stackd.pid = 0;
	remove_dir();
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		printf("FAIL stackd ended with status %#x\n", status);
		fflush(stdout);
		_exit(1);
	}
}

static bool write_deck(const char *path)
{
	FILE *f = fopen(path, "w");
	bool ok = f && fputs(stackd.deck, f) >= 0;

	return f && fclose(f) == 0 && ok;
}

static void run_stackd(const char *deck)
{
	const char *exe = getenv("STACKD");

	stackd.pid = fork();
	if (stackd.pid == 0) {
		execl(exe ? exe : "stackd", "stackd", "-f", deck, "--run",
		      stackd.dir, (char *)NULL);
		_exit(127);
	}
}

static bool join_wire(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%.*s",
		 (int)sizeof(a.sun_path) - 1, path);
	for (int i = 0; i < START_MS / 10; i++) {
		int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
		    couplet_running(ID) == 1) {
			stackd.wire = fd;
			return true;
		}
		close(fd);
		if (waitpid(stackd.pid, NULL, WNOHANG) == stackd.pid) {
			stackd.pid = 0;
			return false;
		}
		usleep(10000);
	}
	return false;
}

static void start_stackd(struct script *s, const char *deck_text)
{
	char path[160], wire[128];

	end_stackd();
	snprintf(stackd.dir, sizeof(stackd.dir), "/tmp/script.XXXXXX");
	if (!mkdtemp(stackd.dir)) {
		script_fail(s, "no directory");
		return;
	}
	/* stackd changes its user */
	(void)chmod(stackd.dir, 0755);
	setenv("COUPLET_RUN", stackd.dir, 1);
	snprintf(wire, sizeof(wire), "%s/wire", stackd.dir);
	snprintf(stackd.deck, sizeof(stackd.deck), "%s", deck_text);
	/* the text says WIRE where the socket goes */
	snprintf(path, sizeof(path), "MEDIUM SEQPACKET %s LISTEN", wire);
	script_deck(s, path, stackd.deck, sizeof(stackd.deck));
	snprintf(path, sizeof(path), "%s/deck", stackd.dir);
	if (!write_deck(path)) {
		script_fail(s, "the deck cannot be written");
		return;
	}
	run_stackd(path);
	if (!join_wire(wire))
		script_fail(s, "stackd does not start");
	snprintf(stackd.deck, sizeof(stackd.deck), "%s", deck_text);
}

static void start(struct script *s)
{
	static bool registered;
	char text[DECK_MAX + 512];
	struct pollfd fd;

	if (!registered)
		atexit(end_stackd);
	registered = true;
	script_deck(s, "WIRE", text, sizeof(text));
	/* what a router said stays: a stackd of its own */
	if (stackd.pid <= 0 || strcmp(text, stackd.deck) != 0 ||
	    strstr(text, "RA ON"))
		start_stackd(s, text);
	fd = (struct pollfd){.fd = stackd.wire, .events = POLLIN};
	/* what an interface says when it comes up */
	while (!s->failed && s->l2 && poll(&fd, 1, 400) > 0)
		(void)!recv(stackd.wire, s->buf, sizeof(s->buf), 0);
	s->now_ns = clock_ns();
}

static void stop(struct script *s)
{
	for (unsigned i = 0; i < SLOTS_MAX; i++)
		if (s->slot[i].used && s->slot[i].fd >= 0) {
			struct linger now = {1, 0};

			(void)couplet_setsockopt(s->slot[i].fd, SOL_SOCKET,
						 SO_LINGER, &now, sizeof(now));
			close(s->slot[i].fd);
		}
}

/* ---- the wire
 * ---------------------------------------------------------------------- */

static void inject(struct script *s, const uint8_t *p, size_t len)
{
	if (send(stackd.wire, p, len, 0) != (ssize_t)len)
		script_fail(s, "the wire: %s", strerror(errno));
	/* stackd serves programs before devices: let it see this first */
	usleep(3000);
}

static bool is_arp(const struct script *s, const uint8_t *p, size_t len)
{
	return s->l2 && len >= 42 && p[12] == 8 && p[13] == 6;
}

/* Not an announcement of an address, which is sent again some seconds after the
 * start, nor one more request for the peer of an earlier script: peers ascend
 * from script to script, and stackd asks for a silent one three times. */
static bool is_arp_of(const struct script *s, const uint8_t *p)
{
	static const uint8_t first_peer[4] = {192, 0, 2, 10};
	const uint8_t *spa = p + 28, *tpa = p + 38;

	return memcmp(spa, tpa, 4) != 0 && (memcmp(tpa, first_peer, 4) < 0 ||
					    memcmp(tpa, s->peer.b, 4) >= 0);
}

/* For the peer of this script, or for nobody's? */
static bool is_ours(const struct script *s, const uint8_t *p, size_t len)
{
	static const uint8_t v4_net[2] = {192, 0};
	static const uint8_t v6_net[8] = {0x20, 0x01, 0x0d, 0xb8};
	int at = script_ip_offset(s, p, len);

	if (is_arp(s, p, len))
		return is_arp_of(s, p);
	if (at < 0)
		return true;
	p += at;
	if (p[0] >> 4 == 4)
		return memcmp(p + 16, v4_net, 2) != 0 || p[18] < 2 ||
		       (p[18] == 2 && p[19] < 10) || p[18] > 100 ||
		       memcmp(p + 16, s->peer.b, 4) == 0;
	/* a solicitation goes to a group: its target tells for whom */
	p += len >= (size_t)at + 64 && p[6] == 58 && p[40] == 135 ? 48 : 24;
	return memcmp(p, v6_net, 8) != 0 || p[14] == 0 || p[14] > 100 ||
	       memcmp(p, s->peer6.b, 16) == 0;
}

static size_t next(struct script *s, dur_t wait, uint8_t *buf, size_t cap)
{
	int64_t end = clock_ns() + wait.ns;

	for (;;) {
		struct pollfd fd = {.fd = stackd.wire, .events = POLLIN};
		int64_t left = end - (s->now_ns = clock_ns());
		ssize_t n;

		if (poll(&fd, 1, left > 0 ? (int)(left / 1000000) + 1 : 0) <= 0)
			break;
		n = recv(stackd.wire, buf, cap, 0);
		if (n <= 0) {
			script_fail(s, "stackd has gone");
			break;
		}
		s->now_ns = clock_ns();
		if (is_ours(s, buf, (size_t)n))
			return (size_t)n;
		if (s->now_ns > end)
			break;
	}
	s->now_ns = clock_ns();
	return 0;
}

/* ---- calls
 * ----------------------------------------------------------------------------
 */

static int result(long r)
{
	return r < 0 ? -errno : (int)r;
}

static int fd_of(const struct script *s, unsigned slot)
{
	return s->slot[slot].fd;
}

static int open_sock(struct script *s, unsigned slot, bool tcp, bool v6)
{
	int fd = couplet_socket(ID, v6 ? AF_INET6 : AF_INET,
				(tcp ? SOCK_STREAM : SOCK_DGRAM) |
					SOCK_NONBLOCK | SOCK_CLOEXEC,
				0);

	s->slot[slot].fd = fd;
	return fd < 0 ? -errno : 0;
}

static int bind_sock(struct script *s, unsigned slot, const struct ip_port *at)
{
	struct sockaddr_storage sa;
	socklen_t n = ip_port_to_sockaddr(at, &sa);
	int on = 1;

	(void)couplet_setsockopt(fd_of(s, slot), SOL_SOCKET, SO_REUSEADDR, &on,
				 sizeof(on));
	return result(couplet_bind(fd_of(s, slot), (struct sockaddr *)&sa, n));
}

static int listen_sock(struct script *s, unsigned slot, int backlog)
{
	int fd = fd_of(s, slot), r = result(couplet_listen(fd, backlog));

	/* listen() gives the descriptor another socket */
	if (r == 0)
		(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	return r;
}

static int accept_sock(struct script *s, unsigned from, unsigned slot)
{
	int fd = couplet_accept4(fd_of(s, from), NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

	s->slot[slot].fd = fd;
	return fd < 0 ? -errno : 0;
}

static int connect_sock(struct script *s, unsigned slot,
			const struct ip_port *to)
{
	struct sockaddr_storage sa;
	socklen_t n = ip_port_to_sockaddr(to, &sa);

	return result(
		couplet_connect(fd_of(s, slot), (struct sockaddr *)&sa, n));
}

static int write_sock(struct script *s, unsigned slot, const uint8_t *p,
		      size_t len, bool more)
{
	return result(couplet_send(fd_of(s, slot), p, len,
				   MSG_NOSIGNAL | (more ? MSG_MORE : 0)));
}

static int read_sock(struct script *s, unsigned slot, uint8_t *p, size_t len)
{
	return result(couplet_recv(fd_of(s, slot), p, len, 0));
}

static int sendto_sock(struct script *s, unsigned slot, const uint8_t *p,
		       size_t len, const struct ip_port *to, unsigned gso)
{
	struct sockaddr_storage sa;
	socklen_t n = to ? ip_port_to_sockaddr(to, &sa) : 0;
	int size = (int)gso;

	if (gso && couplet_setsockopt(fd_of(s, slot), SOL_UDP, UDP_SEGMENT,
				      &size, sizeof(size)) < 0)
		return -errno;
	return result(couplet_sendto(fd_of(s, slot), p, len, MSG_NOSIGNAL,
				     to ? (struct sockaddr *)&sa : NULL, n));
}

static int shutdown_sock(struct script *s, unsigned slot)
{
	return result(couplet_shutdown(fd_of(s, slot), SHUT_WR));
}

static int close_sock(struct script *s, unsigned slot, bool abort)
{
	struct linger now = {1, 0};
	int fd = fd_of(s, slot);

	if (abort)
		(void)couplet_setsockopt(fd, SOL_SOCKET, SO_LINGER, &now,
					 sizeof(now));
	s->slot[slot].fd = -1;
	return result(close(fd));
}

static const struct {
	const char *name;
	int level, opt;
} options[] = {
	{"nodelay", IPPROTO_TCP, TCP_NODELAY},
	{"cork", IPPROTO_TCP, TCP_CORK},
	{"quickack", IPPROTO_TCP, TCP_QUICKACK},
	{"keepalive", SOL_SOCKET, SO_KEEPALIVE},
	{"keepidle", IPPROTO_TCP, TCP_KEEPIDLE},
	{"keepintvl", IPPROTO_TCP, TCP_KEEPINTVL},
	{"keepcnt", IPPROTO_TCP, TCP_KEEPCNT},
	{"maxseg", IPPROTO_TCP, TCP_MAXSEG},
	{"usertimeout", IPPROTO_TCP, TCP_USER_TIMEOUT},
	{"syncnt", IPPROTO_TCP, TCP_SYNCNT},
	{"linger2", IPPROTO_TCP, TCP_LINGER2},
	{"sndbuf", SOL_SOCKET, SO_SNDBUF},
	{"rcvbuf", SOL_SOCKET, SO_RCVBUF},
	{"lowat", IPPROTO_TCP, TCP_NOTSENT_LOWAT},
	{"clamp", IPPROTO_TCP, TCP_WINDOW_CLAMP},
	{"reuseaddr", SOL_SOCKET, SO_REUSEADDR},
	{"v6only", IPPROTO_IPV6, IPV6_V6ONLY},
	{"broadcast", SOL_SOCKET, SO_BROADCAST},
	{"ttl", IPPROTO_IP, IP_TTL},
	{"tos", IPPROTO_IP, IP_TOS},
	{"mttl", IPPROTO_IP, IP_MULTICAST_TTL},
	{"pmtudisc", IPPROTO_IP, IP_MTU_DISCOVER},
	{"recverr", IPPROTO_IP, IP_RECVERR},
	{"mtu", IPPROTO_IP, IP_MTU},
};

/* The same option of the other family. */
static void to_v6(int *level, int *opt)
{
	if (*level != IPPROTO_IP)
		return;
	*level = IPPROTO_IPV6;
	*opt = *opt == IP_TTL            ? IPV6_UNICAST_HOPS
	       : *opt == IP_TOS          ? IPV6_TCLASS
	       : *opt == IP_MTU_DISCOVER ? IPV6_MTU_DISCOVER
	       : *opt == IP_RECVERR      ? IPV6_RECVERR
	       : *opt == IP_MTU          ? IPV6_MTU
					 : IPV6_MULTICAST_HOPS;
}

static bool find_opt(const struct script *s, unsigned slot, const char *name,
		     int *level, int *opt)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (strcmp(options[i].name, name) == 0) {
			*level = options[i].level;
			*opt = options[i].opt;
			if (s->slot[slot].v6)
				to_v6(level, opt);
			return true;
		}
	return false;
}

static int set_opt(struct script *s, unsigned slot, const char *name, int v)
{
	struct linger l = {1, v};
	int level, opt;

	if (strcmp(name, "linger") == 0)
		return result(couplet_setsockopt(fd_of(s, slot), SOL_SOCKET,
						 SO_LINGER, &l, sizeof(l)));
	if (!find_opt(s, slot, name, &level, &opt))
		return -ENOPROTOOPT;
	return result(
		couplet_setsockopt(fd_of(s, slot), level, opt, &v, sizeof(v)));
}

static int get_opt(struct script *s, unsigned slot, const char *name, int *ret)
{
	socklen_t n = sizeof(*ret);
	int level, opt;

	if (!find_opt(s, slot, name, &level, &opt))
		return -ENOPROTOOPT;
	return result(couplet_getsockopt(fd_of(s, slot), level, opt, ret, &n));
}

static int error_of(struct script *s, unsigned slot)
{
	int v = 0;
	socklen_t n = sizeof(v);

	if (couplet_getsockopt(fd_of(s, slot), SOL_SOCKET, SO_ERROR, &v, &n) <
	    0)
		return errno;
	return v;
}

static int poll_sock(struct script *s, unsigned slot)
{
	struct pollfd fd = {.fd = fd_of(s, slot), .events = POLLIN | POLLOUT};

	return poll(&fd, 1, 0) > 0 ? fd.revents : 0;
}

static const char *state_of(struct script *s, unsigned slot)
{
	static const char *const names[] = {
		"?",          "ESTABLISHED", "SYN-SENT",  "SYN-RECEIVED",
		"FIN-WAIT-1", "FIN-WAIT-2",  "TIME-WAIT", "CLOSED",
		"CLOSE-WAIT", "LAST-ACK",    "LISTEN",    "CLOSING"};
	struct tcp_info i = {0};
	socklen_t n = sizeof(i);

	if (couplet_getsockopt(fd_of(s, slot), IPPROTO_TCP, TCP_INFO, &i, &n) <
		    0 ||
	    i.tcpi_state >= ARRAY_SIZE(names))
		return "";
	/* stackd lets go of the program's record once both halves are shut,
	 * and does not tell how far the peer has come with it */
	if (i.tcpi_state == TCP_CLOSE)
		return "";
	return names[i.tcpi_state];
}

static int64_t count_of(struct script *s, const char *name)
{
	(void)s, (void)name;
	return -1;
}

const struct door live_door = {
	.name = "live",
	.real_time = true,
	.start = start,
	.stop = stop,
	.inject = inject,
	.next = next,
	.open = open_sock,
	.bind = bind_sock,
	.listen = listen_sock,
	.accept = accept_sock,
	.connect = connect_sock,
	.write = write_sock,
	.read = read_sock,
	.sendto = sendto_sock,
	.shutdown = shutdown_sock,
	.close = close_sock,
	.set = set_opt,
	.get = get_opt,
	.error = error_of,
	.poll = poll_sock,
	.state = state_of,
	.count = count_of,
};
