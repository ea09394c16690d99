/*
 * test_platform: does this kernel behave as the socket contract assumes?
 * With a name, runs one probe; without, all of them as stackd does at start.
 */
#include "api/api.h"
#include "api/selftest.h"

#include <stdio.h>
#include <string.h>

static int run_one(const char *name)
{
	size_t n;
	const struct api_probe *p = api_probes(&n);
	char err[256] = "";

	for (size_t i = 0; i < n; i++) {
		if (strcmp(p[i].name, name))
			continue;
		if (p[i].run(err, sizeof(err)) == 0)
			return 0;
		fprintf(stderr, "%s: %s\n%s\n", name, p[i].claim, err);
		return 1;
	}
	fprintf(stderr, "no probe named %s\n", name);
	return 1;
}

int main(int argc, char **argv)
{
	char err[512] = "";

	if (argc > 1)
		return run_one(argv[1]);
	if (api_selftest(err, sizeof(err)) == 0)
		return 0;
	fprintf(stderr, "%s\n", err);
	return 1;
}
