/*
 * impl.h: the inside of the room api/, for its files only.
 *
 * api.c lives, dies and hands out events; slots.c keeps the records;
 * stream.c is the life of a TCP socket with a program's end, pump.c moves its
 * bytes; listen.c is listeners and what is known of sockets before they
 * connect; dgram.c is UDP; ctl.c answers requests, ctlopt.c those about
 * options, ctlname.c those about names; policy.c says who may do what;
 * couple.c is the other stack of a couple; divert.c is the door of the daemon
 * that takes connections over, with its rules, divertsock.c the connections
 * themselves.
 *
 * A record is one descriptor of ours or one socket of a program. Events name
 * records by handle (index and generation), never by pointer, so a record
 * may be freed while events about it are still on their way.
 */
#ifndef COUPLET_API_IMPL_H
#define COUPLET_API_IMPL_H

#include "api/api.h"
#include "client/proto.h"
#include "divert/divert.h"

#include <sys/un.h>

#define API_LISTEN_DIR "l"  /* of listeners' names, below RUN/ID */
#define API_HELLO_MS 5000   /* a client's time for its first record */
#define API_RETRY_MS 2      /* program's backlog full: try again */
#define API_ACCEPT_BATCH 64 /* accepts per event */
#define API_UID_MAX 65536   /* sockets per user other than root */
#define API_CTL_MAX 4096    /* control connections */
#define API_CTL_BATCH 64    /* requests per event and connection */
#define API_SNDBUF_BULK (1 << 20)
/* Smallest buffer of a stream: less waits for delayed acknowledgements, and
 * the queue to the program holds more anyway. */
#define API_STREAM_MIN 16384
/* Read by MSG_PEEK below this; one small buffer of the engine. */
#define API_PEEK_CAP 2048
#define API_LAG_MAX 64 /* delivered bytes left in the queue, see pump.c */
#define API_LAG_MSGS 32
#define API_BULK_MAX (256 * 1024)
#define API_IOV 16
#define API_SCRATCH (128 * 1024)
#define API_DGRAM_BATCH 64
#define API_FAIL_SETS 1024
#define API_FAIL_WAYS 4

enum api_kind {
	API_FREE,
	API_STREAM,  /* TCP socket, fd = our end of it */
	API_WAITING, /* TCP socket without an end here: bound or listening */
	API_DGRAM,   /* UDP socket, fd = our end */
	API_CTL,     /* control connection */
	API_TWIN,    /* fd = a UDP socket of ours at the other stack */
	API_ACC_STREAM,
	API_ACC_DGRAM,
	API_ACC_CTL, /* listening sockets */
	API_INOTIFY,
	API_ACC_DIVERT, /* listening socket */
	API_DIVERT,     /* the diverter's connection */
};

enum api_state {              /* of API_STREAM and API_DGRAM */
		 API_S_HELLO, /* first record has not come; no struct sock */
		 API_S_CONNECTING,
		 API_S_OPEN,
		 API_S_DYING, /* reset, but the plant has not come; no sock */
		 API_S_TWIN,  /* of API_WAITING: listens for the other stack */
		 API_S_HELD,  /* waits for the diverter */
};

enum {
	API_F_RDHUP = 1,     /* the program will write no more */
	API_F_HUP = 2,       /* the program has gone */
	API_F_FIN = 4,       /* engine was told of the end */
	API_F_WR_SHUT = 8,   /* our end was shut down for writing */
	API_F_DISCARD = 16,  /* the program does not read any more */
	API_F_BIG = 32,      /* send buffer was raised */
	API_F_BULK = 64,     /* last read was large */
	API_F_COUNTED = 128, /* counts against its user */
	API_F_TIMED = 256,   /* on a timed list */
	API_F_LISTEN = 512,
	API_F_HEADERS = 1024, /* UDP: datagrams carry addresses */
	API_F_MARK = 2048,    /* UDP: a mark is to be sent */
	API_F_BLOCKED = 4096, /* program's queue is full: wait for EPOLLOUT */
	API_F_FULL = 8192,    /* engine's send buffer is full */
	API_F_OUT = 16384,    /* EPOLLOUT is watched */
	API_F_TURN = 32768, /* UDP: connected, waits for the front end's mark */
};

