/* Text of a packet line to a list of fields. */
#include "script.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind {
	K_FLAG, /* no value */
	K_NUM,
	K_PAIR, /* a:b */
	K_ADDR,
	K_MAC,
	K_HEX,
	K_WORD,  /* kept as text */
	K_QUOTE, /* nothing, or one of the words of a quote */
};

static const struct {
	const char *name;
	enum field field;
	enum kind kind;
} fields[] = {
	{"smac", F_SMAC, K_MAC},       {"dmac", F_DMAC, K_MAC},
	{"etype", F_ETYPE, K_NUM},     {"vlan", F_VLAN, K_NUM},
	{"version", F_VERSION, K_NUM}, {"src", F_SRC, K_ADDR},
	{"dst", F_DST, K_ADDR},        {"ttl", F_TTL, K_NUM},
	{"tos", F_TOS, K_NUM},         {"id", F_ID, K_NUM},
	{"df", F_DF, K_FLAG},          {"mf", F_MF, K_FLAG},
	{"off", F_OFF, K_NUM},         {"ihl", F_IHL, K_NUM},
	{"totlen", F_TOTLEN, K_NUM},   {"badipsum", F_IPSUM, K_FLAG},
	{"ipopt", F_IPOPT, K_HEX},     {"proto", F_PROTO, K_NUM},
	{"flow", F_FLOW, K_NUM},       {"plen", F_PLEN, K_NUM},
	{"hbh", F_EXT, K_HEX},         {"dstopt", F_EXT, K_HEX},
	{"rh", F_EXT, K_HEX},          {"frag", F_FRAG, K_WORD},
	{"sport", F_SPORT, K_NUM},     {"dport", F_DPORT, K_NUM},
	{"badsum", F_SUM, K_FLAG},     {"nosum", F_SUM, K_FLAG},
	{"len", F_LEN, K_NUM},         {"ulen", F_ULEN, K_NUM},
	{"ack", F_ACK, K_NUM},         {"win", F_WIN, K_NUM},
	{"urg", F_URG, K_NUM},         {"doff", F_DOFF, K_NUM},
	{"rsvd", F_RSVD, K_NUM},       {"mss", F_MSS, K_NUM},
	{"ws", F_WS, K_NUM},           {"sackok", F_SACKOK, K_FLAG},
	{"ts", F_TS, K_PAIR},          {"sack", F_SACK, K_PAIR},
	{"opt", F_OPT, K_HEX},         {"type", F_TYPE, K_NUM},
	{"code", F_CODE, K_NUM},       {"rest", F_REST, K_NUM},
	{"eid", F_EID, K_NUM},         {"eseq", F_ESEQ, K_NUM},
	{"quote", F_QUOTE, K_FLAG},    {"qlen", F_QLEN, K_NUM},
	{"qseq", F_QSEQ, K_NUM},       {"qport", F_QPORT, K_NUM},
	{"qdst", F_QDST, K_ADDR},      {"qsrc", F_QSRC, K_ADDR},
	{"ptr", F_PTR, K_NUM},         {"mtu", F_MTU, K_NUM},
	{"target", F_TARGET, K_ADDR},  {"dest", F_DEST, K_ADDR},
	{"router", F_ROUTER, K_FLAG},  {"sol", F_SOL, K_FLAG},
	{"over", F_OVERRIDE, K_FLAG},  {"slla", F_SLLA, K_MAC},
	{"tlla", F_TLLA, K_MAC},       {"nonce", F_NONCE, K_HEX},
	{"life", F_LIFE, K_NUM},       {"hop", F_HOP, K_NUM},
	{"reach", F_REACH, K_NUM},     {"retrans", F_RETRANS, K_NUM},
	{"raflags", F_RAFLAGS, K_NUM}, {"prefix", F_PREFIX, K_WORD},
	{"rdnss", F_RDNSS, K_WORD},    {"dnssl", F_DNSSL, K_WORD},
	{"ndopt", F_NDOPT, K_HEX},     {"op", F_OP, K_NUM},
	{"sha", F_SHA, K_MAC},         {"tha", F_THA, K_MAC},
	{"spa", F_SPA, K_ADDR},        {"tpa", F_TPA, K_ADDR},
	{"group", F_GROUP, K_ADDR},    {"raw", F_RAW, K_HEX},
	{"trunc", F_TRUNC, K_NUM},     {"pad", F_PAD, K_NUM},
	{"spoil", F_SPOIL, K_PAIR},    {"frame", F_FRAME, K_HEX},
};

