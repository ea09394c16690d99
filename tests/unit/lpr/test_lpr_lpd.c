/* The LPD receiver: jobs as rlpr, CUPS, LPRng and Windows send them, the
 * sender of this room against it, and everything a client can do wrong. */
#include "lpr/lpd.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

static struct lpd_conf conf;
static struct lpd *d;
static mono_t now;
static char said[2048];
static uint8_t refuse_with;

static int setup(void **state UNUSED)
{
	conf = (struct lpd_conf){.size_max = 1000};
	now = (mono_t){1000};
	refuse_with = 0;
	return 0;
}

static int teardown(void **state UNUSED)
{
	lpd_free(d);
	d = NULL;
	return 0;
}

static void say(const char *fmt, ...) PRINTF_LIKE(1, 2);

static void say(const char *fmt, ...)
{
	size_t n = strlen(said);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said + n, sizeof(said) - n, fmt, ap);
	va_end(ap);
}

static void on_event(const struct lpd_event *ev)
{
	switch (ev->kind) {
	case LPD_EV_QUEUE:
		say("queue %s|", ev->queue);
		break;
	case LPD_EV_FILE:
		if (ev->size == LPD_SIZE_UNKNOWN)
			say("file %u ?|", ev->file);
		else
			say("file %u %u|", ev->file, (unsigned)ev->size);
		break;
	case LPD_EV_DATA:
		say("%.*s", (int)ev->len, (const char *)ev->data);
		break;
	case LPD_EV_FILE_END:
		say("|end %u|", ev->file);
		break;
	case LPD_EV_JOB:
		say("job %u %s@%s", ev->job->number, ev->job->user,
		    ev->job->host);
		for (unsigned i = 0; i < ev->job->prints; i++)
			say(" %c%ux%u:%s", ev->job->print[i].format,
			    ev->job->print[i].file, ev->job->print[i].copies,
			    ev->job->print[i].name);
		say("|");
		break;
	case LPD_EV_ABORT:
		say("abort|");
		break;
	case LPD_EV_PRINT:
		say("print %s|", ev->queue);
		break;
	case LPD_EV_STATUS:
		say("status%s %s [%s]|", ev->long_form ? "+" : "", ev->queue,
		    ev->list);
		break;
	case LPD_EV_REMOVE:
		say("remove %s %s [%s]|", ev->queue, ev->agent, ev->list);
		break;
	case LPD_EV_CLOSE:
		say("close %d|", (int)ev->error);
		break;
	case LPD_EV_NONE:
		break;
	}
	if (lpd_asks(d))
		lpd_answer(d, ev->kind == LPD_EV_NONE ? 0 : refuse_with, now);
}

/* Feeds `chunk` bytes at a time and answers yes to everything; then closes.
 * The acknowledgements are said as hex at the end. */
static const char *talk(const char *in, size_t len, size_t chunk, bool eof)
{
	struct lpd_event ev;
	uint8_t ack;
	size_t done = 0;

	lpd_free(d);
	d = lpd_new(&conf, now);
	assert_non_null(d);
	said[0] = '\0';
	do {
		size_t part = MIN(chunk, len - done);

		done += lpd_input(d, in + done, part, &ev, now);
		on_event(&ev);
		assert_true(strlen(said) < sizeof(said) - 100);
	} while (done < len || ev.kind != LPD_EV_NONE);
	for (int i = 0; eof && i < 8; i++) {
		lpd_eof(d, &ev);
		on_event(&ev);
	}
	say("ack ");
	while (lpd_output(d, &ack, 1))
		say("%u", ack);
	return said;
}

static void check_talk(const char *in, size_t len, const char *want, bool eof)
{
	for (size_t chunk = len; chunk > 0;
	     chunk = chunk > 40 ? 40 : chunk - 13) {
		/* data come in pieces, but together they are the same */
		assert_string_equal(talk(in, len, chunk, eof), want);
		if (chunk <= 13)
			break;
	}
	assert_string_equal(talk(in, len, 1, eof), want);
}

#define TALK(want, text) check_talk(text, sizeof(text) - 1, want, true)

#define CF "Hvse\nPuser\nldfA012vse\nUdfA012vse\nNx.txt\n"