enum divert_role {
	DIVERT_OUT,    /* a program's connection */
	DIVERT_IN,     /* a connection for a program's listener */
	DIVERT_SECURE, /* listener on the other port of a rule */
};

/* What a record has more when a rule covers it. */
struct divert_conn {
	struct list node; /* api_divert.conns or .secure */
	struct api_sock *c;
	uint64_t listener;        /* serial of the program's */
	uint32_t rule;            /* its id */
	uint16_t shown_port;      /* program's port; the wire has another */
	uint8_t role;             /* enum divert_role */
	bool opened;              /* OUT: the program was told */
	struct attls_info *attls; /* what the diverter said of it */
	struct ip_port to;        /* OUT, held: where the program wants to go */
};

struct api_sock {
	struct sock *sk;
	struct divert_conn *dv; /* NULL: nobody stands between */
	uint64_t cookie;        /* of the program's end, 0 = not known */
	struct list node;       /* api.hello, retry, soon */
	mono_t since;           /* when it was put there */
	uint32_t gen, index;
	uint32_t cookie_next; /* index + 1 */
	int fd;
	int wd;             /* inotify watch, -1 none */
	uint32_t skip;      /* bytes at the front that are not stream */
	uint32_t lag;       /* bytes at the front that were delivered */
	uint32_t listen_no; /* name of the listener's file, 0 none */
	uint32_t twin;      /* UDP in a couple: the other record's index + 1 */
	int path_fd;        /* O_PATH of a listener in a couple, -1 none */
	uid_t uid;
	pid_t pid;
	gid_t gid;
	uint16_t flags;
	uint8_t kind, state;
	uint8_t msgs; /* small reads since the queue was emptied */
	uint8_t v6;
};

_Static_assert(sizeof(struct api_sock) <= 128, "memory per connection");

struct api_fail {
	uint64_t cookie;
	int32_t error;
	uint32_t used; /* counter at insertion, to find the oldest */
};

struct api_uid {
	struct api_uid *next;
	uid_t uid;
	uint32_t n;
};

#define API_ATTLS_WAITS_MAX 4096 /* requests of programs under way */
#define API_ATTLS_WAIT_MS 10000  /* for the diverter's answer */
#define API_ATTLS_ENDS 64        /* failures remembered behind the end */

/* What is left to tell of a connection that has ended. */
struct api_attls_end {
	uint64_t cookie; /* of the program's socket, 0 = none */
	struct attls_info info;
};

#define API_DIVERT_QUEUE_MAX 65536 /* messages that wait for the diverter */
#define API_DIVERT_BATCH 256
#define API_HELD_MAX 4096 /* connections that wait for it */

struct api_rule {
	struct divert_rule r;
	char program[DIVERT_TEXT_MAX]; /* path, name, or "" = any */
};

struct api_rules {
	struct api_rule *at;
	uint32_t n, cap;
};

struct api_divert {
	struct api_sock *peer; /* the diverter, NULL: none */
	bool live;             /* its rules are in force */
	bool loading;          /* between BEGIN and COMMIT */
	struct api_rules set, next, added;
	struct list conns, secure; /* struct divert_conn */
	struct list held;          /* api_sock.node, oldest first */
	uint32_t n_held;
	struct divert_msg *queue; /* ring, while its socket is full */
	uint32_t q_head, q_n, q_cap;
	struct list waits; /* struct attls_wait, oldest first */
	uint32_t n_waits, last_token;
	struct api_attls_end ends[API_ATTLS_ENDS]; /* ring */
	uint32_t next_end;
};

#define API_CHUNK 256
#define API_CHUNKS_MAX 4096