/* What stands for a body, with type and code or operation. */
static const struct {
	const char *name;
	enum body body;
	int type, code; /* -1: none */
} bodies[] = {
	{"tcp", BODY_TCP, -1, -1},
	{"udp", BODY_UDP, -1, -1},
	{"icmp", BODY_ICMP4, -1, -1},
	{"icmp6", BODY_ICMP6, -1, -1},
	{"igmp", BODY_IGMP, -1, -1},
	{"nobody", BODY_RAW, -1, -1},
	{"echo", BODY_ICMP4, 8, 0},
	{"reply", BODY_ICMP4, 0, 0},
	{"net-unreach", BODY_ICMP4, 3, 0},
	{"host-unreach", BODY_ICMP4, 3, 1},
	{"proto-unreach", BODY_ICMP4, 3, 2},
	{"port-unreach", BODY_ICMP4, 3, 3},
	{"frag-needed", BODY_ICMP4, 3, 4},
	{"sr-failed", BODY_ICMP4, 3, 5},
	{"quench", BODY_ICMP4, 4, 0},
	{"redirect4", BODY_ICMP4, 5, 1},
	{"ttl-exceeded", BODY_ICMP4, 11, 0},
	{"reasm-exceeded", BODY_ICMP4, 11, 1},
	{"param-problem", BODY_ICMP4, 12, 0},
	{"timestamp", BODY_ICMP4, 13, 0},
	{"maskreq", BODY_ICMP4, 17, 0},
	{"inforeq", BODY_ICMP4, 15, 0},
	{"echo6", BODY_ICMP6, 128, 0},
	{"reply6", BODY_ICMP6, 129, 0},
	{"noroute6", BODY_ICMP6, 1, 0},
	{"admin6", BODY_ICMP6, 1, 1},
	{"addr6", BODY_ICMP6, 1, 3},
	{"port6", BODY_ICMP6, 1, 4},
	{"toobig", BODY_ICMP6, 2, 0},
	{"hops6", BODY_ICMP6, 3, 0},
	{"reasm6", BODY_ICMP6, 3, 1},
	{"param6", BODY_ICMP6, 4, 0},
	{"nexthdr6", BODY_ICMP6, 4, 1},
	{"option6", BODY_ICMP6, 4, 2},
	{"chain6", BODY_ICMP6, 4, 3},
	{"mldq", BODY_ICMP6, 130, 0},
	{"mld2", BODY_ICMP6, 143, 0},
	{"mldr", BODY_ICMP6, 131, 0},
	{"mlddone", BODY_ICMP6, 132, 0},
	{"rs", BODY_ICMP6, 133, 0},
	{"ra", BODY_ICMP6, 134, 0},
	{"ns", BODY_ICMP6, 135, 0},
	{"na", BODY_ICMP6, 136, 0},
	{"redirect6", BODY_ICMP6, 137, 0},
	{"arp-req", BODY_ARP, 1, -1},
	{"arp-rep", BODY_ARP, 2, -1},
	{"arp", BODY_ARP, -1, -1},
};

/* ---- small readers ---------------------------------------------------------
 */

unsigned script_split(char *text, char *words[WORDS_MAX])
{
	unsigned n = 0;
	char *w;

	text[strcspn(text, "#")] = 0;
	while (n < WORDS_MAX && (w = strsep(&text, " \t\r\n")))
		if (*w)
			words[n++] = w;
	return n;
}

bool script_duration(const char *text, dur_t *ret)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || v < 0)
		return false;
	if (strcmp(end, "s") == 0)
		*ret = DUR_NS((int64_t)(v * 1e9));
	else if (strcmp(end, "ms") == 0)
		*ret = DUR_NS((int64_t)(v * 1e6));
	else if (strcmp(end, "us") == 0)
		*ret = DUR_NS((int64_t)(v * 1e3));
	else
		return false;
	return true;
}

