/*
 * bulk.c: many records of TLS 1.3 in one call.
 *
 * GnuTLS takes and gives one record at a time, each through a buffer of its
 * own. Where much is under way, its keys and sequence numbers are borrowed for
 * the length of one call: records are opened from the wire's bytes into the
 * reader's buffer, and sealed from the writer's into one push. Nothing of that
 * outlives the call, so that everything else (handshake messages, key updates,
 * alerts, errors) stays GnuTLS', which goes on where we stopped.
 *
 * What is not plain data is left to it as it came:
 *	- a record that does not open, or that holds something else than data,
 *	  or none, is read again by GnuTLS, which knows what to say about it;
 *	- the record behind such a one too, so that it sees that nothing stands
 *	  between the pieces of a handshake message [RFC8446 5.1];
 *	- the record written after such a one, because GnuTLS answers a request
 *	  for new keys with its next record [RFC8446 4.6.3];
 *	- the first of each direction. That of the writer shows whether the peer
 *	  takes records of full size [RFC8449].
 */
#include "tls/room.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

enum {
	NONCE_LEN = 12,
	TYPE_DATA = 23,
	RECORD_LESS = RECORD_WIRE - TLS_RECORD_MAX,
};

/* One direction's, for one call. */
struct borrowed {
	gnutls_aead_cipher_hd_t hd;
	uint8_t iv[NONCE_LEN];
	uint64_t seq;
};

enum dir { DIR_WRITE, DIR_READ }; /* as GnuTLS counts them */

static bool borrow(struct tls_session *s, enum dir dir, struct borrowed *b)
{
	gnutls_datum_t mac, iv, key;
	uint8_t seq[8];

	if (gnutls_record_get_state(s->gs, dir, &mac, &iv, &key, seq) < 0 ||
	    iv.size != NONCE_LEN ||
	    gnutls_aead_cipher_init(&b->hd, gnutls_cipher_get(s->gs), &key) < 0)
		return false;
	memcpy(b->iv, iv.data, NONCE_LEN);
	b->seq = 0;
	for (size_t i = 0; i < sizeof seq; i++)
		b->seq = b->seq << 8 | seq[i];
	return true;
}

/* 0, or the session is dead: a number must never be used twice. */
static int give_back(struct tls_session *s, enum dir dir, struct borrowed *b)
{
	uint8_t seq[8];

	for (size_t i = 0; i < sizeof seq; i++)
		seq[i] = (uint8_t)(b->seq >> (56 - 8 * i));
	gnutls_aead_cipher_deinit(b->hd);
	explicit_bzero(b->iv, sizeof b->iv);
	if (gnutls_record_set_state(s->gs, dir, seq) < 0)
		return session_fail(s, -EPROTO, TLS_ERR_PROTOCOL, 0,
				    "the sequence number cannot be set");
	return 0;
}

/* [RFC8446 5.3] */
static void nonce(const struct borrowed *b, uint8_t out[NONCE_LEN])
{
	memcpy(out, b->iv, NONCE_LEN);
	for (size_t i = 0; i < 8; i++)
		out[NONCE_LEN - 8 + i] ^= (uint8_t)(b->seq >> (56 - 8 * i));
}

void bulk_set_up(struct tls_session *s)
{
	gnutls_cipher_algorithm_t c = gnutls_cipher_get(s->gs);

	s->bulk = gnutls_protocol_get_version(s->gs) == GNUTLS_TLS1_3 &&
		  (c == GNUTLS_CIPHER_AES_128_GCM ||
		   c == GNUTLS_CIPHER_AES_256_GCM ||
		   c == GNUTLS_CIPHER_CHACHA20_POLY1305);
	s->slow_in = s->slow_out = true;
}

/* ---- reading
 * -------------------------------------------------------------------------- */

bool bulk_reads(const struct tls_session *s, size_t len)
{
	return s->bulk && s->done && !s->slow_in && !s->dead && !s->ended &&
	       len >= 2u * TLS_RECORD_MAX && session_between(s);
}

