/*
 * main.c: the life of proxyd. daemon_main() (common/daemon) walks through the
 * stages; here is what each of them means for a proxy.
 */
#include "client/couplet.h"
#include "clients.h"
#include "daemon/log.h"
#include "daemon/report.h"
#include "ev/ev.h"
#include "ftp_flow.h"
#include "keys/keys.h"
#include "operator.h"
#include "proxyd.h"
#include "resolve.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- deck
 * ----------------------------------------------------------------------- */

static int read_deck_file(const char *path, struct proxyd_deck *ret)
{
	struct deck_report report;
	int r;

	deck_report_init(&report);
	r = report_log(&report, path, proxyd_deck_read(path, ret, &report));
	deck_report_fini(&report);
	return r;
}

static int read_deck(void *arg, const struct daemon_options *o)
{
	struct proxyd *pd = arg;
	int r = read_deck_file(o->deck_path, &pd->deck);

	if (r == 0)
		log_open("proxyd", pd->deck.name);
	return r;
}

static void print_deck(void *arg, FILE *out)
{
	const struct proxyd *pd = arg;

	proxyd_deck_print(&pd->deck, out);
}

/* ---- open: with privileges
 * --------------------------------------------------------- */

static int fail(const char *what, int r)
{
	log_msg(MSG_CPLT001E, what, strerror(-r));
	return r;
}

static bool deck_needs_keys(const struct proxyd_deck *d)
{
	for (uint32_t i = 0; i < d->n_proxies; i++) {
		if (d->proxies[i].client.ssl || d->proxies[i].server.ssl)
			return true;
	}
	return false;
}

static unsigned workers(const struct proxyd *pd)
{
	return pool_threads(pd->deck.subtasks);
}

/* The key process is forked while we still may read key files, and keeps that
 * right alone. */
static int start_keys(struct proxyd *pd)
{
	struct keys_options o = {
		.uid = daemon_uid(pd->daemon),
		.gid = daemon_gid(pd->daemon),
		.channels = MIN(workers(pd) + 1, KEYS_CHANNELS_MAX),
		.keep_read = true,
		.debuggable = daemon_options(pd->daemon)->debug};
	int r;

	if (!deck_needs_keys(&pd->deck))
		return 0;
	r = keys_start(&o, &pd->keys);
	return r < 0 ? fail("key process", r) : 0;
}

static int proxyd_open(void *arg, struct daemon *d)
{
	struct proxyd *pd = arg;
	const char *run = daemon_options(d)->run_dir;
	int r;

	pd->daemon = d;
	log_msg(MSG_BSTT700I, COUPLET_VERSION);
	r = operator_open(pd);
	if (r < 0)
		return r;
	if (!proxyd_on_stack(pd)) /* a deck read again may name new ports */
		daemon_keep_cap(d, CAP_NET_BIND_SERVICE);
	else if (setenv("COUPLET_RUN", run, 1) < 0)
		return -errno;
	return start_keys(pd);
}

/* ---- start: without privileges
 * ------------------------------------------------------ */

static int make_clients(struct proxyd *pd)
{
	struct hash_key key;

	if (getrandom(&key, sizeof key, 0) != sizeof key)
		return -EIO;
	pd->clients = clients_new(&key);
	return pd->clients ? 0 : -ENOMEM;
}

static void on_keys(void *arg, int fd, unsigned events)
{
	struct proxyd *pd = arg;

	(void)fd;
	(void)events;
	ev_io_free(pd->keys_io);
	pd->keys_io = NULL;
	log_msg(MSG_CPLT605E);
}

static int start_tls(struct proxyd *pd)
{
	int r;

	if (!pd->keys)
		return 0;
	pd->tls.keys = pd->keys;
	r = relay_handshakes_new(pd->set, workers(pd), pd->deck.handshake_max,
				 &pd->handshakes);
	if (r == 0)
		r = tls_tickets_new(NULL, &pd->tls.tickets);
	if (r == 0)
		r = tls_cache_new(TLS_CACHE_MAX, &pd->tls.cache);
	if (r == 0)
		r = ev_io_new(daemon_loop(pd->daemon), keys_fd(pd->keys),
			      EV_IO_IN, on_keys, pd, &pd->keys_io);
	return r;
}

/* What systemctl status shows is brought up to date. */
static void on_interval(void *arg)
{
	struct proxyd *pd = arg;

	daemon_status(pd->daemon, "%s: %u PROXYs, %u connections",
		      pd->deck.name, pd->deck.n_proxies, pd->n_flows);
	ev_timer_set(pd->interval, DUR_S(pd->deck.interval_s));
}

