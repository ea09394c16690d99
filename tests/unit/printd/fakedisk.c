#include "fakedisk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define FILES 64
#define NAMES 64
#define FDS 16
#define FILE_MAX 65536
#define SECTOR 512
#define SECTORS (FILE_MAX / SECTOR)

struct file {
	bool used;
	uint8_t cache[FILE_MAX], disk[FILE_MAX];
	uint64_t cache_len, disk_len;
	bool dirty[SECTORS];
};

struct name {
	char text[32];
	int cache, disk; /* index of a file, -1 = not there */
};

struct fakedisk {
	struct spool_io io;
	struct file files[FILES];
	struct name names[NAMES];
	int fds[FDS]; /* index of a file, -1 = free */
	unsigned steps, fail_at, crash_at;
	int fail_errno;
	bool crashed;
	uint64_t capacity, random;
};

static uint64_t next_random(struct fakedisk *d)
{
	d->random ^= d->random << 13;
	d->random ^= d->random >> 7;
	d->random ^= d->random << 17;
	return d->random;
}

/* Counts the step: 0, or the error it ends with. */
static int step(struct fakedisk *d)
{
	d->steps++;
	if (d->crash_at && d->steps >= d->crash_at)
		d->crashed = true;
	if (d->crashed)
		return -EIO;
	if (d->fail_at && d->steps == d->fail_at)
		return d->fail_errno;
	return 0;
}

static struct name *find(struct fakedisk *d, const char *text)
{
	for (int i = 0; i < NAMES; i++)
		if (d->names[i].text[0] && strcmp(d->names[i].text, text) == 0)
			return &d->names[i];
	return NULL;
}

static struct name *make_name(struct fakedisk *d, const char *text)
{
	struct name *n = find(d, text);

	for (int i = 0; !n && i < NAMES; i++) {
		struct name *e = &d->names[i];

		if (e->text[0] && (e->cache >= 0 || e->disk >= 0))
			continue;
		n = e;
		memset(n, 0, sizeof *n);
		memcpy(n->text, text, strlen(text) + 1);
		n->cache = n->disk = -1;
	}
	if (!n)
		abort();
	return n;
}

static bool referenced(const struct fakedisk *d, int file)
{
	for (int i = 0; i < NAMES; i++)
		if (d->names[i].text[0] &&
		    (d->names[i].cache == file || d->names[i].disk == file))
			return true;
	for (int i = 0; i < FDS; i++)
		if (d->fds[i] == file)
			return true;
	return false;
}

static int new_file(struct fakedisk *d)
{
	for (int i = 0; i < FILES; i++) {
		if (d->files[i].used && referenced(d, i))
			continue;
		memset(&d->files[i], 0, sizeof d->files[i]);
		d->files[i].used = true;
		return i;
	}
	abort();
}

static int f_open(void *arg, const char *text, int flags)
{
	struct fakedisk *d = arg;
	struct name *n = find(d, text);
	bool there = n && n->cache >= 0;
	int r = step(d);

	if (r < 0)
		return r;
	if (!there && !(flags & O_CREAT))
		return -ENOENT;
	if (there && (flags & O_EXCL))
		return -EEXIST;
	if (!there) {
		n = make_name(d, text);
		n->cache = new_file(d);
	}
	for (int i = 0; i < FDS; i++) {
		if (d->fds[i] < 0) {
			d->fds[i] = n->cache;
			return i;
		}
	}
	return -EMFILE;
}

static void f_close(void *arg, int fd)
{
	struct fakedisk *d = arg;

	d->fds[fd] = -1;
}

static ssize_t f_pread(void *arg, int fd, void *buf, size_t len, uint64_t at)
{
	struct fakedisk *d = arg;
	const struct file *f = &d->files[d->fds[fd]];

	if (d->crashed)
		return -EIO;
	if (at >= f->cache_len)
		return 0;
	len = MIN(len, f->cache_len - at);
	memcpy(buf, f->cache + at, len);
	return (ssize_t)len;
}

static uint64_t used_bytes(const struct fakedisk *d)
{
	uint64_t sum = 0;

	for (int i = 0; i < FILES; i++)
		if (d->files[i].used && referenced(d, i))
			sum += d->files[i].cache_len;
	return sum;
}

static ssize_t f_pwrite(void *arg, int fd, const void *buf, size_t len,
			uint64_t at)
{
	struct fakedisk *d = arg;
	struct file *f = &d->files[d->fds[fd]];
	int r = step(d);

	if (r < 0)
		return r;
	if (at + len > FILE_MAX ||
	    (at + len > f->cache_len &&
	     used_bytes(d) + at + len - f->cache_len > d->capacity))
		return -ENOSPC;
	/* a short write now and then */
	if (len > 1 && next_random(d) % 8 == 0)
		len -= len / 3;
	memcpy(f->cache + at, buf, len);
	f->cache_len = MAX(f->cache_len, at + len);
	for (uint64_t s = at / SECTOR; s <= (at + len - 1) / SECTOR; s++)
		f->dirty[s] = true;
	return (ssize_t)len;
}

static int64_t f_size(void *arg, int fd)
{
	const struct fakedisk *d = arg;

	return (int64_t)d->files[d->fds[fd]].cache_len;
}

