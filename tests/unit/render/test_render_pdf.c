/* The PDF sink: a document, the same each time, with the pages it should
 * have; what it cannot do has a clear error. tests/net/print reads the text
 * out again. */
#include "render/pdf.h"
#include "render/plain.h"

#include "paper.h"

static struct paper_out out;
static struct pdf_conf conf;

static int setup(void **state UNUSED)
{
	conf = (struct pdf_conf){0};
	return 0;
}

static const char nothing[] = "";

static void make(const char *in, uint64_t pages)
{
	struct render_writer w = {paper_write, &out};
	struct plain_conf pc = {.lines = conf.lines};
	struct plain_printer *p;
	struct pdf_sink *pdf = NULL;
	struct render_sink s;

	out.len = 0;
	assert_int_equal(pdf_sink_new(&conf, &w, &pdf), 0);
	s = pdf_sink_of(pdf);
	p = plain_printer_new(&pc, &s);
	assert_int_equal(plain_print(p, in, strlen(in)), 0);
	assert_int_equal(plain_print_end(p), 0);
	assert_int_equal(pdf_sink_stats(pdf)->pages, pages);
	plain_printer_free(p);
	pdf_sink_free(pdf);
}

static void a_document(void **state UNUSED)
{
	static char first[PAPER_MAX];
	size_t len;

	conf.title = "invoice \xe2\x82\xac";
	make("hello\n", 1);
	assert_memory_equal(out.text, "%PDF-1.", 7);
	assert_non_null(memmem(out.text, out.len, "%%EOF", 5));
	assert_non_null(memmem(out.text, out.len, "(invoice ", 9));
	len = out.len;
	memcpy(first, out.text, len);
	make("hello\n", 1); /* does not depend on the clock */
	assert_int_equal(out.len, len);
	assert_memory_equal(out.text, first, len);
}

static void pages(void **state UNUSED)
{
	make("a\fb\n\fc\n", 3);
	make("a\n\f", 1);
	make("\fa\n", 2);
	make(nothing, 0);
	assert_int_equal(out.len, 0);
	conf.lines = 2;
	make("a\nb\nc\nd\n", 2);
	make("a\nb\n\fc\n", 3); /* plain feeds at the page's end, then \f */
}

static void paper_sizes(void **state UNUSED)
{
	for (unsigned i = PDF_A4; i <= PDF_FANFOLD; i++) {
		conf.paper = (enum pdf_paper)i;
		conf.landscape = i & 1;
		make("hello _\b_\n", 1);
	}
}

static void refuses(void **state UNUSED)
{
	struct render_writer w = {paper_write, &out};
	struct pdf_sink *pdf;

	conf.paper = (enum pdf_paper)77;
	assert_int_equal(pdf_sink_new(&conf, &w, &pdf), -EINVAL);
	conf.paper = PDF_A4;
	conf.font_file = "/no/such/font.ttf";
	assert_int_equal(pdf_sink_new(&conf, &w, &pdf), -ENOENT);
}

static void a_full_disk(void **state UNUSED)
{
	struct render_writer w = {paper_write, &out};
	struct plain_conf pc = {0};
	struct plain_printer *p;
	struct pdf_sink *pdf = NULL;
	struct render_sink s;

	out.len = 0;
	out.fail_after = 1;
	assert_int_equal(pdf_sink_new(&conf, &w, &pdf), 0);
	s = pdf_sink_of(pdf);
	p = plain_printer_new(&pc, &s);
	assert_int_equal(plain_print(p, "a\n", 2), 0);
	assert_int_equal(plain_print_end(p), -ENOSPC);
	plain_printer_free(p);
	pdf_sink_free(pdf);
	out.fail_after = 0;
}

static void too_many_pages(void **state UNUSED)
{
	struct render_writer w = {paper_write, &out};
	struct plain_conf pc = {0};
	struct plain_printer *p;
	struct pdf_sink *pdf = NULL;
	struct render_sink s;
	int r = 0;

	assert_int_equal(pdf_sink_new(&conf, &w, &pdf), 0);
	s = pdf_sink_of(pdf);
	p = plain_printer_new(&pc, &s);
	for (unsigned i = 0; i <= PDF_PAGES_MAX && !r; i++)
		r = plain_print(p, "\f", 1);
	assert_int_equal(r, -EFBIG);
	plain_printer_free(p);
	pdf_sink_free(pdf);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(a_document, setup),
	cmocka_unit_test_setup(pages, setup),
	cmocka_unit_test_setup(paper_sizes, setup),
	cmocka_unit_test_setup(refuses, setup),
	cmocka_unit_test_setup(a_full_disk, setup),
	cmocka_unit_test_setup(too_many_pages, setup),
};

UNIT_MAIN(tests)
