/*
 * display_sockets.c: QUERY SOCKETS. Sockets can be many and change while an
 * answer is read, so a picture of them is taken at once (a copy of the facts,
 * no formatting) and printed in slices, while the stack goes on working.
 */
#include "display.h"

#include <errno.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
	struct sock_info s; /* its pointers are stale after the picture */
	bool has_info;
	enum tcp_cc_kind cc;
	struct tcp_info info;
};

struct sockets_display {
	struct table *table;
	struct row *rows;
	size_t n, cap, next;
	bool begun;
};

static const struct table_col cols[] = {
	{"id", "ID", TABLE_RIGHT, 4},
	{"protocol", "PROTO", TABLE_LEFT, 0},
	{"state", "STATE", TABLE_LEFT, 10},
	{"recv_queue", "RECV-Q", TABLE_RIGHT, 0},
	{"send_queue", "SEND-Q", TABLE_RIGHT, 0},
	{"local", "LOCAL", TABLE_LEFT, 21},
	{"remote", "PEER", TABLE_LEFT, 21},
	{"rtt_us", "RTT", TABLE_RIGHT, 8},
	{"rto_us", "RTO", TABLE_RIGHT, 5},
	{"cwnd", "CWND", TABLE_RIGHT, 4},
	{"retrans", "RETRANS", TABLE_RIGHT, 0},
	{"mss", "MSS", TABLE_RIGHT, 5},
	{"congestion", "CC", TABLE_LEFT, 5},
	{"pid", "PID", TABLE_RIGHT, 6},
	{"uid", "UID", TABLE_RIGHT, 4},
	/* JSON only */
	{"orphan", NULL, TABLE_LEFT, 0},
	{"rttvar_us", NULL, TABLE_RIGHT, 0},
	{"ssthresh", NULL, TABLE_RIGHT, 0},
	{"snd_wnd", NULL, TABLE_RIGHT, 0},
	{"rcv_space", NULL, TABLE_RIGHT, 0},
	{"bytes_acked", NULL, TABLE_RIGHT, 0},
	{"bytes_received", NULL, TABLE_RIGHT, 0},
	{"segs_out", NULL, TABLE_RIGHT, 0},
	{"segs_in", NULL, TABLE_RIGHT, 0},
	{"lost", NULL, TABLE_RIGHT, 0},
	{"sacked", NULL, TABLE_RIGHT, 0},
};

/* ---- the picture
 * ------------------------------------------------------------------ */

static bool match_addr(const struct ip_prefix *p, const struct ip_addr *a)
{
	struct ip_addr plain;
	struct ip_prefix net = ip_prefix_make(&p->addr, p->len);

	if (a->family == IP_V6 && p->addr.family == IP_V4 &&
	    ip_is_v4_mapped(a)) {
		plain = ip_mapped_to_v4(a);
		a = &plain;
	}
	return a->family == p->addr.family && ip_prefix_has(&net, a);
}

static bool match(const struct sockets_filter *f, const struct sock_info *s)
{
	if ((f->tcp || f->udp) && !(s->type == SOCK_TCP ? f->tcp : f->udp))
		return false;
	if (f->family != IP_NONE && s->family != f->family)
		return false;
	if (f->state[0] && strcmp(f->state, s->state) != 0)
		return false;
	if (f->port && s->local.port != f->port && s->remote.port != f->port)
		return false;
	if (f->addr.addr.family != IP_NONE &&
	    !match_addr(&f->addr, &s->local.addr) &&
	    !match_addr(&f->addr, &s->remote.addr))
		return false;
	if (f->pid && (s->owner.pid != f->pid || !s->sk))
		return false;
	if (f->uid_given && (s->owner.uid != f->uid || !s->sk))
		return false;
	return !f->id || s->id == f->id;
}

static struct row *add_row(struct sockets_display *sd)
{
	if (sd->n == sd->cap) {
		size_t cap = sd->cap ? sd->cap * 2 : 64;
		struct row *rows = realloc(sd->rows, cap * sizeof *rows);

		if (!rows)
			return NULL;
		sd->rows = rows;
		sd->cap = cap;
	}
	return &sd->rows[sd->n++];
}

