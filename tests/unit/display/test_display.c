/*
 * Displays of an engine in virtual time, compared with expected/NAME. The
 * same stack each time: a loopback, a layer 3 and a layer 2 interface, some
 * routes, rules and sockets, one connection of the stack with itself. With
 * COUPLET_EXPECT=write in the environment the files are written instead: look
 * at the difference before you keep it.
 */
#include "unit.h"

#include "display.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct world {
	struct stack *stack;
	struct stackd_deck deck;
	struct deck_host hosts[2];
	struct deck_route route;
	mono_t now;
	uint64_t rnd;
	struct sock *listener, *client, *server, *udp;
	char *text;
	size_t len;
	struct display d;
};

static struct world w;

static uint64_t rand64(void *arg)
{
	uint64_t *x = arg;

	*x = *x * 6364136223846793005u + 1442695040888963407u;
	return *x;
}

static void collect(void *arg, const char *text, size_t len)
{
	struct world *ww = arg;

	ww->text = realloc(ww->text, ww->len + len + 1);
	assert_non_null(ww->text);
	memcpy(ww->text + ww->len, text, len);
	ww->len += len;
	ww->text[ww->len] = '\0';
}

/* Lets the engine talk until it is silent. */
static void settle(void)
{
	struct frame f;
	unsigned ev;

	for (int i = 0; i < 50; i++) {
		bool any = false;

		while (stack_ready(w.stack, &ev))
			any = true;
		while (stack_output(w.stack, &f, w.now))
			any = true;
		w.now = mono_add(w.now, DUR_MS(1));
		if (!any)
			break;
	}
}

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(text, &a), 0);
	return a;
}

static uint32_t add_iface(const char *name, enum ip_link_kind kind,
			  uint32_t mtu)
{
	struct ip_iface_config c = {.kind = kind,
				    .mac = {2, 0, 0x5e, 0, 0x53, 6},
				    .mtu = mtu,
				    .gso_max = 65535,
				    .tx_csum = true,
				    .v4 = true,
				    .v6 = true};
	int r;

	snprintf(c.name, sizeof c.name, "%s", name);
	r = ip_iface_add(stack_ip(w.stack), &c, w.now);
	assert_true(r > 1);
	return (uint32_t)r;
}

static void add_addr(uint32_t ifindex, const char *text, unsigned plen)
{
	struct ip_addr a = addr(text);

	assert_int_equal(
		ip_addr_add(stack_ip(w.stack), ifindex, &a, plen, w.now), 0);
}

static void add_rule(struct ip_rule r)
{
	assert_int_equal(ip_rule_add(stack_ip(w.stack), &r), 0);
}

static void make_layer3(void)
{
	struct ip_route r = {.metric = 1, .until = MONO_NEVER};
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
	struct ip_addr a, gw = addr("10.1.2.254");

	r.ifindex = add_iface("OSA0", IP_LINK_L3, 1492);
	add_addr(r.ifindex, "10.1.2.3", 24);
	r.dst = (struct ip_prefix){ip_any(IP_V4), 0};
	r.gateway = gw;
	assert_int_equal(ip_route_add(stack_ip(w.stack), &r), 0);
	r.ifindex = add_iface("OSA1", IP_LINK_L2, 8992);
	add_addr(r.ifindex, "2001:db8::3", 64);
	a = addr("2001:db8::9");
	assert_int_equal(
		ip_neigh_set(stack_ip(w.stack), r.ifindex, &a, mac, w.now), 0);
	add_rule((struct ip_rule){.proto = IP_PROTO_TCP,
				  .port_lo = 22,
				  .port_hi = 22,
				  .remote = {addr("10.0.0.0"), 8},
				  .icmp_type = -1,
				  .icmp_code = -1});
	add_rule((struct ip_rule){.deny = true,
				  .proto = IP_PROTO_TCP,
				  .port_lo = 20,
				  .port_hi = 23,
				  .icmp_type = -1,
				  .icmp_code = -1});
	add_rule((struct ip_rule){.deny = true,
				  .out = true,
				  .proto = IP_PROTO_ICMPV6,
				  .family = IP_V6,
				  .icmp_type = 137,
				  .icmp_code = 0});
}

