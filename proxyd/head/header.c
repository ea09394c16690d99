/* header.c: PROXY protocol headers. */
#include "base/cursor.h"
#include "head/head.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- version 1: a line of text [PP 2.1]
 * ----------------------------------------- */

static bool take_port(const char *text, uint16_t *ret)
{
	unsigned long v = 0;
	size_t n = strspn(text, "0123456789");

	if (!n || n > 5 || text[n] || (n > 1 && text[0] == '0'))
		return false;
	v = strtoul(text, NULL, 10);
	*ret = (uint16_t)v;
	return v <= 65535;
}

/* "TCP4 a b p q" */
static int v1_words(char *line, struct head_proxy *ret)
{
	char *word[6], *next = line;
	size_t n = 0;
	uint8_t family;

	while (n < ARRAY_SIZE(word) && (word[n] = strsep(&next, " ")))
		n++;
	if (n && strcmp(word[0], "UNKNOWN") == 0)
		return 0; /* whatever stands behind it */
	if (n != 5 || next)
		return -EPROTO;
	if (strcmp(word[0], "TCP4") == 0)
		family = IP_V4;
	else if (strcmp(word[0], "TCP6") == 0)
		family = IP_V6;
	else
		return -EPROTO;
	if (ip_parse(word[1], &ret->client.addr) < 0 ||
	    ip_parse(word[2], &ret->local.addr) < 0 ||
	    ret->client.addr.family != family ||
	    ret->local.addr.family != family ||
	    !take_port(word[3], &ret->client.port) ||
	    !take_port(word[4], &ret->local.port))
		return -EPROTO;
	ret->known = true;
	return 0;
}

static ssize_t v1_parse(const char *buf, size_t len, struct head_proxy *ret)
{
	char line[HEAD_V1_MAX + 1];
	size_t max = MIN(len, (size_t)HEAD_V1_MAX);
	const char *end = memmem(buf, max, "\r\n", 2);
	size_t n;

	if (!end)
		return len >= HEAD_V1_MAX ? -EPROTO : -EAGAIN;
	n = (size_t)(end - buf);
	if (memchr(buf, 0, n))
		return -EPROTO;
	memcpy(line, buf + 6, n - 6);
	line[n - 6] = '\0';
	if (v1_words(line, ret) < 0)
		return -EPROTO;
	return (ssize_t)n + 2;
}

/* ---- version 2: binary [PP 2.2]
 * ------------------------------------------------- */

static const char v2_magic[12] = "\r\n\r\n\0\r\nQUIT\n";
#define V2_HEAD 16

static void v2_addresses(struct rcur *c, enum ip_family family,
			 struct head_proxy *ret)
{
	size_t n = family == IP_V4 ? 4 : 16;
	const uint8_t *from = rcur_bytes(c, n), *to = rcur_bytes(c, n);
	uint16_t from_port = rcur_16(c), to_port = rcur_16(c);

	if (!rcur_ok(c))
		return;
	ret->client.addr = ip_from_bytes(family, from);
	ret->local.addr = ip_from_bytes(family, to);
	ret->client.port = from_port;
	ret->local.port = to_port;
	ret->known = true;
}

static ssize_t v2_parse(const char *buf, size_t len, struct head_proxy *ret)
{
	struct rcur c = rcur_of(buf, len);
	uint8_t command, family;
	struct rcur rest;
	size_t n;

	(void)rcur_bytes(&c, sizeof v2_magic);
	command = rcur_8(&c);
	family = rcur_8(&c);
	n = rcur_16(&c);
	if (!rcur_ok(&c))
		return -EAGAIN;
	if (command >> 4 != 2 || (command & 15) > 1 ||
	    n + V2_HEAD > HEAD_V2_MAX)
		return -EPROTO;
	if (len < n + V2_HEAD)
		return -EAGAIN;
	rest = rcur_of(buf + V2_HEAD, n);
	/* [PP 2.2] LOCAL: a health check of the sender itself */
	if ((command & 15) == 1 && (family == 0x11 || family == 0x12))
		v2_addresses(&rest, IP_V4, ret);
	else if ((command & 15) == 1 && (family == 0x21 || family == 0x22))
		v2_addresses(&rest, IP_V6, ret);
	return rcur_ok(&rest) ? (ssize_t)(n + V2_HEAD) : -EPROTO;
}

/* ---- the face
 * ------------------------------------------------------------------- */

/* Do the bytes begin like `magic`, as far as they go? */
static bool begins(const char *buf, size_t len, const char *magic, size_t n)
{
	return memcmp(buf, magic, MIN(len, n)) == 0;
}

ssize_t head_proxy_parse(const char *buf, size_t len, unsigned allowed,
			 struct head_proxy *ret)
{
	*ret = (struct head_proxy){.known = false};
	if ((allowed & HEAD_V1) && begins(buf, len, "PROXY ", 6))
		return len > 6 ? v1_parse(buf, len, ret) : -EAGAIN;
	if ((allowed & HEAD_V2) && begins(buf, len, v2_magic, sizeof v2_magic))
		return v2_parse(buf, len, ret);
	return -EPROTO;
}

static size_t v2_emit(const struct ip_port *client, const struct ip_port *local,
		      char *buf)
{
	struct wcur c = wcur_of(buf, HEAD_V1_MAX);
	size_t n = ip_addr_len(&client->addr);

	wcur_copy(&c, v2_magic, sizeof v2_magic);
	wcur_8(&c, 0x21);
	wcur_8(&c, client->addr.family == IP_V4 ? 0x11 : 0x21);
	wcur_16(&c, (uint16_t)(2 * n + 4));
	wcur_copy(&c, client->addr.b, n);
	wcur_copy(&c, local->addr.b, n);
	wcur_16(&c, client->port);
	wcur_16(&c, local->port);
	return wcur_len(&c);
}

size_t head_proxy_emit(unsigned version, const struct ip_port *client,
		       const struct ip_port *local, char *buf)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	if (version == HEAD_V2)
		return v2_emit(client, local, buf);
	return (size_t)snprintf(
		buf, HEAD_V1_MAX + 1, "PROXY TCP%u %s %s %u %u\r\n",
		client->addr.family, ip_format(&client->addr, from),
		ip_format(&local->addr, to), client->port, local->port);
}
