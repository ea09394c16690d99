#include "daemon/fields.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct conversion {
	char spec[24]; /* "%-5ld" */
	int stars;     /* widths and precisions taken from arguments */
	char length;   /* 0, 'h' (h, hh), 'l', 'q' (ll), 'z' */
	char kind;
};

/* Reads the conversion at `p` ("%..."), returns what follows it; NULL when
 * it is none of those that the catalogue may use. */
static const char *read_conversion(const char *p, struct conversion *ret)
{
	const char *start = p++;
	size_t n;

	memset(ret, 0, sizeof *ret);
	for (; *p && strchr("-+ #0123456789.*", *p); p++)
		ret->stars += *p == '*';
	for (; *p == 'h' || *p == 'l' || *p == 'z'; p++)
		ret->length = *p == 'l' && ret->length == 'l' ? 'q' : *p;
	ret->kind = *p;
	n = (size_t)(p - start) + 1;
	if (!*p || !strchr("diouxXsc", *p) || n >= sizeof ret->spec)
		return NULL;
	memcpy(ret->spec, start, n);
	return p + 1;
}

/* Copies the next name of `names`; returns the rest. */
static const char *next_name(const char *names, char *dst, size_t len)
{
	size_t n = 0;

	while (*names == ',' || *names == ' ')
		names++;
	for (; *names && *names != ','; names++)
		if (n + 1 < len)
			dst[n++] =
				isalnum((unsigned char)*names)
					? (char)toupper((unsigned char)*names)
					: '_';
	dst[n] = '\0';
	return names;
}

/* The one argument of `c`, which va_arg takes from `ap`. Patterns come from
 * the catalogue and were checked against their callers when compiled. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void put_value(char *dst, size_t len, const struct conversion *c,
		      va_list *ap)
{
	int star[2] = {0, 0};

	for (int i = 0; i < c->stars && i < 2; i++)
		star[i] = va_arg(*ap, int);
#define PUT(v) \
	(c->stars == 0   ? snprintf(dst, len, c->spec, v) \
	 : c->stars == 1 ? snprintf(dst, len, c->spec, star[0], v) \
			 : snprintf(dst, len, c->spec, star[0], star[1], v))
	if (c->kind == 's')
		PUT(va_arg(*ap, const char *));
	else if (c->length == 'q')
		PUT(va_arg(*ap, long long));
	else if (c->length == 'l')
		PUT(va_arg(*ap, long));
	else if (c->length == 'z')
		PUT(va_arg(*ap, size_t));
	else
		PUT(va_arg(*ap, int));
#undef PUT
}
#pragma GCC diagnostic pop

void fields_make(struct fields *ret, const char *pattern, const char *names,
		 va_list ap)
{
	va_list own;

	ret->n = 0;
	/* a va_list parameter may be an array; a copy can be pointed to */
	va_copy(own, ap);
	while ((pattern = strchr(pattern, '%')) && ret->n < FIELDS_MAX) {
		struct conversion c;
		char name[32], *dst = ret->text[ret->n];
		int n;

		if (pattern[1] == '%') {
			pattern += 2;
			continue;
		}
		pattern = read_conversion(pattern, &c);
		if (!pattern)
			break;
		names = next_name(names, name, sizeof name);
		n = snprintf(dst, FIELD_TEXT_MAX, "COUPLET_%s=", name);
		put_value(dst + n, FIELD_TEXT_MAX - (size_t)n, &c, &own);
		if (name[0])
			ret->n++;
	}
	va_end(own);
}
