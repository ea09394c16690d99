/* Jobs on disk: acceptance, states, recovery, and the power cut everywhere. */
#include "fakedisk.h"
#include "spool/record.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW 1000

struct ground {
	struct fakedisk *disk;
	struct spool *s;
	struct spool_recovery found;
};

static void start(struct ground *g)
{
	assert_int_equal(
		spool_open(fakedisk_io(g->disk), NOW, &g->s, &g->found), 0);
}

static void begin(struct ground *g)
{
	g->disk = fakedisk_new(1);
	start(g);
}

static void end(struct ground *g)
{
	spool_close(g->s);
	fakedisk_free(g->disk);
}

/* As after kill -9 (or a power cut) and a new start. */
static void restart(struct ground *g, bool power)
{
	spool_close(g->s);
	if (power)
		fakedisk_power_off(g->disk);
	else
		fakedisk_kill(g->disk);
	start(g);
}

static struct spool_meta meta_of(const char *title)
{
	struct spool_meta m = {.form = SPOOL_TEXT,
			       .created_s = NOW,
			       .copies = 1,
			       .lu = "PRT1",
			       .user = "operator"};

	snprintf(m.title, sizeof m.title, "%s", title);
	return m;
}

static const struct spool_status ready = {.state = SPOOL_READY, .lu = "PRT1"};

/* 0 and the job, or the error. */
static int submit(struct ground *g, const char *title, const char *text,
		  struct spool_job **ret)
{
	struct spool_meta m = meta_of(title);
	struct spool_draft *d;
	int r = spool_begin(g->s, &m, &d);

	if (r < 0)
		return r;
	r = spool_write(d, text, strlen(text));
	if (r < 0) {
		spool_drop(d);
		return r;
	}
	return spool_commit(d, &ready, ret);
}

static void assert_bytes(struct ground *g, struct spool_job *j,
			 const char *text)
{
	char buf[256];
	int fd = spool_read_open(g->s, j);
	ssize_t n;

	assert_true(fd >= 0);
	n = spool_read(g->s, j, fd, buf, sizeof buf, 0);
	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, strlen(text));
	assert_int_equal(spool_read(g->s, j, fd, buf, sizeof buf, strlen(text)),
			 0);
	assert_int_equal(spool_verify(g->s, j, fd), 0);
	assert_false(j->unproven);
	spool_read_close(g->s, fd);
}

static int set_state(struct ground *g, struct spool_job *j,
		     enum spool_state state)
{
	struct spool_status st = j->status;

	st.state = state;
	return spool_update(g->s, j, &st);
}

static void test_accepted_job_survives_power_cut(void **state)
{
	struct ground g;
	struct spool_job *j;

	(void)state;
	begin(&g);
	assert_int_equal(submit(&g, "one", "hello\n", &j), 0);
	assert_int_equal(j->meta.id, 1);
	assert_bytes(&g, j, "hello\n");
	restart(&g, true);
	assert_int_equal(g.found.jobs, 1);
	assert_int_equal(g.found.repeated, 0);
	j = spool_next(g.s, NULL);
	assert_string_equal(j->meta.title, "one");
	assert_string_equal(j->meta.user, "operator");
	assert_int_equal(j->status.state, SPOOL_READY);
	assert_true(j->unproven);
	assert_bytes(&g, j, "hello\n");
	assert_null(spool_next(g.s, j));
	end(&g);
}

static void test_draft_is_nothing_after_restart(void **state)
{
	struct spool_meta m = meta_of("half");
	struct spool_draft *d;
	struct ground g;

	(void)state;
	begin(&g);
	assert_int_equal(spool_begin(g.s, &m, &d), 0);
	assert_int_equal(spool_write(d, "half a", 6), 0);
	assert_int_equal(spool_draft_bytes(d), 6);
	assert_true(fakedisk_has(g.disk, "00000001.tmp"));
	free(d); /* the process is gone */
	restart(&g, false);
	assert_int_equal(g.found.dropped, 1);
	assert_int_equal(spool_count(g.s), 0);
	assert_false(fakedisk_has(g.disk, "00000001.tmp"));
	end(&g);
}

static void test_active_job_comes_back_marked(void **state)
{
	static const enum spool_state at[] = {SPOOL_ACTIVE, SPOOL_SENT};
	struct spool_job *j;
	struct ground g;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		begin(&g);
		assert_int_equal(submit(&g, "one", "x", &j), 0);
		assert_int_equal(set_state(&g, j, at[i]), 0);
		restart(&g, true);
		j = spool_next(g.s, NULL);
		assert_int_equal(g.found.repeated, 1);
		assert_int_equal(j->status.state, SPOOL_READY);
		assert_true(j->status.repeat);
		/* the mark itself is on disk */
		restart(&g, true);
		assert_int_equal(g.found.repeated, 0);
		assert_true(spool_next(g.s, NULL)->status.repeat);
		end(&g);
	}
}

