/* SCS: what the encoder writes, and what each control does to the paper. */
#include "render/scs.h"

#include "paper.h"

static struct codepage *p037, *p1141, *p939;
static struct paper_out out;
static struct text_sink sink;
static struct text_conf text;
static struct scs_conf conf;
static struct scs_printer *p;

static int open_pages(void **state UNUSED)
{
	return codepage_new("037", NULL, &p037) ||
	       codepage_new("1141", NULL, &p1141) ||
	       codepage_new("939", NULL, &p939);
}

static int close_pages(void **state UNUSED)
{
	codepage_free(p037);
	codepage_free(p1141);
	codepage_free(p939);
	return 0;
}

static int setup(void **state UNUSED)
{
	text = (struct text_conf){0};
	conf = (struct scs_conf){.page = p037};
	return 0;
}

/* Prints with a fresh printer; `chunk` bytes at a time. */
static const char *print_cut(const void *data, size_t len, size_t chunk)
{
	struct render_sink s = paper_sink(&out, &sink, &text);
	const uint8_t *d = data;

	p = scs_printer_new(&conf, &s);
	assert_non_null(p);
	for (size_t i = 0; i < len; i += chunk)
		assert_int_equal(scs_print(p, d + i, MIN(chunk, len - i)), 0);
	assert_int_equal(scs_print_end(p), 0);
	return out.text;
}

/* The same whatever the cuts. */
static void check_print(const void *data, size_t len, const char *want)
{
	for (size_t chunk = 1; chunk <= len; chunk++) {
		assert_string_equal(print_cut(data, len, chunk), want);
		if (chunk < len)
			scs_printer_free(p);
	}
}

#define B(...) ((const uint8_t[]){__VA_ARGS__})
#define PRINTS(want, ...) \
	(check_print(B(__VA_ARGS__), sizeof(B(__VA_ARGS__)), want), \
	 scs_printer_free(p))
#define VERDICT(v, ...) \
	(print_cut(B(__VA_ARGS__), sizeof(B(__VA_ARGS__)), 99), \
	 assert_int_equal(scs_printer_verdict(p), v), scs_printer_free(p))

#define A 0xc1
#define C2 0xc2
#define C3 0xc3
#define NL SCS_NL

static void lines_and_columns(void **state UNUSED)
{
	PRINTS("A\nB\n", A, NL, C2, NL);
	PRINTS("A\nB\n", A, SCS_IRS, C2);
	PRINTS("A\nB\n", A, SCS_RNL, C2);
	PRINTS("A\n B\n", A, SCS_LF, C2);
	PRINTS("A\n\n\nB\n", A, NL, NL, NL, C2);
	PRINTS("A\n", A, SCS_SP, SCS_SP, NL); /* blanks at the end are cut */
	PRINTS("", SCS_SP, SCS_SP);           /* nothing to print */
	PRINTS("A\n", A, SCS_BEL, SCS_NUL);
	conf.nul_blank = true;
	PRINTS("A B\n", A, SCS_NUL, C2);
	conf.lf_newline = true;
	PRINTS("A\nB\n", A, SCS_LF, C2);
}

static void overstrike(void **state UNUSED)
{
	PRINTS("ABC\n", A, C2, SCS_SP, SCS_CR, SCS_SP, SCS_SP, C3);
	PRINTS("A\n", A, SCS_BS, 0x6d, NL); /* underscored: the letter */
	text.overstrike = TEXT_LAST;
	PRINTS("_\n", A, SCS_BS, 0x6d, NL);
	text.overstrike = TEXT_BY_CR;
	PRINTS("AB\r_\n", A, C2, SCS_CR, 0x6d, NL);
	PRINTS("AB\r _\n", A, C2, SCS_CR, SCS_SP, 0x6d, NL);
	text.overstrike = TEXT_BY_BS;
	PRINTS("A\b_B\n", A, C2, SCS_CR, 0x6d, NL);
	/* more layers than are kept */
	PRINTS("A\bB\bC\bA\bB\bC\bA\bB\n", A, SCS_BS, C2, SCS_BS, C3, SCS_BS, A,
	       SCS_BS, C2, SCS_BS, C3, SCS_BS, A, SCS_BS, C2, SCS_BS, C3,
	       SCS_BS, A);
	print_cut(B(A, SCS_BS, A, SCS_BS, A, SCS_BS, A, SCS_BS, A, SCS_BS, A,
		    SCS_BS, A, SCS_BS, A, SCS_BS, A),
		  17, 17);
	assert_int_equal(scs_printer_stats(p)->cut, 1);
	scs_printer_free(p);
}

