/*
 * tn3270e.h: codes, names, message header and function lists of TN3270E,
 * as values; the BIND image; the status record of plain TN3270 printers.
 * No state. [RFC2355] [RFC1646] [RFC1576]
 *
 * The machines that speak it are server.h and client.h.
 */
#ifndef COUPLET_TN3270_TN3270E_H
#define COUPLET_TN3270_TN3270E_H

#include "base/base.h"

/* Verbs of the subnegotiation [RFC2355 3]. */
enum tn3270e_verb {
	TN3270E_ASSOCIATE = 0,
	TN3270E_CONNECT = 1,
	TN3270E_DEVICE_TYPE = 2,
	TN3270E_FUNCTIONS = 3,
	TN3270E_IS = 4,
	TN3270E_REASON = 5,
	TN3270E_REJECT = 6,
	TN3270E_REQUEST = 7,
	TN3270E_SEND = 8,
};

/* Why a server rejects a device [RFC2355 7.1.5]. */
enum tn3270e_reason {
	TN3270E_CONN_PARTNER = 0,
	TN3270E_DEVICE_IN_USE = 1,
	TN3270E_INV_ASSOCIATE = 2,
	TN3270E_INV_NAME = 3,
	TN3270E_INV_DEVICE_TYPE = 4,
	TN3270E_TYPE_NAME_ERROR = 5,
	TN3270E_UNKNOWN_ERROR = 6,
	TN3270E_UNSUPPORTED_REQ = 7,
	TN3270E_REASONS,
};

/* Functions; a set of them is the OR of TN3270E_F(x) [RFC2355 7.2.2]. */
enum tn3270e_function {
	TN3270E_BIND_IMAGE = 0,
	TN3270E_DATA_STREAM_CTL = 1,
	TN3270E_RESPONSES = 2,
	TN3270E_SCS_CTL_CODES = 3,
	TN3270E_SYSREQ = 4,
	TN3270E_FUNCTION_COUNT,
};
#define TN3270E_F(x) (1u << (x))
#define TN3270E_F_PRINTER \
	(TN3270E_F(TN3270E_BIND_IMAGE) | TN3270E_F(TN3270E_DATA_STREAM_CTL) | \
	 TN3270E_F(TN3270E_RESPONSES) | TN3270E_F(TN3270E_SCS_CTL_CODES))
#define TN3270E_F_DISPLAY \
	(TN3270E_F(TN3270E_BIND_IMAGE) | TN3270E_F(TN3270E_RESPONSES) | \
	 TN3270E_F(TN3270E_SYSREQ))

/* DATA-TYPE of a message [RFC2355 8.1.1]. */
enum tn3270e_type {
	TN3270E_T_3270_DATA = 0,
	TN3270E_T_SCS_DATA = 1,
	TN3270E_T_RESPONSE = 2,
	TN3270E_T_BIND_IMAGE = 3,
	TN3270E_T_UNBIND = 4,
	TN3270E_T_NVT_DATA = 5,
	TN3270E_T_REQUEST = 6,
	TN3270E_T_SSCP_LU_DATA = 7,
	TN3270E_T_PRINT_EOJ = 8,
	TN3270E_TYPES,
};

/* RESPONSE-FLAG of data [RFC2355 8.1.3]. */
enum tn3270e_respond {
	TN3270E_NO_RESPONSE = 0,
	TN3270E_ERROR_RESPONSE = 1,
	TN3270E_ALWAYS_RESPONSE = 2,
};

/* What a receiver says to a record; the negative codes [RFC2355 10.4.1]
 * and DATA_CHECK of plain TN3270 [RFC1646 5.1]. */
enum tn3270e_answer {
	TN3270E_DEVICE_END = 0,  /* positive */
	TN3270E_COMMAND_REJECT,  /* 00, sense 1003 0000 */
	TN3270E_INTERVENTION,    /* 01, sense 0802 0000 */
	TN3270E_OPERATION_CHECK, /* 02, sense 1005 0000 */
	TN3270E_DISCONNECTED,    /* 03, sense 0831 0000 */
	TN3270E_DATA_CHECK,      /* sense 1001 0000; 02 under TN3270E */
	TN3270E_ANSWERS,
};

/* Reasons of an UNBIND, the one byte of its body (SNA Formats). */
enum tn3270e_unbind {
	TN3270E_UNBIND_NORMAL = 0x01,
	TN3270E_UNBIND_BIND_FORTHCOMING = 0x02,
	TN3270E_UNBIND_CLEANUP = 0x0f,
};

#define TN3270E_HEADER_BYTES 5u
#define TN3270E_SEQ_MAX 32767u /* then 0 again [RFC2355 10.4] */
#define TN3270E_NAME_MAX 8u    /* an LU or resource name [RFC2355 7.1.1] */
#define TN3270E_DEVICE_MAX 40u /* a device type */
#define TN3270E_BIND_MAX 256u  /* bytes of a BIND image we build or keep */

struct tn3270e_header {
	uint8_t type;     /* enum tn3270e_type, or what the peer sent */
	uint8_t request;  /* REQUEST-FLAG */
	uint8_t response; /* RESPONSE-FLAG */
	uint16_t seq;     /* 0..65535 on the wire, we send <= SEQ_MAX */
};

/* Reads the five bytes at `p`. */
struct tn3270e_header tn3270e_header_parse(const uint8_t *p);