static void test_done_job_is_not_printed_again(void **state)
{
	struct spool_job *j;
	struct ground g;

	(void)state;
	begin(&g);
	assert_int_equal(submit(&g, "one", "x", &j), 0);
	assert_int_equal(set_state(&g, j, SPOOL_ACTIVE), 0);
	assert_int_equal(set_state(&g, j, SPOOL_DONE), 0);
	restart(&g, true);
	j = spool_next(g.s, NULL);
	assert_int_equal(j->status.state, SPOOL_DONE);
	assert_int_equal(spool_remove(g.s, j), 0);
	assert_int_equal(spool_count(g.s), 0);
	restart(&g, true);
	assert_int_equal(spool_count(g.s), 0);
	end(&g);
}

static void test_held_reason_is_kept(void **state)
{
	struct spool_status st = ready;
	struct spool_job *j;
	struct ground g;

	(void)state;
	begin(&g);
	assert_int_equal(submit(&g, "one", "x", &j), 0);
	st.state = SPOOL_HELD;
	st.attempts = 7;
	st.first_page = 3;
	st.front = true;
	snprintf(st.reason, sizeof st.reason, "connection refused");
	assert_int_equal(spool_update(g.s, j, &st), 0);
	restart(&g, true);
	j = spool_next(g.s, NULL);
	assert_string_equal(j->status.reason, "connection refused");
	assert_int_equal(j->status.attempts, 7);
	assert_int_equal(j->status.first_page, 3);
	assert_true(j->status.front);
	assert_false(j->status.repeat);
	end(&g);
}

/* A torn state record leaves the one before it. */
static void test_torn_state_leaves_the_last(void **state)
{
	struct spool_job *j;
	struct ground g;

	(void)state;
	begin(&g);
	assert_int_equal(submit(&g, "one", "x", &j), 0);
	assert_int_equal(set_state(&g, j, SPOOL_ACTIVE), 0); /* record B */
	assert_int_equal(set_state(&g, j, SPOOL_DONE), 0);   /* record A */
	fakedisk_damage(g.disk, "00000001.job", RECORD_STATE_AT(0) + 20);
	restart(&g, false);
	j = spool_next(g.s, NULL);
	assert_int_equal(j->status.state, SPOOL_READY);
	assert_true(j->status.repeat);
	end(&g);
}

static void test_damage_is_put_aside(void **state)
{
	static const uint64_t at[] = {0, 30, 509};
	struct spool_job *j;
	struct ground g;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		begin(&g);
		assert_int_equal(submit(&g, "one", "x", &j), 0);
		assert_int_equal(submit(&g, "two", "y", &j), 0);
		fakedisk_damage(g.disk, "00000001.job", at[i]);
		restart(&g, false);
		assert_int_equal(g.found.bad, 1);
		assert_string_equal(g.found.bad_name, "00000001.bad");
		assert_true(fakedisk_has(g.disk, "00000001.bad"));
		assert_int_equal(spool_count(g.s), 1);
		assert_non_null(spool_find(g.s, 2));
		end(&g);
	}
}

static void test_truncated_file_is_put_aside(void **state)
{
	static const uint64_t len[] = {0, 100, 600, 4096, 4098};
	struct spool_job *j;
	struct ground g;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(len); i++) {
		begin(&g);
		assert_int_equal(submit(&g, "one", "abc", &j), 0);
		fakedisk_cut(g.disk, "00000001.job", len[i]);
		restart(&g, false);
		assert_int_equal(g.found.bad, 1);
		assert_int_equal(spool_count(g.s), 0);
		end(&g);
	}
}

static void test_damaged_bytes_are_found(void **state)
{
	struct spool_job *j;
	struct ground g;
	int fd;

	(void)state;
	begin(&g);
	assert_int_equal(submit(&g, "one", "abc", &j), 0);
	fakedisk_damage(g.disk, "00000001.job", SPOOL_DATA_AT + 1);
	restart(&g, false);
	j = spool_next(g.s, NULL);
	fd = spool_read_open(g.s, j);
	assert_int_equal(spool_verify(g.s, j, fd), -EBADMSG);
	assert_true(j->unproven);
	spool_read_close(g.s, fd);
	end(&g);
}

static void test_disk_full(void **state)
{
	struct spool_job *j;
	struct ground g;

	(void)state;
	begin(&g);
	assert_int_equal(submit(&g, "one", "fits", &j), 0);
	fakedisk_capacity(g.disk, 8192);
	assert_int_equal(submit(&g, "two", "does not", &j), -ENOSPC);
	assert_int_equal(spool_count(g.s), 1);
	/* a state needs no more room */
	j = spool_next(g.s, NULL);
	assert_int_equal(set_state(&g, j, SPOOL_ACTIVE), 0);
	restart(&g, false);
	assert_int_equal(g.found.dropped, 0);
	assert_int_equal(spool_count(g.s), 1);
	fakedisk_capacity(g.disk, 1 << 20);
	assert_int_equal(submit(&g, "three", "fits again", &j), 0);
	end(&g);
}

