/*
 * Every state x every kind of segment (RFC 9293 3.10.7, with RFC 5961 and
 * RFC 7323), against the table below.
 */
#include "peer.h"

#include <errno.h>

enum kind {
	SYN_IN_WINDOW,
	SYN_ACK_IN_WINDOW,
	ACK_ALL,     /* acceptable: everything we sent */
	ACK_OLD,     /* snd_una - 1 */
	ACK_TOO_OLD, /* below snd_una - max_snd_wnd */
	ACK_FUTURE,  /* not sent yet */
	RST_EXACT,
	RST_IN_WINDOW,
	RST_OUTSIDE,
	FIN_NEXT,    /* acknowledges nothing new */
	FIN_AND_ACK, /* acknowledges everything, our FIN too */
	FIN_AGAIN,   /* the number below rcv_nxt */
	DATA_NEXT,
	DATA_LATER, /* in the window, behind a gap */
	DATA_OLD,
	DATA_PARTLY_OLD,
	DATA_BEYOND,
	NO_ACK_BIT,
	PAWS_OLD,
	KINDS
};

static const char *const kind_name[KINDS] = {
	"SYN",
	"SYN|ACK",
	"ACK all",
	"ACK old",
	"ACK too old",
	"ACK future",
	"RST exact",
	"RST in window",
	"RST outside",
	"FIN",
	"FIN and ACK all",
	"FIN again",
	"data",
	"data later",
	"data old",
	"data partly old",
	"data beyond window",
	"no ACK bit",
	"PAWS old",
};

/* States in short. */
enum {
	CL = TCP_S_CLOSED,
	SS = TCP_S_SYN_SENT,
	SR = TCP_S_SYN_RECEIVED,
	ES = TCP_S_ESTABLISHED,
	F1 = TCP_S_FIN_WAIT_1,
	F2 = TCP_S_FIN_WAIT_2,
	CW = TCP_S_CLOSE_WAIT,
	CI = TCP_S_CLOSING,
	LA = TCP_S_LAST_ACK,
	TW = TCP_S_TIME_WAIT,
};

/* Next state and answer: '-' none, 'A' ACK, 'R' RST, 'S' SYN-ACK; the error
 * that the program sees. */
struct expect {
	uint8_t next;
	char answer;
	int16_t error;
};

#define E(n, a) \
	{ \
		n, a, 0 \
	}
#define X(n, a, e) \
	{ \
		n, a, e \
	}
#define COLUMNS 10

/* Columns: CLOSED, SYN-SENT, SYN-RECEIVED, ESTABLISHED, FIN-WAIT-1,
 * FIN-WAIT-2, CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT. In every state but
 * FIN-WAIT-2 and TIME-WAIT our FIN, if sent, is not acknowledged yet. */
