/* Words that stand for several steps. */
#include "steps.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One step from text: what macros are made of. */
static bool PRINTF_LIKE(2, 3) step(struct script *s, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES], *words[WORDS_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return script_step(s, words, script_split(text, words)) ||
	       script_fail(s, "in a macro: %s", text);
}

/* The words of a macro as options of a SYN. */
void script_join(char **w, unsigned n, char *buf, size_t cap)
{
	size_t len = 0;

	buf[0] = 0;
	for (unsigned i = 0; i < n && len < cap; i++)
		len += (size_t)snprintf(buf + len, cap - len, " %s", w[i]);
}

/* Timestamps go on with the next value. */
static void next_ts(char **w, unsigned n, char *buf, size_t cap)
{
	buf[0] = 0;
	for (unsigned i = 0; i + 1 < n; i++)
		if (strcmp(w[i], "ts") == 0)
			snprintf(buf, cap, "ts %ld:last",
				 strtol(w[i + 1], NULL, 0) + 1);
}

/* Options of a SYN from the words of a macro: an MSS unless they say one. */
static void syn_options(char **w, unsigned n, char *buf, size_t cap)
{
	bool mss = false;

	script_join(w, n, buf, cap);
	for (unsigned i = 0; i < n; i++)
		mss = mss || strcmp(w[i], "mss") == 0;
	if (!mss)
		snprintf(buf + strlen(buf), cap - strlen(buf), " mss 1460");
}

static long window_word(char **w, unsigned n)
{
	for (unsigned i = 0; i + 1 < n; i++)
		if (strcmp(w[i], "win") == 0)
			return strtol(w[i + 1], NULL, 0);
	return 65535;
}

bool script_server(struct script *s, char **w, unsigned n)
{
	char opts[512], ts[64];

	syn_options(w, n, opts, sizeof(opts));
	next_ts(w, n, ts, sizeof(ts));
	if (!s->slot[script_slot(s, "l")].used && !step(s, "listen"))
		return false;
	return step(s, "in S 0 %s win 65535", opts) &&
	       step(s, "out SA 0 ack 1") &&
	       step(s, "in A 1 ack 1 win %ld %s", window_word(w, n), ts) &&
	       step(s, "accept");
}

bool script_client(struct script *s, char **w, unsigned n)
{
	char opts[512];

	syn_options(w, n, opts, sizeof(opts));
	return step(s, "connect") && step(s, "out S 0") &&
	       step(s, "in SA 0 ack 1 %s win 65535", opts) &&
	       step(s, "out A 1 ack 1") && step(s, "poll = out");
}

static bool reach(struct script *s, const char *state)
{
	static const struct {
		const char *state, *from, *steps[3];
	} ways[] = {
		{"LISTEN", NULL, {"listen"}},
		{"SYN-SENT", NULL, {"connect", "out S 0"}},
		{"SYN-RECEIVED",
		 "LISTEN",
		 {"in S 0 win 65535 mss 1460", "out SA 0 ack 1"}},
		{"ESTABLISHED", "SYN-RECEIVED", {"in A 1 ack 1", "accept"}},
		{"FIN-WAIT-1", "ESTABLISHED", {"shutdown", "out FA 1 ack 1"}},
		{"FIN-WAIT-2", "FIN-WAIT-1", {"in A 1 ack 2"}},
		{"CLOSE-WAIT",
		 "ESTABLISHED",
		 {"in FA 1 ack 1", "out A 1 ack 2"}},
		{"CLOSING", "FIN-WAIT-1", {"in FA 1 ack 1", "out A 2 ack 2"}},
		{"LAST-ACK", "CLOSE-WAIT", {"shutdown", "out FA 1 ack 2"}},
		{"TIME-WAIT", "FIN-WAIT-2", {"in FA 1 ack 2", "out A 2 ack 2"}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		if (strcmp(ways[i].state, state) != 0)
			continue;
		if (ways[i].from && !reach(s, ways[i].from))
			return false;
		for (int k = 0; k < 3 && ways[i].steps[k]; k++)
			if (!step(s, "%s", ways[i].steps[k]))
				return false;
		if (strcmp(state, "LISTEN") == 0 ||
		    strcmp(state, "SYN-RECEIVED") == 0)
			return true;
		return step(s, "state = %s", state);
	}
	return script_fail(s, "no such state %s", state);
}

bool script_reach(struct script *s, char **w, unsigned n)
{
	return n ? reach(s, w[0]) : script_fail(s, "reach STATE");
}
