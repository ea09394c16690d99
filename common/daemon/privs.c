#include "daemon/privs.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Is `id` mapped into our user namespace? `map` is /proc/self/uid_map. */
static bool is_mapped(const char *map, unsigned id)
{
	unsigned inside, outside, count;
	bool found = false;
	FILE *f = fopen(map, "re");

	if (!f)
		return true; /* no /proc: setresuid() will tell */
	while (!found && fscanf(f, "%u %u %u", &inside, &outside, &count) == 3)
		found = id >= inside && id - inside < count;
	fclose(f);
	return found;
}

static bool find_usable(const char *name, struct privs_user *ret)
{
	const struct passwd *pw = getpwnam(name);

	if (!pw || !is_mapped("/proc/self/uid_map", pw->pw_uid) ||
	    !is_mapped("/proc/self/gid_map", pw->pw_gid))
		return false;
	ret->uid = pw->pw_uid;
	ret->gid = pw->pw_gid;
	snprintf(ret->name, sizeof ret->name, "%s", name);
	return true;
}

int privs_find_user(const char *wanted, struct privs_user *ret)
{
	memset(ret, 0, sizeof *ret);
	if (geteuid() != 0) {
		const struct passwd *pw = getpwuid(geteuid());

		ret->uid = geteuid();
		ret->gid = getegid();
		snprintf(ret->name, sizeof ret->name, "%s",
			 pw ? pw->pw_name : "?");
		return 0;
	}
	if (find_usable(wanted, ret))
		return 0;
	ret->fallback = true;
	if (find_usable("nobody", ret))
		return 0;
	if (!is_mapped("/proc/self/uid_map", 65534)) {
		/* a namespace with a single user: root of it, without
		 * capabilities, is an ordinary user outside */
		snprintf(ret->name, sizeof ret->name, "root of a namespace");
		return 0;
	}
	return -ENOENT;
}

/* Changes uid and gids; capabilities chosen before survive it. */
static int become(const struct privs_user *u, const char **ret_step)
{
	*ret_step = "supplementary groups";
	/* a user namespace may forbid it: it has none that matter then */
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return -errno;
	*ret_step = "group";
	if (setresgid(u->gid, u->gid, u->gid) < 0)
		return -errno;
	*ret_step = "keeping capabilities";
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return -errno;
	*ret_step = "user";
	if (setresuid(u->uid, u->uid, u->uid) < 0)
		return -errno;
	return 0;
}

/* Which of `caps` we have: bit i. What an ordinary user wants to keep but never
 * had is missed by the call that needs it, with a better message. */
static uint64_t held(const int *caps, int n_caps)
{
	uint64_t bits = 0;

	for (int i = 0; i < n_caps; i++)
		bits |= (uint64_t)privs_have(caps[i]) << i;
	return bits;
}

static int keep_only(const int *caps, int n_caps, uint64_t have,
		     const char **ret_step)
{
	*ret_step = "capabilities";
	capng_clear(CAPNG_SELECT_BOTH);
	for (int i = 0; i < n_caps; i++)
		if ((have >> i & 1) &&
		    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
				 (unsigned)caps[i]) < 0)
			return -EINVAL;
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		return -EPERM;
	*ret_step = "ambient capabilities";
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

int privs_drop(const struct privs_user *u, const int *caps, int n_caps,
	       bool debuggable, const char **ret_step)
{
	bool root = geteuid() == 0;
	uint64_t have = held(caps, n_caps);
	int r;

	INVARIANT(n_caps < 64);
	if (root) {
		/* the bounding set needs CAP_SETPCAP, so it goes first */
		*ret_step = "capability bounding set";
		capng_clear(CAPNG_SELECT_BOUNDS);
		if (capng_apply(CAPNG_SELECT_BOUNDS) < 0 && errno != EPERM)
			return -EPERM;
		r = become(u, ret_step);
		if (r < 0)
			return r;
	}
	r = keep_only(caps, n_caps, have, ret_step);
	if (r < 0)
		return r;
	*ret_step = "no new privileges";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	*ret_step = "dumpable flag";
	if (prctl(PR_SET_DUMPABLE, debuggable ? 1 : 0, 0, 0, 0) < 0)
		return -errno;
	*ret_step = NULL;
	return 0;
}

bool privs_have(int cap)
{
	capng_get_caps_process();
	return capng_have_capability(CAPNG_EFFECTIVE, (unsigned)cap);
}

uint64_t privs_raise_files(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return 1024;
	rl.rlim_cur = rl.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &rl); /* up to hard: cannot fail */
	return rl.rlim_cur;
}
