/* server.c: negotiation and input of server.h; output is server_io.c. */
#include "tn3270/server.h"

#include "tn3270/reader.h"
#include "tn3270/server_impl.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define OURS true
#define THEIRS false

/* Verbs of TERMINAL-TYPE [RFC1091] and START_TLS. */
#define TTYPE_IS 0
#define TTYPE_SEND 1
#define TLS_FOLLOWS 1

void tn3270_server_conf_init(struct tn3270_server_conf *c)
{
	*c = (struct tn3270_server_conf){
		.printers = true,
		.record_max = TN3270_RECORD_MAX,
		.times = {.negotiate = DUR_S(TN3270_NEGOTIATE_S)},
	};
}

static void server_end(struct tn3270_server *s, enum tn3270_end end)
{
	if (s->state == TN3270_SERVER_ENDED)
		return;
	s->state = TN3270_SERVER_ENDED;
	s->end = end;
}

static struct telnet *telnet_of(struct tn3270_server *s)
{
	return &s->reader.telnet;
}

static void ask_type(struct tn3270_server *s)
{
	static const uint8_t send[] = {TTYPE_SEND};

	telnet_send_sb(telnet_of(s), TELNET_OPT_TTYPE, send, sizeof(send));
}

/* Plain TN3270 begins with the terminal type [RFC1576 3]. */
static void begin_plain(struct tn3270_server *s)
{
	if (s->conf->no_plain) {
		server_end(s, TN3270_END_REFUSED);
		return;
	}
	s->plain = true;
	s->state = TN3270_SERVER_TTYPE;
	s->rejects = 0;
	s->ttype[0] = '\0';
	telnet_request(telnet_of(s), TELNET_OPT_TTYPE, THEIRS, true);
	if (telnet_on(telnet_of(s), TELNET_OPT_TTYPE, THEIRS))
		ask_type(s);
}

static void begin_offer(struct tn3270_server *s)
{
	struct telnet *t = telnet_of(s);

	reader_allow(&s->reader);
	telnet_allow(t, TELNET_OPT_TTYPE, THEIRS, true);
	if (s->conf->no_tn3270e) {
		begin_plain(s);
		return;
	}
	s->state = TN3270_SERVER_OFFER;
	telnet_request(t, TELNET_OPT_TN3270E, THEIRS, true);
}

void tn3270_server_init(struct tn3270_server *s,
			const struct tn3270_server_conf *conf, mono_t now)
{
	memset(s, 0, sizeof(*s));
	s->conf = conf;
	s->now = s->started = s->heard = s->marked = s->sent = now;
	s->probe = MONO_NEVER;
	reader_init(&s->reader);
	if (conf->tls == TN3270_TLS_OFF) {
		begin_offer(s);
		return;
	}
	s->state = TN3270_SERVER_TLS;
	telnet_request(telnet_of(s), TELNET_OPT_START_TLS, THEIRS, true);
}

void tn3270_server_secured(struct tn3270_server *s, mono_t now)
{
	if (s->state != TN3270_SERVER_HANDSHAKE)
		return;
	s->secured = true;
	s->heard = now;
	reader_init(&s->reader);
	begin_offer(s);
}

/* ---- options ------------------------------------------------------------ */

static void heard_tls(struct tn3270_server *s, bool on)
{
	static const uint8_t follows[] = {TLS_FOLLOWS};

	if (on)
		telnet_send_sb(telnet_of(s), TELNET_OPT_START_TLS, follows,
			       sizeof(follows));
	else if (s->conf->tls == TN3270_TLS_REQUIRE)
		server_end(s, TN3270_END_TLS);
	else
		begin_offer(s);
}

static void heard_tn3270e(struct tn3270_server *s, bool on)
{
	static const uint8_t send[] = {TN3270E_SEND, TN3270E_DEVICE_TYPE};

	if (on && s->state == TN3270_SERVER_OFFER) {
		telnet_send_sb(telnet_of(s), TELNET_OPT_TN3270E, send,
			       sizeof(send));
		s->state = TN3270_SERVER_DEVICE;
	} else if (!on && s->state < TN3270_SERVER_READY && !s->plain) {
		begin_plain(s); /* "bail out" [RFC2355 7.1.5] */
	} else if (!on && !s->plain) {
		server_end(s, TN3270_END_ORDER);
	}
}

