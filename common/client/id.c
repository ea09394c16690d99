#include "client/id.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int id_parse(const char *id)
{
	if (!id)
		id = getenv("COUPLET_ID");
	if (!id || !*id || strcmp(id, "*") == 0)
		return ID_HOST;
	if (id[0] < '0' || id[0] > '9' || id[1] < '0' || id[1] > '9' || id[2])
		return -EINVAL;
	return (id[0] - '0') * 10 + id[1] - '0';
}