static void both_orders(void **state UNUSED)
{
	TALK("queue lp|file 0 5|hello|end 0|job 12 user@vse l0x1:x.txt|close "
	     "0|ack 00000",
	     "\002lp\n\00240 cfA012vse\n" CF "\0\0035 dfA012vse\nhello\0");
	TALK("queue lp|file 0 5|hello|end 0|job 12 user@vse l0x1:x.txt|close "
	     "0|ack 00000",
	     "\002lp\n\0035 dfA012vse\nhello\0\00240 cfA012vse\n" CF "\0");
}

/* Two jobs over one connection; copies; two files; fields of rlpr. */
static void more_of_it(void **state UNUSED)
{
	TALK("queue lp|file 0 1|x|end 0|file 1 2|yz|end 1|job 3 u@h f0x2:N "
	     "o1x1:M|file 0 0||end 0|job 4 u@h p0x1:|close 0|ack 00000000000",
	     "\002lp\n\0031 dfA003h\nx\0\0032 dfB003h\nyz\0\00258 cfA003h\n"
	     "Hh\nPu\nCc\nLu\nfdfA003h\nfdfA003h\nNN\nodfB003h\nNM\nW80\nI4\n"
	     "JTTTT\n\0"
	     "\0030 dfA004h\n\0\00215 cfA004h\nHh\nPu\npdfA004h\n\0");
}

static void until_the_close(void **state UNUSED)
{
	conf.until_close = true;
	TALK("queue lp|file 0 ?|hello|end 0|job 12 user@vse l0x1:x.txt|close "
	     "0|ack 00000",
	     "\002lp\n\00240 cfA012vse\n" CF "\0\0030 dfA012vse\nhello");
	TALK("queue lp|file 0 ?|hello|end 0|job 12 user@vse l0x1:x.txt|close "
	     "0|ack 00000",
	     "\002lp\n\00240 cfA012vse\n" CF
	     "\0\0034294967296 dfA012vse\nhello");
	conf.size_max = 3; /* and more than that comes */
	TALK("queue lp|file 0 ?|helclose 4|ack 00001",
	     "\002lp\n\00240 cfA012vse\n" CF "\0\0030 dfA012vse\nhello");
}

static void other_commands(void **state UNUSED)
{
	TALK("print lp|close 0|ack 0", "\001lp\n");
	TALK("status lp []|close 0|ack ", "\003lp\n");
	TALK("status+ lp [jane 17]|close 0|ack ", "\004lp jane 17\n");
	TALK("remove lp root [17 18]|close 0|ack 0", "\005lp root 17 18\n");
	TALK("queue lp|file 0 1|x|end 0|abort|close 0|ack 0000",
	     "\002lp\n\0031 dfA001h\nx\0\001\n");
	TALK("close 0|ack ", "");
}

/* What hostile or broken clients send: a NAK, a reason, the end. */
static void mistakes(void **state UNUSED)
{
	TALK("close 1|ack 2", "GET / HTTP/1.0\r\n\r\n");
	TALK("close 1|ack 2", "\006lp\n");
	TALK("close 3|ack 2", "\002\n");
	TALK("close 3|ack 2", "\002  \n");
	TALK("close 3|ack 2", "\005lp\n");
	TALK("close 2|ack 2", "\002l\0p\n");
	TALK("queue lp|close 1|ack 02", "\002lp\n\007x\n");
	TALK("queue lp|close 4|ack 02", "\002lp\n\002 cfA001h\n");
	TALK("queue lp|close 4|ack 02", "\002lp\n\00299999 cfA001h\n");
	TALK("queue lp|close 4|ack 02", "\002lp\n\0020 cfA001h\n");
	TALK("queue lp|close 4|ack 01", "\002lp\n\0031001 dfA001h\n");
	TALK("queue lp|close 4|ack 01",
	     "\002lp\n\00399999999999999999999999 dfA001h\n");
	TALK("queue lp|close 3|ack 02", "\002lp\n\0035 ../../etc/passwd\n");
	TALK("queue lp|close 3|ack 02", "\002lp\n\0035 dfA01h\n");
	TALK("queue lp|close 3|ack 02", "\002lp\n\0035 df/001h\n");
	TALK("queue lp|file 0 1|x|end 0|close 6|ack 0002",
	     "\002lp\n\0031 dfA001h\nx\0\0031 dfA001h\ny\0");
	TALK("queue lp|file 0 1|xclose 7|ack 002",
	     "\002lp\n\0031 dfA001h\nx\1");
	TALK("queue lp|close 5|ack 002", "\002lp\n\0026 cfA001h\nHh\nPu\n\0");
	TALK("queue lp|close 5|ack 002", "\002lp\n\0026 cfA001h\nlxyz\n1\0");
	TALK("queue lp|file 0 5|helclose 7|ack 00",
	     "\002lp\n\0035 dfA001h\nhel");
	TALK("queue lp|close 8|ack 000", "\002lp\n\00240 cfA012vse\n" CF "\0");
	TALK("queue lp|close 7|ack 00", "\002lp\n\00240 cfA012vse\nHv");
	TALK("queue lp|close 2|ack 0", "\002lp\n\0035 df");
	TALK("close 2|ack ", "\002lp");
}