bool script_addr(struct script *s, const char *text, struct ip_addr *ret)
{
	const struct {
		const char *name;
		const struct ip_addr *addr;
	} known[] = {{"us", s->v6 ? &s->us6 : &s->us},
		     {"peer", s->v6 ? &s->peer6 : &s->peer},
		     {"us4", &s->us},
		     {"peer4", &s->peer},
		     {"us6", &s->us6},
		     {"peer6", &s->peer6}};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(text, known[i].name) == 0) {
			*ret = *known[i].addr;
			return true;
		}
	for (unsigned i = 0; text[0] == '$' && i < VARS_MAX; i++)
		if (strcmp(s->var[i].name, text + 1) == 0) {
			*ret = s->var[i].addr;
			return true;
		}
	return ip_parse(text, ret) == 0;
}

static bool read_mac(const char *text, struct item *it)
{
	unsigned b[6];

	if (strcmp(text, "us") == 0)
		text = "02:00:00:00:00:01";
	else if (strcmp(text, "peer") == 0)
		text = "02:00:00:00:00:02";
	else if (strcmp(text, "all") == 0)
		text = "ff:ff:ff:ff:ff:ff";
	if (sscanf(text, "%x:%x:%x:%x:%x:%x", b, b + 1, b + 2, b + 3, b + 4,
		   b + 5) != 6)
		return false;
	for (int i = 0; i < 6; i++)
		it->bytes[i] = (uint8_t)b[i];
	it->len = 6;
	return true;
}

static bool read_hex(const char *text, struct item *it)
{
	for (; text[0]; text += 2) {
		unsigned v;

		if (!isxdigit((unsigned char)text[0]) ||
		    !isxdigit((unsigned char)text[1]) ||
		    it->len == sizeof(it->bytes))
			return false;
		(void)sscanf(text, "%2x", &v);
		it->bytes[it->len++] = (uint8_t)v;
	}
	return true;
}

static bool read_num(const char *text, int64_t *ret)
{
	char *end;

	*ret = strtoll(text, &end, 0);
	return end != text && *end == 0;
}

/* "a:b", either of which may be "*" (-1) or "last" (-2). */
static bool read_pair(const char *text, struct item *it)
{
	char copy[64], *colon;
	int64_t *to[2] = {&it->n, &it->n2};
	const char *part[2] = {copy, NULL};

	snprintf(copy, sizeof(copy), "%s", text);
	colon = strchr(copy, ':');
	if (!colon)
		return false;
	*colon = 0;
	part[1] = colon + 1;
	for (int i = 0; i < 2; i++) {
		if (strcmp(part[i], "*") == 0)
			*to[i] = -1;
		else if (strcmp(part[i], "last") == 0)
			*to[i] = -2;
		else if (!read_num(part[i], to[i]))
			return false;
	}
	return true;
}

static bool read_addr(struct script *s, const char *text, struct item *it)
{
	if (text[0] == '!') {
		it->other = true;
		text++;
	}
	if (text[0] == '$')
		snprintf(it->var, sizeof(it->var), "%s", text + 1);
	if (script_addr(s, text, &it->addr)) {
		it->var[0] = 0;
		return true;
	}
	return it->var[0] != 0;
}

static bool read_value(struct script *s, enum kind k, const char *text,
		       struct item *it)
{
	if (strcmp(text, "*") == 0) {
		it->any = true;
		return true;
	}
	switch (k) {
	case K_NUM:
		return read_num(text, &it->n);
	case K_PAIR:
		return read_pair(text, it);
	case K_ADDR:
		return read_addr(s, text, it);
	case K_MAC:
		return read_mac(text, it);
	case K_HEX:
		return read_hex(text, it);
	case K_WORD:
		it->len = (uint16_t)snprintf((char *)it->bytes,
					     sizeof(it->bytes), "%s", text);
		return true;
	case K_FLAG:
	case K_QUOTE:
		break;
	}
	return true;
}

/* ---- the line --------------------------------------------------------------
 */

static struct item *add(struct packet_line *l, enum field f)
{
	struct item *it = &l->item[l->n];

	if (l->n == ITEMS_MAX)
		return NULL;
	l->n++;
	*it = (struct item){.field = f};
	return it;
}

/* "SA" "PA" "." : letters of flags only, capitals. */
static bool is_flags(const char *w)
{
	return strcmp(w, ".") == 0 || strspn(w, "SAFRPUECN") == strlen(w);
}

static int64_t flag_bits(const char *w)
{
	static const char letters[] = "FSRPAUEC";
	int64_t bits = 0;

	for (; *w; w++) {
		const char *at = strchr(letters, *w);

		if (at)
			bits |= 1 << (at - letters);
		else if (*w == 'N') /* the reserved bit beside them */
			bits |= 0x100;
	}
	return bits;
}

