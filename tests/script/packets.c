/* The steps of a script that are packets or time. */
#include "steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Silence long enough to be meant. */
#define LIVE_SILENCE DUR_MS(25)
#define TOLERANCE DUR_MS(2)

const char *script_seeds;

static FILE *open_seed(const struct script *s)
{
	char path[512], *slash;

	snprintf(path, sizeof(path), "%s/%s", script_seeds,
		 strrchr(s->path, '/') ? strrchr(s->path, '/') + 1 : s->path);
	slash = strrchr(path, '.');
	if (slash)
		*slash = 0;
	return fopen(path, "a");
}

/* A record of tests/fuzz/fuzz_frames.c: kind, length, bytes. */
static void keep_seed(const struct script *s, size_t len)
{
	FILE *f = script_seeds && len < 2000 ? open_seed(s) : NULL;

	if (!f)
		return;
	(void)fputc(s->l2, f);
	(void)fputc((int)(len >> 8), f);
	(void)fputc((int)(len & 255), f);
	(void)fwrite(s->buf, 1, len, f);
	(void)fclose(f);
}

bool script_in(struct script *s, char **w, unsigned n)
{
	struct packet_line l;
	size_t len;

	if (!script_packet_line(s, w, n, &l))
		return false;
	len = script_build(s, &l);
	keep_seed(s, len);
	s->door->inject(s, s->buf, len);
	return !s->failed;
}

struct when {
	dur_t at, tolerance;
	bool until; /* any time up to `at` */
};

/* "@1s" "@1s~100ms" "@<1s" */
static bool read_when(struct script *s, const char *text, struct when *ret)
{
	char copy[64], *tilde;

	*ret = (struct when){.tolerance = TOLERANCE};
	if (!*text)
		return true;
	snprintf(copy, sizeof(copy), "%s", text + 1);
	tilde = strchr(copy, '~');
	if (tilde)
		*tilde = 0;
	ret->until = copy[0] == '<';
	if (text[0] != '@' || !script_duration(copy + ret->until, &ret->at) ||
	    (tilde && !script_duration(tilde + 1, &ret->tolerance)))
		return script_fail(s, "bad time %s", text);
	return true;
}

static bool in_time(struct script *s, const struct when *t, dur_t took)
{
	dur_t late = DUR_NS(took.ns - t->at.ns);

	if (s->door->real_time)
		late = t->until || took.ns >= t->at.ns * 7 / 10 - 20000000
			       ? DUR_NS(0)
			       : DUR_S(-1);
	else if (t->until && late.ns <= 0)
		return true;
	if (late.ns > t->tolerance.ns || late.ns < -t->tolerance.ns)
		return script_fail(s, "the packet came after %.3f ms",
				   (double)took.ns / 1e6);
	return true;
}

/* What a layer 2 stack says by itself, now and then: reports of groups,
 * router solicitations. */
bool script_is_chatter(const struct script *s, const uint8_t *p, size_t len)
{
	if (!s->l2 || s->chatter || len < 46)
		return false;
	if (p[12] == 8 && p[13] == 0)
		return p[23] == 2;
	return p[12] == 0x86 && len >= 62 &&
	       (p[20] == 0 || (p[20] == 58 && p[54] == 133));
}

/* The next packet that is no chatter, or 0. */
static size_t next_packet(struct script *s, dur_t wait)
{
	int64_t end = s->now_ns + wait.ns;
	size_t len;

	do
		len = s->door->next(s, DUR_NS(MAX(end - s->now_ns, 0)), s->buf,
				    sizeof(s->buf));
	while (len && script_is_chatter(s, s->buf, len));
	return len;
}

bool script_out(struct script *s, const char *when, char **w, unsigned n)
{
	struct packet_line l;
	struct when t;
	int64_t before = s->now_ns;
	char text[256];
	dur_t wait;
	size_t len;

	if (!read_when(s, when, &t) || !script_packet_line(s, w, n, &l))
		return false;
	wait = dur_add(t.at, s->door->real_time ? LIVE_PATIENCE : t.tolerance);
	if (!*when && !s->door->real_time)
		wait = DUR_NS(0);
	s->waited_ns += t.at.ns;
	len = next_packet(s, wait);
	if (!len)
		return script_fail(s, "no packet within %.3f ms",
				   (double)wait.ns / 1e6);
	if (script_match(s, &l, s->buf, len) &&
	    in_time(s, &t, DUR_NS(s->now_ns - before)))
		return true;
	script_describe(s, s->buf, len, text, sizeof(text));
	snprintf(s->error + strlen(s->error),
		 sizeof(s->error) - strlen(s->error), "; got: %s", text);
	return false;
}

/* Looks at all packets until `t.at` has passed: is one of them this? */
static bool found(struct script *s, const struct packet_line *l, dur_t wait)
{
	int64_t end = s->now_ns + wait.ns;
	size_t len;
	bool hit;

	while ((len = s->door->next(s, DUR_NS(MAX(end - s->now_ns, 0)), s->buf,
				    sizeof(s->buf)))) {
		hit = script_match(s, l, s->buf, len);
		s->failed = false;
		if (hit)
			return true;
	}
	return false;
}

/* "await@<3s PACKET": it comes, whatever else does. "never@3s PACKET". */
bool script_find(struct script *s, const char *when, bool wanted, char **w,
		 unsigned n)
{
	struct packet_line l;
	struct when t;

	if (!read_when(s, when, &t) || !script_packet_line(s, w, n, &l))
		return false;
	s->waited_ns += t.at.ns;
	if (wanted && s->door->real_time)
		t.at = dur_add(t.at, LIVE_PATIENCE);
	if (found(s, &l, t.at) == wanted)
		return true;
	return script_fail(s, wanted ? "the packet does not come"
				     : "the packet that must not come");
}

bool script_quiet(struct script *s, char **w, unsigned n)
{
	char text[256];
	dur_t d = DUR_NS(0);
	size_t len;

	if (n && !script_duration(w[0], &d))
		return script_fail(s, "bad time %s", w[0]);
	s->waited_ns += d.ns;
	if (s->door->real_time)
		d = dur_max(d, LIVE_SILENCE);
	len = next_packet(s, d);
	if (!len)
		return true;
	return script_fail(s, "a packet instead of silence: %s",
			   script_describe(s, s->buf, len, text, sizeof(text)));
}

/* Time passes; what the stack sends meanwhile is not looked at ("drain"). */
bool script_drain(struct script *s, char **w, unsigned n)
{
	int64_t end;
	size_t len;
	dur_t d;

	if (n < 1 || !script_duration(w[0], &d))
		return script_fail(s, "drain wants a time");
	s->waited_ns += d.ns;
	end = s->now_ns + d.ns;
	while (s->now_ns < end) {
		len = s->door->next(s, DUR_NS(end - s->now_ns), s->buf,
				    sizeof(s->buf));
		if (!len)
			break;
		script_remember(s, s->buf, len);
	}
	while (!s->door->real_time &&
	       (len = s->door->next(s, DUR_NS(0), s->buf, sizeof(s->buf))))
		script_remember(s, s->buf, len);
	return true;
}
