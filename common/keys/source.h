/*
 * source.h: from the name of a key file to its bytes. Files only.
 */
#ifndef COUPLET_KEYS_SOURCE_H
#define COUPLET_KEYS_SOURCE_H

#include "keys/keyfile.h"

struct keys_source_file {
	char path[KEYS_PATH_MAX];
	const char *name; /* last part of path */
	uint8_t *bytes;   /* may be secret: keys_source_fini() wipes */
	size_t len;
	unsigned mode; /* permission bits */
};

/* Finds and reads the file of `s`. 0, or negative errno and a sentence in
 * `why` (KEYS_WHY_MAX). The caller ends with keys_source_fini() in any case. */
int keys_source_read(const struct keys_source *s, struct keys_source_file *ret,
		     char *why) MUST_USE;
void keys_source_fini(struct keys_source_file *f); /* wipes and frees */

/* The first line of the pass-phrase file `path` into `pass`
 * (KEYFILE_PASS_MAX); refused when group or others can read it. As above. */
int source_read_pass(const char *path, char *pass, char *why) MUST_USE;

/* Both of the above and keyfile_parse(). `f` is left filled for its path.
 * keyfile_fini() and keys_source_fini() in any case. */
int keys_source_parse(const struct keys_source *s, int64_t now,
		      struct keys_source_file *f, struct keyfile *k,
		      char *why) MUST_USE;

#endif
