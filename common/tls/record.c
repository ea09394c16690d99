/*
 * record.c: bytes through an established session.
 */
#include "tls/room.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A piece of this size or more is sealed where it lies, without a copy. */
enum { GATHER_MIN = 4096 };

/* Rounds of the library that bring no data (tickets, key updates) before the
 * loop gets its turn. */
enum { ROUNDS_MAX = 16 };

enum { LIMIT_MIN = 64 }; /* that a peer may set for its records [RFC8449 4] */

static void drop_scratch(struct tls_session *s)
{
	if (UNLIKELY(s->scratch != NULL)) {
		free(s->scratch);
		s->scratch = NULL;
	}
}

/* ---- reading
 * -------------------------------------------------------------------------- */

static int refuse_renegotiation(struct tls_session *s)
{
	if (gnutls_alert_send(s->gs, GNUTLS_AL_WARNING,
			      GNUTLS_A_NO_RENEGOTIATION) < 0 ||
	    s->policy->role == TLS_SERVER || ++s->odd > ODD_MAX)
		return session_fail(s, -EPROTO, TLS_ERR_RENEGOTIATE,
				    GNUTLS_A_NO_RENEGOTIATION,
				    "the peer asked for renegotiation");
	/* a server may ask, and go on when it gets none [RFC5246 7.4.1.1] */
	return 0;
}

/* What did not bring data. 0: go on; -EAGAIN; others: dead. */
static int no_data(struct tls_session *s, ssize_t n)
{
	switch (n) {
	case GNUTLS_E_AGAIN:
		s->want_out = gnutls_record_get_direction(s->gs) == 1;
		return s->want_out || s->starved ? -EAGAIN : 0;
	case GNUTLS_E_INTERRUPTED:
		return 0;
	case GNUTLS_E_WARNING_ALERT_RECEIVED:
		if (++s->odd <= ODD_MAX)
			return 0;
		return session_fail(s, -EPROTO, TLS_ERR_PROTOCOL, 10,
				    "too many warning alerts");
	case GNUTLS_E_REHANDSHAKE:
		return refuse_renegotiation(s);
	default:
		return session_fail_gnutls(s, (int)n);
	}
}

static void say_last_word(struct tls_session *s)
{
	if (s->alert && !s->alert_received && !s->io_error && !s->closing &&
	    !s->held)
		(void)gnutls_alert_send(s->gs, GNUTLS_AL_FATAL, s->alert);
}

/* GnuTLS said `n` after it took `records`. Was that a record of data, and
 * nothing else? See bulk.c. */
static void judge(struct tls_session *s, ssize_t n, uint32_t records)
{
	if (n > 0 && records <= 1) {
		s->slow_in = false;
	} else if (records) {
		s->slow_in = true;
		s->slow_out = true;
	}
}

static ssize_t read_one(struct tls_session *s, void *buf, size_t len)
{
	int r = 0;

	if (s->dead)
		return s->code;
	if (s->ended)
		return 0;
	if (!s->done)
		return -ENOTCONN;
	drop_scratch(s);
	for (unsigned i = 0; i < ROUNDS_MAX; i++) {
		uint32_t before = s->in.records;
		ssize_t n;

		s->starved = false;
		n = gnutls_record_recv(s->gs, buf, len);
		judge(s, n, s->in.records - before);
		if (n > 0) {
			s->odd = 0;
			return n;
		}
		if (n == 0) {
			s->ended = true;
			return 0;
		}
		r = no_data(s, n);
		if (r < 0)
			break;
	}
	if (s->dead)
		say_last_word(s);
	return r < 0 ? r : -EAGAIN;
}

/* What is left when a read has to stop in the middle, e.g. until the answer to
 * a key update can be sent. */
static int keep_ahead(struct tls_session *s)
{
	uint8_t *kept = malloc(s->ahead_n);

	if (!kept)
		return session_fail(s, -ENOMEM, TLS_ERR_MEMORY, 80,
				    "out of memory");
	memcpy(kept, s->ahead + s->ahead_at, s->ahead_n);
	s->ahead = kept;
	s->ahead_at = 0;
	return 0;
}