/* Plain: all four of EOR and BINARY are on [RFC1576 3]. True: READY. */
static bool plain_ready(struct tn3270_server *s, struct tn3270_event *ev)
{
	if (!reader_plain_on(&s->reader))
		return false;
	s->state = TN3270_SERVER_READY;
	s->bound = true;
	ev->kind = TN3270_EV_READY;
	ev->device = &s->device;
	return true;
}

static bool heard_option(struct tn3270_server *s, const struct telnet_event *te,
			 struct tn3270_event *ev)
{
	if (te->option == TELNET_OPT_START_TLS) {
		if (s->state == TN3270_SERVER_TLS)
			heard_tls(s, te->on);
	} else if (te->option == TELNET_OPT_TN3270E) {
		if (s->state != TN3270_SERVER_TLS)
			heard_tn3270e(s, te->on);
	} else if (te->option == TELNET_OPT_TTYPE) {
		if (s->state == TN3270_SERVER_TTYPE && te->on)
			ask_type(s);
		else if (s->state == TN3270_SERVER_TTYPE)
			server_end(s, TN3270_END_REFUSED);
	} else if (te->option == TELNET_OPT_EOR ||
		   te->option == TELNET_OPT_BINARY) {
		if (s->state == TN3270_SERVER_BINARY && te->on)
			return plain_ready(s, ev);
		if (s->state == TN3270_SERVER_BINARY ||
		    (s->plain && s->state == TN3270_SERVER_READY && !te->on))
			server_end(s, TN3270_END_REFUSED);
	}
	return false;
}

/* ---- devices ------------------------------------------------------------ */

/* An LU or resource name: 1..8 of letters, digits, national characters.
 * Copies it in upper case. */
static bool take_name(const uint8_t *p, size_t len,
		      char name[TN3270E_NAME_MAX + 1])
{
	if (len == 0 || len > TN3270E_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum(p[i]) && !strchr("@#$-_.", p[i]))
			return false;
		name[i] = (char)toupper(p[i]);
	}
	name[len] = '\0';
	return true;
}

static void send_reject(struct tn3270_server *s, enum tn3270e_reason why)
{
	uint8_t b[] = {TN3270E_DEVICE_TYPE, TN3270E_REJECT, TN3270E_REASON,
		       (uint8_t)why};

	if (s->rejects++ >= TN3270_REJECTS_MAX) {
		server_end(s, TN3270_END_DEVICES);
		return;
	}
	telnet_send_sb(telnet_of(s), TELNET_OPT_TN3270E, b, sizeof(b));
	s->state = TN3270_SERVER_DEVICE;
}

/* Plain TN3270 says no by asking for the next type [RFC1091]. */
static void ask_next_type(struct tn3270_server *s)
{
	if (s->rejects++ >= TN3270_REJECTS_MAX) {
		server_end(s, TN3270_END_DEVICES);
		return;
	}
	s->state = TN3270_SERVER_TTYPE;
	ask_type(s);
}

static bool kind_served(const struct tn3270_server *s, enum tn3270e_kind kind)
{
	return (kind == TN3270E_PRINTER && s->conf->printers) ||
	       (kind == TN3270E_DISPLAY && s->conf->displays);
}

static bool ask_caller(struct tn3270_server *s, struct tn3270_event *ev)
{
	s->state = TN3270_SERVER_ASKED;
	ev->kind = TN3270_EV_DEVICE;
	ev->device = &s->device;
	return true;
}

/* REQUEST type [CONNECT name | ASSOCIATE name] [RFC2355 4, 7.1]. */
static bool heard_request(struct tn3270_server *s, const uint8_t *p, size_t len,
			  struct tn3270_event *ev)
{
	struct tn3270e_device *d = &s->device;
	size_t n = 0;

