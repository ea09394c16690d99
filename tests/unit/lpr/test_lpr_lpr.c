/* The LPR sender: word for word, both orders, each refusal, times. */
#include "lpr/lpr.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

static struct lpr_job job;
static struct lpr l;
static mono_t now;
static const char *what;

static int setup(void **state UNUSED)
{
	job = (struct lpr_job){.queue = "hp2505",
			       .host = "vse",
			       .user = "prtuser",
			       .job = "JOB1",
			       .number = 7,
			       .format = 'l',
			       .copies = 1,
			       .size = 5};
	now = (mono_t){1000};
	return 0;
}

static void begin(void)
{
	assert_int_equal(lpr_init(&l, &job, &what, now), 0);
}

/* Everything the machine wants to send now, in tiny pieces. */
static void expect_out(const char *want, size_t len)
{
	char buf[LPR_CONTROL_MAX];
	size_t n = 0, k;

	while ((k = lpr_output(&l, buf + n, 3, now)) > 0)
		n += k;
	assert_int_equal(n, len);
	assert_memory_equal(buf, want, len);
}

#define OUT(text) expect_out(text, sizeof(text) - 1)
#define HEARS(text) lpr_input(&l, text, sizeof(text) - 1, now)

#define CONTROL "Hvse\nPprtuser\nJJOB1\nldfA007vse\nUdfA007vse\n"

static void control_first(void **state UNUSED)
{
	begin();
	OUT("\002hp2505\n");
	assert_int_equal(lpr_data_left(&l), 0);
	HEARS("\0");
	OUT("\00242 cfA007vse\n");
	HEARS("\0");
	OUT(CONTROL "\0");
	HEARS("\0");
	OUT("\0035 dfA007vse\n");
	HEARS("\0");
	OUT("");
	assert_int_equal(lpr_data_left(&l), 5);
	lpr_sent(&l, 2, now);
	OUT("");
	assert_true(lpr_safe_to_repeat(&l));
	lpr_sent(&l, 3, now);
	OUT("\0");
	assert_false(lpr_safe_to_repeat(&l)); /* it may have it */
	HEARS("\0");
	assert_int_equal(l.state, LPR_DONE);
	assert_true(mono_is_never(lpr_deadline(&l)));
	lpr_eof(&l);
	assert_int_equal(l.state, LPR_DONE);
}

static void data_first(void **state UNUSED)
{
	job.data_first = true;
	job.size = 0; /* an empty file has its 00 as well */
	begin();
	OUT("\002hp2505\n");
	HEARS("\0\n"); /* some put a LF behind their answer */
	OUT("\0030 dfA007vse\n");
	HEARS("\0");
	OUT("\0");
	HEARS("\0");
	OUT("\00242 cfA007vse\n");
	HEARS("\0");
	assert_true(lpr_safe_to_repeat(&l));
	OUT(CONTROL "\0");
	assert_false(lpr_safe_to_repeat(&l));
	HEARS("\0");
	assert_int_equal(l.state, LPR_DONE);
}

static void all_fields(void **state UNUSED)
{
	snprintf(job.jobclass, sizeof(job.jobclass), "A");
	snprintf(job.title, sizeof(job.title), "a\nUetc/passwd");
	snprintf(job.name, sizeof(job.name), "x.txt");
	job.copies = 2;
	job.banner = true;
	job.format = 'o';
	begin();
	OUT("\002hp2505\n");
	HEARS("\0");
	OUT("\00287 cfA007vse\n");
	HEARS("\0");
	OUT("Hvse\nPprtuser\nJJOB1\nCA\nLprtuser\nTa_Uetc/passwd\nodfA007vse\n"
	    "odfA007vse\nUdfA007vse\nNx.txt\n\0");
}

/* The largest control file fits. */
static void longest_fields(void **state UNUSED)
{
	memset(job.host, 'h', LPR_HOST_MAX);
	memset(job.user, 'u', LPR_USER_MAX);
	memset(job.job, 'j', LPR_JOB_MAX);
	memset(job.jobclass, 'c', LPR_CLASS_MAX);
	memset(job.title, 't', LPR_TITLE_MAX);
	memset(job.name, 'n', LPR_NAME_MAX);
	memset(job.queue, 'q', LPR_QUEUE_MAX);
	job.copies = LPR_COPIES_MAX;
	job.number = 999;
	job.size = UINT64_MAX;
	job.banner = true;
	begin();
	for (int i = 0; i < 3; i++) {
		char buf[LPR_CONTROL_MAX];

		assert_true(lpr_output(&l, buf, sizeof(buf), now) > 0);
		HEARS("\0");
	}
	OUT("\00318446744073709551615 dfA999"
	    "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh\n");
}

