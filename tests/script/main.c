/*
 * script_engine [-o RESULTS] FILE...    each script, a line for each failure
 * script_live   [-o RESULTS] FILE...
 *
 * -c FOLDER in front: each script's packets as a seed of fuzz_frames.
 *
 * RESULTS gets one line a script: "ok FOLDER/NAME" or "FAIL FOLDER/NAME ...".
 * Exit 0: all passed; 77: none was meant for this program; else 1.
 */
#include "script.h"

#include <stdio.h>
#include <string.h>

#ifdef SCRIPT_LIVE
#define DOOR live_door
#else
#define DOOR engine_door
#endif

/* "FOLDER/NAME" of ".../FOLDER/NAME.pkt", as the CTest entries are called. */
static void note(FILE *out, const char *path, int r)
{
	const char *name = strrchr(path, '/');

	while (name && name > path && name[-1] != '/')
		name--;
	if (!name)
		name = path;
	if (out && r != 77)
		fprintf(out, "%s %.*s\n", r ? "FAIL" : "ok",
			(int)strcspn(name, "."), name);
}

int main(int argc, char **argv)
{
	int failed = 0, passed = 0, first = 1;
	FILE *out = NULL;

	if (argc > 2 && strcmp(argv[1], "-c") == 0) {
		script_seeds = argv[2];
		first = 3;
	} else if (argc > 2 && strcmp(argv[1], "-o") == 0) {
		out = fopen(argv[2], "w");
		if (!out) {
			perror(argv[2]);
			return 1;
		}
		first = 3;
	}
	for (int i = first; i < argc; i++) {
		unsigned number = script_seeds ? 1 : (unsigned)(i % 10000);
		int r = script_run(argv[i], &DOOR, number);

		failed += r == 1;
		passed += r == 0;
		note(out, argv[i], r);
	}
	if (out && fclose(out) != 0)
		failed++;
	printf("%d passed, %d failed, %d left out\n", passed, failed,
	       argc - first - passed - failed);
	return failed ? 1 : passed ? 0 : 77;
}
