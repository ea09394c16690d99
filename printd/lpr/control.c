/* control.c: the control file [RFC1179 7] of lpd.h. */
#include "lpr/lpd.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int lpd_file_number(char letter)
{
	if (letter >= 'A' && letter <= 'Z')
		return letter - 'A';
	return letter >= 'a' && letter <= 'z' ? letter - 'a' + 26 : -1;
}

/* Text for displays and banners: cut to size, controls become '_'. */
static void take_text(char *to, size_t cap, const char *p, size_t len)
{
	size_t n = MIN(len, cap - 1);

	for (size_t i = 0; i < n; i++)
		to[i] = iscntrl((unsigned char)p[i]) ? '_' : p[i];
	to[n] = '\0';
}

static unsigned take_number(const char *p, size_t len)
{
	unsigned v = 0;

	for (size_t i = 0; i < len && isdigit((unsigned char)p[i]); i++)
		v = MIN(v * 10 + (unsigned)(p[i] - '0'), 10000u);
	return v;
}

/* A print line: format letter, then a data file's name. Equal lines in a
 * row are copies. */
static int take_print(struct lpd_job *j, char format, const char *p, size_t len,
		      const char *name)
{
	struct lpd_print *last = j->prints ? &j->print[j->prints - 1] : NULL;
	int file;

	if (len < 6 || p[0] != 'd' || p[1] != 'f')
		return -EBADMSG;
	file = lpd_file_number(p[2]);
	if (file < 0)
		return -EBADMSG;
	if (last && last->file == file && last->format == format) {
		if (last->copies < UINT16_MAX)
			last->copies++;
		return 0;
	}
	if (j->prints == LPD_PRINTS_MAX)
		return -EBADMSG;
	last = &j->print[j->prints++];
	last->format = format;
	last->file = (uint8_t)file;
	last->copies = 1;
	memcpy(last->name, name, sizeof(last->name));
	return 0;
}

/* N names the file of the print lines before it, as most clients write it,
 * or, when all have a name, of those to come. */
static void take_name(struct lpd_job *j, const char *p, size_t len,
		      char *to_come)
{
	bool used = false;

	for (unsigned i = 0; i < j->prints; i++)
		if (!j->print[i].name[0]) {
			take_text(j->print[i].name, sizeof(j->print[i].name), p,
				  len);
			used = true;
		}
	if (!used)
		take_text(to_come, LPR_NAME_MAX + 1, p, len);
}

static int take_line(struct lpd_job *j, const char *p, size_t len, char *name)
{
	char c = *p++;

	len--;
	switch (c) {
	case 'H':
		take_text(j->host, sizeof(j->host), p, len);
		return 0;
	case 'P':
		take_text(j->user, sizeof(j->user), p, len);
		return 0;
	case 'J':
		take_text(j->job, sizeof(j->job), p, len);
		return 0;
	case 'C':
		take_text(j->jobclass, sizeof(j->jobclass), p, len);
		return 0;
	case 'T':
		take_text(j->title, sizeof(j->title), p, len);
		return 0;
	case 'M':
		take_text(j->mail, sizeof(j->mail), p, len);
		return 0;
	case 'L':
		j->banner = true;
		return 0;
	case 'N':
		take_name(j, p, len, name);
		return 0;
	case 'I':
		j->indent = take_number(p, len);
		return 0;
	case 'W':
		j->width = take_number(p, len);
		return 0;
	default:
		break;
	}
	if (strchr("cdfglnoprtv", c))
		return take_print(j, c, p, len, name);
	return 0; /* S U 1 2 3 4, and what products add: not for us */
}

int lpd_control_parse(const char *text, size_t len, struct lpd_job *ret,
		      unsigned *ret_line)
{
	const char *p = text, *end = text + len;
	char name[LPR_NAME_MAX + 1] = "";
	unsigned line = 0;

	memset(ret, 0, sizeof(*ret));
	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((lf ? lf : end) - p);

		line++;
		if (n > 0 && *p && take_line(ret, p, n, name)) {
			*ret_line = line;
			return -EBADMSG;
		}
		p += n + 1;
	}
	*ret_line = line;
	return ret->prints ? 0 : -EBADMSG;
}