static int end_ahead(struct tls_session *s, const uint8_t *stack)
{
	bool over = s->dead || s->ended;

	s->room = 0;
	if (s->ahead_n && !over)
		return s->ahead == stack ? keep_ahead(s) : 0;
	if (s->ahead != stack)
		free(s->ahead);
	s->ahead = NULL;
	s->ahead_n = 0;
	return 0;
}

/* Bytes that were kept, back on the stack. */
static void unkeep(struct tls_session *s, uint8_t *stack)
{
	uint8_t *kept = s->ahead;

	if (kept == stack)
		return;
	memcpy(stack, kept + s->ahead_at, s->ahead_n);
	s->ahead = stack;
	s->ahead_at = 0;
	free(kept);
}

static ssize_t read_many(struct tls_session *s, uint8_t *buf, size_t len,
			 uint8_t *stack)
{
	size_t got = 0;
	ssize_t n;

	if (bulk_reads(s, len)) {
		unkeep(s, stack);
		n = bulk_read(s, buf, len);
		if (n != 0)
			return n;
	}
	do {
		/* what was kept comes first */
		s->room = s->ahead == stack ? len - got : 0;
		n = read_one(s, buf + got, len - got);
		if (n > 0)
			got += (size_t)n;
	} while (n > 0 && s->ahead_n && got < len && !bulk_reads(s, SIZE_MAX));
	return got ? (ssize_t)got : n;
}

ssize_t tls_session_read(struct tls_session *s, void *buf, size_t len)
{
	uint8_t stack[BULK_WIRE];
	ssize_t n;
	int r;

	if (!s->ahead)
		s->ahead = stack;
	n = read_many(s, buf, len, stack);
	r = end_ahead(s, stack);
	return n > 0 || r == 0 ? n : r;
}

bool tls_session_pending(const struct tls_session *s)
{
	return s->dead || s->ended || s->pulled <= 0 ||
	       (s->done &&
		(gnutls_record_check_pending(s->gs) > 0 || bulk_pending(s)));
}

/* ---- writing
 * -------------------------------------------------------------------------- */

/* GnuTLS sent `n` bytes of text: does the peer take full records? */
static void learn(struct tls_session *s, ssize_t n)
{
	if (n == TLS_RECORD_MAX)
		s->slow_out = false;
}

static int write_fault(struct tls_session *s, ssize_t n)
{
	if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED) {
		s->want_out = true;
		return -EAGAIN;
	}
	return session_fail_gnutls(s, (int)n);
}

static int push_held(struct tls_session *s)
{
	ssize_t n = s->held ? gnutls_record_send(s->gs, NULL, 0) : 0;

	if (n < 0)
		return write_fault(s, n);
	learn(s, n);
	s->held = 0;
	return 0;
}

/* Also what was begun and could not be sent. */
static int push_key_update(struct tls_session *s)
{
	int r = gnutls_session_key_update(s->gs, GNUTLS_KU_PEER);

	if (r < 0)
		return write_fault(s, r);
	s->rekeying = false;
	s->key_records = 0;
	return 0;
}

int tls_session_flush(struct tls_session *s)
{
	int r;

	if (s->dead)
		return s->code;
	if (s->out_n) {
		r = session_push_out(s);
		if (r == -EAGAIN || r == -EINTR)
			return -EAGAIN;
		if (r < 0) {
			s->io_error = r;
			return session_fail_gnutls(s, GNUTLS_E_PUSH_ERROR);
		}
	}
	if (s->closing && !s->closed)
		return tls_session_close(s);
	r = push_held(s);
	if (r == 0 && UNLIKELY(s->rekeying))
		r = push_key_update(s);
	if (r == 0)
		s->want_out = false;
	return r;
}

/* New keys for our direction, before too much is sealed with one. 0, -EAGAIN
 * (call again), others: dead. */
