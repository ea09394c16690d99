#include "spool/impl.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- names, whole reads and writes
 * ---------------------------------------------- */

void spool_name(uint32_t id, const char *suffix, char *buf)
{
	snprintf(buf, NAME_LEN, "%08u.%s", id % (SPOOL_ID_MAX + 1u), suffix);
}

int spool_pwrite_all(const struct spool_io *io, int fd, const void *buf,
		     size_t len, uint64_t at)
{
	const uint8_t *p = buf;

	while (len) {
		ssize_t n = io->pwrite(io->arg, fd, p, len, at);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int spool_pread_all(const struct spool_io *io, int fd, void *buf, size_t len,
		    uint64_t at)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = io->pread(io->arg, fd, p, len, at);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? (int)n : -ENODATA;
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* ---- index
 * ---------------------------------------------------------------------- */

int spool_insert(struct spool *s, struct spool_job *j)
{
	struct bucket *b = &s->index[j->meta.id % BUCKETS];

	if (b->n == b->cap) {
		uint32_t cap = b->cap ? b->cap * 2 : 4;
		struct spool_job **p = realloc(b->jobs, cap * sizeof(*b->jobs));

		if (!p)
			return -ENOMEM;
		b->jobs = p;
		b->cap = cap;
	}
	b->jobs[b->n++] = j;
	list_push_tail(&s->all, &j->all);
	s->n++;
	s->bytes += j->meta.bytes;
	return 0;
}

static void take_out(struct spool *s, struct spool_job *j)
{
	struct bucket *b = &s->index[j->meta.id % BUCKETS];

	for (uint32_t i = 0; i < b->n; i++) {
		if (b->jobs[i] == j) {
			b->jobs[i] = b->jobs[--b->n];
			break;
		}
	}
	list_remove(&j->all);
	s->n--;
	s->bytes -= j->meta.bytes;
}

struct spool_job *spool_find(const struct spool *s, uint32_t id)
{
	const struct bucket *b = &s->index[id % BUCKETS];

	for (uint32_t i = 0; i < b->n; i++)
		if (b->jobs[i]->meta.id == id)
			return b->jobs[i];
	return NULL;
}

struct spool_job *spool_next(const struct spool *s,
			     const struct spool_job *after)
{
	struct list *it = after ? after->all.next : s->all.next;

	return it == &s->all ? NULL : container_of(it, struct spool_job, all);
}

uint32_t spool_count(const struct spool *s)
{
	return s->n;
}

uint64_t spool_bytes(const struct spool *s)
{
	return s->bytes;
}

/* ---- job numbers
 * ---------------------------------------------------------------- */

/* The file holds two records in turns, as a job does: the first number that
 * was not given out before the last stop. */
static int write_next(struct spool *s, uint32_t next)
{
	const struct spool_io *io = s->io;
	uint8_t rec[RECORD_LEN];
	int fd = io->open(io->arg, NEXT_NAME, O_RDWR | O_CREAT), r;

	if (fd < 0)
		return fd;
	record_next_emit(next, s->next_seq + 1, rec);
	r = spool_pwrite_all(io, fd, rec, sizeof rec,
			     RECORD_LEN * (s->next_seq & 1));
	if (r == 0)
		r = io->sync(io->arg, fd);
	io->close(io->arg, fd);
	if (r == 0 && s->next_seq == 0)
		r = io->sync_dir(io->arg);
	if (r == 0)
		s->next_seq++;
	return r;
}

int spool_read_next(struct spool *s)
{
	const struct spool_io *io = s->io;
	int fd = io->open(io->arg, NEXT_NAME, O_RDONLY);

	s->next_id = 1;
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	for (int i = 0; i < RECORD_STATES; i++) {
		uint8_t rec[RECORD_LEN];
		uint32_t next;
		uint64_t seq;

		if (spool_pread_all(io, fd, rec, sizeof rec,
				    RECORD_LEN * (uint64_t)i) == 0 &&
		    record_next_parse(rec, &next, &seq) && seq > s->next_seq) {
			s->next_seq = seq;
			s->next_id = next;
		}
	}
	io->close(io->arg, fd);
	return 0;
}

int spool_take_id(struct spool *s, uint32_t *ret)
{
	for (uint32_t tries = 0; tries <= s->n + s->drafts; tries++) {
		if (s->next_id >= s->reserved ||
		    s->reserved - s->next_id > ID_BLOCK) {
			uint32_t end = s->next_id + ID_BLOCK;
			int r;

			if (end > SPOOL_ID_MAX) {
				s->next_id = 1;
				end = 1 + ID_BLOCK;
			}
			r = write_next(s, end);
			if (r < 0)
				return r;
			s->reserved = end;
		}
		*ret = s->next_id++;
		if (!spool_find(s, *ret))
			return 0;
	}
	return -ENOSPC;
}

/* ---- recovery
 * ------------------------------------------------------------------- */

struct recovery {
	struct spool *s;
	struct spool_recovery *found;
	uint32_t *ids;
	uint32_t n, cap;
};

static int keep_id(struct recovery *rc, uint32_t id)
{
	if (rc->n == rc->cap) {
		uint32_t cap = rc->cap ? rc->cap * 2 : 256;
		uint32_t *p = realloc(rc->ids, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		rc->ids = p;
		rc->cap = cap;
	}
	rc->ids[rc->n++] = id;
	return 0;
}

/* "NNNNNNNN.suffix" as its number, 0 = no such name. */
static uint32_t name_id(const char *name, const char *suffix)
{
	uint32_t id = 0;

	if (strspn(name, "0123456789") != 8 || name[8] != '.' ||
	    strcmp(name + 9, suffix) != 0)
		return 0;
	for (int i = 0; i < 8; i++)
		id = id * 10 + (uint32_t)(name[i] - '0');
	return id;
}

static int on_name(void *arg, const char *name)
{
	struct recovery *rc = arg;
	uint32_t id = name_id(name, "tmp");

	if (id) {
		rc->found->dropped++;
		return rc->s->io->unlink(rc->s->io->arg, name);
	}
	id = name_id(name, "job");
	return id ? keep_id(rc, id) : 0;
}

static bool read_states(const struct spool_io *io, int fd, struct spool_job *j)
{
	bool any = false;

	for (int i = 0; i < RECORD_STATES; i++) {
		struct spool_status st;
		uint8_t rec[RECORD_LEN];
		uint64_t seq;

		if (spool_pread_all(io, fd, rec, sizeof rec,
				    RECORD_STATE_AT(i)) < 0 ||
		    !record_state_parse(rec, &st, &seq) ||
		    (any && seq <= j->seq))
			continue;
		j->status = st;
		j->seq = seq;
		any = true;
	}
	return any;
}

/* 0; -EBADMSG: not to be believed; or negative errno. */
static int read_job(struct spool *s, uint32_t id, struct spool_job *j)
{
	const struct spool_io *io = s->io;
	uint8_t rec[RECORD_LEN];
	char name[NAME_LEN];
	int fd, r;

	spool_name(id, "job", name);
	fd = io->open(io->arg, name, O_RDONLY);
	if (fd < 0)
		return fd;
	r = spool_pread_all(io, fd, rec, sizeof rec, 0);
	if (r == 0 && (!record_meta_parse(rec, &j->meta) || j->meta.id != id ||
		       !read_states(io, fd, j)))
		r = -EBADMSG;
	if (r == 0 &&
	    io->size(io->arg, fd) != (int64_t)(SPOOL_DATA_AT + j->meta.bytes))
		r = -EBADMSG;
	io->close(io->arg, fd);
	return r == -ENODATA ? -EBADMSG : r;
}

static int put_aside(struct spool *s, uint32_t id, struct spool_recovery *found)
{
	char from[NAME_LEN], to[NAME_LEN];

	spool_name(id, "job", from);
	spool_name(id, "bad", to);
	found->bad++;
	snprintf(found->bad_name, sizeof found->bad_name, "%s", to);
	return s->io->rename(s->io->arg, from, to);
}

static int recover_job(struct spool *s, uint32_t id, uint64_t now_s,
		       struct spool_recovery *found)
{
	struct spool_job *j = calloc(1, sizeof *j);
	struct spool_status st;
	int r;

	if (!j)
		return -ENOMEM;
	list_init(&j->all);
	list_init(&j->queue);
	j->unproven = true;
	r = read_job(s, id, j);
	if (r == -EBADMSG) {
		free(j);
		return put_aside(s, id, found);
	}
	if (r == 0)
		r = spool_insert(s, j);
	if (r < 0) {
		free(j);
		return r;
	}
	found->jobs++;
	if (j->status.state != SPOOL_ACTIVE && j->status.state != SPOOL_SENT)
		return 0;
	st = j->status;
	st.state = SPOOL_READY;
	st.repeat = true;
	st.changed_s = now_s;
	found->repeated++;
	return spool_update(s, j, &st);
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? -1 : x > y;
}

static int recover(struct spool *s, uint64_t now_s,
		   struct spool_recovery *found)
{
	struct recovery rc = {.s = s, .found = found};
	int r = s->io->list(s->io->arg, on_name, &rc);

	if (r == 0)
		r = spool_read_next(s);
	if (rc.n)
		qsort(rc.ids, rc.n, sizeof(*rc.ids), compare_ids);
	for (uint32_t i = 0; i < rc.n && r == 0; i++) {
		r = recover_job(s, rc.ids[i], now_s, found);
		/* a reservation that was lost must not give a number twice */
		if (rc.ids[i] >= s->next_id && rc.ids[i] < SPOOL_ID_MAX)
			s->next_id = rc.ids[i] + 1;
	}
	if (r == 0 && (found->dropped || found->bad))
		r = s->io->sync_dir(s->io->arg);
	free(rc.ids);
	return r;
}

int spool_open(const struct spool_io *io, uint64_t now_s, struct spool **ret,
	       struct spool_recovery *ret_found)
{
	struct spool *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return -ENOMEM;
	s->io = io;
	list_init(&s->all);
	*ret_found = (struct spool_recovery){.jobs = 0};
	r = recover(s, now_s, ret_found);
	if (r < 0) {
		spool_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

void spool_close(struct spool *s)
{
	if (!s)
		return;
	LIST_FOREACH_SAFE (it, &s->all)
		free(container_of(it, struct spool_job, all));
	for (size_t i = 0; i < BUCKETS; i++)
		free(s->index[i].jobs);
	free(s);
}

/* ---- state, removal, reading
 * ---------------------------------------------------- */

int spool_update(struct spool *s, struct spool_job *j,
		 const struct spool_status *next)
{
	const struct spool_io *io = s->io;
	uint8_t rec[RECORD_LEN];
	char name[NAME_LEN];
	int fd, r;

	spool_name(j->meta.id, "job", name);
	fd = io->open(io->arg, name, O_RDWR);
	if (fd < 0)
		return fd;
	record_state_emit(next, j->seq + 1, rec);
	r = spool_pwrite_all(io, fd, rec, sizeof rec,
			     RECORD_STATE_AT((j->seq + 1) % RECORD_STATES));
	if (r == 0)
		r = io->sync(io->arg, fd);
	io->close(io->arg, fd);
	if (r == 0) {
		j->seq++;
		j->status = *next;
	}
	return r;
}

int spool_remove(struct spool *s, struct spool_job *j)
{
	char name[NAME_LEN];
	int r;

	spool_name(j->meta.id, "job", name);
	r = s->io->unlink(s->io->arg, name);
	if (r < 0 && r != -ENOENT)
		return r;
	take_out(s, j);
	list_remove(&j->queue);
	free(j);
	return s->io->sync_dir(s->io->arg);
}

int spool_read_open(struct spool *s, const struct spool_job *j)
{
	char name[NAME_LEN];

	spool_name(j->meta.id, "job", name);
	return s->io->open(s->io->arg, name, O_RDONLY);
}

ssize_t spool_read(struct spool *s, const struct spool_job *j, int fd,
		   void *buf, size_t len, uint64_t at)
{
	ssize_t n;

	if (at >= j->meta.bytes)
		return 0;
	len = (size_t)MIN((uint64_t)len, j->meta.bytes - at);
	n = s->io->pread(s->io->arg, fd, buf, len, SPOOL_DATA_AT + at);
	return n == 0 ? -EBADMSG : n; /* the file was cut while we run */
}

void spool_read_close(struct spool *s, int fd)
{
	s->io->close(s->io->arg, fd);
}

int spool_verify(struct spool *s, struct spool_job *j, int fd)
{
	uint8_t buf[16384];
	uint32_t crc = 0;
	uint64_t at = 0;

	while (at < j->meta.bytes) {
		ssize_t n = spool_read(s, j, fd, buf, sizeof buf, at);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int)n;
		crc = record_crc(crc, buf, (size_t)n);
		at += (uint64_t)n;
	}
	if (crc != j->meta.crc)
		return -EBADMSG;
	j->unproven = false;
	return 0;
}

/* ---- names
 * ----------------------------------------------------------------------- */

static const char *const state_names[] = {"READY", "ACTIVE", "SENT", "DONE",
					  "HELD"};
static const char *const form_names[] = {"TEXT", "SCS", "LU3", "PDF", "RAW"};

static_assert(ARRAY_SIZE(state_names) == SPOOL_STATES, "a name each");
static_assert(ARRAY_SIZE(form_names) == SPOOL_FORMS, "a name each");

const char *spool_state_name(enum spool_state st)
{
	return state_names[st];
}

const char *spool_form_name(enum spool_form f)
{
	return form_names[f];
}

bool spool_form_find(const char *name, enum spool_form *ret)
{
	for (size_t i = 0; i < SPOOL_FORMS; i++) {
		if (strcasecmp(name, form_names[i]) == 0) {
			*ret = (enum spool_form)i;
			return true;
		}
	}
	return false;
}
