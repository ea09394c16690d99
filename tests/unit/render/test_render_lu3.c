/* LU3: the encoder's records, and what commands, orders and formats print. */
#include "render/lu3.h"

#include "paper.h"

static struct codepage *p037, *p939;
static struct paper_out out;
static struct text_sink sink;
static struct text_conf text;
static struct lu3_conf conf;
static struct lu3_printer *p;
static enum lu3_verdict verdict;

static int open_pages(void **state UNUSED)
{
	return codepage_new("037", NULL, &p037) ||
	       codepage_new("939", NULL, &p939);
}

static int close_pages(void **state UNUSED)
{
	codepage_free(p037);
	codepage_free(p939);
	return 0;
}

static int setup(void **state UNUSED)
{
	text = (struct text_conf){0};
	conf = (struct lu3_conf){.page = p037};
	return 0;
}

static void begin(void)
{
	struct render_sink s = paper_sink(&out, &sink, &text);

	p = lu3_printer_new(&conf, &s);
	assert_non_null(p);
}

static void record(const uint8_t *d, size_t len, size_t chunk)
{
	for (size_t i = 0; i < len; i += chunk)
		assert_int_equal(lu3_print(p, d + i, MIN(chunk, len - i),
					   i == 0, i + chunk >= len, &verdict),
				 0);
}

#define B(...) ((const uint8_t[]){__VA_ARGS__})
#define RECORD(...) record(B(__VA_ARGS__), sizeof(B(__VA_ARGS__)), 99)

static const char *end(void)
{
	assert_int_equal(lu3_print_end(p), 0);
	lu3_printer_free(p);
	return out.text;
}

/* One record, whatever the cuts. */
static void check_print(const uint8_t *d, size_t len, const char *want)
{
	for (size_t chunk = 1; chunk <= len; chunk++) {
		begin();
		record(d, len, chunk);
		assert_string_equal(end(), want);
	}
}

#define PRINTS(want, ...) \
	check_print(B(__VA_ARGS__), sizeof(B(__VA_ARGS__)), want)
#define VERDICT(v, ...) \
	(begin(), RECORD(__VA_ARGS__), assert_int_equal(verdict, v), end())

#define A 0xc1
#define C2 0xc2
#define C3 0xc3
#define U 0xf1, 0xc8   /* Write, unformatted, start print */
#define F80 0xf5, 0xf8 /* Erase/Write, 80 columns, start print */

static void unformatted(void **state UNUSED)
{
	PRINTS("A\nB\n", U, A, LU3_NL, C2, LU3_NL, LU3_EM);
	PRINTS("A\n", U, A, LU3_EM, C2); /* EM ends the print-out */
	PRINTS("A\n", U, A);             /* without it too, in the end */
	PRINTS("AB\n", U, A, 0, 0, C2, LU3_EM);
	PRINTS("A\fB\n", U, A, LU3_FF, C2, LU3_EM);
	PRINTS("BA\n", U, A, A, LU3_CR, C2, LU3_EM);
	PRINTS("A*;B\n", U, A, LU3_DUP, LU3_FM, C2, LU3_EM);
	PRINTS("A B\n", U, A, LU3_SF, 0x40, C2, LU3_EM);
	PRINTS("A   B\n", U, A, LU3_SBA, 0x40, 0xc4, C2, LU3_EM);
	PRINTS("ABBB\n", U, A, LU3_RA, 0x40, 0xc4, C2, LU3_EM);
	PRINTS("", U, LU3_EM);
	PRINTS("", 0xf1, 0xc3);
	/* a field that is not displayed is not printed */
	PRINTS("A   B\n", U, A, LU3_SF, 0x4c, C3, LU3_SF, 0x40, C2, LU3_EM);
	text.keep_trailing = true;
	PRINTS("A  \n", U, A, 0x40, 0x40, LU3_NL, LU3_EM);
	conf.nul_blank = true;
	PRINTS("A B \n", U, A, 0, C2, 0, LU3_EM);
}

