/*
 * stackrun_net.c: out of the host's network, and into the stack's names.
 *
 * A resolver inside a static program reads /etc/resolv.conf and /etc/hosts
 * and asks the servers itself. In a mount namespace of its own these files are
 * others: memory files with what the stack's deck says, put in place as
 * mounts, so that nothing on the host's disk changes. They are a picture of
 * the time of the start.
 */
#include "client/ctl.h"
#include "client/stackrun.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOSTS_STEPS 4096 /* answers that the table may take */
#define RESOLV_SERVERS 3 /* as many as libc reads */
#define NSSWITCH "/etc/nsswitch.conf"

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? -errno : 0;
}

/* ---- the stack's view of names
 * -------------------------------------------------------- */

static void write_servers(FILE *f, unsigned id)
{
	struct proto_req rq = {.op = PROTO_CONFIG, .flags = PROTO_F_NOSOCK};
	struct proto_config cf;
	struct proto_rep rep;

	if (ctl_call(id, -1, &rq, &rep, &cf, sizeof(cf)) < 0)
		return;
	for (uint32_t i = 0; i < MIN(cf.n_dns, (uint32_t)RESOLV_SERVERS); i++) {
		char text[ADDR_TEXT_MAX];
		struct ip_port p;

		if (proto_addr_get(&cf.dns[i], &p) < 0)
			continue;
		ip_format(&p.addr, text);
		fprintf(f, "nameserver %s\n", text);
	}
	if (cf.search[0])
		fprintf(f, "search %s\n", cf.search);
}

/* The HOST table, which comes in pieces. */
static void write_hosts(FILE *f, unsigned id)
{
	static char text[PROTO_REP_MAX];
	int64_t next = 0;

	for (int i = 0; i < HOSTS_STEPS; i++) {
		struct proto_req rq = {.op = PROTO_HOSTS,
				       .flags = PROTO_F_NOSOCK,
				       .value = next};
		struct proto_rep rep;

		if (ctl_call(id, -1, &rq, &rep, text, sizeof(text)) < 0)
			break;
		fwrite(text, 1, rep.data_len, f);
		next = rep.value;
		if (next <= 0)
			break;
	}
}

/* The host's own, with other sources of host names. */
static void write_nsswitch(FILE *f)
{
	FILE *old = fopen(NSSWITCH, "re");
	char line[1024];

	while (old && fgets(line, sizeof(line), old)) {
		if (strncasecmp(line, "hosts:", 6) != 0)
			fputs(line, f);
	}
	if (old)
		fclose(old);
	fputs("hosts: files dns\n", f);
}

static FILE *create(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	return fd < 0 ? NULL : fdopen(fd, "w");
}

/* A file of the detached file system `dir` over `path`, if there is such a
 * file. */
static void put_over(int dir, const char *name, const char *path)
{
	int fd = open_tree(dir, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0)
		return;
	(void)!move_mount(fd, "", AT_FDCWD, path,
			  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS);
	close(fd);
}

static int memory_fs(void)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), m = -1;

	if (fs < 0)
		return -1;
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		m = fsmount(fs, FSMOUNT_CLOEXEC,
			    MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
	close(fs);
	return m;
}

static void show_names(unsigned id)
{
	unsigned other = ctl_couple(id);
	mode_t mask = umask(022);
	int dir = memory_fs();
	FILE *f;

	if (dir >= 0) {
		f = create(dir, "resolv.conf");
		if (f) {
			fputs("# the name servers of the stack\n", f);
			write_servers(f, id);
			if (other != id)
				write_servers(f, other);
			fclose(f);
			put_over(dir, "resolv.conf", "/etc/resolv.conf");
		}
		f = create(dir, "hosts");
		if (f) {
			fputs("# the HOST table of the stack\n", f);
			write_hosts(f, id);
			if (other != id)
				write_hosts(f, other);
			fputs("127.0.0.1 localhost\n::1 localhost\n", f);
			fclose(f);
			put_over(dir, "hosts", "/etc/hosts");
		}
		f = create(dir, "nsswitch.conf");
		if (f) {
			write_nsswitch(f);
			fclose(f);
			put_over(dir, "nsswitch.conf", NSSWITCH);
		}
	}
	if (dir >= 0)
		close(dir);
	umask(mask);
}

/* ---- namespaces
 * ----------------------------------------------------------------------- */

/* Without privileges: a user namespace in which the user is himself. */
static bool enter_as_user(int spaces)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWUSER | spaces) < 0)
		return false;
	(void)!write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "%u %u 1\n", uid, uid);
	if (write_file("/proc/self/uid_map", map) < 0)
		stackrun_die(STACKRUN_CANNOT, "cannot map user %u: %s; use -n",
			     uid, strerror(errno));
	snprintf(map, sizeof(map), "%u %u 1\n", gid, gid);
	if (write_file("/proc/self/gid_map", map) < 0)
		stackrun_die(STACKRUN_CANNOT, "cannot map group %u: %s; use -n",
			     gid, strerror(errno));
	/* new privileges hid this process from its supervisor */
	(void)!prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L);
	return true;
}

/* The namespace's own loopback, which nobody can use: Java looks whether it
 * has an IPv6 address before it believes in IPv6. */
static void loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	(void)!ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
}

bool stackrun_leave_network(unsigned id, bool names)
{
	int spaces = CLONE_NEWNET | (names ? CLONE_NEWNS : 0);

	if (unshare(spaces) < 0 && !enter_as_user(spaces))
		return false;
	loopback_up();
	/* what the host mounts later shall be seen, and nothing go back */
	if (names && mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) == 0)
		show_names(id);
	return true;
}
