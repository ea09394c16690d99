#include "deck_parts.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define IFNAME_BYTES "-_.@#$"
#define QUEUES_MAX 16
#define TXQUEUELEN_MAX 1000000
#define VLAN_MAX 4094
#define FD_MAX 1048575

static const char *const media[] = {"TUN", "TAP", "SEQPACKET", "FD"};

const char *stackd_deck_medium_name(enum deck_medium m)
{
	return media[m];
}

enum deck_medium stackd_deck_medium_default(const struct deck_device *v)
{
	return v->layer2 ? MEDIUM_TAP : MEDIUM_TUN;
}

static bool host_medium(const struct deck_device *v)
{
	return v->medium == MEDIUM_TUN || v->medium == MEDIUM_TAP;
}

/* ---- the words
 * ------------------------------------------------------------------ */

static void read_medium(struct deck_args *a, struct deck_device *v)
{
	uint32_t fd;
	unsigned i;

	if (!deck_args_word(a, "medium", media, ARRAY_SIZE(media), &i))
		return;
	v->medium = (enum deck_medium)i;
	v->medium_given = true;
	v->path[0] = '\0';
	v->path_listen = false;
	v->fd = -1;
	if (v->medium == MEDIUM_SEQPACKET) {
		deck_args_path(a, "path", sizeof(v->path) - 1, v->path);
		v->path_listen = deck_args_is(a, "LISTEN");
	} else if (v->medium == MEDIUM_FD &&
		   deck_args_u32(a, "descriptor", 3, FD_MAX, &fd)) {
		v->fd = (int)fd;
	}
}

static void read_host_addr(struct deck_args *a, struct deck_device *v)
{
	struct ip_prefix p;

	if (!deck_args_prefix(a, "address", IP_NONE, &p))
		return;
	if (ip_is_any(&p.addr) || ip_is_multicast(&p.addr) ||
	    ip_is_loopback(&p.addr)) {
		deck_args_expected(a, "address", "a unicast address");
		return;
	}
	for (uint32_t i = 0; i < v->n_host_addr; i++) {
		if (!ip_eq(&v->host_addr[i].addr, &p.addr))
			continue;
		deck_args_note(a, DECK_WARNING,
			       "ADAPTER: the same was said before");
		return;
	}
	if (v->n_host_addr == ARRAY_SIZE(v->host_addr))
		deck_args_note(a, DECK_ERROR,
			       "more than %zu HOSTADDR for one device",
			       ARRAY_SIZE(v->host_addr));
	else
		v->host_addr[v->n_host_addr++] = p;
}

/* ON, OFF or nothing, which means ON. */
static void read_flag(struct deck_args *a, const char *what, bool *ret)
{
	const char *next = deck_args_peek(a);

	if (next &&
	    (strcasecmp(next, "ON") == 0 || strcasecmp(next, "OFF") == 0))
		deck_args_on_off(a, what, ret);
	else
		*ret = true;
}

enum word {
	WORD_MEDIUM,
	WORD_IFNAME,
	WORD_HOSTADDR,
	WORD_BRIDGE,
	WORD_QUEUES,
	WORD_OFFLOAD,
	WORD_TXQUEUELEN,
	WORD_VLAN,
	WORD_HOSTROUTES,
	WORD_ISOLATE,
};

static const char *const words[] = {
	[WORD_MEDIUM] = "MEDIUM",         [WORD_IFNAME] = "IFNAME",
	[WORD_HOSTADDR] = "HOSTADDR",     [WORD_BRIDGE] = "BRIDGE",
	[WORD_QUEUES] = "QUEUES",         [WORD_OFFLOAD] = "OFFLOAD",
	[WORD_TXQUEUELEN] = "TXQUEUELEN", [WORD_VLAN] = "VLAN",
	[WORD_HOSTROUTES] = "HOSTROUTES", [WORD_ISOLATE] = "ISOLATE",
};