/* "17", "17+100", "-1+1", "*" behind the flags */
static bool take_seq(struct packet_line *l, const char *w)
{
	char *end;
	struct item *it;

	if (strcmp(w, "*") == 0)
		return true;
	it = add(l, F_SEQ);
	if (!it)
		return false;
	it->n = strtoll(w, &end, 0);
	if (*end == '+') {
		struct item *len = add(l, F_LEN);

		if (!len)
			return false;
		len->n = strtoll(end + 1, &end, 0);
	}
	return *end == 0;
}

static bool take_flags(struct script *s, struct packet_line *l, char **words,
		       unsigned n, unsigned *at)
{
	struct item *it = add(l, F_FLAGS);

	if (!it)
		return script_fail(s, "too many words");
	l->body = BODY_TCP;
	it->n = flag_bits(words[*at]);
	if (*at + 1 < n && (isdigit((unsigned char)words[*at + 1][0]) ||
			    words[*at + 1][0] == '*' ||
			    (words[*at + 1][0] == '-' &&
			     isdigit((unsigned char)words[*at + 1][1])))) {
		++*at;
		if (!take_seq(l, words[*at]))
			return script_fail(s, "bad sequence number %s",
					   words[*at]);
	}
	return true;
}

static bool take_body(struct packet_line *l, const char *w)
{
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct item *it;

		if (strcmp(bodies[i].name, w) != 0)
			continue;
		l->body = bodies[i].body;
		if (bodies[i].type >= 0 &&
		    (it = add(l, bodies[i].body == BODY_ARP ? F_OP : F_TYPE)))
			it->n = bodies[i].type;
		if (bodies[i].code >= 0 && (it = add(l, F_CODE)))
			it->n = bodies[i].code;
		return true;
	}
	return false;
}

static bool take_field(struct script *s, struct packet_line *l, char **words,
		       unsigned n, unsigned *at)
{
	const char *w = words[*at];
	bool absent = w[0] == '-';
	struct item *it;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (strcmp(fields[i].name, w + absent) != 0)
			continue;
		it = add(l, fields[i].field);
		if (!it)
			return script_fail(s, "too many words");
		it->absent = absent;
		/* words that share a field say which they are */
		if (fields[i].field == F_EXT)
			it->n = w[0] == 'h' ? 0 : w[0] == 'r' ? 43 : 60;
		if (fields[i].field == F_SUM)
			it->n = w[0] == 'b';
		if (absent || fields[i].kind == K_FLAG)
			return true;
		if (++*at >= n)
			return script_fail(s, "%s wants a value", w);
		return read_value(s, fields[i].kind, words[*at], it) ||
		       script_fail(s, "bad value %s of %s", words[*at], w);
	}
	return script_fail(s, "unknown word %s", w);
}

bool script_packet_line(struct script *s, char **words, unsigned n,
			struct packet_line *ret)
{
	*ret = (struct packet_line){0};
	for (unsigned i = 0; i < n; i++) {
		if (take_body(ret, words[i]))
			continue;
		if (is_flags(words[i])) {
			if (!take_flags(s, ret, words, n, &i))
				return false;
			continue;
		}
		if (!take_field(s, ret, words, n, &i))
			return false;
		if (script_item(ret, F_RAW) || script_item(ret, F_FRAME))
			ret->body = BODY_RAW;
	}
	return true;
}

const struct item *script_item(const struct packet_line *l, enum field f)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->item[i].field == (int)f)
			return &l->item[i];
	return NULL;
}

struct flow *script_flow(struct script *s, uint16_t peer_port)
{
	struct flow *free_one = NULL;

	for (unsigned i = 0; i < FLOWS_MAX; i++) {
		if (s->flow[i].used && s->flow[i].peer_port == peer_port)
			return &s->flow[i];
		if (!s->flow[i].used && !free_one)
			free_one = &s->flow[i];
	}
	if (!free_one) /* a script with so many ports counts in one of them */
		free_one = &s->flow[FLOWS_MAX - 1];
	*free_one = (struct flow){
		.used = true,
		.peer_port = peer_port,
		.our_port = s->our_port,
		.isn = 0xfffff000u - peer_port, /* wraps after some 4 KB */
	};
	return free_one;
}
