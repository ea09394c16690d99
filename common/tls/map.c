#include "tls/map.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum field { F_SHA256, F_SUBJECT, F_CN, F_EMAIL, F_DNS, F_COUNT };

static const char *const field_names[F_COUNT] = {"SHA256", "SUBJECT", "CN",
						 "EMAIL", "DNS"};

struct rule {
	enum field field;
	char want[MAP_NAME_MAX];
	char user[MAP_NAME_MAX];
};

struct map_rules {
	size_t n;
	struct rule *rule;
};

/* ---- reading
 * -------------------------------------------------------------------- */

/* The next word of a line, or one in double quotes. 1, 0 at the end of the
 * line, -EINVAL. */
static int next_word(const char **p, char *word)
{
	size_t n = 0;
	char stop;

	while (**p == ' ' || **p == '\t' || **p == '\r')
		(*p)++;
	if (!**p || **p == '\n' || **p == '#')
		return 0;
	stop = **p == '"' ? '"' : ' ';
	if (stop == '"')
		(*p)++;
	while (**p && **p != '\n' && **p != stop &&
	       (stop == '"' || !isspace((unsigned char)**p))) {
		if (n == MAP_NAME_MAX - 1)
			return -EINVAL;
		word[n++] = *(*p)++;
	}
	word[n] = '\0';
	if (stop == '"' && *(*p) != '"')
		return -EINVAL;
	if (stop == '"')
		(*p)++;
	return n ? 1 : -EINVAL;
}

/* Fingerprints are written with colons or blanks between, or not. */
static bool clean_sha256(char *s)
{
	size_t n = 0;

	for (const char *p = s; *p; p++) {
		if (*p == ':')
			continue;
		if (!isxdigit((unsigned char)*p))
			return false;
		s[n++] = (char)tolower((unsigned char)*p);
	}
	s[n] = '\0';
	return n == 64;
}

static bool valid(struct rule *r)
{
	const char *star = strchr(r->want, '*');

	if (r->field == F_SHA256)
		return clean_sha256(r->want) && strcmp(r->user, "*") != 0;
	if (star && strchr(star + 1, '*'))
		return false;
	return star || strcmp(r->user, "*") != 0;
}

/* One line. 1: a rule; 0: nothing in it; -EINVAL. */
static int read_line(const char *p, struct rule *r)
{
	char field[MAP_NAME_MAX], more[MAP_NAME_MAX];
	int f = 0, n = next_word(&p, field);

	if (n <= 0)
		return n;
	while (f < F_COUNT && strcasecmp(field, field_names[f]) != 0)
		f++;
	if (f == F_COUNT)
		return -EINVAL;
	r->field = (enum field)f;
	if (next_word(&p, r->want) != 1 || next_word(&p, r->user) != 1 ||
	    next_word(&p, more) != 0)
		return -EINVAL;
	return valid(r) ? 1 : -EINVAL;
}

static bool grow(struct map_rules *m, const struct rule *r)
{
	struct rule *more;

	if ((m->n & (m->n - 1)) == 0) { /* 0 and powers of two */
		more = realloc(m->rule,
			       (m->n ? 2 * m->n : 1) * sizeof *m->rule);
		if (!more)
			return false;
		m->rule = more;
	}
	m->rule[m->n++] = *r;
	return true;
}

static int read_lines(struct map_rules *m, const char *text, char *why,
		      size_t cap)
{
	unsigned line = 1;

	for (const char *p = text; *p; line++) {
		struct rule r;
		int n = read_line(p, &r);

		if (n < 0) {
			(void)snprintf(why, cap,
				       "line %u of the user map: expected "
				       "SHA256|SUBJECT|CN|EMAIL|DNS, a value "
				       "with at most one *, and a user",
				       line);
			return n;
		}
		if (n > 0 && m->n == MAP_RULES_MAX) {
			(void)snprintf(why, cap,
				       "line %u of the user map: more than %d "
				       "rules",
				       line, MAP_RULES_MAX);
			return -EINVAL;
		}
		if (n > 0 && !grow(m, &r))
			return -ENOMEM;
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	return 0;
}

int map_parse(const char *text, struct map_rules **ret, char *why, size_t cap)
{
	struct map_rules *m = calloc(1, sizeof *m);
	int r = m ? 0 : -ENOMEM;

	if (cap)
		why[0] = '\0';
	if (r == 0)
		r = read_lines(m, text, why, cap);
	if (r < 0) {
		if (r == -ENOMEM)
			(void)snprintf(why, cap, "out of memory");
		map_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

void map_free(struct map_rules *m)
{
	if (!m)
		return;
	free(m->rule);
	free(m);
}

/* ---- matching
 * ------------------------------------------------------------------- */

/* Does `value` fit? What the * stood for: *part, *len. */
static bool fits(const char *want, const char *value, const char **part,
		 size_t *len)
{
	const char *star = strchr(want, '*');
	size_t head, tail, n = strlen(value);

	*part = value;
	*len = n;
	if (!star)
		return strcasecmp(want, value) == 0;
	head = (size_t)(star - want);
	tail = strlen(star + 1);
	if (n < head + tail || strncasecmp(want, value, head) != 0 ||
	    strcasecmp(star + 1, value + n - tail) != 0)
		return false;
	*part = value + head;
	*len = n - head - tail;
	return true;
}

bool map_user(const char *name, size_t len, char *user, size_t cap)
{
	if (len == 0 || len >= cap)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] <= ' ' ||
		    (unsigned char)name[i] == 0x7f)
			return false;
	memcpy(user, name, len);
	user[len] = '\0';
	return true;
}

static bool try_value(const struct rule *r, const char *value, char *user,
		      size_t cap)
{
	const char *part;
	size_t len;

	if (!value[0] || !fits(r->want, value, &part, &len))
		return false;
	if (strcmp(r->user, "*") == 0)
		return map_user(part, len, user, cap);
	return map_user(r->user, strlen(r->user), user, cap);
}

static bool try_rule(const struct rule *r, const struct map_facts *f,
		     char *user, size_t cap)
{
	switch (r->field) {
	case F_SHA256:
		return try_value(r, f->sha256, user, cap);
	case F_SUBJECT:
		return try_value(r, f->subject, user, cap);
	case F_CN:
		return try_value(r, f->cn, user, cap);
	case F_EMAIL:
		for (unsigned i = 0; i < f->n_email; i++)
			if (try_value(r, f->email[i], user, cap))
				return true;
		return false;
	case F_DNS:
		for (unsigned i = 0; i < f->n_dns; i++)
			if (try_value(r, f->dns[i], user, cap))
				return true;
		return false;
	case F_COUNT:
		break;
	}
	return false;
}

bool map_find(const struct map_rules *m, const struct map_facts *f, char *user,
	      size_t cap)
{
	for (size_t i = 0; i < m->n; i++)
		if (try_rule(&m->rule[i], f, user, cap))
			return true;
	return false;
}
