/* tn3270e.c: codes and values of tn3270e.h. */
#include "tn3270/tn3270e.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

struct tn3270e_header tn3270e_header_parse(const uint8_t *p)
{
	return (struct tn3270e_header){p[0], p[1], p[2],
				       (uint16_t)(p[3] << 8 | p[4])};
}

void tn3270e_header_emit(const struct tn3270e_header *h, uint8_t *p)
{
	p[0] = h->type;
	p[1] = h->request;
	p[2] = h->response;
	p[3] = (uint8_t)(h->seq >> 8);
	p[4] = (uint8_t)h->seq;
}

unsigned tn3270e_functions_parse(const uint8_t *list, size_t len)
{
	unsigned set = 0;

	for (size_t i = 0; i < len; i++)
		if (list[i] < TN3270E_FUNCTION_COUNT)
			set |= TN3270E_F(list[i]);
	return set;
}

size_t tn3270e_functions_emit(unsigned set, uint8_t *out)
{
	size_t n = 0;

	for (unsigned f = 0; f < TN3270E_FUNCTION_COUNT; f++)
		if (set & TN3270E_F(f))
			out[n++] = (uint8_t)f;
	return n;
}

static bool is_model(const char *type, const char *series, char low, char high)
{
	size_t n = strlen(series);

	return !strncasecmp(type, series, n) && type[n] >= low &&
	       type[n] <= high &&
	       (type[n + 1] == '\0' || !strcasecmp(type + n + 1, "-E"));
}

/* [RFC2355 7.1] [RFC1576 3.1]: series of devices and their model numbers. */
enum tn3270e_kind tn3270e_device_kind(const char *type, bool plain)
{
	static const char *const displays[] = {"IBM-3277-", "IBM-3278-",
					       "IBM-3279-"};
	static const char *const printers[] = {
		"IBM-3284-", "IBM-3286-", "IBM-3287-", "IBM-3288-",
		"IBM-3289-", "IBM-3262-", "IBM-3268-"};

	if (is_model(type, "IBM-3278-", '2', '5') ||
	    !strcasecmp(type, "IBM-DYNAMIC"))
		return TN3270E_DISPLAY;
	if (is_model(type, "IBM-3287-", '1', '1'))
		return TN3270E_PRINTER;
	/* Clients say more than the RFC lists; the kind is plain enough. */
	for (size_t i = 0; i < ARRAY_SIZE(printers); i++)
		if (is_model(type, printers[i], '1', '9'))
			return TN3270E_PRINTER;
	for (size_t i = 0; i < ARRAY_SIZE(displays); i++)
		if (is_model(type, displays[i], plain ? '1' : '2', '5'))
			return TN3270E_DISPLAY;
	return TN3270E_NO_DEVICE;
}

/* ASSOCIATE [RFC2355 7.1.3, 7.1.5]. */
static int decide_associate(const struct tn3270e_device *d,
			    const struct tn3270e_facts *f)
{
	if (d->kind != TN3270E_PRINTER)
		return TN3270E_INV_ASSOCIATE;
	if (!f->any_partner)
		return TN3270E_UNSUPPORTED_REQ;
	if (!f->known)
		return TN3270E_INV_NAME;
	if (!f->is_display || !f->has_partner || !f->connected)
		return TN3270E_INV_ASSOCIATE;
	return f->partner_in_use ? TN3270E_DEVICE_IN_USE : -1;
}

/* CONNECT [RFC2355 7.1.2, 7.1.5]. */
static int decide_name(const struct tn3270e_device *d,
		       const struct tn3270e_facts *f)
{
	if (!f->any_named)
		return TN3270E_UNSUPPORTED_REQ;
	if (!f->known)
		return TN3270E_INV_NAME;
	if (d->kind == TN3270E_PRINTER ? !f->is_printer : !f->is_display)
		return TN3270E_TYPE_NAME_ERROR;
	if (f->partner_only)
		return TN3270E_CONN_PARTNER;
	return f->in_use ? TN3270E_DEVICE_IN_USE : -1;
}

int tn3270e_decide(const struct tn3270e_device *d,
		   const struct tn3270e_facts *f)
{
	if (d->kind == TN3270E_NO_DEVICE)
		return TN3270E_INV_DEVICE_TYPE;
	switch (d->how) {
	case TN3270E_BY_NAME:
		return decide_name(d, f);
	case TN3270E_BY_ASSOCIATION:
		return decide_associate(d, f);
	case TN3270E_GENERIC:
		break;
	}
	if (!f->any_generic)
		return TN3270E_UNSUPPORTED_REQ;
	return f->in_use ? TN3270E_DEVICE_IN_USE : -1;
}

