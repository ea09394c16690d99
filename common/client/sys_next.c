/* sys_next.c: sys.h for the preload library. */
#include "client/sys.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* Two threads may both look: they find the same. */
static void *find(_Atomic(void *) *at, const char *name)
{
	static const char msg[] =
		"libcouplet-preload: libc lacks a socket function\n";
	void *p = atomic_load_explicit(at, memory_order_acquire);
	int e = errno;

	if (p)
		return p;
	p = dlsym(RTLD_NEXT, name);
	errno = e;
	if (!p) {
		(void)!write(STDERR_FILENO, msg, sizeof(msg) - 1);
		abort();
	}
	atomic_store_explicit(at, p, memory_order_release);
	return p;
}

#define SYS_NEXT(ret, name, params, args) \
	ret sys_##name params \
	{ \
		static _Atomic(void *) at; \
		union { \
			void *p; \
			ret(*f) params; \
		} u = {.p = find(&at, #name)}; \
		return u.f args; \
	}
SYS_LIST(SYS_NEXT)
