/*
 * report.h: what the deck reader has to say, as messages of the catalogue.
 */
#ifndef COUPLET_DAEMON_REPORT_H
#define COUPLET_DAEMON_REPORT_H

#include "deck/deck.h"

/* Logs every note of the report on the deck `path`, which was read with the
 * result `r`, and in the end that it cannot be used, if that is so. Returns
 * `r`. */
int report_log(const struct deck_report *report, const char *path, int r);

#endif