static void long_lines(void **state UNUSED)
{
	char in[LPD_LINE_MAX + 10];

	memset(in, 'a', sizeof(in));
	in[0] = 2;
	assert_string_equal(talk(in, sizeof(in), 7, true), "close 2|ack 2");
	in[200] = '\n'; /* a queue's name is shorter than a line */
	assert_string_equal(talk(in, 201, 7, true), "close 3|ack 2");
}

/* A file without its 00 whose client closed: size was right, so it is
 * whole (CUPS mode=stream). */
static void no_zero_at_the_end(void **state UNUSED)
{
	TALK("queue lp|file 0 5|hello|end 0|job 12 user@vse l0x1:x.txt|close "
	     "0|ack 00000",
	     "\002lp\n\00240 cfA012vse\n" CF "\0\0035 dfA012vse\nhello");
}

static void the_caller_says_no(void **state UNUSED)
{
	refuse_with = 1;
	TALK("queue lp|close 10|ack 1", "\002lp\n\0035 dfA001h\nhello\0");
}

static void too_many_jobs(void **state UNUSED)
{
	static const char head[] = "\002lp\n";
	static const char one[] = "\0031 dfA001h\nx\0\00215 cfA001h\n"
				  "Hh\nPu\nldfA001h\n";
	char in[8192];
	struct lpd_event ev;
	size_t n = sizeof(head) - 1, done = 0;
	unsigned jobs = 0;

	memcpy(in, head, n);
	for (unsigned i = 0; i < LPD_JOBS_MAX + 5; i++) {
		memcpy(in + n, one, sizeof(one)); /* with its last 00 */
		n += sizeof(one);
	}
	d = lpd_new(&conf, now);
	do {
		done += lpd_input(d, in + done, n - done, &ev, now);
		jobs += ev.kind == LPD_EV_JOB;
		if (lpd_asks(d))
			lpd_answer(d, 0, now);
	} while (done < n || ev.kind != LPD_EV_NONE);
	assert_int_equal(jobs, LPD_JOBS_MAX);
}

static void idle_clients(void **state UNUSED)
{
	struct lpd_event ev;

	d = lpd_new(&conf, now);
	lpd_input(d, "\002lp\n", 4, &ev, now);
	assert_int_equal(ev.kind, LPD_EV_QUEUE);
	assert_true(mono_is_never(lpd_deadline(d))); /* our turn */
	lpd_answer(d, 0, now);
	assert_int_equal(dur_ms(mono_sub(lpd_deadline(d), now)), 300000);
	now = lpd_deadline(d);
	lpd_expire(d, now, &ev);
	assert_int_equal(ev.kind, LPD_EV_CLOSE);
	assert_int_equal(ev.error, LPD_E_IDLE);
	assert_true(mono_is_never(lpd_deadline(d)));
	for (unsigned e = 0; e <= LPD_E_REFUSED; e++)
		assert_true(strlen(lpd_error_text(e)) > 3);
}