static void refuses_bad_jobs(void **state UNUSED)
{
	static const struct {
		size_t at;
		const char *text, *what;
	} t[] = {
		{offsetof(struct lpr_job, queue), "", "queue"},
		{offsetof(struct lpr_job, queue), "a b", "queue"},
		{offsetof(struct lpr_job, queue), "a\n", "queue"},
		{offsetof(struct lpr_job, host), "", "host"},
		{offsetof(struct lpr_job, user), "", "user"},
		{offsetof(struct lpr_job, user), "1user", "user"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		setup(NULL);
		snprintf((char *)&job + t[i].at, 8, "%s", t[i].text);
		assert_int_equal(lpr_init(&l, &job, &what, now), -EINVAL);
		assert_string_equal(what, t[i].what);
	}
	setup(NULL);
	job.number = 1000;
	assert_int_equal(lpr_init(&l, &job, &what, now), -EINVAL);
	job.number = 0;
	job.format = 'x';
	assert_int_equal(lpr_init(&l, &job, &what, now), -EINVAL);
	job.format = 'f';
	job.copies = 0;
	assert_int_equal(lpr_init(&l, &job, &what, now), -EINVAL);
}

/* [print3270 4.1] LPRng says 03 and words, cups-lpd 01. */
static void refusals(void **state UNUSED)
{
	begin();
	OUT("\002hp2505\n");
	HEARS("\003no such\n queue\n");
	assert_int_equal(l.failure, LPR_NAK_QUEUE);
	assert_int_equal(l.nak, 3);
	assert_string_equal(l.text, "no such  queue ");
	assert_true(lpr_safe_to_repeat(&l));
	OUT("");
	begin();
	OUT("\002hp2505\n");
	HEARS("\0");
	OUT("\00242 cfA007vse\n");
	HEARS("\001");
	assert_int_equal(l.failure, LPR_NAK_CONTROL);
	setup(NULL);
	job.size = 0;
	begin();
	OUT("\002hp2505\n");
	HEARS("\0");
	OUT("\00242 cfA007vse\n");
	HEARS("\0");
	OUT(CONTROL "\0");
	HEARS("\0");
	OUT("\0030 dfA007vse\n");
	HEARS("\0");
	OUT("\0");
	HEARS("\001");
	assert_int_equal(l.failure, LPR_NAK_DATA);
	assert_true(lpr_safe_to_repeat(&l)); /* it said that it has it not */
	/* words only: the first one counts */
	begin();
	OUT("\002hp2505\n");
	HEARS("lpd: denied\n");
	assert_string_equal(l.text, "lpd: denied ");
	/* an answer before the question */
	begin();
	HEARS("\0");
	assert_int_equal(l.failure, LPR_NONSENSE);
	/* endless words */
	begin();
	OUT("\002hp2505\n");
	for (int i = 0; i < 1000; i++)
		HEARS("xxxx");
	assert_int_equal(strlen(l.text), LPR_NAK_MAX);
}

static void closes_and_times(void **state UNUSED)
{
	begin();
	OUT("\002hp2505\n");
	lpr_eof(&l);
	assert_int_equal(l.failure, LPR_CLOSED);
	job.ack = DUR_S(5);
	begin();
	OUT("\002hp2505\n");
	now = mono_add(now, DUR_S(4));
	lpr_expire(&l, now);
	assert_int_equal(l.state, LPR_QUEUE);
	HEARS("\0");
	assert_int_equal(dur_ms(mono_sub(lpr_deadline(&l), now)), 5000);
	now = lpr_deadline(&l);
	lpr_expire(&l, now);
	assert_int_equal(l.failure, LPR_TIMEOUT);
	for (unsigned f = 0; f <= LPR_NONSENSE; f++)
		assert_true(strlen(lpr_failure_text(f)) > 3);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(control_first, setup),
	cmocka_unit_test_setup(data_first, setup),
	cmocka_unit_test_setup(all_fields, setup),
	cmocka_unit_test_setup(longest_fields, setup),
	cmocka_unit_test_setup(refuses_bad_jobs, setup),
	cmocka_unit_test_setup(refusals, setup),
	cmocka_unit_test_setup(closes_and_times, setup),
};

UNIT_MAIN(tests)
