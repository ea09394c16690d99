/*
 * replay.c: runs a fuzz target without a fuzzer. Every file of the folders
 * and files given is fed once as it is and then MUTATIONS times damaged in a
 * reproducible way (bytes changed, cut, doubled, two seeds spliced), so that
 * plain CTest under the sanitizers meets hostile input too. A single file
 * given as only argument is run as it is: that repeats a finding.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MUTATIONS 200
#define SEED_MAX_BYTES 65536
#define SEEDS_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

struct seed {
	uint8_t *data;
	size_t len;
};

struct corpus {
	struct seed seeds[SEEDS_MAX + 1]; /* one for the empty input */
	size_t n;
};

static uint64_t rnd(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* The target gets memory of exactly `len` bytes, so that ASan sees the
 * first byte read past the end. */
static void run(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		abort();
	if (len)
		memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static int add_file(struct corpus *c, const char *path)
{
	uint8_t *data = malloc(SEED_MAX_BYTES);
	FILE *f = fopen(path, "rb");

	if (!data || !f || c->n == SEEDS_MAX) {
		fprintf(stderr, "%s: cannot be read\n", path);
		free(data);
		if (f)
			fclose(f);
		return -1;
	}
	c->seeds[c->n].len = fread(data, 1, SEED_MAX_BYTES, f);
	c->seeds[c->n++].data = data;
	fclose(f);
	return 0;
}

static int add_folder(struct corpus *c, const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort), r = 0;
	char file[4096];

	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			r |= add_file(c, file);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return r;
}

static size_t mutate(const struct corpus *c, size_t i, uint64_t *state,
		     uint8_t *buf)
{
	size_t len = c->seeds[i].len;
	uint64_t kind = rnd(state) % 8;

	memcpy(buf, c->seeds[i].data, len);
	for (uint64_t k = rnd(state) % 8; len && k > 0; k--)
		buf[rnd(state) % len] = (uint8_t)rnd(state);
	if (kind == 0 && len) {
		len = rnd(state) % len;
	} else if (kind == 1 && 2 * len <= SEED_MAX_BYTES) {
		memcpy(buf + len, buf, len);
		len *= 2;
	} else if (kind == 2 && len) {
		const struct seed *o = &c->seeds[rnd(state) % c->n];
		size_t at = rnd(state) % len;
		size_t n = o->len < SEED_MAX_BYTES - at ? o->len
							: SEED_MAX_BYTES - at;

		memcpy(buf + at, o->data, n);
		len = at + n;
	} else if (kind == 3) {
		while (len < SEED_MAX_BYTES && rnd(state) % 64)
			buf[len++] = (uint8_t)rnd(state);
	}
	return len;
}

static void run_corpus(const struct corpus *c)
{
	uint8_t *buf = malloc(SEED_MAX_BYTES);
	uint64_t state = 1;

	if (!buf)
		abort();
	for (size_t i = 0; i < c->n; i++) {
		run(c->seeds[i].data, c->seeds[i].len);
		for (int m = 0; m < MUTATIONS; m++) {
			size_t len = mutate(c, i, &state, buf);

			run(buf, len);
		}
	}
	free(buf);
}

int main(int argc, char **argv)
{
	struct corpus *c = calloc(1, sizeof(*c));
	struct stat st;
	int r = 0, single = 0;

	if (!c)
		abort();
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		int is_folder = !stat(argv[i], &st) && S_ISDIR(st.st_mode);

		single = argc == 2 && !is_folder;
		if (is_folder)
			r |= add_folder(c, argv[i]);
		else if (!stat(argv[i], &st))
			r |= add_file(c, argv[i]);
	}
	if (single && c->n == 1)
		run(c->seeds[0].data, c->seeds[0].len);
	else {
		c->seeds[c->n].data = calloc(1, 1);
		c->seeds[c->n++].len = 0;
		run_corpus(c);
	}
	printf("%zu seeds\n", c->n);
	while (c->n > 0)
		free(c->seeds[--c->n].data);
	free(c);
	return r ? 1 : 0;
}
