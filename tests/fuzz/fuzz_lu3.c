/*
 * fuzz_lu3.c: the LU3 interpreter and encoder. Byte 0: profile and buffer;
 * the rest are records, each with its length in one byte before it. Each is
 * given whole and in pieces to two printers: same text, same verdict. Then
 * the input is encoded as UTF-8: each record must be accepted.
 */
#include "render/lu3.h"
#include "render/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define OUT_MAX (1u << 22)

struct out {
	size_t len;
	uint32_t sum;
	struct text_conf conf;
	struct text_sink sink;
	struct lu3_printer *p;
};

static struct codepage *page;

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	return codepage_new("IBM-939", NULL, &page);
}

static int take(void *arg, const void *data, size_t len)
{
	const uint8_t *p = data;
	struct out *o = arg;

	for (size_t i = 0; i < len; i++)
		o->sum = o->sum * 31 + p[i];
	o->len += len;
	return o->len > OUT_MAX ? -1 : 0;
}

static void open_printer(struct out *o, uint8_t how)
{
	static const uint16_t sizes[] = {80, 480, 1920, 16384};
	struct lu3_conf c = {.page = page,
			     .buffer = sizes[how >> 1 & 3],
			     .width = how & 8 ? 7 : 0,
			     .blank_lines = how & 16,
			     .profile = how & 1 ? LU3_PROFILE_PR3287
						: LU3_PROFILE_IBM};
	struct render_writer w = {take, o};
	struct render_sink s;

	memset(o, 0, sizeof(*o));
	o->conf.keep_trailing = how & 32;
	text_sink_init(&o->sink, &o->conf, &w);
	s = text_sink_of(&o->sink);
	o->p = lu3_printer_new(&c, &s);
	check(o->p != NULL);
}

static enum lu3_verdict record(struct out *o, const uint8_t *p, size_t len,
			       size_t chunk)
{
	enum lu3_verdict v = LU3_OK;
	size_t i = 0;

	do {
		size_t n = MIN(chunk, len - i);

		if (lu3_print(o->p, p + i, n, i == 0, i + n == len, &v))
			return LU3_OK;
		i += n;
	} while (i < len);
	return v;
}

static void close_printer(struct out *o)
{
	(void)!lu3_print_end(o->p);
	lu3_printer_free(o->p);
}

static void encode(const uint8_t *data, size_t len, uint8_t how)
{
	static uint8_t rec[LU3_BUFFER_MAX + 3];
	struct lu3_encoder e;
	struct out o;
	size_t done = 0, fill = 0, used, n;

	open_printer(&o, 6);
	lu3_encoder_init(&e, page, how, how * 8u, 0);
	do {
		n = lu3_encode(&e, data + done, len - done, true, &used, rec,
			       sizeof(rec), &fill);
		done += used;
		check(n <= e.record_max + 3u);
		if (n)
			check(rec[n - 1] == LU3_EM &&
			      record(&o, rec, n, n) == LU3_OK);
	} while (n);
	check(done == len);
	close_printer(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct out a, b;

	if (len < 1)
		return 0;
	open_printer(&a, data[0]);
	open_printer(&b, data[0]);
	for (size_t at = 1; at < len;) {
		size_t n = MIN(len - at - 1, (size_t)data[at]);

		at++;
		check(record(&a, data + at, n, n ? n : 1) ==
		      record(&b, data + at, n, 1u + data[0] % 5u));
		at += n;
	}
	close_printer(&a);
	close_printer(&b);
	check(a.len == b.len && a.sum == b.sum);
	encode(data, len, data[0]);
	return 0;
}
