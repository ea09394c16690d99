#include "appl/couplet-print.h"

#include "appl/proto.h"
#include "ipc/ipc.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_DIR "/run/couplet"
#define PREFIX "printd-" /* of our directory there */

struct couplet_print {
	int fd;
	int in_job;
	char text[APPL_TEXT_MAX];
	struct ipc_msg msg;
};

static int say(struct couplet_print *p, int r, const char *what)
{
	snprintf(p->text, sizeof p->text, "%s: %s", what, strerror(-r));
	return r;
}

/* ---- finding printd
 * ---------------------------------------------------------------- */

static const char *env_or(const char *name, const char *otherwise)
{
	const char *v = getenv(name);

	return v && *v ? v : otherwise;
}

/* The only one that runs. 0, -ENOENT, -ENOTUNIQ. */
static int only_one(const char *run, char *id, size_t len)
{
	char path[PATH_MAX];
	int n = 0;
	DIR *d;

	d = opendir(run);
	for (const struct dirent *e; d && (e = readdir(d));) {
		const char *name = e->d_name + strlen(PREFIX);
		struct stat st;

		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) != 0 ||
		    strlen(name) >= len)
			continue;
		snprintf(path, sizeof path, "%s/%s/" APPL_SOCKET, run,
			 e->d_name);
		if (stat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
			continue;
		snprintf(id, len, "%s", name);
		n++;
	}
	if (d)
		closedir(d);
	return n == 1 ? 0 : n ? -ENOTUNIQ : -ENOENT;
}

static int reach(struct couplet_print *p, const char *id)
{
	const char *run = env_or("COUPLET_RUN", RUN_DIR);
	char path[PATH_MAX], found[16];
	int r;

	if (!id)
		id = env_or("COUPLET_PRINT_ID", env_or("COUPLET_ID", NULL));
	if (id && strcmp(id, "*") == 0)
		id = "host";
	if (!id) {
		r = only_one(run, found, sizeof found);
		if (r == -ENOENT)
			return say(p, r, "no printd runs");
		if (r < 0)
			return say(p, r, "several printd run: choose one");
		id = found;
	}
	if (strchr(id, '/') || strlen(id) > 8)
		return say(p, -EINVAL, "ID of printd");
	snprintf(path, sizeof path, "%s/printd-%s/" APPL_SOCKET, run, id);
	p->fd = ipc_connect(path);
	if (p->fd < 0) {
		snprintf(p->text, sizeof p->text,
			 "printd %s is not running (%.200s): %s", id, path,
			 strerror(-p->fd));
		return p->fd;
	}
	return 0;
}

/* ---- asking
 * ----------------------------------------------------------------------- */

static int broken(struct couplet_print *p, int r)
{
	if (r == 0 || r == -EPIPE || r == -ECONNRESET)
		return say(p, -ECONNRESET, "printd went away");
	return say(p, r, "talking to printd");
}

static int answer(struct couplet_print *p)
{
	int r = ipc_recv(p->fd, &p->msg);

	if (r <= 0)
		return broken(p, r);
	ipc_msg_close(&p->msg);
	if (p->msg.type != APPL_ANSWER)
		return say(p, -EPROTO, "an answer of printd");
	snprintf(p->text, sizeof p->text, "%.1000s", p->msg.body);
	return p->msg.value;
}

static int tell(struct couplet_print *p, unsigned type, int flags, int value,
		const void *body, size_t len)
{
	int r = ipc_send(p->fd, (uint16_t)type, (uint16_t)flags, value, body,
			 len, NULL, 0);

	if (r == 0)
		return 0;
	/* printd may have closed with a sentence: it is still there to read */
	if (r == -EPIPE || r == -ECONNRESET) {
		r = answer(p);
		return r < 0 ? r : broken(p, -EPIPE);
	}
	return broken(p, r);
}

static int ask(struct couplet_print *p, unsigned type, int value,
	       const char *body)
{
	int r = tell(p, type, 0, value, body, strlen(body));

	return r < 0 ? r : answer(p);
}

int couplet_print_open(const char *id, const char *lu,
		       struct couplet_print **ret)
{
	struct couplet_print *p = calloc(1, sizeof *p);
	int r;

	*ret = p;
	if (!p)
		return -ENOMEM;
	p->fd = -1;
	r = reach(p, id);
	return r < 0 ? r : ask(p, APPL_OPEN, 0, lu);
}

void couplet_print_close(struct couplet_print *p)
{
	if (!p)
		return;
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

/* A line of the BEGIN body; line ends in a value become blanks. */
static void add(char *body, size_t cap, const char *name, const char *value)
{
	size_t used = strlen(body), from;

	if (!value || !*value)
		return;
	snprintf(body + used, cap - used, "%s=", name);
	from = strlen(body);
	snprintf(body + from, cap - from, "%.200s\n", value);
	for (char *c = body + from; *c && c[1]; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
}

int couplet_print_begin(struct couplet_print *p,
			const struct couplet_print_job *job)
{
	static const char *const forms[] = {"TEXT", "SCS", "LU3", "PDF", "RAW"};
	char body[APPL_TEXT_MAX] = "", copies[16];
	int r;

	if ((unsigned)job->form >= sizeof forms / sizeof *forms)
		return say(p, -EINVAL, "form of the job");
	snprintf(copies, sizeof copies, "%u", job->copies ? job->copies : 1);
	add(body, sizeof body, "form", forms[job->form]);
	add(body, sizeof body, "title", job->title);
	add(body, sizeof body, "user", job->user);
	add(body, sizeof body, "host", job->host);
	add(body, sizeof body, "codepage", job->codepage);
	add(body, sizeof body, "copies", copies);
	add(body, sizeof body, "hold", job->hold ? "1" : NULL);
	r = ask(p, APPL_BEGIN, 0, body);
	p->in_job = r == 0;
	return r;
}

int couplet_print_data(struct couplet_print *p, const void *data, size_t len,
		       int flags)
{
	const char *at = data;
	int first = flags & APPL_FIRST, r;

	do {
		size_t n = MIN(len, (size_t)IPC_BODY_MAX);
		int last = n == len;
		int f = first | (last ? flags & (APPL_LAST | APPL_RESPOND) : 0);

		r = tell(p, APPL_DATA, f, 0, at, n);
		if (r < 0)
			return r;
		first = 0;
		at += n;
		len -= n;
	} while (len);
	return flags & APPL_RESPOND ? answer(p) : 0;
}

long couplet_print_end(struct couplet_print *p)
{
	p->in_job = 0;
	return ask(p, APPL_END, 0, "");
}

int couplet_print_abort(struct couplet_print *p)
{
	p->in_job = 0;
	return ask(p, APPL_ABORT, 0, "");
}

int couplet_print_wait(struct couplet_print *p, long job)
{
	return ask(p, APPL_WAIT, (int)job, "");
}

const char *couplet_print_error(const struct couplet_print *p)
{
	return p ? p->text : "out of memory";
}