static int renew_key(struct tls_session *s)
{
	int r;

	if (LIKELY(s->key_records < KEY_RECORDS_MAX) ||
	    gnutls_protocol_get_version(s->gs) != GNUTLS_TLS1_3)
		return 0;
	r = gnutls_session_key_update(s->gs, 0);
	if (r < 0)
		return write_fault(s, r);
	s->key_records = 0;
	s->want_out = false;
	return 0;
}

/* GnuTLS holds a record: of how many of the `n` bytes? Fewer if the peer set a
 * limit [RFC8449] [RFC6066 4], which GnuTLS tells only when it is pushed. 0:
 * padding hides it. What is smaller than any limit is a key update, behind
 * which GnuTLS keeps all bytes. */
static size_t sealed(const struct tls_session *s, size_t n)
{
	size_t over = gnutls_record_overhead_size(s->gs);

	if (s->offered >= n + RECORD_HEAD ||
	    s->offered <= LIMIT_MIN + RECORD_HEAD)
		return n;
	if (gnutls_mac_get(s->gs) != GNUTLS_MAC_AEAD || s->offered <= over)
		return 0;
	return s->offered - over;
}

static ssize_t hold(struct tls_session *s, size_t n)
{
	s->held = sealed(s, n);
	if (!s->held)
		return session_fail(s, -EPROTO, TLS_ERR_PROTOCOL, 0,
				    "the peer's limit of records is not known");
	return (ssize_t)s->held;
}

ssize_t tls_session_write(struct tls_session *s, const void *buf, size_t len)
{
	int r = s->done ? tls_session_flush(s) : -ENOTCONN;
	size_t n = MIN(len, (size_t)TLS_RECORD_MAX);
	ssize_t sent;

	if (s->dead)
		return s->code;
	if (r < 0)
		return r;
	if (s->closing)
		return -EPIPE;
	if (len == 0)
		return 0;
	drop_scratch(s);
	r = renew_key(s);
	if (r < 0)
		return r;
	if (bulk_writes(s, len))
		return bulk_write(s, buf, len);
	s->key_records++;
	s->offered = 0;
	sent = gnutls_record_send(s->gs, buf, n);
	if (sent > 0) {
		learn(s, sent);
		return sent;
	}
	r = write_fault(s, sent);
	return r == -EAGAIN ? hold(s, n) : r;
}

ssize_t tls_session_writev(struct tls_session *s, const struct iovec *iov,
			   int n)
{
	uint8_t buf[TLS_RECORD_MAX];
	size_t len = 0;

	while (n > 0 && iov[0].iov_len == 0) {
		iov++;
		n--;
	}
	if (n <= 0)
		return 0;
	if (n == 1 || iov[0].iov_len >= GATHER_MIN)
		return tls_session_write(s, iov[0].iov_base, iov[0].iov_len);
	for (int i = 0; i < n && len < sizeof buf; i++) {
		size_t part = MIN(iov[i].iov_len, sizeof buf - len);

		memcpy(buf + len, iov[i].iov_base, part);
		len += part;
	}
	return tls_session_write(s, buf, len);
}

int tls_session_update_keys(struct tls_session *s)
{
	if (s->dead)
		return s->code;
	if (!s->done || s->closing)
		return -ENOTCONN;
	if (gnutls_protocol_get_version(s->gs) != GNUTLS_TLS1_3)
		return -EPROTONOSUPPORT;
	s->rekeying = true;
	return tls_session_flush(s);
}

int tls_session_close(struct tls_session *s)
{
	int r;

	if (s->dead)
		return s->code;
	if (!s->done)
		return -ENOTCONN;
	if (s->closed)
		return 0;
	if ((s->held || s->out_n || s->rekeying) && !s->closing) {
		r = tls_session_flush(s);
		if (r < 0)
			return r;
	}
	s->closing = true;
	r = gnutls_bye(s->gs, GNUTLS_SHUT_WR);
	if (r < 0)
		return write_fault(s, r);
	s->closed = true;
	s->want_out = false;
	return 0;
}
