#include "client/proto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME_PREFIX "c/"
#define SERIAL_MAX ((UINT64_C(1) << 48) - 1)

void proto_addr_put(const struct ip_port *p, struct proto_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (p->addr.family == IP_NONE)
		return;
	ret->family = p->addr.family;
	ret->port = p->port;
	ret->scope = p->scope;
	memcpy(ret->b, p->addr.b, sizeof(ret->b));
}

int proto_addr_get(const struct proto_addr *a, struct ip_port *ret)
{
	struct ip_port p = {.port = a->port, .scope = a->scope};

	if (a->family != IP_NONE && a->family != IP_V4 && a->family != IP_V6)
		return -EINVAL;
	if (a->family != IP_NONE)
		p.addr = ip_from_bytes((enum ip_family)a->family, a->b);
	*ret = p;
	return 0;
}

/* Names are made once per connection: no printf. `to` takes 20 digits. */
static size_t emit_number(uint64_t v, unsigned base, char *to)
{
	char digits[20];
	size_t n = 0, i = 0;

	do
		digits[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	while (n)
		to[i++] = digits[--n];
	return i;
}

/* One end: "ADDRESS%SCOPE#PORT", at most PROTO_NAME_MAX bytes. Full-length
 * addresses leave no room for a scope, and have none: link-local ones are
 * short. */
static size_t emit_end(const struct ip_port *p, char *to)
{
	size_t n = strlen(ip_format(&p->addr, to));

	if (p->scope) {
		to[n++] = '%';
		n += emit_number(p->scope, 10, to + n);
	}
	to[n++] = '#';
	return n + emit_number(p->port, 10, to + n);
}

size_t proto_name_emit(uint64_t serial, const struct ip_port *local,
		       const struct ip_port *remote, char *ret)
{
	char b[3 * PROTO_NAME_MAX];
	size_t n = sizeof(NAME_PREFIX);

	b[0] = '\0';
	memcpy(b + 1, NAME_PREFIX, n - 1);
	n += emit_number(serial & SERIAL_MAX, 16, b + n);
	b[n++] = '/';
	n += emit_end(local, b + n);
	b[n++] = '-';
	n += emit_end(remote, b + n);
	n = MIN(n, PROTO_NAME_MAX);
	memcpy(ret, b, n);
	return n;
}

static int parse_end(char *text, struct ip_port *ret)
{
	char *hash = strrchr(text, '#'), *end;
	char *scope = strchr(text, '%');
	struct ip_port p = {0};
	unsigned long v;

	if (!hash || !hash[1])
		return -EINVAL;
	*hash = '\0';
	v = strtoul(hash + 1, &end, 10);
	if (*end || v > UINT16_MAX)
		return -EINVAL;
	p.port = (uint16_t)v;
	if (scope) {
		*scope = '\0';
		v = strtoul(scope + 1, &end, 10);
		if (*end || v > UINT32_MAX)
			return -EINVAL;
		p.scope = (uint32_t)v;
	}
	if (ip_parse(text, &p.addr) < 0)
		return -EINVAL;
	if (ret)
		*ret = p;
	return 0;
}

int proto_name_parse(const char *name, size_t len, uint64_t *ret_serial,
		     struct ip_port *ret_local, struct ip_port *ret_remote)
{
	const size_t skip = 1 + sizeof(NAME_PREFIX) - 1;
	char b[PROTO_NAME_MAX + 1], *dash, *end;
	uint64_t serial;

	if (len <= skip || len > PROTO_NAME_MAX || name[0] != '\0' ||
	    memcmp(name + 1, NAME_PREFIX, skip - 1) != 0)
		return -EINVAL;
	memcpy(b, name + skip, len - skip);
	b[len - skip] = '\0';
	serial = strtoull(b, &end, 16);
	if (end == b || *end != '/' || serial > SERIAL_MAX)
		return -EINVAL;
	dash = strchr(end, '-');
	if (!dash)
		return -EINVAL;
	*dash = '\0';
	if (parse_end(end + 1, ret_local) < 0 ||
	    parse_end(dash + 1, ret_remote) < 0)
		return -EINVAL;
	if (ret_serial)
		*ret_serial = serial;
	return 0;
}