static void make_sockets(void)
{
	const struct sock_owner server = {1001, 33, 33}, user = {1002, 1000, 5};
	struct ip_port at = {.addr = ip_any(IP_V4), .port = 80};
	struct ip_port to = {.addr = addr("127.0.0.1"), .port = 80};
	struct iovec iov[4];
	int n = 4;
	size_t got;

	assert_int_equal(stack_sock_new(w.stack, SOCK_TCP, IP_V4, &server, NULL,
					&w.listener),
			 0);
	assert_int_equal(stack_sock_bind(w.stack, w.listener, &at), 0);
	assert_int_equal(stack_sock_listen(w.stack, w.listener, 128, w.now), 0);
	assert_int_equal(
		stack_sock_new(w.stack, SOCK_UDP, IP_V6, &user, NULL, &w.udp),
		0);
	at = (struct ip_port){.addr = ip_any(IP_V6), .port = 53};
	assert_int_equal(stack_sock_bind(w.stack, w.udp, &at), 0);
	assert_int_equal(stack_sock_new(w.stack, SOCK_TCP, IP_V4, &user, NULL,
					&w.client),
			 0);
	at = (struct ip_port){.addr = addr("127.0.0.1"), .port = 40000};
	assert_int_equal(stack_sock_bind(w.stack, w.client, &at), 0);
	assert_int_equal(stack_sock_connect(w.stack, w.client, &to, w.now), 0);
	settle();
	w.server = stack_sock_accept(w.stack, w.listener);
	assert_non_null(w.server);
	got = stack_sock_write_reserve(w.stack, w.client, 1000, iov, &n);
	assert_true(got >= 1000);
	memset(iov[0].iov_base, 'x', 1000);
	stack_sock_write_commit(w.stack, w.client, 1000, false, w.now);
	settle();
	stack_port_suspend(w.stack, 80, true);
	stack_port_suspend(w.stack, 8080, true);
}

static void make_deck(void)
{
	struct stackd_deck *d = &w.deck;

	snprintf(d->id, sizeof d->id, "44");
	snprintf(d->job, sizeof d->job, "STACK44");
	w.hosts[0] = (struct deck_host){"VSE01", addr("10.1.2.3")};
	w.hosts[1] = (struct deck_host){"LOCALHOST", addr("::1")};
	d->hosts = w.hosts;
	d->n_hosts = 2;
	d->dns[0] = (struct deck_dns){addr("10.1.2.53"), true};
	d->dns[1] = (struct deck_dns){addr("2001:db8::53"), false};
	d->n_dns = 2;
	d->links[0] =
		(struct deck_link){.device = "OSA0", .addr = addr("10.1.2.3")};
	d->links[1] = (struct deck_link){.device = "OSA1",
					 .addr = addr("2001:db8::3")};
	d->n_links = 2;
	w.route.route.dst.addr = ip_any(IP_V4);
	w.route.route.gateway = addr("10.1.2.254");
	w.route.route.metric = 1;
	d->routes = &w.route;
	d->n_routes = 1;
	snprintf(d->search, sizeof d->search, "vse.example example");
}

static int setup(void **state)
{
	struct stack_config c;

	(void)state;
	memset(&w, 0, sizeof w);
	w.now = mono_add((mono_t){0}, DUR_S(100000));
	w.rnd = 1;
	stack_config_default(&c);
	c.rand64 = rand64;
	c.rand_arg = &w.rnd;
	c.key = (struct hash_key){1, 2};
	w.stack = stack_new(&c);
	assert_non_null(w.stack);
	make_deck();
	make_layer3();
	w.d = (struct display){.stack = w.stack,
			       .deck = &w.deck,
			       .now = w.now,
			       .started = mono_add(w.now, DUR_S(-93784)),
			       .version = "0.1.0",
			       .pid = 4711,
			       .rss_bytes = 12345678,
			       .write = collect,
			       .arg = &w};
	return 0;
}

static int setup_sockets(void **state)
{
	setup(state);
	make_sockets();
	w.d.now = w.now;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stack_free(w.stack);
	free(w.text);
	return 0;
}

/* ---- comparing
 * ------------------------------------------------------------------ */

static char *load(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t cap = 0;

	if (!f || getdelim(&text, &cap, '\0', f) < 0)
		fail_msg("%s: %s", path, strerror(errno));
	fclose(f);
	return text;
}

static void expect(const char *name)
{
	const char *mode = getenv("COUPLET_EXPECT");
	char path[512], *text;
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", EXPECTED_DIR, name);
	if (mode && strcmp(mode, "write") == 0) {
		f = fopen(path, "w");
		assert_non_null(f);
		fputs(w.text, f);
		assert_int_equal(fclose(f), 0);
	}
	text = load(path);
	assert_string_equal(w.text, text);
	free(text);
	free(w.text);
	w.text = NULL;
	w.len = 0;
}

