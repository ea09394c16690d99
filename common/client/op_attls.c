/* op_attls.c: SOL_ATTLS. stackd knows what tlsd has told it. */
#include "client/attls.h"
#include "client/op.h"
#include "client/opt.h"

#include <errno.h>
#include <string.h>

int opt_get_attls(int fd, uint64_t t, int name, void *val, socklen_t *len)
{
	struct proto_req rq = {.op = PROTO_ATTLS, .name = name};
	struct attls_info info;
	struct proto_rep rep;
	int r;

	if (t & TAG_DGRAM || name != ATTLS_QUERY)
		return -ENOPROTOOPT;
	r = op_ctl(fd, &t, &rq, &rep, &info, sizeof(info));
	if (r < 0)
		return r;
	if (rep.data_len != sizeof(info))
		return -EOPNOTSUPP;
	*len = MIN(*len, (socklen_t)sizeof(info));
	if (*len)
		memcpy(val, &info, *len);
	return 0;
}
