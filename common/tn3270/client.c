/* client.c: the machine of client.h. */
#include "tn3270/client.h"

#include "tn3270/reader.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define OURS true
#define THEIRS false

#define TTYPE_IS 0
#define TTYPE_SEND 1
#define TLS_FOLLOWS 1

void tn3270_client_conf_init(struct tn3270_client_conf *c)
{
	*c = (struct tn3270_client_conf){
		.type = "IBM-3287-1",
		.functions = TN3270E_F_PRINTER,
		.record_max = TN3270_RECORD_MAX,
		.times = {.negotiate = DUR_S(TN3270_NEGOTIATE_S)},
	};
}

static struct telnet *telnet_of(struct tn3270_client *c)
{
	return &c->reader.telnet;
}

static void client_end(struct tn3270_client *c, enum tn3270_end end)
{
	if (c->state == TN3270_CLIENT_ENDED)
		return;
	c->state = TN3270_CLIENT_ENDED;
	c->end = end;
}

/* What the server may ask of us. */
static void allow(struct tn3270_client *c)
{
	struct telnet *t = telnet_of(c);

	reader_allow(&c->reader);
	telnet_allow(t, TELNET_OPT_TTYPE, OURS, !c->conf->no_plain);
	telnet_allow(t, TELNET_OPT_TN3270E, OURS, !c->conf->no_tn3270e);
	telnet_allow(t, TELNET_OPT_START_TLS, OURS,
		     c->conf->tls != TN3270_TLS_OFF && !c->secured);
}

void tn3270_client_init(struct tn3270_client *c,
			const struct tn3270_client_conf *conf, mono_t now)
{
	memset(c, 0, sizeof(*c));
	c->conf = conf;
	c->now = c->started = c->heard = c->marked = now;
	reader_init(&c->reader);
	allow(c);
}

void tn3270_client_secured(struct tn3270_client *c, mono_t now)
{
	if (c->state != TN3270_CLIENT_HANDSHAKE)
		return;
	c->secured = true;
	c->heard = now;
	reader_init(&c->reader);
	allow(c);
	c->state = TN3270_CLIENT_WAIT;
}

/* TLS is required and has not begun, but the server goes on. */
static bool too_early(struct tn3270_client *c)
{
	if (c->conf->tls != TN3270_TLS_REQUIRE || c->secured)
		return false;
	client_end(c, TN3270_END_TLS);
	return true;
}

/* ---- devices ------------------------------------------------------------ */

static const char *name_now(const struct tn3270_client *c)
{
	if (c->conf->how == TN3270E_GENERIC || c->conf->names == 0)
		return "";
	return c->conf->name[MIN(c->tries, c->conf->names - 1)];
}

static void send_request(struct tn3270_client *c)
{
	uint8_t b[3 + TN3270E_DEVICE_MAX + TN3270E_NAME_MAX] = {
		TN3270E_DEVICE_TYPE, TN3270E_REQUEST};
	size_t n = 2, len = strlen(c->conf->type);
	const char *name = name_now(c);

	memcpy(b + n, c->conf->type, len);
	n += len;
	if (*name) {
		b[n++] = c->conf->how == TN3270E_BY_NAME ? TN3270E_CONNECT
							 : TN3270E_ASSOCIATE;
		len = strlen(name);
		memcpy(b + n, name, len);
		n += len;
	}
	telnet_send_sb(telnet_of(c), TELNET_OPT_TN3270E, b, n);
}

static void send_functions(struct tn3270_client *c, uint8_t verb, unsigned set)
{
	reader_send_functions(&c->reader, verb, set);
	c->asked = set;
}

/* Type and name out of "type [CONNECT name]". */
static void take_device(struct tn3270_client *c, const uint8_t *p, size_t len)
{
	struct tn3270e_device *d = &c->device;
	size_t n = 0, m = 0;

	memset(d, 0, sizeof(*d));
	d->how = c->conf->how;
	while (n < len && p[n] > TN3270E_CONNECT && n < TN3270E_DEVICE_MAX) {
		d->type[n] = (char)p[n];
		n++;
	}
	d->kind = tn3270e_device_kind(c->conf->type, true);
	if (n < len && p[n] == TN3270E_CONNECT) {
		for (n++; n < len && m < TN3270E_NAME_MAX; n++)
			if (isgraph(p[n]))
				d->name[m++] = (char)toupper(p[n]);
	} else {
		snprintf(d->name, sizeof(d->name), "%s", name_now(c));
	}
}

