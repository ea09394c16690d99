/* reader.c: see reader.h. */
#include "tn3270/reader.h"

#include <assert.h>
#include <string.h>

const char *tn3270_end_text(enum tn3270_end e)
{
	static const char *const texts[] = {
		[TN3270_END_NONE] = "no error",
		[TN3270_END_TELNET] = "Telnet negotiation broke a limit",
		[TN3270_END_REFUSED] = "peer speaks neither TN3270E nor TN3270",
		[TN3270_END_TLS] = "peer refuses TLS, which is required",
		[TN3270_END_ORDER] = "peer's negotiation is out of order",
		[TN3270_END_DEVICES] = "no device left to ask for",
		[TN3270_END_FUNCTIONS] = "no agreement on TN3270E functions",
		[TN3270_END_RECORD] = "peer's record is too long",
		[TN3270_END_HEADER] = "peer's record has no valid header",
		[TN3270_END_TIME] = "negotiation took too long",
		[TN3270_END_DEAD] = "peer does not answer the keepalive",
		[TN3270_END_ANSWERS] = "peer does not read our answers",
	};

	static_assert(ARRAY_SIZE(texts) == TN3270_ENDS, "");
	return (unsigned)e < TN3270_ENDS ? texts[e] : "?";
}

static void reader_next(struct tn3270_reader *r)
{
	r->head_len = 0;
	r->body_len = 0;
	r->len = 0;
	r->first = true;
}

void reader_init(struct tn3270_reader *r)
{
	telnet_init(&r->telnet);
	reader_next(r);
}

bool reader_inside(const struct tn3270_reader *r)
{
	return r->head_len > 0;
}

static bool is_long(uint8_t type)
{
	return type == TN3270E_T_3270_DATA || type == TN3270E_T_SCS_DATA ||
	       type == TN3270E_T_NVT_DATA || type == TN3270E_T_SSCP_LU_DATA;
}

/* Takes the header off the front of `p`; returns how many bytes. */
static size_t take_head(struct tn3270_reader *r, enum reader_mode mode,
			const uint8_t *p, size_t len)
{
	size_t n = 0;

	if (mode == READER_TN3270E) {
		if (r->head_len == 0)
			r->body_len = 0;
		n = MIN(len, TN3270E_HEADER_BYTES - r->head_len);
		memcpy(r->head + r->head_len, p, n);
		r->head_len = (uint8_t)(r->head_len + n);
		if (r->head_len == TN3270E_HEADER_BYTES)
			r->header = tn3270e_header_parse(r->head);
		return n;
	}
	r->body_len = 0;
	r->head_len = TN3270E_HEADER_BYTES;
	r->header = (struct tn3270e_header){.type = TN3270E_T_3270_DATA};
	if (mode == READER_STATUS) {
		r->header.type = TN3270E_T_RESPONSE;
	} else if (p[0] == 0) {
		r->header.type = TN3270E_T_SCS_DATA;
		n = 1;
	}
	return n;
}

static void slice(struct tn3270_reader *r, struct tn3270_event *ev,
		  const uint8_t *p, size_t len, bool last)
{
	ev->kind = TN3270_EV_DATA;
	ev->header = r->header;
	ev->data = p;
	ev->len = len;
	ev->first = r->first;
	ev->last = last;
	r->first = false;
}

enum reader_result reader_data(struct tn3270_reader *r, enum reader_mode mode,
			       size_t max, const struct telnet_event *te,
			       struct tn3270_event *ev)
{
	const uint8_t *p = te->data;
	size_t len = te->len, n;

	if (r->head_len < TN3270E_HEADER_BYTES) {
		n = take_head(r, mode, p, len);
		p += n;
		len -= n;
	}
	if (r->head_len < TN3270E_HEADER_BYTES || len == 0)
		return READER_MORE;
	if (len > max - r->len) {
		ev->end = TN3270_END_RECORD;
		return READER_BAD;
	}
	r->len += len;
	if (is_long(r->header.type)) {
		slice(r, ev, p, len, false);
		return READER_SLICE;
	}
	n = MIN(len, sizeof(r->body) - r->body_len);
	memcpy(r->body + r->body_len, p, n);
	r->body_len = (uint16_t)(r->body_len + n);
	return READER_MORE;
}

