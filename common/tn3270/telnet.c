/* telnet.c: the machine of telnet.h. */
#include "tn3270/telnet.h"

#include <assert.h>
#include <string.h>

/*
 * opt[]: for each side two bits of state [RFC1143 7] and one of permission;
 * the queue bit says that the opposite is wanted once the answer is there.
 */
enum q { Q_NO = 0, Q_YES = 1, Q_WANTNO = 2, Q_WANTYES = 3 };

#define Q_MASK 3u
#define Q_OPPOSITE 4u
#define Q_ALLOWED 8u

enum state { S_DATA, S_IAC, S_VERB, S_SB, S_SB_DATA, S_SB_IAC };

/* Room that telnet_send_sb() and an answer need at the end. */
#define VERB_BYTES 3u

void telnet_init(struct telnet *t)
{
	memset(t, 0, sizeof(*t));
}

static unsigned shift_of(bool ours)
{
	return ours ? 0 : 4;
}

static unsigned side(const struct telnet *t, unsigned option, bool ours)
{
	return (unsigned)t->opt[option] >> shift_of(ours) & 15u;
}

static void set_side(struct telnet *t, unsigned option, bool ours, unsigned v)
{
	unsigned s = shift_of(ours);

	t->opt[option] = (uint8_t)((t->opt[option] & ~(15u << s)) | v << s);
}

static void set_q(struct telnet *t, unsigned option, bool ours, enum q q)
{
	unsigned v = side(t, option, ours) & Q_ALLOWED;

	set_side(t, option, ours, v | (unsigned)q);
}

static void put(struct telnet *t, const uint8_t *p, size_t n)
{
	if (sizeof(t->out) - t->out_len < n) {
		t->error = TELNET_E_OUT;
		return;
	}
	memcpy(t->out + t->out_len, p, n);
	t->out_len = (uint16_t)(t->out_len + n);
}

static void put_verb(struct telnet *t, uint8_t verb, unsigned option)
{
	uint8_t b[VERB_BYTES] = {TELNET_IAC, verb, (uint8_t)option};

	put(t, b, sizeof(b));
}

static uint8_t verb_of(bool ours, bool on)
{
	if (ours)
		return on ? TELNET_WILL : TELNET_WONT;
	return on ? TELNET_DO : TELNET_DONT;
}

void telnet_allow(struct telnet *t, unsigned option, bool ours, bool allowed)
{
	unsigned v;

	if (option >= TELNET_OPTIONS || option == TELNET_OPT_TIMING_MARK)
		return;
	v = side(t, option, ours) & ~Q_ALLOWED;
	set_side(t, option, ours, allowed ? v | Q_ALLOWED : v);
}

/* [RFC1143 7]: we want the option on (or off). */
void telnet_request(struct telnet *t, unsigned option, bool ours, bool on)
{
	unsigned v;

	if (option >= TELNET_OPTIONS || option == TELNET_OPT_TIMING_MARK)
		return;
	if (on)
		telnet_allow(t, option, ours, true);
	v = side(t, option, ours);
	switch ((enum q)(v & Q_MASK)) {
	case Q_NO:
	case Q_YES:
		if ((v & Q_MASK) == (on ? Q_YES : Q_NO))
			return;
		set_q(t, option, ours, on ? Q_WANTYES : Q_WANTNO);
		put_verb(t, verb_of(ours, on), option);
		return;
	case Q_WANTNO:
		v = on ? v | Q_OPPOSITE : v & ~Q_OPPOSITE;
		break;
	case Q_WANTYES:
		v = on ? v & ~Q_OPPOSITE : v | Q_OPPOSITE;
		break;
	}
	set_side(t, option, ours, v);
}

bool telnet_on(const struct telnet *t, unsigned option, bool ours)
{
	return option < TELNET_OPTIONS &&
	       (side(t, option, ours) & Q_MASK) == Q_YES;
}

bool telnet_pending(const struct telnet *t, unsigned option, bool ours)
{
	return option < TELNET_OPTIONS &&
	       (side(t, option, ours) & Q_MASK) >= Q_WANTNO;
}

