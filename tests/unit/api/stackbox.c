#include "stackbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

_Noreturn static void die(const char *what, int r)
{
	fprintf(stderr, "stackbox: %s: %s\n", what, strerror(-r));
	exit(1);
}

static uint64_t rand64(void *arg)
{
	uint64_t v;

	(void)arg;
	if (getrandom(&v, sizeof(v), 0) != (ssize_t)sizeof(v))
		die("getrandom", -EIO);
	return v;
}

void stackbox_open(struct stackbox *b, const char *run_dir)
{
	struct stack_config cfg;
	struct api_ops ops;
	const char *hold = getenv("STACKBOX_HOLD");
	char err[256] = "";
	int r;

	memset(b, 0, sizeof(*b));
	snprintf(b->deck.id, sizeof(b->deck.id), "00");
	b->deck.priv_port_max = 1024;
	b->deck.divert_wait_s = 60;
	if (hold) {
		long port = strtol(hold, NULL, 10);

		b->deck.holds[0].port_lo = b->deck.holds[0].port_hi =
			(uint16_t)port;
		b->deck.n_holds = 1;
	}
	stack_config_default(&cfg);
	cfg.rand64 = rand64;
	cfg.key = (struct hash_key){rand64(NULL), rand64(NULL)};
	b->stack = stack_new(&cfg);
	if (!b->stack)
		die("stack_new", -ENOMEM);
	r = loop_new(b->stack, &b->loop);
	if (r < 0)
		die("loop_new", r);
	ops = loop_api_ops(b->loop);
	r = api_new(b->stack, &b->deck, run_dir, &ops, &b->api, err,
		    sizeof(err));
	if (r < 0)
		die(err, r);
	loop_set_api(b->loop, b->api);
	if (pipe(b->wake) < 0)
		die("pipe", -errno);
}

static struct ip_prefix prefix(const char *text)
{
	char b[64];
	struct ip_prefix p = {0};
	char *slash;

	snprintf(b, sizeof(b), "%s", text);
	slash = strchr(b, '/');
	if (!slash)
		die(text, -EINVAL);
	*slash = '\0';
	if (ip_parse(b, &p.addr) < 0)
		die(text, -EINVAL);
	p.len = (uint8_t)strtol(slash + 1, NULL, 10);
	return p;
}

void stackbox_tun(struct stackbox *b, const char *ifname, const char *stack,
		  const char *host)
{
	struct deck_device *d = &b->deck.devices[0];
	struct ip_iface_config c = {.kind = IP_LINK_L3, .v4 = true, .v6 = true};
	struct ip_prefix mine = prefix(stack);
	struct ip_route rt = {.until = MONO_NEVER};
	struct osa_caps caps;
	char err[256] = "";
	int r;

	*d = (struct deck_device){.medium = MEDIUM_TUN,
				  .offload = true,
				  .queues = 1,
				  .txqueuelen = 4000,
				  .n_host_addr = 1};
	snprintf(d->name, sizeof(d->name), "OSA0");
	snprintf(d->ifname, sizeof(d->ifname), "%s", ifname);
	d->host_addr[0] = prefix(host);
	r = osa_open(d, 1500, &mine, 1, &b->port, err, sizeof(err));
	if (r < 0)
		die(err, r);
	osa_get_caps(b->port, &caps);
	snprintf(c.name, sizeof(c.name), "OSA0");
	c.mtu = 1500;
	c.gso_max = caps.gso_max;
	c.tx_csum = caps.tx_csum;
	r = ip_iface_add(stack_ip(b->stack), &c, mono_now());
	if (r < 0)
		die("ip_iface_add", r);
	rt.ifindex = (uint32_t)r;
	rt.dst = ip_prefix_make(&mine.addr, mine.len);
	if (ip_addr_add(stack_ip(b->stack), rt.ifindex, &mine.addr, mine.len,
			mono_now()) < 0)
		die("ip_addr_add", -EINVAL);
	if (ip_route_add(stack_ip(b->stack), &rt) < 0)
		die("ip_route_add", -EINVAL);
	stack_kick(b->stack);
	r = loop_add_port(b->loop, b->port, rt.ifindex);
	if (r < 0)
		die("loop_add_port", r);
}

void stackbox_run(struct stackbox *b)
{
	struct pollfd p = {.fd = b->wake[0], .events = POLLIN};
	int r = loop_watch_base(b->loop, b->wake[0]);

	if (r < 0)
		die("loop_watch_base", r);
	loop_run(b->loop);
	while (!loop_wait(b->loop) || poll(&p, 1, 0) <= 0)
		continue;
}

void stackbox_close(struct stackbox *b)
{
	api_free(b->api);
	loop_set_api(b->loop, NULL);
	loop_run(b->loop);
	loop_free(b->loop);
	osa_close(b->port);
	stack_free(b->stack);
	close(b->wake[0]);
	close(b->wake[1]);
}
