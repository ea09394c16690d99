/* io.c: the real directory behind the spool. */
#include "spool/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct spool_dir {
	int fd;   /* of the directory */
	int lock; /* of its lock file */
	struct spool_io io;
};

static int result(int r)
{
	return r < 0 ? -errno : r;
}

static int io_open(void *arg, const char *name, int flags)
{
	const struct spool_dir *d = arg;

	return result(
		openat(d->fd, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600));
}

static void io_close(void *arg, int fd)
{
	(void)arg;
	close(fd);
}

static ssize_t io_pread(void *arg, int fd, void *buf, size_t len, uint64_t at)
{
	ssize_t n = pread(fd, buf, len, (off_t)at);

	(void)arg;
	return n < 0 ? -errno : n;
}

static ssize_t io_pwrite(void *arg, int fd, const void *buf, size_t len,
			 uint64_t at)
{
	ssize_t n = pwrite(fd, buf, len, (off_t)at);

	(void)arg;
	return n < 0 ? -errno : n;
}

static int64_t io_size(void *arg, int fd)
{
	struct stat st;

	(void)arg;
	return fstat(fd, &st) < 0 ? -errno : st.st_size;
}

static int io_sync(void *arg, int fd)
{
	(void)arg;
	return result(fdatasync(fd));
}

static int io_rename(void *arg, const char *from, const char *to)
{
	const struct spool_dir *d = arg;

	return result(renameat(d->fd, from, d->fd, to));
}

static int io_unlink(void *arg, const char *name)
{
	const struct spool_dir *d = arg;

	return result(unlinkat(d->fd, name, 0));
}

static int io_sync_dir(void *arg)
{
	const struct spool_dir *d = arg;

	return result(fsync(d->fd));
}

static int io_list(void *arg, int (*each)(void *each_arg, const char *name),
		   void *each_arg)
{
	const struct spool_dir *d = arg;
	int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r = 0;

	if (!dir) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	for (const struct dirent *e; r == 0 && (e = readdir(dir));)
		if (e->d_name[0] != '.')
			r = each(each_arg, e->d_name);
	closedir(dir);
	return r;
}

int spool_dir_open(const char *path, struct spool_dir **ret)
{
	struct spool_dir *d = calloc(1, sizeof *d);
	int r = 0;

	if (!d)
		return -ENOMEM;
	d->lock = -1;
	d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->fd >= 0)
		d->lock =
			openat(d->fd, "lock",
			       O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->fd < 0 || d->lock < 0 || flock(d->lock, LOCK_EX | LOCK_NB) < 0)
		r = -errno;
	if (r < 0) {
		spool_dir_close(d);
		return r;
	}
	d->io = (struct spool_io){d,         io_open,     io_close, io_pread,
				  io_pwrite, io_size,     io_sync,  io_rename,
				  io_unlink, io_sync_dir, io_list};
	*ret = d;
	return 0;
}

void spool_dir_close(struct spool_dir *d)
{
	if (!d)
		return;
	if (d->lock >= 0)
		close(d->lock);
	if (d->fd >= 0)
		close(d->fd);
	free(d);
}

const struct spool_io *spool_dir_io(const struct spool_dir *d)
{
	return &d->io;
}

uint64_t spool_dir_free_bytes(const struct spool_dir *d)
{
	struct statvfs v;

	return fstatvfs(d->fd, &v) < 0 ? 0 : (uint64_t)v.f_bavail * v.f_frsize;
}