	memset(d, 0, sizeof(*d));
	while (n < len && p[n] > TN3270E_CONNECT)
		n++;
	if (n == 0 || n > TN3270E_DEVICE_MAX) {
		send_reject(s, TN3270E_INV_DEVICE_TYPE);
		return false;
	}
	memcpy(d->type, p, n);
	d->kind = tn3270e_device_kind(d->type, false);
	if (n < len)
		d->how = p[n] == TN3270E_CONNECT ? TN3270E_BY_NAME
						 : TN3270E_BY_ASSOCIATION;
	if (d->kind == TN3270E_NO_DEVICE ||
	    (!kind_served(s, d->kind) && d->how != TN3270E_BY_ASSOCIATION))
		send_reject(s, TN3270E_INV_DEVICE_TYPE);
	else if (d->how == TN3270E_BY_ASSOCIATION && d->kind != TN3270E_PRINTER)
		send_reject(s, TN3270E_INV_ASSOCIATE);
	else if (!kind_served(s, d->kind))
		send_reject(s, TN3270E_INV_DEVICE_TYPE);
	else if (n < len && !take_name(p + n + 1, len - n - 1, d->name))
		send_reject(s, TN3270E_INV_NAME);
	else
		return ask_caller(s, ev);
	return false;
}

/* TERMINAL-TYPE IS type[@name] [RFC1646 4.1]. */
static bool heard_type(struct tn3270_server *s, const uint8_t *p, size_t len,
		       struct tn3270_event *ev)
{
	struct tn3270e_device *d = &s->device;
	char text[TELNET_TTYPE_MAX + 1] = "";
	char *at;
	size_t n = 0;

	for (size_t i = 0; i < len && n < TELNET_TTYPE_MAX; i++)
		if (p[i] > ' ' && p[i] < 0x7f)
			text[n++] = (char)p[i];
	if (!strcasecmp(text, s->ttype)) { /* the end of its list */
		server_end(s, TN3270_END_DEVICES);
		return false;
	}
	memcpy(s->ttype, text, sizeof(text));
	memset(d, 0, sizeof(*d));
	d->plain = true;
	at = strchr(text, '@');
	if (at)
		*at++ = '\0';
	memcpy(d->type, text, MIN(strlen(text), TN3270E_DEVICE_MAX));
	d->kind = tn3270e_device_kind(d->type, true);
	d->how = at && *at ? TN3270E_BY_NAME : TN3270E_GENERIC;
	if (!kind_served(s, d->kind) ||
	    (d->how == TN3270E_BY_NAME &&
	     !take_name((const uint8_t *)at, strlen(at), d->name))) {
		ask_next_type(s);
		return false;
	}
	return ask_caller(s, ev);
}

int tn3270_server_reject(struct tn3270_server *s, enum tn3270e_reason why)
{
	if (s->state != TN3270_SERVER_ASKED)
		return -EINVAL;
	if (s->plain)
		ask_next_type(s);
	else
		send_reject(s, why);
	return 0;
}

static void send_device_is(struct tn3270_server *s)
{
	uint8_t b[3 + TN3270E_DEVICE_MAX + TN3270E_NAME_MAX] = {
		TN3270E_DEVICE_TYPE, TN3270E_IS};
	size_t n = 2, len = strlen(s->device.type);

	memcpy(b + n, s->device.type, len);
	n += len;
	b[n++] = TN3270E_CONNECT;
	len = strlen(s->device.name);
	memcpy(b + n, s->device.name, len);
	telnet_send_sb(telnet_of(s), TELNET_OPT_TN3270E, b, n + len);
}

int tn3270_server_accept(struct tn3270_server *s, const char *name,
			 unsigned offer, unsigned need)
{
	struct telnet *t = telnet_of(s);

	if (s->state != TN3270_SERVER_ASKED ||
	    !take_name((const uint8_t *)name, strlen(name), s->device.name))
		return -EINVAL;
	s->offer = offer | need;
	s->need = need;
	s->rounds = 0;
	if (!s->plain) {
		send_device_is(s);
		s->state = TN3270_SERVER_FUNCTIONS;
		return 0;
	}
	s->state = TN3270_SERVER_BINARY;
	telnet_request(t, TELNET_OPT_EOR, THEIRS, true);
	telnet_request(t, TELNET_OPT_EOR, OURS, true);
	telnet_request(t, TELNET_OPT_BINARY, THEIRS, true);
	telnet_request(t, TELNET_OPT_BINARY, OURS, true);
	return 0;
}

/* ---- functions ---------------------------------------------------------- */