struct api_couple {
	int link;          /* control connection to the other stack, -1 none */
	bool up;           /* it answered last time */
	bool told;         /* the operator has heard of it */
	uint64_t instance; /* its life, 0 none yet */
	mono_t next;       /* look at it then */
	char by[4];        /* ID of a stack that is coupled with us */
	mono_t by_at;      /* when it last said so */
	uint32_t n_twins;  /* records without a watch of their own */
};

struct api {
	struct stack *s;
	const struct stackd_deck *deck;
	struct api_ops ops;
	struct api_counters counters;

	/* records */
	struct api_sock *chunks[API_CHUNKS_MAX];
	uint32_t n_chunks, free_head; /* index + 1, chained by cookie_next */
	uint32_t *cookies;            /* heads, index + 1 */
	uint32_t cookies_mask, n_cookies;
	uint32_t *wds; /* inotify watch -> index + 1, open addressing */
	uint32_t wds_mask, n_wds;

	struct list hello, retry; /* oldest first */
	struct list soon;         /* more work than one event's share */
	struct api_sock *door[4]; /* stream, dgram, control, divert */
	mono_t timer_at;

	int dir_fd, lock_fd, listen_dir_fd, inotify_fd;
	char dir[108];
	uint32_t listen_next;
	uint32_t n_ctl;

	struct api_couple couple;
	uint64_t instance; /* a number of this life */
	struct api_fail fails[API_FAIL_SETS][API_FAIL_WAYS];
	uint32_t fail_clock;
	struct api_uid *uids[64];

	struct api_divert dv;

	uint8_t scratch[API_SCRATCH];
};

/* ---- slots.c */
/* NULL: no memory. Kind API_FREE, fd and wd -1. */
struct api_sock *slots_new(struct api *a);
/* Closes fd and watch, forgets cookie, list and count. `sk` is not touched. */
void slots_free(struct api *a, struct api_sock *c);
void slots_fini(struct api *a);
void *slots_ref(const struct api_sock *c);
struct api_sock *slots_of_ref(struct api *a, void *ref);
uint64_t slots_serial(const struct api_sock *c);
struct api_sock *slots_of_serial(struct api *a, uint64_t serial);
struct api_sock *slots_at(struct api *a, uint32_t index);
void slots_set_cookie(struct api *a, struct api_sock *c, uint64_t cookie);
struct api_sock *slots_find(struct api *a, uint64_t cookie);
int slots_set_wd(struct api *a, struct api_sock *c, int wd) MUST_USE;
struct api_sock *slots_of_wd(struct api *a, int wd);
void slots_clear_wd(struct api *a, struct api_sock *c);

/* ---- api.c */
void api_timed(struct api *a, struct list *l, struct api_sock *c, mono_t now);
void api_untimed(struct api_sock *c);
void api_arm(struct api *a);
int api_watch(struct api *a, struct api_sock *c) MUST_USE;
/* The program's queue is full: tell when it is not. */
void api_watch_out(struct api *a, struct api_sock *c);

/* ---- policy.c */
/* Fills uid, pid, gid from the peer of `fd` and counts the socket; for_pid:
 * see policy_speaks_for(). 0, -EACCES (deck), -EMFILE (too many for this
 * user). */
int policy_admit(struct api *a, struct api_sock *c, int fd,
		 uint32_t for_pid) MUST_USE;
void policy_leave(struct api *a, struct api_sock *c);
/* Another stackd, or root. */
bool policy_is_stack(uid_t uid);
/* May `speaker`, a control connection or a copy of one that speaks for a
 * program, have a socket? 0 or -EACCES. */
int policy_may_use(const struct api *a,
		   const struct api_sock *speaker) MUST_USE;
/* May whoever asks through `ctl` have the port? 0 or -EACCES. */
int policy_may_bind(const struct api *a, const struct api_sock *ctl,
		    uint32_t for_pid, uint16_t port) MUST_USE;
/* Whose process it is: the peer's own word about `pid` (0 none) is taken when
 * the peer is root, or when the process is the same user's. */
void policy_speaks_for(struct api_sock *c, uint32_t pid);
struct sock_owner policy_owner(const struct api_sock *c);

