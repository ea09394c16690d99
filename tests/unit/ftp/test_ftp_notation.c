/* test_ftp_notation.c: addresses and ports as FTP writes them. */
#include "ftp/ftp.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

static void check_v4(const struct ip_port *p, uint8_t last, uint16_t port)
{
	struct ip_addr want = ip_v4(192, 0, 2, last);

	assert_true(ip_eq(&p->addr, &want));
	assert_int_equal(p->port, port);
}

static void port_argument(void **state)
{
	static const char *const bad[] = {
		"",
		"1,2,3,4,5",
		"1,2,3,4,5,",
		"256,0,2,1,4,1",
		"1,2,3,4,5,1000",
		"a,b,c,d,e,f",
		"1, 2, 3,4,5,6",
		"1;2;3;4;5;6",
		"-1,2,3,4,5,6",
		"0000001,2,3,4,5,6",
	};
	struct ip_port p;

	(void)state;
	assert_int_equal(ftp_parse_port("192,0,2,1,4,1", &p), 0);
	check_v4(&p, 1, 1025);
	assert_int_equal(ftp_parse_port("192,0,2,255,255,255", &p), 0);
	check_v4(&p, 255, 65535);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(ftp_parse_port(bad[i], &p), -EINVAL);
}

/* [RFC2428 2] */
static void eprt_argument(void **state)
{
	static const char *const bad[] = {
		"",
		"|",
		"|1|",
		"|1|192.0.2.1|",
		"|1|192.0.2.1|99",
		"|1|192.0.2.1|99999|",
		"|1|192.0.2.1|0|",
		"|2|192.0.2.1|99|",
		"|1|2001:db8::1|99|",
		"11112",
		/* in brackets: two pieces of one string are meant */
		("|1|192.0.2.1.192.0.2.1.192.0.2.1.192.0.2.1.192.0.2.1.192.0.2."
		 "1.192.0.2.1|99|"),
	};
	struct ip_addr v6;
	struct ip_port p;

	(void)state;
	assert_int_equal(ftp_parse_eprt("|1|192.0.2.7|6275|", &p), 0);
	check_v4(&p, 7, 6275);
	assert_int_equal(ftp_parse_eprt("!2!2001:db8::1!65535!", &p), 0);
	assert_int_equal(ip_parse("2001:db8::1", &v6), 0);
	assert_true(ip_eq(&p.addr, &v6));
	assert_int_equal(p.port, 65535);
	assert_int_equal(ftp_parse_eprt("|3|x|1|", &p), -EAFNOSUPPORT);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(ftp_parse_eprt(bad[i], &p), -EINVAL);
}

/* [RFC1123 4.1.2.6] the brackets may be missing */
static void reply_227(void **state)
{
	struct ip_port p;

	(void)state;
	assert_int_equal(
		ftp_parse_227(" Entering Passive Mode (192,0,2,9,200,10).", &p),
		0);
	check_v4(&p, 9, 51210);
	assert_int_equal(ftp_parse_227(" =192,0,2,9,200,10", &p), 0);
	check_v4(&p, 9, 51210);
	assert_int_equal(ftp_parse_227(" at 12:30 (192,0,2,9,0,21)", &p), 0);
	check_v4(&p, 9, 21);
	assert_int_equal(ftp_parse_227(" Passive mode", &p), -EINVAL);
	assert_int_equal(ftp_parse_227(" (192,0,2,9,0,0)", &p), -EINVAL);
}

/* [RFC2428 3] */
static void reply_229(void **state)
{
	static const char *const bad[] = {
		" ok",      " (|||)",
		" (|||0|)", " (|||70000|)",
		" (|||80)", " (||80|)",
		" (",       " (|",
		" (|||80",  " (|1|192.0.2.1|80|)",
	};
	uint16_t port;

	(void)state;
	assert_int_equal(
		ftp_parse_229(" Extended Passive Mode OK (|||31337|)", &port),
		0);
	assert_int_equal(port, 31337);
	assert_int_equal(ftp_parse_229(" x (!!!1!)", &port), 0);
	assert_int_equal(port, 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(ftp_parse_229(bad[i], &port), -EINVAL);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(port_argument),
	cmocka_unit_test(eprt_argument),
	cmocka_unit_test(reply_227),
	cmocka_unit_test(reply_229),
};

UNIT_MAIN(tests)
