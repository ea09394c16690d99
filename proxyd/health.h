/*
 * health.h: HEALTH of the deck: each target of a PROXY is connected to every
 * interval; target.h decides what that says about it.
 */
#ifndef COUPLET_PROXYD_HEALTH_H
#define COUPLET_PROXYD_HEALTH_H

#include "proxyd.h"

/* Begins the checks of px into px->health, if its deck wants them. 0 or
 * -ENOMEM. */
int health_new(struct proxy *px) MUST_USE;
void health_free(struct health *h);

#endif
