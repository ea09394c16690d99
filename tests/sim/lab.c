/*
 * lab: what the TCP engine makes of a network. Flows of bulk data, or many
 * short transfers, over paths with one trouble each, in virtual time; what
 * comes out follows from the code alone, to the byte.
 *
 *    lab --check TABLE     compares with the table and fails on what got worse
 *    lab --write TABLE     writes it anew
 *    lab [CASE]            prints one case, or all
 */
#include "sim/lab_path.h"
#include "sim/tcp_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FLOWS_MAX 4
#define MSS 1460u
#define HEADERS 52u /* IP, TCP, timestamps */
#define CHECK_EVERY 4096
#define MBIT 1000000u
#define RUNS 2 /* seeds of a bulk case */

/* What may get worse before --check fails. */
#define GOODPUT_KEEP 0.97 /* of the table's */
#define SHARE_KEEP 5.0    /* points */
#define RETRANS_KEEP 0.5  /* points */
#define SLOWEST_KEEP 1.10 /* of the table's */

struct lab_case {
	const char *name;
	struct lab_path_cfg there, back;
	int flows;          /* bulk; they begin a second apart */
	int64_t seconds;    /* bulk */
	uint32_t transfers; /* short: so many, one after the other */
	uint32_t size;      /* short: bytes of each */
	bool ecn;
	bool reno_too; /* the second flow is on NewReno */
	bool bbr;      /* the first flow, or the only one, on BBR */
	bool bbr_too;  /* and all others */
};

#define PATH(...) \
	{ \
		.delay = {25000000}, __VA_ARGS__ \
	}
#define BOTTLENECK .rate_bps = 30 * MBIT, .queue_bytes = 187500

