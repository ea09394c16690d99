/*
 * telnet.h: Telnet as a pure machine: commands, options, subnegotiation,
 * records, and the doubling of IAC. It knows nothing of 3270; a terminal
 * server, a printer server and a client use it alike. It does no I/O, reads
 * no clock and allocates nothing.
 *
 * Model. Bytes of the peer go into telnet_input(), which returns one event
 * at a time: a run of data (borrowed from the input, IAC already undoubled),
 * a command, an end of record, an option that changed, a subnegotiation.
 * Answers to negotiation gather in a small queue; telnet_output() takes them
 * out. Data of our own never enters the machine: telnet_escape() or
 * telnet_escape_iov() double IAC on the way to the socket.
 *
 * Options follow the Q method [RFC1143 7]: a side may ask for the opposite
 * while an answer is outstanding, and no pair of peers can loop. An option
 * that telnet_allow() did not allow is refused without being remembered, so
 * a peer cannot make the machine grow. TIMING-MARK [RFC860] has no state.
 *
 * Limits: TELNET_SB_MAX bytes of one subnegotiation, TELNET_OUT_MAX bytes of
 * answers not yet taken, TELNET_CHANGES_MAX option changes that the peer may
 * ask for. Passing one ends the machine with TELNET_EV_ERROR.
 */
#ifndef COUPLET_TN3270_TELNET_H
#define COUPLET_TN3270_TELNET_H

#include "base/base.h"

#include <sys/uio.h>

/* Commands, the byte after IAC [RFC854] [RFC885]. */
enum telnet_command {
	TELNET_EOR = 239,
	TELNET_SE = 240,
	TELNET_NOP = 241,
	TELNET_DM = 242,
	TELNET_BRK = 243,
	TELNET_IP = 244,
	TELNET_AO = 245,
	TELNET_AYT = 246,
	TELNET_EC = 247,
	TELNET_EL = 248,
	TELNET_GA = 249,
	TELNET_SB = 250,
	TELNET_WILL = 251,
	TELNET_WONT = 252,
	TELNET_DO = 253,
	TELNET_DONT = 254,
	TELNET_IAC = 255,
};

/* Options by number. Those >= TELNET_OPTIONS are always refused. */
enum telnet_option {
	TELNET_OPT_BINARY = 0,       /* [RFC856] */
	TELNET_OPT_ECHO = 1,         /* [RFC857] */
	TELNET_OPT_SGA = 3,          /* [RFC858] */
	TELNET_OPT_STATUS = 5,       /* [RFC859] */
	TELNET_OPT_TIMING_MARK = 6,  /* [RFC860] */
	TELNET_OPT_TTYPE = 24,       /* [RFC1091] */
	TELNET_OPT_EOR = 25,         /* [RFC885] */
	TELNET_OPT_NAWS = 31,        /* [RFC1073] */
	TELNET_OPT_3270_REGIME = 29, /* [RFC1041], always refused */
	TELNET_OPT_NEW_ENVIRON = 39, /* [RFC1572] */
	TELNET_OPT_TN3270E = 40,     /* [RFC2355] */
	TELNET_OPT_START_TLS = 46,   /* draft-altman-telnet-starttls */
};

#define TELNET_OPTIONS 64u       /* options that have a state */
#define TELNET_SB_MAX 512u       /* bytes of one subnegotiation */
#define TELNET_OUT_MAX 1024u     /* bytes of answers not yet taken */
#define TELNET_CHANGES_MAX 1024u /* changes that the peer may ask for */
#define TELNET_TTYPE_MAX 40u     /* longest terminal type [RFC1091] */

/* What telnet_input() found. */
enum telnet_event_kind {
	TELNET_EV_NONE = 0, /* all input used, nothing to tell */
	TELNET_EV_DATA,     /* `data`, `len`: bytes, IAC undoubled */
	TELNET_EV_EOR,      /* end of record */
	TELNET_EV_COMMAND,  /* `command`: NOP DM BRK IP AO AYT EC EL GA */
	TELNET_EV_OPTION,   /* `option` of `ours` is now `on` */
	TELNET_EV_MARK,     /* our DO TIMING-MARK was answered */
	TELNET_EV_SUBNEG,   /* `option`; `data`, `len`: what followed it */
	TELNET_EV_ERROR,    /* `error`; the connection must be closed */
};