/* ---- passed.c: records with a descriptor attached */
struct passed {
	int fd;      /* -1 none; the reader closes it */
	bool broken; /* more than one, or lost */
};
/* recvmsg with one descriptor at most; length or negative errno. */
ssize_t passed_recv(int fd, void *buf, size_t len, int flags,
		    struct passed *ret);
/* sendmsg without waiting, with `with` attached unless it is -1. */
ssize_t passed_send(int fd, const struct iovec *iov, int n, int with);
uint64_t passed_cookie(int fd);
/* An AF_UNIX socket of this type? */
bool passed_is(int fd, int type);

/* ---- stream.c */
void stream_accept(struct api *a, struct api_sock *acc, mono_t now);
void stream_event(struct api *a, struct api_sock *c, uint32_t ev, mono_t now);
void stream_ready(struct api *a, struct api_sock *c, unsigned ev, mono_t now);
/* Reads first records that have come but whose events have not. */
void stream_hello_all(struct api *a, mono_t now);
void stream_hello_expired(struct api *a, struct api_sock *c);
/* Ends with a reset; `error` is what the program may ask for. */
void stream_abort(struct api *a, struct api_sock *c, int error, mono_t now);
/* The program has gone or is done. */
void stream_close(struct api *a, struct api_sock *c, mono_t now);
void stream_fail_note(struct api *a, uint64_t cookie, int error);
int stream_fail_take(struct api *a, uint64_t cookie);
void opts_apply(struct api *a, struct sock *sk, const struct proto_opts *o,
		mono_t now);

/* ---- pump.c */
enum pump_end {
	PUMP_OK,
	PUMP_END,   /* all that the program wrote was taken, no more comes */
	PUMP_RESET, /* the program's end is broken */
};
/* Program to engine. PUMP_END of a program that has gone (API_F_HUP): our
 * end's queue is empty, the plant included. */
enum pump_end pump_pull(struct api *a, struct api_sock *c, mono_t now);
/* Engine to program; true when nothing is left in the engine. */
bool pump_push(struct api *a, struct api_sock *c, mono_t now);
/* Takes all that is left in our end's queue; the plant too. */
void pump_drain(struct api *a, struct api_sock *c);

/* ---- listen.c */
/* Record of a TCP socket that has no end here, by the program's descriptor;
 * 0, -ENOMEM, -ENFILE, -EMFILE, -EACCES ... */
int listen_adopt(struct api *a, int fd, const struct sock_owner *owner,
		 uint64_t cookie, bool v6, const struct proto_opts *opts,
		 struct api_sock **ret, mono_t now) MUST_USE;
int listen_start(struct api *a, struct api_sock *c, int fd, int backlog,
		 mono_t now) MUST_USE;
void listen_stop(struct api *a, struct api_sock *c, mono_t now);
void listen_ready(struct api *a, struct api_sock *c, unsigned ev, mono_t now);
void listen_retry(struct api *a, struct api_sock *c, mono_t now);
void listen_inotify(struct api *a, mono_t now);
int listen_init(struct api *a) MUST_USE;
void listen_forget_file(struct api *a, struct api_sock *c);

/* ---- dgram.c */
void dgram_accept(struct api *a, struct api_sock *acc, mono_t now);
void dgram_event(struct api *a, struct api_sock *c, uint32_t ev, mono_t now);
void dgram_ready(struct api *a, struct api_sock *c, unsigned ev, mono_t now);
int dgram_connect(struct api *a, struct api_sock *c, const struct ip_port *to,
		  mono_t now) MUST_USE;
void dgram_retry(struct api *a, struct api_sock *c, mono_t now);
void dgram_hello(struct api *a, struct api_sock *c, mono_t now);

/* Our end of a new AF_UNIX connection to the listener `l`, named after
 * `serial` and both addresses. 0; -EAGAIN: its backlog is full. */
int listen_connect(struct api *a, const struct api_sock *l, uint64_t serial,
		   const struct ip_port *local, const struct ip_port *remote,
		   int *ret) MUST_USE;