static bool heard_reject(struct tn3270_client *c, const uint8_t *p, size_t len,
			 struct tn3270_event *ev)
{
	ev->kind = TN3270_EV_REJECTED;
	ev->reason = len >= 2 && p[0] == TN3270E_REASON ? p[1]
							: TN3270E_UNKNOWN_ERROR;
	c->tries++;
	/* [RFC2355 7.1.5] no further specific request after this reason */
	if (c->tries >= c->conf->names || ev->reason == TN3270E_UNSUPPORTED_REQ)
		client_end(c, TN3270_END_DEVICES);
	else
		send_request(c);
	return true;
}

static bool heard_device(struct tn3270_client *c, const uint8_t *p, size_t len,
			 struct tn3270_event *ev)
{
	if (c->state != TN3270_CLIENT_DEVICE || len < 1) {
		client_end(c, TN3270_END_ORDER);
		return false;
	}
	if (p[0] == TN3270E_REJECT)
		return heard_reject(c, p + 1, len - 1, ev);
	if (p[0] != TN3270E_IS) {
		client_end(c, TN3270_END_ORDER);
		return false;
	}
	take_device(c, p + 1, len - 1);
	c->state = TN3270_CLIENT_FUNCTIONS;
	send_functions(c, TN3270E_REQUEST, c->conf->functions);
	return false;
}

/* ---- functions ---------------------------------------------------------- */

static bool enough(const struct tn3270_client *c, unsigned set)
{
	return reader_enough(c->device.kind, set, c->conf->need);
}

static bool agreed(struct tn3270_client *c, unsigned set,
		   struct tn3270_event *ev)
{
	c->functions = set;
	c->state = TN3270_CLIENT_READY;
	c->bound = !(set & TN3270E_F(TN3270E_BIND_IMAGE));
	ev->kind = TN3270_EV_READY;
	ev->functions = set;
	ev->device = &c->device;
	return true;
}

static void impasse(struct tn3270_client *c)
{
	telnet_request(telnet_of(c), TELNET_OPT_TN3270E, OURS, false);
	client_end(c, TN3270_END_FUNCTIONS);
}

/* [RFC2355 7.2.1] Some servers answer IS with fewer functions than were
 * asked for, which the RFC does not provide; fewer are accepted, more not. */
static bool heard_functions(struct tn3270_client *c, const uint8_t *p,
			    size_t len, struct tn3270_event *ev)
{
	unsigned set, common;

	if (c->state != TN3270_CLIENT_FUNCTIONS || len < 1) {
		client_end(c, TN3270_END_ORDER);
		return false;
	}
	set = tn3270e_functions_parse(p + 1, len - 1);
	common = set & c->conf->functions;
	if (p[0] == TN3270E_IS) {
		if (set == common && enough(c, set))
			return agreed(c, set, ev);
		impasse(c);
	} else if (p[0] != TN3270E_REQUEST) {
		client_end(c, TN3270_END_ORDER);
	} else if (!enough(c, common) || c->rounds++ >= TN3270_ROUNDS_MAX) {
		impasse(c);
	} else if (set == common) {
		send_functions(c, TN3270E_IS, set);
		return agreed(c, set, ev);
	} else {
		send_functions(c, TN3270E_REQUEST, common);
	}
	return false;
}

/* ---- options and subnegotiations ---------------------------------------- */

static bool plain_ready(struct tn3270_client *c, struct tn3270_event *ev)
{
	if (c->state != TN3270_CLIENT_PLAIN || !reader_plain_on(&c->reader))
		return false;
	take_device(c, (const uint8_t *)c->conf->type, strlen(c->conf->type));
	c->device.plain = true;
	c->plain = c->bound = true;
	c->state = TN3270_CLIENT_READY;
	ev->kind = TN3270_EV_READY;
	ev->device = &c->device;
	return true;
}

static void heard_tls(struct tn3270_client *c, bool on)
{
	static const uint8_t follows[] = {TLS_FOLLOWS};

	if (on)
		telnet_send_sb(telnet_of(c), TELNET_OPT_START_TLS, follows,
			       sizeof(follows));
}

