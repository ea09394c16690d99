/*
 * relay.h: bytes between two ends, both ways, on an event loop.
 *
 * MODEL. A relay_set is an epoll set of its own beside the daemon's event
 * base (ev/ev.h), because one system call per turn is all a busy relay can
 * afford. On it live watches (anything with a descriptor: listeners,
 * connects, handshakes, relays), timers (wheel.h), and relays.
 *
 * An end is a connected descriptor with a struct relay_io that says how bytes
 * get in and out: relay_clear (the descriptor's bytes are the stream),
 * relay_tls (a TLS session on it), relay_program (stackd's end of a
 * program's socket, with one byte always left unread). A relay is two ends
 * and the four things that can be under way between them.
 *
 * What passes unchanged: half-close (a FIN; with TLS a close_notify), reset
 * (on TLS also: the connection ended without close_notify), and back
 * pressure: nothing is read while what was read before has not been taken.
 * An idle relay owns no buffer; one whose reader is slow holds at most
 * RELAY_CHUNK bytes, or one pipe, in each direction.
 *
 * Watches and relays lie inside their owner's struct, from accept to the
 * end: the descriptor is added to the set once, and the watch's function
 * changes as the connection goes on. Events are edge triggered: `ready`
 * collects them, and whoever sees EAGAIN takes the bit back.
 *
 * Single-threaded; callbacks run inside the loop's turn, never inside another
 * call of this room except where a prototype says so.
 */
#ifndef COUPLET_RELAY_H
#define COUPLET_RELAY_H

#include "base/base.h"
#include "base/list.h"
#include "base/mono.h"
#include "relay/wheel.h"

struct ev_loop;
struct relay;
struct relay_end;
struct relay_set;
struct tls_session;

#define RELAY_CHUNK 65536    /* bytes moved by one read */
#define RELAY_ROUND_MAX 16   /* reads of one relay before others have a turn */
#define RELAY_PIPES_MAX 256  /* pipes in use at once; then reads and writes */
#define RELAY_PIPES_SPARE 16 /* kept open while nobody uses them */

/* ---- the set --------------------------------------------------------------
 */

/* Takes the place of the waiting of `l` (ev_loop_set_wait()), which must
 * outlive the set. 0 or negative errno. */
int relay_set_new(struct ev_loop *l, struct relay_set **ret) MUST_USE;
/* All relays and watches must be gone. NULL is fine. */
void relay_set_free(struct relay_set *s);
/* The time of this turn of the loop. */
mono_t relay_now(const struct relay_set *s);

enum {
	RELAY_IN = 1,  /* bytes, or the end of them */
	RELAY_OUT = 2, /* room to write */
	RELAY_FIN = 4, /* the peer has ended its direction: read to the end */
	RELAY_ERR = 8, /* reset or another error; read tells */
};

struct relay_watch;
/* `w->ready` has what is known now; this call brought something new. */
typedef void relay_watch_fn(struct relay_watch *w, mono_t now);

struct relay_watch {
	relay_watch_fn *fn;
	int fd;        /* -1 = none */
	uint8_t ready; /* RELAY_ bits */
	bool listed;   /* on the list of those to be called */
	bool sole;     /* see relay_watch_sole() */
	struct list again;
};

/* Before the first use. */
void relay_watch_init(struct relay_watch *w, relay_watch_fn *fn);
/* Watches `fd` (borrowed) for everything. 0 or negative errno. */
int relay_watch_add(struct relay_set *s, struct relay_watch *w,
		    int fd) MUST_USE;
/* No other process has a copy of the descriptor, and no other thread waits in
 * it: closing it is enough to take it out of the set. Until then. */
void relay_watch_sole(struct relay_watch *w);
/* Calls w->fn soon, in this turn, though nothing happened. */
void relay_watch_again(struct relay_set *s, struct relay_watch *w);
/* Closes the descriptor and forgets it; no call comes any more. */
void relay_watch_close(struct relay_set *s, struct relay_watch *w);
/* The descriptor out of the set, the caller's again; or -1. */
int relay_watch_take(struct relay_set *s, struct relay_watch *w);

struct relay_timer;
typedef void relay_timer_fn(struct relay_timer *t, mono_t now);
struct relay_timer {
	struct wheel_timer w;
	relay_timer_fn *fn;
};
void relay_timer_init(struct relay_timer *t, relay_timer_fn *fn);
/* Once, at `at` or up to WHEEL_TICK_MS later; MONO_NEVER stops it. */
void relay_timer_set(struct relay_set *s, struct relay_timer *t, mono_t at);

/* Memory that events of this turn may still point into: freed by free() when
 * the turn is over. Every struct with a watch in it goes this way. */
struct relay_corpse {
	struct relay_corpse *next;
	void *memory;
};
void relay_bury(struct relay_set *s, struct relay_corpse *c, void *memory);

/* Bytes one may scribble on until one returns to the loop; RELAY_CHUNK of
 * them. */
char *relay_scratch(struct relay_set *s);

/* ---- ends -----------------------------------------------------------------
 */

/*
 * How an end moves bytes. recv: bytes > 0; 0 = orderly end; -EAGAIN;
 * -ECONNRESET and others = ended without order. send: bytes > 0, perhaps
 * fewer than asked; -EAGAIN; or an error. After -EAGAIN the same bytes are
 * offered again, perhaps with more behind them. finish: ends our direction;
 * 0, -EAGAIN (call again when writable), or an error. close: gives back what
 * belongs to the end besides the descriptor; `reset`: the peer must not
 * take it for an orderly end (called before the descriptor is closed).
 * flush: sends what the end itself holds; called when it is writable and
 * want_out is set. NULL: it never holds anything.
 */
