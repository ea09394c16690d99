/*
 * policy.c: who may use this stack and which ports (design 5, point 8). The
 * kernel says who it is, the deck says what he may.
 */
#include "api/impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

bool policy_is_stack(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

static bool in_groups(const struct stackd_deck *d, const gid_t *g, size_t n)
{
	for (uint32_t i = 0; i < d->n_allow_gid; i++) {
		for (size_t k = 0; k < n; k++) {
			if (g[k] == d->allow_gid[i])
				return true;
		}
	}
	return false;
}

static bool allowed(const struct stackd_deck *d, const struct ucred *uc, int fd)
{
	gid_t more[256];
	socklen_t l = sizeof(more);

	if (policy_is_stack(uc->uid) || (!d->n_allow_uid && !d->n_allow_gid))
		return true;
	for (uint32_t i = 0; i < d->n_allow_uid; i++) {
		if (d->allow_uid[i] == uc->uid)
			return true;
	}
	if (in_groups(d, &uc->gid, 1))
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, more, &l) < 0)
		return false;
	return in_groups(d, more, l / sizeof(more[0]));
}

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

int policy_admit(struct api *a, struct api_sock *c, int fd)
{
	struct ucred uc;
	socklen_t l = sizeof(uc);
	struct api_uid *u;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &uc, &l) < 0)
		return -EACCES;
	c->uid = uc.uid;
	c->pid = uc.pid;
	c->gid = uc.gid;
	if (!allowed(a->deck, &uc, fd))
		return -EACCES;
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

int policy_may_bind(const struct api *a, uid_t uid, uint16_t port)
{
	const struct stackd_deck *d = a->deck;

	if (port == 0 || port >= d->priv_port_max || policy_is_stack(uid))
		return 0;
	/* a user whom the deck names may have what root may */
	for (uint32_t i = 0; i < d->n_allow_uid; i++) {
		if (d->allow_uid[i] == uid)
			return 0;
	}
	return -EACCES;
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