/* ---- divert.c */
void divert_init(struct api *a);
void divert_fini(struct api *a);
void divert_accept(struct api *a, struct api_sock *acc, mono_t now);
void divert_event(struct api *a, struct api_sock *c, uint32_t ev, mono_t now);
/* What the diverter said is heard now: before a question that its words
 * answer. */
void divert_drain(struct api *a, mono_t now);
/* More of the queue to the diverter. */
void divert_flush(struct api *a, mono_t now);
/* A message without descriptors; waits in the queue if need be. */
void divert_tell(struct api *a, struct divert_msg *m, mono_t now);
/* The same with `n` descriptors, borrowed; only while no older words wait. 0;
 * -EAGAIN; -ENOTCONN: nobody is there. */
int divert_tell_with(struct api *a, struct divert_msg *m, const int *fds,
		     int n) MUST_USE;
/* The rule that covers a program's port; NULL: none, or it says "pass".
 * `index` is 0 at first and goes on behind the rule found: several may cover
 * one listener. */
const struct api_rule *divert_find(struct api *a, bool inbound, uint16_t port,
				   const struct ip_addr *local,
				   const struct ip_addr *remote,
				   const struct sock_owner *owner,
				   uint32_t *index);
/* A rule of DIVERT_R_ONCE was used. */
void divert_used(struct api *a, uint32_t id);
/* How long connections wait for a diverter. */
dur_t divert_wait(const struct api *a);

/* ---- divertsock.c */
/* A program connects to `to`: 0 = nobody is in between, 1 = the rest is done
 * by others, or negative errno for the program. */
int divert_out(struct api *a, struct api_sock *c, const struct ip_port *to,
	       mono_t now) MUST_USE;
/* A connection arrived at `l`: 0 = for the program, 1 = taken, -EAGAIN. */
int divert_arrived(struct api *a, struct api_sock *l, struct sock *sk,
		   mono_t now) MUST_USE;
/* The connection stands; or was ended by the engine. */
void divert_connected(struct api *a, struct api_sock *c, mono_t now);
void divert_gone(struct api *a, struct api_sock *c, int error, mono_t now);
/* Listeners of programs come and go. */
void divert_listen(struct api *a, struct api_sock *l, mono_t now);
void divert_unlisten(struct api *a, struct api_sock *l, mono_t now);
/* A new set of rules is in force: listeners are looked at again and held
 * connections go on. */
void divert_refresh(struct api *a, mono_t now);
/* The diverter has gone: its connections are reset. */
void divert_orphan(struct api *a, mono_t now);
void divert_introduce(struct api *a, struct divert_msg *m, mono_t now);
void divert_opened(struct api *a, const struct divert_msg *m);
void divert_about(struct api *a, const struct divert_msg *m);
/* What there is to say about a socket. 0; -EOPNOTSUPP: nobody diverts. */
int divert_attls(const struct api *a, const struct api_sock *c,
		 struct attls_info *ret) MUST_USE;
void divert_failed(struct api *a, const struct divert_msg *m);
void divert_reset(struct api *a, const struct divert_msg *m, mono_t now);
/* A held connection has its turn; `expired`: its time is over. */
void divert_again(struct api *a, struct api_sock *c, bool expired, mono_t now);
void divert_forget(struct api *a, struct api_sock *c); /* frees c->dv */

/* ---- attls.c: what programs want of the diverter (client/attls.h) */
/* PROTO_ATTLS about `c`, whose program's end is `fd`. 0 with the answer in
 * data and *ret_len; 1: it comes later by ctl_answer(); negative errno. */
int attls_ask(struct api *a, const struct api_sock *ctl, struct api_sock *c,
	      int fd, const struct proto_req *rq, void *data, uint32_t *ret_len,
	      mono_t now) MUST_USE;
/* The same about a socket whose connection is no more. */
int attls_ask_ended(const struct api *a, uint64_t cookie,
		    const struct proto_req *rq, void *data,
		    uint32_t *ret_len) MUST_USE;
