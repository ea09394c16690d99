/* Capture file blocks, byte for byte. */
#include "osa/pcapng.h"
#include "unit.h"

#include <string.h>

static void test_section_header(void **state)
{
	static const uint8_t want[] = {
		0x0a, 0x0d, 0x0d, 0x0a, 40,   0,    0,    0,    /* block */
		0x4d, 0x3c, 0x2b, 0x1a, 1,    0,    0,    0,    /* 1.0 */
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* length */
		4,    0,    3,    0,    'a',  'p',  'p',  0,    /* userappl */
		0,    0,    0,    0,    40,   0,    0,    0,
	};
	uint8_t buf[64];

	(void)state;
	assert_int_equal(pcapng_shb(buf, sizeof(buf), "app"), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
	assert_int_equal(pcapng_shb(buf, sizeof(want) - 1, "app"), 0);
}

static void test_interface(void **state)
{
	static const uint8_t want[] = {
		1, 0, 0, 0, 40, 0, 0,   0,   101, 0,   0, 0, 96, 0,
		0, 0, 2, 0, 4,  0, 'O', 'S', 'A', '0', 9, 0, 1,  0,
		9, 0, 0, 0, 0,  0, 0,   0,   40,  0,   0, 0,
	};
	uint8_t buf[64];

	(void)state;
	assert_int_equal(pcapng_idb(buf, sizeof(buf), PCAPNG_RAW, 96, "OSA0"),
			 sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
	assert_int_equal(pcapng_idb(buf, 39, PCAPNG_RAW, 96, "OSA0"), 0);
}

static void test_packet(void **state)
{
	static const uint8_t want[] = {
		6,    0,    0,    0,    52,   0,    0,    0, 1, 0,  0, 0, 0x33,
		0x22, 0x11, 0x00, 0x77, 0x66, 0x55, 0x44, 5, 0, 0,  0, 9, 0,
		0,    0,    'h',  'e',  'l',  'l',  'o',  0, 0, 0,  2, 0, 4,
		0,    2,    0,    0,    0,    0,    0,    0, 0, 52, 0, 0, 0,
	};
	uint8_t buf[64];
	uint32_t type = 0, len = 0;

	(void)state;
	pcapng_epb_head(buf, 1, 0x0011223344556677u, 5, 9);
	memcpy(buf + PCAPNG_EPB_HEAD, "hello", 5);
	assert_int_equal(pcapng_epb_tail(buf + PCAPNG_EPB_HEAD + 5, 5, true),
			 19);
	assert_memory_equal(buf, want, sizeof(want));
	assert_true(pcapng_block(buf, sizeof(want), &type, &len));
	assert_int_equal(type, PCAPNG_EPB_TYPE);
	assert_int_equal(len, sizeof(want));
	assert_false(pcapng_block(buf, sizeof(want) - 1, &type, &len));
	assert_int_equal(pcapng_epb_tail(buf, 8, false), 16);
	assert_int_equal(buf[4], 1); /* inbound */
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_section_header),
	cmocka_unit_test(test_interface),
	cmocka_unit_test(test_packet),
};

UNIT_MAIN(tests)
