/*
 * applsrv.c: programs of this machine, at RUN/printd-ID/appl; appl/proto.h is
 * what is said. Who a program is comes from the kernel; only root may print
 * in another's name (LPD gateways, CUPS).
 *
 * A program that stops in mid-job has printed nothing. One that does not read
 * its answers costs QUEUE_MAX bytes and is cut off.
 */
#include "appl/proto.h"
#include "daemon/log.h"
#include "ipc/ipc.h"
#include "printd.h"
#include "render/codepage.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAMS_MAX 1024
#define PROGRAMS_PER_UID 256 /* other than root */
#define QUEUE_MAX 65536u
#define PW_BUFFER 4096

struct applsrv {
	struct printd *pd;
	int fd;
	struct ev_io *io;
	char path[108];
	struct list programs;
	unsigned n_programs;
};

struct program {
	struct list node;
	struct applsrv *a;
	struct ipc_conn *conn;
	struct ipc_peer peer;
	char user[SPOOL_USER_MAX + 1];
	char lu[LU_NAME_MAX + 1];
	struct intake *job;
	int error; /* of DATA that nobody asked about yet */
	char err[256];
	struct job_watch watch;
	bool watching, hold;
	bool dead; /* freed at the end of the callback */
	/* the chain that comes in */
	uint8_t *chain;
	size_t chain_len;
};

static void program_free(struct program *p)
{
	if (p->watching)
		list_remove(&p->watch.node);
	intake_drop(p->job);
	list_remove(&p->node);
	p->a->n_programs--;
	ipc_conn_free(p->conn);
	free(p->chain);
	free(p);
}

static void answer(struct program *p, int value, const char *text)
{
	/* a full queue: the program does not read */
	if (ipc_conn_send(p->conn, APPL_ANSWER, 0, value, text, strlen(text)) ==
	    -ENOBUFS)
		p->dead = true;
}

/* ---- a job
 * ------------------------------------------------------------------------ */

/* "name=value" lines into the meta; false: an unknown form. */
static bool read_meta(const struct program *p, char *body, struct spool_meta *m,
		      bool *ret_hold)
{
	char *line;

	while ((line = strsep(&body, "\n"))) {
		char *value = strchr(line, '=');

		if (!value)
			continue;
		*value++ = '\0';
		if (strcmp(line, "form") == 0) {
			if (!spool_form_find(value, &m->form))
				return false;
		} else if (strcmp(line, "title") == 0) {
			snprintf(m->title, sizeof m->title, "%s", value);
		} else if (strcmp(line, "codepage") == 0) {
			snprintf(m->codepage, sizeof m->codepage, "%s", value);
		} else if (strcmp(line, "copies") == 0) {
			m->copies = (uint32_t)strtoul(value, NULL, 10);
		} else if (strcmp(line, "hold") == 0) {
			*ret_hold = true;
		} else if (strcmp(line, "user") == 0 && p->peer.uid == 0) {
			snprintf(m->user, sizeof m->user, "%s", value);
		} else if (strcmp(line, "host") == 0 && p->peer.uid == 0) {
			snprintf(m->host, sizeof m->host, "%s", value);
		}
	}
	return true;
}

/* The page by its own name, or false. */
static bool resolve_page(const struct printd *pd, struct spool_meta *m)
{
	const char *name = printd_deck_page(&pd->deck, m->codepage);
	struct codepage *page;

	if (!m->codepage[0])
		return true;
	if (codepage_new(name, NULL, &page) < 0)
		return false;
	if (codepage_utf8(page))
		m->codepage[0] = '\0';
	else
		memmove(m->codepage, name,
			MIN(strlen(name) + 1, sizeof m->codepage));
	codepage_free(page);
	return true;
}

static void begin(struct program *p, char *body)
{
	struct spool_meta m = {.form = SPOOL_TEXT, .copies = 1};
	char err[256] = "";
	int r;

	if (p->job) {
		answer(p, -EBUSY, "a job was begun already");
		return;
	}
	snprintf(m.lu, sizeof m.lu, "%s", p->lu);
	memcpy(m.user, p->user, sizeof m.user);
	p->hold = false;
	if (!p->lu[0]) {
		answer(p, -EINVAL, "expected OPEN and a LU first");
		return;
	}
	if (!read_meta(p, body, &m, &p->hold)) {
		answer(p, -EINVAL, "form: expected TEXT, SCS, LU3, PDF or RAW");
		return;
	}
	if (!resolve_page(p->a->pd, &m)) {
		answer(p, -EINVAL, "codepage: no such code page");
		return;
	}
	p->error = 0;
	p->chain_len = 0;
	r = intake_begin(p->a->pd, &m, &p->job, err, sizeof err);
	answer(p, r, err);
}

