/* The steps of a script that are calls of its program. */
#include "steps.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

unsigned script_slot(struct script *s, const char *name)
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
	ret->slot = script_slot(s, slot);
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
	unsigned l = script_slot(s, from ? from : "l");
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

bool script_call(struct script *s, char **w, unsigned n)
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
