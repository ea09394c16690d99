/* IGMP and MLD messages. */
#include "unit.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/igmp.h"
#include "wire/mld.h"

#include <errno.h>
#include <string.h>

static void finish(uint8_t *m, size_t n)
{
	uint16_t v;

	m[2] = m[3] = 0;
	v = csum_finish(csum_add(0, m, n));
	m[2] = (uint8_t)(v >> 8);
	m[3] = (uint8_t)v;
}

static void codes(void **state UNUSED)
{
	/* [RFC3376 4.1.1] */
	assert_int_equal(igmp_code_value(0, 4), 0);
	assert_int_equal(igmp_code_value(127, 4), 127);
	assert_int_equal(igmp_code_value(128, 4), 128);
	assert_int_equal(igmp_code_value(0x8f, 4), 31 << 3);
	assert_int_equal(igmp_code_value(0xff, 4), 31 << 10);
	/* [RFC3810 5.1.3] */
	assert_int_equal(igmp_code_value(32767, 12), 32767);
	assert_int_equal(igmp_code_value(0x8000, 12), 0x1000 << 3);
	assert_int_equal(igmp_code_value(0xffff, 12), 0x1fff << 10);
}

static void igmp_queries(void **state UNUSED)
{
	uint8_t m[20] = {IGMP_QUERY, 0};
	struct igmp_query q;

	finish(m, 8);
	assert_int_equal(igmp_query_parse(m, 8, &q), 0);
	assert_int_equal(q.version, 1);
	assert_int_equal(q.max_resp_ms, 10000);
	assert_true(ip_is_any(&q.group));
	m[1] = 50;
	memcpy(m + 4, "\xef\1\2\3", 4);
	finish(m, 8);
	assert_int_equal(igmp_query_parse(m, 8, &q), 0);
	assert_int_equal(q.version, 2);
	assert_int_equal(q.max_resp_ms, 5000);
	assert_memory_equal(q.group.b, "\xef\1\2\3", 4);
	m[8] = 0x0a; /* suppress flag and QRV 2 */
	m[9] = 125;
	m[11] = 2;
	finish(m, 20);
	assert_int_equal(igmp_query_parse(m, 20, &q), 0);
	assert_int_equal(q.version, 3);
	assert_int_equal(q.qrv, 2);
	assert_int_equal(q.qqi_s, 125);
	assert_int_equal(q.n_sources, 2);
	/* sources that are not there */
	m[11] = 3;
	finish(m, 20);
	assert_int_equal(igmp_query_parse(m, 20, &q), -EINVAL);
	m[19] ^= 1;
	assert_int_equal(igmp_query_parse(m, 20, &q), -EBADMSG);
	for (size_t n = 0; n < 8; n++)
		assert_int_equal(igmp_query_parse(m, n, &q), -EINVAL);
	/* neither nothing nor a group */
	memset(m, 0, sizeof(m));
	m[0] = IGMP_QUERY;
	m[4] = 10;
	finish(m, 8);
	assert_int_equal(igmp_query_parse(m, 8, &q), -EINVAL);
	m[0] = IGMP_V2_REPORT;
	finish(m, 8);
	assert_int_equal(igmp_query_parse(m, 8, &q), -EPROTO);
}

static void igmp_reports(void **state UNUSED)
{
	struct ip_addr g = ip_v4(239, 1, 2, 3);
	uint8_t m[16];

	igmp_emit(IGMP_V2_LEAVE, &g, m);
	assert_int_equal(m[0], 0x17);
	assert_memory_equal(m + 4, g.b, 4);
	assert_int_equal(csum_finish(csum_add(0, m, 8)), 0);
	igmp_v3_header(1, m);
	igmp_v3_record(IGMP_TO_EXCLUDE, &g, m + 8);
	igmp_v3_finish(m, 16);
	assert_int_equal(csum_finish(csum_add(0, m, 16)), 0);
	assert_memory_equal(m + 6, "\0\1\4\0\0\0\xef\1\2\3", 10);
}

static void mld_queries(void **state UNUSED)
{
	uint8_t m[60] = {ICMP6_MLD_QUERY};
	struct mld_query q;

	m[4] = 0x27;
	m[5] = 0x10;
	assert_int_equal(mld_query_parse(m, 24, &q), 0);
	assert_int_equal(q.version, 1);
	assert_int_equal(q.max_resp_ms, 10000);
	assert_true(ip_is_any(&q.group));
	m[8] = 0xff;
	m[9] = 5;
	m[24] = 7;
	m[25] = 20;
	m[27] = 2;
	assert_int_equal(mld_query_parse(m, 60, &q), 0);
	assert_int_equal(q.version, 2);
	assert_int_equal(q.qrv, 7);
	assert_int_equal(q.qqi_s, 20);
	assert_int_equal(q.n_sources, 2);
	for (size_t n = 25; n < 60; n++)
		assert_int_equal(mld_query_parse(m, n, &q), -EINVAL);
	for (size_t n = 0; n < 24; n++)
		assert_int_equal(mld_query_parse(m, n, &q), -EINVAL);
	m[8] = 0x20;
	assert_int_equal(mld_query_parse(m, 60, &q), -EINVAL);
}

static void mld_reports(void **state UNUSED)
{
	struct ip_addr g;
	uint8_t m[28];

	assert_int_equal(ip_parse("ff05::1:3", &g), 0);
	mld_emit(ICMP6_MLD_DONE, &g, m);
	assert_int_equal(m[0], 132);
	assert_memory_equal(m + 8, g.b, 16);
	mld_v2_header(1, m);
	mld_v2_record(IGMP_TO_INCLUDE, &g, m + 8);
	assert_int_equal(m[0], 143);
	assert_memory_equal(m + 6, "\0\1\3\0\0\0", 6);
	assert_memory_equal(m + 12, g.b, 16);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(codes),        cmocka_unit_test(igmp_queries),
	cmocka_unit_test(igmp_reports), cmocka_unit_test(mld_queries),
	cmocka_unit_test(mld_reports),
};

UNIT_MAIN(tests)