static bool heard_option(struct tn3270_client *c, const struct telnet_event *te,
			 struct tn3270_event *ev)
{
	if (te->option == TELNET_OPT_START_TLS) {
		heard_tls(c, te->on && te->ours);
	} else if (te->option == TELNET_OPT_TN3270E && te->ours) {
		if (te->on && !too_early(c) && c->state == TN3270_CLIENT_WAIT)
			c->state = TN3270_CLIENT_DEVICE;
		else if (!te->on && c->state == TN3270_CLIENT_READY)
			client_end(c, TN3270_END_ORDER);
		else if (!te->on && c->state < TN3270_CLIENT_READY)
			c->state = TN3270_CLIENT_WAIT; /* server bails out */
	} else if (te->option == TELNET_OPT_TTYPE && te->ours && te->on) {
		if (!too_early(c) && c->state == TN3270_CLIENT_WAIT)
			c->state = TN3270_CLIENT_PLAIN;
	} else if (te->option == TELNET_OPT_EOR ||
		   te->option == TELNET_OPT_BINARY) {
		/* [RFC1646 8] the server goes back to NVT to say an error */
		if (!te->on && c->plain)
			client_end(c, TN3270_END_REFUSED);
		return te->on && plain_ready(c, ev);
	}
	return false;
}

/* TERMINAL-TYPE SEND: the next name of the list each time; the last one
 * again at the end of it [RFC1091]. */
static void send_type(struct tn3270_client *c)
{
	uint8_t b[2 + TN3270E_DEVICE_MAX + TN3270E_NAME_MAX] = {TTYPE_IS};
	size_t n = 1, len = strlen(c->conf->type);
	const char *name;

	if (c->rounds++ > 0)
		c->tries++;
	name = name_now(c);
	memcpy(b + n, c->conf->type, len);
	n += len;
	if (*name) {
		b[n++] = '@';
		memcpy(b + n, name, strlen(name));
		n += strlen(name);
	}
	telnet_send_sb(telnet_of(c), TELNET_OPT_TTYPE, b, n);
	if (c->rounds > TN3270_CLIENT_NAMES_MAX + 2)
		client_end(c, TN3270_END_DEVICES);
}

static bool heard_tn3270e(struct tn3270_client *c, const uint8_t *p, size_t len,
			  struct tn3270_event *ev)
{
	if (!telnet_on(telnet_of(c), TELNET_OPT_TN3270E, OURS))
		return false;
	if (len >= 2 && p[0] == TN3270E_SEND && p[1] == TN3270E_DEVICE_TYPE &&
	    c->state == TN3270_CLIENT_DEVICE)
		send_request(c);
	else if (len >= 1 && p[0] == TN3270E_DEVICE_TYPE)
		return heard_device(c, p + 1, len - 1, ev);
	else if (len >= 1 && p[0] == TN3270E_FUNCTIONS)
		return heard_functions(c, p + 1, len - 1, ev);
	else
		client_end(c, TN3270_END_ORDER);
	return false;
}

static bool heard_subneg(struct tn3270_client *c, const struct telnet_event *te,
			 struct tn3270_event *ev)
{
	const uint8_t *p = te->data;

	if (te->option == TELNET_OPT_START_TLS) {
		if (te->len < 1 || p[0] != TLS_FOLLOWS || c->secured ||
		    !telnet_on(telnet_of(c), TELNET_OPT_START_TLS, OURS))
			return false;
		/* a session that stands is not begun anew inside TLS: its
		 * times and what was agreed are those of the clear one */
		if (c->state >= TN3270_CLIENT_READY) {
			client_end(c, TN3270_END_ORDER);
			return false;
		}
		c->state = TN3270_CLIENT_HANDSHAKE;
		ev->kind = TN3270_EV_START_TLS;
		return true;
	}
	if (te->option == TELNET_OPT_TTYPE && te->len >= 1 &&
	    p[0] == TTYPE_SEND && c->state == TN3270_CLIENT_PLAIN)
		send_type(c);
	else if (te->option == TELNET_OPT_TN3270E)
		return heard_tn3270e(c, p, te->len, ev);
	return false;
}

/* ---- records ------------------------------------------------------------ */

/* Does the record in the reader wait for an answer of ours? */
static void owe(struct tn3270_client *c)
{
	const struct tn3270e_header *h = &c->reader.header;

	c->owed = c->plain ? TN3270E_ALWAYS_RESPONSE : h->response;
	c->owed_seq = h->seq;
	c->owes = c->owed != TN3270E_NO_RESPONSE;
}