static void test_error_at_each_step_accepts_nothing(void **state)
{
	struct spool_job *j;
	struct ground g;
	unsigned steps;

	(void)state;
	begin(&g);
	steps = fakedisk_steps(g.disk);
	assert_int_equal(submit(&g, "one", "x", &j), 0);
	steps = fakedisk_steps(g.disk) - steps;
	end(&g);
	for (unsigned k = 1; k <= steps; k++) {
		begin(&g);
		fakedisk_fail_at(g.disk, k, -EIO);
		if (submit(&g, "one", "x", &j) == 0) {
			/* a short write moved the steps */
			end(&g);
			continue;
		}
		assert_int_equal(spool_count(g.s), 0);
		/* and the spool goes on */
		assert_int_equal(submit(&g, "two", "y", &j), 0);
		restart(&g, false);
		assert_int_equal(spool_count(g.s), 1);
		assert_string_equal(spool_next(g.s, NULL)->meta.title, "two");
		end(&g);
	}
}

/* What the world outside was told about a job. */
struct told {
	bool accepted, active, done, removed;
};

static int life(struct ground *g, struct told *t, const char *title,
		const char *text)
{
	struct spool_job *j;
	int r = submit(g, title, text, &j);

	t->accepted = r == 0;
	if (r == 0)
		r = set_state(g, j, SPOOL_ACTIVE);
	t->active = r == 0;
	if (r == 0)
		r = set_state(g, j, SPOOL_DONE);
	t->done = r == 0;
	if (r == 0)
		r = spool_remove(g->s, j);
	t->removed = r == 0;
	return r;
}

static struct spool_job *by_title(struct ground *g, const char *title)
{
	struct spool_job *j = NULL;

	while ((j = spool_next(g->s, j)))
		if (strcmp(j->meta.title, title) == 0)
			return j;
	return NULL;
}

static void check_told(struct ground *g, const struct told *t,
		       const char *title, const char *text)
{
	struct spool_job *j = by_title(g, title);

	if (t->removed) {
		assert_null(j);
		return;
	}
	/* never lost: until it was told to go */
	if (t->accepted && !t->done)
		assert_non_null(j);
	if (!j)
		return;
	assert_bytes(g, j, text); /* never truncated */
	/* what may have been printed is done, or says so */
	if (t->active && !t->done)
		assert_true(j->status.state == SPOOL_DONE || j->status.repeat);
	if (t->done)
		assert_int_equal(j->status.state, SPOOL_DONE);
}

/* Power off, or kill -9, at every step of two jobs' lives, many times with
 * other luck. */
static void cut_everywhere(bool power)
{
	const char *text[] = {"first job\n", "second\n"};
	const char *title[] = {"one", "two"};
	unsigned total = 0;

	for (uint64_t seed = 1; seed <= 40; seed++) {
		for (unsigned k = 1; k < 80; k++) {
			struct told t[2] = {{.accepted = false}};
			struct ground g;
			bool crashed;

			g.disk = fakedisk_new(seed);
			start(&g);
			fakedisk_crash_at(g.disk, k);
			if (life(&g, &t[0], title[0], text[0]) == 0)
				(void)!life(&g, &t[1], title[1], text[1]);
			crashed = fakedisk_crashed(g.disk);
			restart(&g, power);
			for (int i = 0; i < 2; i++)
				check_told(&g, &t[i], title[i], text[i]);
			assert_int_equal(g.found.bad, 0);
			end(&g);
			if (!crashed)
				break;
			total++;
		}
	}
	assert_true(total > 1000);
}

static void test_power_cut_at_every_step(void **state)
{
	(void)state;
	cut_everywhere(true);
}

static void test_kill_at_every_step(void **state)
{
	(void)state;
	cut_everywhere(false);
}

static void test_numbers_do_not_come_twice(void **state)
{
	struct spool_job *j;
	struct ground g;
	uint32_t last = 0;

	(void)state;
	begin(&g);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(submit(&g, "n", "x", &j), 0);
		assert_true(j->meta.id > last);
		last = j->meta.id;
		assert_int_equal(spool_remove(g.s, j), 0);
		if (i % 3 == 0)
			restart(&g, true);
	}
	end(&g);
}

