/*
 * session.c: the life of a session, its handshake, its errors.
 */
#include "tls/room.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Alerts [RFC8446 6] by the names the RFC gives them. */
enum {
	AL_UNEXPECTED_MESSAGE = 10,
	AL_HANDSHAKE_FAILURE = 40,
	AL_PROTOCOL_VERSION = 70,
	AL_INTERNAL_ERROR = 80,
	AL_UNRECOGNIZED_NAME = 112,
	AL_CERTIFICATE_REQUIRED = 116,
	AL_NO_APPLICATION_PROTOCOL = 120,
	AL_ILLEGAL_PARAMETER = 47,
};

/* Kinds of records that a connection can begin with [RFC8446 5.1]. */
enum { RECORD_ALERT = 21, RECORD_HANDSHAKE = 22 };

/* ---- errors
 * ------------------------------------------------------------------------ */

int session_fail(struct tls_session *s, int code, enum tls_error_kind kind,
		 uint8_t alert, const char *fmt, ...)
{
	char text[TLS_WHY_MAX];
	va_list ap;

	if (s->kind != TLS_ERR_NONE)
		return s->code;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	for (char *p = text; *p; p++) /* names in certificates hold anything */
		if ((unsigned char)*p < ' ')
			*p = '?';
	s->text = strdup(text);
	s->kind = (uint8_t)kind;
	s->code = code;
	s->alert = alert;
	s->dead = true;
	return code;
}

/* What GnuTLS says, in our words. */
static const struct fault {
	int error;
	enum tls_error_kind kind;
	uint8_t alert; /* 0: the one that GnuTLS chooses */
	const char *text;
} faults[] = {
	{GNUTLS_E_UNSUPPORTED_VERSION_PACKET, TLS_ERR_VERSION,
	 AL_PROTOCOL_VERSION, "no common TLS version"},
	{GNUTLS_E_UNWANTED_ALGORITHM, TLS_ERR_SUITE, 0,
	 "the peer chose what was not offered"},
	{GNUTLS_E_NO_CIPHER_SUITES, TLS_ERR_SUITE, AL_HANDSHAKE_FAILURE,
	 "no common cipher suite"},
	{GNUTLS_E_NO_COMMON_KEY_SHARE, TLS_ERR_SUITE, AL_HANDSHAKE_FAILURE,
	 "no common group"},
	{GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM, TLS_ERR_SUITE,
	 AL_HANDSHAKE_FAILURE, "no common signature algorithm"},
	{GNUTLS_E_INSUFFICIENT_CREDENTIALS, TLS_ERR_SUITE, AL_HANDSHAKE_FAILURE,
	 "no cipher suite for the kind of certificate there is"},
	{GNUTLS_E_NO_CERTIFICATE_FOUND, TLS_ERR_CERT_MISSING,
	 AL_CERTIFICATE_REQUIRED, "the peer sent no certificate"},
	{GNUTLS_E_CERTIFICATE_REQUIRED, TLS_ERR_CERT_MISSING,
	 AL_CERTIFICATE_REQUIRED, "the peer sent no certificate"},
	{GNUTLS_E_NO_APPLICATION_PROTOCOL, TLS_ERR_ALPN,
	 AL_NO_APPLICATION_PROTOCOL, "no common application protocol (ALPN)"},
	{GNUTLS_E_UNRECOGNIZED_NAME, TLS_ERR_SNI, AL_UNRECOGNIZED_NAME,
	 "no certificate for the name that was asked for"},
	{GNUTLS_E_PK_SIGN_FAILED, TLS_ERR_KEY, AL_INTERNAL_ERROR,
	 "the key process does not sign: it is gone, or refuses"},
	{GNUTLS_E_MEMORY_ERROR, TLS_ERR_MEMORY, AL_INTERNAL_ERROR,
	 "out of memory"},
	{GNUTLS_E_UNSAFE_RENEGOTIATION_DENIED, TLS_ERR_RENEGOTIATE, 0,
	 "renegotiation refused"},
};

static int fail_received_alert(struct tls_session *s,
			       gnutls_alert_description_t a)
{
	const char *name = gnutls_alert_get_name(a);
	int r = session_fail(s, -EPROTO, TLS_ERR_ALERT, (uint8_t)a,
			     "the peer sent the alert \"%s\" (%u)",
			     name ? name : "?", (unsigned)a);

	s->alert_received = true;
	return r;
}