static void check(int (*fn)(const struct display *), const char *name)
{
	char file[64];

	w.d.json = false;
	assert_int_equal(fn(&w.d), 0);
	snprintf(file, sizeof file, "%s.txt", name);
	expect(file);
	w.d.json = true;
	assert_int_equal(fn(&w.d), 0);
	snprintf(file, sizeof file, "%s.json", name);
	expect(file);
}

static void links(void **state)
{
	(void)state;
	check(display_links, "links");
}

static void addresses(void **state)
{
	(void)state;
	check(display_addresses, "addresses");
}

static void routes(void **state)
{
	(void)state;
	check(display_routes, "routes");
}

static void neighbours(void **state)
{
	(void)state;
	check(display_neighbours, "neighbours");
}

static void rules(void **state)
{
	(void)state;
	check(display_rules, "rules");
}

static void hosts(void **state)
{
	(void)state;
	check(display_hosts, "hosts");
}

static void dns(void **state)
{
	(void)state;
	check(display_dns, "dns");
}

static void ports(void **state)
{
	(void)state;
	check(display_ports, "ports");
}

static void id(void **state)
{
	(void)state;
	check(display_id, "id");
}

static int counters_short(const struct display *d)
{
	return display_counters(d, false);
}

static void counters(void **state)
{
	struct tcp_stats *s = &stack_tcp_env(w.stack)->stats;

	(void)state;
	s->segs_in = 123456789012345;
	s->retrans_segs = 7;
	s->drops[TCP_DROP_PAWS] = 3;
	check(counters_short, "counters");
}

/* ALL has a line for each drop reason, zero or not. */
static void counters_all(void **state)
{
	(void)state;
	assert_int_equal(display_counters(&w.d, true), 0);
	for (int i = 1; i < IP_DROP__COUNT; i++)
		assert_non_null(strstr(w.text, ip_drop_name((enum ip_drop)i)));
	for (int i = 1; i < TCP_DROP__COUNT; i++)
		assert_non_null(
			strstr(w.text, tcp_drop_name((enum tcp_drop)i)));
}

static void metrics(void **state)
{
	(void)state;
	/* figures change with every improvement; the names are the contract */
	assert_int_equal(display_metrics(&w.d), 0);
	for (char *p = w.text, *q = w.text;; p++) {
		bool value =
			p > w.text && p[-1] == ' ' && p > strchr(w.text, '}');

		if (value && (*p >= '0' && *p <= '9')) {
			*q++ = 'N';
			while (*p != '\n')
				p++;
		}
		*q++ = *p;
		if (!*p)
			break;
	}
	expect("metrics.txt");
}

/* Names of the record only: the bytes depend on the build. */
static void memory(void **state)
{
	(void)state;
	assert_int_equal(display_memory(&w.d), 0);
	assert_non_null(strstr(w.text, "Packet limit"));
	assert_non_null(strstr(w.text, "1073741824\n"));
	assert_non_null(strstr(w.text, "12345678\n"));
	assert_non_null(strstr(w.text, "Programs' sockets   -\n"));
}

/* ---- sockets
 * ----------------------------------------------------------------------- */

static void show_sockets(struct sockets_filter f, uint32_t slice)
{
	struct sockets_display *sd = sockets_display_new(&w.d, &f);
	bool more;
	int r;

	assert_non_null(sd);
	do {
		more = sockets_display_more(sd, slice, collect, &w, &r);
		assert_int_equal(r, 0);
	} while (more);
	sockets_display_free(sd);
}

static unsigned lines(void)
{
	unsigned n = 0;

	for (const char *p = w.text; p && (p = strchr(p, '\n')); p++)
		n++;
	free(w.text);
	w.text = NULL;
	w.len = 0;
	return n - 1; /* heading */
}

static void sockets(void **state)
{
	(void)state;
	show_sockets((struct sockets_filter){.tcp = false}, 100);
	expect("sockets.txt");
	w.d.json = true;
	show_sockets((struct sockets_filter){.tcp = false}, 100);
	expect("sockets.json");
}

static void sockets_in_slices(void **state)
{
	(void)state;
	show_sockets((struct sockets_filter){.tcp = false}, 1);
	expect("sockets.txt");
	w.d.json = true;
	show_sockets((struct sockets_filter){.tcp = false}, 1);
	expect("sockets.json");
}

