/*
 * names_res.c: res_query() and its relatives, which give a program the
 * server's message as it is. Questions are made and read by libc and c-ares;
 * only the way to the servers is ours.
 */
#include "client/names.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>

#define QUESTION_MAX 1024

/* As the resolver of libc tells it: -1 and h_errno. */
static int no_answer(int herr)
{
	h_errno = herr;
	return -1;
}

int names_res_send(unsigned id, const unsigned char *msg, int len,
		   unsigned char *answer, int cap)
{
	int n;

	if (len < HFIXEDSZ || cap < HFIXEDSZ) {
		errno = EINVAL;
		return -1;
	}
	n = names_dns_send(id, msg, len, answer, cap);
	if (n < 0)
		errno = n == EAI_MEMORY ? ENOMEM : ETIMEDOUT;
	return n < 0 ? -1 : n;
}

int names_res_query(unsigned id, const char *name, int class, int type,
		    unsigned char *answer, int cap)
{
	unsigned char msg[QUESTION_MAX];
	HEADER h;
	int n = res_mkquery(QUERY, name, class, type, NULL, 0, NULL, msg,
			    sizeof(msg));

	if (n < 0)
		return no_answer(NO_RECOVERY);
	n = names_res_send(id, msg, n, answer, cap);
	if (n < HFIXEDSZ)
		return no_answer(TRY_AGAIN);
	memcpy(&h, answer, sizeof(h));
	switch (h.rcode) {
	case NOERROR:
		return ntohs(h.ancount) ? n : no_answer(NO_DATA);
	case NXDOMAIN:
		return no_answer(HOST_NOT_FOUND);
	case SERVFAIL:
		return no_answer(TRY_AGAIN);
	default:
		return no_answer(NO_RECOVERY);
	}
}

/* The i-th domain of the list, "" for none. */
static void domain(const char *search, unsigned i, char *ret, size_t len)
{
	const char *p = search;
	size_t n;

	for (;; i--) {
		p += strspn(p, " ");
		n = strcspn(p, " ");
		if (!n || i == 0)
			break;
		p += n;
	}
	snprintf(ret, len, "%.*s", (int)n, p);
}

bool names_candidate(const struct proto_config *cf, const char *name,
		     unsigned i, char *full, size_t len)
{
	size_t n = strlen(name);
	bool absolute = n && name[n - 1] == '.';
	bool first = absolute || strchr(name, '.');
	char d[sizeof(cf->search)];

	if (first && i == 0)
		return (size_t)snprintf(full, len, "%s", name) < len;
	if (absolute)
		return false;
	domain(cf->search, i - first, d, sizeof(d));
	if (d[0])
		return (size_t)snprintf(full, len, "%s.%s", name, d) < len;
	/* behind the list: the name itself, if it was not the first */
	if (first)
		return false;
	if (i > 0)
		domain(cf->search, i - 1, d, sizeof(d));
	return (i == 0 || d[0]) &&
	       (size_t)snprintf(full, len, "%s", name) < len;
}

int names_res_search(unsigned id, const char *name, int class, int type,
		     unsigned char *answer, int cap)
{
	char full[NS_MAXDNAME];
	struct proto_config cf;
	int first = HOST_NOT_FOUND;
	bool again = false;

	if (names_config(id, &cf) < 0)
		return no_answer(TRY_AGAIN);
	for (unsigned i = 0; names_candidate(&cf, name, i, full, sizeof(full));
	     i++) {
		int n = names_res_query(id, full, class, type, answer, cap);

		if (n >= 0)
			return n;
		again |= h_errno == TRY_AGAIN;
		if (i == 0)
			first = h_errno;
	}
	/* what the servers said of a name with a dot as it is, counts most */
	if (strchr(name, '.'))
		return no_answer(first);
	return no_answer(again ? TRY_AGAIN : h_errno);
}