static bool enough(const struct tn3270_server *s, unsigned set)
{
	return reader_enough(s->device.kind, set, s->need);
}

static void send_functions(struct tn3270_server *s, uint8_t verb, unsigned set)
{
	reader_send_functions(&s->reader, verb, set);
	s->asked = set;
}

static bool functions_agreed(struct tn3270_server *s, unsigned set,
			     struct tn3270_event *ev)
{
	s->functions = set;
	s->state = TN3270_SERVER_READY;
	s->bound = !(set & TN3270E_F(TN3270E_BIND_IMAGE));
	ev->kind = TN3270_EV_READY;
	ev->functions = set;
	ev->device = &s->device;
	return true;
}

static void functions_impasse(struct tn3270_server *s)
{
	telnet_request(telnet_of(s), TELNET_OPT_TN3270E, THEIRS, false);
	server_end(s, TN3270_END_FUNCTIONS);
}

/*
 * [RFC2355 7.2.1] A list that we like as it is gets IS with the same list.
 * Else we ask for what is common; on the first round with what we need
 * added, later not again. Unknown codes are dropped [RFC2355 7.2.2], which
 * makes the list another one.
 */
static bool functions_request(struct tn3270_server *s, const uint8_t *list,
			      size_t len, struct tn3270_event *ev)
{
	unsigned set = tn3270e_functions_parse(list, len);
	unsigned common = set & s->offer;
	bool same = common == set;
	uint8_t known[TN3270E_FUNCTION_COUNT];

	for (size_t i = 0; i < len; i++)
		same = same && list[i] < TN3270E_FUNCTION_COUNT;
	if (s->rounds++ >= TN3270_ROUNDS_MAX) {
		functions_impasse(s);
		return false;
	}
	if (enough(s, common)) {
		if (!same || tn3270e_functions_emit(set, known) != len) {
			send_functions(s, TN3270E_REQUEST, common);
			return false;
		}
		send_functions(s, TN3270E_IS, common);
		return functions_agreed(s, common, ev);
	}
	common |= s->need;
	if (s->rounds > 1 || !enough(s, common))
		functions_impasse(s);
	else
		send_functions(s, TN3270E_REQUEST, common);
	return false;
}

static bool heard_functions(struct tn3270_server *s, const uint8_t *p,
			    size_t len, struct tn3270_event *ev)
{
	if (len < 1 || s->state != TN3270_SERVER_FUNCTIONS) {
		server_end(s, TN3270_END_ORDER);
		return false;
	}
	if (p[0] == TN3270E_REQUEST)
		return functions_request(s, p + 1, len - 1, ev);
	if (p[0] == TN3270E_IS && s->rounds > 0 &&
	    tn3270e_functions_parse(p + 1, len - 1) == s->asked)
		return functions_agreed(s, s->asked, ev);
	server_end(s, TN3270_END_ORDER);
	return false;
}

/* ---- subnegotiations ---------------------------------------------------- */

static bool heard_subneg(struct tn3270_server *s, const struct telnet_event *te,
			 struct tn3270_event *ev)
{
	const uint8_t *p = te->data;

	if (te->option == TELNET_OPT_START_TLS) {
		if (s->state != TN3270_SERVER_TLS || te->len < 1 ||
		    p[0] != TLS_FOLLOWS)
			return false;
		s->state = TN3270_SERVER_HANDSHAKE;
		ev->kind = TN3270_EV_START_TLS;
		return true;
	}
	if (te->option == TELNET_OPT_TTYPE) {
		if (s->state != TN3270_SERVER_TTYPE || te->len < 1 ||
		    p[0] != TTYPE_IS)
			return false;
		return heard_type(s, p + 1, te->len - 1, ev);
	}
	if (te->option != TELNET_OPT_TN3270E || s->plain)
		return false;
	if (te->len >= 2 && p[0] == TN3270E_DEVICE_TYPE &&
	    p[1] == TN3270E_REQUEST && s->state == TN3270_SERVER_DEVICE)
		return heard_request(s, p + 2, te->len - 2, ev);
	if (te->len >= 1 && p[0] == TN3270E_FUNCTIONS)
		return heard_functions(s, p + 1, te->len - 1, ev);
	server_end(s, TN3270_END_ORDER);
	return false;
}