static void records_follow_each_other(void **state UNUSED)
{
	begin();
	RECORD(U, A, A, A, LU3_NL, LU3_EM);
	RECORD(U, C2, LU3_NL);  /* nothing of the one before comes again */
	RECORD(0xf1, 0xc0, C3); /* no start: waits ... */
	assert_string_equal(out.text, "AAA\nB\n");
	RECORD(0xf1, 0xc0, A); /* ... for more */
	RECORD(U, C2, LU3_EM);
	assert_string_equal(end(), "AAA\nB\nCAB\n");
	begin();
	RECORD(0xf1, 0xc0, A);
	RECORD(0xf5, 0xc8, C2, LU3_EM); /* erased: printed before that */
	assert_string_equal(end(), "A\nB\n");
}

/* Longer than the buffer: printed, not overwritten. */
static void longer_than_the_buffer(void **state UNUSED)
{
	uint8_t d[5000] = {0xf1, 0xc8};
	size_t letters = 0;

	for (size_t i = 2; i < sizeof(d); i++)
		d[i] = i % 100 == 99 ? LU3_NL : A;
	begin();
	record(d, sizeof(d), 700);
	for (const char *c = end(); *c; c++)
		letters += *c == 'A';
	assert_int_equal(letters, 4998 - 50);
}

static void wraps_at_the_width(void **state UNUSED)
{
	conf.width = 3;
	PRINTS("AAA\nB\n", U, A, A, A, C2, LU3_EM);
	PRINTS("AAA\nB\n", U, A, A, A, LU3_NL, C2, LU3_EM);
}

static void formatted(void **state UNUSED)
{
	PRINTS("A\nB\n", F80, A, LU3_SBA, 0xc1, 0x50, C2);
	/* rows of nulls are left out, a blank one is not */
	PRINTS("A\nB\n", F80, A, LU3_SBA, 0xc2, 0x60, C2);
	PRINTS("A\n\nB\n", F80, A, LU3_SBA, 0xc1, 0x50, 0x40, LU3_SBA, 0xc2,
	       0x60, C2);
	conf.blank_lines = true;
	conf.buffer = 240;
	PRINTS("A\n\nB\n", F80, A, LU3_SBA, 0xc2, 0x60, C2);
	conf.blank_lines = false;
	/* 40 and 64 columns */
	PRINTS("A\nB\n", 0xf5, 0xd8, A, LU3_SBA, 0x40, 0xe8, C2);
	PRINTS("A\nB\n", 0xf5, 0xe8, A, LU3_SBA, 0xc1, 0x40, C2);
	PRINTS("A B\n", F80, A, LU3_NL, C2); /* NL is a blank cell */
	PRINTS(" A\n", F80, LU3_SF, 0x40, A, LU3_SF, 0x4c, C2);
	PRINTS("A\f  B\n", F80, A, LU3_FF, C2);
}

static void orders(void **state UNUSED)
{
	/* EUA leaves protected fields alone */
	PRINTS(" A    B\n", F80, LU3_SF, 0x60, A, LU3_SF, 0x40, C2, C3, LU3_SF,
	       0x60, C2, LU3_SBA, 0x40, 0xc3, LU3_EUA, 0x40, 0xc8);
	PRINTS(" A  B\n", F80, LU3_SF, 0x60, A, LU3_SF, 0x40, LU3_SBA, 0x40,
	       0x40, LU3_PT, 0x40, C2);
	PRINTS("A B\n", F80, A, LU3_SFE, 2, 0xc0, 0x40, 0x41, 0xf4, C2);
	PRINTS("AB\n", F80, A, LU3_SA, 0x41, 0xf2, C2, LU3_IC);
	PRINTS("  B\n", F80, LU3_SFE, 1, 0xc0, 0x40, A, C2, LU3_SBA, 0x40, 0x40,
	       LU3_MF, 1, 0xc0, 0x40, 0x40);
	VERDICT(LU3_OPERATION, F80, LU3_SBA, 0x7f, 0x7f);
	VERDICT(LU3_OPERATION, F80, LU3_SBA, 0x40);
	VERDICT(LU3_OPERATION, F80, A, LU3_MF, 1, 0xc0, 0x40);
	VERDICT(LU3_REJECT, 0xf2);
	VERDICT(LU3_REJECT, 0xf6);
	VERDICT(LU3_REJECT, 0x99);
	VERDICT(LU3_OK, 0x6f);
	/* what came before the mistake stays */
	begin();
	RECORD(U, A, LU3_SBA, 0x7f, 0x7f, C2);
	assert_string_equal(end(), "A\n");
}

