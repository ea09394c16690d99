/*
 * fuzz_tn3270e.c: server and client of TN3270E through their doors. The
 * input is a list of operations: bytes of the peer, decisions, records,
 * time. Byte 0 is the configuration. Checked: the law (once output is dry,
 * the deadline lies in the future), limits, slices that belong together, and
 * that an ended machine stays ended.
 */
#include "tn3270/client.h"
#include "tn3270/server.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok)
{
	if (!ok)
		abort();
}

struct world {
	struct tn3270_server_conf sconf;
	struct tn3270_client_conf cconf;
	struct tn3270_server s;
	struct tn3270_client c;
	mono_t now;
	bool open_s, open_c; /* a record's slices have begun */
	bool end_s, end_c;
	uint32_t sum;
};

static void look(struct world *w, const struct tn3270_event *ev, bool *open,
		 bool *end)
{
	check(!*end || ev->kind == TN3270_EV_NONE);
	*end = *end || ev->kind == TN3270_EV_CLOSE;
	for (size_t i = 0; i < ev->len; i++)
		w->sum += ev->data[i];
	if (ev->kind != TN3270_EV_DATA)
		return;
	check(ev->first == !*open);
	*open = !ev->last;
}

static void on_server(struct world *w, const struct tn3270_event *ev,
		      uint8_t how)
{
	look(w, ev, &w->open_s, &w->end_s);
	if (ev->kind == TN3270_EV_DEVICE) {
		int r = how & 1 ? tn3270_server_reject(&w->s, how & 7)
				: tn3270_server_accept(&w->s, "LU1", how, 0);

		check(r == 0);
	} else if (ev->kind == TN3270_EV_START_TLS) {
		w->open_s = false;
		tn3270_server_secured(&w->s, w->now);
	}
}

static void to_server(struct world *w, const uint8_t *p, size_t len,
		      uint8_t how)
{
	struct tn3270_event ev;
	size_t done = 0, n;

	do {
		n = tn3270_server_input(&w->s, p + done, len - done, &ev,
					w->now);
		check(n <= len - done);
		done += n;
		on_server(w, &ev, how);
	} while (ev.kind != TN3270_EV_NONE);
	check(done == len);
}

static void to_client(struct world *w, const uint8_t *p, size_t len,
		      uint8_t how)
{
	struct tn3270_event ev;
	size_t done = 0, n;

	do {
		n = tn3270_client_input(&w->c, p + done, len - done, &ev,
					w->now);
		check(n <= len - done);
		done += n;
		look(w, &ev, &w->open_c, &w->end_c);
		if (ev.kind == TN3270_EV_START_TLS) {
			w->open_c = false;
			tn3270_client_secured(&w->c, w->now);
		}
		tn3270_client_respond(
			&w->c, (enum tn3270e_answer)(how % TN3270E_ANSWERS));
	} while (ev.kind != TN3270_EV_NONE);
	check(done == len);
}

/* What each has to say goes to the other. */
static void exchange(struct world *w, uint8_t how)
{
	uint8_t buf[TELNET_OUT_MAX];

	for (int i = 0; i < 4; i++) {
		size_t n = tn3270_server_output(&w->s, buf, sizeof(buf));

		to_client(w, buf, n, how);
		n = tn3270_client_output(&w->c, buf, sizeof(buf));
		to_server(w, buf, n, how);
	}
	while (tn3270_server_output(&w->s, buf, sizeof(buf)))
		;
	while (tn3270_client_output(&w->c, buf, sizeof(buf)))
		;
	check(w->end_s || w->s.state == TN3270_SERVER_ENDED ||
	      mono_lt(w->now, tn3270_server_deadline(&w->s)));
	check(w->end_c || w->c.state == TN3270_CLIENT_ENDED ||
	      mono_lt(w->now, tn3270_client_deadline(&w->c)));
}

static void time_passes(struct world *w, uint8_t how)
{
	struct tn3270_event ev;
	mono_t at = mono_min(tn3270_server_deadline(&w->s),
			     tn3270_client_deadline(&w->c));

	w->now = mono_add(w->now, DUR_MS(how));
	if (how & 1 && !mono_is_never(at))
		w->now = mono_max(w->now, at);
	do {
		tn3270_server_expire(&w->s, w->now, &ev);
		look(w, &ev, &w->open_s, &w->end_s);
	} while (ev.kind != TN3270_EV_NONE);
	do {
		tn3270_client_expire(&w->c, w->now, &ev);
		look(w, &ev, &w->open_c, &w->end_c);
	} while (ev.kind != TN3270_EV_NONE);
}

static void record(struct world *w, const uint8_t *p, size_t len, uint8_t how)
{
	uint8_t wire[TN3270_WIRE_MAX(256)];
	ssize_t n =
		tn3270_server_write(&w->s, (enum tn3270e_type)(how % 9),
				    (enum tn3270e_respond)(how / 9 % 3), p,
				    MIN(len, 256u), wire, sizeof(wire), w->now);

	check(n <= (ssize_t)sizeof(wire));
	if (n > 0 && !w->open_c)
		to_client(w, wire, (size_t)n, how);
}

static void configure(struct world *w, uint8_t b)
{
	tn3270_server_conf_init(&w->sconf);
	tn3270_client_conf_init(&w->cconf);
	w->sconf.tls = (enum tn3270_tls)(b & 1);
	w->cconf.tls = (enum tn3270_tls)(b & 1);
	w->sconf.no_tn3270e = b & 2;
	w->sconf.displays = b & 4;
	w->sconf.record_max = w->cconf.record_max = 100;
	w->cconf.how = b & 8 ? TN3270E_BY_NAME : TN3270E_GENERIC;
	w->cconf.names = 2;
	memcpy(w->cconf.name[0], "P1", 3);
	memcpy(w->cconf.name[1], "P2", 3);
	if (b & 16)
		memcpy(w->cconf.type, "IBM-3278-2", 11);
	w->sconf.times.keepalive = DUR_MS(b & 32 ? 100 : 0);
	w->sconf.times.keepalive_reply = DUR_MS(b & 64 ? 50 : 0);
	w->sconf.times.response = DUR_MS(b & 128 ? 70 : 0);
	w->cconf.times = w->sconf.times;
	w->sconf.times.negotiate = w->cconf.times.negotiate = DUR_MS(2000);
	w->now = (mono_t){1000};
	tn3270_server_init(&w->s, &w->sconf, w->now);
	tn3270_client_init(&w->c, &w->cconf, w->now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct world w;

	if (len < 1)
		return 0;
	memset(&w, 0, sizeof(w));
	configure(&w, data[0]);
	for (size_t at = 1; at + 1 < len;) {
		uint8_t op = data[at], how = data[at + 1];
		size_t n = MIN(len - at - 2, (size_t)(op >> 3));

		at += 2;
		switch (op & 7) {
		case 0:
		case 1:
			to_server(&w, data + at, n, how);
			break;
		case 2:
		case 3:
			to_client(&w, data + at, n, how);
			break;
		case 4:
			record(&w, data + at, n, how);
			break;
		case 5:
			time_passes(&w, how);
			n = 0;
			break;
		default:
			exchange(&w, how);
			n = 0;
		}
		at += n;
	}
	return 0;
}
