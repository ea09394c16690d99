/* operator.c: the console commands. */
#include "commands.h"
#include "console/operands.h"
#include "daemon/log.h"
#include "printd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_console(void *arg, const char *text, size_t len)
{
	console_write(arg, text, len);
}

static struct display display_for(struct printd *pd, struct console_cmd *cmd)
{
	return (struct display){.pd = pd,
				.json = console_json(cmd),
				.write = write_console,
				.arg = cmd};
}

static void done(struct console_cmd *cmd, int r, const char *text)
{
	if (r < 0)
		console_error(cmd, "%s", text && *text ? text : strerror(-r));
	console_done(cmd, r < 0 ? CONSOLE_FAILED : CONSOLE_OK);
}

/* ---- operands of ours
 * --------------------------------------------------------------- */

static struct lu *take_lu(struct printd *pd, struct operands *o)
{
	const char *name = operands_word(o, "the name of a LU");
	struct lu *lu = name ? lus_find(pd, name) : NULL;

	if (name && !lu)
		lu = lus_find_leaving(pd, name);
	if (name && !lu)
		operands_wrong(o, "a LU of QUERY LU");
	return lu;
}

static struct spool_job *take_job(struct printd *pd, struct operands *o)
{
	uint64_t id = operands_number(o, "a job number", 1, SPOOL_ID_MAX);
	struct spool_job *j;

	if (o->bad)
		return NULL;
	j = spool_find(pd->spool, (uint32_t)id);
	if (!j)
		operands_wrong(o, "a job of QUERY JOBS");
	return j;
}

static bool right(struct operands *o, const char *expected,
		  struct console_cmd *cmd)
{
	if (operands_ok(o, expected))
		return true;
	console_done(cmd, CONSOLE_USAGE);
	return false;
}

/* ---- QUERY
 * ----------------------------------------------------------------------- */

static void query_lu(struct printd *pd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct display d = display_for(pd, cmd);
	const struct lu *lu = operands_more(&o) ? take_lu(pd, &o) : NULL;

	if (right(&o, "no more words", cmd))
		done(cmd, display_lus(&d, lu ? lu->cfg->name : NULL), NULL);
}

static void query_jobs(struct printd *pd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct display d = display_for(pd, cmd);
	const char *lu = NULL, *state = NULL;

	while (operands_more(&o)) {
		if (operands_is(&o, "LU"))
			lu = operands_word(&o, "the name of a LU");
		else if (operands_is(&o, "STATE"))
			state = operands_word(
				&o, "READY, ACTIVE, SENT, DONE or HELD");
		else
			break;
	}
	if (right(&o, "LU or STATE", cmd))
		done(cmd, display_jobs(&d, lu, state), NULL);
}

static void query_job(struct printd *pd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct display d = display_for(pd, cmd);
	const struct spool_job *j = take_job(pd, &o);

	if (right(&o, "no more words", cmd))
		done(cmd, display_job(&d, j), NULL);
}

static void query_plain(struct printd *pd, struct console_cmd *cmd, int n,
			int (*fn)(const struct display *d))
{
	struct operands o = operands_of(cmd, n);
	struct display d = display_for(pd, cmd);

	if (right(&o, "no more words", cmd))
		done(cmd, fn(&d), NULL);
}

static void print_deck(void *arg, FILE *out)
{
	const struct printd *pd = arg;

	printd_deck_print(&pd->deck, out);
}

/* ---- jobs
 * ------------------------------------------------------------------------ */

static uint32_t take_page(struct operands *o)
{
	return operands_is(o, "PAGE")
		       ? (uint32_t)operands_number(o, "a page", 1, 1000000)
		       : 0;
}

static void simple_job(struct printd *pd, struct console_cmd *cmd, int n,
		       int (*fn)(struct printd *, struct spool_job *, char *,
				 size_t),
		       const char *what)
{
	struct operands o = operands_of(cmd, n);
	struct spool_job *j = take_job(pd, &o);
	uint32_t id = j ? j->meta.id : 0;
	char err[256] = "";
	int r;

	if (!right(&o, "no more words", cmd))
		return;
	r = fn(pd, j, err, sizeof err);
	if (r == 0)
		console_printf(cmd, "job %u %s\n", id, what);
	done(cmd, r, err);
}

static void release_lu(struct printd *pd, struct console_cmd *cmd,
		       struct operands *o)
{
	struct lu *lu = take_lu(pd, o);
	char err[256] = "";
	unsigned n = 0;
	int r = 0;

	if (!right(o, "no more words", cmd))
		return;
	LIST_FOREACH_SAFE (it, &lu->queue) {
		struct spool_job *j = container_of(it, struct spool_job, queue);

		if (r == 0 && j->status.state == SPOOL_HELD) {
			r = job_release(pd, j, err, sizeof err);
			n += r == 0;
		}
	}
	console_printf(cmd, "%u jobs released\n", n);
	done(cmd, r, err);
}

static void release(struct printd *pd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);

	if (operands_is(&o, "LU"))
		release_lu(pd, cmd, &o);
	else
		simple_job(pd, cmd, n, job_release, "released");
}

static void requeue(struct printd *pd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct spool_job *j = take_job(pd, &o);
	bool front = operands_is(&o, "FRONT");
	char err[256] = "";

	if (right(&o, "FRONT", cmd))
		done(cmd, job_requeue(pd, j, front, err, sizeof err), err);
}

static void move(struct printd *pd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct spool_job *j = take_job(pd, &o);
	const struct lu *lu = take_lu(pd, &o);
	char err[256] = "";

	if (right(&o, "no more words", cmd))
		done(cmd, job_move(pd, j, lu->cfg->name, err, sizeof err), err);
}

