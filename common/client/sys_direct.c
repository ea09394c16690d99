/* sys_direct.c: sys.h for programs that link libcouplet. */
#include "client/sys.h"

#include <sys/ioctl.h>
#include <unistd.h>

#define SYS_DIRECT(ret, name, params, args) \
	ret sys_##name params \
	{ \
		return name args; \
	}
SYS_LIST(SYS_DIRECT)
