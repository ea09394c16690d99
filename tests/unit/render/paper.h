/*
 * paper.h: what tests of printd/render share: a writer into memory, and
 * shorthand to print a stream and look at the text.
 */
#ifndef COUPLET_TEST_PAPER_H
#define COUPLET_TEST_PAPER_H

#include "render/text.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

#define PAPER_MAX (1u << 20)

struct paper_out {
	size_t len;
	int fail_after; /* writes before -ENOSPC; 0 = never */
	char text[PAPER_MAX + 1];
};

static inline int paper_write(void *arg, const void *data, size_t len)
{
	struct paper_out *o = arg;

	if (o->fail_after && --o->fail_after == 0)
		return -ENOSPC;
	assert_true(len <= PAPER_MAX - o->len);
	memcpy(o->text + o->len, data, len);
	o->len += len;
	o->text[o->len] = '\0';
	return 0;
}

/* An empty sheet, and a text sink on it. */
static inline struct render_sink paper_sink(struct paper_out *o,
					    struct text_sink *t,
					    const struct text_conf *c)
{
	struct render_writer w = {paper_write, o};

	o->len = 0;
	o->text[0] = '\0';
	o->fail_after = 0;
	text_sink_init(t, c, &w);
	return text_sink_of(t);
}

#endif
