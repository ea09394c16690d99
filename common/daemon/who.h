/*
 * who.h: ALLOW USER|GROUP name... of every daemon's deck: users and groups of
 * this host, by name or number.
 */
#ifndef COUPLET_DAEMON_WHO_H
#define COUPLET_DAEMON_WHO_H

#include "deck/args.h"

/* Reads "USER|GROUP name..." to the end of the record into the lists of at
 * most `max` numbers each; one that is there already is not added again.
 * Mistakes are notes in the deck's report. */
void who_command(struct deck_args *a, uint32_t *uids, uint32_t *n_uids,
		 uint32_t *gids, uint32_t *n_gids, uint32_t max);

#endif