/* RA to the own address: once around, and not for ever. */
static void repeat_goes_round_once(void **state UNUSED)
{
	conf.buffer = 80;
	begin();
	RECORD(F80, LU3_RA, 0x40, 0x40, A);
	assert_int_equal(verdict, LU3_OK);
	assert_int_equal(strlen(end()), 81);
}

static void structured_fields(void **state UNUSED)
{
	uint8_t reply[128];

	PRINTS("A\n", 0xf3, 0, 9, 0x40, 0, 0xf5, 0xf8, A, 0, 0);
	PRINTS("AB\n", 0xf3, 0, 0, 0x40, 0, 0xf5, 0xf8, A, C2);
	VERDICT(LU3_QUERY, 0xf3, 0, 5, 0x01, 0xff, 0x02);
	VERDICT(LU3_QUERY, 0xf3, 0, 5, 0x09, 0, 0, 0, 7, 0x01, 0xff, 0x03, 0,
		0);
	VERDICT(LU3_REJECT, 0xf3, 0, 5, 0x01, 0xff, 0x6e);
	VERDICT(LU3_OPERATION, 0xf3, 0, 5, 0x77, 0, 0);
	VERDICT(LU3_OPERATION, 0xf3, 0, 2, 0x40);
	VERDICT(LU3_OPERATION, 0xf3, 0, 6, 0x40, 0, 0xf3, 0);
	begin();
	assert_int_equal(lu3_query_reply(p, reply, sizeof(reply)), 48);
	assert_int_equal(reply[0], 0x88);
	assert_int_equal(lu3_query_reply(p, reply, 47), -ENOSPC);
	end();
}

static void double_bytes(void **state UNUSED)
{
	conf.page = p939;
	PRINTS("A \xe6\x97\xa5 B\n", U, A, 0x0e, 0x45, 0x62, 0x0f, C2, LU3_EM);
}

static void limits(void **state UNUSED)
{
	struct render_sink s = paper_sink(&out, &sink, &text);

	conf.buffer = LU3_BUFFER_MAX + 1;
	assert_null(lu3_printer_new(&conf, &s));
}

/* ---- encoder ----------------------------------------------------------------
 */

static uint8_t enc[65536];
static size_t enc_len[64];

/* Encodes `in` in pieces; the records lie one after the other. */
static unsigned encode(struct lu3_encoder *e, const char *in, size_t chunk)
{
	uint8_t rec[LU3_BUFFER_MAX + 3];
	size_t len = strlen(in), done = 0, fill = 0, at = 0, used, k;
	unsigned n = 0;

	do {
		size_t part = MIN(chunk, len - done);

		k = lu3_encode(e, in + done, part, done + part == len, &used,
			       rec, sizeof(rec), &fill);
		done += used;
		if (k) {
			memcpy(enc + at, rec, k);
			at += k;
			enc_len[n++] = k;
		}
	} while (k || done < len);
	return n;
}

static void check_encode(const struct codepage *page, unsigned width,
			 const char *in, const uint8_t *want, size_t len,
			 unsigned records)
{
	struct lu3_encoder e;

	for (size_t chunk = 1; chunk <= strlen(in); chunk++) {
		size_t n = 0;
		unsigned k;

		lu3_encoder_init(&e, page, width, 0, 0);
		k = encode(&e, in, chunk);
		for (unsigned i = 0; i < k; i++)
			n += enc_len[i];
		assert_int_equal(k, records);
		assert_int_equal(n, len);
		assert_memory_equal(enc, want, len);
	}
}

#define ENCODES(page, width, in, records, ...) \
	check_encode(page, width, in, B(__VA_ARGS__), sizeof(B(__VA_ARGS__)), \
		     records)

