#include "deck_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#define MS 1000000LL
#define S 1000000000LL
#define KIB 1024ULL
#define MIB (1024ULL * 1024)
#define GIB (1024ULL * 1024 * 1024)

/* ---- one table reads, prints and limits the tunables
 * --------------------------- */

enum kind { KIND_DUR, KIND_U32, KIND_U8, KIND_SIZE, KIND_BOOL, KIND_WORD };

struct word {
	const char *name;
	enum kind kind;
	size_t offset;
	int64_t lo, hi;
	const char *const *words; /* KIND_WORD: names of the enum's values */
	size_t n_words;
};

static const char *const cc_names[] = {[TCP_CC_CUBIC] = "CUBIC",
				       [TCP_CC_NEWRENO] = "NEWRENO",
				       [TCP_CC_BBR] = "BBR"};
static const char *const ecn_names[] = {[TCP_ECN_OFF] = "OFF",
					[TCP_ECN_PASSIVE] = "PASSIVE",
					[TCP_ECN_ON] = "ON"};
#define TCP(field) offsetof(struct tcp_tune, field)

/* The limits are in stackd.deck(5). */
static const struct word tcp_words[] = {
	{"RTO_INITIAL", KIND_DUR, TCP(rto_initial), 10 * MS, 60 * S, NULL, 0},
	{"RTO_MIN", KIND_DUR, TCP(rto_min), 2 * MS, 60 * S, NULL, 0},
	{"RTO_MAX", KIND_DUR, TCP(rto_max), 1 * S, 3600 * S, NULL, 0},
	{"DELACK", KIND_DUR, TCP(delack), 0, 500 * MS, NULL, 0},
	{"TIMEWAIT", KIND_DUR, TCP(timewait), 0, 600 * S, NULL, 0},
	{"FINWAIT2", KIND_DUR, TCP(fin_wait2), 1 * S, 3600 * S, NULL, 0},
	{"KEEPIDLE", KIND_DUR, TCP(keep_idle), 1 * S, 32767 * S, NULL, 0},
	{"KEEPINTVL", KIND_DUR, TCP(keep_intvl), 1 * S, 32767 * S, NULL, 0},
	{"KEEPCNT", KIND_U32, TCP(keep_count), 1, 127, NULL, 0},
	{"SYN_RETRIES", KIND_U32, TCP(syn_retries), 1, 127, NULL, 0},
	{"SYNACK_RETRIES", KIND_U32, TCP(synack_retries), 1, 127, NULL, 0},
	{"RETRIES", KIND_U32, TCP(retries2), 3, 127, NULL, 0},
	{"ORPHAN_RETRIES", KIND_U32, TCP(orphan_retries), 1, 127, NULL, 0},
	{"INITCWND", KIND_U32, TCP(initial_cwnd_segs), 1, 100, NULL, 0},
	{"SNDBUF", KIND_SIZE, TCP(sndbuf_init), 4 * KIB, GIB, NULL, 0},
	{"SNDBUF_MAX", KIND_SIZE, TCP(sndbuf_max), 4 * KIB, GIB, NULL, 0},
	{"RCVBUF", KIND_SIZE, TCP(rcvbuf_init), 4 * KIB, GIB, NULL, 0},
	{"RCVBUF_MAX", KIND_SIZE, TCP(rcvbuf_max), 4 * KIB, GIB, NULL, 0},
	{"SYNBACKLOG", KIND_U32, TCP(syn_backlog_max), 1, 1048576, NULL, 0},
	{"CHALLENGE_ACKS", KIND_U32, TCP(challenge_acks_per_s), 1, 1000000,
	 NULL, 0},
	{"TIMESTAMPS", KIND_BOOL, TCP(timestamps), 0, 1, NULL, 0},
	{"SACK", KIND_BOOL, TCP(sack), 0, 1, NULL, 0},
	{"WSCALE", KIND_BOOL, TCP(window_scaling), 0, 1, NULL, 0},
	{"SYNCOOKIES", KIND_BOOL, TCP(syn_cookies), 0, 1, NULL, 0},
	{"PLPMTUD", KIND_BOOL, TCP(plpmtud), 0, 1, NULL, 0},
	{"PACING", KIND_BOOL, TCP(pacing), 0, 1, NULL, 0},
	{"ECN", KIND_WORD, TCP(ecn), 0, 0, ecn_names, ARRAY_SIZE(ecn_names)},
	{"CC", KIND_WORD, TCP(cc), 0, 0, cc_names, ARRAY_SIZE(cc_names)},
};

#define IP(field) offsetof(struct ip_tune, field)

