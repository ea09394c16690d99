/*
 * stream.c: one TCP stream.
 *
 *    stream listen|connect send|recv ADDR PORT BYTES [hash]
 *
 * Sends BYTES, or receives until the end. A connecting receiver sends one
 * byte first and a listening sender waits for it: pasta forwards nothing to a
 * client that has not spoken. With "hash" the data differ
 * everywhere and both sides compute a checksum that depends on value and
 * position; without, nothing but the copy is measured. Prints one line
 * "BYTES SECONDS HASH". The time runs from the first byte to the last as the
 * receiver sees them.
 */
#include "tool.h"

#define CHUNK 262144u

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9fb21c651e98df25u;
	return h ^ (h >> 32);
}

struct sum {
	uint64_t h[4];
	uint8_t part[32];
	size_t n;
};

static void sum_block(struct sum *s, const uint8_t *p)
{
	uint64_t w[4];

	memcpy(w, p, sizeof(w));
	for (int i = 0; i < 4; i++)
		s->h[i] = mix(s->h[i], w[i]);
}

/* In any division into parts the same sum. */
static void sum_add(struct sum *s, const uint8_t *p, size_t len)
{
	while (len > 0 && (s->n > 0 || len < sizeof(s->part))) {
		s->part[s->n++] = *p++;
		len--;
		if (s->n == sizeof(s->part)) {
			sum_block(s, s->part);
			s->n = 0;
		}
	}
	for (; len >= sizeof(s->part); len -= sizeof(s->part)) {
		sum_block(s, p);
		p += sizeof(s->part);
	}
	if (len > 0) {
		memcpy(s->part, p, len);
		s->n = len;
	}
}

static uint64_t sum_end(const struct sum *s)
{
	uint64_t h = s->n;

	for (size_t i = 0; i < s->n; i++)
		h = mix(h, s->part[i]);
	for (int i = 0; i < 4; i++)
		h = mix(h, s->h[i]);
	return h;
}

static void fill(uint8_t *buf, uint64_t at)
{
	uint64_t *w = (uint64_t *)(void *)buf;

	for (size_t i = 0; i < CHUNK / sizeof(*w); i++)
		w[i] = (at + i) * 0x9e3779b97f4a7c15u;
}

static void report(uint64_t bytes, uint64_t ns, const struct sum *s)
{
	printf("%llu %.6f %016llx\n", (unsigned long long)bytes,
	       (double)ns / 1e9, (unsigned long long)sum_end(s));
}

static void send_all(int fd, uint8_t *buf, uint64_t bytes, bool hash)
{
	struct sum s = {0};
	uint64_t at = 0, start = tool_now_ns();

	while (at < bytes) {
		size_t n = bytes - at < CHUNK ? (size_t)(bytes - at) : CHUNK;
		size_t done = 0;

		if (hash) {
			fill(buf, at);
			sum_add(&s, buf, n);
		}
		while (done < n) {
			ssize_t r = send(fd, buf + done, n - done, 0);

			if (r < 0)
				tool_die("send after %llu bytes",
					 (unsigned long long)at);
			done += (size_t)r;
		}
		at += n;
	}
	if (shutdown(fd, SHUT_WR) < 0)
		tool_die("shutdown");
	while (recv(fd, buf, CHUNK, 0) > 0)
		;
	report(at, tool_now_ns() - start, &s);
}

static void recv_all(int fd, uint8_t *buf, bool hash)
{
	struct sum s = {0};
	uint64_t at = 0, start = 0;

	for (;;) {
		ssize_t n = recv(fd, buf, CHUNK, 0);

		if (n < 0)
			tool_die("recv after %llu bytes",
				 (unsigned long long)at);
		if (n == 0)
			break;
		if (at == 0)
			start = tool_now_ns();
		if (hash)
			sum_add(&s, buf, (size_t)n);
		at += (uint64_t)n;
	}
	report(at, tool_now_ns() - start, &s);
}

static void first_byte(int fd, bool listening, bool sending)
{
	char c = 'g';

	if (listening && sending && recv(fd, &c, 1, 0) != 1)
		tool_die("first byte");
	if (!listening && !sending && send(fd, &c, 1, 0) != 1)
		tool_die("first byte");
}

int main(int argc, char **argv)
{
	struct tool_addr a;
	uint8_t *buf = aligned_alloc(4096, CHUNK);
	bool hash = argc > 6 && strcmp(argv[6], "hash") == 0;
	int fd;

	if (argc < 6 || !buf) {
		fprintf(stderr, "stream listen|connect send|recv ADDR PORT "
				"BYTES [hash]\n");
		return 2;
	}
	memset(buf, 'x', CHUNK);
	a = tool_addr(argv[3], argv[4]);
	if (strcmp(argv[1], "listen") == 0) {
		int l = tool_listen(&a);

		printf("ready\n");
		fflush(stdout);
		fd = accept(l, NULL, NULL);
		if (fd < 0)
			tool_die("accept");
		close(l);
	} else {
		fd = tool_connect(&a);
	}
	first_byte(fd, strcmp(argv[1], "listen") == 0,
		   strcmp(argv[2], "send") == 0);
	if (strcmp(argv[2], "send") == 0)
		send_all(fd, buf, tool_number(argv[5]), hash);
	else
		recv_all(fd, buf, hash);
	close(fd);
	free(buf);
	return 0;
}
