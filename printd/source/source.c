#include "source/source.h"

#include "base/cursor.h"
#include "source/impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- output
 * --------------------------------------------------------------------- */

int source_put(struct source *s, const void *data, size_t len)
{
	if (s->out_pos == s->out_len)
		s->out_pos = s->out_len = 0;
	if (len > s->out_cap - s->out_len) {
		size_t cap = MAX(s->out_cap * 2, s->out_len + len + 4096);
		uint8_t *p;

		if (s->conf.target != SOURCE_PDF && cap > 2 * SOURCE_OUT_MAX)
			return -EFBIG;
		p = realloc(s->out, cap);
		if (!p)
			return -ENOMEM;
		s->out = p;
		s->out_cap = cap;
	}
	if (len)
		memcpy(s->out + s->out_len, data, len);
	s->out_len += len;
	return 0;
}

int source_put_record(struct source *s, const void *data, size_t len)
{
	uint8_t head[SPOOL_FRAME_HEAD];
	struct wcur w = wcur_of(head, sizeof head);
	int r;

	wcur_32(&w, (uint32_t)len);
	r = source_put(s, head, sizeof head);
	return r < 0 ? r : source_put(s, data, len);
}

/* ---- one step through the job
 * --------------------------------------------------- */

static bool framed(const struct source *s)
{
	return s->job->meta.form == SPOOL_SCS || s->job->meta.form == SPOOL_LU3;
}

/* Slices of frames out of `data`. */
static int feed_frames(struct source *s, const uint8_t *data, size_t len)
{
	while (len) {
		size_t n;
		int r;

		if (s->head_len < SPOOL_FRAME_HEAD) {
			struct rcur c;

			s->head[s->head_len++] = *data++;
			len--;
			if (s->head_len < SPOOL_FRAME_HEAD)
				continue;
			c = rcur_of(s->head, SPOOL_FRAME_HEAD);
			s->frame_left = rcur_32(&c);
			s->frame_first = true;
			if (s->frame_left > SPOOL_FRAME_MAX)
				return -EBADMSG;
			if (s->frame_left)
				continue;
		}
		n = MIN(len, s->frame_left);
		s->frame_left -= (uint32_t)n;
		r = path_feed(s, data, n, s->frame_first, !s->frame_left);
		if (r < 0)
			return r;
		s->frame_first = false;
		data += n;
		len -= n;
		if (!s->frame_left)
			s->head_len = 0;
	}
	return 0;
}

static int end_copy(struct source *s)
{
	int r;

	if (framed(s) && s->head_len)
		return -EBADMSG;
	r = path_end(s);
	s->begun = false;
	s->at = 0;
	s->ended = ++s->copy >= s->conf.copies;
	return r;
}

/* Reads the next piece of the job and lets it through the path. */
static int step(struct source *s)
{
	ssize_t n;
	int r = 0;

	if (!s->begun) {
		s->begun = true;
		r = path_begin(s);
		if (r < 0)
			return r;
	}
	n = spool_read(s->spool, s->job, s->fd, s->in, sizeof s->in, s->at);
	if (n == -EINTR)
		return 0;
	if (n < 0)
		return (int)n;
	if (n == 0)
		return end_copy(s);
	s->at += (uint64_t)n;
	return framed(s) ? feed_frames(s, s->in, (size_t)n)
			 : path_feed(s, s->in, (size_t)n, false, false);
}

static bool hungry(const struct source *s)
{
	return s->out_pos == s->out_len ||
	       (s->record_open && s->out_pos == s->record_at);
}

static int fill(struct source *s)
{
	while (!s->error && !s->ended && hungry(s))
		s->error = step(s);
	return s->error;
}

ssize_t source_read(struct source *s, void *buf, size_t cap)
{
	size_t n;
	int r = fill(s);

	if (r < 0)
		return r;
	n = MIN(cap, s->out_len - s->out_pos);
	if (n)
		memcpy(buf, s->out + s->out_pos, n);
	s->out_pos += n;
	return (ssize_t)n;
}

void source_unread(struct source *s, size_t n)
{
	INVARIANT(n <= s->out_pos);
	s->out_pos -= n;
}

int source_record(struct source *s, const uint8_t **ret, size_t *ret_len)
{
	struct rcur c;
	int r = fill(s);

	if (r < 0)
		return r;
	if (s->out_pos == s->out_len)
		return 0;
	c = rcur_of(s->out + s->out_pos, s->out_len - s->out_pos);
	*ret_len = rcur_32(&c);
	*ret = rcur_bytes(&c, *ret_len);
	INVARIANT(rcur_ok(&c));
	s->out_pos += SPOOL_FRAME_HEAD + *ret_len;
	return 1;
}

struct render_stats source_stats(const struct source *s)
{
	return s->stats;
}

/* ---- measuring
 * -------------------------------------------------------------------- */

static int rewind_to_start(struct source *s)
{
	path_close(s);
	s->at = 0;
	s->copy = 0;
	s->begun = s->ended = false;
	s->head_len = 0;
	s->out_pos = s->out_len = 0;
	s->stats = (struct render_stats){.pages = 0};
	return path_open(s);
}

int source_measure(struct source *s, size_t budget, uint64_t *ret_bytes)
{
	size_t done = 0;
	int r;

	if (s->path == PATH_AS_IS && !s->begun && !s->conf.separator &&
	    !s->conf.feed_after) {
		*ret_bytes = (s->job->meta.bytes + s->conf.setup_len +
			      s->conf.teardown_len) *
			     s->conf.copies;
		return 0;
	}
	while (!s->ended) {
		r = step(s);
		if (r < 0)
			return r;
		*ret_bytes += s->out_len - s->out_pos;
		s->out_pos = s->out_len = 0;
		done += sizeof s->in;
		if (done >= budget)
			return -EAGAIN;
	}
	return rewind_to_start(s);
}

/* ---- life
 * ------------------------------------------------------------------------ */

int source_new(struct spool *sp, struct spool_job *j,
	       const struct source_conf *conf, struct source **ret)
{
	struct source *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return -ENOMEM;
	s->spool = sp;
	s->job = j;
	s->conf = *conf;
	s->conf.copies = MAX(conf->copies, 1u);
	s->fd = r = spool_read_open(sp, j);
	if (r >= 0)
		r = j->unproven ? spool_verify(sp, j, s->fd) : 0;
	if (r == 0)
		r = path_open(s);
	if (r < 0) {
		source_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void source_free(struct source *s)
{
	if (!s)
		return;
	path_close(s);
	if (s->fd >= 0)
		spool_read_close(s->spool, s->fd);
	free(s->out);
	free(s);
}
