/* path.c: from the form of a job to what a printer takes. */
#include "source/impl.h"

#include <errno.h>
#include <string.h>

/* ---- encoders: UTF-8 into records
 * ------------------------------------------------ */

/* SCS goes out in records that end with a line where they can. */
static int scs_text(struct source *s, const uint8_t *data, size_t len)
{
	uint8_t rec[SOURCE_SCS_RECORD];

	while (len) {
		size_t used, n, keep;
		int r;

		n = scs_encode(&s->scs_enc, data, len, &used, rec, sizeof rec);
		data += used;
		len -= used;
		keep = n;
		while (len && keep && rec[keep - 1] != SCS_NL)
			keep--;
		if (!keep)
			keep = n;
		r = n ? source_put_record(s, rec, keep) : 0;
		if (r == 0 && n > keep)
			r = source_put_record(s, rec + keep, n - keep);
		if (r < 0)
			return r;
		if (!n && !used)
			return -EIO; /* cannot be: there is room */
	}
	return 0;
}

static int scs_start(struct source *s)
{
	uint8_t buf[SCS_FORMAT_MAX];
	size_t n;

	scs_encoder_init(&s->scs_enc, s->conf.stream_page, &s->scs_format, 0);
	n = scs_encode_start(&s->scs_enc, buf);
	return n ? source_put_record(s, buf, n) : 0;
}

static int scs_stop(struct source *s)
{
	uint8_t buf[SCS_CHAR_MAX];
	size_t n = scs_encode_end(&s->scs_enc, buf);

	s->stats.substituted += s->scs_enc.stats.substituted;
	return n ? source_put_record(s, buf, n) : 0;
}

static int lu3_text(struct source *s, const uint8_t *data, size_t len,
		    bool last)
{
	for (;;) {
		size_t used = 0, n;
		int r;

		n = lu3_encode(&s->lu3_enc, data, len, last, &used,
			       s->lu3_record, sizeof s->lu3_record,
			       &s->lu3_fill);
		data += used;
		len -= used;
		r = n ? source_put_record(s, s->lu3_record, n) : 0;
		if (r < 0 || !n)
			return r;
	}
}

static int encode(struct source *s, const void *data, size_t len)
{
	return s->conf.target == SOURCE_SCS ? scs_text(s, data, len)
					    : lu3_text(s, data, len, false);
}

static int encode_start(struct source *s)
{
	if (s->conf.target == SOURCE_SCS)
		return scs_start(s);
	lu3_encoder_init(&s->lu3_enc, s->conf.stream_page, s->conf.columns, 0,
			 0);
	s->lu3_fill = 0;
	return 0;
}

static int encode_stop(struct source *s)
{
	int r;

	if (s->conf.target == SOURCE_SCS)
		return scs_stop(s);
	r = lu3_text(s, (const uint8_t *)"", 0, true);
	s->stats.substituted += s->lu3_enc.stats.substituted;
	return r;
}

/* Where text of pages goes. */
static int write_text(void *arg, const void *data, size_t len)
{
	struct source *s = arg;

	return s->conf.target == SOURCE_SCS || s->conf.target == SOURCE_LU3
		       ? encode(s, data, len)
		       : source_put(s, data, len);
}

/* ---- the page filter: pages before conf.first_page are left out
 * ------------------- */

static bool shown(const struct source *s)
{
	return s->page >= s->conf.first_page;
}

static int f_line(void *arg, const struct render_line *l)
{
	struct source *s = arg;

	return shown(s) ? s->down.line(s->down.sink, l) : 0;
}

static int f_same(void *arg, const struct render_line *l)
{
	struct source *s = arg;

	return shown(s) ? s->down.same(s->down.sink, l) : 0;
}

static int f_feed(void *arg, unsigned lines)
{
	struct source *s = arg;
	int r = shown(s) ? s->down.feed(s->down.sink, lines) : 0;

	s->page++;
	return r;
}

static int f_raw(void *arg, const uint8_t *data, size_t len)
{
	struct source *s = arg;

	return shown(s) ? s->down.raw(s->down.sink, data, len) : 0;
}

static int f_end(void *arg)
{
	struct source *s = arg;

	return s->down.end(s->down.sink);
}

/* ---- which way
 * ------------------------------------------------------------------- */

static bool is_utf8(const char *name)
{
	return !name[0] || strcmp(name, "UTF-8") == 0;
}

static enum path text_path(const struct source *s)
{
	const struct source_conf *c = &s->conf;
	bool plain = is_utf8(s->job->meta.codepage) && c->first_page <= 1;

	if (!plain || c->target == SOURCE_PDF)
		return PATH_PAGES;
	if (c->target == SOURCE_SCS || c->target == SOURCE_LU3)
		return PATH_TEXT;
	return !c->crlf && !c->out_page ? PATH_AS_IS : PATH_PAGES;
}

