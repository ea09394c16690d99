#include "deck/args.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#define SHOWN_MAX 64 /* bytes of an operand shown in a note */
#define EXPECTED_MAX (DECK_NOTE_MAX - 3 * SHOWN_MAX)

/* ---- the row of operands
 * ------------------------------------------------------ */

/* Column for notes: of the operand taken last, else of the keyword. */
static uint32_t column(const struct deck_args *a)
{
	return a->next ? a->cmd->operands[a->next - 1].column : a->cmd->column;
}

void deck_args_note(struct deck_args *a, enum deck_severity severity,
		    const char *fmt, ...)
{
	char text[DECK_NOTE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	a->errors += severity == DECK_ERROR;
	deck_note(a->report, severity, a->cmd->file, a->cmd->line, column(a),
		  "%s", text);
}

void deck_args_expected(struct deck_args *a, const char *what, const char *fmt,
			...)
{
	char text[EXPECTED_MAX];
	const char *value;
	va_list ap;

	INVARIANT(a->next > 0);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	value = a->secret ? "..." : a->cmd->operands[a->next - 1].text;
	deck_args_note(a, DECK_ERROR, "%.32s %s '%.*s': expected %s",
		       a->cmd->keyword, what, SHOWN_MAX, value, text);
}

struct deck_args deck_args_of(const struct deck_command *cmd,
			      struct deck_report *report)
{
	struct deck_args a = {.cmd = cmd, .report = report};
	const struct deck_operand *last;
	size_t len;

	if (cmd->too_many)
		deck_args_note(&a, DECK_ERROR,
			       "%.32s: expected at most %d operands",
			       cmd->keyword, DECK_OPERANDS_MAX);
	if (!cmd->n_operands)
		return a;
	last = &cmd->operands[cmd->n_operands - 1];
	len = strlen(last->text);
	if (strcmp(last->text, "-") == 0 || last->text[len - 1] == ',')
		deck_note(report, DECK_WARNING, cmd->file, cmd->line,
			  last->column + (uint32_t)len - 1,
			  "'%c' does not continue a record: a command is one "
			  "record",
			  last->text[len - 1]);
	return a;
}

bool deck_args_more(const struct deck_args *a)
{
	return a->next < a->cmd->n_operands;
}

const char *deck_args_peek(const struct deck_args *a)
{
	return deck_args_more(a) ? a->cmd->operands[a->next].text : NULL;
}

bool deck_args_is(struct deck_args *a, const char *word)
{
	const char *text = deck_args_peek(a);

	if (!text || strcasecmp(text, word) != 0)
		return false;
	a->next++;
	return true;
}

bool deck_args_default(struct deck_args *a)
{
	return deck_args_is(a, "*");
}

const char *deck_args_text(struct deck_args *a, const char *what,
			   const char *expected)
{
	if (deck_args_more(a))
		return a->cmd->operands[a->next++].text;
	if (!a->missing) {
		a->missing = true;
		a->errors++;
		deck_note(a->report, DECK_ERROR, a->cmd->file, a->cmd->line,
			  (uint32_t)strlen(a->cmd->record) + 1,
			  "%.32s: %s is missing: expected %s", a->cmd->keyword,
			  what, expected);
	}
	return NULL;
}

bool deck_args_end(struct deck_args *a)
{
	if (deck_args_more(a)) {
		a->next++;
		deck_args_note(a, DECK_ERROR,
			       "%.32s: '%.*s': expected the end of the record",
			       a->cmd->keyword, SHOWN_MAX,
			       a->secret ? "..."
					 : a->cmd->operands[a->next - 1].text);
		a->next = a->cmd->n_operands;
	}
	return a->errors == 0;
}

/* ---- numbers
 * ------------------------------------------------------------------- */

/* Decimal digits at *p, which moves behind them. */
static bool digits(const char **p, uint64_t *ret)
{
	const char *s = *p;
	uint64_t v = 0;

	if (!isdigit((unsigned char)*s))
		return false;
	for (; isdigit((unsigned char)*s); s++) {
		unsigned d = (unsigned)(*s - '0');

		if (v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*p = s;
	*ret = v;
	return true;
}

bool deck_args_u32(struct deck_args *a, const char *what, uint32_t lo,
		   uint32_t hi, uint32_t *ret)
{
	char expected[64];
	const char *text;
	uint64_t v;

	snprintf(expected, sizeof(expected), "a number %" PRIu32 "..%" PRIu32,
		 lo, hi);
	text = deck_args_text(a, what, expected);
	if (!text)
		return false;
	if (!digits(&text, &v) || *text || v < lo || v > hi) {
		deck_args_expected(a, what, "%s", expected);
		return false;
	}
	*ret = (uint32_t)v;
	return true;
}

bool deck_args_u16(struct deck_args *a, const char *what, uint16_t lo,
		   uint16_t hi, uint16_t *ret)
{
	uint32_t v;

	if (!deck_args_u32(a, what, lo, hi, &v))
		return false;
	*ret = (uint16_t)v;
	return true;
}

bool deck_args_range(struct deck_args *a, const char *what, uint16_t lo,
		     uint16_t hi, uint16_t *ret_lo, uint16_t *ret_hi)
{
	char expected[64];
	const char *text;
	uint64_t from, to;
	bool ok;

	snprintf(expected, sizeof(expected), "n or n-m of %u..%u", lo, hi);
	text = deck_args_text(a, what, expected);
	if (!text)
		return false;
	ok = digits(&text, &from);
	to = from;
	if (ok && *text == '-') {
		text++;
		ok = digits(&text, &to);
	}
	if (!ok || *text || from < lo || to > hi || from > to) {
		deck_args_expected(a, what, "%s", expected);
		return false;
	}
	*ret_lo = (uint16_t)from;
	*ret_hi = (uint16_t)to;
	return true;
}

/* ---- units
 * ----------------------------------------------------------------------- */

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit times[] = {
	{"S", 1000000000}, {"MS", 1000000}, {"US", 1000}, {"NS", 1}};
static const struct unit sizes[] = {
	{"G", 1u << 30}, {"M", 1u << 20}, {"K", 1u << 10}, {"", 1}};

/* digits and a unit; 0 needs no unit */
static bool with_unit(const char *text, const struct unit *units, size_t n,
		      uint64_t *ret)
{
	uint64_t v;

	if (!digits(&text, &v))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(text, units[i].name) == 0)
			return !__builtin_mul_overflow(v, units[i].factor, ret);
	}
	*ret = 0;
	return v == 0 && !*text;
}

static const char *unit_format(uint64_t v, const struct unit *units, size_t n,
			       char *buf)
{
	size_t i = 0;

	while (i + 1 < n && v % units[i].factor)
		i++;
	if (v == 0)
		snprintf(buf, DECK_UNIT_TEXT_MAX, "0");
	else
		snprintf(buf, DECK_UNIT_TEXT_MAX, "%" PRIu64 "%s",
			 v / units[i].factor, units[i].name);
	return buf;
}

const char *deck_format_dur(int64_t ns, char *buf)
{
	return unit_format((uint64_t)ns, times, ARRAY_SIZE(times), buf);
}

const char *deck_format_size(uint64_t bytes, char *buf)
{
	return unit_format(bytes, sizes, ARRAY_SIZE(sizes), buf);
}

bool deck_args_dur(struct deck_args *a, const char *what, int64_t lo_ns,
		   int64_t hi_ns, int64_t *ret_ns)
{
	char expected[128], lo[DECK_UNIT_TEXT_MAX], hi[DECK_UNIT_TEXT_MAX];
	const char *text;
	uint64_t v;

	snprintf(expected, sizeof(expected),
		 "a time with unit (S, MS, US), %s..%s",
		 deck_format_dur(lo_ns, lo), deck_format_dur(hi_ns, hi));
	text = deck_args_text(a, what, expected);
	if (!text)
		return false;
	if (!with_unit(text, times, ARRAY_SIZE(times), &v) ||
	    v < (uint64_t)lo_ns || v > (uint64_t)hi_ns) {
		deck_args_expected(a, what, "%s", expected);
		return false;
	}
	*ret_ns = (int64_t)v;
	return true;
}

bool deck_args_size(struct deck_args *a, const char *what, uint64_t lo,
		    uint64_t hi, uint64_t *ret)
{
	char expected[128], t_lo[DECK_UNIT_TEXT_MAX], t_hi[DECK_UNIT_TEXT_MAX];
	const char *text;
	uint64_t v;

	snprintf(expected, sizeof(expected),
		 "bytes, or with unit K, M or G, %s..%s",
		 deck_format_size(lo, t_lo), deck_format_size(hi, t_hi));
	text = deck_args_text(a, what, expected);
	if (!text)
		return false;
	if (!with_unit(text, sizes, ARRAY_SIZE(sizes), &v) || v < lo ||
	    v > hi) {
		deck_args_expected(a, what, "%s", expected);
		return false;
	}
	*ret = v;
	return true;
}

/* ---- words
 * -------------------------------------------------------------------------- */

/* "A, B or C" */
static void word_list(const char *const *words, size_t n, char *buf, size_t cap)
{
	size_t used = 0;

	for (size_t i = 0; i < n && used < cap; i++) {
		int len = snprintf(buf + used, cap - used, "%s%s",
				   !i          ? ""
				   : i + 1 < n ? ", "
					       : " or ",
				   words[i]);

		used += len > 0 ? (size_t)len : 0;
	}
}

bool deck_args_word(struct deck_args *a, const char *what,
		    const char *const *words, size_t n, unsigned *ret)
{
	char expected[EXPECTED_MAX] = "";
	const char *text;

	word_list(words, n, expected, sizeof(expected));
	text = deck_args_text(a, what, expected);
	if (!text)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*ret = i;
			return true;
		}
	}
	deck_args_expected(a, what, "%s", expected);
	return false;
}

