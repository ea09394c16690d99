#include "client/id.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Programs like nginx empty their environment. */
static char kept[8];

void id_keep(void)
{
	const char *id = getenv("COUPLET_ID");

	if (id)
		snprintf(kept, sizeof(kept), "%s", id);
}

int id_parse(const char *id)
{
	if (!id)
		id = *kept ? kept : getenv("COUPLET_ID");
	if (!id || !*id || strcmp(id, "*") == 0)
		return ID_HOST;
	if (id[0] < '0' || id[0] > '9' || id[1] < '0' || id[1] > '9' || id[2])
		return -EINVAL;
	return (id[0] - '0') * 10 + id[1] - '0';
}
