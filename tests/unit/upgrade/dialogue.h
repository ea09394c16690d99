/*
 * dialogue.h: scripts for the machines of common/upgrade.
 */
#ifndef COUPLET_TEST_DIALOGUE_H
#define COUPLET_TEST_DIALOGUE_H

#include "unit.h"
#include "upgrade/upgrade.h"

#include <string.h>

/* A machine; upgrade_free(). */
static inline struct upgrade *begin(enum upgrade_proto p, enum upgrade_role r,
				    bool required)
{
	struct upgrade_spec s = {.proto = p,
				 .role = r,
				 .required = required,
				 .name = "our.test"};
	struct upgrade *u;

	assert_int_equal(upgrade_new(&s, &u), 0);
	return u;
}

/* All of these bytes are taken. */
static inline void hears_bytes(struct upgrade *u, enum upgrade_side from,
			       const void *bytes, size_t len)
{
	assert_int_equal(upgrade_input(u, from, bytes, len), len);
}

static inline void hears(struct upgrade *u, enum upgrade_side from,
			 const char *text)
{
	hears_bytes(u, from, text, strlen(text));
}

/* Exactly these bytes come out. */
static inline void says_bytes(struct upgrade *u, enum upgrade_side to,
			      const void *bytes, size_t len)
{
	uint8_t buf[2 * UPGRADE_BUF_MAX];
	size_t n = upgrade_output(u, to, buf, sizeof buf);

	assert_int_equal(n, len);
	assert_memory_equal(buf, bytes, len);
	assert_int_equal(upgrade_output(u, to, buf, sizeof buf), 0);
}

static inline void says(struct upgrade *u, enum upgrade_side to,
			const char *text)
{
	uint8_t buf[2 * UPGRADE_BUF_MAX + 1];
	size_t n = upgrade_output(u, to, buf, sizeof buf - 1);

	buf[n] = '\0';
	assert_string_equal((char *)buf, text);
}

/* The verdict; FAILED with these words in the reason. */
static inline void fails(struct upgrade *u, const char *words)
{
	assert_int_equal(upgrade_verdict(u), UPGRADE_FAILED);
	if (!strstr(upgrade_why(u), words))
		fail_msg("\"%s\" is not in \"%s\"", words, upgrade_why(u));
}

static inline void is(struct upgrade *u, enum upgrade_verdict v)
{
	if (upgrade_verdict(u) != v)
		fail_msg("verdict %d, not %d: %s", (int)upgrade_verdict(u),
			 (int)v, upgrade_why(u));
}

#endif
