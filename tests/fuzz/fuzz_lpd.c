/*
 * fuzz_lpd.c: the LPD receiver. Byte 0: configuration and how the caller
 * answers; the rest is what a client sends, in pieces, then it closes.
 * Checked: all bytes are used, every byte of a file comes once and in a
 * limit, a job names only files that came, the end is told once. The LPR
 * sender hears the same bytes as a daemon's.
 */
#include "lpr/lpd.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok)
{
	if (!ok)
		abort();
}

struct world {
	struct lpd *d;
	uint64_t have;
	uint64_t taken, size;
	bool closed;
	uint8_t how;
	uint32_t n;
};

static void on_job(struct world *w, const struct lpd_job *j)
{
	check(j->prints > 0 && j->prints <= LPD_PRINTS_MAX);
	for (unsigned i = 0; i < j->prints; i++) {
		check(j->print[i].file < LPD_FILES_MAX);
		check(w->have >> j->print[i].file & 1);
	}
	w->have = 0;
}

static void on_event(struct world *w, const struct lpd_event *ev)
{
	check(!w->closed || ev->kind == LPD_EV_NONE);
	switch (ev->kind) {
	case LPD_EV_QUEUE:
		check(strlen(ev->queue) <= LPR_QUEUE_MAX && *ev->queue);
		break;
	case LPD_EV_FILE:
		check(ev->file < LPD_FILES_MAX);
		check(!(w->have >> ev->file & 1));
		w->taken = 0;
		w->size = ev->size;
		break;
	case LPD_EV_DATA:
		w->taken += ev->len;
		check(ev->len > 0 && w->taken <= 500);
		break;
	case LPD_EV_FILE_END:
		check(w->size == LPD_SIZE_UNKNOWN || w->taken == w->size);
		w->have |= 1ull << ev->file;
		break;
	case LPD_EV_JOB:
		on_job(w, ev->job);
		break;
	case LPD_EV_ABORT:
		w->have = 0;
		break;
	case LPD_EV_CLOSE:
		w->closed = true;
		break;
	case LPD_EV_NONE:
	case LPD_EV_PRINT:
	case LPD_EV_STATUS:
	case LPD_EV_REMOVE:
		break;
	}
	if (lpd_asks(w->d))
		lpd_answer(w->d, w->how & 2 && ++w->n % 5 == 0, (mono_t){9});
}

static void hear_as_lpr(const uint8_t *data, size_t len)
{
	struct lpr_job job = {.queue = "q",
			      .host = "h",
			      .user = "u",
			      .format = 'l',
			      .copies = 1,
			      .size = 3};
	const char *what;
	uint8_t buf[64];
	struct lpr l;

	check(lpr_init(&l, &job, &what, (mono_t){1}) == 0);
	for (size_t i = 0; i < len && i < 300; i++) {
		lpr_output(&l, buf, sizeof(buf), (mono_t){1});
		lpr_sent(&l, MIN(lpr_data_left(&l), 2u), (mono_t){1});
		lpr_input(&l, data + i, 1, (mono_t){1});
	}
	check(strlen(l.text) <= LPR_NAK_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct lpd_conf conf = {.size_max = 500};
	struct world w = {0};
	struct lpd_event ev;
	uint8_t out[4];
	size_t at = 1;

	if (len < 1)
		return 0;
	hear_as_lpr(data, len);
	w.how = data[0];
	conf.until_close = data[0] & 1;
	w.d = lpd_new(&conf, (mono_t){1});
	check(w.d != NULL);
	do {
		size_t n = MIN(len - at, 1u + data[0] / 8u), used;

		used = lpd_input(w.d, data + at, n, &ev, (mono_t){1});
		check(used <= n);
		at += used;
		on_event(&w, &ev);
		lpd_output(w.d, out, sizeof(out));
	} while (at < len || ev.kind != LPD_EV_NONE);
	for (int i = 0; i < 6; i++) {
		lpd_eof(w.d, &ev);
		on_event(&w, &ev);
	}
	check(w.closed && mono_is_never(lpd_deadline(w.d)));
	lpd_free(w.d);
	return 0;
}