static const struct word ip_words[] = {
	{"REASM", KIND_SIZE, IP(reasm_limit_bytes), 64 * KIB, GIB, NULL, 0},
	{"REASM_SOURCE", KIND_U32, IP(reasm_per_src), 1, 65536, NULL, 0},
	{"ICMP_RATE", KIND_U32, IP(icmp_errors_per_s), 0, 1000000, NULL, 0},
	{"NEIGHBORS", KIND_U32, IP(neigh_max), 16, 1048576, NULL, 0},
	{"NEIGH_QUEUE", KIND_U32, IP(neigh_queue_pkts), 1, 1024, NULL, 0},
	{"TTL", KIND_U8, IP(ttl), 1, 255, NULL, 0},
	{"REDIRECTS", KIND_BOOL, IP(redirects), 0, 1, NULL, 0},
	{"RA", KIND_BOOL, IP(accept_ra), 0, 1, NULL, 0},
	{"RA_ROUTES", KIND_BOOL, IP(ra_routes), 0, 1, NULL, 0},
	{"RA_ADDRS", KIND_BOOL, IP(ra_addrs), 0, 1, NULL, 0},
	{"RA_DNS", KIND_BOOL, IP(ra_dns), 0, 1, NULL, 0},
	{"RA_HOP_MIN", KIND_U8, IP(ra_hop_min), 0, 255, NULL, 0},
	{"TEMPADDR", KIND_BOOL, IP(temp_addrs), 0, 1, NULL, 0},
	{"DAD", KIND_U32, IP(dad_transmits), 0, 16, NULL, 0},
	{"ARP_PROBES", KIND_U32, IP(arp_probes), 0, 16, NULL, 0},
};

static_assert(sizeof(enum tcp_cc_kind) == sizeof(uint32_t) &&
		      sizeof(enum tcp_ecn_mode) == sizeof(uint32_t),
	      "KIND_WORD is read and written as 32 bits");

/* The value of a word as one number, whatever its kind. */
static int64_t get(const struct word *w, const void *tune)
{
	const char *at = (const char *)tune + w->offset;
	uint32_t u32;
	uint8_t u8;
	dur_t dur;
	bool flag;

	switch (w->kind) {
	case KIND_DUR:
		memcpy(&dur, at, sizeof(dur));
		return dur.ns;
	case KIND_U8:
		memcpy(&u8, at, sizeof(u8));
		return u8;
	case KIND_BOOL:
		memcpy(&flag, at, sizeof(flag));
		return flag;
	case KIND_U32:
	case KIND_SIZE:
	case KIND_WORD:
		break;
	}
	memcpy(&u32, at, sizeof(u32));
	return u32;
}

static void set(const struct word *w, void *tune, int64_t v)
{
	char *at = (char *)tune + w->offset;
	uint32_t u32 = (uint32_t)v;
	uint8_t u8 = (uint8_t)v;
	dur_t dur = {v};
	bool flag = v != 0;

	switch (w->kind) {
	case KIND_DUR:
		memcpy(at, &dur, sizeof(dur));
		return;
	case KIND_U8:
		memcpy(at, &u8, sizeof(u8));
		return;
	case KIND_BOOL:
		memcpy(at, &flag, sizeof(flag));
		return;
	case KIND_U32:
	case KIND_SIZE:
	case KIND_WORD:
		break;
	}
	memcpy(at, &u32, sizeof(u32));
}

static bool read_word(struct deck_args *a, const struct word *w, int64_t *ret)
{
	uint64_t size;
	uint32_t u32;
	unsigned i;
	bool flag, ok;

	switch (w->kind) {
	case KIND_DUR:
		return deck_args_dur(a, w->name, w->lo, w->hi, ret);
	case KIND_U32:
	case KIND_U8:
		ok = deck_args_u32(a, w->name, (uint32_t)w->lo, (uint32_t)w->hi,
				   &u32);
		*ret = ok ? u32 : 0;
		return ok;
	case KIND_SIZE:
		ok = deck_args_size(a, w->name, (uint64_t)w->lo,
				    (uint64_t)w->hi, &size);
		*ret = ok ? (int64_t)size : 0;
		return ok;
	case KIND_BOOL:
		ok = deck_args_on_off(a, w->name, &flag);
		*ret = ok && flag;
		return ok;
	case KIND_WORD:
		break;
	}
	ok = deck_args_word(a, w->name, w->words, w->n_words, &i);
	*ret = ok ? (int64_t)i : 0;
	return ok;
}

/* "word value word value ..." into *tune. */
static bool read_words(struct deck_args *a, const struct word *words, size_t n,
		       void *tune)
{
	const char *names[32];
	int64_t v;
	unsigned i;

	INVARIANT(n <= ARRAY_SIZE(names));
	for (i = 0; i < n; i++)
		names[i] = words[i].name;
	do {
		if (!deck_args_word(a, "word", names, n, &i))
			return false;
		if (read_word(a, &words[i], &v))
			set(&words[i], tune, v);
	} while (deck_args_more(a));
	return deck_args_end(a);
}

static void print_word(const char *command, const struct word *w, int64_t v,
		       FILE *out)
{
	char text[DECK_UNIT_TEXT_MAX];

	switch (w->kind) {
	case KIND_DUR:
		deck_format_dur(v, text);
		break;
	case KIND_SIZE:
		deck_format_size((uint64_t)v, text);
		break;
	case KIND_BOOL:
		snprintf(text, sizeof(text), "%s", v ? "ON" : "OFF");
		break;
	case KIND_WORD:
		snprintf(text, sizeof(text), "%s", w->words[v]);
		break;
	case KIND_U32:
	case KIND_U8:
		snprintf(text, sizeof(text), "%" PRId64, v);
		break;
	}
	fprintf(out, "%s %s %s\n", command, w->name, text);
}