static void reprint(struct printd *pd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct spool_job *j = take_job(pd, &o);
	uint32_t page = take_page(&o);
	const struct lu *lu = operands_is(&o, "LU") ? take_lu(pd, &o) : NULL;
	char err[256] = "";

	if (right(&o, "PAGE n or LU lu", cmd))
		done(cmd,
		     job_reprint(pd, j, page, lu ? lu->cfg->name : NULL, err,
				 sizeof err),
		     err);
}

static void restart(struct printd *pd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct spool_job *j = take_job(pd, &o);
	uint32_t page = take_page(&o);
	char err[256] = "";

	if (right(&o, "PAGE n", cmd))
		done(cmd, job_restart(pd, j, page, err, sizeof err), err);
}

static void back(struct printd *pd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct spool_job *j = take_job(pd, &o);
	uint32_t pages =
		(uint32_t)operands_number(&o, "a number of pages", 0, 1000000);
	char err[256] = "";

	if (right(&o, "no more words", cmd))
		done(cmd, job_back(pd, j, pages, err, sizeof err), err);
}

/* ---- LUs
 * ------------------------------------------------------------------------ */

static void lu_command(struct printd *pd, struct console_cmd *cmd, int n,
		       int id)
{
	struct operands o = operands_of(cmd, n);
	struct lu *lu = take_lu(pd, &o);
	int r = 0;

	if (!right(&o, "no more words", cmd))
		return;
	if (id == CMD_START)
		r = lu_start(lu);
	else if (id == CMD_STOP)
		r = lu_stop(lu);
	else
		lu_kill(lu, id == CMD_REACT);
	if (r == 0)
		console_printf(cmd, "LU %s: %s\n", lu->cfg->name,
			       lu_state_name(lu));
	done(cmd, r, r < 0 ? lu->reason : NULL);
}

static void redirect(struct printd *pd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct lu *lu = take_lu(pd, &o), *to = NULL;
	char err[256] = "";

	if (!operands_is(&o, "OFF")) {
		if (operands_is(&o, "TO"))
			to = take_lu(pd, &o);
		else
			operands_expected(&o, "TO lu, or OFF");
	}
	if (right(&o, "no more words", cmd))
		done(cmd, lu_redirect(lu, to, err, sizeof err), err);
}

/* ---- the rest
 * --------------------------------------------------------------------- */

static void reload(struct printd *pd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	int r;

	if (!right(&o, "no more words", cmd))
		return;
	r = printd_reload(pd);
	if (r == 0)
		console_printf(cmd, "%u LUs are in force\n", pd->n_lus);
	done(cmd, r, "nothing was changed; the log says why");
}

static void shutdown_command(struct printd *pd, struct console_cmd *cmd)
{
	console_printf(cmd, "printd %s ends\n", pd->instance);
	console_done(cmd, CONSOLE_OK);
	daemon_end(pd->daemon, 0, "SHUTDOWN");
}

static void show(struct printd *pd, struct console_cmd *cmd, int id, int n)
{
	switch (id) {
	case CMD_QUERY_LU:
		query_lu(pd, cmd, n);
		break;
	case CMD_QUERY_JOBS:
		query_jobs(pd, cmd, n);
		break;
	case CMD_QUERY_JOB:
		query_job(pd, cmd, n);
		break;
	case CMD_QUERY_ACQUIRE:
		query_plain(pd, cmd, n, display_acquires);
		break;
	case CMD_QUERY_ID:
		query_plain(pd, cmd, n, display_id);
		break;
	case CMD_QUERY_DECK:
		console_print(cmd, print_deck, pd);
		break;
	case CMD_METRICS:
		query_plain(pd, cmd, n, display_metrics);
		break;
	default:
		console_help(cmd);
		break;
	}
}

static void on_command(void *arg, struct console_cmd *cmd,
		       const struct command *c, int n)
{
	struct printd *pd = arg;

	switch (c->id) {
	case CMD_HOLD:
		simple_job(pd, cmd, n, job_hold, "held");
		break;
	case CMD_RELEASE:
		release(pd, cmd, n);
		break;
	case CMD_CANCEL:
		simple_job(pd, cmd, n, job_cancel, "cancelled");
		break;
	case CMD_REQUEUE:
		requeue(pd, cmd, n);
		break;
	case CMD_MOVE:
		move(pd, cmd, n);
		break;
	case CMD_REPRINT:
		reprint(pd, cmd, n);
		break;
	case CMD_RESTART:
		restart(pd, cmd, n);
		break;
	case CMD_BACK:
		back(pd, cmd, n);
		break;
	case CMD_START:
	case CMD_STOP:
	case CMD_KILL:
	case CMD_REACT:
		lu_command(pd, cmd, n, c->id);
		break;
	case CMD_REDIRECT:
		redirect(pd, cmd, n);
		break;
	case CMD_RELOAD:
		reload(pd, cmd, n);
		break;
	case CMD_SHUTDOWN:
		shutdown_command(pd, cmd);
		break;
	default:
		show(pd, cmd, c->id, n);
		break;
	}
}

static bool may_show(void *arg, const struct ipc_peer *peer, int fd)
{
	(void)arg;
	(void)peer;
	(void)fd;
	return false; /* titles of other people's jobs: our group only */
}

static void on_event(void *arg, enum console_event e,
		     const struct ipc_peer *peer, const char *line)
{
	(void)arg;
	switch (e) {
	case CONSOLE_EV_CHANGE:
		log_msg(MSG_CPLT050I, "printctl", peer->uid, line);
		break;
	case CONSOLE_EV_REFUSED:
		log_msg(MSG_CPLT051W, peer->uid, line);
		break;
	case CONSOLE_EV_SLOW:
		log_msg(MSG_CPLT052W, (unsigned)peer->pid);
		break;
	}
}

const struct console_ops operator_console = {on_command, may_show, on_event};