static int proxyd_start(void *arg, struct daemon *d)
{
	struct proxyd *pd = arg;
	int r = relay_set_new(daemon_loop(d), &pd->set);

	pd->started = mono_now();
	if (r == 0)
		r = make_clients(pd);
	if (r == 0)
		r = resolve_start(pd);
	if (r == 0)
		r = start_tls(pd);
	if (r < 0)
		return fail("event loop", r);
	r = ev_timer_new(daemon_loop(d), on_interval, pd, &pd->interval);
	if (r == 0)
		r = proxy_replace_all(pd, &pd->deck);
	if (r == 0)
		r = operator_start(pd);
	if (r < 0)
		return r;
	on_interval(pd);
	log_msg(MSG_CPLT002I, "proxyd", pd->deck.id);
	return 0;
}

/* ---- reload, stop
 * ------------------------------------------------------------------- */

static int proxyd_reload(void *arg, struct daemon *d)
{
	struct proxyd *pd = arg;
	struct proxyd_deck next, old = pd->deck;
	int r = read_deck_file(daemon_options(d)->deck_path, &next);

	if (r == 0 && (strcmp(old.id, next.id) || strcmp(old.name, next.name)))
		r = fail("ID and NAME stay as long as proxyd runs", -EINVAL);
	if (r == 0 && pd->draining) /* it would listen again */
		r = fail("the deck is not read again while proxyd drains",
			 -ESHUTDOWN);
	if (r == 0 && deck_needs_keys(&next) && !pd->keys)
		r = fail("there was no SSL in the deck when proxyd started; "
			 "start it again",
			 -EINVAL);
	if (r < 0) {
		proxyd_deck_free(&next);
		return r;
	}
	pd->deck = next;
	r = proxy_replace_all(pd, &pd->deck);
	if (r < 0)
		pd->deck = old;
	proxyd_deck_free(r < 0 ? &next : &old);
	if (pd->handshakes)
		relay_handshakes_limit(pd->handshakes, pd->deck.handshake_max);
	if (r == 0)
		log_every(MSG_CPLT603I, pd->deck.n_proxies, pd->n_flows);
	return r;
}

/* SIGTERM. UDP flows have no end that one could wait for. */
static dur_t drain(void *arg, struct daemon *d)
{
	struct proxyd *pd = arg;

	(void)d;
	if (proxyd_drained(pd) || !pd->deck.stop.ns)
		return DUR_S(0);
	proxyd_drain(pd, pd->deck.stop);
	return pd->deck.stop;
}

static void proxyd_stop(void *arg, struct daemon *d)
{
	struct proxyd *pd = arg;

	(void)d;
	relay_handshakes_stop(pd->handshakes);
	operator_stop(pd);
	ev_timer_free(pd->interval);
	if (pd->set) {
		proxy_close_all(pd);
		flow_kill_all(pd);
		ftp_kill_all(pd);
		resolve_stop(pd);
	}
	relay_handshakes_free(pd->handshakes);
	clients_free(pd->clients);
	relay_set_free(pd->set);
	ev_io_free(pd->keys_io);
	tls_tickets_unref(pd->tls.tickets);
	tls_cache_unref(pd->tls.cache);
	keys_stop(pd->keys);
}

static void proxyd_fini(void *arg)
{
	struct proxyd *pd = arg;

	proxyd_deck_free(&pd->deck);
}

/* ---- main
 * ---------------------------------------------------------------------------
 */

static const char *const relay_names[] = {"splice", "pipe2"};
static const struct sandbox_calls relay_calls = {"relay", relay_names,
						 ARRAY_SIZE(relay_names)};
/* the key process is waited for at the end */
static const char *const keys_names[] = {"wait4", "waitid", "kill"};
static const struct sandbox_calls keys_calls = {"keys", keys_names,
						ARRAY_SIZE(keys_names)};
static const struct sandbox_calls *const all_calls[] = {&relay_calls,
							&keys_calls};

static const struct daemon_spec spec = {
	.name = "proxyd",
	.what = "listens here and connects there, each side clear or TLS, IPv4 "
		"or IPv6",
	.version = COUPLET_VERSION,
	.deck_default = "/etc/couplet/proxyd.deck",
	.calls = all_calls,
	.n_calls = ARRAY_SIZE(all_calls),
	.read_deck = read_deck,
	.print_deck = print_deck,
	.open = proxyd_open,
	.start = proxyd_start,
	.reload = proxyd_reload,
	.drain = drain,
	.stop = proxyd_stop,
	.fini = proxyd_fini,
};

int main(int argc, char **argv)
{
	struct proxyd *pd = calloc(1, sizeof *pd);
	int status;

	if (!pd)
		return 1;
	list_init(&pd->proxies);
	list_init(&pd->old);
	list_init(&pd->flows);
	list_init(&pd->ftp_data);
	status = daemon_main(&spec, pd, argc, argv);
	free(pd);
	return status;
}