bool deck_args_on_off(struct deck_args *a, const char *what, bool *ret)
{
	static const char *const words[] = {"OFF", "ON"};
	unsigned i;

	if (!deck_args_word(a, what, words, ARRAY_SIZE(words), &i))
		return false;
	*ret = i == 1;
	return true;
}

static bool name_ok(const char *text, const char *also, size_t max)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		/* not isalnum(): bytes above 127 are no letters here */
		if (c > 127 || (!isalnum(c) && !strchr(also, c)))
			return false;
	}
	return len >= 1 && len <= max;
}

bool deck_args_name(struct deck_args *a, const char *what, const char *also,
		    size_t max, char *buf)
{
	char expected[128];
	const char *text;

	snprintf(expected, sizeof(expected), "1 to %zu letters, digits%s%.20s",
		 max, *also ? " or " : "", also);
	text = deck_args_text(a, what, expected);
	if (!text)
		return false;
	if (!name_ok(text, also, max)) {
		deck_args_expected(a, what, "%s", expected);
		return false;
	}
	memcpy(buf, text, strlen(text) + 1);
	return true;
}

bool deck_args_path(struct deck_args *a, const char *what, size_t max,
		    char *buf)
{
	char expected[64];
	const char *text;
	size_t len;

	snprintf(expected, sizeof(expected),
		 "an absolute path of at most %zu bytes", max);
	text = deck_args_text(a, what, expected);
	if (!text)
		return false;
	len = strlen(text);
	if (text[0] != '/' || len > max) {
		deck_args_expected(a, what, "%s", expected);
		return false;
	}
	memcpy(buf, text, len + 1);
	return true;
}

