/* A script file from its first line to its last, against whatever door. */
#include "steps.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Scripts that wait longer in all run in virtual time only. */
#define LIVE_WAIT_MAX DUR_MS(2500)

bool script_fail(struct script *s, const char *fmt, ...)
{
	va_list ap;

	if (s->failed)
		return false;
	s->failed = true;
	va_start(ap, fmt);
	vsnprintf(s->error, sizeof(s->error), fmt, ap);
	va_end(ap);
	return false;
}

/* ---- steps */

/* The next lines are about another port of the peer. */
static bool do_port(struct script *s, char **w, unsigned n)
{
	if (n < 1)
		return script_fail(s, "peerport N");
	s->peer_port = (uint16_t)strtoul(w[0], NULL, 0);
	return true;
}

/* isn N: the peer's first sequence number, before its SYN */
static bool do_isn(struct script *s, char **w, unsigned n)
{
	if (n < 1)
		return script_fail(s, "isn N");
	script_flow(s, s->peer_port)->isn = (uint32_t)strtoul(w[0], NULL, 0);
	return true;
}

/* A new incarnation of the same ports: the stack's next SYN is learned. */
static bool do_forget(struct script *s, char **w, unsigned n)
{
	(void)w, (void)n;
	script_flow(s, s->peer_port)->iss_known = false;
	return true;
}

static bool packet_step(struct script *s, char **w, unsigned n, bool *ret)
{
	static const struct {
		const char *word;
		bool (*run)(struct script *, char **, unsigned);
	} steps[] = {
		{"in", script_in},         {"quiet", script_quiet},
		{"drain", script_drain},   {"wait", script_drain},
		{"server", script_server}, {"client", script_client},
		{"reach", script_reach},   {"peerport", do_port},
		{"isn", do_isn},           {"forget", do_forget},
	};

	if (strncmp(w[0], "out", 3) == 0 && (!w[0][3] || w[0][3] == '@')) {
		*ret = script_out(s, w[0] + 3, w + 1, n - 1);
		return true;
	}
	if (strncmp(w[0], "await@", 6) == 0 ||
	    strncmp(w[0], "never@", 6) == 0) {
		*ret = script_find(s, w[0] + 5, w[0][0] == 'a', w + 1, n - 1);
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (strcmp(steps[i].word, w[0]) == 0) {
			*ret = steps[i].run(s, w + 1, n - 1);
			return true;
		}
	return false;
}

bool script_step(struct script *s, char **w, unsigned n)
{
	bool r;

	if (n == 0)
		return true;
	return packet_step(s, w, n, &r) ? r : script_call(s, w, n);
}

static void add_deck(struct script *s, char **w, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		s->deck_len +=
			(size_t)snprintf(s->deck_text + s->deck_len,
					 sizeof(s->deck_text) - s->deck_len,
					 "%s%c", w[i], i + 1 < n ? ' ' : '\n');
}

/* What stands before the first step. True: it was such a word. */
static bool directive(struct script *s, char **w, unsigned n)
{
	if (strcmp(w[0], "ip6") == 0)
		s->v6 = true;
	else if (strcmp(w[0], "l2") == 0)
		s->l2 = true;
	else if (strcmp(w[0], "chatter") == 0)
		s->chatter = true;
	else if (strcmp(w[0], "mtu") == 0 && n > 1)
		s->mtu = (uint32_t)strtoul(w[1], NULL, 0);
	else if (strcmp(w[0], "deck") == 0)
		add_deck(s, w + 1, n - 1);
	else if (strcmp(w[0], "live") == 0) {
		s->live_ok = false;
		script_join(w + 1, n - 1, s->why_not_live,
			    sizeof(s->why_not_live));
	} else {
		return false;
	}
	return true;
}

/* Sum of all times named: is it too long to wait for in real time? */
static dur_t time_named(const char *text)
{
	dur_t sum = DUR_NS(0);

	for (const char *p = text; *p; p += strcspn(p, "\n")) {
		char line[LINE_MAX_BYTES], *w[WORDS_MAX];
		const char *t = NULL;
		unsigned n;
		dur_t d;

		p += strspn(p, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(p, "\n"), p);
		n = script_split(line, w);
		if (n && strncmp(w[0], "out@", 4) == 0)
			t = w[0] + 4 + (w[0][4] == '<');
		else if (n && strncmp(w[0], "never@", 6) == 0)
			t = w[0] + 6;
		else if (n > 1 && (strcmp(w[0], "quiet") == 0 ||
				   strcmp(w[0], "wait") == 0 ||
				   strcmp(w[0], "drain") == 0))
			t = w[1];
		if (!t)
			continue;
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(t, "~"), t);
		if (script_duration(line, &d))
			sum = dur_add(sum, d);
	}
	return sum;
}

