/*
 * deck.h: what a printd deck says, as one value. The deck reader of common/
 * turns text into commands; deck*.c turn commands into this and print it back
 * in canonical form. Pure besides reading the deck through the reader.
 *
 * A password that stands in the deck itself is in the value and nowhere else:
 * notes, logs and the canonical deck show stars.
 */
#ifndef COUPLET_PRINTD_DECK_H
#define COUPLET_PRINTD_DECK_H

#include "base/base.h"

#include <stdio.h>

struct deck_report;  /* deck/deck.h */
struct tls_settings; /* tlsdeck/tlsdeck.h */

#define LU_NAME_MAX 8 /* bytes of a LU or application name, as VTAM has it */
#define LU_HOST_MAX 255
#define LU_TEXT_MAX 255
#define DECK_LUS_MAX 20000
#define DECK_OPENS_MAX 16
#define DECK_APPLS_MAX 64
#define DECK_TERMINALS_MAX 2000
#define DECK_ACQUIRES_MAX 256
#define DECK_TITLE_MAX 80
#define DECK_PATH_LEN 255
#define DECK_PAGE_MAX 24 /* of a code page name; spool/spool.h has the same */
#define PASSWORD_MASK "********"

enum lu_kind {
	LU_PRINTER, /* a TN3270E or TN3270 client connects to us */
	LU_DIRECT,  /* raw bytes to a printer's port, usually 9100 */
	LU_LPR,     /* RFC 1179 */
	LU_FTP,     /* active mode */
	LU_FTPP,    /* passive mode */
	LU_IPP,
	LU_FILE, /* a file for each job */
	LU_PDF,  /* a PDF file for each job */
	LU_KINDS
};

enum lu_format { LU_FORMAT_TEXT, LU_FORMAT_PDF };
enum lu_eol { LU_EOL_LF, LU_EOL_CRLF };
enum lu_order { LU_ORDER_CONTROL, LU_ORDER_DATA };
enum lu_source { LU_SOURCE_ANY, LU_SOURCE_RESERVED };
enum lu_confirm { LU_CONFIRM_EOJ, LU_CONFIRM_DATA };
enum lu_paper {
	LU_PAPER_A4,
	LU_PAPER_LETTER,
	LU_PAPER_A3,
	LU_PAPER_LEGAL,
	LU_PAPER_FANFOLD
};

/* What LU name WORD value... sets; times in nanoseconds, 0 = never or none
 * where printd.deck(5) says so. */
struct lu_opt {
	char codepage[DECK_PAGE_MAX + 1]; /* "" = SBCS of the deck */
	char outpage[DECK_PAGE_MAX + 1];  /* of printer bytes */
	uint32_t columns, lines;
	unsigned eol, format, paper; /* enum lu_eol, ... */
	bool feed, landscape, separator, hold, pjl, banner, generic, scs;
	bool weak_proof; /* DIRECT: done when all bytes are acknowledged */
	char setup[LU_TEXT_MAX + 1], teardown[LU_TEXT_MAX + 1];
	char language[16];
	char name[64]; /* pattern of file names */
	int64_t retry_ns, connect_ns, stall_ns, giveup_ns, drain_ns;
	int64_t retain_ns, keepalive_ns, response_ns;
	uint32_t attempts; /* 0 = without end */
	uint32_t max_jobs;
	uint64_t max_bytes, max_job_bytes;
	unsigned order, source, confirm;
	char lpformat[2];
	char terminal[LU_NAME_MAX + 1];
	char backup[LU_NAME_MAX + 1];
};

struct printd_lu {
	char name[LU_NAME_MAX + 1];
	char applid[LU_NAME_MAX + 1];
	enum lu_kind kind;
	char host[LU_HOST_MAX + 1]; /* address or name */
	uint16_t port;
	char queue[128];                /* LPR */
	char user[64];                  /* FTP, FTPP */
	char password[128];             /* FTP, FTPP; "" when secret is given */
	char secret[DECK_PATH_LEN + 1]; /* file that holds the password */
	char target[DECK_PATH_LEN + 1]; /* FILE, PDF: folder; IPP: URI */
	struct lu_opt opt;
	const char *file; /* of its command, for notes; only while reading */
	uint32_t line;
};

/* How TLS begins on a TN3270 connection. */
enum deck_tls {
	DECK_TLS_NONE,
	DECK_TLS_OFFER,   /* STARTTLS: if the other side wants */
	DECK_TLS_REQUIRE, /* STARTTLS REQUIRED */
	DECK_TLS_FIRST,   /* TLS: with the first byte */
};

