/*
 * op_epoll.c: a socket whose connect() failed gets a fresh object under its
 * number when it connects again, and epoll would forget it. The kernel tells
 * what every epoll set of this process watches (/proc/self/fdinfo), so the
 * registrations are made again.
 */
#include "client/op.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SETS_MAX 16

struct op_epoll {
	size_t n;
	struct {
		int set;
		struct epoll_event ev;
	} reg[SETS_MAX];
};

static bool is_epoll(pid_t pid, int fd)
{
	char path[48], what[40];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	n = readlink(path, what, sizeof(what) - 1);
	what[n > 0 ? n : 0] = '\0';
	return strcmp(what, "anon_inode:[eventpoll]") == 0;
}

/* "tfd:        5 events:       1d data:        5  pos:0 ino:..." */
static bool find_in(pid_t pid, int set, int fd, struct epoll_event *ret)
{
	char path[64], line[256];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, set);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f)) {
		unsigned events;
		uint64_t data;
		int tfd;

		if (sscanf(line, "tfd: %d events: %x data: %" SCNx64, &tfd,
			   &events, &data) != 3 ||
		    tfd != fd)
			continue;
		ret->events = events;
		ret->data.u64 = data;
		found = true;
	}
	if (f)
		fclose(f);
	return found;
}

struct op_epoll *op_epoll_save(pid_t pid, int fd)
{
	struct op_epoll *e = NULL;
	struct dirent *de;
	char path[32];
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	while (d && (de = readdir(d))) {
		struct epoll_event ev = {0};
		int set = (int)strtol(de->d_name, NULL, 10);

		if (de->d_name[0] == '.' || !is_epoll(pid, set) ||
		    !find_in(pid, set, fd, &ev))
			continue;
		if (!e)
			e = calloc(1, sizeof(*e));
		if (!e || e->n == SETS_MAX)
			break;
		e->reg[e->n].set = set;
		e->reg[e->n++].ev = ev;
	}
	if (d)
		closedir(d);
	return e;
}

bool op_epoll_get(const struct op_epoll *e, size_t i, int *ret_set,
		  struct epoll_event *ret)
{
	if (!e || i >= e->n)
		return false;
	*ret_set = e->reg[i].set;
	*ret = e->reg[i].ev;
	return true;
}

void op_epoll_restore(struct op_epoll *e, int fd)
{
	int err = errno;

	for (size_t i = 0; e && i < e->n; i++)
		(void)!epoll_ctl(e->reg[i].set, EPOLL_CTL_ADD, fd,
				 &e->reg[i].ev);
	free(e);
	errno = err;
}
