/*
 * test_eza: the EZASOKET interface on the host's loopback (no stack is named),
 * with arguments as COBOL stores them.
 */
#include "unit.h"

#include "base/base.h"
#include "eza/couplet-eza.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define AF4 2
#define AF6 19

static char f4[4], no[4], ret[4];

static const void *fn(const char *name)
{
	static char text[16];

	memset(text, ' ', sizeof(text));
	memcpy(text, name, strlen(name));
	return text;
}

/* A fullword argument; eight of them live at the same time. */
static void *full(int v)
{
	static char at[8][4];
	static unsigned next;
	char *p = at[next++ % 8];

	eza_put32(p, v);
	return p;
}

static void *half(int v)
{
	static char at[8][2];
	static unsigned next;
	char *p = at[next++ % 8];

	eza_put16(p, v);
	return p;
}

static int begin(void **state)
{
	char client[8] = "UNIT    ", ident[16];

	(void)state;
	unsetenv("COUPLET_ID");
	unsetenv("SYSPARM");
	memset(ident, ' ', sizeof(ident));
	EZASOKET(fn("INITAPI"), half(64), ident, client, f4, no, ret);
	return eza_get32(ret) == 0 ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	EZASOKET(fn("TERMAPI"));
	return 0;
}

static int must(void)
{
	if (eza_get32(ret) < 0)
		fail_msg("ERRNO %d", eza_get32(no));
	return eza_get32(ret);
}

static void name_of(char *name, int port)
{
	memset(name, 0, 16);
	eza_put16(name, AF4);
	eza_put16(name + 2, port);
	name[4] = 127;
	name[7] = 1;
}

static int make(int type)
{
	EZASOKET(fn("SOCKET"), full(AF4), full(type), full(0), no, ret);
	return must();
}

/* A listener on a free port of the loopback; its name in `name`. */
static int listener(char *name)
{
	int s = make(1);

	name_of(name, 0);
	EZASOKET(fn("BIND"), half(s), name, no, ret);
	must();
	EZASOKET(fn("LISTEN"), half(s), full(5), no, ret);
	must();
	EZASOKET(fn("GETSOCKNAME"), half(s), name, no, ret);
	must();
	return s;
}

static void pair(int *a, int *b)
{
	char name[28];
	int l = listener(name);

	*a = make(1);
	EZASOKET(fn("CONNECT"), half(*a), name, no, ret);
	must();
	EZASOKET(fn("ACCEPT"), half(l), name, no, ret);
	*b = must();
	EZASOKET(fn("CLOSE"), half(l), no, ret);
	must();
}

static void sockets_have_low_numbers(void **state)
{
	(void)state;
	assert_int_equal(make(1), 0);
	assert_int_equal(make(1), 1);
	EZASOKET(fn("CLOSE"), half(0), no, ret);
	assert_int_equal(must(), 0);
	assert_int_equal(make(2), 0);
}

static void more_than_maxsoc_are_refused(void **state)
{
	(void)state;
	for (int i = 0; i < 64; i++)
		assert_int_equal(make(1), i);
	EZASOKET(fn("SOCKET"), full(AF4), full(1), full(0), no, ret);
	assert_int_equal(eza_get32(ret), -1);
	assert_int_equal(eza_get32(no), 24); /* EMFILE */
}

static void errors_have_numbers_of_the_interface(void **state)
{
	char name[28];
	int s = make(1), l = listener(name);

	(void)state;
	EZASOKET(fn("CLOSE"), half(l), no, ret);
	EZASOKET(fn("CONNECT"), half(s), name, no, ret);
	assert_int_equal(eza_get32(ret), -1);
	assert_int_equal(eza_get32(no), 61); /* ECONNREFUSED */
	EZASOKET(fn("GETPEERNAME"), half(s), name, no, ret);
	assert_int_equal(eza_get32(no), 57); /* ENOTCONN */
	EZASOKET(fn("CLOSE"), half(63), no, ret);
	assert_int_equal(eza_get32(no), 9); /* EBADF */
	eza_put16(name, 7);
	EZASOKET(fn("BIND"), half(s), name, no, ret);
	assert_int_equal(eza_get32(no), 47); /* EAFNOSUPPORT */
	assert_int_not_equal(EZASOKET(fn("NOSUCHCALL"), no, ret), 0);
}