/* 50 ms there and back; one bandwidth-delay product of queue. */
static const struct lab_case cases[] = {
	{"clean", PATH(BOTTLENECK), PATH(), .flows = 1, .seconds = 30},
	{"queue-small", PATH(.rate_bps = 30 * MBIT, .queue_bytes = 37500),
	 PATH(), .flows = 1, .seconds = 30},
	{"queue-large", PATH(.rate_bps = 10 * MBIT, .queue_bytes = 1000000),
	 PATH(), .flows = 1, .seconds = 30},
	{"loss-0.1", PATH(BOTTLENECK, .loss_pm = 1), PATH(), .flows = 1,
	 .seconds = 60},
	{"loss-1", PATH(BOTTLENECK, .loss_pm = 10), PATH(), .flows = 1,
	 .seconds = 60},
	{"loss-5", PATH(BOTTLENECK, .loss_pm = 50), PATH(), .flows = 1,
	 .seconds = 90},
	{"loss-10", PATH(BOTTLENECK, .loss_pm = 100), PATH(), .flows = 1,
	 .seconds = 90},
	{"burst", PATH(BOTTLENECK, .burst_in_pm = 1, .burst_out_pm = 100),
	 PATH(), .flows = 1, .seconds = 60},
	{"reorder-1", PATH(BOTTLENECK, .reorder_pm = 10, .reorder = {5000000}),
	 PATH(), .flows = 1, .seconds = 30},
	{"reorder-10",
	 PATH(BOTTLENECK, .reorder_pm = 100, .reorder = {10000000}), PATH(),
	 .flows = 1, .seconds = 30},
	{"reorder-rtt",
	 PATH(BOTTLENECK, .reorder_pm = 2, .reorder = {40000000}), PATH(),
	 .flows = 1, .seconds = 30},
	{"ack-loss-20", PATH(BOTTLENECK), PATH(.loss_pm = 200), .flows = 1,
	 .seconds = 30},
	{"both-loss-2", PATH(BOTTLENECK, .loss_pm = 20), PATH(.loss_pm = 20),
	 .flows = 1, .seconds = 120},
	{"jitter", PATH(BOTTLENECK, .jitter = {20000000}),
	 PATH(.jitter = {20000000}), .flows = 1, .seconds = 30},
	{"policer", PATH(.police_bps = 20 * MBIT, .police_bytes = 64000),
	 PATH(), .flows = 1, .seconds = 60},
	{"ecn", PATH(BOTTLENECK, .mark_bytes = 40000), PATH(), .flows = 1,
	 .seconds = 30, .ecn = true},
	{"two", PATH(BOTTLENECK), PATH(), .flows = 2, .seconds = 100},
	{"four", PATH(BOTTLENECK), PATH(), .flows = 4, .seconds = 100},
	{"two-loss-1", PATH(BOTTLENECK, .loss_pm = 10), PATH(), .flows = 2,
	 .seconds = 100},
	{"cubic-reno", PATH(BOTTLENECK), PATH(), .flows = 2, .seconds = 100,
	 .reno_too = true},
	{"bbr-clean", PATH(BOTTLENECK), PATH(), .flows = 1, .seconds = 30,
	 .bbr = true},
	{"bbr-small", PATH(.rate_bps = 30 * MBIT, .queue_bytes = 37500), PATH(),
	 .flows = 1, .seconds = 30, .bbr = true},
	{"bbr-large", PATH(.rate_bps = 10 * MBIT, .queue_bytes = 1000000),
	 PATH(), .flows = 1, .seconds = 30, .bbr = true},
	{"bbr-loss-0.1", PATH(BOTTLENECK, .loss_pm = 1), PATH(), .flows = 1,
	 .seconds = 60, .bbr = true},
	{"bbr-loss-1", PATH(BOTTLENECK, .loss_pm = 10), PATH(), .flows = 1,
	 .seconds = 60, .bbr = true},
	{"bbr-loss-5", PATH(BOTTLENECK, .loss_pm = 50), PATH(), .flows = 1,
	 .seconds = 90, .bbr = true},
	{"bbr-loss-10", PATH(BOTTLENECK, .loss_pm = 100), PATH(), .flows = 1,
	 .seconds = 90, .bbr = true},
	{"bbr-burst", PATH(BOTTLENECK, .burst_in_pm = 1, .burst_out_pm = 100),
	 PATH(), .flows = 1, .seconds = 60, .bbr = true},
	{"bbr-reorder",
	 PATH(BOTTLENECK, .reorder_pm = 100, .reorder = {10000000}), PATH(),
	 .flows = 1, .seconds = 30, .bbr = true},
	{"bbr-ack-loss", PATH(BOTTLENECK), PATH(.loss_pm = 200), .flows = 1,
	 .seconds = 30, .bbr = true},
	{"bbr-jitter", PATH(BOTTLENECK, .jitter = {20000000}),
	 PATH(.jitter = {20000000}), .flows = 1, .seconds = 30, .bbr = true},
	{"bbr-policer", PATH(.police_bps = 20 * MBIT, .police_bytes = 64000),
	 PATH(), .flows = 1, .seconds = 60, .bbr = true},
	{"bbr-two", PATH(BOTTLENECK), PATH(), .flows = 2, .seconds = 100,
	 .bbr = true, .bbr_too = true},
	{"bbr-cubic", PATH(BOTTLENECK), PATH(), .flows = 2, .seconds = 100,
	 .bbr = true},
	{"bbr-short-1", PATH(BOTTLENECK, .loss_pm = 10), PATH(.loss_pm = 10),
	 .flows = 1, .transfers = 200, .size = 30000, .bbr = true},
	{"short-loss-1", PATH(BOTTLENECK, .loss_pm = 10), PATH(.loss_pm = 10),
	 .flows = 1, .transfers = 200, .size = 30000},
	{"short-loss-5", PATH(BOTTLENECK, .loss_pm = 50), PATH(.loss_pm = 50),
	 .flows = 1, .transfers = 200, .size = 30000},
};

struct result {
	double goodput_kbit; /* all flows; short: size by mean time */
	double limit_kbit;   /* what the path could carry */
	double share_pct;    /* the poorest flow's part of an equal share */
	double retrans_pct;  /* bytes repeated, of bytes sent */
	double slowest_ms;   /* short: the slowest twentieth */
	uint64_t timeouts;
};

