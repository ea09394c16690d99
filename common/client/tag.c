#include "client/tag.h"

#include "client/sys.h"

#include <errno.h>

bool tag_get(int fd, uint64_t *ret)
{
	uint64_t t = 0;
	socklen_t l = sizeof(t);
	int e = errno;

	if (sys_getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &t, &l) < 0) {
		errno = e;
		return false;
	}
	*ret = t;
	return l == sizeof(t) && t >> 48 == TAG_MAGIC;
}

void tag_put(int fd, uint64_t tag)
{
	(void)!sys_setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &tag,
			      sizeof(tag));
}
