/* LUs that come, change and go with the deck, between a spool in memory and
 * sessions that send nothing. */
#include "deck/deck.h"
#include "fakedisk.h"
#include "printd.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* what the other files of the daemon have */
uint64_t printd_wall_s(void)
{
	return 1000;
}

void alert_send(struct printd *pd, const char *kind, const char *lu,
		uint32_t job, const char *text)
{
	(void)pd;
	(void)kind;
	(void)lu;
	(void)job;
	(void)text;
}

struct ground {
	struct fakedisk *disk;
	struct printd pd;
};

static struct printd_deck deck_of(const char *lines)
{
	struct deck_report report;
	struct printd_deck d;
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	fprintf(f, "ID *\nOPEN 127.0.0.1 23\n%sATTACH TN3270E\n", lines);
	fclose(f);
	deck_report_init(&report);
	assert_int_equal(printd_deck_parse("d", text, len, &d, &report), 0);
	deck_report_fini(&report);
	free(text);
	return d;
}

/* The deck in force from now on, as reload.c does it. */
static int load(struct ground *g, const char *lines, struct lus_change *c)
{
	struct printd_deck next = deck_of(lines), old;
	struct lus_plan plan;
	int r = lus_plan_make(&g->pd, &next, &plan);

	if (r < 0) {
		lus_plan_drop(&plan);
		printd_deck_free(&next);
		return r;
	}
	old = g->pd.deck;
	g->pd.deck = next;
	lus_commit(&g->pd, &plan, c);
	printd_deck_free(&old);
	return 0;
}

static int setup(void **state)
{
	struct ground *g = calloc(1, sizeof *g);
	struct spool_recovery found;

	assert_non_null(g);
	g->disk = fakedisk_new(7);
	assert_int_equal(
		spool_open(fakedisk_io(g->disk), 1, &g->pd.spool, &found), 0);
	assert_int_equal(ev_loop_new(&g->pd.env.loop), 0);
	g->pd.env.id = "*";
	list_init(&g->pd.watches);
	list_init(&g->pd.leaving);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct ground *g = *state;

	lus_stop(&g->pd);
	printd_deck_free(&g->pd.deck);
	spool_close(g->pd.spool);
	ev_loop_free(g->pd.env.loop);
	fakedisk_free(g->disk);
	free(g);
	return 0;
}

static struct spool_job *job_of(struct ground *g, const char *lu)
{
	struct spool_meta m = {.form = SPOOL_TEXT, .copies = 1};
	struct spool_status st = {.state = SPOOL_READY};
	struct spool_draft *d;
	struct spool_job *j;

	snprintf(m.lu, sizeof m.lu, "%s", lu);
	snprintf(st.lu, sizeof st.lu, "%s", lu);
	assert_int_equal(spool_begin(g->pd.spool, &m, &d), 0);
	assert_int_equal(spool_write(d, "x", 1), 0);
	assert_int_equal(spool_commit(d, &st, &j), 0);
	lus_queue(&g->pd, j);
	return j;
}

static void test_what_is_the_same_stays(void **state)
{
	struct ground *g = *state;
	struct lus_change c;
	struct session *s;
	struct lu *a;

	assert_int_equal(load(g, "PRINTER A X\nPRINTER B X\n", &c), 0);
	assert_int_equal(c.fresh, 2);
	a = lus_find(&g->pd, "a");
	s = a->session;
	assert_int_equal(load(g, "PRINTER C X\nPRINTER B X\nPRINTER A X\n", &c),
			 0);
	assert_int_equal(c.fresh, 1);
	assert_int_equal(c.same, 2);
	assert_ptr_equal(lus_find(&g->pd, "A"), a);
	assert_ptr_equal(a->session, s);
	assert_ptr_equal(a->cfg, printd_deck_lu(&g->pd.deck, "A"));
	assert_ptr_equal(s->lu, a->cfg);
	assert_ptr_equal(g->pd.lus[2], a);
}

static void test_changes_make_a_session_where_they_must(void **state)
{
	struct ground *g = *state;
	struct lus_change c;
	struct session *s;
	struct lu *a;

	assert_int_equal(load(g, "PRINTER A X\n", &c), 0);
	a = lus_find(&g->pd, "A");
	s = a->session;
	/* an option, another page by way of SBCS: the client could stay */
	assert_int_equal(load(g, "PRINTER A X\nLU A KEEPALIVE 5S\n", &c), 0);
	assert_int_equal(c.changed, 1);
	assert_ptr_equal(a->session, s);
	assert_int_equal(load(g, "SBCS IBM-277\nPRINTER A X\n", &c), 0);
	assert_int_equal(c.changed, 1);
	assert_ptr_equal(a->session, s);
	assert_int_equal(g->pd.n_pages, 1); /* the one before was let go */
	/* another data stream, another kind */
	assert_int_equal(load(g, "PRINTER A X SCS\n", &c), 0);
	assert_int_equal(c.changed, 1);
	assert_true(a->session->lu->opt.scs);
	assert_int_equal(load(g, "DIRECT A X 127.0.0.1 9100 *\n", &c), 0);
	assert_null(a->session->ops->renew); /* not a PRINTER's */
	assert_ptr_equal(lus_find(&g->pd, "A"), a);
}

