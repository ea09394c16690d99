/*
 * fuzz_upgrade.c: the machines of common/upgrade. The first byte chooses
 * protocol, role and need; then pieces: a byte whose low bit says the side and
 * whose rest says the length, and the bytes. Laws: taken and given bytes stay
 * within the limits, TLS_NOW is left only by upgrade_secured(), and nothing
 * of a client's clear bytes reaches the program before TLS if it is required.
 */
#include "upgrade/upgrade.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drain(struct upgrade *u, const struct upgrade_spec *s)
{
	uint8_t buf[UPGRADE_BUF_MAX];
	enum upgrade_verdict v = upgrade_verdict(u);
	size_t n = upgrade_output(u, UPGRADE_CLEAR, buf, sizeof buf);

	if (n && s->required && s->role == UPGRADE_SERVER &&
	    v != UPGRADE_SECURE)
		abort(); /* the program heard clear bytes of the wire */
	(void)!upgrade_output(u, UPGRADE_WIRE, buf, sizeof buf);
	if (v == UPGRADE_STAY_CLEAR && s->required)
		abort();
	if ((v == UPGRADE_FAILED) != (upgrade_why(u)[0] != '\0'))
		abort();
}

static bool feed(struct upgrade *u, enum upgrade_side side, const uint8_t *p,
		 size_t n)
{
	size_t took = upgrade_input(u, side, p, n);

	if (took > n)
		abort();
	if (upgrade_verdict(u) != UPGRADE_TLS_NOW)
		return took == n;
	if (upgrade_input(u, side, p, n) != 0)
		abort();
	upgrade_secured(u);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct upgrade_spec s;
	struct upgrade *u;
	size_t at = 1;

	if (size < 1)
		return 0;
	s = (struct upgrade_spec){.proto = data[0] % 6,
				  .role = data[0] & 64 ? UPGRADE_CLIENT
						       : UPGRADE_SERVER,
				  .required = data[0] & 128};
	if (upgrade_new(&s, &u) < 0)
		return 0;
	drain(u, &s);
	while (at < size) {
		enum upgrade_side side = data[at] & 1;
		size_t n = MIN((size_t)(data[at] >> 1), size - at - 1);
		bool more = feed(u, side, data + at + 1, n);

		drain(u, &s);
		if (!more)
			break;
		at += 1 + n;
	}
	upgrade_free(u);
	return 0;
}
