/*
 * steps.h: what the steps of a script share. packets.c: what comes and goes;
 * calls.c: what the program does; macros.c: words that stand for several
 * steps; run.c: whole files.
 */
#ifndef COUPLET_TEST_SCRIPT_STEPS_H
#define COUPLET_TEST_SCRIPT_STEPS_H

#include "script.h"

/* How long a live stack may take for what the engine does at once. */
#define LIVE_PATIENCE DUR_S(20)

/* Each takes the words behind the step's own; false after script_fail(). */
bool script_in(struct script *s, char **w, unsigned n);
/* `when`: "" or "@1s" "@1s~100ms" "@<1s". */
bool script_out(struct script *s, const char *when, char **w, unsigned n);
bool script_find(struct script *s, const char *when, bool wanted, char **w,
		 unsigned n);
bool script_quiet(struct script *s, char **w, unsigned n);
bool script_drain(struct script *s, char **w, unsigned n);
/* A call with its own word in front. */
bool script_call(struct script *s, char **w, unsigned n);
/* The slot of that name, a new one if need be. */
unsigned script_slot(struct script *s, const char *name);
/* Any step. */
bool script_step(struct script *s, char **w, unsigned n);

/* Macros: the words behind their own. */
bool script_server(struct script *s, char **w, unsigned n);
bool script_client(struct script *s, char **w, unsigned n);
bool script_reach(struct script *s, char **w, unsigned n);
/* The words with a blank in front of each. */
void script_join(char **w, unsigned n, char *buf, size_t cap);

#endif