/* 0 with s->path, or -ENOTSUP. */
static int choose(struct source *s)
{
	enum source_target t = s->conf.target;
	bool whole = s->conf.first_page <= 1;

	switch (s->job->meta.form) {
	case SPOOL_TEXT:
		s->path = text_path(s);
		return 0;
	case SPOOL_SCS:
		s->path = t == SOURCE_SCS && whole ? PATH_AS_IS : PATH_PAGES;
		return 0;
	case SPOOL_LU3:
		s->path = t == SOURCE_LU3 && whole ? PATH_AS_IS : PATH_PAGES;
		return 0;
	case SPOOL_PDF:
		s->path = PATH_AS_IS;
		return t == SOURCE_BYTES || t == SOURCE_PDF ? 0 : -ENOTSUP;
	case SPOOL_RAW:
		s->path = t == SOURCE_SCS ? PATH_TRN : PATH_AS_IS;
		return t == SOURCE_BYTES || t == SOURCE_SCS ? 0 : -ENOTSUP;
	case SPOOL_FORMS:
		break;
	}
	return -ENOTSUP;
}

/* ---- pages: sink and interpreter
 * --------------------------------------------------- */

static int open_sink(struct source *s)
{
	const struct source_conf *c = &s->conf;
	const struct render_writer w = {write_text, s};
	bool records = c->target == SOURCE_SCS || c->target == SOURCE_LU3;
	int r;

	if (c->target == SOURCE_PDF) {
		const struct pdf_conf pc = {
			.paper = (enum pdf_paper)c->paper,
			.landscape = c->landscape,
			.columns = c->columns,
			.lines = c->lines,
			.title = s->job->meta.title,
		};

		r = pdf_sink_new(&pc, &w, &s->pdf);
		if (r == 0)
			s->down = pdf_sink_of(s->pdf);
		return r;
	}
	s->text_conf = (struct text_conf){
		.page = records ? NULL : c->out_page,
		.overstrike = records ? TEXT_BY_CR : TEXT_FLATTEN,
		.crlf = !records && c->crlf,
		.keep_trailing = s->job->meta.form == SPOOL_TEXT,
		.reject_raw = records,
	};
	text_sink_init(&s->text, &s->text_conf, &w);
	s->down = text_sink_of(&s->text);
	return 0;
}

static int open_interpreter(struct source *s, const struct render_sink *sink)
{
	const struct source_conf *c = &s->conf;

	if (s->job->meta.form == SPOOL_SCS) {
		struct scs_conf sc = {.page = c->stream_page};

		sc.format.mpp = c->columns;
		sc.format.mpl = c->lines;
		s->scs = scs_printer_new(&sc, sink);
		return s->scs ? 0 : -ENOMEM;
	}
	if (s->job->meta.form == SPOOL_LU3) {
		const struct lu3_conf lc = {.page = c->stream_page,
					    .width = c->columns,
					    .buffer = LU3_BUFFER_MAX};

		s->lu3 = lu3_printer_new(&lc, sink);
		return s->lu3 ? 0 : -ENOMEM;
	}
	if (!is_utf8(s->job->meta.codepage)) {
		int r = codepage_new(s->job->meta.codepage, NULL,
				     &s->text_page);

		if (r < 0)
			return r;
	}
	{
		const struct plain_conf pc = {.page = s->text_page,
					      .lines = c->lines,
					      .width = c->columns};

		s->plain = plain_printer_new(&pc, sink);
	}
	return s->plain ? 0 : -ENOMEM;
}

static int open_pages(struct source *s)
{
	const struct render_sink filter = {f_line, f_same, f_feed,
					   f_raw,  f_end,  s};
	int r = open_sink(s);

	s->page = 1;
	return r < 0 ? r : open_interpreter(s, &filter);
}

int path_open(struct source *s)
{
	int r = choose(s);

	s->scs_format = (struct scs_format){
		.mpp = s->conf.columns == 132 ? 0 : s->conf.columns,
		.mpl = s->conf.lines};
	if (r == 0 && s->path == PATH_PAGES)
		r = open_pages(s);
	return r;
}

void path_close(struct source *s)
{
	scs_printer_free(s->scs);
	lu3_printer_free(s->lu3);
	plain_printer_free(s->plain);
	pdf_sink_free(s->pdf);
	codepage_free(s->text_page);
	s->scs = NULL;
	s->lu3 = NULL;
	s->plain = NULL;
	s->pdf = NULL;
	s->text_page = NULL;
}

/* ---- a copy
 * ----------------------------------------------------------------------- */

static bool makes_records(const struct source *s)
{
	return s->conf.target == SOURCE_SCS || s->conf.target == SOURCE_LU3;
}

/* A document that text before or behind it would break. */
static bool is_pdf(const struct source *s)
{
	return s->job->meta.form == SPOOL_PDF;
}