/* The whole record, or bytes of a job without records. */
static int write_data(struct program *p, const void *data, size_t len)
{
	return intake_write(p->job, data, len, p->err, sizeof p->err);
}

static int add_to_chain(struct program *p, const struct ipc_msg *m)
{
	if (m->flags & APPL_FIRST)
		p->chain_len = 0;
	if (p->chain_len + m->len > APPL_RECORD_MAX) {
		snprintf(p->err, sizeof p->err,
			 "a record has more than %u bytes", APPL_RECORD_MAX);
		return -EMSGSIZE;
	}
	if (!p->chain)
		p->chain = malloc(APPL_RECORD_MAX);
	if (!p->chain) {
		snprintf(p->err, sizeof p->err, "out of memory");
		return -ENOMEM;
	}
	if (m->len)
		memcpy(p->chain + p->chain_len, m->body, m->len);
	p->chain_len += m->len;
	return 0;
}

static int take_data(struct program *p, const struct ipc_msg *m)
{
	enum spool_form form = intake_meta(p->job)->form;
	bool whole = (m->flags & APPL_FIRST) && (m->flags & APPL_LAST);
	int r;

	if ((form != SPOOL_SCS && form != SPOOL_LU3) || whole)
		return write_data(p, m->body, m->len);
	r = add_to_chain(p, m);
	if (r == 0 && (m->flags & APPL_LAST)) {
		r = write_data(p, p->chain, p->chain_len);
		p->chain_len = 0;
	}
	return r;
}

static void data(struct program *p, const struct ipc_msg *m)
{
	if (!p->error && !p->job) {
		p->error = -EINVAL;
		snprintf(p->err, sizeof p->err, "expected BEGIN first");
	}
	if (!p->error)
		p->error = take_data(p, m);
	if (p->error) {
		intake_drop(p->job);
		p->job = NULL;
	}
	if (m->flags & APPL_RESPOND)
		answer(p, p->error, p->error ? p->err : "");
}

static void end(struct program *p)
{
	struct intake *job = p->job;
	char err[256] = "";
	uint32_t id = 0;
	int r;

	p->job = NULL;
	if (p->error) {
		answer(p, p->error, p->err);
		p->error = 0;
		return;
	}
	if (!job) {
		answer(p, -EINVAL, "expected BEGIN first");
		return;
	}
	if (p->chain_len) {
		intake_drop(job);
		answer(p, -EPROTO, "the last chain was not ended");
		return;
	}
	r = intake_commit(job, p->hold, &id, err, sizeof err);
	answer(p, r < 0 ? r : (int)id, err);
}

/* ---- waiting for a job
 * ------------------------------------------------------------- */

static void answer_state(struct program *p, const struct spool_status *st)
{
	if (!st)
		answer(p, APPL_GONE, "cancelled");
	else if (st->state == SPOOL_HELD)
		answer(p, APPL_HELD, st->reason);
	else
		answer(p, APPL_DONE,
		       st->repeat ? "may have been printed twice" : "");
}

static void on_watch(struct job_watch *w, const struct spool_status *st)
{
	struct program *p = container_of(w, struct program, watch);

	p->watching = false;
	answer_state(p, st);
	if (p->dead)
		program_free(p);
}

static void wait_for(struct program *p, int id)
{
	const struct spool_job *j =
		id > 0 ? spool_find(p->a->pd->spool, (uint32_t)id) : NULL;

	if (p->watching) {
		answer(p, -EBUSY, "it waits for a job already");
		return;
	}
	struct spool_status st;

	if (j)
		st = job_status(j);
	if (j && st.state != SPOOL_DONE && st.state != SPOOL_HELD) {
		p->watch.fn = on_watch;
		p->watching = true;
		job_watch_add(p->a->pd, &p->watch, (uint32_t)id);
		return;
	}
	/* a job that is gone was printed and not retained, or cancelled: who
	 * submits and waits at once may meet the first */
	if (j)
		answer_state(p, &st);
	else
		answer(p, APPL_DONE, "no longer in the spool");
}

/* ---- messages
 * ----------------------------------------------------------------------- */