struct relay_io {
	ssize_t (*recv)(struct relay_end *e, void *buf, size_t len);
	ssize_t (*send)(struct relay_end *e, const void *buf, size_t len);
	int (*flush)(struct relay_end *e);
	int (*finish)(struct relay_end *e);
	void (*close)(struct relay_end *e, bool reset);
	bool raw; /* the descriptor's bytes are the stream: splice may move
		   * them, and a short read means that it is empty */
};

extern const struct relay_io relay_clear;
extern const struct relay_io relay_tls;     /* end->tls, handshake done */
extern const struct relay_io relay_program; /* end->lag, end->skip */

struct relay_end;
/* Before relay_start(): takes the padding out of a program's socket, which so
 * becomes writable. 0: its connect() or accept() has succeeded, or cannot fail
 * any more; -EAGAIN: some padding, or the plant, has not come yet: call again
 * when something has; or an error. */
int relay_program_open(struct relay_end *e) MUST_USE;

struct relay_end {
	struct relay_watch watch;
	const struct relay_io *io;
	struct tls_session *tls; /* relay_tls: owned from relay_start() on */
	uint32_t lag, skip;      /* relay_program: bytes at the front of its
				  * queue that were delivered, or that are
				  * padding */
	bool stack;              /* libcouplet's socket, not the kernel's */
	bool eof;                /* its FIN was read */
	bool finished;           /* our FIN was sent to it */
	bool want_out;           /* it holds bytes: see flush */
};

/*
 * A session whose handshake was made elsewhere (relay/handshake.h, with a
 * tls_io of its own): from now on the end's descriptor is its wire and e->io is
 * relay_tls. The session is the end's.
 */
void relay_tls_adopt(struct relay_end *e, struct tls_session *s);

/* ---- relays ---------------------------------------------------------------
 */

enum relay_cause {
	RELAY_CAUSE_FIN,    /* both directions ended in order */
	RELAY_CAUSE_RESET,  /* end `side` was reset, or broke off */
	RELAY_CAUSE_IDLE,   /* no byte for too long */
	RELAY_CAUSE_FILTER, /* the filter refused what end `side` sent */
	RELAY_CAUSE_KILLED, /* relay_kill() */
};

/*
 * Looks at, and may change, what end `side` sent before the other gets it.
 * `in` is taken whole; at most `cap` bytes go to `out`, their number is
 * returned, or negative errno to break off. cap >= 2 * len.
 */
typedef ssize_t relay_filter_fn(void *arg, int side, const char *in, size_t len,
				char *out, size_t cap);

struct relay_dir { /* from end i to the other */
	uint64_t bytes;
	char *held; /* read and not yet taken: len bytes from `at` on */
	uint32_t at, len;
	uint16_t pipe;  /* 1 + number of the pipe in use, 0 = none */
	uint16_t full;  /* reads in a row that filled the buffer */
	uint32_t piped; /* bytes in the pipe */
};

struct relay {
	struct relay_end end[2];
	struct relay_dir dir[2]; /* dir[i]: what end[i] sent */
	struct relay_set *set;
	struct relay_timer idle;
	dur_t idle_after;        /* 0 = never */
	mono_t active;           /* last byte */
	relay_filter_fn *filter; /* NULL = none */
	/* The relay is over: descriptors are closed, counters stay. The owner
	 * may bury it now. */
	void (*done)(struct relay *r, enum relay_cause cause, int side,
		     int error);
	void *arg;   /* the owner's */
	bool paused; /* relay_pause() */
};

/* Makes an empty relay in the owner's storage: no descriptor yet, both ends
 * clear. */
void relay_init(struct relay *r, struct relay_set *s);
/*
 * Begins, with both end[i].watch added, end[i].io (and .tls, .stack) and the
 * fields from idle_after on filled in. Does not call back: the first bytes
 * move in this turn of the loop.
 */
void relay_start(struct relay *r);
/* Puts `len` bytes in front of what end `side` sends (a PROXY header, bytes
 * that were read to find the way). Before relay_start() or in the filter;
 * len <= RELAY_CHUNK in all. 0 or -ENOMEM, -EMSGSIZE. */
int relay_inject(struct relay *r, int side, const void *bytes,
		 size_t len) MUST_USE;
/* Bytes read from end `side` that the other has not taken; and takes them
 * back, `buf` has room for all. Returns how many. Not inside an end's io. */
size_t relay_held(const struct relay *r, int side);
size_t relay_take_held(struct relay *r, int side, void *buf);
/* Stops reading from both ends until relay_start() is called again; what was
 * read is still delivered. For a change of io: AUTH TLS. */
void relay_pause(struct relay *r);
/* Nothing read from end `side` waits to be taken by the other. */
bool relay_drained(const struct relay *r, int side);
/* Ends at once; both sides see a reset. done() is called inside. */
void relay_kill(struct relay *r);
/* Closes what is open without calling back; `reset` as in relay_io. For an
 * owner that gives up before relay_start(). */
void relay_abandon(struct relay *r, bool reset);
/* The same for one end alone. */
void relay_close_end(struct relay *r, int side, bool reset);

#endif