static const struct expect table[KINDS][COLUMNS] = {
	/* [RFC9293 3.10.7.3 fourth: simultaneous open] [RFC5961 4.2] */
	[SYN_IN_WINDOW] = {E(CL, 'R'), E(SR, 'S'), E(SR, 'A'), E(ES, 'A'),
			   E(F1, 'A'), E(F2, 'A'), E(CW, 'A'), E(CI, 'A'),
			   E(LA, 'A'), E(TW, 'A')},
	/* [RFC9293 3.10.7.3 fourth] [RFC5961 4.2] */
	[SYN_ACK_IN_WINDOW] = {E(CL, 'R'), E(ES, 'A'), E(SR, 'A'), E(ES, 'A'),
			       E(F1, 'A'), E(F2, 'A'), E(CW, 'A'), E(CI, 'A'),
			       E(LA, 'A'), E(TW, 'A')},
	/* [RFC9293 3.10.7.4 fifth]; SYN-SENT: 3.10.7.3 fifth */
	[ACK_ALL] = {E(CL, 'R'), E(SS, '-'), E(ES, '-'), E(ES, '-'), E(F2, '-'),
		     E(F2, '-'), E(CW, '-'), E(TW, '-'), E(CL, '-'),
		     E(TW, '-')},
	/* [RFC9293 3.10.7.4 fifth] a duplicate is ignored; in the SYN states
	 * it is answered with RST */
	[ACK_OLD] = {E(CL, 'R'), E(SS, 'R'), E(SR, 'R'), E(ES, '-'), E(F1, '-'),
		     E(F2, '-'), E(CW, '-'), E(CI, '-'), E(LA, '-'),
		     E(TW, '-')},
	/* [RFC5961 5.2] */
	[ACK_TOO_OLD] = {E(CL, 'R'), E(SS, 'R'), E(SR, 'R'), E(ES, 'A'),
			 E(F1, 'A'), E(F2, 'A'), E(CW, 'A'), E(CI, 'A'),
			 E(LA, 'A'), E(TW, 'A')},
	/* [RFC9293 3.10.7.4 fifth] [RFC5961 5.2] */
	[ACK_FUTURE] = {E(CL, 'R'), E(SS, 'R'), E(SR, 'R'), E(ES, 'A'),
			E(F1, 'A'), E(F2, 'A'), E(CW, 'A'), E(CI, 'A'),
			E(LA, 'A'), E(TW, 'A')},
	/* [RFC9293 3.10.7.4 second, 3.10.7.3 second] [RFC5961 3.2] */
	[RST_EXACT] = {E(CL, '-'), X(CL, '-', ECONNREFUSED),
		       X(CL, '-', ECONNREFUSED), X(CL, '-', ECONNRESET),
		       X(CL, '-', ECONNRESET), X(CL, '-', ECONNRESET),
		       X(CL, '-', EPIPE), E(CL, '-'), E(CL, '-'), E(CL, '-')},
	/* [RFC5961 3.2 case 3]; SYN-SENT: its ACK is not acceptable */
	[RST_IN_WINDOW] = {E(CL, '-'), E(SS, '-'), E(SR, 'A'), E(ES, 'A'),
			   E(F1, 'A'), E(F2, 'A'), E(CW, 'A'), E(CI, 'A'),
			   E(LA, 'A'), E(TW, 'A')},
	/* [RFC5961 3.2 case 1]; SYN-SENT: without ACK */
	[RST_OUTSIDE] = {E(CL, '-'), E(SS, '-'), E(SR, '-'), E(ES, '-'),
			 E(F1, '-'), E(F2, '-'), E(CW, '-'), E(CI, '-'),
			 E(LA, '-'), E(TW, '-')},
	/* [RFC9293 3.10.7.4 eighth] */
	[FIN_NEXT] = {E(CL, 'R'), E(SS, '-'), E(CW, 'A'), E(CW, 'A'),
		      E(CI, 'A'), E(TW, 'A'), E(CW, '-'), E(CI, '-'),
		      E(LA, '-'), E(TW, '-')},
	[FIN_AND_ACK] = {E(CL, 'R'), E(SS, '-'), E(CW, 'A'), E(CW, 'A'),
			 E(TW, 'A'), E(TW, 'A'), E(CW, '-'), E(TW, '-'),
			 E(CL, '-'), E(TW, '-')},
	/* [RFC9293 3.10.7.4 first] not acceptable: ACK */
	[FIN_AGAIN] = {E(CL, 'R'), E(SS, '-'), E(SR, 'A'), E(ES, 'A'),
		       E(F1, 'A'), E(F2, 'A'), E(CW, 'A'), E(CI, 'A'),
		       E(LA, 'A'), E(TW, 'A')},
	/* [RFC9293 3.10.7.4 seventh] */
	[DATA_NEXT] = {E(CL, 'R'), E(SS, '-'), E(ES, 'A'), E(ES, 'A'),
		       E(F1, 'A'), E(F2, 'A'), E(CW, '-'), E(CI, '-'),
		       E(LA, '-'), E(TW, '-')},
	[DATA_LATER] = {E(CL, 'R'), E(SS, '-'), E(ES, 'A'), E(ES, 'A'),
			E(F1, 'A'), E(F2, 'A'), E(CW, '-'), E(CI, '-'),
			E(LA, '-'), E(TW, '-')},
	/* [RFC9293 3.10.7.4 first] */
	[DATA_OLD] = {E(CL, 'R'), E(SS, '-'), E(SR, 'A'), E(ES, 'A'),
		      E(F1, 'A'), E(F2, 'A'), E(CW, 'A'), E(CI, 'A'),
		      E(LA, 'A'), E(TW, 'A')},
	[DATA_PARTLY_OLD] = {E(CL, 'R'), E(SS, '-'), E(ES, 'A'), E(ES, 'A'),
			     E(F1, 'A'), E(F2, 'A'), E(CW, '-'), E(CI, '-'),
			     E(LA, '-'), E(TW, '-')},
	[DATA_BEYOND] = {E(CL, 'R'), E(SS, '-'), E(SR, 'A'), E(ES, 'A'),
			 E(F1, 'A'), E(F2, 'A'), E(CW, 'A'), E(CI, 'A'),
			 E(LA, 'A'), E(TW, 'A')},
	/* [RFC9293 3.10.7.4 fifth] */
	[NO_ACK_BIT] = {E(CL, 'R'), E(SS, '-'), E(SR, '-'), E(ES, '-'),
			E(F1, '-'), E(F2, '-'), E(CW, '-'), E(CI, '-'),
			E(LA, '-'), E(TW, '-')},
	/* [RFC7323 5.3 R1]; SYN-SENT has no clock to compare with yet */
	[PAWS_OLD] = {E(CL, 'R'), E(SS, '-'), E(SR, 'A'), E(ES, 'A'),
		      E(F1, 'A'), E(F2, 'A'), E(CW, 'A'), E(CI, 'A'),
		      E(LA, 'A'), E(TW, 'A')},
};

#define FAR 3000000u /* beyond any window here */