/* A client that refuses our certificate in TLS 1.3 may have no key to send
 * with yet and says so in clear (OpenSSL does), where GnuTLS takes only what
 * it can decrypt. The handshake has failed either way; this tells why. */
static bool clear_alert(const struct tls_session *s)
{
	const uint8_t *t = s->tail;

	return !s->done && t[0] == RECORD_ALERT && t[1] == 3 && t[3] == 0 &&
	       t[4] == 2 &&
	       (t[5] == GNUTLS_AL_WARNING || t[5] == GNUTLS_AL_FATAL);
}

static int fail_wire(struct tls_session *s)
{
	if (s->io_error)
		return session_fail(s, s->io_error, TLS_ERR_IO, 0, "%s",
				    strerror(-s->io_error));
	return session_fail(s, -ECONNRESET,
			    s->done ? TLS_ERR_TRUNCATED : TLS_ERR_IO, 0,
			    s->done ? "the peer vanished without close_notify"
				    : "the peer went away in the handshake");
}

int session_fail_gnutls(struct tls_session *s, int error)
{
	int level, a;

	if (error == GNUTLS_E_FATAL_ALERT_RECEIVED)
		return fail_received_alert(s, gnutls_alert_get(s->gs));
	if (error == GNUTLS_E_DECRYPTION_FAILED && clear_alert(s))
		return fail_received_alert(s, s->tail[TAIL_LEN - 1]);
	if (error == GNUTLS_E_PREMATURE_TERMINATION ||
	    error == GNUTLS_E_PUSH_ERROR || error == GNUTLS_E_PULL_ERROR ||
	    (s->eof && error == GNUTLS_E_UNEXPECTED_PACKET_LENGTH))
		return fail_wire(s);
	if (!s->done && s->first && s->first != RECORD_HANDSHAKE &&
	    s->first != RECORD_ALERT)
		return session_fail(
			s, -EPROTO, TLS_ERR_NOT_TLS, AL_UNEXPECTED_MESSAGE,
			"what came is not TLS (first byte %#04x)", s->first);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		const struct fault *f = &faults[i];

		if (f->error != error)
			continue;
		a = f->alert ? f->alert : gnutls_error_to_alert(error, &level);
		return session_fail(s,
				    f->kind == TLS_ERR_CERT_MISSING ? -EACCES
				    : f->kind == TLS_ERR_MEMORY     ? -ENOMEM
								    : -EPROTO,
				    f->kind, (uint8_t)a, "%s", f->text);
	}
	a = gnutls_error_to_alert(error, &level);
	return session_fail(s, -EPROTO, TLS_ERR_PROTOCOL,
			    a > 0 ? (uint8_t)a : AL_INTERNAL_ERROR, "%s",
			    gnutls_strerror(error));
}

void tls_session_error(const struct tls_session *s, struct tls_error *ret)
{
	*ret = (struct tls_error){
		.kind = s->kind,
		.code = s->code,
		.alert = s->alert,
		.alert_received = s->alert_received,
		.text = s->kind == TLS_ERR_NONE ? ""
			: s->text               ? s->text
						: "out of memory",
	};
}

/* ---- the wire
 * ---------------------------------------------------------------------- */

static ssize_t done_io(struct tls_session *s, ssize_t n)
{
	if (n >= 0)
		return n;
	if (n == -EAGAIN || n == -EINTR) {
		gnutls_transport_set_errno(s->gs, (int)-n);
	} else {
		s->io_error = (int)n;
		gnutls_transport_set_errno(s->gs, EIO);
	}
	return -1;
}

static void keep_tail(struct tls_session *s, const uint8_t *p, size_t n)
{
	size_t last = MIN(n, (size_t)TAIL_LEN), old = TAIL_LEN - last;

	memmove(s->tail, s->tail + last, old);
	memcpy(s->tail + old, p + n - last, last);
}

static ssize_t take_ahead(struct tls_session *s, void *buf, size_t len)
{
	size_t n = MIN(len, (size_t)s->ahead_n);

	memcpy(buf, s->ahead + s->ahead_at, n);
	s->ahead_at += (uint32_t)n;
	s->ahead_n -= (uint32_t)n;
	return (ssize_t)n;
}

/* GnuTLS took `n` bytes. */
static void follow(struct in_record *in, const uint8_t *p, size_t n)
{
	while (n) {
		size_t part = MIN(n, (size_t)in->left);

		if (!part) {
			in->head[in->n++] = *p;
			part = 1;
		} else {
			in->left -= (uint16_t)part;
		}
		p += part;
		n -= part;
		if (in->n == RECORD_HEAD) {
			in->left = (uint16_t)(in->head[3] << 8 | in->head[4]);
			in->n = 0;
			in->records++;
		}
	}
}

