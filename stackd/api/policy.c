/*
 * policy.c: who may use this stack and which ports (design 5, point 8). The
 * kernel says who it is, the deck says what he may.
 */
#include "api/impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

bool policy_is_stack(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

/* ---- who it is
 * ---------------------------------------------------------------------- */

/* What rules ask about a program; its file and groups only if they do. */
struct who {
	const struct api_sock *c;
	int fd; /* for its groups */
	bool looked;
	/* a control connection may speak for several programs: each of their
	 * sockets is asked about again */
	bool any_program;
	char program[256]; /* "" unknown */
};

static bool in_group(const struct who *w, gid_t gid)
{
	gid_t more[256];
	socklen_t l = sizeof(more);

	if (w->c->gid == gid)
		return true;
	if (getsockopt(w->fd, SOL_SOCKET, SO_PEERGROUPS, more, &l) < 0)
		return false;
	for (size_t i = 0; i < l / sizeof(more[0]); i++) {
		if (more[i] == gid)
			return true;
	}
	return false;
}

static const char *program_of(struct who *w)
{
	char path[32];
	ssize_t n;

	if (w->looked)
		return w->program;
	w->looked = true;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)w->c->pid);
	n = readlink(path, w->program, sizeof(w->program) - 1);
	w->program[n > 0 ? n : 0] = '\0';
	return w->program;
}

/* ---- rules
 * -------------------------------------------------------------------------- */

/* A program that cannot be looked at fits no rule that allows, and every rule
 * that denies. */
static bool program_fits(const struct deck_policy *p, struct who *w)
{
	const char *program;

	if (!p->program[0])
		return true;
	if (w->any_program)
		return !p->deny;
	program = program_of(w);
	return program[0] ? strcmp(program, p->program) == 0 : p->deny;
}

static bool fits(const struct deck_policy *p, struct who *w,
		 enum deck_policy_act act, uint16_t port)
{
	if (p->what != DECK_POLICY_ALL && p->what != act)
		return false;
	if (p->port_lo && (port < p->port_lo || port > p->port_hi))
		return false;
	if (p->has_uid && p->uid != w->c->uid)
		return false;
	if (p->has_gid && !in_group(w, p->gid))
		return false;
	return program_fits(p, w);
}

static bool named_in_allow(const struct stackd_deck *d, uid_t uid)
{
	for (uint32_t i = 0; i < d->n_allow_uid; i++) {
		if (d->allow_uid[i] == uid)
			return true;
	}
	return false;
}

/* Without a POLICY that fits. */
static bool may_use(const struct stackd_deck *d, const struct who *w)
{
	if (!d->n_allow_uid && !d->n_allow_gid)
		return true;
	if (named_in_allow(d, w->c->uid))
		return true;
	for (uint32_t i = 0; i < d->n_allow_gid; i++) {
		if (in_group(w, d->allow_gid[i]))
			return true;
	}
	return false;
}

/* A user whom the deck names may have what root may. */
static bool may_bind(const struct stackd_deck *d, const struct who *w,
		     uint16_t port)
{
	return port >= d->priv_port_max || named_in_allow(d, w->c->uid);
}

static int decide(const struct api *a, struct who *w, enum deck_policy_act act,
		  uint16_t port)
{
	const struct stackd_deck *d = a->deck;
	struct api_refusal no = {
		.uid = w->c->uid, .pid = w->c->pid, .port = port};
	const struct deck_policy *p = NULL;

	/* the stacks of a couple trust each other */
	if (w->c->uid == geteuid() && w->c->uid != 0)
		return 0;
	for (uint32_t i = 0; i < d->n_policies && !p; i++) {
		if (fits(&d->policies[i], w, act, port))
			p = &d->policies[i];
	}
	if (p && !p->deny)
		return 0;
	if (!p &&
	    (w->c->uid == 0 ||
	     (act == DECK_POLICY_USE ? may_use(d, w) : may_bind(d, w, port))))
		return 0;
	no.rule = p ? p->name : act == DECK_POLICY_USE ? "ALLOW" : "RESERVE";
	no.program = program_of(w);
	if (a->ops.refused)
		a->ops.refused(a->ops.news_arg, &no);
	return -EACCES;
}

/* ---- how many
 * ----------------------------------------------------------------------- */

static struct api_uid *user_of(struct api *a, uid_t uid, bool make)
{
	struct api_uid **at = &a->uids[uid % ARRAY_SIZE(a->uids)], *u;

	while (*at && (*at)->uid != uid)
		at = &(*at)->next;
	if (*at || !make)
		return *at;
	u = calloc(1, sizeof(*u));
	if (u)
		u->uid = uid;
	*at = u;
	return u;
}

int policy_admit(struct api *a, struct api_sock *c, int fd, uint32_t for_pid)
{
	struct who w = {.c = c, .fd = fd, .any_program = c->kind == API_CTL};
	struct ucred uc;
	socklen_t l = sizeof(uc);
	struct api_uid *u;
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &uc, &l) < 0)
		return -EACCES;
	c->uid = uc.uid;
	c->pid = uc.pid;
	c->gid = uc.gid;
	policy_speaks_for(c, for_pid);
	r = decide(a, &w, DECK_POLICY_USE, 0);
	if (r < 0)
		return r;
	if (c->kind == API_CTL || uc.uid == 0)
		return 0;
	u = user_of(a, uc.uid, true);
	if (!u)
		return -ENOMEM;
	if (u->n >= API_UID_MAX)
		return -EMFILE;
	u->n++;
	c->flags |= API_F_COUNTED;
	return 0;
}

void policy_leave(struct api *a, struct api_sock *c)
{
	struct api_uid **at = &a->uids[c->uid % ARRAY_SIZE(a->uids)], *u;

	c->flags &= (uint16_t)~API_F_COUNTED;
	while (*at && (*at)->uid != c->uid)
		at = &(*at)->next;
	u = *at;
	if (!u || --u->n)
		return;
	*at = u->next;
	free(u);
}

int policy_may_use(const struct api *a, const struct api_sock *speaker)
{
	struct who w = {.c = speaker, .fd = speaker->fd};

	return decide(a, &w, DECK_POLICY_USE, 0);
}

int policy_may_bind(const struct api *a, const struct api_sock *ctl,
		    uint32_t for_pid, uint16_t port)
{
	struct api_sock speaker = *ctl;
	struct who w = {.c = &speaker, .fd = ctl->fd};

	if (port == 0)
		return 0;
	policy_speaks_for(&speaker, for_pid);
	return decide(a, &w, DECK_POLICY_BIND, port);
}

/* The supervisor of stackrun acts as the program's user, but is another
 * process. */
void policy_speaks_for(struct api_sock *c, uint32_t pid)
{
	char path[32];
	struct stat st;

	if (!pid || pid > INT32_MAX || (pid_t)pid == c->pid)
		return;
	snprintf(path, sizeof(path), "/proc/%u", pid);
	if (!policy_is_stack(c->uid) &&
	    (stat(path, &st) < 0 || st.st_uid != c->uid))
		return;
	c->pid = (pid_t)pid;
}

struct sock_owner policy_owner(const struct api_sock *c)
{
	return (struct sock_owner){.pid = c->pid, .uid = c->uid, .gid = c->gid};
}
