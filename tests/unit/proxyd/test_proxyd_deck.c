/* test_proxyd_deck.c: what the canonical form does not show, and limits. */
#include "deck.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct proxyd_deck d;
static struct deck_report report;

static int read_text(const char *text)
{
	int r;

	deck_report_init(&report);
	r = proxyd_deck_parse("deck", text, strlen(text), &d, &report);
	return r;
}

static void done(void)
{
	proxyd_deck_free(&d);
	deck_report_fini(&report);
}

static void settings_hold_for_what_follows(void **state)
{
	(void)state;
	assert_int_equal(read_text("ID *\n"
				   "PROXY TCP V4 1 TXT * TO V4 2 TXT * a\n"
				   "TIMEOUT IDLE 5S\n"
				   "BALANCE LEASTCONN\n"
				   "OPTION FTP\n"
				   "PROXY TCP V4 3 TXT * TO V4 4 TXT * a b:9\n"
				   "OPTION SERVER\n"
				   "PROXY TCP V6 5 TXT ::1 TO V4 6 TXT * c\n"),
			 0);
	assert_int_equal(d.n_proxies, 3);
	assert_int_equal(d.proxies[0].set.idle_timeout.ns, 0);
	assert_false(d.proxies[0].set.tls.ftp);
	assert_int_equal(d.proxies[1].set.idle_timeout.ns, DUR_S(5).ns);
	assert_int_equal(d.proxies[1].set.balance, PROXYD_LEASTCONN);
	assert_true(d.proxies[1].set.tls.ftp);
	assert_int_equal(d.proxies[1].targets.n, 2);
	assert_int_equal(d.proxies[1].targets.list[1].port, 9);
	/* OPTION SERVER begins a new group */
	assert_false(d.proxies[2].set.tls.ftp);
	assert_int_equal(d.proxies[2].client.local.family, IP_V6);
	assert_string_equal(d.name, "host");
	done();
}

static void x_is_a_key_file_an_address_or_both(void **state)
{
	(void)state;
	assert_int_equal(
		read_text("ID 44\nKEYFILE K\n"
			  "PROXY TCP V4 1 SSL A@192.0.2.1 TO V6 2 SSL B x\n"
			  "PROXY TCP V4 3 SSL 192.0.2.1 TO V6 2 SSL ::1 x\n"
			  "PROXY TCP V4 4 SSL P@Q TO V6 2 SSL * x\n"),
		0);
	assert_string_equal(d.proxies[0].client.keyfile, "A");
	assert_int_equal(d.proxies[0].client.local.family, IP_V4);
	assert_string_equal(d.proxies[0].server.keyfile, "B");
	assert_string_equal(d.proxies[1].client.keyfile, "");
	assert_int_equal(d.proxies[1].server.local.family, IP_V6);
	assert_string_equal(d.proxies[2].client.keyfile, "P@Q");
	assert_string_equal(d.name, "44");
	done();
}

static void host_table(void **state)
{
	struct ip_addr want = ip_v4(192, 0, 2, 7);
	const struct ip_addr *a;

	(void)state;
	assert_int_equal(read_text("ID *\nHOST vse 192.0.2.7\nHOST VSE ::7\n"
				   "PROXY TCP V4 1 TXT * TO V4 2 TXT * vse\n"),
			 0);
	a = proxyd_deck_host(&d, "Vse", IP_V4);
	assert_non_null(a);
	assert_true(ip_eq(a, &want));
	assert_non_null(proxyd_deck_host(&d, "vse", IP_V6));
	assert_null(proxyd_deck_host(&d, "other", IP_V4));
	done();
}

/* Limits are told, not met by a crash. */
static void too_many_of_everything(void **state)
{
	size_t cap = 1 << 20, n = 0;
	char *text = malloc(cap);

	(void)state;
	assert_non_null(text);
	n += (size_t)snprintf(text + n, cap - n, "ID *\n");
	for (unsigned i = 0; i <= PROXYD_RULES_MAX; i++)
		n += (size_t)snprintf(text + n, cap - n,
				      "DENY FROM 192.0.2.%u\n", i);
	for (unsigned i = 1; i <= PROXYD_PROXIES_MAX + 1; i++)
		n += (size_t)snprintf(text + n, cap - n,
				      "PROXY TCP V4 %u TXT * TO V4 2 TXT * x\n",
				      i);
	for (unsigned i = 0; i <= PROXYD_SNIS_MAX; i++)
		n += (size_t)snprintf(text + n, cap - n, "SNI a%u x\n", i);
	for (unsigned i = 0; i <= PROXYD_HOSTS_MAX; i++)
		n += (size_t)snprintf(text + n, cap - n, "HOST h%u ::1\n", i);
	assert_int_equal(read_text(text), -EINVAL);
	assert_int_equal(report.n_errors, 4);
	done();
	free(text);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(settings_hold_for_what_follows),
	cmocka_unit_test(x_is_a_key_file_an_address_or_both),
	cmocka_unit_test(host_table),
	cmocka_unit_test(too_many_of_everything),
};

UNIT_MAIN(tests)
