/* id.h: names of stacks. */
#ifndef COUPLET_CLIENT_ID_H
#define COUPLET_CLIENT_ID_H

#define ID_HOST (-1000) /* "*": the host's network */

/* Remembers COUPLET_ID for the life of the process. */
void id_keep(void);
/* 0..99, ID_HOST, or -EINVAL. NULL: what COUPLET_ID says. */
int id_parse(const char *id);

#endif