static void test_a_password_alone_is_a_change(void **state)
{
	struct ground *g = *state;
	struct lus_change c;

	assert_int_equal(load(g, "FTP A X 127.0.0.1 21 * me one\n", &c), 0);
	assert_int_equal(load(g, "FTP A X 127.0.0.1 21 * me one\n", &c), 0);
	assert_int_equal(c.same, 1);
	assert_int_equal(load(g, "FTP A X 127.0.0.1 21 * me two\n", &c), 0);
	assert_int_equal(c.changed, 1);
}

static void test_jobs_wait_for_a_lu_that_is_gone(void **state)
{
	struct ground *g = *state;
	struct lus_change c;
	struct spool_job *j;
	uint64_t seq;

	assert_int_equal(load(g, "PRINTER A X\nPRINTER B X\n", &c), 0);
	j = job_of(g, "A");
	seq = j->seq;
	assert_int_equal(job_status(j).state, SPOOL_READY);
	assert_int_equal(load(g, "PRINTER B X\n", &c), 0);
	assert_int_equal(c.gone, 1);
	assert_int_equal(c.held, 1);
	assert_null(lus_find(&g->pd, "A"));
	assert_int_equal(job_status(j).state, SPOOL_HELD);
	assert_string_equal(job_status(j).reason, "LU A is not in the deck");
	/* nothing of that is on the disk */
	assert_int_equal(j->seq, seq);
	assert_int_equal(j->status.state, SPOOL_READY);
	assert_int_equal(load(g, "PRINTER B X\nPRINTER A X\n", &c), 0);
	assert_int_equal(c.held, 0);
	assert_int_equal(job_status(j).state, SPOOL_READY);
	assert_ptr_equal(j->user, lus_find(&g->pd, "A"));
	assert_int_equal(lus_find(&g->pd, "A")->n_queued, 1);
}

static void test_a_redirection_ends_with_its_target(void **state)
{
	struct ground *g = *state;
	struct lus_change c;
	struct lu *a;

	assert_int_equal(load(g, "PRINTER A X\nPRINTER B X\n", &c), 0);
	a = lus_find(&g->pd, "A");
	a->redirect = lus_find(&g->pd, "B");
	assert_int_equal(load(g, "PRINTER B X\nPRINTER A X\n", &c), 0);
	assert_ptr_equal(lus_target(a), lus_find(&g->pd, "B"));
	assert_int_equal(load(g, "PRINTER A X\n", &c), 0);
	assert_ptr_equal(lus_target(a), a);
}

static void test_too_many_pages_change_nothing(void **state)
{
	struct ground *g = *state;
	struct lus_change c;
	struct lu *a;

	assert_int_equal(load(g, "PRINTER A X\n", &c), 0);
	a = lus_find(&g->pd, "A");
	while (g->pd.n_pages < PRINTD_PAGES_MAX) {
		struct shared_page *p = &g->pd.pages[g->pd.n_pages++];

		snprintf(p->name, sizeof p->name, "none %u", g->pd.n_pages);
	}
	assert_int_equal(load(g,
			      "PRINTER B X\nPRINTER A X\n"
			      "LU A CODEPAGE IBM-277\n",
			      &c),
			 -ENOSPC);
	assert_ptr_equal(lus_find(&g->pd, "A"), a);
	assert_int_equal(g->pd.n_lus, 1);
	assert_null(a->kept);
	/* pages that nobody has are let go of by the next one */
	assert_int_equal(load(g, "PRINTER A X\n", &c), 0);
	assert_int_equal(c.same, 1);
	assert_int_equal(g->pd.n_pages, 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_what_is_the_same_stays, setup,
					teardown),
	cmocka_unit_test_setup_teardown(
		test_changes_make_a_session_where_they_must, setup, teardown),
	cmocka_unit_test_setup_teardown(test_a_password_alone_is_a_change,
					setup, teardown),
	cmocka_unit_test_setup_teardown(test_jobs_wait_for_a_lu_that_is_gone,
					setup, teardown),
	cmocka_unit_test_setup_teardown(test_a_redirection_ends_with_its_target,
					setup, teardown),
	cmocka_unit_test_setup_teardown(test_too_many_pages_change_nothing,
					setup, teardown),
};

UNIT_MAIN(tests)