static void socket_filters(void **state)
{
	struct sockets_filter f = {.tcp = false};

	(void)state;
	show_sockets(f, 9);
	assert_int_equal(lines(), 4);
	show_sockets((struct sockets_filter){.tcp = true}, 9);
	assert_int_equal(lines(), 3);
	show_sockets((struct sockets_filter){.udp = true}, 9);
	assert_int_equal(lines(), 1);
	show_sockets((struct sockets_filter){.family = IP_V6}, 9);
	assert_int_equal(lines(), 1);
	show_sockets((struct sockets_filter){.state = "LISTEN"}, 9);
	assert_int_equal(lines(), 1);
	show_sockets((struct sockets_filter){.state = "CLOSING"}, 9);
	assert_int_equal(lines(), 0);
	show_sockets((struct sockets_filter){.port = 80}, 9);
	assert_int_equal(lines(), 3);
	show_sockets((struct sockets_filter){.port = 40000}, 9);
	assert_int_equal(lines(), 2);
	show_sockets((struct sockets_filter){.pid = 1002}, 9);
	assert_int_equal(lines(), 2);
	show_sockets((struct sockets_filter){.uid = 33, .uid_given = true}, 9);
	assert_int_equal(lines(), 2);
	show_sockets((struct sockets_filter){.uid = 0, .uid_given = true}, 9);
	assert_int_equal(lines(), 0);
	f.addr = (struct ip_prefix){addr("127.0.0.0"), 8};
	show_sockets(f, 9);
	assert_int_equal(lines(), 2);
	f.addr = (struct ip_prefix){addr("10.0.0.0"), 8};
	show_sockets(f, 9);
	assert_int_equal(lines(), 0);
	show_sockets((struct sockets_filter){.id = sock_id(w.client)}, 9);
	assert_int_equal(lines(), 1);
}

static void picture_outlives_its_sockets(void **state)
{
	struct sockets_display *sd =
		sockets_display_new(&w.d, &(struct sockets_filter){.id = 0});
	int r;

	(void)state;
	stack_sock_abort(w.stack, w.client, w.now);
	stack_sock_abort(w.stack, w.server, w.now);
	stack_sock_close(w.stack, w.listener, w.now);
	stack_sock_close(w.stack, w.udp, w.now);
	settle();
	assert_false(sockets_display_more(sd, 100, collect, &w, &r));
	assert_int_equal(r, 0);
	sockets_display_free(sd);
	expect("sockets.txt");
}

static void reset_tells_both_sides(void **state)
{
	struct sock_info s;
	uint64_t it = 0;
	bool seen = false;

	(void)state;
	stack_sock_reset(w.stack, w.client, w.now);
	settle();
	assert_true(stack_sock_events(w.stack, w.client) & SOCK_EV_ERR);
	assert_int_equal(sock_error(w.client, true), ECONNABORTED);
	assert_true(stack_sock_events(w.stack, w.server) & SOCK_EV_ERR);
	assert_int_equal(sock_error(w.server, true), ECONNRESET);
	while (stack_iter_sock(w.stack, &it, &s))
		seen |= strcmp(s.state, "ESTAB") == 0;
	assert_false(seen);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(links, setup, teardown),
	cmocka_unit_test_setup_teardown(addresses, setup, teardown),
	cmocka_unit_test_setup_teardown(routes, setup, teardown),
	cmocka_unit_test_setup_teardown(neighbours, setup, teardown),
	cmocka_unit_test_setup_teardown(rules, setup, teardown),
	cmocka_unit_test_setup_teardown(hosts, setup, teardown),
	cmocka_unit_test_setup_teardown(dns, setup, teardown),
	cmocka_unit_test_setup_teardown(ports, setup_sockets, teardown),
	cmocka_unit_test_setup_teardown(id, setup_sockets, teardown),
	cmocka_unit_test_setup_teardown(counters, setup, teardown),
	cmocka_unit_test_setup_teardown(counters_all, setup, teardown),
	cmocka_unit_test_setup_teardown(metrics, setup, teardown),
	cmocka_unit_test_setup_teardown(memory, setup, teardown),
	cmocka_unit_test_setup_teardown(sockets, setup_sockets, teardown),
	cmocka_unit_test_setup_teardown(sockets_in_slices, setup_sockets,
					teardown),
	cmocka_unit_test_setup_teardown(socket_filters, setup_sockets,
					teardown),
	cmocka_unit_test_setup_teardown(picture_outlives_its_sockets,
					setup_sockets, teardown),
	cmocka_unit_test_setup_teardown(reset_tells_both_sides, setup_sockets,
					teardown),
};

UNIT_MAIN(tests)