static void form_feeds(void **state UNUSED)
{
	PRINTS("A\fB\n", A, SCS_FF, C2);
	PRINTS("A\n\fB\n", A, NL, SCS_FF, C2);
	PRINTS("A\fB\n", A, SCS_RFF, C2);
	/* MPL 3: the fourth line is on the next page, and a form feed right
	 * behind the page's end is that end */
	PRINTS("A\nA\nA\fB\n", 0x2b, 0xc2, 2, 3, A, NL, A, NL, A, NL, C2);
	PRINTS("A\nA\nA\fB\n", 0x2b, 0xc2, 2, 3, A, NL, A, NL, A, NL, SCS_FF,
	       C2);
	PRINTS("A\fB\n", 0x2b, 0xc2, 2, 3, A, SCS_FF, C2);
	/* TM 2, BM 3 of 5 */
	PRINTS("A\nA\nA\f\nB\n", 0x2b, 0xc2, 4, 5, 2, 3, A, NL, A, NL, A, NL,
	       C2);
}

static void margins_and_tabs(void **state UNUSED)
{
	/* LM 3 acts from the next NL on; RM 5 */
	PRINTS("A\n  BCB\n  C\n", 0x2b, 0xc1, 4, 10, 3, 5, A, NL, C2, C3, C2,
	       C3);
	PRINTS("A   B   C\n", 0x2b, 0xc1, 6, 80, 1, 0, 5, 9, A, SCS_HT, C2,
	       SCS_HT, C3);
	PRINTS("A B\n", A, SCS_HT, C2); /* no tab: one blank */
	PRINTS("A\n\n\n B\n", 0x2b, 0xc2, 5, 20, 1, 20, 4, A, SCS_VT, C2);
	PRINTS("A\n B\n", A, SCS_VT, C2);
	/* back to defaults */
	PRINTS("A B\n", 0x2b, 0xc1, 6, 80, 1, 0, 5, 9, 0x2b, 0xc1, 1, A, SCS_HT,
	       C2);
	/* a line of exactly MPP and NL is one line */
	PRINTS("ABA\nB\n", 0x2b, 0xc1, 2, 3, A, C2, A, NL, C2);
	PRINTS("ABA\nB\n", 0x2b, 0xc1, 2, 3, A, C2, A, C2);
}

static void positions(void **state UNUSED)
{
	PRINTS("A   B\n", A, SCS_PP, 0xc0, 5, C2);
	PRINTS("A   B\n", A, SCS_PP, 0xc8, 3, C2);
	PRINTS("A\n\n B\n", A, SCS_PP, 0xc4, 3, C2);
	PRINTS("A\n\n B\n", A, SCS_PP, 0x4c, 2, C2);
	PRINTS("A\n\nB\fC\n", A, NL, NL, C2, SCS_PP, 0xc4, 1, SCS_CR, C3);
	VERDICT(SCS_OPERAND, SCS_PP, 0xc0, 200);
	VERDICT(SCS_OPERAND, SCS_PP, 0xc0, 0);
	VERDICT(SCS_OPERAND, SCS_PP, 0x77, 1);
}

static void channels(void **state UNUSED)
{
	PRINTS("A\fB\n", A, SCS_VCS, 0x81, SCS_CR, C2);
	PRINTS("A\n B\n", A, SCS_VCS, 0x82, C2);
	conf.channel[1] = 4;
	PRINTS("A\n\n\n B\n", A, SCS_VCS, 0x82, C2);
	PRINTS("A\n\n\n B\f\n\n\n  C\n", A, SCS_VCS, 0x82, C2, SCS_VCS, 0x82,
	       C3);
	conf.channel[11] = 2;
	PRINTS("A\n B\n", A, SCS_VCS, 0x7c, C2);
	VERDICT(SCS_OPERAND, SCS_VCS, 0x20);
}

