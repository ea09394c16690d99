/* display.h: what the console's QUERY commands and METRICS print. Fills
 * tables; writes by a callback; does no I/O. */
#ifndef COUPLET_TLSD_DISPLAY_H
#define COUPLET_TLSD_DISPLAY_H

#include "console/table.h"
#include "tlsd.h"

struct display {
	const struct tlsd *td;
	bool json;
	table_write_fn *write;
	void *arg;
};

/* Each prints all of it. 0 or -ENOMEM. */
int display_rules(const struct display *d);
int display_connections(const struct display *d);
int display_handshakes(const struct display *d);
int display_counters(const struct display *d);
int display_id(const struct display *d);
int display_metrics(const struct display *d);

#endif