/* The segment of kind `k`, made to fit what `p` is in. */
static void send_kind(struct peer *p, enum kind k)
{
	uint32_t nxt = p->c->irs.v ? p->c->rcv_nxt.v - PEER_ISS : 0;
	uint32_t ack = peer_una(p), all = peer_nxt(p);

	/* in the SYN states only an ACK of our SYN gets anywhere */
	if (p->c->state == SS || p->c->state == SR)
		ack = 1;
	switch (k) {
	case SYN_IN_WINDOW:
		peer_send(p, TCP_SYN, nxt, 0, 0);
		break;
	case SYN_ACK_IN_WINDOW:
		peer_send(p, TCP_SYN | TCP_ACK, nxt, ack, 0);
		break;
	case ACK_ALL:
		peer_send(p, TCP_ACK, nxt, all, 0);
		break;
	case ACK_OLD:
		peer_send(p, TCP_ACK, nxt, peer_una(p) - 1, 0);
		break;
	case ACK_TOO_OLD:
		peer_send(p, TCP_ACK, nxt, peer_una(p) - PEER_WND - 1, 0);
		break;
	case ACK_FUTURE:
		peer_send(p, TCP_ACK, nxt, all + 1, 0);
		break;
	case RST_EXACT:
		peer_send(p, TCP_RST | TCP_ACK, nxt, ack, 0);
		break;
	case RST_IN_WINDOW:
		peer_send(p, TCP_RST | TCP_ACK, nxt + 10, all + 1, 0);
		break;
	case RST_OUTSIDE:
		peer_send(p, TCP_RST, nxt + FAR, 0, 0);
		break;
	case FIN_NEXT:
		peer_send(p, TCP_FIN | TCP_ACK, nxt, ack, 0);
		break;
	case FIN_AND_ACK:
		peer_send(p, TCP_FIN | TCP_ACK, nxt, all, 0);
		break;
	case FIN_AGAIN:
		peer_send(p, TCP_FIN | TCP_ACK, nxt - 1, ack, 0);
		break;
	case DATA_NEXT:
		peer_send(p, TCP_ACK, nxt, ack, 100);
		break;
	case DATA_LATER:
		peer_send(p, TCP_ACK, nxt + 50, ack, 100);
		break;
	case DATA_OLD:
		peer_send(p, TCP_ACK, nxt - 20, ack, 20);
		break;
	case DATA_PARTLY_OLD:
		peer_send(p, TCP_ACK, nxt - 10, ack, 20);
		break;
	case DATA_BEYOND:
		peer_send(p, TCP_ACK, nxt + FAR, ack, 20);
		break;
	case NO_ACK_BIT:
		peer_send(p, 0, nxt, 0, 20);
		break;
	case PAWS_OLD:
		p->ts_val -= 500;
		peer_send(p, TCP_ACK, nxt, ack, 20);
		break;
	case KINDS:
		break;
	}
}

static char answer(struct peer *p)
{
	char a = '-';

	while (mono_leq(tcp_conn_deadline(p->c), p->now)) {
		peer_take(p);
		/* one answer at most */
		assert_int_equal(a, '-');
		a = p->o.h.flags & TCP_RST   ? 'R'
		    : p->o.h.flags & TCP_SYN ? 'S'
					     : 'A';
	}
	return a;
}

static uint32_t readable(enum kind k, uint8_t next)
{
	if (next != ES && next != F1 && next != F2)
		return 0;
	return k == DATA_NEXT ? 100 : k == DATA_PARTLY_OLD ? 10 : 0;
}

static void check_one(enum tcp_state s, enum kind k)
{
	const struct expect *e = &table[k][s];
	struct peer p;
	size_t unacked, unsent, unread;
	char got;
	int r;

	peer_init(&p);
	p.ts = p.sack = true;
	r = tcp_conn_set_opt(p.c, TCP_OPT_QUICKACK, 1, p.now);
	assert_int_equal(r, 0);
	peer_in_state(&p, s);
	p.now = mono_add(p.now, DUR_MS(1));
	send_kind(&p, k);
	got = answer(&p);
	if (got != e->answer || tcp_conn_state(p.c) != e->next ||
	    tcp_conn_error(p.c) != e->error)
		fail_msg("%s in %s: %s, answer %c, error %d; expected %s, %c, "
			 "%d",
			 kind_name[k], tcp_state_name(s),
			 tcp_state_name(tcp_conn_state(p.c)), got,
			 tcp_conn_error(p.c),
			 tcp_state_name((enum tcp_state)e->next), e->answer,
			 e->error);
	tcp_conn_queues(p.c, &unacked, &unsent, &unread);
	assert_int_equal(unread, readable(k, e->next));
	peer_fini(&p);
}

static void every_state_every_segment(void **state)
{
	(void)state;
	for (int s = 0; s < TCP_S__COUNT; s++)
		for (int k = 0; k < KINDS; k++)
			check_one((enum tcp_state)s, (enum kind)k);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_state_every_segment),
};

UNIT_MAIN(tests)