bool session_between(const struct tls_session *s)
{
	return !s->in.n && !s->in.left && !gnutls_record_check_pending(s->gs);
}

/*
 * Reading ahead: several records come with one call of the caller's pull, into
 * a buffer on the stack of tls_session_read(), which then reads as many. No
 * more is taken than has room at the reader when it is opened, whatever the
 * record under way holds; so nothing is left over as a rule.
 */
static ssize_t pull_more(struct tls_session *s, void *buf, size_t len)
{
	ssize_t n = s->pulled;

	if (n <= 0) { /* an end of file stays one */
		s->pulled = n == 0 ? 0 : 1;
		return n;
	}
	if (s->room <= TLS_RECORD_MAX)
		return s->io->pull(s->arg, buf, len);
	n = s->io->pull(s->arg, s->ahead,
			MIN(len + s->room - TLS_RECORD_MAX, (size_t)BULK_WIRE));
	if (n <= 0)
		return n;
	s->ahead_at = 0;
	s->ahead_n = (uint32_t)n;
	return take_ahead(s, buf, len);
}

static ssize_t pull(gnutls_transport_ptr_t p, void *buf, size_t len)
{
	struct tls_session *s = p;
	ssize_t n =
		s->ahead_n ? take_ahead(s, buf, len) : pull_more(s, buf, len);

	if (s->cut && n <= 0) /* it said no more than it had */
		n = s->io_error;
	s->starved = n == -EAGAIN;
	s->eof = n == 0 && len > 0;
	if (n > 0 && !s->first)
		s->first = *(const uint8_t *)buf;
	if (n > 0)
		follow(&s->in, buf, (size_t)n);
	if (n > 0 && !s->done)
		keep_tail(s, buf, (size_t)n);
	return done_io(s, n);
}

/* A peer that refuses us in mid-handshake sends an alert and hangs up, perhaps
 * before our flight is out. What it said tells why, EPIPE does not: so the
 * handshake goes on, deaf to the end of the wire, until what came is read. */
static bool cut_in_handshake(struct tls_session *s, ssize_t n)
{
	if (s->done || (n != -EPIPE && n != -ECONNRESET))
		return false;
	s->io_error = (int)n;
	s->cut = true;
	return true;
}

static ssize_t push(gnutls_transport_ptr_t p, const giovec_t *iov, int n)
{
	struct tls_session *s = p;
	size_t len = 0;
	ssize_t r;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	s->offered = MAX(s->offered, len);
	if (s->cut)
		return (ssize_t)len;
	r = session_push_out(s); /* what was sealed earlier goes first */
	if (r == 0)
		r = s->io->push(s->arg, iov, n);
	return cut_in_handshake(s, r) ? (ssize_t)len : done_io(s, r);
}

/* GnuTLS asks only where it would otherwise wait; we never wait. */
static int pull_timeout(gnutls_transport_ptr_t p, unsigned ms)
{
	(void)p;
	(void)ms;
	return 0;
}

void tls_session_set_io(struct tls_session *s, const struct tls_io *io,
			void *arg)
{
	s->io = io;
	s->arg = arg;
}

/* ---- what GnuTLS calls back
 * ---------------------------------------------------------- */

static int on_client_hello(gnutls_session_t gs, unsigned type, unsigned when,
			   unsigned incoming, const gnutls_datum_t *msg)
{
	struct tls_session *s = gnutls_session_get_ptr(gs);

	if (type != GNUTLS_HANDSHAKE_CLIENT_HELLO || !incoming ||
	    when != GNUTLS_HOOK_PRE)
		return 0;
	return hello_read(s, msg->data, msg->size);
}

static int after_client_hello(gnutls_session_t gs)
{
	struct tls_session *s = gnutls_session_get_ptr(gs);
	const char *sni = tls_session_sni(s);

	for (size_t i = 0; i < s->policy->n_idents; i++)
		if (tls_ident_matches(s->policy->idents[i], sni))
			return 0;
	(void)session_fail(s, -EPROTO, TLS_ERR_SNI, AL_UNRECOGNIZED_NAME,
			   "no certificate for the name \"%s\"", sni);
	return GNUTLS_E_UNRECOGNIZED_NAME;
}

