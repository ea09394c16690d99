#include "client/names_cache.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct entry {
	char name[NAMES_CACHE_NAME_MAX], canon[NAMES_CACHE_NAME_MAX];
	int family;
	uint64_t servers;
	int64_t until_s; /* 0: empty */
	size_t n;
	struct ip_addr a[NAMES_CACHE_ADDRS_MAX];
};

static struct entry table[NAMES_CACHE_SIZE];
static atomic_flag busy = ATOMIC_FLAG_INIT;

/* A child of a fork() while another thread was here finds it busy for good,
 * and works without. */
static bool enter(void)
{
	return !atomic_flag_test_and_set(&busy);
}

static void leave(void)
{
	atomic_flag_clear(&busy);
}

/* FNV-1a over the name in lower case. */
static struct entry *place(const char *name, int family)
{
	uint32_t h = 2166136261u ^ (uint32_t)family;

	for (const char *p = name; *p; p++)
		h = (h ^ (uint32_t)tolower((unsigned char)*p)) * 16777619u;
	return &table[h % NAMES_CACHE_SIZE];
}

bool names_cache_get(const char *name, int family, uint64_t servers,
		     int64_t now_s, struct names_list *ret)
{
	struct entry *e = place(name, family);
	bool found;

	if (!enter())
		return false;
	found = e->until_s > now_s && e->family == family &&
		e->servers == servers && strcasecmp(e->name, name) == 0;
	for (size_t i = 0; found && i < e->n && ret->n < NAMES_ADDRS_MAX; i++)
		ret->a[ret->n++] = (struct ip_port){.addr = e->a[i]};
	if (found)
		snprintf(ret->canon, sizeof(ret->canon), "%s", e->canon);
	leave();
	return found;
}

void names_cache_put(const char *name, int family, uint64_t servers,
		     int64_t now_s, uint32_t ttl_s,
		     const struct names_list *list)
{
	struct entry *e = place(name, family);

	if (!ttl_s || !list->n || list->n > NAMES_CACHE_ADDRS_MAX ||
	    strlen(name) >= sizeof(e->name) ||
	    strlen(list->canon) >= sizeof(e->canon) || !enter())
		return;
	memcpy(e->name, name, strlen(name) + 1);
	memcpy(e->canon, list->canon, strlen(list->canon) + 1);
	e->family = family;
	e->servers = servers;
	e->until_s = now_s + MIN(ttl_s, (uint32_t)NAMES_CACHE_TTL_MAX_S);
	e->n = list->n;
	for (size_t i = 0; i < list->n; i++)
		e->a[i] = list->a[i].addr;
	leave();
}
