#include "msg/msg.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct msg_def table[] = {
#include "msg_table.inc"
};

static_assert(ARRAY_SIZE(table) == MSG__COUNT, "catalogue and enum differ");

const struct msg_def *msg_get(enum msg_id id)
{
	INVARIANT((unsigned)id < MSG__COUNT);
	return &table[id];
}

int msg_find(const char *text, enum msg_id *ret)
{
	for (size_t i = 0; i < MSG__COUNT; i++) {
		if (strcasecmp(table[i].id, text) == 0) {
			*ret = (enum msg_id)i;
			return 0;
		}
	}
	return -ENOENT;
}

int msg_priority(enum msg_id id)
{
	switch (msg_get(id)->severity) {
	case MSG_ACTION:
		return 2;
	case MSG_ERROR:
		return 3;
	case MSG_WARNING:
		return 4;
	case MSG_INFO:
		break;
	}
	return 6;
}

int msg_vformat(char *buf, size_t len, enum msg_id id, va_list ap)
{
	const struct msg_def *def = msg_get(id);
	size_t used;

	if (len == 0)
		return 0;
	snprintf(buf, len, "%s ", def->id);
	used = strlen(buf);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	/* callers are checked by MSG_CHECK against the same pattern */
	vsnprintf(buf + used, len - used, def->text, ap);
#pragma GCC diagnostic pop
	used += strlen(buf + used);
	/* one message is one line, whatever a peer's name or a path holds */
	for (size_t i = 0; i < used; i++) {
		if ((unsigned char)buf[i] < 0x20 || buf[i] == 0x7f)
			buf[i] = '?';
	}
	return (int)used;
}

int msg_format_unchecked(char *buf, size_t len, enum msg_id id, ...)
{
	va_list ap;
	int n;

	va_start(ap, id);
	n = msg_vformat(buf, len, id, ap);
	va_end(ap);
	return n;
}