static int on_ticket(gnutls_session_t gs, unsigned type, unsigned when,
		     unsigned incoming, const gnutls_datum_t *msg)
{
	struct tls_session *s = gnutls_session_get_ptr(gs);
	gnutls_datum_t data;

	(void)msg;
	if (type != GNUTLS_HANDSHAKE_NEW_SESSION_TICKET || !incoming ||
	    when != GNUTLS_HOOK_POST || s->forgotten)
		return 0;
	/* up to TLS 1.2 it comes before the end: see finish() */
	if (gnutls_protocol_get_version(gs) == GNUTLS_TLS1_3 &&
	    gnutls_session_get_data2(gs, &data) == 0)
		cache_put(s->policy->cache, s->policy->name,
			  s->peer ? s->peer : "", &data);
	return 0;
}

static int on_verify(gnutls_session_t gs)
{
	struct tls_session *s = gnutls_session_get_ptr(gs);

	return verify_peer(s) < 0 ? GNUTLS_E_CERTIFICATE_ERROR : 0;
}

static int on_keylog(gnutls_session_t gs, const char *label,
		     const gnutls_datum_t *secret)
{
	static const char hex[] = "0123456789abcdef";
	struct tls_session *s = gnutls_session_get_ptr(gs);
	gnutls_datum_t client, server;
	char line[512];
	size_t n, size = sizeof line - 2;

	gnutls_session_get_random(gs, &client, &server);
	n = strlen(label);
	if (n + 2 * ((size_t)client.size + secret->size) + 3 > size)
		return 0;
	memcpy(line, label, n);
	line[n++] = ' ';
	for (unsigned i = 0; i < client.size; i++) {
		line[n++] = hex[client.data[i] >> 4];
		line[n++] = hex[client.data[i] & 15];
	}
	line[n++] = ' ';
	for (unsigned i = 0; i < secret->size; i++) {
		line[n++] = hex[secret->data[i] >> 4];
		line[n++] = hex[secret->data[i] & 15];
	}
	line[n++] = '\n';
	/* one write: lines of several threads do not mix. A full disk costs
	 * the line, not the connection. */
	(void)!write(s->policy->keylog_fd, line, n);
	explicit_bzero(line, n);
	return 0;
}

/* ---- life ---------------------------------------------------------------- */

static bool is_address(const char *name)
{
	struct in6_addr a;

	return inet_pton(AF_INET, name, &a) == 1 ||
	       inet_pton(AF_INET6, name, &a) == 1;
}

static int set_up_server(struct tls_session *s)
{
	struct tls_policy *p = s->policy;
	int r = 0;

	if (p->tickets)
		r = gnutls_session_ticket_enable_server(s->gs,
							&p->tickets->key);
	gnutls_db_set_cache_expiration(s->gs, (int)p->ticket_life_s);
	if (p->verify != TLS_VERIFY_NONE)
		gnutls_certificate_server_set_request(
			s->gs, p->verify == TLS_VERIFY_REQUIRED
				       ? GNUTLS_CERT_REQUIRE
				       : GNUTLS_CERT_REQUEST);
	if (p->rules.listed || p->mixed)
		gnutls_handshake_set_hook_function(
			s->gs, GNUTLS_HANDSHAKE_CLIENT_HELLO, GNUTLS_HOOK_PRE,
			on_client_hello);
	if (p->require_sni)
		gnutls_handshake_set_post_client_hello_function(
			s->gs, after_client_hello);
	return r;
}

static int set_up_client(struct tls_session *s)
{
	struct tls_policy *p = s->policy;
	gnutls_datum_t data;
	int r = 0;

	if (s->peer && !is_address(s->peer))
		r = gnutls_server_name_set(s->gs, GNUTLS_NAME_DNS, s->peer,
					   strlen(s->peer));
	if (r < 0 || !p->cache)
		return r;
	gnutls_handshake_set_hook_function(s->gs,
					   GNUTLS_HANDSHAKE_NEW_SESSION_TICKET,
					   GNUTLS_HOOK_POST, on_ticket);
	if (cache_take(p->cache, p->name, s->peer ? s->peer : "", &data)) {
		/* one that does not fit any more means a full handshake */
		(void)gnutls_session_set_data(s->gs, data.data, data.size);
		explicit_bzero(data.data, data.size);
		gnutls_free(data.data);
	}
	return 0;
}

