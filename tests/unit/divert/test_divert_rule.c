/* test_divert_rule: what a rule of the diverter covers, and its messages. */
#include "unit.h"

#include "divert/divert.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(text, &a), 0);
	return a;
}

static void put(const char *text, struct proto_addr *ret)
{
	proto_addr_put(&(struct ip_port){.addr = addr(text)}, ret);
}

static bool covers(const struct divert_rule *r, bool inbound, uint16_t port,
		   const char *local, const char *remote)
{
	struct ip_addr l, m;

	if (local)
		l = addr(local);
	if (remote)
		m = addr(remote);
	return divert_rule_match(r, inbound, port, local ? &l : NULL,
				 remote ? &m : NULL);
}

static void test_ports_and_direction(void **state)
{
	struct divert_rule r = {.port_lo = 20, .port_hi = 29, .as_port = 920};

	(void)state;
	assert_true(covers(&r, false, 20, NULL, "192.0.2.1"));
	assert_true(covers(&r, false, 29, NULL, "2001:db8::1"));
	assert_false(covers(&r, false, 19, NULL, "192.0.2.1"));
	assert_false(covers(&r, false, 30, NULL, "192.0.2.1"));
	assert_false(covers(&r, true, 25, NULL, "192.0.2.1"));
	assert_int_equal(divert_rule_as(&r, 20), 920);
	assert_int_equal(divert_rule_as(&r, 29), 929);
	r.flags = DIVERT_R_INBOUND;
	assert_true(covers(&r, true, 25, "192.0.2.1", NULL));
	assert_false(covers(&r, false, 25, "192.0.2.1", NULL));
}

static void test_prefixes(void **state)
{
	struct divert_rule r = {.port_lo = 1, .port_hi = 65535, .as_port = 1};

	(void)state;
	put("192.0.2.0", &r.remote);
	r.plen = 24;
	assert_true(covers(&r, false, 80, NULL, "192.0.2.255"));
	assert_false(covers(&r, false, 80, NULL, "192.0.3.0"));
	assert_false(covers(&r, false, 80, NULL, "2001:db8::1"));
	put("::", &r.remote);
	r.plen = 0;
	assert_true(covers(&r, false, 80, NULL, "2001:db8::1"));
	assert_false(covers(&r, false, 80, NULL, "192.0.2.1"));
}

static void test_local_address_or_family(void **state)
{
	struct divert_rule r = {.flags = DIVERT_R_INBOUND,
				.port_lo = 1,
				.port_hi = 1,
				.as_port = 2};

	(void)state;
	put("192.0.2.1", &r.local);
	assert_true(covers(&r, true, 1, "192.0.2.1", NULL));
	assert_false(covers(&r, true, 1, "192.0.2.2", NULL));
	assert_false(covers(&r, true, 1, "0.0.0.0", NULL));
	put("0.0.0.0", &r.local);
	assert_true(covers(&r, true, 1, "192.0.2.2", NULL));
	assert_false(covers(&r, true, 1, "::1", NULL));
}

static void test_impossible_rules(void **state)
{
	static const struct divert_rule bad[] = {
		{.port_lo = 0, .port_hi = 1, .as_port = 1},
		{.port_lo = 2, .port_hi = 1, .as_port = 1},
		{.port_lo = 1, .port_hi = 1, .as_port = 0},
		{.port_lo = 1, .port_hi = 2, .as_port = 65535},
		{.port_lo = 1, .port_hi = 1, .as_port = 1, .plen = 1},
		{.port_lo = 1,
		 .port_hi = 1,
		 .as_port = 1,
		 .plen = 33,
		 .remote = {.family = IP_V4}},
		{.port_lo = 1,
		 .port_hi = 1,
		 .as_port = 1,
		 .local = {.family = 5}},
	};
	struct divert_rule good = {
		.port_lo = 1, .port_hi = 2, .as_port = 65534};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(divert_rule_check(&bad[i]), -EINVAL);
	assert_int_equal(divert_rule_check(&good), 0);
}

static void test_messages_with_descriptors(void **state)
{
	struct divert_msg m = {.op = DIVERT_SOCKET, .serial = 7}, got;
	int pair[2], fds[DIVERT_FDS] = {STDIN_FILENO, STDOUT_FILENO};

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	snprintf(m.text, sizeof(m.text), "/bin/program");
	assert_int_equal(divert_send(pair[0], &m, fds, 2), 0);
	assert_int_equal(divert_recv(pair[1], &got, fds), 1);
	assert_true(fds[0] > 2 && fds[1] > 2);
	assert_int_equal(got.serial, 7);
	assert_string_equal(got.text, "/bin/program");
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(divert_recv(pair[1], &got, fds), -EAGAIN);
	assert_int_equal(write(pair[0], "x", 1), 1);
	assert_int_equal(divert_recv(pair[1], &got, fds), -EPROTO);
	m.op = DIVERT__LAST;
	assert_int_equal(divert_send(pair[0], &m, NULL, 0), 0);
	assert_int_equal(divert_recv(pair[1], &got, fds), -EPROTO);
	close(pair[0]);
	assert_int_equal(divert_recv(pair[1], &got, fds), 0);
	close(pair[1]);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_ports_and_direction),
	cmocka_unit_test(test_prefixes),
	cmocka_unit_test(test_local_address_or_family),
	cmocka_unit_test(test_impossible_rules),
	cmocka_unit_test(test_messages_with_descriptors),
};

UNIT_MAIN(tests)
