/*
 * names_old.c: gethostbyname() and its family, over names.c.
 */
#include "client/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Space handed out from the caller's buffer, aligned for pointers. */
struct space {
	char *p, *end;
};

static void *take(struct space *s, size_t n)
{
	char *p = (char *)(((uintptr_t)s->p + 7) & ~(uintptr_t)7);

	if (p > s->end || (size_t)(s->end - p) < n)
		return NULL;
	s->p = p + n;
	return p;
}

static int fill(struct hostent *he, const char *name, int family,
		const struct ip_port *a, size_t n, struct space s)
{
	size_t alen = family == AF_INET ? 4 : 16, nlen = strlen(name) + 1;
	char **list = take(&s, (n + 1) * sizeof(*list));
	char **aliases = take(&s, sizeof(*aliases));
	char *text = take(&s, nlen);

	if (!list || !aliases || !text)
		return ERANGE;
	memcpy(text, name, nlen);
	aliases[0] = NULL;
	for (size_t i = 0; i < n; i++) {
		list[i] = take(&s, alen);
		if (!list[i])
			return ERANGE;
		memcpy(list[i], a[i].addr.b, alen);
	}
	list[n] = NULL;
	*he = (struct hostent){.h_name = text,
			       .h_aliases = aliases,
			       .h_addrtype = family,
			       .h_length = (int)alen,
			       .h_addr_list = list};
	return 0;
}

static int old_error(int eai)
{
	switch (eai) {
	case EAI_AGAIN:
	case EAI_SYSTEM:
		return TRY_AGAIN;
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return NO_DATA;
	case EAI_FAIL:
	case EAI_MEMORY:
		return NO_RECOVERY;
	default:
		return HOST_NOT_FOUND;
	}
}

static int finish(int r, struct hostent *he, struct hostent **res, int *herr)
{
	if (r == 0)
		*res = he;
	else if (r == ERANGE)
		*herr = NETDB_INTERNAL;
	return r;
}

int names_hostbyname(unsigned id, const char *name, int family,
		     struct hostent *he, char *buf, size_t len,
		     struct hostent **res, int *herr)
{
	struct space s = {buf, buf + len};
	struct names_list l = {.n = 0};
	int r = 0;

	*res = NULL;
	if (family != AF_INET && family != AF_INET6) {
		*herr = NO_RECOVERY;
		return EAFNOSUPPORT;
	}
	if (names_number(id, name, &l.a[0]) == 0) {
		l.n = 1;
		strncpy(l.canon, name, sizeof(l.canon) - 1);
		if (l.a[0].addr.family != (family == AF_INET ? IP_V4 : IP_V6))
			r = EAI_ADDRFAMILY;
	} else {
		r = names_lookup(id, name, family, false, &l);
	}
	if (r) {
		*herr = old_error(r);
		return r == EAI_AGAIN ? EAGAIN : 0;
	}
	return finish(fill(he, l.canon, family, l.a, l.n, s), he, res, herr);
}

int names_hostbyaddr(unsigned id, const void *addr, socklen_t alen, int family,
		     struct hostent *he, char *buf, size_t len,
		     struct hostent **res, int *herr)
{
	struct space s = {buf, buf + len};
	struct ip_port p = {0};
	char name[256];
	int r;

	*res = NULL;
	if ((family != AF_INET || alen < 4) &&
	    (family != AF_INET6 || alen < 16)) {
		*herr = NO_RECOVERY;
		return EINVAL;
	}
	p.addr = ip_from_bytes(family == AF_INET ? IP_V4 : IP_V6, addr);
	r = names_reverse(id, &p.addr, name, sizeof(name));
	if (r) {
		*herr = old_error(r);
		return r == EAI_AGAIN ? EAGAIN : 0;
	}
	return finish(fill(he, name, family, &p, 1, s), he, res, herr);
}