/* ---- adapters
 * -------------------------------------------------------------------------- */

bool deck_args_cuu(struct deck_args *a, const char *what, char *buf)
{
	const char *expected = "a device number of 3 or 4 hex digits";
	const char *text = deck_args_text(a, what, expected);
	size_t len = text ? strlen(text) : 0;

	if (!text)
		return false;
	if (len < 3 || len > 4 ||
	    strspn(text, "0123456789abcdefABCDEF") != len) {
		deck_args_expected(a, what, "%s", expected);
		return false;
	}
	for (size_t i = 0; i <= len; i++)
		buf[i] = (char)toupper((unsigned char)text[i]);
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool mac_parse(const char *p, uint8_t *ret)
{
	bool zero = true;

	for (int i = 0; i < 6; i++) {
		int hi, lo;

		if (i && (*p == ':' || *p == '-'))
			p++;
		hi = hex_digit(p[0]);
		lo = hi < 0 ? -1 : hex_digit(p[1]);
		if (lo < 0)
			return false;
		ret[i] = (uint8_t)(hi << 4 | lo);
		zero = zero && !ret[i];
		p += 2;
	}
	return !*p && !zero && !(ret[0] & 1);
}

bool deck_args_mac(struct deck_args *a, const char *what, uint8_t *ret)
{
	const char *expected = "a unicast MAC address of 12 hex digits";
	const char *text = deck_args_text(a, what, expected);
	uint8_t mac[6];

	if (!text)
		return false;
	if (!mac_parse(text, mac)) {
		deck_args_expected(a, what, "%s", expected);
		return false;
	}
	memcpy(ret, mac, sizeof(mac));
	return true;
}

/* ---- addresses
 * ---------------------------------------------------------------------------
 */

static const char *family_expected(enum ip_family family)
{
	return family == IP_V4   ? "an IPv4 address"
	       : family == IP_V6 ? "an IPv6 address"
				 : "an IPv4 or IPv6 address";
}

static bool addr_ok(const char *text, enum ip_family family,
		    struct ip_addr *ret)
{
	return ip_parse(text, ret) == 0 &&
	       (family == IP_NONE || ret->family == family);
}

bool deck_args_addr(struct deck_args *a, const char *what,
		    enum ip_family family, struct ip_addr *ret)
{
	const char *text = deck_args_text(a, what, family_expected(family));
	struct ip_addr addr;

	if (!text)
		return false;
	if (!addr_ok(text, family, &addr)) {
		deck_args_expected(a, what, "%s", family_expected(family));
		return false;
	}
	*ret = addr;
	return true;
}

/* "n" behind the slash; -1 = no length of this family */
static int plen_parse(const char *text, enum ip_family family)
{
	uint64_t v;

	if (!digits(&text, &v) || *text || v > (family == IP_V4 ? 32 : 128))
		return -1;
	return (int)v;
}

bool deck_args_mask(struct deck_args *a, const char *what,
		    enum ip_family family, unsigned lo, uint8_t *ret_len)
{
	char expected[96];
	struct ip_addr mask;
	const char *text;
	int len = -1;

	snprintf(expected, sizeof(expected),
		 family == IP_V4 ? "an IPv4 mask such as 255.255.255.0, or "
				   "/%u../32"
				 : "/%u../128, or an IPv6 mask",
		 lo);
	text = deck_args_text(a, what, expected);
	if (!text)
		return false;
	if (text[0] == '/')
		len = plen_parse(text + 1, family);
	else if (addr_ok(text, family, &mask))
		len = ip_mask_len(&mask);
	if (len < (int)lo) {
		deck_args_expected(a, what, "%s", expected);
		return false;
	}
	*ret_len = (uint8_t)len;
	return true;
}

bool deck_args_prefix(struct deck_args *a, const char *what,
		      enum ip_family family, struct ip_prefix *ret)
{
	char expected[96], addr[ADDR_TEXT_MAX];
	struct ip_prefix p;
	const char *text;
	size_t len;
	int plen;

	snprintf(expected, sizeof(expected), "%s, or address/length",
		 family_expected(family));
	text = deck_args_text(a, what, expected);
	if (!text)
		return false;
	len = strcspn(text, "/");
	snprintf(addr, sizeof(addr), "%.*s", (int)MIN(len, sizeof(addr) - 1),
		 text);
	if (len < sizeof(addr) && addr_ok(addr, family, &p.addr)) {
		enum ip_family f = (enum ip_family)p.addr.family;

		plen = !text[len]      ? (int)ip_addr_len(&p.addr) * 8
		       : text[len + 1] ? plen_parse(text + len + 1, f)
				       : -1;
		if (plen >= 0) {
			p.len = (uint8_t)plen;
			*ret = p;
			return true;
		}
	}
	deck_args_expected(a, what, "%s", expected);
	return false;
}