/* Why a machine gave up. */
enum telnet_error {
	TELNET_OK = 0,
	TELNET_E_SB_LONG, /* a subnegotiation passed TELNET_SB_MAX */
	TELNET_E_CHANGES, /* more than TELNET_CHANGES_MAX changes asked */
	TELNET_E_OUT,     /* answers are not taken: TELNET_OUT_MAX */
	TELNET_ERRORS,
};

struct telnet_event {
	enum telnet_event_kind kind;
	uint8_t command;
	uint8_t option;
	bool ours; /* OPTION: our side; else the peer's */
	bool on;   /* OPTION: its new state */
	enum telnet_error error;
	const uint8_t *data; /* borrowed: DATA from the input, SUBNEG from
				the machine, until the next call */
	size_t len;
};

/* One connection. Caller's storage; fields are the machine's own. */
struct telnet {
	uint8_t opt[TELNET_OPTIONS]; /* both sides' Q state and permission */
	uint8_t state;               /* where in the byte stream */
	uint8_t verb;                /* WILL WONT DO DONT being read */
	uint8_t error;               /* enum telnet_error, sticky */
	uint16_t sb_len;
	uint16_t out_len;
	uint16_t changes;
	uint16_t marks; /* our TIMING-MARKs not answered yet */
	uint8_t sb[TELNET_SB_MAX];
	uint8_t out[TELNET_OUT_MAX];
};

/* Begins a connection: every option off and refused, both sides NVT. */
void telnet_init(struct telnet *t);

/* From now on agree when the peer wants `option` on: `ours` = its DO, else
 * its WILL. option < TELNET_OPTIONS, not TIMING-MARK. */
void telnet_allow(struct telnet *t, unsigned option, bool ours, bool allowed);

/* Ask the peer for `option` to become `on`: WILL/WONT when `ours`, DO/DONT
 * else. Nothing is sent if it is so already; a request during an
 * outstanding one is queued [RFC1143 7]. Implies telnet_allow() when on. */
void telnet_request(struct telnet *t, unsigned option, bool ours, bool on);

/* Is the option in force? */
bool telnet_on(const struct telnet *t, unsigned option, bool ours);

/* Has the peer not yet answered our request for this option? */
bool telnet_pending(const struct telnet *t, unsigned option, bool ours);

/*
 * Reads up to the next event. Returns how many of the `len` bytes were used
 * and fills *ret_ev; call again with the rest until it is TELNET_EV_NONE,
 * which is only returned when all are used. After TELNET_EV_ERROR every
 * call uses all bytes and returns that error.
 */
size_t telnet_input(struct telnet *t, const void *data, size_t len,
		    struct telnet_event *ret_ev);

/* Moves up to `cap` bytes of answers into `buf`; returns how many. Never
 * cuts inside a command, so 0 with bytes pending means that `cap` is too
 * small (TELNET_OUT_MAX is always enough). */
size_t telnet_output(struct telnet *t, void *buf, size_t cap);

/* Bytes that telnet_output() would return. */
size_t telnet_output_len(const struct telnet *t);

/* Queues IAC command: NOP AO IP BRK AYT DM EC EL GA. */
void telnet_send_command(struct telnet *t, enum telnet_command c);

/* Queues IAC DO TIMING-MARK; the answer, either way, is TELNET_EV_MARK. */
void telnet_send_mark(struct telnet *t);

/* Queues IAC SB option `data` IAC SE, doubling IAC in `data`. */
void telnet_send_sb(struct telnet *t, unsigned option, const void *data,
		    size_t len);

/* Queues a short record: `data`, IAC doubled, IAC EOR. Its first byte is not
 * IAC, 2 * len + 2 <= TELNET_SB_MAX. */
void telnet_send_record(struct telnet *t, const void *data, size_t len);

/* Copies `len` bytes with IAC doubled into `out`, which holds 2 * len.
 * Returns the bytes written. */
size_t telnet_escape(void *out, const void *data, size_t len);

/*
 * The same without a copy: fills iov[0..max) with pieces of `data`; where a
 * byte is doubled, two pieces overlap in it. Returns the number of pieces;
 * *ret_used is how many bytes of `data` they cover (all, unless max was too
 * small; call again with the rest). max >= 2.
 */
int telnet_escape_iov(const void *data, size_t len, struct iovec *iov, int max,
		      size_t *ret_used);

/* "EOR", "WILL", ...; a number that is no command gives "?". */
const char *telnet_command_name(unsigned command);

/* "TN3270E", ...; "?" when it has no name here. */
const char *telnet_option_name(unsigned option);

/* What went wrong, in words for an operator. */
const char *telnet_error_text(enum telnet_error e);

#endif