/* Bytes of the record that lies ahead, 0: not all of it, or none. One that is
 * longer than may be is not waited for: GnuTLS refuses it by its header. */
static size_t record_ahead(const struct tls_session *s)
{
	const uint8_t *p = s->ahead + s->ahead_at;
	size_t len;

	if (s->ahead_n < RECORD_HEAD)
		return 0;
	len = (size_t)RECORD_HEAD + ((size_t)p[3] << 8 | p[4]);
	return len <= s->ahead_n || len > RECORD_WIRE ? len : 0;
}

/* Opens record `p` of `n` bytes; the text goes to buf, which has room for the
 * text. Its length, or 0: not for us. */
static size_t open_record(const struct borrowed *b, const uint8_t *p, size_t n,
			  uint8_t *buf, size_t room)
{
	uint8_t iv[NONCE_LEN], whole[TLS_RECORD_MAX + 1];
	size_t len = n - RECORD_HEAD - RECORD_TAG;
	/* the type stands behind the text: of the last record there is no
	 * room for it */
	uint8_t *to = len <= room ? buf : whole;

	nonce(b, iv);
	if (gnutls_aead_cipher_decrypt(b->hd, iv, sizeof iv, p, RECORD_HEAD,
				       RECORD_TAG, p + RECORD_HEAD,
				       n - RECORD_HEAD, to, &len) < 0)
		return 0;
	/* padding [RFC8446 5.4] */
	while (len && !to[len - 1])
		len--;
	if (len < 2 || to[--len] != TYPE_DATA || len > room)
		return 0;
	if (to == whole)
		memcpy(buf, whole, len);
	return len;
}

static bool plausible(const uint8_t *p, size_t n)
{
	return p[0] == TYPE_DATA && p[1] == 3 && p[2] == 3 && n > RECORD_LESS &&
	       n <= RECORD_WIRE;
}

/* Opens the record of `n` bytes that lies ahead. Bytes of text; 0: GnuTLS is
 * to read it. */
static size_t open_ahead(struct tls_session *s, struct borrowed *b, size_t n,
			 uint8_t *buf, size_t room)
{
	const uint8_t *p = s->ahead + s->ahead_at;
	size_t len = plausible(p, n) ? open_record(b, p, n, buf, room) : 0;

	s->slow_in = !len;
	if (!len)
		return 0;
	b->seq++;
	s->ahead_at += (uint32_t)n;
	s->ahead_n -= (uint32_t)n;
	return len;
}

/* What one pull may bring: no more than has room at the reader. Bytes, 0:
 * none. */
static size_t refill(struct tls_session *s, size_t room)
{
	size_t cap =
		MIN(room / TLS_RECORD_MAX * RECORD_WIRE, (size_t)BULK_WIRE);
	ssize_t n;

	if (s->pulled <= 0 || cap <= s->ahead_n)
		return 0;
	if (s->ahead_at)
		memmove(s->ahead, s->ahead + s->ahead_at, s->ahead_n);
	s->ahead_at = 0;
	n = s->io->pull(s->arg, s->ahead + s->ahead_n, cap - s->ahead_n);
	if (n <= 0) {
		s->pulled = n == -EAGAIN ? 1 : (int)n;
		return 0;
	}
	s->ahead_n += (uint32_t)n;
	return (size_t)n;
}

ssize_t bulk_read(struct tls_session *s, uint8_t *buf, size_t len)
{
	struct borrowed b = {.hd = NULL};
	size_t got = 0, n;

	while (!s->slow_in) {
		n = record_ahead(s);
		if (!n) {
			/* with bytes in hand nothing is waited for: the
			 * caller's wire may block */
			if (got || !refill(s, len))
				break;
			continue;
		}
		if (got && n - RECORD_LESS > len - got)
			break;
		if (!b.hd && !borrow(s, DIR_READ, &b)) {
			s->bulk = false;
			break;
		}
		got += open_ahead(s, &b, n, buf + got, len - got);
	}
	if (b.hd && give_back(s, DIR_READ, &b) < 0)
		return s->code;
	if (got)
		return (ssize_t)got;
	s->starved = s->pulled == 1 && !s->slow_in && s->bulk;
	return s->starved ? -EAGAIN : 0;
}