static bool heard_short(struct tn3270_client *c, struct tn3270_event *ev)
{
	struct tn3270_reader *r = &c->reader;

	ev->header = r->header;
	switch (r->header.type) {
	case TN3270E_T_BIND_IMAGE:
		c->bound = true;
		ev->kind = TN3270_EV_BIND;
		ev->data = r->body;
		ev->len = r->body_len;
		break;
	case TN3270E_T_UNBIND:
		c->bound = false;
		ev->kind = TN3270_EV_UNBIND;
		ev->reason = r->body_len ? r->body[0] : TN3270E_UNBIND_NORMAL;
		break;
	case TN3270E_T_PRINT_EOJ:
		ev->kind = TN3270_EV_EOJ;
		break;
	default:
		c->ignored++;
		return false;
	}
	owe(c);
	return true;
}

static bool heard_record(struct tn3270_client *c, enum reader_result r,
			 struct tn3270_event *ev)
{
	switch (r) {
	case READER_SLICE:
		if (ev->last)
			owe(c);
		return true;
	case READER_SHORT:
		return heard_short(c, ev);
	case READER_BAD:
		client_end(c, ev->end);
		break;
	case READER_MORE:
		break;
	}
	return false;
}

static bool heard_command(struct tn3270_client *c, uint8_t command,
			  struct tn3270_event *ev)
{
	if (command == TELNET_AYT)
		telnet_send_command(telnet_of(c), TELNET_NOP);
	if (command != TELNET_AO || !c->plain)
		return false;
	ev->kind = TN3270_EV_EOJ; /* [RFC1646 4.1] nobody answers it */
	ev->header.type = TN3270E_T_PRINT_EOJ;
	return true;
}

static bool heard(struct tn3270_client *c, const struct telnet_event *te,
		  struct tn3270_event *ev)
{
	enum reader_mode mode = c->plain ? READER_DATA : READER_TN3270E;

	switch (te->kind) {
	case TELNET_EV_DATA:
		if (c->state != TN3270_CLIENT_READY)
			return false;
		return heard_record(c,
				    reader_data(&c->reader, mode,
						c->conf->record_max, te, ev),
				    ev);
	case TELNET_EV_EOR:
		if (c->state != TN3270_CLIENT_READY)
			return false;
		return heard_record(c, reader_eor(&c->reader, mode, ev), ev);
	case TELNET_EV_COMMAND:
		return heard_command(c, te->command, ev);
	case TELNET_EV_OPTION:
		return heard_option(c, te, ev);
	case TELNET_EV_SUBNEG:
		return heard_subneg(c, te, ev);
	case TELNET_EV_ERROR:
		client_end(c, TN3270_END_TELNET);
		break;
	case TELNET_EV_MARK:
	case TELNET_EV_NONE:
		break;
	}
	return false;
}

static bool tell_end(struct tn3270_client *c, struct tn3270_event *ev)
{
	*ev = (struct tn3270_event){.kind = TN3270_EV_NONE};
	if (c->state != TN3270_CLIENT_ENDED || c->end_told)
		return false;
	c->end_told = true;
	ev->kind = TN3270_EV_CLOSE;
	ev->end = c->end;
	return true;
}

size_t tn3270_client_input(struct tn3270_client *c, const void *data,
			   size_t len, struct tn3270_event *ret_ev, mono_t now)
{
	const uint8_t *p = data;
	struct telnet_event te;
	size_t used = 0;

	c->now = now;
	if (len > 0) {
		c->heard = now;
		c->mark_out = false;
	}
	while (used < len && !c->owes && c->state != TN3270_CLIENT_ENDED &&
	       c->state != TN3270_CLIENT_HANDSHAKE) {
		used += telnet_input(telnet_of(c), p + used, len - used, &te);
		if (te.kind == TELNET_EV_NONE)
			break;
		*ret_ev = (struct tn3270_event){.kind = TN3270_EV_NONE};
		if (heard(c, &te, ret_ev))
			return used;
	}
	if (c->state == TN3270_CLIENT_ENDED)
		used = len;
	tell_end(c, ret_ev);
	return used;
}

/* ---- output ------------------------------------------------------------- */

size_t tn3270_client_output(struct tn3270_client *c, void *buf, size_t cap)
{
	return telnet_output(telnet_of(c), buf, cap);
}

mono_t tn3270_client_deadline(const struct tn3270_client *c)
{
	const struct tn3270_times *t = &c->conf->times;

	if (c->state == TN3270_CLIENT_ENDED)
		return c->end_told ? MONO_NEVER : c->now;
	if (c->state < TN3270_CLIENT_READY)
		return t->negotiate.ns > 0 ? mono_add(c->started, t->negotiate)
					   : MONO_NEVER;
	if (t->keepalive.ns <= 0 || c->owes) /* what we hold back we do not
						hear either */
		return MONO_NEVER;
	if (!c->mark_out)
		return mono_add(c->heard, t->keepalive);
	return mono_add(c->marked, t->keepalive_reply.ns > 0
					   ? t->keepalive_reply
					   : t->keepalive);
}

