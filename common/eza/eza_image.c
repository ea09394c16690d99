/*
 * eza_image.c: GETIBMOPT, which tells what stacks there are.
 */
#include "eza/eza.h"

#include "client/couplet.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_IMAGES 1
#define IMAGES_MAX 8
#define IMAGE 12 /* status and version, halfwords; name, 8 bytes */
#define ACTIVE 0x8000
#define DOWN 0x2000
#define VERSION 0x0100
#define STACKS 100 /* of two digits */

static void put_image(unsigned char *buf, int n, int status, const char *id)
{
	unsigned char *b = buf + 4 + (size_t)n * IMAGE;
	char name[16];

	eza_put16(b, status);
	eza_put16(b + 2, VERSION);
	/* as INITAPI takes it for TCPNAME */
	snprintf(name, sizeof(name), "STACK%.2s ", id);
	memcpy(b + 4, name, 8);
}

/* COMMAND, BUF (100 bytes). The program's own stack comes first. */
long eza_getibmopt(const struct eza_call *c)
{
	const char *own = eza_stack();
	unsigned char *buf = c->a[1];
	char id[3] = "", first[4] = "";
	int n = 0;

	if (eza_get32(c->a[0]) != COMMAND_IMAGES)
		return -EOPNOTSUPP;
	memset(buf, 0, 4 + IMAGES_MAX * IMAGE);
	if (!own)
		own = getenv("COUPLET_ID");
	if (own && isdigit((unsigned char)own[0]) &&
	    isdigit((unsigned char)own[1]) && !own[2]) {
		memcpy(first, own, 3);
		put_image(buf, n++, couplet_running(first) ? ACTIVE : DOWN,
			  first);
	}
	for (int i = 0; i < STACKS && n < IMAGES_MAX; i++) {
		id[0] = (char)('0' + i / 10);
		id[1] = (char)('0' + i % 10);
		if (strcmp(id, first) != 0 && couplet_running(id))
			put_image(buf, n++, ACTIVE, id);
	}
	eza_put32(buf, n);
	return 0;
}
