/*
 * fuzz_pjl.c: what a printer on port 9100 sends back. The same bytes go to
 * two parsers, whole and in pieces: same events. And to the machine of a
 * job, which must end in exactly one way.
 */
#include "pjl/pjl.h"
#include "pjl/raw.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static uint32_t parse(const uint8_t *data, size_t len, size_t chunk)
{
	struct pjl p = {0};
	struct pjl_event ev;
	uint32_t sum = 0;
	size_t at = 0;

	while (at < len) {
		size_t used =
			pjl_input(&p, data + at, MIN(chunk, len - at), &ev);

		check(used > 0);
		at += used;
		if (ev.kind == PJL_EV_NONE)
			continue;
		sum = sum * 31 + (uint32_t)ev.kind * 7 + ev.code + ev.pages +
		      (uint32_t)ev.condition;
		check(strlen(ev.name) <= PJL_NAME_MAX);
		check(strlen(ev.display) < PJL_LINE_MAX);
		for (const char *c = ev.display; *c; c++)
			check(*c >= ' ' && *c < 0x7f);
	}
	return sum;
}

static void job(const uint8_t *data, size_t len)
{
	struct raw_conf conf = {.pjl = true};
	struct raw_event ev;
	struct raw r;
	size_t at = 0;
	unsigned ends = 0;

	raw_init(&r, &conf, "J", (mono_t){1});
	raw_connected(&r, 0, &ev, (mono_t){1});
	raw_progress(&r, 5, &ev, (mono_t){1});
	raw_shut(&r, (mono_t){1});
	while (at < len) {
		at += raw_input(&r, data + at, len - at, &ev, (mono_t){1});
		ends += ev.kind == RAW_EV_DONE || ev.kind == RAW_EV_FAILED;
	}
	raw_closed(&r, 0, &ev);
	ends += ev.kind == RAW_EV_DONE || ev.kind == RAW_EV_FAILED;
	check(ends == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 1)
		return 0;
	check(parse(data + 1, len - 1, len) ==
	      parse(data + 1, len - 1, 1u + data[0] % 9u));
	job(data + 1, len - 1);
	return 0;
}