struct flow {
	struct link l;
	struct lab *lab;
	uint64_t got, got_at_warm;
	uint32_t left; /* short: bytes to write */
	bool bulk, open;
	mono_t opens;
};

struct lab {
	const struct lab_case *c;
	struct lab_path path[2]; /* by the host that it leads to */
	struct flow f[FLOWS_MAX];
	mono_t now;
};

/* ---- one network ---------------------------------------------------- */

static mono_t carry(struct link *l, int to, uint32_t bytes, bool *ce, void *arg)
{
	struct flow *f = arg;

	return lab_path_carry(&f->lab->path[to], bytes, l->now, ce);
}

static void programs(struct flow *f)
{
	struct tcp_conn *tx = f->l.h[0].conn, *rx = f->l.h[1].conn;
	struct iovec iov[8];
	int n = 8;
	size_t room;

	if (rx && tcp_conn_ready(rx) & TCP_READY_IN) {
		room = tcp_conn_read_peek(rx, iov, &n);
		tcp_conn_read_consume(rx, room, f->l.now);
		f->got += room;
	}
	if (!(tcp_conn_ready(tx) & TCP_READY_OUT))
		return;
	n = 4;
	room = tcp_conn_write_reserve(tx, f->bulk ? 1 << 18 : f->left, iov, &n);
	for (int i = 0; i < n; i++)
		memset(iov[i].iov_base, 'x', iov[i].iov_len);
	tcp_conn_write_commit(tx, room, false, f->l.now);
	f->left -= f->bulk ? 0 : (uint32_t)room;
	if (!f->bulk && !f->left)
		tcp_conn_shutdown(tx, f->l.now);
}

static void flow_init(struct lab *lab, int i, uint64_t seed)
{
	struct flow *f = &lab->f[i];
	struct link_cfg cfg = {.seed = seed, .mss = MSS, .gso_max = 65535};

	link_init(&f->l, &cfg);
	f->lab = lab;
	f->l.carry = carry;
	f->l.arg = f;
	f->l.check_every = CHECK_EVERY;
	f->opens = mono_add(f->l.now, DUR_S(i));
	for (int k = 0; k < 2; k++) {
		struct tcp_tune *t = &f->l.h[k].env.tune;

		t->ecn = lab->c->ecn ? TCP_ECN_ON : TCP_ECN_PASSIVE;
		if (i == 1 && lab->c->reno_too)
			t->cc = TCP_CC_NEWRENO;
		if (i ? lab->c->bbr_too : lab->c->bbr)
			t->cc = TCP_CC_BBR;
	}
	lab->now = f->l.now;
}

static mono_t flow_next(const struct flow *f)
{
	return f->open ? link_next(&f->l) : f->opens;
}

static void flow_step(struct flow *f, mono_t t)
{
	link_step(&f->l, t);
	if (!f->open) {
		f->open = true;
		link_listen(&f->l);
		link_open(&f->l);
	}
	programs(f);
	link_flush(&f->l);
}

/* All flows up to `end`, in the order of time: what shares a bottleneck has
 * to come to it in order. */
static void run_until(struct lab *lab, mono_t end)
{
	for (;;) {
		mono_t t = MONO_NEVER;

		for (int i = 0; i < lab->c->flows; i++)
			t = mono_min(t, flow_next(&lab->f[i]));
		if (mono_lt(end, t))
			break;
		for (int i = 0; i < lab->c->flows; i++)
			if (mono_leq(flow_next(&lab->f[i]), t))
				flow_step(&lab->f[i], t);
		lab->now = t;
	}
	lab->now = end;
}

static struct lab *lab_new(const struct lab_case *c, uint64_t seed)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	if (!lab)
		abort();
	lab->c = c;
	lab_path_init(&lab->path[1], &c->there, seed);
	lab_path_init(&lab->path[0], &c->back, seed + 500);
	for (int i = 0; i < c->flows; i++)
		flow_init(lab, i, seed * 16 + (uint64_t)i);
	return lab;
}