/* The peer says yes (WILL, DO). Returns whether the state became on. */
static bool heard_yes(struct telnet *t, unsigned option, bool ours)
{
	unsigned v = side(t, option, ours);

	switch ((enum q)(v & Q_MASK)) {
	case Q_NO:
		if (!(v & Q_ALLOWED)) {
			put_verb(t, verb_of(ours, false), option);
			return false;
		}
		put_verb(t, verb_of(ours, true), option);
		break;
	case Q_YES:
		return false;
	case Q_WANTNO: /* an error of the peer's; the queue decides */
		set_q(t, option, ours, v & Q_OPPOSITE ? Q_YES : Q_NO);
		return v & Q_OPPOSITE;
	case Q_WANTYES:
		if (v & Q_OPPOSITE) {
			set_q(t, option, ours, Q_WANTNO);
			put_verb(t, verb_of(ours, false), option);
			return false;
		}
		break;
	}
	set_q(t, option, ours, Q_YES);
	return true;
}

/* The peer says no (WONT, DONT). Returns whether this is news. */
static bool heard_no(struct telnet *t, unsigned option, bool ours)
{
	unsigned v = side(t, option, ours);

	switch ((enum q)(v & Q_MASK)) {
	case Q_NO:
		return false;
	case Q_YES:
		put_verb(t, verb_of(ours, false), option);
		break;
	case Q_WANTNO:
		if (v & Q_OPPOSITE) {
			set_q(t, option, ours, Q_WANTYES);
			put_verb(t, verb_of(ours, true), option);
			return false;
		}
		break;
	case Q_WANTYES:
		break;
	}
	set_q(t, option, ours, Q_NO);
	return true;
}

/* [RFC860]: DO is answered when all before it was read, which it was. */
static bool heard_mark(struct telnet *t, uint8_t verb)
{
	if (verb == TELNET_DO) {
		put_verb(t, TELNET_WILL, TELNET_OPT_TIMING_MARK);
		return false;
	}
	if (verb == TELNET_DONT || t->marks == 0)
		return false;
	t->marks--;
	return true;
}

static bool heard_verb(struct telnet *t, unsigned option,
		       struct telnet_event *ev)
{
	bool ours = t->verb == TELNET_DO || t->verb == TELNET_DONT;
	bool on = t->verb == TELNET_DO || t->verb == TELNET_WILL;
	bool news;

	if (option == TELNET_OPT_TIMING_MARK) {
		ev->kind = TELNET_EV_MARK;
		return heard_mark(t, t->verb);
	}
	if (t->changes++ >= TELNET_CHANGES_MAX) {
		t->error = TELNET_E_CHANGES;
		return false;
	}
	if (option >= TELNET_OPTIONS) {
		if (on)
			put_verb(t, verb_of(ours, false), option);
		return false;
	}
	news = on ? heard_yes(t, option, ours) : heard_no(t, option, ours);
	ev->kind = TELNET_EV_OPTION;
	ev->option = (uint8_t)option;
	ev->ours = ours;
	ev->on = on;
	return news;
}

/* The byte after IAC, outside a subnegotiation. True: an event. */
static bool heard_command(struct telnet *t, const uint8_t *p,
			  struct telnet_event *ev)
{
	uint8_t c = *p;

	t->state = S_DATA;
	if (c >= TELNET_WILL && c <= TELNET_DONT) {
		t->verb = c;
		t->state = S_VERB;
	} else if (c == TELNET_SB) {
		t->sb_len = 0;
		t->state = S_SB;
	} else if (c == TELNET_IAC) {
		ev->kind = TELNET_EV_DATA;
		ev->data = p;
		ev->len = 1;
		return true;
	} else if (c == TELNET_EOR) {
		ev->kind = TELNET_EV_EOR;
		return true;
	} else if (c != TELNET_SE && c > TELNET_EOR) {
		ev->kind = TELNET_EV_COMMAND;
		ev->command = c;
		return true;
	}
	return false; /* SE alone and unknown commands mean nothing */
}

static void sb_add(struct telnet *t, uint8_t c)
{
	if (t->sb_len >= TELNET_SB_MAX)
		t->error = TELNET_E_SB_LONG;
	else
		t->sb[t->sb_len++] = c;
}

/* The byte after IAC inside a subnegotiation. A command other than SE and
 * IAC ends it unheard: the peer has lost its place [RFC855]. */
