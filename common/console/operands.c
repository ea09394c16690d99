#include "console/operands.h"

#include "console/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct operands operands_of(struct console_cmd *cmd, int first)
{
	return (struct operands){.cmd = cmd, .next = first};
}

bool operands_more(const struct operands *o)
{
	return !o->bad && o->next < console_words(o->cmd)->n;
}

void operands_expected(struct operands *o, const char *expected)
{
	const struct words *w = console_words(o->cmd);

	if (o->bad)
		return;
	o->bad = true;
	if (o->next < w->n)
		console_error(o->cmd, "%s: expected %s", w->w[o->next],
			      expected);
	else
		console_error(o->cmd, "expected %s behind %s", expected,
			      w->w[w->n - 1]);
}

const char *operands_word(struct operands *o, const char *what)
{
	if (!operands_more(o)) {
		operands_expected(o, what);
		return NULL;
	}
	return console_words(o->cmd)->w[o->next++];
}

bool operands_is(struct operands *o, const char *word)
{
	if (!operands_more(o) ||
	    strcasecmp(console_words(o->cmd)->w[o->next], word) != 0)
		return false;
	o->next++;
	return true;
}

/* Complains about the word that was taken last. */
void operands_wrong(struct operands *o, const char *expected)
{
	o->next--;
	operands_expected(o, expected);
}

static bool digits(const char *s, uint64_t *ret)
{
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	*ret = strtoull(s, &end, 10);
	return !*end && !errno;
}

uint64_t operands_number(struct operands *o, const char *what, uint64_t lo,
			 uint64_t hi)
{
	char text[128];
	const char *w;
	uint64_t v;

	snprintf(text, sizeof text, "%s, %llu..%llu", what,
		 (unsigned long long)lo, (unsigned long long)hi);
	w = operands_word(o, text);
	if (!w)
		return lo;
	if (digits(w, &v) && v >= lo && v <= hi)
		return v;
	operands_wrong(o, text);
	return lo;
}

uint64_t operands_size(struct operands *o, const char *what, uint64_t hi)
{
	static const char units[] = "KMG";
	const char *w = operands_word(o, what), *u;
	char number[32];
	unsigned shift = 0;
	size_t len;
	uint64_t v;

	if (!w)
		return 0;
	snprintf(number, sizeof number, "%s", w);
	len = strlen(number);
	u = len ? strchr(units, number[len - 1] & ~0x20) : NULL;
	if (u && *u) {
		shift = 10 * (unsigned)(u - units + 1);
		number[len - 1] = '\0';
	}
	if (strlen(w) < sizeof number && digits(number, &v) && v <= hi >> shift)
		return v << shift;
	operands_wrong(o, what);
	return 0;
}

void operands_addr(struct operands *o, const char *what, struct ip_addr *ret)
{
	const char *w = operands_word(o, what);

	if (w && ip_parse(w, ret) < 0)
		operands_wrong(o, what);
}

void operands_prefix(struct operands *o, const char *what,
		     struct ip_prefix *ret)
{
	const char *w = operands_word(o, what), *slash;
	char addr[ADDR_TEXT_MAX];
	uint64_t len;

	if (!w)
		return;
	slash = strchr(w, '/');
	snprintf(addr, sizeof addr, "%.*s",
		 (int)(slash ? (size_t)(slash - w) : strlen(w)), w);
	if (ip_parse(addr, &ret->addr) < 0) {
		operands_wrong(o, what);
		return;
	}
	len = ip_addr_len(&ret->addr) * 8;
	if (slash &&
	    (!digits(slash + 1, &len) || len > ip_addr_len(&ret->addr) * 8))
		operands_wrong(o, what);
	else
		ret->len = (uint8_t)len;
}

bool operands_ok(struct operands *o, const char *expected)
{
	if (operands_more(o))
		operands_expected(o, expected);
	return !o->bad;
}