static void vectors_and_messages(void **state)
{
	char one[4] = "abcd", two[2] = "ef", got[16] = "", iov[32], msg[24];
	char *p = one, *q = two, *g = got, *v = iov;
	int a, b;

	(void)state;
	pair(&a, &b);
	memset(iov, 0, sizeof(iov));
	memcpy(iov, &p, sizeof(p));
	eza_put32(iov + 12, 4);
	memcpy(iov + 16, &q, sizeof(q));
	eza_put32(iov + 28, 2);
	EZASOKET(fn("WRITEV"), half(a), iov, full(2), no, ret);
	assert_int_equal(must(), 6);
	memcpy(iov, &g, sizeof(g));
	eza_put32(iov + 12, 16);
	EZASOKET(fn("READV"), half(b), iov, full(1), no, ret);
	assert_int_equal(must(), 6);
	assert_memory_equal(got, "abcdef", 6);
	memset(msg, 0, sizeof(msg));
	memcpy(msg + 8, &v, sizeof(v));
	eza_put32(msg + 20, 1);
	eza_put32(iov + 12, 3);
	EZASOKET(fn("SENDMSG"), half(b), msg, full(0), no, ret);
	assert_int_equal(must(), 3);
	memset(got, 0, sizeof(got));
	EZASOKET(fn("RECVMSG"), half(a), msg, full(0), no, ret);
	assert_int_equal(must(), 3);
	assert_memory_equal(got, "abc", 3);
	EZASOKET(fn("READV"), half(b), iov, full(0), no, ret);
	assert_int_equal(eza_get32(no), 22); /* EINVAL */
}

static void datagrams_carry_their_sender(void **state)
{
	char name[28], from[28], own[28], b[8];
	int s = make(2), r = make(2);

	(void)state;
	name_of(name, 0);
	EZASOKET(fn("BIND"), half(r), name, no, ret);
	EZASOKET(fn("GETSOCKNAME"), half(r), name, no, ret);
	must();
	EZASOKET(fn("SENDTO"), half(s), full(0), full(3), "abc", name, no, ret);
	assert_int_equal(must(), 3);
	EZASOKET(fn("RECVFROM"), half(r), full(0), full(8), b, from, no, ret);
	assert_int_equal(must(), 3);
	EZASOKET(fn("GETSOCKNAME"), half(s), own, no, ret);
	assert_memory_equal(from + 2, own + 2, 2);
	assert_int_equal(from[4], 127);
}

static void select_tells_by_masks(void **state)
{
	char chars[64], r[8], w[8], e[8], rr[8], wr[8], er[8], wait[8];
	int a, b;

	(void)state;
	pair(&a, &b);
	memset(chars, '0', sizeof(chars));
	chars[b] = '1';
	EZACIC06("CTOB", r, chars, full(64), ret);
	assert_int_equal(eza_get32(ret), 0);
	memset(w, 0, sizeof(w));
	memset(e, 0, sizeof(e));
	memset(wait, 0, sizeof(wait));
	EZASOKET(fn("SELECT"), full(64), wait, r, w, e, rr, wr, er, no, ret);
	assert_int_equal(must(), 0);
	EZASOKET(fn("WRITE"), half(a), full(1), "x", no, ret);
	must();
	eza_put32(wait, -1);
	EZASOKET(fn("SELECT"), full(64), wait, r, r, e, rr, wr, er, no, ret);
	assert_int_equal(must(), 2);
	assert_memory_equal(rr, r, 8);
	assert_memory_equal(wr, r, 8);
	EZACIC06("BTOC", rr, chars, full(64), ret);
	for (int i = 0; i < 64; i++)
		assert_int_equal(chars[i], i == b ? '1' : '0');
	EZACIC06("WHAT", rr, chars, full(64), ret);
	assert_int_equal(eza_get32(ret), -1);
}

static void masks_of_the_second_word(void **state)
{
	char chars[40], bits[8] = {0};

	(void)state;
	memset(chars, '0', sizeof(chars));
	chars[0] = chars[31] = chars[33] = '1';
	EZACIC06("CTOB", bits, chars, full(40), ret);
	assert_int_equal(eza_get32(bits), (int)0x80000001);
	assert_int_equal(eza_get32(bits + 4), 2);
}

