/*
 * display.h: what QUERY shows, as text or JSON. Only looks; text goes to a
 * callback.
 */
#ifndef COUPLET_PROXYD_DISPLAY_H
#define COUPLET_PROXYD_DISPLAY_H

#include "console/table.h"
#include "proxyd.h"

struct display {
	const struct proxyd *pd;
	mono_t now;
	bool json;
	table_write_fn *write;
	void *arg;
};

/* Each prints one display. 0 or -ENOMEM. */
int display_proxies(const struct display *d) MUST_USE;
int display_targets(const struct display *d) MUST_USE;
int display_udp(const struct display *d) MUST_USE;
int display_id(const struct display *d) MUST_USE;
int display_counters(const struct display *d, bool all) MUST_USE;
int display_metrics(const struct display *d) MUST_USE;

struct flow_filter {
	uint32_t port;         /* of the PROXY; 0 = any */
	struct ip_prefix addr; /* of client or server; IP_NONE = any */
	const char *state;     /* NULL = any */
};

/* Connections may be many, so they come in slices. */
struct flow_display {
	struct table *table;
	struct flow_filter filter;
	uint64_t after; /* number of the last one that was shown */
	bool begun;
};

/* NULL: no memory. */
struct flow_display *flow_display_new(const struct display *d,
				      const struct flow_filter *f);
/* Prints at most `max` rows; false: that was all, or *ret_error says why not
 * (-ENOMEM). */
bool flow_display_more(struct flow_display *fd, const struct display *d,
		       uint32_t max, int *ret_error);
void flow_display_free(struct flow_display *fd);

#endif
