/*
 * api.h: sockets of programs. The AF_UNIX side of the engine: a program's
 * socket is a real AF_UNIX socket whose other end is here (design 5).
 *
 * The loop calls in: api_on_event() when a descriptor of ours is ready (edge
 * triggered), api_on_ready() when the engine has news about a socket. Neither
 * blocks. The protocol between front ends and this room is in
 * common/client/proto.h.
 */
#ifndef COUPLET_API_H
#define COUPLET_API_H

#include "core/stack.h"
#include "deck.h"

struct api;

struct api_refusal {
	const char *rule; /* name of the POLICY, or ALLOW, RESERVE */
	uid_t uid;
	pid_t pid;
	uint16_t port;       /* to bind, 0: to use the stack */
	const char *program; /* its file, "" unknown */
};

struct api_ops { /* what the room needs from the loop */
	/* Watch `fd` edge-triggered for IN and RDHUP; `ref`, whose two lowest
	 * bits are 0, comes back in api_on_event(). 0 or negative errno.
	 * Closing the fd ends it. */
	int (*watch)(void *arg, int fd, void *ref);
	/* From now on for OUT too, at once if it is writable already. Not
	 * from the start: every read of a program would be an event. */
	int (*watch_out)(void *arg, int fd, void *ref);
	/* No longer: `fd` goes to another process, so that closing it here
	 * would not end it. */
	void (*unwatch)(void *arg, int fd);
	/* Call api_on_timer() at `at` (one timer; MONO_NEVER = off). */
	void (*timer)(void *arg, mono_t at);
	/* The other stack of the couple was found, or lost; or NULL. */
	void (*couple)(void *news_arg, bool up);
	/* A program was refused; or NULL. */
	void (*refused)(void *news_arg, const struct api_refusal *r);
	void *news_arg;
	void *arg;
};

/*
 * Makes run_dir/ID (mode 0755) with the listening sockets in it and the
 * private directory for programs' listeners. -EADDRINUSE: another stackd
 * with this ID lives (its pid in err). A dead one's remains are removed.
 */
int api_new(struct stack *s, const struct stackd_deck *deck,
	    const char *run_dir, const struct api_ops *ops, struct api **ret,
	    char *err, size_t err_len) MUST_USE;
/* Resets every socket, removes the files. */
void api_free(struct api *a);

/* Is `ref` a control connection? Its requests were made before whatever is
 * ready at the same time (an option before the data it is for), so the loop
 * serves it first. */
bool api_is_control(struct api *a, void *ref);
void api_on_event(struct api *a, void *ref, uint32_t epoll_events, mono_t now);
void api_on_ready(struct api *a, struct sock *sk, unsigned events, mono_t now);
void api_on_timer(struct api *a, mono_t now);

struct api_counters {
	uint64_t accepted, refused, bad_records, control_calls, dgram_dropped;
	/* connections given to the diverter, and covered ones that were held
	 * for it, or refused because there was none */
	uint64_t diverted, divert_held, divert_refused;
	uint32_t open;
};
/* Does the stack that COUPLE names answer? False also without COUPLE. */
bool api_couple_up(const struct api *a);
/* The ID of a stack whose COUPLE names this one, "" when there is none. */
const char *api_coupled_by(const struct api *a);
void api_counters(const struct api *a, struct api_counters *ret);
size_t api_memory(const struct api *a);

/* ---- the diverter (common/divert) ---- */

struct api_divert_info {
	pid_t pid; /* 0 = none is there */
	bool live; /* and its rules are in force */
	uint32_t rules, added, conns, listeners, held;
};
void api_divert_info(const struct api *a, struct api_divert_info *ret);
/* Rule `i` of those in force, in the order in which they are tried; false: no
 * more. */
struct divert_rule;
bool api_divert_rule(const struct api *a, uint32_t i, struct divert_rule *ret,
		     const char **ret_program);
/* The operator gives up rules whose diverter has gone: what they covered is
 * let through again. -EBUSY: it is there. */
int api_divert_release(struct api *a, mono_t now) MUST_USE;

/* The deck's words about holding have changed. */
void api_divert_deck(struct api *a);

/*
 * Asserts the kernel behaviour this room relies on, with sockets of its own;
 * takes about a millisecond. 0, or -EOPNOTSUPP with the reason in err.
 */
int api_selftest(char *err, size_t len) MUST_USE;

#endif