static void options_and_modes(void **state)
{
	char v[8], len[4], b[4];
	int a, c;

	(void)state;
	pair(&a, &c);
	eza_put32(v, 1);
	EZASOKET(fn("SETSOCKOPT"), half(a), full((int)0x80000001), v, full(4),
		 no, ret);
	must();
	eza_put32(v, 0);
	eza_put32(len, 4);
	EZASOKET(fn("GETSOCKOPT"), half(a), full((int)0x80000001), v, len, no,
		 ret);
	must();
	assert_int_equal(eza_get32(v), 1);
	EZASOKET(fn("SETSOCKOPT"), half(a), full(0x7777), v, full(4), no, ret);
	assert_int_equal(eza_get32(no), 42); /* ENOPROTOOPT */
	EZASOKET(fn("FCNTL"), half(a), full(4), full(4), no, ret);
	must();
	EZASOKET(fn("FCNTL"), half(a), full(3), full(0), no, ret);
	assert_int_equal(must(), 4);
	EZASOKET(fn("READ"), half(a), full(4), b, no, ret);
	assert_int_equal(eza_get32(no), 35); /* EWOULDBLOCK */
	EZASOKET(fn("WRITE"), half(c), full(2), "xy", no, ret);
	must();
	/* the bytes may be on their way */
	do {
		EZASOKET(fn("IOCTL"), half(a), full(0x4004a77f), full(0), v, no,
			 ret);
		must();
	} while (eza_get32(v) != 2);
	EZASOKET(fn("SHUTDOWN"), half(a), full(1), no, ret);
	must();
	EZASOKET(fn("READ"), half(c), full(4), b, no, ret);
	assert_int_equal(must(), 0);
}

static void addresses_as_text(void **state)
{
	char a[16], text[45], len[2];

	(void)state;
	EZASOKET(fn("PTON"), full(AF6), "2001:db8::64   ", half(15), a, no,
		 ret);
	must();
	eza_put16(len, 45);
	EZASOKET(fn("NTOP"), full(AF6), a, text, len, no, ret);
	must();
	assert_int_equal(eza_get16(len), 12);
	assert_memory_equal(text, "2001:db8::64 ", 13);
	EZASOKET(fn("PTON"), full(AF4), "192.0.2.300", half(11), a, no, ret);
	assert_int_equal(eza_get32(ret), -1);
	eza_put16(len, 5);
	EZASOKET(fn("NTOP"), full(AF6), a, text, len, no, ret);
	assert_int_equal(eza_get32(no), 28); /* ENOSPC */
}

static void names_into_addresses(void **state)
{
	void *hints = NULL, *res = NULL, *addr = NULL, *next = NULL;
	char canon[256], len[4];
	void *host = NULL;
	char nl[2], ac[2], al[2], at[2], alen[2], an[2], seq[2], adr[4];
	char as[2] = {0}, alias[256];

	(void)state;
	EZASOKET(fn("GETADDRINFO"), "::1 ", full(4), "80", full(2), &hints,
		 &res, len, no, ret);
	must();
	EZACIC09(&res, len, canon, &addr, &next, ret);
	assert_int_equal(eza_get32(ret), 0);
	assert_int_equal(eza_get32(len), 28);
	assert_int_equal(eza_get16(addr), AF6);
	assert_int_equal(eza_get16((char *)addr + 2), 80);
	EZASOKET(fn("FREEADDRINFO"), &res, no, ret);
	must();
	EZASOKET(fn("GETADDRINFO"), "::1", full(3), "no.such.service", full(15),
		 &hints, &res, len, no, ret);
	assert_int_equal(eza_get32(ret), -1);
	assert_int_equal(eza_get32(no), 8); /* EAI_SERVICE */
	EZASOKET(fn("GETHOSTBYNAME"), full(9), "127.0.0.1", &host, ret);
	assert_int_equal(eza_get32(ret), 0);
	eza_put16(seq, 1);
	EZACIC08(&host, nl, canon, ac, as, al, alias, at, alen, an, seq, adr,
		 ret);
	assert_int_equal(eza_get32(ret), 0);
	assert_int_equal(eza_get16(an), 1);
	assert_memory_equal(adr, "\x7f\0\0\x01", 4);
	EZACIC08(&host, nl, canon, ac, as, al, alias, at, alen, an, seq, adr,
		 ret);
	assert_int_equal(eza_get32(ret), -1); /* there is no second */
}