static void control_files(void **state UNUSED)
{
	struct lpd_job j;
	unsigned line = 0;
	char big[3000] = "";
	size_t n = 0;

	assert_int_equal(
		lpd_control_parse("Pu\nldfa001h\nMme\nTt\ti\n", 21, &j, &line),
		0);
	assert_int_equal(j.print[0].file, 26);
	assert_string_equal(j.host, "");
	assert_string_equal(j.mail, "me");
	assert_string_equal(j.title, "t_i");
	assert_int_equal(lpd_control_parse("Hh\nldf1001h\n", 12, &j, &line),
			 -EBADMSG);
	assert_int_equal(line, 2);
	/* names before, names after, names for several */
	assert_int_equal(lpd_control_parse("Nn\nldfA001h\n", 12, &j, &line), 0);
	assert_string_equal(j.print[0].name, "n");
	/* too long is cut */
	n = (size_t)snprintf(big, sizeof(big), "ldfA001h\nH");
	memset(big + n, 'h', 100);
	assert_int_equal(lpd_control_parse(big, n + 100, &j, &line), 0);
	assert_int_equal(strlen(j.host), LPR_HOST_MAX);
	/* more prints than we keep */
	n = 0;
	for (unsigned i = 0; i <= LPD_PRINTS_MAX; i++)
		n += (size_t)snprintf(big + n, sizeof(big) - n, "ldf%c001h\n",
				      i & 1 ? 'A' : 'B');
	assert_int_equal(lpd_control_parse(big, n, &j, &line), -EBADMSG);
	assert_int_equal(line, LPD_PRINTS_MAX + 1);
	assert_int_equal(lpd_file_number('0'), -1);
}

/* The sender of this room and its receiver, cut at random. */
static void sender_and_receiver(void **state UNUSED)
{
	static const char data[] = "0123456789abcdefghij";

	for (uint64_t seed = 1; seed < 200; seed++) {
		struct lpr_job job = {.queue = "q",
				      .host = "h",
				      .user = "u",
				      .format = 'o',
				      .copies = 3,
				      .data_first = seed & 1,
				      .size = 20};
		char wire[8192];
		size_t n = 0;
		const char *what;
		struct lpd_event ev = {.kind = LPD_EV_NONE};
		struct lpr l;
		uint64_t r = seed;

		lpd_free(d);
		d = lpd_new(&conf, now);
		said[0] = '\0';
		assert_int_equal(lpr_init(&l, &job, &what, now), 0);
		for (int step = 0; step < 5000 && l.state < LPR_DONE; step++) {
			uint8_t ack[4];
			size_t k = lpr_data_left(&l), used;

			r = r * 6364136223846793005u + 1;
			if (k > 0) {
				k = MIN(k, 1 + (r >> 60));
				memcpy(wire + n, data + l.sent, k);
				lpr_sent(&l, k, now);
				n += k;
			}
			n += lpr_output(&l, wire + n, 1 + (r >> 59), now);
			used = lpd_input(d, wire, n, &ev, now);
			on_event(&ev);
			n -= used;
			memmove(wire, wire + used, n);
			lpr_input(&l, ack, lpd_output(d, ack, 4), now);
		}
		assert_int_equal(l.state, LPR_DONE);
		assert_string_equal(said,
				    "queue q|file 0 20|0123456789abcdefghij|"
				    "end 0|job 0 u@h o0x3:|");
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(both_orders, setup, teardown),
	cmocka_unit_test_setup_teardown(more_of_it, setup, teardown),
	cmocka_unit_test_setup_teardown(until_the_close, setup, teardown),
	cmocka_unit_test_setup_teardown(other_commands, setup, teardown),
	cmocka_unit_test_setup_teardown(mistakes, setup, teardown),
	cmocka_unit_test_setup_teardown(long_lines, setup, teardown),
	cmocka_unit_test_setup_teardown(no_zero_at_the_end, setup, teardown),
	cmocka_unit_test_setup_teardown(the_caller_says_no, setup, teardown),
	cmocka_unit_test_setup_teardown(too_many_jobs, setup, teardown),
	cmocka_unit_test_setup_teardown(idle_clients, setup, teardown),
	cmocka_unit_test_setup_teardown(control_files, setup, teardown),
	cmocka_unit_test_setup_teardown(sender_and_receiver, setup, teardown),
};

UNIT_MAIN(tests)
