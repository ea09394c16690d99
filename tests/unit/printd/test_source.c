/* A spooled job as what a printer wants: every way of the table in source.h. */
#include "fakedisk.h"
#include "source/source.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct ground {
	struct fakedisk *disk;
	struct spool *s;
	struct codepage *page;
};

static int setup(void **state)
{
	struct ground *g = calloc(1, sizeof *g);
	struct spool_recovery found;

	assert_non_null(g);
	g->disk = fakedisk_new(7);
	assert_int_equal(spool_open(fakedisk_io(g->disk), 1, &g->s, &found), 0);
	assert_int_equal(codepage_new("IBM-037", NULL, &g->page), 0);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct ground *g = *state;

	codepage_free(g->page);
	spool_close(g->s);
	fakedisk_free(g->disk);
	free(g);
	return 0;
}

/* A job of bytes, or of frames of `frame` bytes each. */
static struct spool_job *job_of(struct ground *g, enum spool_form form,
				const void *data, size_t len, size_t frame)
{
	struct spool_meta m = {.form = form, .copies = 1, .lu = "P"};
	struct spool_status st = {.lu = "P"};
	const char *p = data;
	struct spool_draft *d;
	struct spool_job *j;

	assert_int_equal(spool_begin(g->s, &m, &d), 0);
	while (len) {
		size_t n = frame ? MIN(frame, len) : len;

		assert_int_equal(frame ? spool_write_frame(d, p, n)
				       : spool_write(d, p, n),
				 0);
		p += n;
		len -= n;
	}
	assert_int_equal(spool_commit(d, &st, &j), 0);
	return j;
}

static struct source_conf conf_of(struct ground *g, enum source_target t)
{
	return (struct source_conf){.target = t,
				    .stream_page = g->page,
				    .columns = 132,
				    .copies = 1};
}

/* Everything a source gives, a few bytes at a time; records one after the
 * other. */
static size_t drain(struct source *s, bool records, char *buf, size_t cap)
{
	size_t len = 0;

	for (;;) {
		const uint8_t *rec;
		size_t n = 0;
		ssize_t r;

		if (records) {
			r = source_record(s, &rec, &n);
			if (r > 0) {
				assert_true(len + n <= cap);
				memcpy(buf + len, rec, n);
			}
		} else {
			r = source_read(s, buf + len, MIN(cap - len, 7u));
			n = r > 0 ? (size_t)r : 0;
		}
		assert_true(r >= 0);
		if (!r)
			return len;
		len += n;
	}
}

static void assert_gives(struct ground *g, struct spool_job *j,
			 const struct source_conf *c, const void *want,
			 size_t want_len)
{
	bool records = c->target == SOURCE_SCS || c->target == SOURCE_LU3;
	struct source *s;
	char buf[4096];
	uint64_t measured = 0;
	size_t n;

	assert_int_equal(source_new(g->s, j, c, &s), 0);
	if (!records)
		assert_int_equal(source_measure(s, SIZE_MAX, &measured), 0);
	n = drain(s, records, buf, sizeof buf);
	assert_int_equal(n, want_len);
	assert_memory_equal(buf, want, want_len);
	if (!records)
		assert_int_equal(measured, want_len);
	source_free(s);
}

static void test_text_passes_unchanged(void **state)
{
	struct ground *g = *state;
	static const char text[] = "a\tb  \n\x01\fno end";
	struct spool_job *j = job_of(g, SPOOL_TEXT, text, sizeof text - 1, 0);
	struct source_conf c = conf_of(g, SOURCE_BYTES);

	assert_gives(g, j, &c, text, sizeof text - 1);
}