static void text_in_two_codes(void **state)
{
	char t[9] = "Hello 12";

	(void)state;
	EZACIC05(t, full(8));
	assert_memory_equal(t, "\xc8\x85\x93\x93\x96\x40\xf1\xf2", 8);
	EZACIC04(t, full(8));
	assert_string_equal(t, "Hello 12");
	for (int i = 0; i < 256; i++) {
		char b = (char)i;

		EZACIC05(&b, full(1));
		EZACIC04(&b, full(1));
		assert_int_equal((unsigned char)b, i);
	}
}

static void a_socket_nobody_gave(void **state)
{
	char client[40];
	int s = make(1);

	(void)state;
	EZASOKET(fn("GETCLIENTID"), client, no, ret);
	must();
	EZASOKET(fn("TAKESOCKET"), half(s), client, no, ret);
	assert_int_equal(eza_get32(ret), -1);
	assert_int_equal(client[4], 'P');
	assert_memory_equal(client + 12, "UNIT    ", 8);
}

/* ---- calls that another thread ends: each thread has arguments of its own */

#define NEVER_S 300 /* whoever is not woken is killed after that */
#define WAITS 64    /* EZA_WAITS_MAX */

/* SELECTEX of no socket; `s` >= 0 waits for input of that one. RETCODE. */
static int selectex(int s, int wait_s, char *ecb, char *errnum)
{
	char max[4], wait[8], r[8] = {0}, none[8] = {0}, rr[8], wr[8], er[8];
	char code[4];

	eza_put32(max, 64);
	eza_put32(wait, wait_s);
	eza_put32(wait + 4, 0);
	if (s >= 0)
		eza_put32(r + s / 32 * 4, (int)(1u << (s % 32)));
	EZASOKET("SELECTEX        ", max, wait, r, none, none, rr, wr, er, ecb,
		 errnum, code);
	if (eza_get32(code) > 0)
		assert_memory_equal(rr, r, 8);
	return eza_get32(code);
}

static void selectex_is_select_with_one_more(void **state)
{
	char ecb[4] = {0};
	int a, b;

	(void)state;
	pair(&a, &b);
	assert_int_equal(selectex(b, 0, ecb, no), 0);
	assert_int_equal(eza_get32(ecb), 0); /* the time ran out */
	EZASOKET(fn("WRITE"), half(a), full(1), "x", no, ret);
	must();
	assert_int_equal(selectex(b, -1, ecb, no), 1);
	EZAPOST(ecb);
	assert_int_equal(eza_get32(ecb), 0x8000);
	assert_int_equal(selectex(b, -1, ecb, no), 1); /* sockets count */
	assert_int_equal(selectex(a, -1, ecb, no), 0);
	assert_int_equal(selectex(-1, -1, ecb, no), 0);
	assert_int_equal(selectex(63, -1, ecb, no), -1);
	assert_int_equal(eza_get32(no), 9); /* EBADF */
}

static void *post(void *ecb)
{
	EZAPOST(ecb);
	return NULL;
}

/* The post comes before, while or after the wait begins. */
static void a_post_ends_selectex(void **state)
{
	(void)state;
	alarm(NEVER_S);
	for (int i = 0; i < 300; i++) {
		char ecb[5] = {0};
		char *at = ecb + i % 2; /* any alignment */
		pthread_t t;

		assert_int_equal(pthread_create(&t, NULL, post, at), 0);
		assert_int_equal(selectex(-1, -1, at, no), 0);
		pthread_join(t, NULL);
		assert_int_equal(eza_get32(at), 0x8000);
	}
	alarm(0);
}

static char signal_ecb[4];

static void on_signal(int sig)
{
	(void)sig;
	EZAPOST(signal_ecb);
}

static void a_signal_handler_may_post(void **state)
{
	(void)state;
	signal(SIGALRM, on_signal);
	alarm(1);
	assert_int_equal(selectex(-1, -1, signal_ecb, no), 0);
	assert_int_equal(eza_get32(signal_ecb), 0x8000);
	signal(SIGALRM, SIG_DFL);
}

