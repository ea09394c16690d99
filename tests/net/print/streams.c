/*
 * streams: the rooms of printd/render as a filter, for tests.
 *
 *   streams encode-scs PAGE [mpp=N mpl=N lm=N rm=N tm=N bm=N] < utf8 > scs
 *   streams encode-lu3 PAGE [width=N] [buffer=N] < utf8 > records, each with
 *                                      its length in 4 bytes before it
 *   streams scs PAGE [pr3287] [OUTPUT...] < scs > text
 *   streams lu3 PAGE [pr3287] [OUTPUT...] < records > text
 *   streams plain [asa] [width=N] [lines=N] [OUTPUT...] < utf8 > text
 *     OUTPUT: pdf out=PAGE crlf trailing overstrike=flatten|last|cr|bs
 *
 * The counts of substituted and unknown go to stderr as "substituted N
 * unknown N".
 */
#include "render/lu3.h"
#include "render/pdf.h"
#include "render/plain.h"
#include "render/scs.h"
#include "render/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 1000u /* odd sizes find what a cut breaks */

struct job {
	struct codepage *page, *out;
	struct scs_format format;
	struct text_conf text;
	struct render_sink sink;
	struct text_sink text_sink;
	struct pdf_sink *pdf_sink;
	bool pr3287, pdf, asa;
	unsigned width, buffer, lines;
};

static void die(const char *what, int r)
{
	fprintf(stderr, "streams: %s: %s\n", what, strerror(r < 0 ? -r : r));
	exit(2);
}

static int to_stdout(void *arg, const void *data, size_t len)
{
	(void)arg;
	return fwrite(data, 1, len, stdout) == len ? 0 : -EIO;
}

static const struct render_writer writer = {to_stdout, NULL};

static void report(const struct render_stats *s, uint64_t sink)
{
	fprintf(stderr,
		"substituted %" PRIu64 " unknown %" PRIu64 " pages %" PRIu64
		"\n",
		s->substituted + sink, s->unknown, s->pages);
}

static bool number(const char *word, const char *name, unsigned *ret)
{
	size_t n = strlen(name);

	if (strncmp(word, name, n) || word[n] != '=')
		return false;
	*ret = (unsigned)strtoul(word + n + 1, NULL, 10);
	return true;
}

static bool format_word(struct scs_format *f, const char *word)
{
	const struct {
		const char *name;
		uint8_t *to;
	} fields[] = {{"mpp", &f->mpp}, {"lm", &f->lm}, {"rm", &f->rm},
		      {"mpl", &f->mpl}, {"tm", &f->tm}, {"bm", &f->bm}};
	unsigned v;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (number(word, fields[i].name, &v)) {
			*fields[i].to = (uint8_t)v;
			return true;
		}
	return false;
}

static void overstrike_word(struct text_conf *t, const char *how)
{
	static const char *const hows[] = {"flatten", "last", "cr", "bs"};

	for (unsigned i = 0; i < ARRAY_SIZE(hows); i++)
		if (!strcmp(how, hows[i]))
			t->overstrike = (enum text_overstrike)i;
}

static void word(struct job *j, const char *w)
{
	int r;

	if (!strcmp(w, "pr3287"))
		j->pr3287 = true;
	else if (!strcmp(w, "pdf"))
		j->pdf = true;
	else if (!strcmp(w, "asa"))
		j->asa = true;
	else if (!strcmp(w, "crlf"))
		j->text.crlf = true;
	else if (!strcmp(w, "trailing"))
		j->text.keep_trailing = true;
	else if (!strncmp(w, "overstrike=", 11))
		overstrike_word(&j->text, w + 11);
	else if (!strncmp(w, "out=", 4)) {
		r = codepage_new(w + 4, NULL, &j->out);
		if (r)
			die(w, r);
		j->text.page = j->out;
	} else if (!format_word(&j->format, w) &&
		   !number(w, "width", &j->width) &&
		   !number(w, "buffer", &j->buffer) &&
		   !number(w, "lines", &j->lines))
		die(w, EINVAL);
}

static void open_sink(struct job *j)
{
	struct pdf_conf pdf = {.landscape = true, .title = "streams"};
	int r;

	if (!j->pdf) {
		text_sink_init(&j->text_sink, &j->text, &writer);
		j->sink = text_sink_of(&j->text_sink);
		return;
	}
	r = pdf_sink_new(&pdf, &writer, &j->pdf_sink);
	if (r)
		die("pdf", r);
	j->sink = pdf_sink_of(j->pdf_sink);
}

static void encode_scs(struct job *j)
{
	uint8_t in[CHUNK], out[3 * CHUNK];
	struct scs_encoder e;
	size_t n;

	scs_encoder_init(&e, j->page, &j->format, 0);
	fwrite(out, 1, scs_encode_start(&e, out), stdout);
	while ((n = fread(in, 1, sizeof(in), stdin)) > 0) {
		size_t done = 0, used;

		while (done < n || e.blanks) {
			size_t k = scs_encode(&e, in + done, n - done, &used,
					      out, sizeof(out));

			fwrite(out, 1, k, stdout);
			done += used;
		}
	}
	fwrite(out, 1, scs_encode_end(&e, out), stdout);
	report(&e.stats, 0);
}

