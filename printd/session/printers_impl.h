/* printers_impl.h: between printers.c (clients) and printer.c (jobs). */
#ifndef COUPLET_PRINTD_SESSION_PRINTERS_IMPL_H
#define COUPLET_PRINTD_SESSION_PRINTERS_IMPL_H

#include "base/list.h"
#include "session/printers.h"
#include "session/wire.h"
#include "tn3270/server.h"

struct printer;

struct client {
	struct list node;
	struct printers *pool;
	struct wire *wire;
	struct ev_timer *timer;
	struct tn3270_server tn;
	struct tls_policy *policy; /* until TLS begins, or NULL */
	struct printer *printer;   /* whose LU it was promised, or NULL */
	struct client *holder;     /* probed for us, who want its LU */
	struct client *waiter;     /* the other way round */
	struct ip_port peer;
	bool *gone; /* set when freed inside a callback */
};

struct printers {
	struct printers_config cfg;
	struct printers_owner owner;
	struct tn3270_server_conf conf[TN3270_TLS_REQUIRE + 1];
	struct list clients;
	struct listeners *listeners;
	struct printers_place places[PRINTERS_PLACES_MAX];
	uint32_t n_places;
	uint32_t n_clients;
	/* one record on its way to the wire */
	uint8_t record[TN3270_WIRE_MAX(SPOOL_FRAME_MAX)];
};

/* Sends what the machine has to say and sets its timer. */
void client_flush(struct client *c);
/* Sends one record: bytes sent, 0 = the protocol has none; negative errno. */
ssize_t client_record(struct client *c, enum tn3270e_type type,
		      enum tn3270e_respond respond, const void *data,
		      size_t len) MUST_USE;
/* What it is, for people: "IBM-3287-1, TLS 1.3 ..." into `buf`; returned. */
const char *client_text(struct client *c, char *buf, size_t len);
/* Closes and frees it; its printer is not told. */
void client_free(struct client *c);

/* ---- printer.c --------------------------------------------------------------
 */

/* The printer of a PRINTER session. */
struct printer *printer_of(struct session *s);
/* Its LU's name. */
const char *printer_lu(const struct printer *p);
/* Does a client have it? */
bool printer_taken(const struct printer *p);
/* Who that is, or NULL. */
struct client *printer_client(const struct printer *p);
/* Its times, in place of the pool's. */
const struct tn3270_server_conf *printer_conf(const struct printer *p);
/* What a client may use on it: a set of functions. */
unsigned printer_functions(const struct printer *p);
/* It is promised to `c`; negotiation goes on. */
void printer_take(struct printer *p, struct client *c);
/* Negotiation is over: jobs can go. */
void printer_ready(struct printer *p);
/* The client is gone, `why`. */
void printer_left(struct printer *p, const char *why);
/* What the machine told. */
void printer_response(struct printer *p, enum tn3270e_answer a);
void printer_cleared(struct printer *p);
void printer_late(struct printer *p);
/* There is room on the wire. */
void printer_room(struct printer *p);

#endif