static void test_frames(void **state)
{
	struct spool_meta m = meta_of("frames");
	struct spool_status st = ready;
	struct spool_draft *d;
	struct spool_job *j;
	uint8_t buf[32];
	struct ground g;
	int fd;

	(void)state;
	m.form = SPOOL_LU3;
	begin(&g);
	assert_int_equal(spool_begin(g.s, &m, &d), 0);
	assert_int_equal(spool_write_frame(d, "\xf1\xc8", 2), 0);
	assert_int_equal(spool_write_frame(d, "", 0), 0);
	assert_int_equal(spool_write_frame(d, "x", SPOOL_FRAME_MAX + 1),
			 -EMSGSIZE);
	assert_int_equal(spool_commit(d, &st, &j), 0);
	assert_int_equal(j->meta.bytes, 10);
	fd = spool_read_open(g.s, j);
	assert_int_equal(spool_read(g.s, j, fd, buf, sizeof buf, 0), 10);
	assert_memory_equal(buf, "\0\0\0\2\xf1\xc8\0\0\0\0", 10);
	spool_read_close(g.s, fd);
	end(&g);
}

static void test_records_refuse_what_is_wrong(void **state)
{
	struct spool_meta m = meta_of("x"), back;
	struct spool_status st = ready, st_back;
	uint8_t buf[RECORD_LEN];
	uint64_t seq;

	(void)state;
	m.id = 5;
	record_meta_emit(&m, buf);
	assert_true(record_meta_parse(buf, &back));
	assert_int_equal(back.id, 5);
	assert_string_equal(back.lu, "PRT1");
	for (size_t i = 0; i < RECORD_LEN; i++) {
		buf[i] ^= 4;
		assert_false(record_meta_parse(buf, &back));
		buf[i] ^= 4;
	}
	m.copies = 0;
	record_meta_emit(&m, buf);
	assert_false(record_meta_parse(buf, &back));
	st.state = SPOOL_STATES;
	record_state_emit(&st, 1, buf);
	assert_false(record_state_parse(buf, &st_back, &seq));
	/* one kind is not another */
	st.state = SPOOL_READY;
	record_state_emit(&st, 9, buf);
	assert_false(record_meta_parse(buf, &back));
	assert_true(record_state_parse(buf, &st_back, &seq));
	assert_int_equal(seq, 9);
}

/* The real directory: what the fake one stands for, and its lock. */
static void test_real_directory(void **state)
{
	char path[] = "spool-test-XXXXXX";
	struct spool_recovery found;
	struct spool_dir *dir, *second;
	struct spool_job *j;
	struct ground g = {.disk = NULL};
	char cmd[64];

	(void)state;
	assert_non_null(mkdtemp(path));
	assert_int_equal(spool_dir_open(path, &dir), 0);
	assert_int_equal(spool_dir_open(path, &second), -EWOULDBLOCK);
	assert_true(spool_dir_free_bytes(dir) > 0);
	assert_int_equal(spool_open(spool_dir_io(dir), NOW, &g.s, &found), 0);
	assert_int_equal(submit(&g, "real", "bytes\n", &j), 0);
	assert_int_equal(set_state(&g, j, SPOOL_ACTIVE), 0);
	spool_close(g.s);
	spool_dir_close(dir);
	assert_int_equal(spool_dir_open(path, &dir), 0);
	assert_int_equal(spool_open(spool_dir_io(dir), NOW, &g.s, &found), 0);
	assert_int_equal(found.repeated, 1);
	assert_bytes(&g, spool_next(g.s, NULL), "bytes\n");
	assert_int_equal(spool_remove(g.s, spool_next(g.s, NULL)), 0);
	spool_close(g.s);
	spool_dir_close(dir);
	assert_int_equal(spool_dir_open("/nonexistent", &dir), -ENOENT);
	for (int i = 0; i < 2; i++) {
		snprintf(cmd, sizeof cmd, "%s/%s", path, i ? "next" : "lock");
		assert_int_equal(unlink(cmd), 0);
	}
	assert_int_equal(rmdir(path), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_accepted_job_survives_power_cut),
	cmocka_unit_test(test_draft_is_nothing_after_restart),
	cmocka_unit_test(test_active_job_comes_back_marked),
	cmocka_unit_test(test_done_job_is_not_printed_again),
	cmocka_unit_test(test_held_reason_is_kept),
	cmocka_unit_test(test_torn_state_leaves_the_last),
	cmocka_unit_test(test_damage_is_put_aside),
	cmocka_unit_test(test_truncated_file_is_put_aside),
	cmocka_unit_test(test_damaged_bytes_are_found),
	cmocka_unit_test(test_disk_full),
	cmocka_unit_test(test_error_at_each_step_accepts_nothing),
	cmocka_unit_test(test_power_cut_at_every_step),
	cmocka_unit_test(test_kill_at_every_step),
	cmocka_unit_test(test_numbers_do_not_come_twice),
	cmocka_unit_test(test_frames),
	cmocka_unit_test(test_records_refuse_what_is_wrong),
	cmocka_unit_test(test_real_directory),
};

UNIT_MAIN(tests)