/* ---- records ------------------------------------------------------------ */

static enum reader_mode mode_of(const struct tn3270_server *s)
{
	if (!s->plain)
		return READER_TN3270E;
	return s->device.kind == TN3270E_PRINTER ? READER_STATUS : READER_DATA;
}

static bool tell_answer(struct tn3270_server *s, enum tn3270e_answer a,
			struct tn3270_event *ev)
{
	ev->kind = TN3270_EV_RESPONSE;
	ev->answer = a;
	ev->seq = s->plain ? s->awaiting_seq : s->reader.header.seq;
	ev->expected = s->awaiting && ev->seq == s->awaiting_seq;
	if (ev->expected)
		s->awaiting = false;
	return true;
}

/* A device end that answers nothing clears a condition [RFC1646 5.1]. */
static bool heard_status(struct tn3270_server *s, struct tn3270_event *ev)
{
	enum tn3270e_answer a;

	if (tn3270_status_parse(s->reader.body, s->reader.body_len, &a)) {
		s->ignored++;
		return false;
	}
	if (!s->awaiting && a == TN3270E_DEVICE_END) {
		ev->kind = TN3270_EV_CLEARED;
		return true;
	}
	return tell_answer(s, a, ev);
}

static bool heard_short(struct tn3270_server *s, struct tn3270_event *ev)
{
	if (s->plain)
		return heard_status(s, ev);
	if (s->reader.header.type == TN3270E_T_RESPONSE)
		return tell_answer(s, reader_answer(&s->reader), ev);
	if (s->reader.header.type == TN3270E_T_REQUEST &&
	    s->reader.header.request == 0) {
		ev->kind = TN3270_EV_CLEARED;
		return true;
	}
	s->ignored++;
	return false;
}

/* pr3287 says "cleared" with type 07 where 06 is meant: an empty SSCP-LU
 * record, which no printer has another use for. */
static bool is_cleared(const struct tn3270_server *s,
		       const struct tn3270_event *ev)
{
	return s->device.kind == TN3270E_PRINTER && ev->first && ev->last &&
	       ev->header.type == TN3270E_T_SSCP_LU_DATA;
}

static bool heard_record(struct tn3270_server *s, enum reader_result r,
			 struct tn3270_event *ev)
{
	switch (r) {
	case READER_SLICE:
		if (is_cleared(s, ev))
			*ev = (struct tn3270_event){.kind = TN3270_EV_CLEARED};
		return true;
	case READER_SHORT:
		return heard_short(s, ev);
	case READER_BAD:
		server_end(s, ev->end);
		break;
	case READER_MORE:
		break;
	}
	return false;
}

/* [RFC2355 8]: IP and AO inside a record wait for its end. */
static bool tell_deferred(struct tn3270_server *s, struct tn3270_event *ev)
{
	if (reader_inside(&s->reader) || s->state == TN3270_SERVER_ENDED)
		return false;
	if (s->attn)
		ev->kind = TN3270_EV_ATTN;
	else if (s->sysreq)
		ev->kind = TN3270_EV_SYSREQ;
	else
		return false;
	s->attn = s->attn && ev->kind != TN3270_EV_ATTN;
	s->sysreq = s->sysreq && ev->kind != TN3270_EV_SYSREQ;
	return true;
}

static bool heard_command(struct tn3270_server *s, uint8_t command,
			  struct tn3270_event *ev)
{
	if (command == TELNET_AYT)
		telnet_send_command(telnet_of(s), TELNET_NOP);
	if (s->state != TN3270_SERVER_READY)
		return false;
	s->attn = s->attn || command == TELNET_IP || command == TELNET_BRK;
	s->sysreq = s->sysreq || command == TELNET_AO;
	return tell_deferred(s, ev);
}