static void put_record(const uint8_t *p, size_t len)
{
	uint8_t head[4] = {0, 0, (uint8_t)(len >> 8), (uint8_t)len};

	fwrite(head, 1, sizeof(head), stdout);
	fwrite(p, 1, len, stdout);
}

static void encode_lu3(struct job *j)
{
	uint8_t in[CHUNK], out[LU3_BUFFER_MAX + 3];
	struct lu3_encoder e;
	size_t n, fill = 0;

	lu3_encoder_init(&e, j->page, j->width, j->buffer, 0);
	do {
		size_t done = 0, used, k;

		n = fread(in, 1, sizeof(in), stdin);
		do {
			k = lu3_encode(&e, in + done, n - done, n == 0, &used,
				       out, sizeof(out), &fill);
			if (k)
				put_record(out, k);
			done += used;
		} while (k || done < n);
	} while (n > 0);
	report(&e.stats, 0);
}

static void print_scs(struct job *j)
{
	struct scs_conf c = {.page = j->page,
			     .format = j->format,
			     .profile = j->pr3287 ? SCS_PROFILE_PR3287
						  : SCS_PROFILE_IBM};
	struct scs_printer *p = scs_printer_new(&c, &j->sink);
	uint8_t in[CHUNK];
	size_t n;
	int r = 0;

	if (!p)
		die("scs", ENOMEM);
	while (!r && (n = fread(in, 1, sizeof(in), stdin)) > 0)
		r = scs_print(p, in, n);
	if (!r)
		r = scs_print_end(p);
	if (r)
		die("scs", r);
	report(scs_printer_stats(p), j->text_sink.stats.substituted);
	scs_printer_free(p);
}

static size_t get_record(uint8_t *p, size_t cap)
{
	uint8_t head[4];
	size_t len;

	if (fread(head, 1, sizeof(head), stdin) != sizeof(head))
		return 0;
	len = (size_t)head[2] << 8 | head[3];
	if (len > cap || fread(p, 1, len, stdin) != len)
		die("record", EBADMSG);
	return len;
}

static void print_lu3(struct job *j)
{
	struct lu3_conf c = {.page = j->page,
			     .buffer = (uint16_t)j->buffer,
			     .width = (uint8_t)j->width,
			     .profile = j->pr3287 ? LU3_PROFILE_PR3287
						  : LU3_PROFILE_IBM};
	struct lu3_printer *p = lu3_printer_new(&c, &j->sink);
	static uint8_t in[65536];
	enum lu3_verdict v;
	size_t n;
	int r = 0;

	if (!p)
		die("lu3", ENOMEM);
	while (!r && (n = get_record(in, sizeof(in))) > 0) {
		size_t half = n / 2;

		r = lu3_print(p, in, half, true, false, &v);
		if (!r)
			r = lu3_print(p, in + half, n - half, false, true, &v);
		if (v != LU3_OK)
			fprintf(stderr, "verdict %d\n", (int)v);
	}
	if (!r)
		r = lu3_print_end(p);
	if (r)
		die("lu3", r);
	report(lu3_printer_stats(p), j->text_sink.stats.substituted);
	lu3_printer_free(p);
}

static void print_plain(struct job *j)
{
	struct plain_conf c = {.asa = j->asa,
			       .width = (uint8_t)j->width,
			       .lines = (uint8_t)j->lines,
			       .page = j->page};
	struct plain_printer *p = plain_printer_new(&c, &j->sink);
	uint8_t in[CHUNK];
	size_t n;
	int r = 0;

	if (!p)
		die("plain", ENOMEM);
	while (!r && (n = fread(in, 1, sizeof(in), stdin)) > 0)
		r = plain_print(p, in, n);
	if (!r)
		r = plain_print_end(p);
	if (r)
		die("plain", r);
	report(plain_printer_stats(p), j->text_sink.stats.substituted);
	plain_printer_free(p);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(struct job *j);
	} tasks[] = {{"encode-scs", encode_scs},
		     {"encode-lu3", encode_lu3},
		     {"scs", print_scs},
		     {"lu3", print_lu3},
		     {"plain", print_plain}};
	struct job *j = calloc(1, sizeof(*j));
	int r;

	if (!j || argc < 3)
		die("usage", EINVAL);
	r = codepage_new(argv[2], NULL, &j->page);
	if (r)
		die(argv[2], r);
	for (int i = 3; i < argc; i++)
		word(j, argv[i]);
	open_sink(j);
	for (size_t i = 0; i < ARRAY_SIZE(tasks); i++)
		if (!strcmp(argv[1], tasks[i].name)) {
			tasks[i].run(j);
			pdf_sink_free(j->pdf_sink);
			codepage_free(j->page);
			codepage_free(j->out);
			free(j);
			return fflush(stdout) ? 1 : 0;
		}
	die(argv[1], EINVAL);
	return 2;
}