static void test_set_up_copies_feed(void **state)
{
	struct ground *g = *state;
	struct spool_job *j = job_of(g, SPOOL_TEXT, "x\n", 2, 0);
	struct source_conf c = conf_of(g, SOURCE_BYTES);

	c.copies = 2;
	c.feed_after = true;
	c.setup_len = 2;
	memcpy(c.setup,
	       "\x1b"
	       "E",
	       2);
	c.teardown_len = 1;
	c.teardown[0] = 'T';
	assert_gives(g, j, &c,
		     "\x1b"
		     "Ex\n\fT\x1b"
		     "Ex\n\fT",
		     12);
	c.crlf = true;
	c.separator = "job";
	c.copies = 1;
	assert_gives(g, j, &c,
		     "\x1b"
		     "Ejob\fx\r\n\fT",
		     11);
}

static void test_text_into_scs(void **state)
{
	struct ground *g = *state;
	struct spool_job *j = job_of(g, SPOOL_TEXT, "HI\nYOU", 6, 0);
	struct source_conf c = conf_of(g, SOURCE_SCS);

	assert_gives(g, j, &c, "\xc8\xc9\x15\xe8\xd6\xe4\x15", 7);
}

static void test_scs_passes_with_its_records(void **state)
{
	struct ground *g = *state;
	struct spool_job *j = job_of(g, SPOOL_SCS, "\xc8\xc9\x15\xe8", 4, 3);
	struct source_conf c = conf_of(g, SOURCE_SCS);
	const uint8_t *rec;
	struct source *s;
	size_t n;

	assert_gives(g, j, &c, "\xc8\xc9\x15\xe8", 4);
	assert_int_equal(source_new(g->s, j, &c, &s), 0);
	assert_int_equal(source_record(s, &rec, &n), 1);
	assert_int_equal(n, 3);
	assert_int_equal(source_record(s, &rec, &n), 1);
	assert_int_equal(n, 1);
	assert_int_equal(source_record(s, &rec, &n), 0);
	source_free(s);
}

/* A record longer than one read of the spool comes whole. */
static void test_long_record(void **state)
{
	struct ground *g = *state;
	size_t len = 40000, n;
	char *data = malloc(len);
	struct source_conf c = conf_of(g, SOURCE_LU3);
	const uint8_t *rec;
	struct spool_job *j;
	struct source *s;

	assert_non_null(data);
	memset(data, 0x40, len);
	memcpy(data, "\xf1\xc8", 2);
	j = job_of(g, SPOOL_LU3, data, len, len);
	assert_int_equal(source_new(g->s, j, &c, &s), 0);
	assert_int_equal(source_record(s, &rec, &n), 1);
	assert_int_equal(n, len);
	assert_memory_equal(rec, data, len);
	assert_int_equal(source_record(s, &rec, &n), 0);
	source_free(s);
	free(data);
}

static void test_streams_become_text(void **state)
{
	struct ground *g = *state;
	struct spool_job *scs =
		job_of(g, SPOOL_SCS, "\xc8\xc9\x15\xe8\x15", 5, 2);
	struct spool_job *lu3 =
		job_of(g, SPOOL_LU3, "\xf1\xc8\xc8\xc9\x15\x19", 6, 6);
	struct source_conf c = conf_of(g, SOURCE_BYTES);

	assert_gives(g, scs, &c, "HI\nY\n", 5);
	assert_gives(g, lu3, &c, "HI\n", 3);
}

static void test_restart_at_a_page(void **state)
{
	struct ground *g = *state;
	static const char text[] = "one\n\ftwo\n\fthree\n";
	struct spool_job *j = job_of(g, SPOOL_TEXT, text, sizeof text - 1, 0);
	struct source_conf c = conf_of(g, SOURCE_BYTES);

	c.first_page = 2;
	assert_gives(g, j, &c, "two\n\fthree\n", 11);
	c.first_page = 3;
	assert_gives(g, j, &c, "three\n", 6);
	c.first_page = 9;
	assert_gives(g, j, &c, "", 0);
}