/* OPEN host port [how], LPD host port */
struct deck_open {
	char host[LU_HOST_MAX + 1];
	uint16_t port;
	enum deck_tls tls;
	uint32_t settings; /* of TLS: number in printd_deck.tls */
};

struct deck_appl { /* APPLID name text */
	char name[LU_NAME_MAX + 1];
	char text[DECK_TITLE_MAX + 1];
};

struct deck_acquire { /* ACQUIRE lu host port [name [how]] */
	char lu[LU_NAME_MAX + 1];
	char host[LU_HOST_MAX + 1];
	uint16_t port;
	char name[LU_NAME_MAX + 1]; /* LU asked for, "" = any */
	enum deck_tls tls;
	uint32_t settings; /* as of deck_open */
};

struct deck_alias { /* SBCS name page */
	char name[DECK_PAGE_MAX + 1];
	char page[DECK_PAGE_MAX + 1];
};
#define DECK_ALIASES_MAX 32

struct printd_deck {
	char id[3]; /* two digits, or "*" = the kernel's sockets */
	char job[16];
	char title[DECK_TITLE_MAX + 1];
	char sbcs[DECK_PAGE_MAX + 1]; /* page of data streams without another */
	struct deck_alias aliases[DECK_ALIASES_MAX];
	uint32_t n_aliases;
	struct deck_open opens[DECK_OPENS_MAX], lpds[DECK_OPENS_MAX];
	uint32_t n_opens, n_lpds;
	struct deck_appl appls[DECK_APPLS_MAX];
	uint32_t n_appls;
	char (*terminals)[LU_NAME_MAX + 1]; /* kept, not served */
	uint32_t n_terminals;
	struct printd_lu *lus;
	uint32_t n_lus, cap_lus;
	uint32_t *index;        /* hash of names: number of a LU + 1 */
	struct lu_opt defaults; /* LU * ...: for the LUs after it */
	struct deck_acquire acquires[DECK_ACQUIRES_MAX];
	uint32_t n_acquires;
	/* what was in force at OPEN and ACQUIRE commands with TLS, each once
	 * in a row */
	struct tls_settings *tls;
	uint32_t n_tls;
	char spool[DECK_PATH_LEN + 1]; /* "" = the usual place */
	char metrics[108];             /* "" = none */
	char alert[DECK_PATH_LEN + 1];
	bool submit_group; /* SUBMIT GROUP: only our group may print */
	uint32_t max_clients, max_jobs, max_drafts;
	uint64_t max_bytes;
	bool attached;
};

/* ---- a whole deck -----------------------------------------------------------
 */

/* Reads and checks the deck `path` (couplet-deck(5), printd.deck(5)). Every
 * mistake becomes a note in `report`, which the caller has initialised. 0;
 * -EINVAL: the deck holds errors; -ENOMEM; or the error of opening it. On
 * failure *ret is empty. printd_deck_free() is allowed in any case. */
int printd_deck_read(const char *path, struct printd_deck *ret,
		     struct deck_report *report) MUST_USE;
/* The same from memory; `name` stands for the file in notes. */
int printd_deck_parse(const char *name, const char *text, size_t len,
		      struct printd_deck *ret,
		      struct deck_report *report) MUST_USE;
/* Wipes passwords too. */
void printd_deck_free(struct printd_deck *d);
/* The deck in canonical form. Reading it gives the same values again, but for
 * passwords that the deck held itself: they are stars. */
void printd_deck_print(const struct printd_deck *d, FILE *out);
/* Names the first value that differs (passwords aside), or NULL. */
const char *printd_deck_differs(const struct printd_deck *a,
				const struct printd_deck *b);
/* The same of two LUs. */
const char *printd_lu_differs(const struct printd_lu *a,
			      const struct printd_lu *b);
/* Are these two the same but for the settings of TLS? */
bool printd_deck_same_acquire(const struct deck_acquire *a,
			      const struct deck_acquire *b);
/* By name, either case; NULL: none. */
const struct printd_lu *printd_deck_lu(const struct printd_deck *d,
				       const char *name);
/* Page that the deck means by `name`: what SBCS said, or the name itself. */
const char *printd_deck_page(const struct printd_deck *d, const char *name);
/* "PRINTER", "DIRECT"... */
const char *lu_kind_name(enum lu_kind k);

#endif