bool bulk_pending(const struct tls_session *s)
{
	return s->ahead && record_ahead(s);
}

/* ---- writing
 * -------------------------------------------------------------------------- */

bool bulk_writes(const struct tls_session *s, size_t len)
{
	return s->bulk && !s->slow_out && len > TLS_RECORD_MAX;
}

/* One record at `to`. Its bytes, or 0. */
static size_t seal_record(struct borrowed *b, uint8_t *to, const uint8_t *text,
			  size_t len)
{
	uint8_t iv[NONCE_LEN], type = TYPE_DATA;
	size_t n = len + 1 + RECORD_TAG;
	giovec_t head = {to, RECORD_HEAD};
	giovec_t in[2] = {{(void *)(uintptr_t)text, len}, {&type, 1}};

	to[0] = TYPE_DATA;
	to[1] = to[2] = 3;
	to[3] = (uint8_t)(n >> 8);
	to[4] = (uint8_t)n;
	nonce(b, iv);
	/* counted before it is used: whatever comes, never twice */
	b->seq++;
	if (gnutls_aead_cipher_encryptv(b->hd, iv, sizeof iv, &head, 1,
					RECORD_TAG, in, 2, to + RECORD_HEAD,
					&n) < 0)
		return 0;
	return RECORD_HEAD + n;
}

static int push_fault(struct tls_session *s, int r)
{
	s->io_error = r;
	return session_fail_gnutls(s, GNUTLS_E_PUSH_ERROR);
}

/* Pushes `n` bytes at `p`, and keeps what was not taken. 0 or dead. */
static int push_or_keep(struct tls_session *s, uint8_t *p, size_t n)
{
	struct iovec v = {p, n};
	ssize_t r = s->io->push(s->arg, &v, 1);

	if (r < 0 && r != -EAGAIN && r != -EINTR)
		return push_fault(s, (int)r);
	if (r < 0)
		r = 0;
	if ((size_t)r == n)
		return 0;
	s->out = malloc(n - (size_t)r);
	if (!s->out)
		return session_fail(s, -ENOMEM, TLS_ERR_MEMORY, 80,
				    "out of memory");
	memcpy(s->out, p + r, n - (size_t)r);
	s->out_at = 0;
	s->out_n = (uint32_t)(n - (size_t)r);
	return 0;
}

ssize_t bulk_write(struct tls_session *s, const uint8_t *buf, size_t len)
{
	uint8_t wire[BULK_WIRE];
	struct borrowed b;
	size_t n = 0, taken = 0;
	int r;

	if (!borrow(s, DIR_WRITE, &b))
		return session_fail(s, -EPROTO, TLS_ERR_PROTOCOL, 80,
				    "the keys cannot be had");
	len = MIN(len, (size_t)TLS_WRITE_MAX);
	while (taken < len) {
		size_t part = MIN(len - taken, (size_t)TLS_RECORD_MAX);
		size_t made = seal_record(&b, wire + n, buf + taken, part);

		if (!made)
			break;
		n += made;
		taken += part;
		s->key_records++;
	}
	r = give_back(s, DIR_WRITE, &b);
	if (r == 0 && taken < len)
		r = session_fail(s, -EPROTO, TLS_ERR_PROTOCOL, 80,
				 "a record cannot be sealed");
	if (r == 0)
		r = push_or_keep(s, wire, n);
	return r < 0 ? r : (ssize_t)taken;
}

int session_push_out(struct tls_session *s)
{
	while (s->out_n) {
		struct iovec v = {s->out + s->out_at, s->out_n};
		ssize_t r = s->io->push(s->arg, &v, 1);

		if (r < 0)
			return (int)r;
		s->out_at += (uint32_t)r;
		s->out_n -= (uint32_t)r;
	}
	free(s->out);
	s->out = NULL;
	return 0;
}