static bool heard(struct tn3270_server *s, const struct telnet_event *te,
		  struct tn3270_event *ev)
{
	switch (te->kind) {
	case TELNET_EV_DATA:
		if (s->state != TN3270_SERVER_READY)
			return false; /* before 3270: an NVT nobody reads */
		return heard_record(s,
				    reader_data(&s->reader, mode_of(s),
						s->conf->record_max, te, ev),
				    ev);
	case TELNET_EV_EOR:
		if (s->state != TN3270_SERVER_READY)
			return false;
		return heard_record(s, reader_eor(&s->reader, mode_of(s), ev),
				    ev);
	case TELNET_EV_COMMAND:
		return heard_command(s, te->command, ev);
	case TELNET_EV_OPTION:
		return heard_option(s, te, ev);
	case TELNET_EV_SUBNEG:
		return heard_subneg(s, te, ev);
	case TELNET_EV_ERROR:
		server_end(s, TN3270_END_TELNET);
		break;
	case TELNET_EV_MARK:
	case TELNET_EV_NONE:
		break;
	}
	return false;
}

static bool tell_end(struct tn3270_server *s, struct tn3270_event *ev)
{
	*ev = (struct tn3270_event){.kind = TN3270_EV_NONE};
	if (s->state != TN3270_SERVER_ENDED || s->end_told)
		return false;
	s->end_told = true;
	ev->kind = TN3270_EV_CLOSE;
	ev->end = s->end;
	return true;
}

size_t tn3270_server_input(struct tn3270_server *s, const void *data,
			   size_t len, struct tn3270_event *ret_ev, mono_t now)
{
	const uint8_t *p = data;
	struct telnet_event te;
	size_t used = 0;

	s->now = now;
	if (len > 0) {
		s->heard = now;
		s->mark_out = false;
		s->probe = MONO_NEVER;
	}
	*ret_ev = (struct tn3270_event){.kind = TN3270_EV_NONE};
	if (tell_deferred(s, ret_ev))
		return 0;
	while (used < len && s->state != TN3270_SERVER_ENDED &&
	       s->state != TN3270_SERVER_ASKED &&
	       s->state != TN3270_SERVER_HANDSHAKE) {
		used += telnet_input(telnet_of(s), p + used, len - used, &te);
		if (te.kind == TELNET_EV_NONE)
			break;
		*ret_ev = (struct tn3270_event){.kind = TN3270_EV_NONE};
		if (heard(s, &te, ret_ev))
			return used;
	}
	if (s->state == TN3270_SERVER_ENDED)
		used = len;
	tell_end(s, ret_ev);
	return used;
}

void tn3270_server_expire(struct tn3270_server *s, mono_t now,
			  struct tn3270_event *ret_ev)
{
	const struct tn3270_times *t = &s->conf->times;

	s->now = now;
	if (s->state < TN3270_SERVER_READY && t->negotiate.ns > 0 &&
	    mono_leq(mono_add(s->started, t->negotiate), now))
		server_end(s, TN3270_END_TIME);
	if (tell_end(s, ret_ev) || s->state != TN3270_SERVER_READY)
		return;
	if (s->awaiting && !s->late_told && t->response.ns > 0 &&
	    mono_leq(mono_add(s->sent, t->response), now)) {
		s->late_told = true;
		ret_ev->kind = TN3270_EV_LATE;
		ret_ev->seq = s->awaiting_seq;
		return;
	}
	if (!mono_leq(s->probe, now) && mono_lt(now, server_keepalive_at(s)))
		return;
	if (mono_leq(s->probe, now) ||
	    (s->mark_out && !s->awaiting && t->keepalive_reply.ns > 0)) {
		server_end(s, TN3270_END_DEAD);
		tell_end(s, ret_ev);
		return;
	}
	telnet_send_mark(telnet_of(s));
	s->mark_out = !s->awaiting;
	s->marked = now;
}

bool tn3270_server_probe(struct tn3270_server *s, dur_t reply, mono_t now)
{
	if (s->state != TN3270_SERVER_READY || s->awaiting)
		return false;
	s->now = now;
	s->probe = mono_add(now, reply);
	telnet_send_mark(telnet_of(s));
	return true;
}

const char *tn3270_server_state_name(enum tn3270_server_state s)
{
	static const char *const names[] = {
		"TLS",   "HANDSHAKE", "OFFER",  "DEVICE", "TTYPE",
		"ASKED", "FUNCTIONS", "BINARY", "READY",  "ENDED",
	};

	static_assert(ARRAY_SIZE(names) == TN3270_SERVER_STATES, "");
	return (unsigned)s < TN3270_SERVER_STATES ? names[s] : "?";
}
