#include "session/session.h"

#include "session/dial.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void session_result_make(struct session_result *r, enum session_outcome o,
			 bool maybe, const char *fmt, ...)
{
	va_list ap;

	*r = (struct session_result){.outcome = o, .maybe = maybe};
	va_start(ap, fmt);
	vsnprintf(r->reason, sizeof r->reason, fmt, ap);
	va_end(ap);
}

const char *session_connect_text(int error)
{
	switch (error) {
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
		return "no route: the printer does not answer";
	case ECONNREFUSED:
		return "refused: nobody listens on the printer's port";
	case ENETDOWN:
		return "the stack is not running";
	case DIAL_NO_NAME:
		return "no such host name, or no answer about it";
	default:
		return strerror(error);
	}
}

int session_new(const struct session_env *env, const struct printd_lu *lu,
		const struct session_owner *owner, struct session **ret)
{
	int r = -EINVAL;

	switch (lu->kind) {
	case LU_PRINTER:
		r = session_printer_new(ret, env, lu);
		break;
	case LU_DIRECT:
		r = session_direct_new(ret, env, lu);
		break;
	case LU_LPR:
		r = session_lpr_new(ret, env, lu);
		break;
	case LU_FTP:
	case LU_FTPP:
		r = session_ftp_new(ret, env, lu);
		break;
	case LU_IPP:
		r = session_ipp_new(ret, env, lu);
		break;
	case LU_FILE:
	case LU_PDF:
		r = session_file_new(ret, env, lu);
		break;
	case LU_KINDS:
		break;
	}
	if (r < 0)
		return r;
	(*ret)->env = env;
	(*ret)->lu = lu;
	(*ret)->owner = *owner;
	return 0;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	s->ops->stop(s);
	s->ops->free(s);
}

static void put_word(char *buf, size_t len, size_t *at, const char *word)
{
	for (; *word && *at + 1 < len; word++) {
		unsigned char c = (unsigned char)*word;
		bool safe = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
			    (c >= 'a' && c <= 'z') || strchr("-_@#$+=", c) ||
			    (c == '.' && *at > 0);

		buf[(*at)++] = safe ? (char)c : '_';
	}
}

void session_file_name(const struct printd_lu *lu,
		       const struct session_job *job, const char *suffix,
		       char *buf, size_t len)
{
	char number[16];
	size_t at = 0;

	snprintf(number, sizeof number, "%08u", job->id);
	for (const char *p = lu->opt.name; *p; p++) {
		char one[2] = {*p, '\0'};

		if (*p != '%' || !p[1]) {
			put_word(buf, len, &at, one);
			continue;
		}
		switch (*++p) {
		case 'l':
			put_word(buf, len, &at, lu->name);
			break;
		case 'j':
			put_word(buf, len, &at, number);
			break;
		case 't':
			put_word(buf, len, &at, job->title);
			break;
		case 'u':
			put_word(buf, len, &at, job->user);
			break;
		default:
			put_word(buf, len, &at, "%");
			break;
		}
	}
	buf[at] = '\0';
	snprintf(buf + at, len - at, "%s", suffix);
}