/* Writes them, not doubled, to the five bytes at `p`. */
void tn3270e_header_emit(const struct tn3270e_header *h, uint8_t *p);

/* The set in a function list; codes that we do not know are left out
 * [RFC2355 7.2.2]. */
unsigned tn3270e_functions_parse(const uint8_t *list, size_t len);

/* The list of a set, lowest code first; `out` holds
 * TN3270E_FUNCTION_COUNT. Returns its length. */
size_t tn3270e_functions_emit(unsigned set, uint8_t *out);

/* What a device type is. */
enum tn3270e_kind {
	TN3270E_NO_DEVICE = 0, /* not one of ours */
	TN3270E_PRINTER,       /* IBM-328x */
	TN3270E_DISPLAY,       /* IBM-3278-2..5[-E], IBM-3279-.., DYNAMIC */
};

/* Classifies `type` (NUL-ended, any case). `plain` also takes what only
 * traditional TN3270 clients say (IBM-3279-n, IBM-3277-2, 3287-2, ...). */
enum tn3270e_kind tn3270e_device_kind(const char *type, bool plain);

/* How a client asks for its LU. */
enum tn3270e_how {
	TN3270E_GENERIC = 0,    /* any LU of that type */
	TN3270E_BY_NAME,        /* CONNECT: a device or resource name */
	TN3270E_BY_ASSOCIATION, /* ASSOCIATE: the partner of a terminal */
};

/* A request for a device, as the client said it. */
struct tn3270e_device {
	enum tn3270e_kind kind;
	enum tn3270e_how how;
	bool plain; /* traditional TN3270, name behind '@' */
	char type[TN3270E_DEVICE_MAX + 1];
	char name[TN3270E_NAME_MAX + 1]; /* upper case; "" when GENERIC */
};

/* What the caller's table of LUs says about a request. */
struct tn3270e_facts {
	bool known;        /* `name` is a device or a pool */
	bool is_printer;   /* of the named device or pool */
	bool is_display;   /* a pool can be both */
	bool in_use;       /* and cannot be taken over; pool: all are */
	bool partner_only; /* a printer that ASSOCIATE alone may reach */
	bool has_partner;  /* a display with a printer defined */
	bool partner_in_use;
	bool any_named;   /* the server has devices with names at all */
	bool any_generic; /* it has some for generic requests */
	bool any_partner; /* it has partner printers at all */
	bool connected;   /* display: in session now, or that is not
			     asked for (ASSOCIATE needs it) */
};

/*
 * The right answer to a request [RFC2355 7.1.5]: -1 to accept, or the
 * reason to reject. Pure; which LU it becomes is the caller's choice.
 * GENERIC: in_use says that no free one is left.
 */
int tn3270e_decide(const struct tn3270e_device *d,
		   const struct tn3270e_facts *f);

/* SNA sense code (4 bytes, e.g. 0x08020000) of an answer; 0 for
 * DEVICE_END. */
uint32_t tn3270e_sense(enum tn3270e_answer a);

/* LUSTAT that follows when the condition is cleared: 0x00010000 after
 * INTERVENTION, 0x082b0000 after DISCONNECTED, else 0. */
uint32_t tn3270e_lustat(enum tn3270e_answer a);

/* The BIND of a session, as an LU sees it. */
struct tn3270e_bind {
	uint8_t lu_type;    /* 1 SCS printer, 2 display, 3 3270 printer */
	uint8_t rows, cols; /* primary size; 0 = 24x80 by default */
	uint8_t alt_rows, alt_cols;     /* alternate size; 0 = none */
	uint16_t ru_max;                /* largest RU to the secondary, bytes */
	char plu[TN3270E_NAME_MAX + 1]; /* application, EBCDIC letters only */
};

/* Builds the BIND RU (31h ...) for `b` into out[cap]; returns its length,
 * or -ENOSPC. LU name characters are A-Z 0-9 @ # $, others -EINVAL. */
ssize_t tn3270e_bind_emit(const struct tn3270e_bind *b, uint8_t *out,
			  size_t cap) MUST_USE;

/* Reads a BIND RU. Fields that it does not reach stay 0. -EBADMSG when it
 * is no BIND. */
int tn3270e_bind_parse(const uint8_t *ru, size_t len,
		       struct tn3270e_bind *ret) MUST_USE;

#define TN3270_STATUS_BYTES 5u /* SOH % R S1 S2 [RFC1646 5] */

/* A status record of a plain TN3270 printer: 0 and the answer, or -EBADMSG
 * if these bytes are none. */
int tn3270_status_parse(const uint8_t *p, size_t len,
			enum tn3270e_answer *ret) MUST_USE;

/* Writes the status record for an answer to p[TN3270_STATUS_BYTES]. */
void tn3270_status_emit(enum tn3270e_answer a, uint8_t *p);

/* "DEVICE-IN-USE", ... as the RFC writes it; "?" when unknown. */
const char *tn3270e_reason_name(unsigned reason);

/* "3270-DATA", ...; "?" when unknown. */
const char *tn3270e_type_name(unsigned type);

/* "BIND-IMAGE", ...; "?" when unknown. */
const char *tn3270e_function_name(unsigned function);

/* "device end", "intervention required", ... */
const char *tn3270e_answer_name(enum tn3270e_answer a);

#endif
