/* hello.c: the server name of a ClientHello. */
#include "base/cursor.h"
#include "head/head.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define RECORD_HANDSHAKE 22      /* [RFC8446 5.1] */
#define HANDSHAKE_CLIENT_HELLO 1 /* [RFC8446 4] */
#define EXT_SERVER_NAME 0        /* [RFC6066 3] */
#define NAME_HOST 0

/*
 * The bytes of the handshake out of the records around them, as many as there
 * are [RFC8446 5.1: a message may span records]. Their number, or -EPROTO.
 */
static ssize_t unwrap(const uint8_t *buf, size_t len, uint8_t *out)
{
	struct rcur c = rcur_of(buf, len);
	size_t n = 0;

	while (rcur_left(&c) >= 5) {
		uint8_t type = rcur_8(&c), major = rcur_8(&c);
		uint8_t minor = rcur_8(&c);
		size_t part = rcur_16(&c);

		(void)minor;
		if (type != RECORD_HANDSHAKE || major != 3 || !part ||
		    n + part > HEAD_HELLO_MAX)
			return -EPROTO;
		part = MIN(part, rcur_left(&c));
		rcur_copy(&c, out + n, part);
		n += part;
	}
	return (ssize_t)n;
}

/* The part of `c` behind a length of `bytes` bytes (1, 2). */
static struct rcur vector(struct rcur *c, int bytes)
{
	size_t n = bytes == 1 ? rcur_8(c) : rcur_16(c);
	const uint8_t *p = rcur_bytes(c, n);

	return rcur_of(p, p ? n : 0);
}

static int take_name(struct rcur *ext, char *name)
{
	struct rcur list = vector(ext, 2);
	uint8_t type = rcur_8(&list);
	struct rcur host = vector(&list, 2);
	size_t n = rcur_left(&host);

	if (!rcur_ok(ext) || !rcur_ok(&list) || type != NAME_HOST || !n ||
	    n > HEAD_NAME_MAX)
		return -EPROTO;
	for (size_t i = 0; i < n; i++) {
		uint8_t b = rcur_8(&host);

		if (b <= ' ' || b > '~')
			return -EPROTO;
		name[i] = (char)tolower(b);
	}
	name[n] = '\0';
	return 0;
}

/* [RFC8446 4.1.2] */
static int client_hello(struct rcur c, char *name)
{
	struct rcur exts;

	(void)rcur_bytes(&c, 2 + 32); /* legacy_version, random */
	(void)vector(&c, 1);          /* session id */
	(void)vector(&c, 2);          /* cipher suites */
	(void)vector(&c, 1);          /* compression methods */
	if (!rcur_ok(&c))
		return -EPROTO;
	if (!rcur_left(&c))
		return 0; /* old: no extensions at all */
	exts = vector(&c, 2);
	while (rcur_left(&exts)) {
		uint16_t type = rcur_16(&exts);
		struct rcur ext = vector(&exts, 2);

		if (!rcur_ok(&exts))
			return -EPROTO;
		if (type == EXT_SERVER_NAME)
			return take_name(&ext, name);
	}
	return rcur_ok(&c) ? 0 : -EPROTO;
}

int head_sni(const uint8_t *buf, size_t len, char *name)
{
	uint8_t hello[HEAD_HELLO_MAX];
	ssize_t n = unwrap(buf, len, hello);
	size_t want;

	name[0] = '\0';
	if (n < 0 || (len && buf[0] != RECORD_HANDSHAKE))
		return -EPROTO;
	if (n < 4)
		return -EAGAIN;
	if (hello[0] != HANDSHAKE_CLIENT_HELLO)
		return -EPROTO;
	want = (size_t)hello[1] << 16 | (size_t)hello[2] << 8 | hello[3];
	if (want + 4 > HEAD_HELLO_MAX)
		return -EPROTO;
	if ((size_t)n < want + 4)
		return -EAGAIN;
	return client_hello(rcur_of(hello + 4, want), name);
}

bool head_name_fits(const char *pattern, const char *name)
{
	size_t end, all;

	if (strncmp(pattern, "*.", 2) != 0)
		return strcmp(pattern, name) == 0;
	end = strlen(pattern + 1);
	all = strlen(name);
	return all > end && strcmp(name + all - end, pattern + 1) == 0;
}
