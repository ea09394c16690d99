/* pjl.c: brackets, queries and the parser of pjl.h. */
#include "pjl/pjl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define UEL "\033%%-12345X" /* for formats */

/* What the lines of a block belong to. */
enum block { B_NONE = 0, B_DEVICE, B_JOB, B_PAGE, B_COUNT };

static void put(uint8_t *out, size_t *n, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

static void put(uint8_t *out, size_t *n, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vsnprintf((char *)out + *n, PJL_BRACKET_MAX - *n, fmt, ap);
	va_end(ap);
	INVARIANT(r >= 0 && (size_t)r < PJL_BRACKET_MAX - *n);
	*n += (size_t)r;
}

/* A name between quotes: printable ASCII without quotes. */
static void clean(const char *in, char out[PJL_NAME_MAX + 1])
{
	size_t n = 0;

	for (; *in && n < PJL_NAME_MAX; in++) {
		unsigned char c = (unsigned char)*in;

		out[n++] = (char)(c < ' ' || c > '~' || c == '"' ? '_' : c);
	}
	out[n] = '\0';
}

size_t pjl_job_start(const char *name, const char *language, uint8_t *out)
{
	char text[PJL_NAME_MAX + 1];
	size_t n = 0;

	clean(name, text);
	put(out, &n,
	    UEL "@PJL \r\n@PJL JOB NAME=\"%s\"\r\n"
		"@PJL USTATUS DEVICE=ON\r\n@PJL USTATUS JOB=ON\r\n"
		"@PJL USTATUS PAGE=ON\r\n",
	    text);
	if (language && *language) {
		clean(language, text);
		put(out, &n, "@PJL ENTER LANGUAGE=%s\r\n", text);
	}
	return n;
}

size_t pjl_job_end(const char *name, uint8_t *out)
{
	char text[PJL_NAME_MAX + 1];
	size_t n = 0;

	clean(name, text);
	put(out, &n, UEL "@PJL \r\n@PJL EOJ NAME=\"%s\"\r\n" UEL, text);
	return n;
}

size_t pjl_query(uint8_t *out)
{
	size_t n = 0;

	put(out, &n,
	    UEL "@PJL \r\n@PJL INFO STATUS\r\n@PJL INFO PAGECOUNT\r\n" UEL);
	return n;
}

enum pjl_condition pjl_condition_of(unsigned code)
{
	switch (code / 1000) {
	case 10: /* informational: ready, warming up, busy, power save */
		return PJL_READY;
	case 11:
	case 41: /* paper: load, wrong size */
	case 42: /* jams */
	case 44:
		return PJL_PAPER;
	case 25:
	case 30:
	case 35:
	case 40:
		return PJL_OPERATOR;
	case 32:
	case 50:
	case 53:
	case 54:
	case 55:
		return PJL_FAULT;
	default:
		return PJL_UNKNOWN;
	}
}

const char *pjl_condition_name(enum pjl_condition c)
{
	switch (c) {
	case PJL_UNKNOWN:
		return "unknown";
	case PJL_READY:
		return "ready";
	case PJL_OFFLINE:
		return "off line";
	case PJL_PAPER:
		return "paper";
	case PJL_OPERATOR:
		return "attention";
	case PJL_FAULT:
		return "fault";
	}
	return "?";
}

/* ---- parser ----------------------------------------------------------------
 */

/* KEY = value or KEY=value: the value without quotes, or NULL. */
static const char *value_of(char *line, const char *key)
{
	size_t n = strlen(key);
	char *p, *end;

	if (strncasecmp(line, key, n))
		return NULL;
	p = line + n;
	while (*p == ' ')
		p++;
	if (*p++ != '=')
		return NULL;
	while (*p == ' ')
		p++;
	end = p + strlen(p);
	while (end > p && end[-1] == ' ')
		*--end = '\0';
	if (*p == '"' && end - p >= 2 && end[-1] == '"') {
		p++;
		end[-1] = '\0';
	}
	return p;
}

static unsigned number(const char *text)
{
	unsigned long v = strtoul(text, NULL, 10);

	return v > UINT32_MAX ? UINT32_MAX : (unsigned)v;
}

static void block_begin(struct pjl *p, enum block b)
{
	p->block = (uint8_t)b;
	memset(&p->ev, 0, sizeof(p->ev));
	p->ev.online = true;
}

/* "@PJL USTATUS DEVICE", "@PJL INFO STATUS", ... begin a block. */
static void head_line(struct pjl *p, const char *words)
{
	static const struct {
		const char *words;
		enum block block;
	} heads[] = {
		{"USTATUS DEVICE", B_DEVICE}, {"INFO STATUS", B_DEVICE},
		{"USTATUS TIMED", B_DEVICE},  {"USTATUS JOB", B_JOB},
		{"USTATUS PAGE", B_PAGE},     {"INFO PAGECOUNT", B_COUNT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		if (!strncasecmp(words, heads[i].words,
				 strlen(heads[i].words))) {
			block_begin(p, heads[i].block);
			return;
		}
	p->block = B_NONE; /* an echo, or a block that says nothing to us */
}

static void device_line(struct pjl *p, char *line)
{
	const char *v;

	if ((v = value_of(line, "CODE"))) {
		p->ev.kind = PJL_EV_DEVICE;
		p->ev.code = number(v);
	} else if ((v = value_of(line, "ONLINE"))) {
		p->ev.kind = PJL_EV_DEVICE;
		p->ev.online = strcasecmp(v, "FALSE") != 0;
	} else if ((v = value_of(line, "DISPLAY"))) {
		snprintf(p->ev.display, sizeof(p->ev.display), "%s", v);
	}
}

static void job_line(struct pjl *p, char *line)
{
	const char *v;

	if (!strcasecmp(line, "START")) {
		p->ev.kind = PJL_EV_START;
	} else if (!strcasecmp(line, "END") || !strcasecmp(line, "CANCELED")) {
		p->ev.kind = PJL_EV_END;
		p->ev.cancelled = *line == 'C' || *line == 'c';
	} else if ((v = value_of(line, "NAME"))) {
		snprintf(p->ev.name, sizeof(p->ev.name), "%.*s",
			 (int)PJL_NAME_MAX, v);
	} else if ((v = value_of(line, "PAGES"))) {
		p->ev.pages = number(v);
		p->ev.has_pages = true;
	} else if ((v = value_of(line, "RESULT"))) {
		p->ev.cancelled = strstr(v, "CANCEL") != NULL;
	}
}

/* A line with a number alone, or PAGE=n. */
static void number_line(struct pjl *p, char *line, enum pjl_event_kind kind)
{
	const char *v = value_of(line, "PAGE");

	if (!v)
		v = line;
	if (*v < '0' || *v > '9')
		return;
	p->ev.kind = kind;
	p->ev.pages = number(v);
	p->ev.has_pages = true;
}

static void take_line(struct pjl *p)
{
	char *line = p->line;

	if (!strncasecmp(line, "@PJL", 4)) {
		line += 4;
		while (*line == ' ')
			line++;
		head_line(p, line);
		return;
	}
	switch ((enum block)p->block) {
	case B_DEVICE:
		device_line(p, line);
		break;
	case B_JOB:
		job_line(p, line);
		break;
	case B_PAGE:
		number_line(p, line, PJL_EV_PAGE);
		break;
	case B_COUNT:
		number_line(p, line, PJL_EV_COUNT);
		break;
	case B_NONE:
		p->nonsense++;
		break;
	}
}

static void line_over(struct pjl *p)
{
	while (p->len > 0 &&
	       (p->line[p->len - 1] == '\r' || p->line[p->len - 1] == ' '))
		p->len--;
	p->line[p->len] = '\0';
	for (char *cr = p->line; (cr = strchr(cr, '\r'));)
		*cr = '?'; /* not at the end: no line end of PJL */
	if (p->len > 0)
		take_line(p);
	p->len = 0;
}

/* FF: the block is whole. True when it says something. */
static bool block_over(struct pjl *p, struct pjl_event *ev)
{
	line_over(p);
	p->block = B_NONE;
	if (p->ev.kind == PJL_EV_NONE)
		return false;
	if (p->ev.kind == PJL_EV_DEVICE) {
		p->ev.condition = pjl_condition_of(p->ev.code);
		if (!p->ev.online &&
		    (p->ev.condition == PJL_READY ||
		     p->ev.condition == PJL_UNKNOWN || p->ev.code == 40000))
			p->ev.condition = PJL_OFFLINE;
	}
	*ev = p->ev;
	p->ev.kind = PJL_EV_NONE;
	return true;
}

size_t pjl_input(struct pjl *p, const void *data, size_t len,
		 struct pjl_event *ret_ev)
{
	const uint8_t *d = data;

	ret_ev->kind = PJL_EV_NONE;
	for (size_t i = 0; i < len; i++) {
		if (d[i] == '\f') {
			if (block_over(p, ret_ev))
				return i + 1;
		} else if (d[i] == '\n') {
			line_over(p);
		} else if (p->len < PJL_LINE_MAX - 1) {
			bool text =
				(d[i] >= ' ' && d[i] < 0x7f) || d[i] == '\r';

			p->line[p->len++] = text ? (char)d[i] : '?';
		}
	}
	return len;
}
