#include "follow.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SAY_MAX 160 /* bytes of a line of our own */
/* A line may lead to itself and to one of ours, on either side. */
#define ROOM (FTP_LINE_MAX + 3 * SAY_MAX)

void ftp_init(struct ftp *f, const struct ftp_config *cfg)
{
	*f = (struct ftp){.cfg = *cfg};
	for (int i = 0; i < 2; i++) {
		f->secure[i] = cfg->tls[i] == FTP_TLS_IMPLICIT;
		/* no RFC speaks of implicit TLS; where it is used data is
		 * protected without being asked for */
		f->prot[i] = cfg->tls[i] == FTP_TLS_IMPLICIT;
	}
	ftp_push(f, FTP_P_GREETING);
}

/* ---- output, wishes
 * ------------------------------------------------------------- */

void ftp_say(struct ftp *f, enum ftp_side side, const char *fmt, ...)
{
	struct ftp_out *o = &f->out[side];
	char line[SAY_MAX];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line - 2, fmt, ap);
	va_end(ap);
	n = strlen(line);
	memcpy(line + n, "\r\n", 2);
	n += 2;
	INVARIANT(o->len + n <= sizeof o->buf);
	memcpy(o->buf + o->len, line, n);
	o->len = (uint16_t)(o->len + n);
}

void ftp_pass(struct ftp *f, enum ftp_side from)
{
	const struct ftp_line *l = &f->in[from];
	struct ftp_out *o = &f->out[!from];

	INVARIANT(o->len + l->len <= (int)sizeof o->buf);
	memcpy(o->buf + o->len, l->buf, l->len);
	o->len = (uint16_t)(o->len + l->len);
}

void ftp_want(struct ftp *f, const struct ftp_wish *w)
{
	if (f->ended)
		return;
	f->wish = *w;
	f->waiting = true;
}

void ftp_end(struct ftp *f, const char *why)
{
	if (f->ended)
		return;
	f->waiting = false;
	ftp_want(f, &(struct ftp_wish){.kind = FTP_WISH_END, .why = why});
	f->ended = true;
}

void ftp_push(struct ftp *f, enum ftp_pending p)
{
	INVARIANT(f->n_pending < FTP_PENDING_MAX);
	f->pending[f->n_pending++] = (uint8_t)p;
}

enum ftp_pending ftp_front(const struct ftp *f)
{
	/* a reply that nobody asked for: 421 before closing */
	return f->n_pending ? (enum ftp_pending)f->pending[0] : FTP_P_PASS;
}

void ftp_pop(struct ftp *f)
{
	if (!f->n_pending)
		return;
	f->n_pending--;
	memmove(f->pending, f->pending + 1, f->n_pending);
}

size_t ftp_output(const struct ftp *f, enum ftp_side side, const char **ret)
{
	*ret = f->out[side].buf;
	return f->out[side].len;
}

void ftp_sent(struct ftp *f, enum ftp_side side, size_t n)
{
	struct ftp_out *o = &f->out[side];

	INVARIANT(n <= o->len);
	o->len = (uint16_t)(o->len - n);
	memmove(o->buf, o->buf + n, o->len);
}

const struct ftp_wish *ftp_wish(const struct ftp *f)
{
	static const struct ftp_wish none = {.kind = FTP_WISH_NONE};

	return f->waiting ? &f->wish : &none;
}

bool ftp_data_tls(const struct ftp *f, enum ftp_side side)
{
	return f->prot[side];
}

/* ---- input
 * ---------------------------------------------------------------------- */

static bool has_room(const struct ftp *f)
{
	return f->out[0].len + ROOM <= FTP_OUT_MAX &&
	       f->out[1].len + ROOM <= FTP_OUT_MAX &&
	       /* a command may bring two of our own with it */
	       f->n_pending + 3 <= FTP_PENDING_MAX;
}

static bool may_read(const struct ftp *f, enum ftp_side side)
{
	if (f->waiting || f->ended || !has_room(f))
		return side == FTP_SERVER && !f->waiting && !f->ended &&
		       f->out[0].len + ROOM <= FTP_OUT_MAX &&
		       f->out[1].len + ROOM <= FTP_OUT_MAX;
	/* the client waits until the server took what we asked for */
	return side == FTP_SERVER || f->prepared;
}

/* Telnet's interrupt and synch stand before ABOR [RFC959 4.1.3]; the line is
 * passed with them and read without. */
static const char *behind_telnet(const char *text)
{
	while ((unsigned char)text[0] == 255 && text[1])
		text += 2;
	return text;
}

static void line_is_there(struct ftp *f, enum ftp_side side)
{
	struct ftp_line *l = &f->in[side];
	char text[FTP_LINE_MAX + 1];
	size_t n = l->len;

	while (n && (l->buf[n - 1] == '\n' || l->buf[n - 1] == '\r'))
		n--;
	memcpy(text, l->buf, n);
	text[n] = '\0';
	if (strlen(text) != n)
		ftp_end(f, "a line holds a zero byte");
	else if (side == FTP_CLIENT)
		ftp_client_line(f, behind_telnet(text));
	else
		ftp_server_line(f, text);
	l->len = 0;
}

size_t ftp_input(struct ftp *f, enum ftp_side side, const char *bytes,
		 size_t len)
{
	struct ftp_line *l = &f->in[side];
	size_t taken = 0;

	while (taken < len && may_read(f, side)) {
		const char *p = bytes + taken;
		const char *end = memchr(p, '\n', len - taken);
		size_t n = end ? (size_t)(end - p) + 1 : len - taken;

		if (l->len + n > sizeof l->buf) {
			ftp_end(f, side == FTP_CLIENT ? "a command is too long"
						      : "a reply is too long");
			return len;
		}
		memcpy(l->buf + l->len, p, n);
		l->len = (uint16_t)(l->len + n);
		taken += n;
		if (end)
			line_is_there(f, side);
	}
	return taken;
}
