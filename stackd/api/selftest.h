/*
 * selftest.h: does this kernel behave as the socket contract assumes? Each
 * probe builds the situation with a few descriptors of its own, looks, and
 * cleans up. stackd runs them all before it serves anybody; the tests run
 * them one by one.
 */
#ifndef COUPLET_API_SELFTEST_H
#define COUPLET_API_SELFTEST_H

#include "base/base.h"

struct api_probe {
	const char *name;
	const char *claim; /* what must hold, one line */
	/* 0, or negative errno with what was seen instead in err */
	int (*run)(char *err, size_t len);
};

/* The table of all probes; its length in *ret_n. */
const struct api_probe *api_probes(size_t *ret_n);

#endif