static void presentation(void **state UNUSED)
{
	PRINTS("A B\n", A, SCS_INP, C3, SCS_ENP, C2);
	PRINTS("AB\n", A, SCS_SA, 0x42, 0xf2, C2);
	PRINTS("\xe2\x94\x82\n", SCS_GE, 0x85);
	PRINTS("\xe2\x94\x82"
	       "A\n",
	       SCS_SA, 0x43, 0xf1, 0x85, SCS_SA, 0, 0, A);
	PRINTS("A-\n", A, SCS_SHY);
	PRINTS("AB\n", A, 0x2b, 0xd2, 3, 0x29, 1, C2);
	VERDICT(SCS_FUNCTION, 0x17);
	VERDICT(SCS_OPERAND, 0x2b, 0xc1, 0);
	VERDICT(SCS_OK, A);
	VERDICT(SCS_OPERAND, 0x2b, 0xc1); /* cut by the end of the job */
	print_cut(B(0xff), 1, 1);
	assert_int_equal(scs_printer_stats(p)->substituted, 1);
	scs_printer_free(p);
}

static void transparency(void **state UNUSED)
{
	PRINTS("A\x1b"
	       "E\x0c"
	       "B\n",
	       A, SCS_TRN, 3, 0x1b, 'E', 0x0c, C2, NL);
	PRINTS("\x1b"
	       "E",
	       SCS_TRN, 2, 0x1b, 'E');
	PRINTS("A", SCS_TRN, 0, SCS_TRN, 1, 'A');
	/* the head stands behind blanks */
	PRINTS("A  x\n", A, SCS_SP, SCS_SP, SCS_TRN, 1, 'x', NL);
	/* and over what went out before */
	PRINTS("ABx\rC\n", A, C2, SCS_TRN, 1, 'x', SCS_CR, C3, NL);
	print_cut(B(SCS_TRN, 2, 1, 2), 4, 4);
	assert_int_equal(scs_printer_stats(p)->transparent, 2);
	scs_printer_free(p);
	text.reject_raw = true;
	PRINTS("AB\n", A, SCS_TRN, 3, 1, 2, 3, C2);
}

static void double_bytes(void **state UNUSED)
{
	conf.page = p939;
	PRINTS("A\xe6\x97\xa5\xe6\x9c\xac"
	       "B\n",
	       A, SCS_SO, 0x45, 0x62, 0x45, 0x66, SCS_SI, C2);
	PRINTS("\xe6\x97\xa5\n", SCS_SA, 0x43, 0xf8, 0x45, 0x62, SCS_SA, 0x43,
	       0);
	print_cut(B(SCS_SO, 0x45, SCS_SI), 3, 3); /* half a character */
	assert_int_equal(scs_printer_stats(p)->substituted, 1);
	scs_printer_free(p);
}

/* Formats stay over the end of a job; UNBIND takes them back. */
static void job_after_job(void **state UNUSED)
{
	struct render_sink s = paper_sink(&out, &sink, &text);

	p = scs_printer_new(&conf, &s);
	assert_int_equal(scs_print(p, B(0x2b, 0xc1, 3, 20, 3, NL, A), 7), 0);
	assert_int_equal(scs_print_end(p), 0);
	assert_int_equal(scs_printer_stats(p)->lines, 2);
	assert_int_equal(scs_print(p, B(C2), 1), 0);
	assert_int_equal(scs_printer_stats(p)->lines, 0);
	assert_int_equal(scs_print_end(p), 0);
	scs_printer_reset(p);
	assert_int_equal(scs_print(p, B(C3), 1), 0);
	assert_int_equal(scs_print_end(p), 0);
	assert_string_equal(out.text, "\n  A\n  B\nC\n");
	scs_printer_free(p);
}

/* The writer's error comes back from every call until the job's end. */
static void a_full_disk(void **state UNUSED)
{
	struct render_sink s = paper_sink(&out, &sink, &text);

	p = scs_printer_new(&conf, &s);
	out.fail_after = 2;
	assert_int_equal(scs_print(p, B(A, NL), 2), 0);
	assert_int_equal(scs_print(p, B(A, NL), 2), -ENOSPC);
	assert_int_equal(scs_print(p, B(A, NL), 2), -ENOSPC);
	assert_int_equal(scs_print_end(p), -ENOSPC);
	assert_int_equal(scs_print(p, B(A, NL), 2), 0);
	scs_printer_free(p);
}

/* ---- encoder ----------------------------------------------------------------
 */

/* Encodes with tiny buffers; the stream is in enc. */
static uint8_t enc[8192];

