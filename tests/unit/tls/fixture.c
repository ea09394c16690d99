#include "fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* RSA.PEM only when it is asked for: it takes longer than all the rest. */
static void make_file(struct fix *f, const char *name, const char *kind)
{
	struct pki_what w = {.kind = MAKE_SERVER,
			     .cn = "server.test",
			     .san = "server.test",
			     .san2 = "*.wild.test",
			     .key = kind};

	pki_make(&f->pki, name, &w, NULL, NULL);
}

static struct keys_pair *load(struct fix *f, const char *name, unsigned need)
{
	struct keys_source s = {.ring = f->pki.dir, .name = name, .need = need};
	struct keys_pair *p = NULL;

	if (keys_load(f->keys, &s, &p, f->why) < 0)
		fail_msg("%s", f->why);
	return p;
}

int fix_setup(void **state)
{
	struct fix *f = calloc(1, sizeof *f);
	struct keys_options o = {.uid = getuid(),
				 .gid = getgid(),
				 .channels = 2,
				 .debuggable = true};
	struct keys_pair *ca;

	pki_init(&f->pki);
	make_file(f, "EC", NULL);
	assert_int_equal(keys_start(&o, &f->keys), 0);
	ca = load(f, "CA", KEYS_NEED_CA);
	assert_int_equal(tls_trust_new(&f->trust), 0);
	assert_int_equal(tls_trust_add_pair(f->trust, ca), 1);
	keys_pair_unref(ca);
	*state = f;
	return 0;
}

int fix_teardown(void **state)
{
	struct fix *f = *state;

	for (size_t i = 0; i < f->n_idents; i++)
		tls_ident_unref(f->ident[i]);
	tls_trust_unref(f->trust);
	keys_stop(f->keys);
	pki_fini(&f->pki);
	free(f);
	return 0;
}

struct tls_ident *fix_ident(struct fix *f, const char *key_file)
{
	struct tls_ident *i = NULL;
	struct keys_pair *p;

	if (strcmp(key_file, "RSA") == 0 && !f->made_rsa) {
		make_file(f, "RSA", "RSA-2048");
		f->made_rsa = true;
	}
	p = load(f, key_file, KEYS_NEED_KEY | KEYS_NEED_CERT);
	if (tls_ident_new(p, &i, f->why) < 0)
		fail_msg("%s", f->why);
	keys_pair_unref(p);
	assert_true(f->n_idents < FIX_IDENTS_MAX);
	f->ident[f->n_idents++] = i;
	return i;
}

struct tls_policy_spec fix_client(struct fix *f)
{
	return (struct tls_policy_spec){
		.name = "client",
		.role = TLS_CLIENT,
		.verify = TLS_VERIFY_REQUIRED,
		.trust = f->trust,
		.check_name = true,
	};
}

struct tls_policy_spec fix_server(struct fix *f, const char *key_file)
{
	struct tls_ident **list = calloc(1, sizeof(struct tls_ident *));

	assert_non_null(list);
	list[0] = fix_ident(f, key_file);
	return (struct tls_policy_spec){
		.name = "server",
		.role = TLS_SERVER,
		.idents = list,
		.n_idents = 1,
	};
}

void fix_forget(struct fix *f, struct tls_policy_spec *s)
{
	(void)f;
	free((void *)(uintptr_t)s->idents);
	s->idents = NULL;
}

void two_again(struct two *t, struct tls_policy *cp, struct tls_policy *sp,
	       const char *peer)
{
	*t = (struct two){.pipe = pipe_new(),
			  .cp = tls_policy_ref(cp),
			  .sp = tls_policy_ref(sp)};
	assert_int_equal(
		tls_session_new(cp, peer, &pipe_io, &t->pipe->client, &t->c),
		0);
	assert_int_equal(
		tls_session_new(sp, NULL, &pipe_io, &t->pipe->server, &t->s),
		0);
	pipe_handshake(t->c, t->s, &t->rc, &t->rs);
}

void two_open(struct two *t, const struct tls_policy_spec *cs,
	      const struct tls_policy_spec *ss, const char *peer)
{
	struct tls_policy *cp = NULL, *sp = NULL;
	char why[TLS_WHY_MAX];

	if (tls_policy_new(cs, &cp, why) < 0)
		fail_msg("client: %s", why);
	if (tls_policy_new(ss, &sp, why) < 0)
		fail_msg("server: %s", why);
	two_again(t, cp, sp, peer);
	tls_policy_unref(cp);
	tls_policy_unref(sp);
}

void two_close(struct two *t)
{
	tls_session_free(t->c);
	tls_session_free(t->s);
	tls_policy_unref(t->cp);
	tls_policy_unref(t->sp);
	free(t->pipe);
}

enum tls_error_kind two_kind(const struct tls_session *s)
{
	struct tls_error e;

	tls_session_error(s, &e);
	return e.kind;
}