static char shared_ecb[4];

static void *wait_for_post(void *arg)
{
	char num[4];
	int r;

	(void)arg;
	/* the place may be the main thread's for a moment */
	do {
		r = selectex(-1, -1, shared_ecb, num);
	} while (r < 0 && eza_get32(num) == 55);
	return (void *)(intptr_t)r;
}

static void a_child_has_places_of_its_own(void)
{
	char ecb[4] = {0};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(NEVER_S);
		EZAPOST(ecb);
		/* not exit: valgrind would look for what the parent's threads
		 * hold here */
		if (selectex(-1, -1, ecb, no) == 0)
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void more_waits_than_places(void **state)
{
	pthread_t t[WAITS];
	char other[4] = {0};
	int refused = 0;

	(void)state;
	alarm(NEVER_S);
	memset(shared_ecb, 0, sizeof(shared_ecb));
	for (int i = 0; i < WAITS; i++)
		assert_int_equal(
			pthread_create(&t[i], NULL, wait_for_post, NULL), 0);
	while (!refused)
		refused = selectex(-1, 0, other, no) < 0;
	assert_int_equal(eza_get32(no), 55); /* ENOBUFS */
	a_child_has_places_of_its_own();
	EZAPOST(shared_ecb);
	for (int i = 0; i < WAITS; i++) {
		void *r;

		pthread_join(t[i], &r);
		assert_int_equal((intptr_t)r, 0);
	}
	assert_int_equal(selectex(-1, 0, other, no), 0);
	alarm(0);
}

struct blocked {
	const char *function;
	int s, ret, no;
};

/* The call, and what it says when it is over. */
static void *block(void *arg)
{
	struct blocked *b = arg;
	char s[2], n[4], flags[4] = {0}, name[28], buf[8], num[4], code[4];
	char iov[16] = {0}, msg[24] = {0}, one[4];
	void *p = buf, *v = iov;

	eza_put16(s, b->s);
	eza_put32(n, sizeof(buf));
	eza_put32(one, 1);
	memcpy(iov, &p, sizeof(p));
	eza_put32(iov + 12, sizeof(buf));
	memcpy(msg + 8, &v, sizeof(v));
	eza_put32(msg + 20, 1);
	if (strncmp(b->function, "ACCEPT ", 7) == 0)
		EZASOKET(b->function, s, name, num, code);
	else if (strncmp(b->function, "READ ", 5) == 0)
		EZASOKET(b->function, s, n, buf, num, code);
	else if (strncmp(b->function, "READV ", 6) == 0)
		EZASOKET(b->function, s, iov, one, num, code);
	else if (strncmp(b->function, "RECV ", 5) == 0)
		EZASOKET(b->function, s, flags, n, buf, num, code);
	else if (strncmp(b->function, "RECVMSG ", 8) == 0)
		EZASOKET(b->function, s, msg, flags, num, code);
	else
		EZASOKET(b->function, s, flags, n, buf, name, num, code);
	b->ret = eza_get32(code);
	b->no = eza_get32(num);
	return NULL;
}

static void cancel_ends(const char *function, int s, int other)
{
	struct blocked b = {.function = function, .s = s};
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, block, &b), 0);
	do { /* until the thread waits */
		EZASOKET(fn("CANCEL"), half(other), no, ret);
		assert_int_equal(must(), 0); /* nobody waits for that */
		EZASOKET(fn("CANCEL"), half(s), no, ret);
	} while (must() == 0);
	assert_int_equal(eza_get32(ret), 1);
	pthread_join(t, NULL);
	assert_int_equal(b.ret, -1);
	assert_int_equal(b.no, 1009); /* cancelled */
}