/* Silence of a certain length, then a packet at a certain time: what a busy
 * machine cannot tell apart in real time. */
static bool is_exact(const char *text)
{
	const char *quiet = strstr(text, "\nquiet ");
	const char *out = strstr(text, "\nout@");

	return quiet && out && quiet[7] >= '0' && quiet[7] <= '9';
}

static bool run_lines(struct script *s, char *text)
{
	bool started = false;
	char *save = NULL;

	s->line = 0;
	for (char *l = text; l && !s->failed; l = save) {
		char *w[WORDS_MAX];
		unsigned n;

		save = strchr(l, '\n');
		if (save)
			*save++ = 0;
		s->line++;
		n = script_split(l, w);
		if (n == 0 || (!started && directive(s, w, n)))
			continue;
		if (!started) {
			s->door->start(s);
			started = true;
		}
		if (!s->failed)
			(void)script_step(s, w, n);
	}
	if (!started)
		return script_fail(s, "an empty script");
	s->door->stop(s);
	return !s->failed;
}

void script_deck(const struct script *s, const char *adapter, char *buf,
		 size_t cap)
{
	size_t n;

	n = (size_t)snprintf(buf, cap,
			     "ID 77\n"
			     "DEVICE OSA0 OSAX D10 WIRE D12%s\n"
			     "ADAPTER OSA0 %s\n"
			     "LINK OSA0 0 192.0.2.1 255.255.0.0 %u\n"
			     "ROUTE OSA0 0.0.0.0 0.0.0.0 192.0.2.254 1\n",
			     s->l2 ? " LAYER2 020000000001" : "", adapter,
			     s->mtu);
	if (s->mtu >= 1280)
		n += (size_t)snprintf(
			buf + n, cap - n, "LINK OSA0 1 2001:db8::1 /64 %u\n%s",
			s->mtu,
			/* with neighbour discovery routers say so themselves */
			s->l2 ? "" : "ROUTE OSA0 ::0 ::0 2001:db8::fe 1\n");
	snprintf(buf + n, cap - n,
		 "IP DAD 0 ARP_PROBES 0 RA OFF\n%sATTACH TCP/IP\n",
		 s->deck_text);
}

static char *load(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 65536);

	if (f && text && fread(text, 1, 65535, f) == 0)
		text[0] = 0;
	if (!f) {
		free(text);
		return NULL;
	}
	fclose(f);
	return text;
}

/* Directives only, to know whether this world is meant. */
static void look_ahead(struct script *s, const char *text)
{
	for (const char *p = text; *p; p += strcspn(p, "\n")) {
		char line[LINE_MAX_BYTES], *w[WORDS_MAX];
		unsigned n;

		p += strspn(p, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(p, "\n"), p);
		n = script_split(line, w);
		if (n && !directive(s, w, n))
			return;
	}
}

static void set_up(struct script *s, const char *path, const struct door *door,
		   unsigned number)
{
	*s = (struct script){
		.path = path,
		.name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path,
		.door = door,
		.live_ok = true,
		.mtu = 1500,
		.number = number,
		.us = ip_v4(192, 0, 2, 1),
		.peer = ip_v4(192, 0, (uint8_t)(2 + number / 200),
			      (uint8_t)(10 + number % 200)),
		.us6 = {IP_V6, {0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
		.peer6 = {IP_V6,
			  {0x20, 0x01, 0x0d,
			   0xb8, [14] = (uint8_t)(1 + number / 200),
			   [15] = (uint8_t)(10 + number % 200)}},
		.our_port = (uint16_t)(8000 + number),
		.peer_port = 4000,
	};
}

int script_run(const char *path, const struct door *door, unsigned number)
{
	static struct script s;
	char *text = load(path);
	int r = 0;

	set_up(&s, path, door, number);
	if (!text) {
		printf("FAIL %s: cannot be read\n", path);
		return 1;
	}
	look_ahead(&s, text);
	if (door->real_time && (!s.live_ok || s.chatter || is_exact(text) ||
				time_named(text).ns > LIVE_WAIT_MAX.ns)) {
		printf("left out %s:%s\n", s.name,
		       !s.live_ok       ? s.why_not_live
		       : s.chatter      ? " an interface's start is over there"
		       : is_exact(text) ? " no time to the millisecond"
					: " waits long");
		free(text);
		return 77;
	}
	set_up(&s, path, door, number);
	if (!run_lines(&s, text)) {
		printf("FAIL %s:%u: %s\n", path, s.line, s.error);
		r = 1;
	}
	fflush(stdout);
	free(text);
	return r;
}
