/*
 * display.h: what QUERY shows, as text or JSON. Only looks: nothing here
 * changes the stack, reads a clock or does I/O; text goes to a callback.
 */
#ifndef COUPLET_STACKD_DISPLAY_H
#define COUPLET_STACKD_DISPLAY_H

#include "api/api.h"
#include "console/table.h"
#include "core/stack.h"
#include "deck.h"
#include "loop.h"
#include "osa/osa.h"

struct display { /* what there is to look at */
	struct stack *stack;
	const struct stackd_deck *deck;
	struct osa_port *const *ports; /* [n_ports] */
	uint32_t n_ports;
	const struct api *api;   /* NULL: counters of it are left out */
	const struct loop *loop; /* NULL: the same */
	mono_t now;
	mono_t started;
	const char *version;
	pid_t pid;
	size_t rss_bytes; /* resident set, 0 = unknown */
	bool json;
	table_write_fn *write;
	void *arg;
};

/* Each prints one display. 0 or -ENOMEM. */
int display_links(const struct display *d) MUST_USE;
int display_addresses(const struct display *d) MUST_USE;
int display_routes(const struct display *d) MUST_USE;
int display_neighbours(const struct display *d) MUST_USE;
int display_osa(const struct display *d) MUST_USE;
int display_rules(const struct display *d) MUST_USE;
int display_hosts(const struct display *d) MUST_USE;
int display_dns(const struct display *d) MUST_USE;
int display_ports(const struct display *d) MUST_USE;
int display_id(const struct display *d) MUST_USE;
int display_memory(const struct display *d) MUST_USE;
/* Counters that are not zero, or `all` of them. */
int display_counters(const struct display *d, bool all) MUST_USE;
/* All counters and gauges in the Prometheus text format 0.0.4. */
int display_metrics(const struct display *d) MUST_USE;

/* ---- sockets: may be many, so they come in slices --------------------------
 */

struct sockets_filter {        /* all given parts must match */
	bool tcp, udp;         /* neither = both */
	enum ip_family family; /* IP_NONE = both */
	char state[16];        /* as displayed, upper case; empty = any */
	uint32_t port;         /* either side; 0 = any */
	struct ip_prefix addr; /* either side; family NONE = any */
	pid_t pid;             /* 0 = any */
	uid_t uid;
	bool uid_given;
	uint64_t id; /* 0 = any */
};

struct sockets_display;

/* Takes a picture of the sockets that match now: some hundred bytes each,
 * formatted later. NULL: no memory. */
struct sockets_display *sockets_display_new(const struct display *d,
					    const struct sockets_filter *f);
void sockets_display_free(struct sockets_display *sd);
/* Prints the next `max` of them. True: there are more; `*ret_error` is 0 or
 * -ENOMEM. */
bool sockets_display_more(struct sockets_display *sd, uint32_t max,
			  table_write_fn *fn, void *arg, int *ret_error);

/* ---- the counters behind display_counters() and display_metrics() -----------
 */

enum counter_kind {
	COUNTER_TOTAL, /* only grows */
	COUNTER_GAUGE,
};

struct counter_sample {
	const char *group; /* "tcp" */
	const char *name;  /* "segs_in"; for drops the reason's name */
	const char *help;  /* what it counts */
	const char *label; /* name of a Prometheus label whose value is
			    * label_value, or NULL */
	const char *label_value;
	enum counter_kind kind;
	uint64_t value;
};

typedef void counter_fn(void *arg, const struct counter_sample *s);
/* Every counter of the stack, in a fixed order, grouped. */
void counters_each(const struct display *d, counter_fn *fn, void *arg);

/* ---- display_tls.c */

/* tlsd, as far as this stack knows it; and its rules. 0 or -ENOMEM. */
int display_tls(const struct display *d);
int display_tls_rules(const struct display *d);

#endif