static void encodes_text(void **state UNUSED)
{
	struct lu3_encoder e;

	ENCODES(p037, 0, "A\nB", 1, U, A, LU3_NL, C2, LU3_NL, LU3_EM);
	ENCODES(p037, 0, "A\r\nB\r\n", 1, U, A, LU3_NL, C2, LU3_NL, LU3_EM);
	ENCODES(p037, 0, "A\rB\r", 1, U, A, LU3_CR, C2, LU3_NL, LU3_EM);
	ENCODES(p037, 0, "A\fB", 1, U, A, LU3_FF, C2, LU3_NL, LU3_EM);
	ENCODES(p037, 0, "A\x1b\bB", 1, U, A, C2, LU3_NL, LU3_EM);
	ENCODES(p037, 0, "\xe2\x82\xac\xc3", 1, U, 0x6f, 0x6f, LU3_NL, LU3_EM);
	ENCODES(p037, 3, "AAAB", 1, U, A, A, A, LU3_NL, C2, LU3_NL, LU3_EM);
	ENCODES(p037, 3, "AAA\nB", 1, U, A, A, A, LU3_NL, C2, LU3_NL, LU3_EM);
	ENCODES(p037, 3, "A\tB", 1, U, A, 0x40, 0x40, LU3_NL, 0x40, 0x40, 0x40,
		LU3_NL, 0x40, 0x40, C2, LU3_NL, LU3_EM);
	ENCODES(p939, 8,
		"A\xe6\x97\xa5"
		"B",
		1, U, A, 0x0e, 0x45, 0x62, 0x0f, C2, LU3_NL, LU3_EM);
	lu3_encoder_init(&e, p037, 0, 0, 0);
	assert_int_equal(encode(&e, "", 1), 0);
	assert_int_equal(lu3_encode_empty(enc), 2);
	assert_memory_equal(enc, B(0xf1, 0xc3), 2);
}

/* Records hold whole lines, each ends in EM, none is longer than asked. */
static void splits_into_records(void **state UNUSED)
{
	static char in[6001];
	struct lu3_encoder e;
	unsigned n;
	size_t at = 0;

	for (size_t i = 0; i < 6000; i++)
		in[i] = i % 60 == 59 ? '\n' : 'A';
	lu3_encoder_init(&e, p037, 0, 1000, 0);
	n = encode(&e, in, 77);
	assert_int_equal(n, 7);
	for (unsigned i = 0; i < n; i++) {
		assert_in_range(enc_len[i], 3, 1002);
		assert_int_equal(enc[at + enc_len[i] - 1], LU3_EM);
		assert_int_equal(enc[at + enc_len[i] - 2], LU3_NL);
		at += enc_len[i];
	}
	/* overstrikes without end: the line is broken, nothing overflows */
	for (size_t i = 0; i < 6000; i++)
		in[i] = i & 1 ? '\r' : 'A';
	lu3_encoder_init(&e, p037, 0, LU3_RECORD_MIN, 0);
	n = encode(&e, in, 500);
	assert_true(n > 15);
	for (unsigned i = 0; i < n; i++)
		assert_in_range(enc_len[i], 3, LU3_RECORD_MIN + 3);
}

static void encodes_screens(void **state UNUSED)
{
	static uint32_t cells[24 * 80];
	uint8_t rec[3000];
	ssize_t n;

	cells[0] = 'A';
	cells[80 + 2] = 'B';
	cells[80] = cells[81] = ' ';
	n = lu3_encode_screen(p037, cells, 24, 80, rec, sizeof(rec));
	assert_int_equal(n, 12);
	assert_memory_equal(rec,
			    B(0xf5, 0xf8, LU3_SBA, 0x40, 0x40, A, LU3_SBA, 0xc1,
			      0x50, 0x40, 0x40, C2),
			    12);
	begin();
	record(rec, (size_t)n, 5);
	assert_string_equal(end(), "A\n  B\n");
	assert_int_equal(lu3_encode_screen(p037, cells, 24, 77, rec, 3000),
			 -EINVAL);
	assert_int_equal(lu3_encode_screen(p037, cells, 24, 80, rec, 1000),
			 -ENOSPC);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(unformatted, setup),
	cmocka_unit_test_setup(records_follow_each_other, setup),
	cmocka_unit_test_setup(longer_than_the_buffer, setup),
	cmocka_unit_test_setup(wraps_at_the_width, setup),
	cmocka_unit_test_setup(formatted, setup),
	cmocka_unit_test_setup(orders, setup),
	cmocka_unit_test_setup(repeat_goes_round_once, setup),
	cmocka_unit_test_setup(structured_fields, setup),
	cmocka_unit_test_setup(double_bytes, setup),
	cmocka_unit_test_setup(limits, setup),
	cmocka_unit_test_setup(encodes_text, setup),
	cmocka_unit_test_setup(splits_into_records, setup),
	cmocka_unit_test_setup(encodes_screens, setup),
};

UNIT_MAIN_BETWEEN(tests, open_pages, close_pages)
