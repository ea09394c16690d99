/*
 * tool.h: couplet-keys, the operator's tool for key files. Options in
 * tool.c; what each word does in tool_make.c and tool_file.c.
 */
#ifndef COUPLET_KEYS_TOOL_H
#define COUPLET_KEYS_TOOL_H

#include "keys/keyfile.h"
#include "keys/make.h"
#include "keys/source.h"

#include <json.h>

enum { TOOL_SANS_MAX = 64, TOOL_EXIT_FAILED = 1, TOOL_EXIT_USAGE = 2 };

struct tool {
	const char *word;
	const char *cn, *org, *key, *ca, *out, *ocsp, *to;
	const char *pass_file, *ca_pass_file, *out_pass_file;
	const char *san[TOOL_SANS_MAX];
	size_t n_san;
	unsigned days;
	bool force, json;
	char **files; /* what is left of the command line */
	int n_files;
	int64_t now;
	json_object *result; /* with --json: what is printed in the end */
};

/* Each returns an exit status, after it has said why not 0. */
typedef int tool_fn(struct tool *t);
tool_fn tool_ca, tool_server, tool_client, tool_crl; /* tool_make.c */
tool_fn tool_check, tool_convert, tool_strip;        /* tool_file.c */

/* Says why on stderr (or as "error" of the JSON object). Returns
 * TOOL_EXIT_FAILED. */
int tool_fail(struct tool *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Reads the key file `path`; true, or false after tool_fail(). The caller ends
 * with keyfile_fini() in any case. */
bool tool_read(struct tool *t, const char *path, const char *pass_file,
	       unsigned need, struct keyfile *k);
/* The pass-phrase for output into pass[KEYFILE_PASS_MAX]: true; *ret points to
 * it, or NULL without --out-pass-file. false after tool_fail(). */
bool tool_out_pass(struct tool *t, char *pass, const char **ret);
/* Writes the output file, mode 0600, never over one that is there without
 * --force, and never half. An exit status. */
int tool_write(struct tool *t, const char *path, const char *bytes, size_t len);
/* Notes of the file `k`, to stderr or into the result. */
void tool_notes(struct tool *t, const struct keyfile *k);

#endif
