/*
 * pjl.h: Hewlett-Packard's Printer Job Language, as much of it as tells what
 * a printer on port 9100 does: job brackets around data, unsolicited status
 * on, status queries, and a parser of what comes back. Pure.
 *
 * Printers without PJL print such lines, so it is on per printer only.
 */
#ifndef COUPLET_PJL_PJL_H
#define COUPLET_PJL_PJL_H

#include "base/base.h"

#define PJL_NAME_MAX 80u  /* of a job [PJL JOB NAME] */
#define PJL_LINE_MAX 256u /* of an answer; longer lines are cut */
#define PJL_BRACKET_MAX 512u

/* Before the data: UEL, JOB NAME, USTATUS DEVICE/JOB/PAGE ON, ENTER
 * LANGUAGE (`language` "PCL", "POSTSCRIPT", ... or NULL). Quotes and
 * controls in `name` become '_'. out[PJL_BRACKET_MAX]; returns bytes. */
size_t pjl_job_start(const char *name, const char *language, uint8_t *out);

/* After the data: UEL, EOJ NAME, UEL. */
size_t pjl_job_end(const char *name, uint8_t *out);

/* A question outside a job: INFO STATUS and INFO PAGECOUNT. */
size_t pjl_query(uint8_t *out);

/* What a status code says of the printer [PJL status readback codes]. */
enum pjl_condition {
	PJL_UNKNOWN = 0,
	PJL_READY,    /* 10000..10013, 10023: ready, warming, busy, sleep */
	PJL_OFFLINE,  /* ONLINE=FALSE, or 40000 without another reason */
	PJL_PAPER,    /* out of paper, jam, wrong media, 41xxx 42xxx 44xxx */
	PJL_OPERATOR, /* 30xxx 40xxx: cover, toner, press a key */
	PJL_FAULT,    /* 50xxx: hardware */
};

enum pjl_event_kind {
	PJL_EV_NONE = 0,
	PJL_EV_DEVICE, /* `condition`, `code`, `display`, `online` */
	PJL_EV_START,  /* the printer began job `name` */
	PJL_EV_PAGE,   /* `pages` of the current job are delivered */
	PJL_EV_END,    /* job `name` is over: `pages`, `cancelled` */
	PJL_EV_COUNT,  /* INFO PAGECOUNT: `pages` in its life */
};

struct pjl_event {
	enum pjl_event_kind kind;
	enum pjl_condition condition;
	unsigned code;
	bool online, cancelled;
	bool has_pages;
	uint32_t pages;
	char name[PJL_NAME_MAX + 1];
	char display[PJL_LINE_MAX]; /* the panel's words, printable */
};

/* Parser; zero it. A block ends with FF, a line with LF or CR LF. */
struct pjl {
	uint8_t block; /* what the current block is */
	uint16_t len;
	struct pjl_event ev;
	uint64_t nonsense; /* lines that are no PJL */
	char line[PJL_LINE_MAX];
};

/* Bytes of the printer; returns how many were used, one event at a time;
 * call until PJL_EV_NONE with all used. Never fails: what is no PJL is
 * counted and skipped. */
size_t pjl_input(struct pjl *p, const void *data, size_t len,
		 struct pjl_event *ret_ev);

/* What a code says. */
enum pjl_condition pjl_condition_of(unsigned code);

/* "ready", "off line", "paper", ... */
const char *pjl_condition_name(enum pjl_condition c);

#endif