void tn3270_client_expire(struct tn3270_client *c, mono_t now,
			  struct tn3270_event *ret_ev)
{
	const struct tn3270_times *t = &c->conf->times;

	c->now = now;
	if (c->state < TN3270_CLIENT_READY && t->negotiate.ns > 0 &&
	    mono_leq(mono_add(c->started, t->negotiate), now))
		client_end(c, TN3270_END_TIME);
	if (tell_end(c, ret_ev) || c->state != TN3270_CLIENT_READY ||
	    mono_lt(now, tn3270_client_deadline(c)))
		return;
	if (c->mark_out && t->keepalive_reply.ns > 0) {
		client_end(c, TN3270_END_DEAD);
		tell_end(c, ret_ev);
		return;
	}
	telnet_send_mark(telnet_of(c));
	c->mark_out = true;
	c->marked = now;
}

static void respond_plain(struct tn3270_client *c, enum tn3270e_answer a)
{
	uint8_t b[TN3270_STATUS_BYTES];

	tn3270_status_emit(a, b);
	telnet_send_record(telnet_of(c), b, sizeof(b));
}

void tn3270_client_respond(struct tn3270_client *c, enum tn3270e_answer a)
{
	static const uint8_t codes[] = {0, 0, 1, 2, 3, 2};
	struct tn3270e_header h = {.type = TN3270E_T_RESPONSE,
				   .response = a != TN3270E_DEVICE_END,
				   .seq = c->owed_seq};
	uint8_t b[TN3270E_HEADER_BYTES + 1];

	static_assert(ARRAY_SIZE(codes) == TN3270E_ANSWERS, "");
	if (!c->owes || (unsigned)a >= TN3270E_ANSWERS)
		return;
	c->owes = false;
	c->heard = c->now;
	if (a == TN3270E_DEVICE_END && c->owed == TN3270E_ERROR_RESPONSE)
		return;
	if (c->plain) {
		respond_plain(c, a);
		return;
	}
	tn3270e_header_emit(&h, b);
	b[TN3270E_HEADER_BYTES] = codes[a];
	telnet_send_record(telnet_of(c), b, sizeof(b));
}

void tn3270_client_cleared(struct tn3270_client *c)
{
	struct tn3270e_header h = {.type = TN3270E_T_REQUEST};
	uint8_t b[TN3270E_HEADER_BYTES];

	if (c->state != TN3270_CLIENT_READY)
		return;
	if (c->plain) {
		respond_plain(c, TN3270E_DEVICE_END);
		return;
	}
	tn3270e_header_emit(&h, b);
	telnet_send_record(telnet_of(c), b, sizeof(b));
}

int tn3270_client_record(struct tn3270_client *c, enum tn3270e_type type,
			 uint8_t *head, size_t *ret_len)
{
	struct tn3270e_header h = {.type = (uint8_t)type};

	if (c->state != TN3270_CLIENT_READY)
		return -ENOTCONN;
	if (type != TN3270E_T_3270_DATA &&
	    (c->plain ||
	     (type != TN3270E_T_SSCP_LU_DATA && type != TN3270E_T_NVT_DATA)))
		return -ENOTSUP;
	if (c->plain) {
		*ret_len = 0;
		return 0;
	}
	if (type == TN3270E_T_3270_DATA) {
		if (!c->bound)
			return -EPROTO;
		if (c->functions & TN3270E_F(TN3270E_RESPONSES)) {
			h.seq = c->seq;
			c->seq = c->seq == TN3270E_SEQ_MAX
					 ? 0
					 : (uint16_t)(c->seq + 1);
		}
	}
	*ret_len = reader_head(&h, head);
	return 0;
}

const char *tn3270_client_state_name(enum tn3270_client_state s)
{
	static const char *const names[] = {
		"WAIT",  "HANDSHAKE", "DEVICE", "FUNCTIONS",
		"PLAIN", "READY",     "ENDED",
	};

	static_assert(ARRAY_SIZE(names) == TN3270_CLIENT_STATES, "");
	return (unsigned)s < TN3270_CLIENT_STATES ? names[s] : "?";
}