static void sync_file(struct file *f)
{
	memcpy(f->disk, f->cache, FILE_MAX);
	f->disk_len = f->cache_len;
	memset(f->dirty, 0, sizeof f->dirty);
}

static int f_sync(void *arg, int fd)
{
	struct fakedisk *d = arg;
	int r = step(d);

	if (r == 0)
		sync_file(&d->files[d->fds[fd]]);
	return r;
}

static int f_rename(void *arg, const char *from, const char *to)
{
	struct fakedisk *d = arg;
	struct name *a = find(d, from), *b;
	int r = step(d);

	if (r < 0)
		return r;
	if (!a || a->cache < 0)
		return -ENOENT;
	b = make_name(d, to);
	b->cache = a->cache;
	a->cache = -1;
	return 0;
}

static int f_unlink(void *arg, const char *text)
{
	struct fakedisk *d = arg;
	struct name *n = find(d, text);
	int r = step(d);

	if (r < 0)
		return r;
	if (!n || n->cache < 0)
		return -ENOENT;
	n->cache = -1;
	return 0;
}

static int f_sync_dir(void *arg)
{
	struct fakedisk *d = arg;
	int r = step(d);

	for (int i = 0; i < NAMES && r == 0; i++)
		d->names[i].disk = d->names[i].cache;
	return r;
}

static int f_list(void *arg, int (*each)(void *each_arg, const char *name),
		  void *each_arg)
{
	struct fakedisk *d = arg;
	int r = 0;

	for (int i = 0; i < NAMES && r == 0; i++) {
		char text[32];

		if (!d->names[i].text[0] || d->names[i].cache < 0)
			continue;
		memcpy(text, d->names[i].text, sizeof text);
		r = each(each_arg, text);
	}
	return r;
}

struct fakedisk *fakedisk_new(uint64_t seed)
{
	struct fakedisk *d = calloc(1, sizeof *d);

	if (!d)
		abort();
	d->io = (struct spool_io){d,        f_open,     f_close, f_pread,
				  f_pwrite, f_size,     f_sync,  f_rename,
				  f_unlink, f_sync_dir, f_list};
	for (int i = 0; i < FDS; i++)
		d->fds[i] = -1;
	d->capacity = UINT64_MAX / 2;
	d->random = seed * 2654435761u + 88172645463325252u;
	return d;
}

void fakedisk_free(struct fakedisk *d)
{
	free(d);
}

const struct spool_io *fakedisk_io(struct fakedisk *d)
{
	return &d->io;
}

unsigned fakedisk_steps(const struct fakedisk *d)
{
	return d->steps;
}

void fakedisk_fail_at(struct fakedisk *d, unsigned n, int error)
{
	d->fail_at = n ? d->steps + n : 0;
	d->fail_errno = error;
}

void fakedisk_crash_at(struct fakedisk *d, unsigned n)
{
	d->crash_at = n ? d->steps + n : 0;
}

bool fakedisk_crashed(const struct fakedisk *d)
{
	return d->crashed;
}

void fakedisk_kill(struct fakedisk *d)
{
	for (int i = 0; i < FDS; i++)
		d->fds[i] = -1;
	d->crashed = false;
	d->crash_at = d->fail_at = 0;
}

static void lose_cache(struct fakedisk *d, struct file *f)
{
	/* the length may have reached the disk, its bytes not */
	if (next_random(d) & 1)
		f->disk_len = f->cache_len;
	for (int s = 0; s < SECTORS; s++)
		if (f->dirty[s] && (next_random(d) & 1))
			memcpy(f->disk + s * SECTOR, f->cache + s * SECTOR,
			       SECTOR);
	memcpy(f->cache, f->disk, FILE_MAX);
	f->cache_len = f->disk_len;
	memset(f->cache + f->cache_len, 0, FILE_MAX - f->cache_len);
	memset(f->dirty, 0, sizeof f->dirty);
}

void fakedisk_power_off(struct fakedisk *d)
{
	fakedisk_kill(d);
	for (int i = 0; i < NAMES; i++) {
		struct name *n = &d->names[i];

		if (n->cache != n->disk && (next_random(d) & 1))
			n->disk = n->cache;
		n->cache = n->disk;
	}
	for (int i = 0; i < FILES; i++)
		if (d->files[i].used)
			lose_cache(d, &d->files[i]);
}

void fakedisk_capacity(struct fakedisk *d, uint64_t bytes)
{
	d->capacity = bytes;
}

static struct file *file_of(struct fakedisk *d, const char *name)
{
	const struct name *n = find(d, name);

	if (!n || n->cache < 0)
		abort();
	return &d->files[n->cache];
}

void fakedisk_damage(struct fakedisk *d, const char *name, uint64_t at)
{
	struct file *f = file_of(d, name);

	f->cache[at] ^= 1;
	sync_file(f);
}

void fakedisk_cut(struct fakedisk *d, const char *name, uint64_t len)
{
	struct file *f = file_of(d, name);

	f->cache_len = len;
	sync_file(f);
}

bool fakedisk_has(const struct fakedisk *d, const char *name)
{
	for (int i = 0; i < NAMES; i++)
		if (strcmp(d->names[i].text, name) == 0 &&
		    d->names[i].cache >= 0)
			return true;
	return false;
}
