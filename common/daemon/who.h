/*
 * who.h: users and groups of this host in decks, by name or number; and the
 * command ALLOW USER|GROUP name... that every daemon has.
 */
#ifndef COUPLET_DAEMON_WHO_H
#define COUPLET_DAEMON_WHO_H

#include "deck/args.h"

/* Reads one name or number of a user or group. false: it is none, which is a
 * note in the deck's report. */
bool who_read(struct deck_args *a, bool group, uint32_t *ret);

/* Reads "USER|GROUP name..." to the end of the record into the lists of at
 * most `max` numbers each; one that is there already is not added again.
 * Mistakes are notes in the deck's report. */
void who_command(struct deck_args *a, uint32_t *uids, uint32_t *n_uids,
		 uint32_t *gids, uint32_t *n_gids, uint32_t max);

#endif