static int set_up(struct tls_session *s)
{
	struct tls_policy *p = s->policy;
	unsigned flags =
		GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_KEY_SHARE_TOP;
	int r;

	flags |= p->role == TLS_SERVER ? GNUTLS_SERVER : GNUTLS_CLIENT;
	if (!p->tickets && !p->cache)
		flags |= GNUTLS_NO_TICKETS;
	if (s->terse)
		flags |= GNUTLS_NO_AUTO_SEND_TICKET;
	r = gnutls_init(&s->gs, flags);
	if (r < 0) {
		s->gs = NULL;
		return r;
	}
	gnutls_session_set_ptr(s->gs, s);
	gnutls_transport_set_ptr(s->gs, s);
	gnutls_transport_set_pull_function(s->gs, pull);
	gnutls_transport_set_vec_push_function(s->gs, push);
	gnutls_transport_set_pull_timeout_function(s->gs, pull_timeout);
	r = gnutls_priority_set(s->gs, p->rules.all);
	if (r == 0)
		r = gnutls_credentials_set(s->gs, GNUTLS_CRD_CERTIFICATE,
					   p->cred);
	if (r == 0 && p->n_alpn)
		r = gnutls_alpn_set_protocols(
			s->gs, p->alpn, p->n_alpn,
			p->role == TLS_SERVER
				? GNUTLS_ALPN_MANDATORY |
					  GNUTLS_ALPN_SERVER_PRECEDENCE
				: 0);
	if (p->verify != TLS_VERIFY_NONE)
		gnutls_session_set_verify_function(s->gs, on_verify);
	if (p->keylog_fd >= 0)
		gnutls_session_set_keylog_function(s->gs, on_keylog);
	if (r == 0)
		r = p->role == TLS_SERVER ? set_up_server(s) : set_up_client(s);
	return r;
}

static int make(struct tls_policy *p, const char *peer, const struct tls_io *io,
		void *arg, bool terse, struct tls_session **ret)
{
	struct tls_session *s;
	int r;

	if (peer && strlen(peer) >= TLS_NAME_MAX)
		return -ENAMETOOLONG;
	if (p->check_name && !peer)
		return -EINVAL; /* nothing to check against */
	s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->policy = tls_policy_ref(p);
	s->io = io;
	s->arg = arg;
	s->pulled = 1;
	s->terse = terse;
	s->peer = peer && p->role == TLS_CLIENT ? strdup(peer) : NULL;
	r = peer && p->role == TLS_CLIENT && !s->peer ? GNUTLS_E_MEMORY_ERROR
						      : set_up(s);
	if (r < 0) {
		tls_session_free(s);
		return r == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL;
	}
	*ret = s;
	return 0;
}

int tls_session_new(struct tls_policy *p, const char *peer,
		    const struct tls_io *io, void *arg,
		    struct tls_session **ret)
{
	return make(p, peer, io, arg, false, ret);
}

int tls_session_new_terse(struct tls_policy *p, const char *peer,
			  const struct tls_io *io, void *arg,
			  struct tls_session **ret)
{
	return make(p, peer, io, arg, true, ret);
}

void tls_session_free(struct tls_session *s)
{
	if (!s)
		return;
	if (s->gs)
		gnutls_deinit(s->gs);
	staple_unref(s->staple);
	tls_policy_unref(s->policy);
	free(s->peer);
	free(s->scratch);
	free(s->text);
	free(s->ahead);
	free(s->out);
	free(s);
}

/* ---- handshake
 * -------------------------------------------------------------------------- */

/* The alert goes out as far as it can at once; then the session is dead. */
static int give_up(struct tls_session *s)
{
	if (s->alert && !s->alert_received && !s->io_error)
		(void)gnutls_alert_send(s->gs, GNUTLS_AL_FATAL, s->alert);
	return s->code;
}

/* A resumed session carries the certificate of the first one, which may have
 * been revoked since, or may be of another policy. */
static int check_resumed(struct tls_session *s)
{
	unsigned n;

	if (s->policy->verify == TLS_VERIFY_NONE)
		return 0;
	if (gnutls_certificate_get_peers(s->gs, &n) && n)
		return s->verified ? 0 : verify_peer(s);
	if (s->policy->verify == TLS_VERIFY_REQUIRED)
		return session_fail(s, -EACCES, TLS_ERR_CERT_MISSING,
				    AL_CERTIFICATE_REQUIRED,
				    "the resumed session has no certificate");
	return 0;
}

