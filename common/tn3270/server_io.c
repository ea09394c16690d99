/* server_io.c: output, deadline and records of server.h. */
#include "tn3270/reader.h"
#include "tn3270/server_impl.h"

#include <errno.h>
#include <string.h>

const uint8_t tn3270_tail[TN3270_TAIL_BYTES] = {TELNET_IAC, TELNET_EOR};

size_t tn3270_server_output(struct tn3270_server *s, void *buf, size_t cap)
{
	return telnet_output(&s->reader.telnet, buf, cap);
}

/*
 * When the keepalive acts. While the printer has a record to answer its
 * silence proves nothing: pr3287 does not read while its print command takes
 * no data. Marks are sent nevertheless: if the peer is gone, they make TCP
 * find out, which the caller sees.
 */
mono_t server_keepalive_at(const struct tn3270_server *s)
{
	const struct tn3270_times *t = &s->conf->times;
	mono_t last = mono_max(s->heard, s->sent);

	if (t->keepalive.ns <= 0)
		return MONO_NEVER;
	if (s->awaiting)
		return mono_add(mono_max(last, s->marked), t->keepalive);
	if (!s->mark_out)
		return mono_add(last, t->keepalive);
	return mono_add(s->marked, t->keepalive_reply.ns > 0
					   ? t->keepalive_reply
					   : t->keepalive);
}

mono_t tn3270_server_deadline(const struct tn3270_server *s)
{
	const struct tn3270_times *t = &s->conf->times;
	mono_t at;

	if (s->state == TN3270_SERVER_ENDED)
		return s->end_told ? MONO_NEVER : s->now;
	if (s->state < TN3270_SERVER_READY)
		return t->negotiate.ns > 0 ? mono_add(s->started, t->negotiate)
					   : MONO_NEVER;
	at = mono_min(server_keepalive_at(s), s->probe);
	if (s->awaiting && !s->late_told && t->response.ns > 0)
		at = mono_min(at, mono_add(s->sent, t->response));
	return at;
}

void tn3270_server_forget(struct tn3270_server *s)
{
	s->awaiting = false;
}

/* May this type go to this client, now? [RFC2355 10] */
static int may_send(const struct tn3270_server *s, enum tn3270e_type type)
{
	unsigned f = s->functions;
	bool printer = s->device.kind == TN3270E_PRINTER;
	unsigned need = 0;

	switch (type) {
	case TN3270E_T_3270_DATA:
		need = printer ? TN3270E_F(TN3270E_DATA_STREAM_CTL) : 0;
		break;
	case TN3270E_T_SCS_DATA:
		need = TN3270E_F(TN3270E_SCS_CTL_CODES);
		break;
	case TN3270E_T_BIND_IMAGE:
	case TN3270E_T_UNBIND:
		need = TN3270E_F(TN3270E_BIND_IMAGE);
		break;
	case TN3270E_T_SSCP_LU_DATA: /* comes with either function */
		if (!(f & (TN3270E_F(TN3270E_BIND_IMAGE) |
			   TN3270E_F(TN3270E_SYSREQ))))
			return -ENOTSUP;
		break;
	case TN3270E_T_NVT_DATA:
		break;
	case TN3270E_T_PRINT_EOJ:
		return printer ? 0 : -ENOTSUP;
	case TN3270E_T_RESPONSE:
	case TN3270E_T_REQUEST:
	case TN3270E_TYPES:
		return -ENOTSUP;
	}
	return (f & need) == need ? 0 : -ENOTSUP;
}

static bool is_data(enum tn3270e_type type)
{
	return type == TN3270E_T_3270_DATA || type == TN3270E_T_SCS_DATA;
}

static void await(struct tn3270_server *s, uint16_t seq)
{
	s->awaiting = true;
	s->late_told = false;
	s->awaiting_seq = seq;
}

static int plain_record(struct tn3270_server *s, enum tn3270e_type type,
			uint8_t *head, size_t *ret_len, bool *ret_skip)
{
	*ret_len = 0;
	*ret_skip = !is_data(type);
	if (type == TN3270E_T_PRINT_EOJ && s->device.kind == TN3270E_PRINTER) {
		/* [RFC1646 4.1] */
		telnet_send_command(&s->reader.telnet, TELNET_AO);
		return 0;
	}
	if (type == TN3270E_T_BIND_IMAGE || type == TN3270E_T_UNBIND)
		return 0;
	if (!is_data(type))
		return -ENOTSUP;
	if (type == TN3270E_T_SCS_DATA) { /* [RFC1646 3.2] */
		if (s->device.kind != TN3270E_PRINTER)
			return -ENOTSUP;
		head[(*ret_len)++] = 0;
	}
	if (s->device.kind == TN3270E_PRINTER)
		await(s, 0);
	return 0;
}

/* Header and bookkeeping of a TN3270E record that may go. */
static size_t e_record(struct tn3270_server *s, enum tn3270e_type type,
		       enum tn3270e_respond respond, uint8_t *head)
{
	bool responses = s->functions & TN3270E_F(TN3270E_RESPONSES);
	struct tn3270e_header h = {.type = (uint8_t)type};

	if (responses) {
		h.response = (uint8_t)respond;
		if (is_data(type)) {
			h.seq = s->seq;
			s->seq = s->seq == TN3270E_SEQ_MAX
					 ? 0
					 : (uint16_t)(s->seq + 1);
		}
		if (respond == TN3270E_ALWAYS_RESPONSE)
			await(s, h.seq);
	}
	if (type == TN3270E_T_BIND_IMAGE)
		s->bound = true;
	if (type == TN3270E_T_UNBIND)
		s->bound = false;
	return reader_head(&h, head);
}

int tn3270_server_record(struct tn3270_server *s, enum tn3270e_type type,
			 enum tn3270e_respond respond, uint8_t *head,
			 size_t *ret_len, bool *ret_skip, mono_t now)
{
	int r;

	if (s->state != TN3270_SERVER_READY)
		return -ENOTCONN;
	if (s->awaiting && type != TN3270E_T_UNBIND)
		return -EBUSY;
	if (s->plain) {
		r = plain_record(s, type, head, ret_len, ret_skip);
	} else {
		r = may_send(s, type);
		if (!r && is_data(type) && !s->bound)
			r = -EPROTO;
		if (!r) {
			*ret_skip = false;
			*ret_len = e_record(s, type, respond, head);
		}
	}
	if (!r)
		s->sent = s->now = now;
	return r;
}

ssize_t tn3270_server_write(struct tn3270_server *s, enum tn3270e_type type,
			    enum tn3270e_respond respond, const void *data,
			    size_t len, void *out, size_t cap, mono_t now)
{
	uint8_t *to = out;
	size_t n;
	bool skip;
	int r;

	if (cap < TN3270_WIRE_MAX(len))
		return -ENOBUFS;
	r = tn3270_server_record(s, type, respond, to, &n, &skip, now);
	if (r < 0 || skip)
		return r;
	n += telnet_escape(to + n, data, len);
	memcpy(to + n, tn3270_tail, sizeof(tn3270_tail));
	return (ssize_t)(n + sizeof(tn3270_tail));
}