uint32_t tn3270e_sense(enum tn3270e_answer a)
{
	switch (a) {
	case TN3270E_COMMAND_REJECT:
		return 0x10030000;
	case TN3270E_INTERVENTION:
		return 0x08020000;
	case TN3270E_OPERATION_CHECK:
		return 0x10050000;
	case TN3270E_DISCONNECTED:
		return 0x08310000;
	case TN3270E_DATA_CHECK:
		return 0x10010000;
	case TN3270E_DEVICE_END:
	case TN3270E_ANSWERS:
		break;
	}
	return 0;
}

uint32_t tn3270e_lustat(enum tn3270e_answer a)
{
	if (a == TN3270E_INTERVENTION)
		return 0x00010000;
	return a == TN3270E_DISCONNECTED ? 0x082b0000 : 0;
}

/* Status/sense bytes [RFC1646 5.1]: bit 0 is the highest. */
#define SOH 0x01u
#define PERCENT 0x6cu /* EBCDIC '%' */
#define LETTER_R 0xd9u
#define S1_UNIT_SPECIFY 0x04u
#define S1_DEVICE_END 0x02u

static const uint8_t status_s2[] = {
	[TN3270E_DEVICE_END] = 0x00,   [TN3270E_COMMAND_REJECT] = 0x20,
	[TN3270E_INTERVENTION] = 0x10, [TN3270E_OPERATION_CHECK] = 0x01,
	[TN3270E_DISCONNECTED] = 0x08, [TN3270E_DATA_CHECK] = 0x04,
};
static_assert(ARRAY_SIZE(status_s2) == TN3270E_ANSWERS, "");

int tn3270_status_parse(const uint8_t *p, size_t len, enum tn3270e_answer *ret)
{
	if (len != TN3270_STATUS_BYTES || p[0] != SOH || p[1] != PERCENT ||
	    p[2] != LETTER_R)
		return -EBADMSG;
	if (p[3] & S1_DEVICE_END && !(p[3] & S1_UNIT_SPECIFY)) {
		*ret = TN3270E_DEVICE_END;
		return 0;
	}
	/* several bits: the one an operator must act on comes first */
	static const enum tn3270e_answer order[] = {
		TN3270E_INTERVENTION, TN3270E_DISCONNECTED,
		TN3270E_COMMAND_REJECT, TN3270E_DATA_CHECK};

	*ret = TN3270E_OPERATION_CHECK;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (p[4] & status_s2[order[i]]) {
			*ret = order[i];
			break;
		}
	return 0;
}

void tn3270_status_emit(enum tn3270e_answer a, uint8_t *p)
{
	p[0] = SOH;
	p[1] = PERCENT;
	p[2] = LETTER_R;
	p[3] = a == TN3270E_DEVICE_END ? S1_DEVICE_END : S1_UNIT_SPECIFY;
	p[4] = (unsigned)a < TN3270E_ANSWERS ? status_s2[a] : 0;
}

const char *tn3270e_reason_name(unsigned reason)
{
	static const char *const names[] = {
		"CONN-PARTNER",  "DEVICE-IN-USE",   "INV-ASSOCIATE",
		"INV-NAME",      "INV-DEVICE-TYPE", "TYPE-NAME-ERROR",
		"UNKNOWN-ERROR", "UNSUPPORTED-REQ",
	};

	static_assert(ARRAY_SIZE(names) == TN3270E_REASONS, "");
	return reason < TN3270E_REASONS ? names[reason] : "?";
}

const char *tn3270e_type_name(unsigned type)
{
	static const char *const names[] = {
		"3270-DATA", "SCS-DATA", "RESPONSE",     "BIND-IMAGE", "UNBIND",
		"NVT-DATA",  "REQUEST",  "SSCP-LU-DATA", "PRINT-EOJ",
	};

	static_assert(ARRAY_SIZE(names) == TN3270E_TYPES, "");
	return type < TN3270E_TYPES ? names[type] : "?";
}

const char *tn3270e_function_name(unsigned function)
{
	static const char *const names[] = {
		"BIND-IMAGE",    "DATA-STREAM-CTL", "RESPONSES",
		"SCS-CTL-CODES", "SYSREQ",
	};

	static_assert(ARRAY_SIZE(names) == TN3270E_FUNCTION_COUNT, "");
	return function < TN3270E_FUNCTION_COUNT ? names[function] : "?";
}

const char *tn3270e_answer_name(enum tn3270e_answer a)
{
	static const char *const names[] = {
		"device end",
		"command reject",
		"intervention required",
		"operation check",
		"component disconnected",
		"data check",
	};

	static_assert(ARRAY_SIZE(names) == TN3270E_ANSWERS, "");
	return (unsigned)a < TN3270E_ANSWERS ? names[a] : "?";
}