/* ---- figures -------------------------------------------------------- */

struct sums {
	uint64_t sent, retrans, timeouts;
};

static void lab_free(struct lab *lab, struct sums *s)
{
	for (int i = 0; i < lab->c->flows; i++) {
		struct link_host *h = &lab->f[i].l.h[0];

		s->sent += h->env.stats.bytes_out;
		s->retrans += h->env.stats.retrans_segs * (uint64_t)MSS;
		s->timeouts += h->env.stats.rto_timeouts;
		link_fini(&lab->f[i].l);
	}
	free(lab);
}

static double limit_kbit(const struct lab_case *c)
{
	double bps = c->there.rate_bps ? (double)c->there.rate_bps
				       : (double)c->there.police_bps;

	return bps * (1 - c->there.loss_pm / 1000.0) * (MSS - 12) /
	       (MSS + HEADERS - 12) / 1000;
}

/* Several flows get half of the time to come to terms. */
static int64_t warm_s(const struct lab_case *c)
{
	return c->flows > 1 ? c->seconds / 2 : 0;
}

static void run_bulk(const struct lab_case *c, struct result *ret)
{
	double total = 0, poorest = 0;
	struct sums s = {0};

	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		struct lab *lab = lab_new(c, seed);
		mono_t start = lab->now;
		double sum = 0, min = 1e18;

		for (int i = 0; i < c->flows; i++)
			lab->f[i].bulk = true;
		run_until(lab, mono_add(start, DUR_S(warm_s(c))));
		for (int i = 0; i < c->flows; i++)
			lab->f[i].got_at_warm = lab->f[i].got;
		run_until(lab, mono_add(start, DUR_S(c->seconds)));
		for (int i = 0; i < c->flows; i++) {
			double got =
				(double)(lab->f[i].got - lab->f[i].got_at_warm);

			sum += got;
			min = MIN(min, got);
		}
		total += sum / (double)(c->seconds - warm_s(c));
		poorest += min / (sum / c->flows);
		lab_free(lab, &s);
	}
	ret->goodput_kbit = total / RUNS * 8 / 1000;
	ret->share_pct = poorest / RUNS * 100;
	ret->retrans_pct = 100.0 * (double)s.retrans / (double)s.sent;
	ret->timeouts = s.timeouts;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double transfer_ms(const struct lab_case *c, uint64_t seed,
			  struct sums *s)
{
	struct lab *lab = lab_new(c, seed);
	mono_t start = lab->now;
	struct flow *f = &lab->f[0];
	double ms;

	f->left = c->size;
	while (f->got < c->size)
		run_until(lab, flow_next(f));
	ms = (double)mono_sub(lab->now, start).ns / 1e6;
	lab_free(lab, s);
	return ms;
}

static void run_short(const struct lab_case *c, struct result *ret)
{
	double *ms = calloc(c->transfers, sizeof(*ms)), sum = 0;
	struct sums s = {0};
	uint32_t slow = c->transfers / 20;

	if (!ms)
		abort();
	for (uint32_t i = 0; i < c->transfers; i++) {
		ms[i] = transfer_ms(c, 1000 + i, &s);
		sum += ms[i];
	}
	qsort(ms, c->transfers, sizeof(*ms), by_value);
	for (uint32_t i = c->transfers - slow; i < c->transfers; i++)
		ret->slowest_ms += ms[i] / slow;
	ret->goodput_kbit = c->size * 8.0 / (sum / c->transfers);
	ret->retrans_pct = 100.0 * (double)s.retrans / (double)s.sent;
	ret->timeouts = s.timeouts;
	ret->share_pct = 100;
	free(ms);
}

static struct result run_case(const struct lab_case *c)
{
	struct result r = {.limit_kbit = limit_kbit(c)};

	if (c->transfers)
		run_short(c, &r);
	else
		run_bulk(c, &r);
	return r;
}

/* ---- the table ------------------------------------------------------ */