static size_t encode(struct scs_encoder *e, const char *in, size_t cap)
{
	size_t len = strlen(in), done = 0, n, used;

	n = scs_encode_start(e, enc);
	do {
		n += scs_encode(e, in + done, len - done, &used, enc + n, cap);
		done += used;
	} while (done < len || e->blanks);
	n += scs_encode_end(e, enc + n);
	assert_true(n < sizeof(enc));
	return n;
}

static void check_encode(const struct codepage *page,
			 const struct scs_format *f, const char *in,
			 const uint8_t *want, size_t len, unsigned lost)
{
	struct scs_encoder e;

	for (size_t cap = SCS_CHAR_MAX; cap < 24; cap++) {
		scs_encoder_init(&e, page, f, 0);
		assert_int_equal(encode(&e, in, cap), len);
		assert_memory_equal(enc, want, len);
		assert_int_equal(e.stats.substituted + e.stats.unknown, lost);
	}
}

#define ENCODES(page, f, in, lost, ...) \
	check_encode(page, f, in, B(__VA_ARGS__), sizeof(B(__VA_ARGS__)), lost)

static void encodes_text(void **state UNUSED)
{
	struct scs_format f = {.mpp = 80, .mpl = 60};

	ENCODES(p037, NULL, "A\nB", 0, A, NL, C2, NL);
	ENCODES(p037, NULL, "A\r\nB\n", 0, A, NL, C2, NL);
	ENCODES(p037, NULL, "A\rB\n", 0, A, SCS_CR, C2, NL);
	ENCODES(p037, NULL, "A\r", 0, A, NL);
	ENCODES(p037, NULL, "A\r\fB", 0, A, SCS_FF, C2, NL);
	ENCODES(p037, NULL, "A\bB", 0, A, SCS_BS, C2, NL);
	ENCODES(p037, NULL, "A\tB", 0, A, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40,
		0x40, C2, NL);
	ENCODES(p037, NULL,
		"A\x07\x1b"
		"B",
		2, A, C2, NL);
	ENCODES(p037, NULL,
		"A\xe2\x82\xac"
		"B",
		1, A, 0x6f, C2, NL);
	ENCODES(p1141, NULL, "\xc3\xbc\xe2\x82\xac", 0, 0xd0, 0x9f, NL);
	ENCODES(p037, NULL,
		"A\xc2\xa0"
		"B",
		0, A, 0x41, C2, NL);
	ENCODES(p037, NULL, "\xc3", 1, 0x6f, NL);
	ENCODES(p037, &f, "A", 0, 0x2b, 0xc1, 2, 80, 0x2b, 0xc2, 2, 60, A, NL);
	f = (struct scs_format){.mpp = 80, .lm = 5, .mpl = 60, .tm = 3};
	ENCODES(p037, &f, "A", 0, 0x2b, 0xc1, 3, 80, 5, 0x2b, 0xc2, 4, 60, 3,
		60, NL, NL, A, NL);
	f = (struct scs_format){.lm = 5};
	ENCODES(p037, &f, "A", 0, 0x2b, 0xc1, 3, 0, 5, SCS_CR, A, NL);
	f = (struct scs_format){.mpp = 80, .htabs = 2, .htab = {4, 7}};
	ENCODES(p037, &f, "A\tB\tC\tA", 0, 0x2b, 0xc1, 6, 80, 0, 0, 4, 7, A,
		0x40, 0x40, C2, 0x40, 0x40, C3, 0x40, A, NL);
}

static void encodes_double_bytes(void **state UNUSED)
{
	ENCODES(p939, NULL,
		"A\xe6\x97\xa5\xe6\x9c\xac"
		"B",
		0, A, SCS_SO, 0x45, 0x62, 0x45, 0x66, SCS_SI, C2, NL);
	ENCODES(p939, NULL, "\xe6\x97\xa5", 0, SCS_SO, 0x45, 0x62, SCS_SI, NL);
	ENCODES(p939, NULL, "\xe6\x97\xa5\n", 0, SCS_SO, 0x45, 0x62, SCS_SI,
		NL);
}