static bool heard_sb_iac(struct telnet *t, uint8_t c, struct telnet_event *ev)
{
	if (c == TELNET_IAC) {
		sb_add(t, c);
		t->state = S_SB_DATA;
		return false;
	}
	t->state = S_DATA;
	if (c != TELNET_SE || t->sb_len == 0)
		return false;
	ev->kind = TELNET_EV_SUBNEG;
	ev->option = t->sb[0];
	ev->data = t->sb + 1;
	ev->len = t->sb_len - 1u;
	return true;
}

static bool heard_byte(struct telnet *t, const uint8_t *p,
		       struct telnet_event *ev)
{
	switch ((enum state)t->state) {
	case S_IAC:
		return heard_command(t, p, ev);
	case S_VERB:
		t->state = S_DATA;
		return heard_verb(t, *p, ev);
	case S_SB:
	case S_SB_DATA:
		t->state = S_SB_DATA;
		if (*p == TELNET_IAC)
			t->state = S_SB_IAC;
		else
			sb_add(t, *p);
		return false;
	case S_SB_IAC:
		return heard_sb_iac(t, *p, ev);
	case S_DATA:
		break;
	}
	return false;
}

/* A run of data up to the next IAC. */
static size_t take_data(struct telnet *t, const uint8_t *p, size_t len,
			struct telnet_event *ev)
{
	const uint8_t *iac = memchr(p, TELNET_IAC, len);
	size_t n = iac ? (size_t)(iac - p) : len;

	if (n > 0) {
		ev->kind = TELNET_EV_DATA;
		ev->data = p;
		ev->len = n;
		return n;
	}
	t->state = S_IAC;
	return 1;
}

size_t telnet_input(struct telnet *t, const void *data, size_t len,
		    struct telnet_event *ret_ev)
{
	const uint8_t *p = data;
	size_t used = 0;

	while (used < len && !t->error) {
		*ret_ev = (struct telnet_event){.kind = TELNET_EV_NONE};
		if (t->state == S_DATA) {
			used += take_data(t, p + used, len - used, ret_ev);
			if (ret_ev->kind == TELNET_EV_DATA)
				return used;
		} else if (heard_byte(t, p + used++, ret_ev) && !t->error) {
			return used;
		}
	}
	*ret_ev = (struct telnet_event){.kind = TELNET_EV_NONE};
	if (t->error) {
		ret_ev->kind = TELNET_EV_ERROR;
		ret_ev->error = (enum telnet_error)t->error;
		return len;
	}
	return used;
}

/* Bytes up to and with IAC `mark`, from `i` on. */
static size_t to_mark(const struct telnet *t, size_t i, uint8_t mark)
{
	while (!(t->out[i] == TELNET_IAC && t->out[i + 1] == mark))
		i += t->out[i] == TELNET_IAC ? 2 : 1;
	return i + 2;
}

/* Bytes of the command or record at the front of the queue. */
static size_t front_len(const struct telnet *t)
{
	if (t->out[0] != TELNET_IAC)
		return to_mark(t, 0, TELNET_EOR);
	if (t->out[1] >= TELNET_WILL && t->out[1] <= TELNET_DONT)
		return VERB_BYTES;
	return t->out[1] == TELNET_SB ? to_mark(t, 2, TELNET_SE) : 2;
}

size_t telnet_output(struct telnet *t, void *buf, size_t cap)
{
	uint8_t *to = buf;
	size_t done = 0;

	if (cap >= t->out_len) {
		done = t->out_len;
		memcpy(to, t->out, done);
		t->out_len = 0;
		return done;
	}
	while (t->out_len > 0) {
		size_t n = front_len(t);

		if (n > cap - done)
			break;
		memcpy(to + done, t->out, n);
		done += n;
		t->out_len = (uint16_t)(t->out_len - n);
		memmove(t->out, t->out + n, t->out_len);
	}
	return done;
}

size_t telnet_output_len(const struct telnet *t)
{
	return t->out_len;
}

void telnet_send_command(struct telnet *t, enum telnet_command c)
{
	uint8_t b[2] = {TELNET_IAC, (uint8_t)c};

	put(t, b, sizeof(b));
}

void telnet_send_mark(struct telnet *t)
{
	put_verb(t, TELNET_DO, TELNET_OPT_TIMING_MARK);
	if (t->marks < UINT16_MAX)
		t->marks++;
}