static void read_value(struct stackd_deck_builder *b, struct deck_args *a,
		       struct deck_device *v, enum word w)
{
	switch (w) {
	case WORD_MEDIUM:
		read_medium(a, v);
		break;
	case WORD_IFNAME:
		deck_args_name(a, "interface", IFNAME_BYTES,
			       sizeof(v->ifname) - 1, v->ifname);
		break;
	case WORD_HOSTADDR:
		read_host_addr(a, v);
		break;
	case WORD_BRIDGE:
		deck_args_name(a, "bridge", IFNAME_BYTES, sizeof(v->bridge) - 1,
			       v->bridge);
		break;
	case WORD_QUEUES:
		deck_args_u32(a, "queues", 1, QUEUES_MAX, &v->queues);
		break;
	case WORD_OFFLOAD:
		if (deck_args_on_off(a, "offload", &v->offload))
			b->offload_given[v - b->d->devices] = true;
		break;
	case WORD_TXQUEUELEN:
		deck_args_u32(a, "packets", 1, TXQUEUELEN_MAX, &v->txqueuelen);
		break;
	case WORD_VLAN:
		deck_args_u16(a, "vlan", 0, VLAN_MAX, &v->vlan);
		break;
	case WORD_HOSTROUTES:
		read_flag(a, "host routes", &v->host_routes);
		break;
	case WORD_ISOLATE:
		read_flag(a, "isolation", &v->isolate);
		break;
	}
}

void stackd_deck_cmd_adapter(struct stackd_deck_builder *b, struct deck_args *a)
{
	const char *expected = "the name of a DEVICE defined before";
	const char *name = deck_args_text(a, "device", expected);
	struct deck_device *v = NULL;
	unsigned i;

	for (uint32_t k = 0; name && k < b->d->n_devices; k++) {
		if (strcasecmp(b->d->devices[k].name, name) == 0)
			v = &b->d->devices[k];
	}
	if (!v) {
		if (name)
			deck_args_expected(a, "device", "%s", expected);
		return;
	}
	do {
		/* behind a wrong word nothing can be told apart */
		if (!deck_args_word(a, "word", words, ARRAY_SIZE(words), &i))
			return;
		read_value(b, a, v, (enum word)i);
	} while (deck_args_more(a));
	deck_args_end(a);
}

/* ---- what was not said
 * ------------------------------------------------------------- */

void stackd_deck_defaults(struct stackd_deck_builder *b)
{
	for (uint32_t i = 0; i < b->d->n_devices; i++) {
		struct deck_device *v = &b->d->devices[i];

		if (!v->medium_given)
			v->medium = stackd_deck_medium_default(v);
		if (!b->offload_given[i])
			v->offload = host_medium(v);
		if (v->ifname[0] || !host_medium(v))
			continue;
		for (size_t k = 0; v->portname[k]; k++)
			v->ifname[k] =
				(char)tolower((unsigned char)v->portname[k]);
	}
}

/* ---- canonical form
 * ------------------------------------------------------------------ */

static void print_host_side(const struct deck_device *v, FILE *out)
{
	char text[ADDR_TEXT_MAX];

	for (uint32_t i = 0; i < v->n_host_addr; i++)
		fprintf(out, "ADAPTER %s HOSTADDR %s/%u\n", v->name,
			ip_format(&v->host_addr[i].addr, text),
			v->host_addr[i].len);
	if (v->bridge[0])
		fprintf(out, "ADAPTER %s BRIDGE %s\n", v->name, v->bridge);
	if (v->host_routes)
		fprintf(out, "ADAPTER %s HOSTROUTES ON\n", v->name);
	if (v->isolate)
		fprintf(out, "ADAPTER %s ISOLATE ON\n", v->name);
}

static void print_medium(const struct deck_device *v, FILE *out)
{
	if (!v->medium_given)
		return;
	fprintf(out, "ADAPTER %s MEDIUM %s", v->name, media[v->medium]);
	if (v->medium == MEDIUM_SEQPACKET)
		fprintf(out, " %s%s", v->path, v->path_listen ? " LISTEN" : "");
	if (v->medium == MEDIUM_FD)
		fprintf(out, " %d", v->fd);
	fputc('\n', out);
}

void stackd_deck_print_adapter(const struct deck_device *v, FILE *out)
{
	print_medium(v, out);
	if (v->ifname[0])
		fprintf(out, "ADAPTER %s IFNAME %s\n", v->name, v->ifname);
	if (v->queues != 1)
		fprintf(out, "ADAPTER %s QUEUES %u\n", v->name, v->queues);
	if (v->offload != host_medium(v))
		fprintf(out, "ADAPTER %s OFFLOAD %s\n", v->name,
			v->offload ? "ON" : "OFF");
	if (v->txqueuelen != STACKD_DECK_TXQUEUELEN)
		fprintf(out, "ADAPTER %s TXQUEUELEN %u\n", v->name,
			v->txqueuelen);
	if (v->vlan)
		fprintf(out, "ADAPTER %s VLAN %u\n", v->name, v->vlan);
	print_host_side(v, out);
}