static void open_lu(struct program *p, const char *name)
{
	const struct lu *lu = lus_find(p->a->pd, name);
	char text[96];

	if (!lu) {
		log_msg(MSG_BSTT075E, name);
		answer(p, -ENOENT, "there is no such LU");
		return;
	}
	snprintf(p->lu, sizeof p->lu, "%s", lu->cfg->name);
	snprintf(text, sizeof text, "%s %s %s", lu->cfg->name,
		 lu_kind_name(lu->cfg->kind), lu_state_name(lu));
	answer(p, 0, text);
}

static void on_message(void *arg, struct ipc_msg *m)
{
	struct program *p = arg;

	switch (m->type) {
	case APPL_OPEN:
		open_lu(p, m->body);
		break;
	case APPL_BEGIN:
		begin(p, m->body);
		break;
	case APPL_DATA:
		data(p, m);
		break;
	case APPL_END:
		end(p);
		break;
	case APPL_ABORT:
		intake_drop(p->job);
		p->job = NULL;
		p->error = 0;
		answer(p, 0, "");
		break;
	case APPL_WAIT:
		wait_for(p, m->value);
		break;
	default:
		answer(p, -EPROTO, "unknown message");
		break;
	}
	if (p->dead)
		program_free(p);
}

static void on_closed(void *arg, int error)
{
	(void)error;
	program_free(arg);
}

static const struct ipc_conn_ops conn_ops = {.message = on_message,
					     .closed = on_closed};

/* ---- connections
 * ------------------------------------------------------------------- */

static const char *refusal(const struct applsrv *a, const struct ipc_peer *peer,
			   int fd)
{
	gid_t group = daemon_gid(a->pd->daemon);
	unsigned same = 0;

	if (a->n_programs >= PROGRAMS_MAX)
		return "too many programs print at once";
	if (peer->uid == 0)
		return NULL;
	LIST_FOREACH (it, &a->programs)
		same += container_of(it, struct program, node)->peer.uid ==
			peer->uid;
	if (same >= PROGRAMS_PER_UID)
		return "too many programs of this user print at once";
	if (a->pd->deck.submit_group &&
	    peer->uid != daemon_uid(a->pd->daemon) &&
	    !ipc_peer_in_group(fd, group))
		return "SUBMIT GROUP: only members of printd's group may print";
	return NULL;
}

static void name_user(struct program *p)
{
	struct passwd pw, *got = NULL;
	char buf[PW_BUFFER];

	if (getpwuid_r(p->peer.uid, &pw, buf, sizeof buf, &got) == 0 && got)
		snprintf(p->user, sizeof p->user, "%.32s", got->pw_name);
	else
		snprintf(p->user, sizeof p->user, "uid%u", p->peer.uid);
}

static void on_connect(void *arg, int fd, unsigned events)
{
	struct applsrv *a = arg;
	struct ipc_peer peer = {.uid = UINT32_MAX};
	struct program *p;
	const char *why;
	int conn = ipc_accept(fd);

	(void)events;
	if (conn < 0)
		return;
	(void)!ipc_peer_get(conn, &peer);
	why = refusal(a, &peer, conn);
	p = why ? NULL : calloc(1, sizeof *p);
	if (!p) {
		why = why ? why : "out of memory";
		(void)!ipc_send(conn, APPL_ANSWER, 0, -EACCES, why, strlen(why),
				NULL, 0);
		close(conn);
		return;
	}
	p->a = a;
	p->peer = peer;
	if (ipc_conn_new(a->pd->env.loop, conn, QUEUE_MAX, &conn_ops, p,
			 &p->conn) < 0) {
		close(conn);
		free(p);
		return;
	}
	list_push_tail(&a->programs, &p->node);
	a->n_programs++;
	name_user(p);
}

int applsrv_new(struct printd *pd, struct applsrv **ret)
{
	struct applsrv *a = calloc(1, sizeof *a);
	pid_t pid;
	int r;

	if (!a)
		return -ENOMEM;
	a->pd = pd;
	list_init(&a->programs);
	printd_run_path(pd, APPL_SOCKET, a->path, sizeof a->path);
	r = ipc_listen(a->path, 0666, &a->fd, &pid);
	if (r < 0) {
		free(a);
		return r;
	}
	r = ev_io_new(pd->env.loop, a->fd, EV_IO_IN, on_connect, a, &a->io);
	if (r < 0) {
		applsrv_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void applsrv_free(struct applsrv *a)
{
	if (!a)
		return;
	LIST_FOREACH_SAFE (it, &a->programs)
		program_free(container_of(it, struct program, node));
	ev_io_free(a->io);
	close(a->fd);
	unlink(a->path);
	free(a);
}