struct sockets_display *sockets_display_new(const struct display *d,
					    const struct sockets_filter *f)
{
	struct sockets_display *sd = calloc(1, sizeof *sd);
	struct sock_info s;
	uint64_t it = 0;

	if (!sd)
		return NULL;
	sd->table = table_new(cols, ARRAY_SIZE(cols), d->json);
	if (!sd->table)
		goto fail;
	while (stack_iter_sock(d->stack, &it, &s)) {
		struct row *row;

		if (!match(f, &s))
			continue;
		row = add_row(sd);
		if (!row)
			goto fail;
		*row = (struct row){.s = s, .has_info = s.conn != NULL};
		if (s.conn) {
			tcp_conn_info(s.conn, &row->info, d->now);
			row->cc = (enum tcp_cc_kind)tcp_conn_get_opt(
				s.conn, TCP_OPT_CC);
		}
		/* a TIME-WAIT record has no socket any more */
		row->s.orphan = s.orphan || !s.sk;
	}
	return sd;
fail:
	sockets_display_free(sd);
	return NULL;
}

void sockets_display_free(struct sockets_display *sd)
{
	if (!sd)
		return;
	table_free(sd->table);
	free(sd->rows);
	free(sd);
}

/* ---- printing
 * ---------------------------------------------------------------------- */

static void put_address(struct table *t, const struct ip_port *p)
{
	char text[PORT_TEXT_MAX];

	if (ip_is_any(&p->addr) && !p->port)
		table_str(t, p->addr.family == IP_V6 ? "[::]:*" : "*:*");
	else if (ip_is_any(&p->addr))
		table_fmt(t, "%s:%u", p->addr.family == IP_V6 ? "[::]" : "*",
			  p->port);
	else
		table_str(t, ip_port_format(p, text));
}

static void put_nothing(struct table *t, int n)
{
	while (n--)
		table_none(t);
}

static void put_connection(struct table *t, const struct row *row)
{
	const struct tcp_info *i = &row->info;

	if (i->tcpi_rtt)
		table_num(t, i->tcpi_rtt, "%u.%03ums", i->tcpi_rtt / 1000,
			  i->tcpi_rtt % 1000);
	else
		table_none(t);
	table_num(t, i->tcpi_rto, "%ums", i->tcpi_rto / 1000);
	table_u64(t, i->tcpi_snd_cwnd);
	table_num(t, i->tcpi_total_retrans, "%u/%u", i->tcpi_retransmits,
		  i->tcpi_total_retrans);
	table_u64(t, i->tcpi_snd_mss);
	table_str(t, tcp_cc_name(row->cc));
}

static void put_details(struct table *t, const struct tcp_info *i)
{
	table_u64(t, i->tcpi_rttvar);
	table_u64(t, i->tcpi_snd_ssthresh);
	table_u64(t, i->tcpi_snd_wnd);
	table_u64(t, i->tcpi_rcv_space);
	table_u64(t, i->tcpi_bytes_acked);
	table_u64(t, i->tcpi_bytes_received);
	table_u64(t, i->tcpi_segs_out);
	table_u64(t, i->tcpi_segs_in);
	table_u64(t, i->tcpi_lost);
	table_u64(t, i->tcpi_sacked);
}

static void put_row(struct table *t, const struct row *row)
{
	const struct sock_info *s = &row->s;

	if (s->sk)
		table_u64(t, s->id);
	else
		table_none(t);
	table_str(t, s->type == SOCK_TCP ? "tcp" : "udp");
	table_str(t, s->state);
	table_u64(t, s->recv_queue);
	table_u64(t, s->send_queue);
	put_address(t, &s->local);
	put_address(t, &s->remote);
	if (row->has_info)
		put_connection(t, row);
	else
		put_nothing(t, 6);
	if (s->orphan) {
		put_nothing(t, 2);
	} else {
		table_u64(t, (uint64_t)s->owner.pid);
		table_u64(t, s->owner.uid);
	}
	table_bool(t, s->orphan);
	if (row->has_info)
		put_details(t, &row->info);
	else
		put_nothing(t, 10);
}

bool sockets_display_more(struct sockets_display *sd, uint32_t max,
			  table_write_fn *fn, void *arg, int *ret_error)
{
	bool first = !sd->begun, more;

	for (uint32_t i = 0; i < max && sd->next < sd->n; i++)
		put_row(sd->table, &sd->rows[sd->next++]);
	sd->begun = true;
	more = sd->next < sd->n;
	*ret_error = table_print(sd->table, first, !more, fn, arg);
	return more;
}
