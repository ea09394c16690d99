/* The steps of a script, one after the other, against whatever door. */
#include "script.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long a live stack may take for what the engine does at once. */
#define LIVE_PATIENCE DUR_S(30)
/* Silence long enough to be meant. */
#define LIVE_SILENCE DUR_MS(25)
/* Scripts that wait longer in all run in virtual time only. */
#define LIVE_WAIT_MAX DUR_MS(2500)
#define TOLERANCE DUR_MS(2)

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

static bool step_words(struct script *s, char **w, unsigned n);

/* One step from text: what macros are made of. */
static bool PRINTF_LIKE(2, 3) step(struct script *s, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES], *words[WORDS_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return step_words(s, words, script_split(text, words)) ||
	       script_fail(s, "in a macro: %s", text);
}

/* ---- packets
 * -------------------------------------------------------------------- */

static bool do_in(struct script *s, char **w, unsigned n)
{
	struct packet_line l;
	size_t len;

	if (!script_packet_line(s, w, n, &l))
		return false;
	len = script_build(s, &l);
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

static bool do_out(struct script *s, const char *when, char **w, unsigned n)
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
	len = s->door->next(s, wait, s->buf, sizeof(s->buf));
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

static bool do_quiet(struct script *s, char **w, unsigned n)
{
	char text[256];
	dur_t d = DUR_NS(0);
	size_t len;

	if (n && !script_duration(w[0], &d))
		return script_fail(s, "bad time %s", w[0]);
	s->waited_ns += d.ns;
	if (s->door->real_time)
		d = dur_max(d, LIVE_SILENCE);
	len = s->door->next(s, d, s->buf, sizeof(s->buf));
	if (!len)
		return true;
	return script_fail(s, "a packet instead of silence: %s",
			   script_describe(s, s->buf, len, text, sizeof(text)));
}

/* Time passes; what the stack sends meanwhile is not looked at ("drain"). */
static bool do_drain(struct script *s, char **w, unsigned n)
{
	int64_t end;
	dur_t d;

	if (n < 1 || !script_duration(w[0], &d))
		return script_fail(s, "drain wants a time");
	s->waited_ns += d.ns;
	end = s->now_ns + d.ns;
	while (s->now_ns < end)
		if (!s->door->next(s, DUR_NS(end - s->now_ns), s->buf,
				   sizeof(s->buf)))
			break;
	while (!s->door->real_time &&
	       s->door->next(s, DUR_NS(0), s->buf, sizeof(s->buf)))
		;
	return true;
}

/* ---- calls
 * -------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int value;
} errors[] = {
	{"ok", 0},
	{"EAGAIN", -EAGAIN},
	{"EPIPE", -EPIPE},
	{"ECONNRESET", -ECONNRESET},
	{"ECONNREFUSED", -ECONNREFUSED},
	{"ETIMEDOUT", -ETIMEDOUT},
	{"EHOSTUNREACH", -EHOSTUNREACH},
	{"ENETUNREACH", -ENETUNREACH},
	{"EINVAL", -EINVAL},
	{"EADDRINUSE", -EADDRINUSE},
	{"EADDRNOTAVAIL", -EADDRNOTAVAIL},
	{"EMSGSIZE", -EMSGSIZE},
	{"EISCONN", -EISCONN},
	{"ENOTCONN", -ENOTCONN},
	{"EACCES", -EACCES},
	{"EPERM", -EPERM},
	{"ENOPROTOOPT", -ENOPROTOOPT},
	{"EPROTO", -EPROTO},
	{"EDESTADDRREQ", -EDESTADDRREQ},
	{"EALREADY", -EALREADY},
	{"ECONNABORTED", -ECONNABORTED},
	{"EHOSTDOWN", -EHOSTDOWN},
	{"EOPNOTSUPP", -EOPNOTSUPP},
	{"ENONET", -ENONET},
	{"eof", 0},
};

static bool result_value(const char *text, int *ret)
{
	char *end;

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (strcmp(errors[i].name, text) == 0) {
			*ret = errors[i].value;
			return true;
		}
	*ret = (int)strtol(text, &end, 0);
	return end != text && *end == 0;
}

/* A step: its words without "@slot" and "= result". */
struct call {
	unsigned slot;
	bool slot_given;
	const char *result; /* NULL: none given */
	char *arg[WORDS_MAX];
	unsigned n;
};

static unsigned slot_of(struct script *s, const char *name)
{
	unsigned i;

	for (i = 0; i < SLOTS_MAX - 1 && s->slot_name[i][0]; i++)
		if (strcmp(s->slot_name[i], name) == 0)
			return i;
	snprintf(s->slot_name[i], sizeof(s->slot_name[i]), "%s", name);
	return i;
}

static void read_call(struct script *s, char **w, unsigned n, const char *slot,
		      struct call *ret)
{
	*ret = (struct call){0};
	for (unsigned i = 0; i < n; i++) {
		if (w[i][0] == '@') {
			slot = w[i] + 1;
			ret->slot_given = true;
		} else if (strcmp(w[i], "=") == 0 && i + 1 < n) {
			ret->result = w[++i];
		} else {
			ret->arg[ret->n++] = w[i];
		}
	}
	ret->slot = slot_of(s, slot);
}

/* Value behind `word`, or `dflt`. */
static long arg(const struct call *c, const char *word, long dflt)
{
	for (unsigned i = 0; i + 1 < c->n; i++)
		if (strcmp(c->arg[i], word) == 0)
			return strtol(c->arg[i + 1], NULL, 0);
	return dflt;
}

static const char *arg_text(const struct call *c, const char *word)
{
	for (unsigned i = 0; i + 1 < c->n; i++)
		if (strcmp(c->arg[i], word) == 0)
			return c->arg[i + 1];
	return NULL;
}

static bool has(const struct call *c, const char *word)
{
	for (unsigned i = 0; i < c->n; i++)
		if (strcmp(c->arg[i], word) == 0)
			return true;
	return false;
}

static const char *error_text(int r, char buf[32])
{
	snprintf(buf, 32, "%d", r);
	return r < 0 ? strerror(-r) : buf;
}

static bool expect(struct script *s, const struct call *c, int got, int dflt)
{
	char a[32];
	int want = dflt;

	if (c->result && !result_value(c->result, &want))
		return script_fail(s, "bad result %s", c->result);
	if (got == want)
		return true;
	return script_fail(s, "the call gave %s, not %s", error_text(got, a),
			   c->result ? c->result : "what it should");
}

/* In real time what must become true may take a while. */
static bool again(struct script *s, int64_t *left_ms)
{
	if (!s->door->real_time || *left_ms <= 0)
		return false;
	usleep(2000);
	*left_ms -= 2;
	return true;
}

static int open_slot(struct script *s, const struct call *c, bool tcp)
{
	struct slot *sl = &s->slot[c->slot];
	int r;

	if (sl->used)
		return 0;
	*sl = (struct slot){.tcp = tcp, .v6 = s->v6 || has(c, "v6"), .fd = -1};
	r = s->door->open(s, c->slot, tcp, sl->v6);
	sl->used = r == 0;
	return r;
}

static struct ip_port addr_arg(struct script *s, const struct call *c,
			       const char *word, const char *dflt, long port)
{
	struct ip_port p = {.port = (uint16_t)port};
	const char *text = arg_text(c, word);

	if (!text)
		text = dflt;
	if (strcmp(text, "any") == 0)
		p.addr = ip_any(s->slot[c->slot].v6 ? IP_V6 : IP_V4);
	else if (!script_addr(s, text, &p.addr))
		script_fail(s, "bad address %s", text);
	return p;
}

/* "set" before "listen" or "connect" needs a socket: tcp, udp */
static bool do_socket(struct script *s, const struct call *c, bool tcp)
{
	int r = open_slot(s, c, tcp);

	if (r == 0 && (arg_text(c, "bind") || has(c, "addr"))) {
		struct ip_port at =
			addr_arg(s, c, "addr", "any", arg(c, "bind", 0));

		if (strcmp(arg_text(c, "bind") ? arg_text(c, "bind") : "",
			   "our") == 0)
			at.port = s->our_port;
		r = s->door->bind(s, c->slot, &at);
	}
	return !s->failed && expect(s, c, r, 0);
}

static bool do_listen(struct script *s, const struct call *c)
{
	struct ip_port at;
	int r = open_slot(s, c, true);

	if (r < 0)
		return expect(s, c, r, 0);
	at = addr_arg(s, c, "addr", "any", arg(c, "port", s->our_port));
	r = s->door->bind(s, c->slot, &at);
	if (r == 0)
		r = s->door->listen(s, c->slot, (int)arg(c, "backlog", 16));
	s->slot[c->slot].listener = r == 0;
	return expect(s, c, r, 0);
}

static bool do_accept(struct script *s, const struct call *c)
{
	const char *from = arg_text(c, "from");
	unsigned l = slot_of(s, from ? from : "l");
	struct slot *sl = &s->slot[c->slot];
	int64_t left = c->result ? 100 : dur_ms(LIVE_PATIENCE);
	int r;

	*sl = (struct slot){
		.tcp = true, .v6 = s->v6, .fd = -1, .peer_port = s->peer_port};
	do
		r = s->door->accept(s, l, c->slot);
	while (r == -EAGAIN && again(s, &left));
	sl->used = r == 0;
	return expect(s, c, r, 0);
}

static bool do_connect(struct script *s, const struct call *c)
{
	struct slot *sl = &s->slot[c->slot];
	int r = open_slot(s, c, true);
	struct ip_port to;

	if (r < 0)
		return expect(s, c, r, 0);
	to = addr_arg(s, c, "to", "peer", arg(c, "port", s->peer_port));
	sl->peer_port = to.port;
	if (!s->failed)
		r = s->door->connect(s, c->slot, &to);
	return !s->failed && expect(s, c, r == -EINPROGRESS ? 0 : r, 0);
}

static bool do_write(struct script *s, const struct call *c)
{
	struct slot *sl = &s->slot[c->slot];
	size_t len = c->n ? strtoul(c->arg[0], NULL, 0) : 0;
	static uint8_t bytes[1 << 20];
	int r;

	if (len > sizeof(bytes))
		return script_fail(s, "more than %zu bytes", sizeof(bytes));
	for (size_t i = 0; i < len; i++)
		bytes[i] = script_byte(1, sl->written + i);
	r = s->door->write(s, c->slot, bytes, len, has(c, "more"));
	if (r > 0)
		sl->written += (uint64_t)r;
	return expect(s, c, r, (int)len);
}

static bool check_read(struct script *s, struct slot *sl, const uint8_t *p,
		       int n)
{
	for (int i = 0; i < n; i++)
		if (sl->tcp && p[i] != script_byte(0, sl->read + (uint64_t)i))
			return script_fail(s, "byte %d read is wrong", i);
	if (n > 0)
		sl->read += (uint64_t)n;
	return true;
}

/* Reads until as much is there as expected; a live stack brings it in
 * pieces. */
static bool do_read(struct script *s, const struct call *c)
{
	struct slot *sl = &s->slot[c->slot];
	size_t max = c->n ? strtoul(c->arg[0], NULL, 0) : PACKET_MAX;
	int64_t left = dur_ms(LIVE_PATIENCE);
	int want = 0, got = 0, r;

	if (c->result && !result_value(c->result, &want))
		return script_fail(s, "bad result %s", c->result);
	if (want == -EAGAIN)
		left = 50;
	do {
		r = s->door->read(s, c->slot, s->buf, max - (size_t)got);
		if (r > 0 && !check_read(s, sl, s->buf, r))
			return false;
		if (r > 0)
			got += r;
	} while ((r > 0 && got < want && (size_t)got < max) ||
		 (r == -EAGAIN && got < MAX(want, 1) && again(s, &left)));
	if (!c->result)
		return r >= 0 || script_fail(s, "read: %s", strerror(-r));
	return expect(s, c, got ? got : r, 0);
}

static bool do_sendto(struct script *s, const struct call *c)
{
	struct slot *sl = &s->slot[c->slot];
	size_t len = c->n ? strtoul(c->arg[0], NULL, 0) : 0;
	struct ip_port to = {0};
	int r;

	if (len > sizeof(s->buf))
		return script_fail(s, "too many bytes");
	for (size_t i = 0; i < len; i++)
		s->buf[i] = script_byte(1, i);
	if (arg_text(c, "to"))
		to = addr_arg(s, c, "to", "peer", arg(c, "port", s->peer_port));
	(void)sl;
	if (s->failed)
		return false;
	r = s->door->sendto(s, c->slot, s->buf, len,
			    to.addr.family ? &to : NULL,
			    (unsigned)arg(c, "gso", 0));
	return expect(s, c, r, (int)len);
}

static bool do_end(struct script *s, const struct call *c, const char *how)
{
	struct slot *sl = &s->slot[c->slot];
	int r;

	if (!sl->used)
		return script_fail(s, "no such socket");
	if (strcmp(how, "shutdown") == 0)
		return expect(s, c, s->door->shutdown(s, c->slot), 0);
	r = s->door->close(s, c->slot, strcmp(how, "abort") == 0);
	sl->used = false;
	return expect(s, c, r, 0);
}

static bool do_set(struct script *s, const struct call *c)
{
	if (c->n < 2)
		return script_fail(s, "set OPTION VALUE");
	return expect(s, c,
		      s->door->set(s, c->slot, c->arg[0],
				   (int)strtol(c->arg[1], NULL, 0)),
		      0);
}

static bool do_get(struct script *s, const struct call *c)
{
	int64_t left = dur_ms(LIVE_PATIENCE);
	int v = 0, r, want = 0;

	if (c->n < 1 || !c->result || !result_value(c->result, &want))
		return script_fail(s, "get OPTION = VALUE");
	do
		r = s->door->get(s, c->slot, c->arg[0], &v);
	while (r == 0 && v != want && again(s, &left));
	return expect(s, c, r < 0 ? r : v, 0);
}

static bool do_error(struct script *s, const struct call *c)
{
	int64_t left = dur_ms(LIVE_PATIENCE);
	int want = 0, r;

	if (c->result && !result_value(c->result, &want))
		return script_fail(s, "bad result %s", c->result);
	do
		r = -s->door->error(s, c->slot);
	while (want && r == 0 && again(s, &left));
	return expect(s, c, r, 0);
}

static bool do_state(struct script *s, const struct call *c)
{
	int64_t left = dur_ms(LIVE_PATIENCE);
	const char *got;

	if (!c->result)
		return script_fail(s, "state = NAME");
	do
		got = s->door->state(s, c->slot);
	while (got[0] && strcmp(got, c->result) != 0 && again(s, &left));
	return !got[0] || strcmp(got, c->result) == 0 ||
	       script_fail(s, "state is %s", got);
}

/* poll = in | out | both | none */
static bool do_poll(struct script *s, const struct call *c)
{
	static const char *const names[] = {"none", "in", "out", "both"};
	int64_t left = dur_ms(LIVE_PATIENCE);
	unsigned got;

	if (!c->result)
		return script_fail(s, "poll = in, out, both, none");
	do {
		int r = s->door->poll(s, c->slot);

		got = (r & POLLIN ? 1u : 0) | (r & POLLOUT ? 2u : 0);
	} while (strcmp(names[got], c->result) != 0 && again(s, &left));
	return strcmp(names[got], c->result) == 0 ||
	       script_fail(s, "poll says %s", names[got]);
}

static bool do_count(struct script *s, const struct call *c)
{
	int64_t v = c->n ? s->door->count(s, c->arg[0]) : -1;

	if (v < 0) /* this world does not count, or has counted before */
		return s->door->real_time ||
		       script_fail(s, "no counter %s", c->n ? c->arg[0] : "?");
	return expect(s, c, (int)v, 0);
}

/* ---- macros
 * ----------------------------------------------------------------------------
 */

/* The words of a macro as options of a SYN. */
static void join(char **w, unsigned n, char *buf, size_t cap)
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

	join(w, n, buf, cap);
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

static bool do_server(struct script *s, char **w, unsigned n)
{
	char opts[512], ts[64];

	syn_options(w, n, opts, sizeof(opts));
	next_ts(w, n, ts, sizeof(ts));
	if (!s->slot[slot_of(s, "l")].used && !step(s, "listen"))
		return false;
	return step(s, "in S 0 %s win 65535", opts) &&
	       step(s, "out SA 0 ack 1") &&
	       step(s, "in A 1 ack 1 win %ld %s", window_word(w, n), ts) &&
	       step(s, "accept");
}

static bool do_client(struct script *s, char **w, unsigned n)
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

static bool do_reach(struct script *s, char **w, unsigned n)
{
	return n ? reach(s, w[0]) : script_fail(s, "reach STATE");
}

/* The next lines are about another port of the peer. */
static bool do_port(struct script *s, char **w, unsigned n)
{
	if (n < 1)
		return script_fail(s, "peerport N");
	s->peer_port = (uint16_t)atoi(w[0]);
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

/* ---- dispatch
 * ---------------------------------------------------------------------------
 */

static bool packet_step(struct script *s, char **w, unsigned n, bool *ret)
{
	static const struct {
		const char *word;
		bool (*run)(struct script *, char **, unsigned);
	} steps[] = {
		{"in", do_in},         {"quiet", do_quiet},
		{"drain", do_drain},   {"wait", do_drain},
		{"server", do_server}, {"client", do_client},
		{"reach", do_reach},   {"peerport", do_port},
		{"isn", do_isn},       {"forget", do_forget},
	};

	if (strncmp(w[0], "out", 3) == 0 && (!w[0][3] || w[0][3] == '@')) {
		*ret = do_out(s, w[0] + 3, w + 1, n - 1);
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (strcmp(steps[i].word, w[0]) == 0) {
			*ret = steps[i].run(s, w + 1, n - 1);
			return true;
		}
	return false;
}

static bool call_step(struct script *s, char **w, unsigned n)
{
	static const struct {
		const char *word, *slot;
		bool (*run)(struct script *, const struct call *);
	} calls[] = {
		{"listen", "l", do_listen},   {"accept", "c", do_accept},
		{"connect", "c", do_connect}, {"write", "c", do_write},
		{"read", "c", do_read},       {"set", "c", do_set},
		{"get", "c", do_get},         {"error", "c", do_error},
		{"state", "c", do_state},     {"poll", "c", do_poll},
		{"sendto", "u", do_sendto},   {"recv", "u", do_read},
		{"count", "c", do_count},
	};
	struct call c;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (strcmp(calls[i].word, w[0]) == 0) {
			read_call(s, w + 1, n - 1, calls[i].slot, &c);
			return calls[i].run(s, &c);
		}
	if (strcmp(w[0], "tcp") == 0 || strcmp(w[0], "udp") == 0) {
		read_call(s, w + 1, n - 1, w[0][0] == 't' ? "c" : "u", &c);
		return do_socket(s, &c, w[0][0] == 't');
	}
	if (strcmp(w[0], "shutdown") == 0 || strcmp(w[0], "close") == 0 ||
	    strcmp(w[0], "abort") == 0) {
		read_call(s, w + 1, n - 1, "c", &c);
		return do_end(s, &c, w[0]);
	}
	return script_fail(s, "unknown step %s", w[0]);
}

static bool step_words(struct script *s, char **w, unsigned n)
{
	bool r;

	if (n == 0)
		return true;
	return packet_step(s, w, n, &r) ? r : call_step(s, w, n);
}

/* ---- whole files
 * ---------------------------------------------------------------------------
 */

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
		s->mtu = (uint32_t)atoi(w[1]);
	else if (strcmp(w[0], "deck") == 0)
		add_deck(s, w + 1, n - 1);
	else if (strcmp(w[0], "live") == 0) {
		s->live_ok = false;
		join(w + 1, n - 1, s->why_not_live, sizeof(s->why_not_live));
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
			(void)step_words(s, w, n);
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
		n += (size_t)snprintf(buf + n, cap - n,
				      "LINK OSA0 1 2001:db8::1 /64 %u\n"
				      "ROUTE OSA0 ::0 ::0 2001:db8::fe 1\n",
				      s->mtu);
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
	if (door->real_time &&
	    (!s.live_ok || time_named(text).ns > LIVE_WAIT_MAX.ns)) {
		printf("left out %s:%s\n", s.name,
		       s.live_ok ? " waits long" : s.why_not_live);
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