static void cancel_ends_a_call_of_another_thread(void **state)
{
	char name[28], got[4];
	int a, b, l = listener(name), d = make(2);

	(void)state;
	alarm(NEVER_S);
	pair(&a, &b);
	cancel_ends("ACCEPT          ", l, a);
	cancel_ends("READ            ", a, b);
	cancel_ends("READV           ", a, b);
	cancel_ends("RECV            ", a, b);
	cancel_ends("RECVMSG         ", a, b);
	cancel_ends("RECVFROM        ", d, b);
	/* and the socket goes on */
	EZASOKET(fn("WRITE"), half(b), full(2), "xy", no, ret);
	must();
	EZASOKET(fn("READ"), half(a), full(4), got, no, ret);
	assert_int_equal(must(), 2);
	EZASOKET(fn("CANCEL"), half(63), no, ret);
	assert_int_equal(eza_get32(ret), -1);
	assert_int_equal(eza_get32(no), 9); /* EBADF */
	/* what cannot wait says why at once */
	EZASOKET(fn("ACCEPT"), half(d), name, no, ret);
	assert_int_equal(eza_get32(no), 45); /* EOPNOTSUPP */
	alarm(0);
}

static void ibm_options_and_cics(void **state)
{
	char buf[104], ident[16], len[4];

	(void)state;
	memset(buf, 'x', sizeof(buf));
	setenv("COUPLET_RUN", "/nonexistent", 1);
	EZASOKET(fn("GETIBMOPT"), full(1), buf, no, ret);
	assert_int_equal(must(), 0);
	assert_int_equal(eza_get32(buf), 0); /* the host's network */
	assert_memory_equal(buf + 100, "xxxx", 4);
	EZASOKET(fn("GETIBMOPT"), full(2), buf, no, ret);
	assert_int_equal(eza_get32(ret), -1);
	assert_int_equal(eza_get32(no), 45); /* EOPNOTSUPP */
	memcpy(ident, "TCPIP42         ", 16);
	EZASOKET(fn("INITAPIX"), full(70), ident, "UNIT    ", buf, no, ret);
	must();
	assert_int_equal(eza_get32(buf), 69); /* MAXSNO */
	EZASOKET(fn("GETIBMOPT"), full(1), buf, no, ret);
	must();
	assert_int_equal(eza_get32(buf), 1);
	assert_int_equal((unsigned short)eza_get16(buf + 4), 0x2000); /* down */
	assert_memory_equal(buf + 8, "STACK42 ", 8);
	memset(ident, ' ', sizeof(ident));
	EZASOKET(fn("INITAPIX"), full(70), ident, "UNIT    ", len, no, ret);
	setenv("COUPLET_ID", "garbage", 1);
	EZASOKET(fn("GETIBMOPT"), full(1), buf, no, ret);
	unsetenv("COUPLET_ID");
	must();
	assert_int_equal(eza_get32(buf), 0);
	EZASOKET(fn("INITAPIX"), full(70000), ident, "UNIT    ", buf, no, ret);
	assert_int_equal(eza_get32(no), 22); /* EINVAL */
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(sockets_have_low_numbers, begin, end),
	cmocka_unit_test_setup_teardown(more_than_maxsoc_are_refused, begin,
					end),
	cmocka_unit_test_setup_teardown(errors_have_numbers_of_the_interface,
					begin, end),
	cmocka_unit_test_setup_teardown(vectors_and_messages, begin, end),
	cmocka_unit_test_setup_teardown(datagrams_carry_their_sender, begin,
					end),
	cmocka_unit_test_setup_teardown(select_tells_by_masks, begin, end),
	cmocka_unit_test_setup_teardown(masks_of_the_second_word, begin, end),
	cmocka_unit_test_setup_teardown(options_and_modes, begin, end),
	cmocka_unit_test_setup_teardown(addresses_as_text, begin, end),
	cmocka_unit_test_setup_teardown(names_into_addresses, begin, end),
	cmocka_unit_test_setup_teardown(text_in_two_codes, begin, end),
	cmocka_unit_test_setup_teardown(a_socket_nobody_gave, begin, end),
	cmocka_unit_test_setup_teardown(selectex_is_select_with_one_more, begin,
					end),
	cmocka_unit_test_setup_teardown(a_post_ends_selectex, begin, end),
	cmocka_unit_test_setup_teardown(a_signal_handler_may_post, begin, end),
	cmocka_unit_test_setup_teardown(more_waits_than_places, begin, end),
	cmocka_unit_test_setup_teardown(cancel_ends_a_call_of_another_thread,
					begin, end),
	cmocka_unit_test_setup_teardown(ibm_options_and_cics, begin, end),
};

UNIT_MAIN(tests)