/* ---- TCP, IP
 * ------------------------------------------------------------------------ */

static void order(struct deck_args *a, const char *small, int64_t v,
		  const char *big, int64_t limit)
{
	if (v > limit)
		deck_args_note(a, DECK_ERROR,
			       "TCP %s is larger than %s: expected at most "
			       "the same",
			       small, big);
}

void stackd_deck_check_tcp(struct deck_args *a, const struct tcp_tune *t)
{
	order(a, "RTO_MIN", t->rto_min.ns, "RTO_MAX", t->rto_max.ns);
	order(a, "RTO_INITIAL", t->rto_initial.ns, "RTO_MAX", t->rto_max.ns);
	order(a, "SNDBUF", t->sndbuf_init, "SNDBUF_MAX", t->sndbuf_max);
	order(a, "RCVBUF", t->rcvbuf_init, "RCVBUF_MAX", t->rcvbuf_max);
}

bool stackd_deck_parse_tcp(struct deck_args *a, struct tcp_tune *t)
{
	return read_words(a, tcp_words, ARRAY_SIZE(tcp_words), t);
}

bool stackd_deck_parse_ip(struct deck_args *a, struct ip_tune *t)
{
	return read_words(a, ip_words, ARRAY_SIZE(ip_words), t);
}

void stackd_deck_cmd_tcp(struct stackd_deck_builder *b, struct deck_args *a)
{
	if (stackd_deck_parse_tcp(a, &b->d->tcp))
		b->tcp_cmd = b->cmd;
}

void stackd_deck_cmd_ip(struct stackd_deck_builder *b, struct deck_args *a)
{
	(void)stackd_deck_parse_ip(a, &b->d->ip);
}

/* ---- PORTS lo hi, LIMIT word value
 * ------------------------------------------------------ */

void stackd_deck_cmd_ports(struct stackd_deck_builder *b, struct deck_args *a)
{
	struct stackd_deck *d = b->d;
	uint16_t lo, hi;

	if (!deck_args_u16(a, "first port", 1, 65535, &lo))
		lo = 1;
	if (deck_args_u16(a, "last port", lo, 65535, &hi) && deck_args_end(a)) {
		d->port_lo = lo;
		d->port_hi = hi;
	}
	deck_args_end(a);
}

#define SOCKETS_MIN 16
#define SOCKETS_MAX 4194304
#define TIMEWAIT_MAX 4194304

void stackd_deck_cmd_limit(struct stackd_deck_builder *b, struct deck_args *a)
{
	static const char *const words[] = {"SOCKETS", "MEMORY", "TIMEWAIT"};
	struct stackd_deck *d = b->d;
	uint64_t bytes;
	unsigned i;

	do {
		if (!deck_args_word(a, "word", words, ARRAY_SIZE(words), &i))
			return;
		if (i == 0)
			deck_args_u32(a, "sockets", SOCKETS_MIN, SOCKETS_MAX,
				      &d->sock_max);
		else if (i == 2)
			deck_args_u32(a, "records", 0, TIMEWAIT_MAX,
				      &d->timewait_max);
		else if (deck_args_size(a, "bytes", MIB, 1024 * GIB, &bytes))
			d->pool_limit_bytes = bytes;
	} while (deck_args_more(a));
	deck_args_end(a);
}

/* ---- canonical form: what differs from the default
 * --------------------------------------- */

static void print_words(const char *command, const struct word *words, size_t n,
			const void *tune, const void *standard, FILE *out)
{
	for (size_t i = 0; i < n; i++) {
		int64_t v = get(&words[i], tune);

		if (v != get(&words[i], standard))
			print_word(command, &words[i], v, out);
	}
}

void stackd_deck_print_tune(const struct stackd_deck *d, FILE *out)
{
	char text[DECK_UNIT_TEXT_MAX];
	struct stack_config standard;

	stack_config_default(&standard);
	print_words("TCP", tcp_words, ARRAY_SIZE(tcp_words), &d->tcp,
		    &standard.tcp, out);
	print_words("IP", ip_words, ARRAY_SIZE(ip_words), &d->ip, &standard.ip,
		    out);
	if (d->port_lo != standard.port_lo || d->port_hi != standard.port_hi)
		fprintf(out, "PORTS %u %u\n", d->port_lo, d->port_hi);
	if (d->sock_max != standard.sock_max)
		fprintf(out, "LIMIT SOCKETS %u\n", d->sock_max);
	if (d->pool_limit_bytes != standard.pool_limit_bytes)
		fprintf(out, "LIMIT MEMORY %s\n",
			deck_format_size(d->pool_limit_bytes, text));
	if (d->timewait_max != standard.timewait_max)
		fprintf(out, "LIMIT TIMEWAIT %u\n", d->timewait_max);
}