static void test_pages_are_counted(void **state)
{
	struct ground *g = *state;
	struct spool_job *j = job_of(g, SPOOL_TEXT, "1\f2\f3", 5, 0);
	struct source_conf c = conf_of(g, SOURCE_BYTES);
	struct source *s;
	char buf[64];

	assert_int_equal(source_new(g->s, j, &c, &s), 0);
	drain(s, false, buf, sizeof buf);
	assert_int_equal(source_stats(s).pages, 3);
	source_free(s);
}

static void test_what_cannot_be(void **state)
{
	struct ground *g = *state;
	struct spool_job *pdf = job_of(g, SPOOL_PDF, "%PDF-", 5, 0);
	struct spool_job *raw = job_of(g, SPOOL_RAW,
				       "\x1b"
				       "E",
				       2, 0);
	struct source_conf c = conf_of(g, SOURCE_SCS);
	struct source *s;

	assert_int_equal(source_new(g->s, pdf, &c, &s), -ENOTSUP);
	assert_gives(g, raw, &c,
		     "\x35\x02\x1b"
		     "E",
		     4);
	c.target = SOURCE_LU3;
	assert_int_equal(source_new(g->s, raw, &c, &s), -ENOTSUP);
	c.target = SOURCE_PDF;
	assert_int_equal(source_new(g->s, raw, &c, &s), -ENOTSUP);
	assert_gives(g, pdf, &c, "%PDF-", 5);
}

/* Frames that lie about their length are damage, not a crash. */
static void test_broken_frames(void **state)
{
	static const char *const bad[] = {"\xff\xff\xff\xff\x40",
					  "\x00\x00\x00\x09\x40", "\x00\x00"};
	static const size_t len[] = {5, 5, 2};
	struct ground *g = *state;
	struct source_conf c = conf_of(g, SOURCE_BYTES);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct spool_meta m = {
			.form = SPOOL_SCS, .copies = 1, .lu = "P"};
		struct spool_status st = {.lu = "P"};
		struct spool_draft *d;
		struct spool_job *j;
		struct source *s;
		char buf[64];
		ssize_t n;

		assert_int_equal(spool_begin(g->s, &m, &d), 0);
		assert_int_equal(spool_write(d, bad[i], len[i]), 0);
		assert_int_equal(spool_commit(d, &st, &j), 0);
		assert_int_equal(source_new(g->s, j, &c, &s), 0);
		do
			n = source_read(s, buf, sizeof buf);
		while (n > 0);
		assert_int_equal(n, -EBADMSG);
		source_free(s);
	}
}

static void test_nothing_around_a_pdf(void **state)
{
	struct ground *g = *state;
	static const char pdf[] = "%PDF-1.4\n%%EOF\n";
	struct spool_job *j = job_of(g, SPOOL_PDF, pdf, sizeof pdf - 1, 0);
	struct source_conf c = conf_of(g, SOURCE_BYTES);

	c.separator = "a page that is no part of the document\n";
	c.feed_after = true;
	assert_gives(g, j, &c, pdf, sizeof pdf - 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_text_passes_unchanged, setup,
					teardown),
	cmocka_unit_test_setup_teardown(test_set_up_copies_feed, setup,
					teardown),
	cmocka_unit_test_setup_teardown(test_text_into_scs, setup, teardown),
	cmocka_unit_test_setup_teardown(test_scs_passes_with_its_records, setup,
					teardown),
	cmocka_unit_test_setup_teardown(test_long_record, setup, teardown),
	cmocka_unit_test_setup_teardown(test_streams_become_text, setup,
					teardown),
	cmocka_unit_test_setup_teardown(test_restart_at_a_page, setup,
					teardown),
	cmocka_unit_test_setup_teardown(test_pages_are_counted, setup,
					teardown),
	cmocka_unit_test_setup_teardown(test_nothing_around_a_pdf, setup,
					teardown),
	cmocka_unit_test_setup_teardown(test_what_cannot_be, setup, teardown),
	cmocka_unit_test_setup_teardown(test_broken_frames, setup, teardown),
};

UNIT_MAIN(tests)
