/*
 * fuzz_scs.c: the SCS interpreter and encoder. Byte 0: profile, sink,
 * overstrike; byte 1: where the input is cut. The stream is printed once in
 * pieces and once whole: both must give the same text. Then the input is
 * encoded as UTF-8, and what comes out must be understood without a fault.
 */
#include "render/scs.h"
#include "render/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define OUT_MAX (1u << 22)

struct out {
	size_t len;
	uint32_t sum; /* of all bytes, in order */
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
	return o->len > OUT_MAX ? -1 : 0; /* a page eject is 255 lines */
}

static struct out print(const uint8_t *data, size_t len, uint8_t how,
			size_t chunk, enum scs_verdict *ret)
{
	struct scs_conf c = {.page = page,
			     .profile = how & 1 ? SCS_PROFILE_PR3287
						: SCS_PROFILE_IBM,
			     .nul_blank = how & 2,
			     .channel = {1, how}};
	struct text_conf t = {.overstrike =
				      (enum text_overstrike)(how >> 2 & 3),
			      .keep_trailing = how & 16,
			      .feed_lines = how & 32,
			      .page_lines = 66};
	struct out o = {0};
	struct render_writer w = {take, &o};
	struct text_sink sink;
	struct render_sink s;
	struct scs_printer *p;

	text_sink_init(&sink, &t, &w);
	s = text_sink_of(&sink);
	p = scs_printer_new(&c, &s);
	check(p != NULL);
	for (size_t i = 0; i < len; i += chunk)
		if (scs_print(p, data + i, MIN(chunk, len - i)))
			break;
	(void)!scs_print_end(p);
	*ret = scs_printer_verdict(p);
	scs_printer_free(p);
	return o;
}

static void encode(const uint8_t *data, size_t len, uint8_t how)
{
	static uint8_t scs[1u << 20];
	struct scs_format f = {.mpp = how, .htabs = 1, .htab = {9}};
	struct scs_encoder e;
	enum scs_verdict v;
	size_t n, done = 0, used;

	len = MIN(len, 20000u);
	scs_encoder_init(&e, page, how & 1 ? &f : NULL, 0);
	n = scs_encode_start(&e, scs);
	do {
		n += scs_encode(&e, data + done, len - done, &used, scs + n,
				SCS_CHAR_MAX + how);
		check(n < sizeof(scs) - 1000);
		done += used;
	} while (done < len || e.blanks);
	n += scs_encode_end(&e, scs + n);
	print(scs, n, 0, 1000, &v);
	check(v == SCS_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	enum scs_verdict v1, v2;
	struct out a, b;

	if (len < 2)
		return 0;
	a = print(data + 2, len - 2, data[0], 1u + data[1] % 50u, &v1);
	b = print(data + 2, len - 2, data[0], len, &v2);
	check(a.len == b.len && a.sum == b.sum && v1 == v2);
	encode(data + 2, len - 2, data[0]);
	return 0;
}