enum reader_result reader_eor(struct tn3270_reader *r, enum reader_mode mode,
			      struct tn3270_event *ev)
{
	static const uint8_t nothing[1];
	uint8_t head_len = r->head_len;
	uint16_t body_len = r->body_len;

	if (head_len == 0) /* an empty record; some send one between others */
		return READER_MORE;
	if (head_len < TN3270E_HEADER_BYTES) {
		ev->end = TN3270_END_HEADER;
		return READER_BAD;
	}
	if (is_long(r->header.type) && mode != READER_STATUS) {
		slice(r, ev, nothing, 0, true);
		reader_next(r);
		return READER_SLICE;
	}
	reader_next(r);
	r->body_len = body_len; /* for the caller; next record resets it */
	return READER_SHORT;
}

enum tn3270e_answer reader_answer(const struct tn3270_reader *r)
{
	static const enum tn3270e_answer codes[] = {
		TN3270E_COMMAND_REJECT, TN3270E_INTERVENTION,
		TN3270E_OPERATION_CHECK, TN3270E_DISCONNECTED};
	uint32_t sense;

	if (r->header.response == 0)
		return TN3270E_DEVICE_END;
	if (r->header.response == 1)
		return r->body_len && r->body[0] < ARRAY_SIZE(codes)
			       ? codes[r->body[0]]
			       : TN3270E_OPERATION_CHECK;
	if (r->body_len < 4) /* 02: SNA sense follows */
		return TN3270E_OPERATION_CHECK;
	sense = (uint32_t)r->body[0] << 24 | (uint32_t)r->body[1] << 16;
	for (unsigned a = 1; a < TN3270E_ANSWERS; a++)
		if (tn3270e_sense((enum tn3270e_answer)a) == sense)
			return (enum tn3270e_answer)a;
	return TN3270E_OPERATION_CHECK;
}

size_t reader_head(const struct tn3270e_header *h, uint8_t *out)
{
	uint8_t raw[TN3270E_HEADER_BYTES];

	tn3270e_header_emit(h, raw);
	return telnet_escape(out, raw, sizeof(raw));
}

void reader_allow(struct tn3270_reader *r)
{
	static const uint8_t options[] = {TELNET_OPT_BINARY, TELNET_OPT_EOR,
					  TELNET_OPT_SGA};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		telnet_allow(&r->telnet, options[i], true, true);
		telnet_allow(&r->telnet, options[i], false, true);
	}
}

bool reader_plain_on(const struct tn3270_reader *r)
{
	return telnet_on(&r->telnet, TELNET_OPT_EOR, true) &&
	       telnet_on(&r->telnet, TELNET_OPT_EOR, false) &&
	       telnet_on(&r->telnet, TELNET_OPT_BINARY, true) &&
	       telnet_on(&r->telnet, TELNET_OPT_BINARY, false);
}

bool reader_enough(enum tn3270e_kind kind, unsigned set, unsigned need)
{
	const unsigned print = TN3270E_F(TN3270E_SCS_CTL_CODES) |
			       TN3270E_F(TN3270E_DATA_STREAM_CTL);

	return (set & need) == need && (kind != TN3270E_PRINTER || set & print);
}

void reader_send_functions(struct tn3270_reader *r, uint8_t verb, unsigned set)
{
	uint8_t b[2 + TN3270E_FUNCTION_COUNT] = {TN3270E_FUNCTIONS, verb};
	size_t n = 2 + tn3270e_functions_emit(set, b + 2);

	telnet_send_sb(&r->telnet, TELNET_OPT_TN3270E, b, n);
}