/* Only a client asks this: a server has chosen from the list itself. */
static int check_suite(struct tls_session *s)
{
	struct tls_info info;

	if (!s->policy->rules.listed || s->policy->role == TLS_SERVER)
		return 0;
	tls_session_info(s, &info);
	if (suites_allow(&s->policy->rules, info.suite))
		return 0;
	return session_fail(s, -EPROTO, TLS_ERR_SUITE, AL_ILLEGAL_PARAMETER,
			    "the server chose %s, which is not on the list",
			    info.suite_name);
}

static int check_alpn(struct tls_session *s)
{
	gnutls_datum_t d;

	if (!s->policy->need_alpn ||
	    gnutls_alpn_get_selected_protocol(s->gs, &d) == 0)
		return 0;
	return session_fail(s, -EPROTO, TLS_ERR_ALPN,
			    AL_NO_APPLICATION_PROTOCOL,
			    "the peer named no application protocol (ALPN)");
}

static int finish(struct tls_session *s)
{
	struct tls_policy *p = s->policy;
	gnutls_datum_t data;
	int r = check_resumed(s);

	if (r == 0)
		r = check_suite(s);
	if (r == 0)
		r = check_alpn(s);
	if (r < 0)
		return give_up(s);
	if (p->cache && gnutls_protocol_get_version(s->gs) != GNUTLS_TLS1_3 &&
	    gnutls_session_get_data2(s->gs, &data) == 0)
		cache_put(p->cache, p->name, s->peer ? s->peer : "", &data);
	staple_unref(s->staple);
	s->staple = NULL;
	free(s->scratch);
	s->scratch = NULL;
	bulk_set_up(s);
	s->done = true;
	return 0;
}

/* The peer's end came behind a piece of a record: the library says -EAGAIN for
 * the piece and would see the end at its next pull, but of an end no event
 * tells a second time. */
static bool ends_in_a_record(const struct tls_session *s, int r)
{
	return r == GNUTLS_E_AGAIN && s->eof &&
	       gnutls_record_get_direction(s->gs) == 0;
}

/* gnutls_handshake(), until it is done, failed, or waits. It says
 * GNUTLS_E_AGAIN too when a message goes on in the next record, which may have
 * come already: then no event tells of it. */
static int shake(struct tls_session *s)
{
	struct in_record before;
	int r;

	do {
		before = s->in;
		s->starved = false;
		r = gnutls_handshake(s->gs);
	} while (r == GNUTLS_E_AGAIN && !s->starved && !s->eof &&
		 gnutls_record_get_direction(s->gs) == 0 &&
		 (s->in.records != before.records || s->in.n != before.n ||
		  s->in.left != before.left));
	return r;
}

int tls_session_handshake(struct tls_session *s)
{
	int r;

	if (s->dead)
		return s->code;
	if (s->done)
		return 0;
	do {
		r = shake(s);
		/* a warning, or a signal, is no reason to stop */
	} while (r == GNUTLS_E_INTERRUPTED ||
		 (r == GNUTLS_E_WARNING_ALERT_RECEIVED && s->odd++ < ODD_MAX));
	if (ends_in_a_record(s, r))
		r = gnutls_handshake(s->gs);
	s->want_out =
		r == GNUTLS_E_AGAIN && gnutls_record_get_direction(s->gs) == 1;
	if (r == GNUTLS_E_AGAIN)
		return -EAGAIN;
	s->odd = 0;
	if (r == 0 && s->cut)
		r = GNUTLS_E_PUSH_ERROR;
	if (r == 0)
		return finish(s);
	(void)session_fail_gnutls(s, r);
	return give_up(s);
}

int tls_session_forget(struct tls_session *s)
{
	if (s->policy->role == TLS_SERVER)
		return -EOPNOTSUPP;
	s->forgotten = true;
	if (s->policy->cache)
		cache_drop(s->policy->cache, s->policy->name,
			   s->peer ? s->peer : "");
	return 0;
}

unsigned tls_session_wants(const struct tls_session *s)
{
	if (s->dead)
		return 0;
	if (!s->done)
		return s->want_out ? TLS_WANTS_OUT : TLS_WANTS_IN;
	return (s->ended ? 0u : TLS_WANTS_IN) |
	       (s->held || s->out_n || s->want_out ? TLS_WANTS_OUT : 0u);
}

void tls_session_alert(struct tls_session *s, uint8_t alert)
{
	if (s->dead)
		return;
	(void)session_fail(s, -ECANCELED, TLS_ERR_PROTOCOL, alert,
			   "given up by our side");
	(void)give_up(s);
}
