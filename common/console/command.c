#include "console/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

int words_split(struct words *ret, const char *line)
{
	char *dst = ret->text;
	size_t len = strlen(line);

	ret->n = 0;
	if (len > CONSOLE_LINE_MAX)
		return -EMSGSIZE;
	if (line[0] == '*')
		return 0;
	for (;;) {
		char quote = '\0';

		line += strspn(line, " \t\r\n");
		if (!*line)
			return 0;
		if (ret->n == CONSOLE_WORDS_MAX)
			return -E2BIG;
		ret->w[ret->n++] = dst;
		for (; *line && (quote || !strchr(" \t\r\n", *line)); line++) {
			if (*line == quote)
				quote = '\0';
			else if (!quote && (*line == '\'' || *line == '"'))
				quote = *line;
			else
				*dst++ = *line;
		}
		if (quote)
			return -EINVAL;
		/* at most one zero per blank or quote read: it fits */
		*dst++ = '\0';
	}
}

/* What stands behind "job,D=" or "job,DATA="; NULL: it is no such word. */
static char *msg_data(char *word)
{
	char *p = strchr(word, ',');

	if (p && strncasecmp(p, ",DATA=", 6) == 0)
		return p + 6;
	return p && strncasecmp(p, ",D=", 3) == 0 ? p + 3 : NULL;
}

void words_from_msg(struct words *w)
{
	static char query[] = "QUERY", id[] = "ID";
	char *data;
	int skip;

	if (w->n < 2 || strcasecmp(w->w[0], "MSG") != 0)
		return;
	data = msg_data(w->w[1]);
	if (!data) {
		if (w->n == 2) {
			w->w[0] = query;
			w->w[1] = id;
		}
		return;
	}
	w->w[1] = data;
	skip = *data ? 1 : 2; /* a blank may follow the sign */
	w->n -= skip;
	memmove(w->w, w->w + skip, (size_t)w->n * sizeof w->w[0]);
}

/* Does `word` match one of the spellings of the keyword at `p`? */
static bool spelled(const char *p, const char *word)
{
	size_t len = strlen(word);

	while (*p && *p != ' ') {
		size_t n = strcspn(p, "| ");

		if (n == len && strncasecmp(p, word, n) == 0)
			return true;
		p += n;
		p += *p == '|';
	}
	return false;
}

static const char *next_keyword(const char *p)
{
	p += strcspn(p, " ");
	return p + strspn(p, " ");
}

/* How many leading keywords of `c` are there in `w`; *ret_all: all of them. */
static int matching(const struct command *c, const struct words *w,
		    bool *ret_all)
{
	const char *p = c->words;
	int n = 0;

	while (*p && n < w->n && spelled(p, w->w[n])) {
		p = next_keyword(p);
		n++;
	}
	*ret_all = *p == '\0';
	return n;
}

static void append(char *buf, size_t len, const char *text, size_t n)
{
	size_t used = strlen(buf);

	if (used + 1 < len)
		snprintf(buf + used, len - used, "%.*s", (int)n, text);
}

/* "QUERY what? expected LINKS, ROUTES, ..." after `depth` good words. */
static void complain(const struct command *table, size_t n,
		     const struct words *w, int depth, char *err, size_t len)
{
	char last[64] = "";
	bool first = true;

	err[0] = '\0';
	if (depth < w->n) {
		append(err, len, w->w[depth], 40);
		append(err, len, ": ", 2);
	}
	for (int i = 0; i < depth; i++) {
		append(err, len, w->w[i], 40);
		append(err, len, " ", 1);
	}
	append(err, len, depth ? "takes " : "no such command; expected ",
	       SIZE_MAX / 2);
	for (size_t i = 0; i < n; i++) {
		const char *p = table[i].words;
		bool all;
		size_t k;

		if (matching(&table[i], w, &all) < depth)
			continue;
		for (int j = 0; j < depth; j++)
			p = next_keyword(p);
		k = strcspn(p, "| ");
		if (!k || (strncmp(last, p, k) == 0 && !last[k]))
			continue;
		snprintf(last, sizeof last, "%.*s", (int)k, p);
		append(err, len, first ? "" : ", ", 2);
		append(err, len, p, k);
		first = false;
	}
}

const struct command *command_find(const struct command *table, size_t n,
				   const struct words *w, int *ret_n, char *err,
				   size_t err_len)
{
	const struct command *best = NULL;
	int best_n = -1, depth = 0;

	for (size_t i = 0; i < n; i++) {
		bool all;
		int k = matching(&table[i], w, &all);

		depth = MAX(depth, k);
		if (all && k > best_n) {
			best = &table[i];
			best_n = k;
		}
	}
	if (!best || best_n < depth) {
		complain(table, n, w, depth, err, err_len);
		return NULL;
	}
	*ret_n = best_n;
	return best;
}

const char *command_name(const struct command *c, char *buf, size_t len)
{
	buf[0] = '\0';
	for (const char *p = c->words; *p; p = next_keyword(p)) {
		append(buf, len, buf[0] ? " " : "", 1);
		append(buf, len, p, strcspn(p, "| "));
	}
	return buf;
}
