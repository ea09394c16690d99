/* draft.c: receiving a job, up to the moment it is accepted. */
#include "spool/impl.h"

#include "base/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

int spool_begin(struct spool *s, const struct spool_meta *meta,
		struct spool_draft **ret)
{
	struct spool_draft *d = calloc(1, sizeof *d);
	char name[NAME_LEN];
	int r;

	if (!d)
		return -ENOMEM;
	d->s = s;
	d->meta = *meta;
	r = spool_take_id(s, &d->meta.id);
	if (r == 0) {
		spool_name(d->meta.id, "tmp", name);
		r = s->io->open(s->io->arg, name, O_RDWR | O_CREAT | O_EXCL);
	}
	if (r < 0) {
		free(d);
		return r;
	}
	d->fd = r;
	s->drafts++;
	*ret = d;
	return 0;
}

static int flush(struct spool_draft *d)
{
	int r = spool_pwrite_all(d->s->io, d->fd, d->buf, d->held,
				 SPOOL_DATA_AT + d->written);

	d->written += d->held;
	d->held = 0;
	d->error = r;
	return r;
}

int spool_write(struct spool_draft *d, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	if (d->error)
		return d->error;
	if (!len)
		return 0;
	if (len > INT64_MAX / 2 - d->written)
		return -EFBIG;
	d->crc = record_crc(d->crc, buf, len);
	while (len) {
		size_t n = MIN(len, sizeof d->buf - d->held);
		int r;

		memcpy(d->buf + d->held, p, n);
		d->held += n;
		p += n;
		len -= n;
		r = d->held == sizeof d->buf ? flush(d) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

int spool_write_frame(struct spool_draft *d, const void *buf, size_t len)
{
	uint8_t head[SPOOL_FRAME_HEAD];
	struct wcur w = wcur_of(head, sizeof head);
	int r;

	if (len > SPOOL_FRAME_MAX)
		return -EMSGSIZE;
	wcur_32(&w, (uint32_t)len);
	r = spool_write(d, head, sizeof head);
	return r < 0 ? r : spool_write(d, buf, len);
}

uint64_t spool_draft_bytes(const struct spool_draft *d)
{
	return d->written + d->held;
}

uint32_t spool_draft_id(const struct spool_draft *d)
{
	return d->meta.id;
}

struct spool_meta *spool_draft_meta(struct spool_draft *d)
{
	return &d->meta;
}

static void release(struct spool_draft *d)
{
	if (d->fd >= 0)
		d->s->io->close(d->s->io->arg, d->fd);
	d->s->drafts--;
	free(d);
}

void spool_drop(struct spool_draft *d)
{
	char name[NAME_LEN];

	if (!d)
		return;
	spool_name(d->meta.id, "tmp", name);
	(void)d->s->io->unlink(d->s->io->arg, name);
	release(d);
}

/* Records and what is left of the bytes, on disk under the .tmp name. */
static int write_file(struct spool_draft *d, const struct spool_status *first)
{
	/* one write from the start to the bytes, so that there is no hole */
	static const uint64_t head_len = SPOOL_DATA_AT;
	const struct spool_io *io = d->s->io;
	uint8_t *head;
	int r = d->error ? d->error : flush(d);

	if (r < 0)
		return r;
	d->meta.bytes = d->written;
	d->meta.crc = d->crc;
	head = calloc(1, head_len);
	if (!head)
		return -ENOMEM;
	record_meta_emit(&d->meta, head);
	record_state_emit(first, 0, head + RECORD_STATE_AT(0));
	r = spool_pwrite_all(io, d->fd, head, head_len, 0);
	free(head);
	return r < 0 ? r : io->sync(io->arg, d->fd);
}

int spool_commit(struct spool_draft *d, const struct spool_status *first,
		 struct spool_job **ret)
{
	const struct spool_io *io = d->s->io;
	struct spool_job *j = calloc(1, sizeof *j);
	char tmp[NAME_LEN], name[NAME_LEN];
	bool renamed = false;
	int r = j ? write_file(d, first) : -ENOMEM;

	spool_name(d->meta.id, "tmp", tmp);
	spool_name(d->meta.id, "job", name);
	if (r == 0)
		r = io->rename(io->arg, tmp, name);
	renamed = r == 0 && j;
	if (r == 0)
		r = io->sync_dir(io->arg);
	if (r == 0) {
		j->meta = d->meta;
		j->status = *first;
		list_init(&j->all);
		list_init(&j->queue);
		r = spool_insert(d->s, j);
	}
	if (r == 0) {
		*ret = j;
		release(d);
		return 0;
	}
	/* not accepted: it must not come back at the next start */
	if (renamed)
		(void)io->unlink(io->arg, name);
	free(j);
	spool_drop(d);
	return r;
}