static void encodes_raw(void **state UNUSED)
{
	uint8_t raw[700], back[1024];
	size_t n = 0, used, done = 0;

	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)i;
	while (done < sizeof(raw)) {
		n += scs_encode_raw(raw + done, sizeof(raw) - done, &used,
				    back + n, 300);
		done += used;
	}
	print_cut(back, n, 7);
	assert_int_equal(out.len, sizeof(raw));
	assert_memory_equal(out.text, raw, sizeof(raw));
	scs_printer_free(p);
}

static void checks_formats(void **state UNUSED)
{
	const char *what = "";
	struct scs_format f = {.mpp = 80, .rm = 90};

	assert_int_equal(scs_format_check(&f, &what), -EINVAL);
	assert_non_null(strstr(what, "right margin"));
	f = (struct scs_format){.lm = 50, .rm = 40};
	assert_int_equal(scs_format_check(&f, &what), -EINVAL);
	f = (struct scs_format){.mpl = 60, .bm = 61};
	assert_int_equal(scs_format_check(&f, &what), -EINVAL);
	f = (struct scs_format){.mpl = 60, .tm = 50, .bm = 40};
	assert_int_equal(scs_format_check(&f, &what), -EINVAL);
	f = (struct scs_format){.htabs = 2, .htab = {5, 5}};
	assert_int_equal(scs_format_check(&f, &what), -EINVAL);
	f = (struct scs_format){.mpl = 10, .vtabs = 1, .vtab = {11}};
	assert_int_equal(scs_format_check(&f, &what), -EINVAL);
	f = (struct scs_format){.mpp = 132,
				.lm = 5,
				.rm = 130,
				.mpl = 66,
				.tm = 3,
				.bm = 63,
				.htabs = 2,
				.htab = {9, 17}};
	assert_int_equal(scs_format_check(&f, &what), 0);
	f = (struct scs_format){0};
	assert_int_equal(scs_format_check(&f, &what), 0);
}

/* The rule: text within the page's repertoire and width, without blanks at
 * line ends, comes back as it was; a last line gets its end. */
static void random_text_comes_back(void **state UNUSED)
{
	static const char *const pages[] = {"037",  "273",  "500", "1047",
					    "1140", "1148", "939", "875"};
	uint64_t seed = 1;

	for (unsigned round = 0; round < 400; round++) {
		struct codepage *c = NULL;
		struct scs_encoder e;
		char in[3000] = "";
		size_t n = 0, k;

		assert_int_equal(codepage_new(pages[round % 8], NULL, &c), 0);
		for (int line = 0; line < 5; line++) {
			unsigned want = (unsigned)(seed >> 40) % 120;

			for (unsigned i = 0; i < want;) {
				uint32_t u;

				seed = seed * 6364136223846793005u + 1;
				u = codepage_decode(c, (uint8_t)(seed >> 56));
				if (u == CODEPAGE_NONE || u == 0xad ||
				    (i + 1 == want && (u == ' ' || u == 0xa0)))
					continue;
				n += utf8_emit(u, (uint8_t *)in + n);
				i++;
			}
			in[n++] = seed >> 33 & 3 ? '\n' : '\f';
		}
		if (in[n - 1] == '\f')
			in[n - 1] = '\n';
		in[n] = '\0';
		scs_encoder_init(&e, c, NULL, 0);
		k = encode(&e, in, 16);
		conf.page = c;
		assert_string_equal(print_cut(enc, k, 13), in);
		assert_int_equal(e.stats.substituted, 0);
		scs_printer_free(p);
		codepage_free(c);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(lines_and_columns, setup),
	cmocka_unit_test_setup(overstrike, setup),
	cmocka_unit_test_setup(form_feeds, setup),
	cmocka_unit_test_setup(margins_and_tabs, setup),
	cmocka_unit_test_setup(positions, setup),
	cmocka_unit_test_setup(channels, setup),
	cmocka_unit_test_setup(presentation, setup),
	cmocka_unit_test_setup(transparency, setup),
	cmocka_unit_test_setup(double_bytes, setup),
	cmocka_unit_test_setup(job_after_job, setup),
	cmocka_unit_test_setup(a_full_disk, setup),
	cmocka_unit_test_setup(encodes_text, setup),
	cmocka_unit_test_setup(encodes_double_bytes, setup),
	cmocka_unit_test_setup(encodes_raw, setup),
	cmocka_unit_test_setup(checks_formats, setup),
	cmocka_unit_test_setup(random_text_comes_back, setup),
};

UNIT_MAIN_BETWEEN(tests, open_pages, close_pages)