/* A page of its own in front, in the way of what follows it. */
static int separator(struct source *s)
{
	const char *text = s->conf.separator;
	size_t len = text ? strlen(text) : 0;
	int r;

	if (!len || s->copy || s->conf.target == SOURCE_PDF || is_pdf(s))
		return 0;
	if (makes_records(s)) {
		r = encode_start(s);
		if (r == 0)
			r = encode(s, text, len);
		if (r == 0)
			r = encode(s, "\f", 1);
		return r == 0 ? encode_stop(s) : r;
	}
	r = source_put(s, text, len);
	return r == 0 ? source_put(s, "\f", 1) : r;
}

int path_begin(struct source *s)
{
	int r = 0;

	if (s->conf.target == SOURCE_BYTES)
		r = source_put(s, s->conf.setup, s->conf.setup_len);
	if (r == 0)
		r = separator(s);
	if (r == 0 && makes_records(s) &&
	    (s->path == PATH_TEXT || s->path == PATH_PAGES))
		r = encode_start(s);
	if (r == 0 && s->copy && s->path == PATH_PAGES) {
		path_close(s);
		r = open_pages(s);
	}
	return r;
}

static int as_is(struct source *s, const uint8_t *data, size_t len, bool first,
		 bool last)
{
	const uint8_t *p = data, *end = data + len;
	int r;

	if (!makes_records(s)) {
		while ((p = memchr(p, '\f', (size_t)(end - p)))) {
			s->stats.pages++;
			p++;
		}
		s->last = len ? end[-1] : s->last;
		return source_put(s, data, len);
	}
	/* a frame becomes one record; its length is mended at the end */
	if (first) {
		r = source_put_record(s, NULL, 0);
		if (r < 0)
			return r;
		s->record_at = s->out_len - SPOOL_FRAME_HEAD;
		s->record_open = true;
	}
	r = source_put(s, data, len);
	if (r == 0 && last) {
		size_t n = s->out_len - s->record_at - SPOOL_FRAME_HEAD;

		s->record_open = false;
		s->out[s->record_at] = (uint8_t)(n >> 24);
		s->out[s->record_at + 1] = (uint8_t)(n >> 16);
		s->out[s->record_at + 2] = (uint8_t)(n >> 8);
		s->out[s->record_at + 3] = (uint8_t)n;
	}
	return r;
}

static int trn(struct source *s, const uint8_t *data, size_t len)
{
	uint8_t rec[SOURCE_SCS_RECORD];

	while (len) {
		size_t used;
		size_t n = scs_encode_raw(data, len, &used, rec, sizeof rec);
		int r = source_put_record(s, rec, n);

		if (r < 0)
			return r;
		data += used;
		len -= used;
	}
	return 0;
}

int path_feed(struct source *s, const uint8_t *data, size_t len, bool first,
	      bool last)
{
	enum lu3_verdict verdict;

	switch (s->path) {
	case PATH_AS_IS:
		return as_is(s, data, len, first, last);
	case PATH_TRN:
		return trn(s, data, len);
	case PATH_TEXT:
		return encode(s, data, len);
	case PATH_PAGES:
		break;
	}
	if (s->scs)
		return scs_print(s->scs, data, len);
	if (s->lu3)
		return lu3_print(s->lu3, data, len, first, last, &verdict);
	return plain_print(s->plain, data, len);
}

static void add_stats(struct render_stats *sum, const struct render_stats *one)
{
	sum->pages += one->pages;
	sum->lines += one->lines;
	sum->characters += one->characters;
	sum->substituted += one->substituted;
	sum->unknown += one->unknown;
	sum->cut += one->cut;
	sum->transparent += one->transparent;
}

static int end_pages(struct source *s)
{
	const struct render_stats *st = s->scs ? scs_printer_stats(s->scs)
					: s->lu3
						? lu3_printer_stats(s->lu3)
						: plain_printer_stats(s->plain);
	struct render_stats before = *st;
	int r = s->scs   ? scs_print_end(s->scs)
		: s->lu3 ? lu3_print_end(s->lu3)
			 : plain_print_end(s->plain);

	/* the interpreter forgets its counts at the end of a job */
	add_stats(&s->stats, st->pages || st->lines ? st : &before);
	if (!s->pdf)
		s->stats.substituted += s->text.stats.substituted;
	return r;
}

int path_end(struct source *s)
{
	int r = 0;

	if (s->path == PATH_PAGES)
		r = end_pages(s);
	else if (s->job->meta.bytes && s->last != '\f')
		s->stats.pages++;
	if (r == 0 && makes_records(s) &&
	    (s->path == PATH_TEXT || s->path == PATH_PAGES))
		r = encode_stop(s);
	if (r < 0 || s->conf.target != SOURCE_BYTES)
		return r;
	if (s->conf.feed_after && !is_pdf(s) &&
	    (s->path != PATH_AS_IS || s->last != '\f'))
		r = source_put(s, "\f", 1);
	if (r == 0)
		r = source_put(s, s->conf.teardown, s->conf.teardown_len);
	return r;
}
