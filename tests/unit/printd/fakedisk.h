/*
 * fakedisk.h: a directory in memory that tells what is on the disk from what
 * is only in the kernel's cache. Every operation counts as a step; at the
 * step named by `fail_at` it fails with `fail_errno`, at `crash_at` it and all
 * later ones fail with -EIO until fakedisk_power_off() forgets what was not
 * synced. Unsynced bytes survive or not sector by sector, unsynced names one
 * by one, as a random number says: that is what a disk may do.
 */
#ifndef COUPLET_TEST_FAKEDISK_H
#define COUPLET_TEST_FAKEDISK_H

#include "spool/spool.h"

struct fakedisk;

/* The caller frees it. */
struct fakedisk *fakedisk_new(uint64_t seed);
void fakedisk_free(struct fakedisk *d);
const struct spool_io *fakedisk_io(struct fakedisk *d);
/* Steps so far. */
unsigned fakedisk_steps(const struct fakedisk *d);
/* The step (from 1, counted from now) that fails once; 0 = none. */
void fakedisk_fail_at(struct fakedisk *d, unsigned step, int error);
/* The step (from 1, counted from now) at which the power goes. */
void fakedisk_crash_at(struct fakedisk *d, unsigned step);
bool fakedisk_crashed(const struct fakedisk *d);
/* The machine comes back with what the disk has. */
void fakedisk_power_off(struct fakedisk *d);
/* kill -9 instead: the cache stays, descriptors go. */
void fakedisk_kill(struct fakedisk *d);
/* Writes beyond this many bytes of all files fail with ENOSPC. */
void fakedisk_capacity(struct fakedisk *d, uint64_t bytes);
/* Flips a bit of a file, in cache and on disk. */
void fakedisk_damage(struct fakedisk *d, const char *name, uint64_t at);
/* Cuts a file. */
void fakedisk_cut(struct fakedisk *d, const char *name, uint64_t len);
/* Is there a file of this name now? */
bool fakedisk_has(const struct fakedisk *d, const char *name);

#endif
