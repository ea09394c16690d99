/*
 * secure.c: TLS of TN3270 connections: the key process, and what the deck
 * says as policies. The process is there if the deck had TLS when printd
 * started, for it is forked while key files can be read.
 */
#include "daemon/log.h"
#include "keys/keys.h"
#include "printd.h"
#include "tlsdeck/tlsdeck.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct secure {
	struct tlsdeck_shared shared;
	struct ev_io *io; /* readable when the key process is gone */
};

static bool needs_keys(const struct printd_deck *d)
{
	return d->n_tls > 0;
}

int secure_open(struct printd *pd)
{
	const struct keys_options o = {
		.uid = daemon_uid(pd->daemon),
		.gid = daemon_gid(pd->daemon),
		.channels = 1,
		.keep_read = true,
		.debuggable = daemon_options(pd->daemon)->debug};
	int r;

	if (!needs_keys(&pd->deck))
		return 0;
	pd->secure = calloc(1, sizeof *pd->secure);
	if (!pd->secure)
		return -ENOMEM;
	r = keys_start(&o, &pd->secure->shared.keys);
	if (r < 0)
		log_msg(MSG_CPLT001E, "key process", strerror(-r));
	return r;
}

static void on_end(void *arg, int fd, unsigned events)
{
	struct secure *s = arg;

	(void)fd;
	(void)events;
	ev_io_free(s->io);
	s->io = NULL;
	log_msg(MSG_CPLT728E);
}

int secure_start(struct printd *pd)
{
	struct secure *s = pd->secure;
	int r;

	if (!s)
		return 0;
	r = tls_tickets_new(NULL, &s->shared.tickets);
	if (r == 0)
		r = tls_cache_new(DECK_ACQUIRES_MAX, &s->shared.cache);
	if (r == 0)
		r = ev_io_new(pd->env.loop, keys_fd(s->shared.keys), EV_IO_IN,
			      on_end, s, &s->io);
	return r;
}

void secure_stop(struct printd *pd)
{
	struct secure *s = pd->secure;

	if (!s)
		return;
	ev_io_free(s->io);
	tls_tickets_unref(s->shared.tickets);
	tls_cache_unref(s->shared.cache);
	keys_stop(s->shared.keys);
	free(s);
	pd->secure = NULL;
}

void secure_forget(struct printd *pd)
{
	if (pd->secure)
		tls_cache_flush(pd->secure->shared.cache);
}

/* ---- policies
 * -------------------------------------------------------------------- */

/* What should be known about it, a sentence a line. */
static void tell_notes(const char *name, char *notes)
{
	char *next = notes, *line;

	while ((line = strsep(&next, "\n")))
		if (*line)
			log_msg(MSG_CPLT729W, name, line);
}

int secure_policy(const struct printd *pd, const struct tls_settings *s,
		  enum tls_role role, const char *name, struct tls_policy **ret)
{
	char why[TLS_WHY_MAX] = "", notes[TLS_WHY_MAX] = "";
	int r = -EINVAL;

	if (!pd->secure) {
		log_every(MSG_CPLT001E, name,
			  "there was no TLS in the deck when printd started; "
			  "start it again");
		return r;
	}
	r = tlsdeck_policy(s, role, name, "", &pd->secure->shared, ret, why,
			   notes);
	if (r < 0)
		log_every(MSG_CPLT001E, name, why);
	else
		tell_notes(name, notes);
	return r;
}
