#include "netns.h"

#include "base/mono.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

void netns_enter(void)
{
	if (geteuid() != 0) {
		(void)fprintf(stderr, "skipped: needs root for namespaces\n");
		exit(77);
	}
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0) {
		(void)fprintf(stderr, "skipped: no namespaces: %s\n",
			      strerror(errno));
		exit(77);
	}
	if (access("/dev/net/tun", R_OK | W_OK) < 0) {
		(void)fprintf(stderr, "skipped: /dev/net/tun: %s\n",
			      strerror(errno));
		exit(77);
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    netns_run("ip link set lo up") != 0)
		exit(1);
}

int netns_run(const char *cmd)
{
	return system(cmd);
}

void netns_ok(const char *cmd)
{
	if (netns_run(cmd) != 0)
		fail_msg("failed: %s", cmd);
}

void netns_fails(const char *cmd)
{
	if (netns_run(cmd) == 0)
		fail_msg("succeeded: %s", cmd);
}

struct deck_device netns_device(enum deck_medium medium)
{
	return (struct deck_device){
		.name = "OSA0",
		.cuu = "D00",
		.datacuu = "D02",
		.portname = "OSA0",
		.medium = medium,
		.offload = true,
		.queues = 1,
		.txqueuelen = 4000,
	};
}

struct ip_prefix netns_prefix(const char *text)
{
	char buf[ADDR_TEXT_MAX];
	struct ip_prefix p = {0};
	char *slash;

	(void)snprintf(buf, sizeof(buf), "%s", text);
	slash = strchr(buf, '/');
	assert_non_null(slash);
	*slash = 0;
	assert_int_equal(ip_parse(buf, &p.addr), 0);
	p.len = (uint8_t)strtoul(slash + 1, NULL, 10);
	return p;
}

void netns_host_addr(struct deck_device *dev, const char *text)
{
	dev->host_addr[dev->n_host_addr++] = netns_prefix(text);
}

static int try_open(const struct deck_device *dev, const char *const *addrs,
		    struct osa_port **ret, char *err, size_t err_len)
{
	struct ip_prefix list[16];
	uint32_t n = 0;

	for (; addrs && addrs[n]; n++)
		list[n] = netns_prefix(addrs[n]);
	return osa_open(dev, 1500, list, n, ret, err, err_len);
}

struct osa_port *netns_open(const struct deck_device *dev,
			    const char *const *addrs)
{
	struct osa_port *p = NULL;
	char err[256] = "";
	int r = try_open(dev, addrs, &p, err, sizeof(err));

	if (r < 0)
		fail_msg("osa_open: %d %s", r, err);
	return p;
}

void netns_open_fails(const struct deck_device *dev, const char *const *addrs,
		      int error, const char *part)
{
	struct osa_port *p = NULL;
	char err[256] = "";
	int r = try_open(dev, addrs, &p, err, sizeof(err));

	(void)fprintf(stderr, "%s\n", err);
	if (r == 0)
		osa_close(p);
	assert_int_equal(r, error);
	assert_ptr_equal(strstr(err, "DEVICE OSA0: "), err);
	if (!strstr(err, part))
		fail_msg("\"%s\" is not in \"%s\"", part, err);
}

/* One drain of the queue: the first packet wanted, the rest freed. */
static struct pkt *pick(struct osa_port *p, struct pkt_pool *pool,
			bool (*want)(struct pkt *k))
{
	struct pkt *k, *found = NULL;
	bool more;
	int n = osa_read(p, 0, pool, 7, 64, &k, &more);

	assert_true(n >= 0);
	while (k) {
		struct pkt *next = k->next;

		if (!found && want(k))
			found = k;
		else
			pkt_free(pool, k);
		k = next;
	}
	if (found)
		found->next = NULL;
	return found;
}

struct pkt *netns_wait(struct osa_port *p, struct pkt_pool *pool,
		       bool (*want)(struct pkt *k))
{
	mono_t end = mono_add(mono_now(), DUR_S(5));
	struct pollfd pfd = {.events = POLLIN};
	struct pkt *k = NULL;

	assert_int_equal(osa_fds(p, &pfd.fd, 1), 1);
	while (!k && mono_lt(mono_now(), end)) {
		(void)poll(&pfd, 1, 100);
		k = pick(p, pool, want);
	}
	return k;
}