void telnet_send_sb(struct telnet *t, unsigned option, const void *data,
		    size_t len)
{
	uint8_t b[2 * TELNET_SB_MAX + 5] = {TELNET_IAC, TELNET_SB};
	size_t n = 2;

	if (len >= TELNET_SB_MAX) {
		t->error = TELNET_E_OUT;
		return;
	}
	b[n++] = (uint8_t)option;
	n += telnet_escape(b + n, data, len);
	b[n++] = TELNET_IAC;
	b[n++] = TELNET_SE;
	put(t, b, n);
}

void telnet_send_record(struct telnet *t, const void *data, size_t len)
{
	uint8_t b[TELNET_SB_MAX];
	size_t n;

	if (2 * len + 2 > sizeof(b)) {
		t->error = TELNET_E_OUT;
		return;
	}
	n = telnet_escape(b, data, len);
	b[n++] = TELNET_IAC;
	b[n++] = TELNET_EOR;
	put(t, b, n);
}

size_t telnet_escape(void *out, const void *data, size_t len)
{
	const uint8_t *p = data, *end = p + len;
	uint8_t *to = out;

	while (p < end) {
		const uint8_t *iac = memchr(p, TELNET_IAC, (size_t)(end - p));
		size_t n = (size_t)((iac ? iac + 1 : end) - p);

		memcpy(to, p, n);
		to += n;
		p += n;
		if (iac)
			*to++ = TELNET_IAC;
	}
	return (size_t)(to - (uint8_t *)out);
}

/* Pieces end behind an IAC, and the next begins with that same byte: it goes
 * out twice and is never copied. */
int telnet_escape_iov(const void *data, size_t len, struct iovec *iov, int max,
		      size_t *ret_used)
{
	/* struct iovec has no const; the kernel reads only */
	uint8_t *from = (uint8_t *)(uintptr_t)data, *end = from + len;
	uint8_t *scan = from;
	int n = 0;

	while (from < end) {
		uint8_t *iac = scan < end ? memchr(scan, TELNET_IAC,
						   (size_t)(end - scan))
					  : NULL;
		bool final = n + 1 == max;
		/* without a slot for its second half an IAC is left over */
		uint8_t *to = !iac ? end : final ? iac : iac + 1;

		iov[n++] = (struct iovec){from, (size_t)(to - from)};
		from = to;
		if (!iac || final)
			break;
		scan = from;
		from = iac;
	}
	*ret_used = (size_t)(from - (const uint8_t *)data);
	return n;
}

const char *telnet_command_name(unsigned command)
{
	static const char *const names[] = {
		"EOR", "SE", "NOP", "DM",   "BRK",  "IP", "AO",   "AYT", "EC",
		"EL",  "GA", "SB",  "WILL", "WONT", "DO", "DONT", "IAC",
	};

	static_assert(ARRAY_SIZE(names) == TELNET_IAC - TELNET_EOR + 1, "");
	if (command < TELNET_EOR || command > TELNET_IAC)
		return "?";
	return names[command - TELNET_EOR];
}

const char *telnet_option_name(unsigned option)
{
	switch (option) {
	case TELNET_OPT_BINARY:
		return "BINARY";
	case TELNET_OPT_ECHO:
		return "ECHO";
	case TELNET_OPT_SGA:
		return "SUPPRESS-GO-AHEAD";
	case TELNET_OPT_STATUS:
		return "STATUS";
	case TELNET_OPT_TIMING_MARK:
		return "TIMING-MARK";
	case TELNET_OPT_TTYPE:
		return "TERMINAL-TYPE";
	case TELNET_OPT_EOR:
		return "EOR";
	case TELNET_OPT_NAWS:
		return "NAWS";
	case TELNET_OPT_3270_REGIME:
		return "3270-REGIME";
	case TELNET_OPT_NEW_ENVIRON:
		return "NEW-ENVIRON";
	case TELNET_OPT_TN3270E:
		return "TN3270E";
	case TELNET_OPT_START_TLS:
		return "START_TLS";
	default:
		return "?";
	}
}

const char *telnet_error_text(enum telnet_error e)
{
	static const char *const texts[] = {
		[TELNET_OK] = "no error",
		[TELNET_E_SB_LONG] = "subnegotiation longer than 512 bytes",
		[TELNET_E_CHANGES] = "more than 1024 option requests",
		[TELNET_E_OUT] = "peer does not read our answers",
	};

	static_assert(ARRAY_SIZE(texts) == TELNET_ERRORS, "");
	return (unsigned)e < TELNET_ERRORS ? texts[e] : "?";
}