static const char head[] =
	"# Written by `lab --write`; `lab --check` compares. kbit/s, per cent,\n"
	"# ms: the slowest twentieth of short transfers.\n"
	"# case          goodput    limit  share  again  slowest time-outs\n";

static void print_row(FILE *out, const struct lab_case *c,
		      const struct result *r)
{
	fprintf(out, "%-13s %9.0f %8.0f %6.1f %6.2f %8.1f %9llu\n", c->name,
		r->goodput_kbit, r->limit_kbit, r->share_pct, r->retrans_pct,
		r->slowest_ms, (unsigned long long)r->timeouts);
	fflush(out);
}

static bool read_row(FILE *in, const char *name, struct result *ret)
{
	char line[200], first[32];
	unsigned long long timeouts;

	rewind(in);
	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, "%31s %lf %lf %lf %lf %lf %llu", first,
			   &ret->goodput_kbit, &ret->limit_kbit,
			   &ret->share_pct, &ret->retrans_pct, &ret->slowest_ms,
			   &timeouts) == 7 &&
		    strcmp(first, name) == 0) {
			ret->timeouts = timeouts;
			return true;
		}
	}
	return false;
}

static bool worse(const char *name, const char *what, double was, double is,
		  double bound, bool low_is_bad)
{
	if (low_is_bad ? is >= bound : is <= bound)
		return false;
	printf("%s: %s is %.2f, was %.2f, bound %.2f\n", name, what, is, was,
	       bound);
	return true;
}

static bool compare(const struct lab_case *c, const struct result *was,
		    const struct result *is)
{
	bool bad = false;

	bad |= worse(c->name, "goodput", was->goodput_kbit, is->goodput_kbit,
		     was->goodput_kbit * GOODPUT_KEEP, true);
	bad |= worse(c->name, "share", was->share_pct, is->share_pct,
		     was->share_pct - SHARE_KEEP, true);
	bad |= worse(c->name, "repeated", was->retrans_pct, is->retrans_pct,
		     was->retrans_pct + RETRANS_KEEP, false);
	bad |= worse(c->name, "slowest", was->slowest_ms, is->slowest_ms,
		     was->slowest_ms * SLOWEST_KEEP, false);
	return bad;
}

/* Under valgrind, where a table takes minutes, some rows are enough. */
static size_t step_of_check(void)
{
	return getenv("COUPLET_SEEDS") ? 6 : 1;
}

static int check_table(const char *path)
{
	size_t step = step_of_check();
	FILE *in = fopen(path, "r");
	int bad = 0;

	if (!in) {
		fprintf(stderr, "lab: %s: %s\n", path, strerror(errno));
		return 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i += step) {
		struct result was, is = run_case(&cases[i]);

		if (!read_row(in, cases[i].name, &was)) {
			printf("%s: no row in %s\n", cases[i].name, path);
			bad = 1;
			continue;
		}
		print_row(stdout, &cases[i], &is);
		bad |= compare(&cases[i], &was, &is);
	}
	fclose(in);
	return bad;
}

static int print_all(FILE *out, const char *only)
{
	bool any = false;

	fputs(head, out);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct result r;

		if (only && strcmp(only, cases[i].name) != 0)
			continue;
		any = true;
		r = run_case(&cases[i]);
		print_row(out, &cases[i], &r);
	}
	if (!any)
		fprintf(stderr, "lab: no case is named %s\n", only);
	return any ? 0 : 2;
}

int main(int argc, char **argv)
{
	FILE *out;
	int r;

	if (argc == 3 && strcmp(argv[1], "--check") == 0)
		return check_table(argv[2]);
	if (argc != 3 || strcmp(argv[1], "--write") != 0)
		return print_all(stdout, argc > 1 ? argv[1] : NULL);
	out = fopen(argv[2], "w");
	if (!out) {
		fprintf(stderr, "lab: %s: %s\n", argv[2], strerror(errno));
		return 2;
	}
	r = print_all(out, NULL);
	return fclose(out) ? 2 : r;
}
