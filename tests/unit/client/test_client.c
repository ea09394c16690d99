/*
 * test_client: the pure parts of the front ends: names of accepted
 * connections, addresses in records, tags, IDs of stacks.
 */
#include "unit.h"

#include "client/id.h"
#include "client/proto.h"
#include "client/tag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct ip_port at(const char *text, uint16_t port, uint32_t scope)
{
	struct ip_port p = {.port = port, .scope = scope};

	assert_int_equal(ip_parse(text, &p.addr), 0);
	return p;
}

static void round_trip(uint64_t serial, const struct ip_port *l,
		       const struct ip_port *r)
{
	char name[PROTO_NAME_MAX];
	struct ip_port gl, gr;
	uint64_t gs;
	size_t n = proto_name_emit(serial, l, r, name);

	assert_true(n <= PROTO_NAME_MAX);
	assert_int_equal(name[0], '\0');
	assert_int_equal(proto_name_parse(name, n, &gs, &gl, &gr), 0);
	assert_int_equal(gs, serial);
	assert_true(ip_eq(&gl.addr, &l->addr) && ip_eq(&gr.addr, &r->addr));
	assert_int_equal(gl.port, l->port);
	assert_int_equal(gr.port, r->port);
	assert_int_equal(gl.scope, l->scope);
	assert_int_equal(gr.scope, r->scope);
}

static void test_names_come_back(void **state)
{
	struct ip_port v4 = at("192.0.2.1", 80, 0), v4b = at("9.9.9.9", 1, 0);
	struct ip_port ll = at("fe80::1", 65535, 4294967295u);
	struct ip_port longest =
		at("2001:db8:ffff:ffff:ffff:ffff:ffff:fff1", 65535, 0);
	struct ip_port full =
		at("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535, 0);

	(void)state;
	round_trip(1, &v4, &v4b);
	round_trip(0, &ll, &v4);
	round_trip((1ULL << 48) - 1, &longest, &full);
	round_trip((1ULL << 48) - 1, &full, &full);
}

static void test_other_names_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"c/",
		"c/1",
		"c/1/",
		"c/1/1.2.3.4#5",
		"c/x/1.2.3.4#5-1.2.3.4#6",
		"c/1/1.2.3.4-1.2.3.4#6",
		"c/1/1.2.3.4#70000-1.2.3.4#6",
		"c/1/1.2.3.4#5-1.2.3.4#",
		"c/1/1.2.3#5-1.2.3.4#6",
		"d/1/1.2.3.4#5-1.2.3.4#6",
		"c/1000000000000/1.2.3.4#5-1.2.3.4#6"};
	char b[PROTO_NAME_MAX + 8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		b[0] = '\0';
		memcpy(b + 1, bad[i], strlen(bad[i]));
		assert_int_equal(proto_name_parse(b, 1 + strlen(bad[i]), NULL,
						  NULL, NULL),
				 -EINVAL);
	}
	memset(b, 'c', sizeof(b));
	assert_int_equal(proto_name_parse(b, sizeof(b), NULL, NULL, NULL),
			 -EINVAL);
}

static void test_addresses_in_records(void **state)
{
	struct ip_port none = {0}, p = at("2001:db8::1", 53, 7), got;
	struct proto_addr w;

	(void)state;
	proto_addr_put(&p, &w);
	assert_int_equal(proto_addr_get(&w, &got), 0);
	assert_memory_equal(&got.addr, &p.addr, sizeof(p.addr));
	assert_int_equal(got.port, 53);
	assert_int_equal(got.scope, 7);
	proto_addr_put(&none, &w);
	assert_int_equal(proto_addr_get(&w, &got), 0);
	assert_int_equal(got.addr.family, IP_NONE);
	w.family = 5;
	assert_int_equal(proto_addr_get(&w, &got), -EINVAL);
}

static void test_tag_lives_in_the_socket(void **state)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), d, other;
	uint64_t t = tag_make(42, true, false), got = 0;

	(void)state;
	assert_false(tag_get(fd, &got));
	t = tag_with(t, TAG_ACCEPTED) | TAG_NODELAY;
	t = tag_set_field(t, TAG_TOS_SHIFT, 8, 0xb8);
	t = tag_set_field(t, TAG_KEEPCNT_SHIFT, 7, 127);
	tag_put(fd, t);
	d = dup(fd);
	assert_true(tag_get(d, &got));
	assert_int_equal(got, t);
	assert_int_equal(tag_id(got), 42);
	assert_int_equal(tag_state(got), TAG_ACCEPTED);
	assert_int_equal(tag_field(got, TAG_TOS_SHIFT, 8), 0xb8);
	assert_int_equal(tag_field(got, TAG_KEEPCNT_SHIFT, 7), 127);
	assert_true(got & TAG_V6 && !(got & TAG_DGRAM) && got & TAG_NODELAY);
	/* nothing else is ours, and errno is left alone */
	other = dup(STDIN_FILENO);
	errno = 77;
	assert_false(tag_get(other, &got));
	assert_false(tag_get(-1, &got));
	assert_int_equal(errno, 77);
	close(fd);
	close(d);
	close(other);
}

static void test_ids(void **state)
{
	(void)state;
	assert_int_equal(id_parse("00"), 0);
	assert_int_equal(id_parse("44"), 44);
	assert_int_equal(id_parse("*"), ID_HOST);
	assert_int_equal(id_parse("4"), -EINVAL);
	assert_int_equal(id_parse("444"), -EINVAL);
	assert_int_equal(id_parse("a4"), -EINVAL);
	unsetenv("COUPLET_ID");
	assert_int_equal(id_parse(NULL), ID_HOST);
	setenv("COUPLET_ID", "07", 1);
	assert_int_equal(id_parse(NULL), 7);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_names_come_back),
	cmocka_unit_test(test_other_names_are_refused),
	cmocka_unit_test(test_addresses_in_records),
	cmocka_unit_test(test_tag_lives_in_the_socket),
	cmocka_unit_test(test_ids),
};

UNIT_MAIN(tests)