/* The diverter's word: an answer, with a descriptor or -1 (borrowed). */
void attls_answer(struct api *a, const struct divert_msg *m, int fd);
/* c->dv->attls has changed; c is about to be forgotten. */
void attls_changed(struct api *a, const struct api_sock *c);
void attls_gone(struct api *a, const struct api_sock *c);
/* Requests that the diverter did not answer. */
mono_t attls_deadline(const struct api *a);
void attls_expire(struct api *a, mono_t now);
void attls_fini(struct api *a);

/* ---- ctl.c */
/* The answer to a request of before: on the control connection of serial
 * `ctl`, if that is still there. */
void ctl_answer(struct api *a, uint64_t ctl, int error, const void *data,
		uint32_t len);
void ctl_accept(struct api *a, struct api_sock *acc, mono_t now);
void ctl_event(struct api *a, struct api_sock *c, uint32_t ev, mono_t now);

/* ---- couple.c */
#define API_COUPLE_MS 1000     /* between looks at the other stack */
#define API_COUPLE_WAIT_MS 500 /* for its answer */
int couple_init(struct api *a) MUST_USE;
void couple_fini(struct api *a);
void couple_tick(struct api *a, mono_t now);
/* When couple_tick() is due; MONO_NEVER without a couple. */
mono_t couple_deadline(const struct api *a);
/* A request of another stack: true, with the answer in *rep and perhaps a
 * descriptor (borrowed) in *ret_fd. */
bool couple_request(struct api *a, const struct api_sock *ctl,
		    const struct proto_req *rq, int fd, struct proto_rep *rep,
		    uint8_t *data, int *ret_fd, mono_t now);
/* A listener is about to listen, has ended. -EADDRINUSE: the port is taken
 * there. */
int couple_listen(struct api *a, struct api_sock *c, int backlog) MUST_USE;
void couple_unlisten(struct api *a, const struct api_sock *c);
/* The address to hand a connection to, of a record with path_fd. */
socklen_t couple_path(const struct api_sock *c, struct sockaddr_un *ret);
/* Does the program behind path_fd still have its socket? */
bool couple_alive(const struct api_sock *c);
/* UDP: binds both; sends to an IPv4 address; ends. */
int couple_dgram_bind(struct api *a, struct api_sock *c,
		      uint16_t port) MUST_USE;
int couple_dgram_send(struct api *a, struct api_sock *c, const uint8_t *b,
		      size_t n) MUST_USE;
void couple_dgram_drop(struct api *a, struct api_sock *c);
void couple_dgram_event(struct api *a, struct api_sock *tw, uint32_t ev);
/* Is this a socket that serves both families, in a couple? */
bool couple_is_dual(const struct api *a, const struct api_sock *c);

/* ---- ctlopt.c */
int ctlopt_set(struct api *a, struct api_sock *c, int32_t name, int64_t v,
	       mono_t now) MUST_USE;
int ctlopt_get(struct api *a, struct api_sock *c, int32_t name,
	       int64_t *ret) MUST_USE;
int ctlopt_set_cc(struct api *a, struct api_sock *c, const char *name,
		  mono_t now) MUST_USE;

/* ---- ctlname.c */
/* Each writes its data behind *rep and sets data_len. */
void ctlname_host(struct api *a, const struct proto_req *rq,
		  struct proto_rep *rep, uint8_t *data, size_t cap);
void ctlname_hosts(struct api *a, const struct proto_req *rq,
		   struct proto_rep *rep, uint8_t *data, size_t cap);
void ctlname_hostrev(struct api *a, const struct proto_req *rq,
		     struct proto_rep *rep, uint8_t *data, size_t cap);
void ctlname_config(struct api *a, struct proto_rep *rep, uint8_t *data,
		    size_t cap);
void ctlname_ifs(struct api *a, struct proto_rep *rep, uint8_t *data,
		 size_t cap);
void ctlname_routesrc(struct api *a, const struct proto_req *rq,
		      struct proto_rep *rep);
int ctlname_dev(struct api *a, const char *name, uint32_t *ret) MUST_USE;

#endif
