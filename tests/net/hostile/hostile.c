/*
 * hostile: what a stranger throws at a stack, as fast as it can, over the
 * host's side of its interface. For tests in namespaces of their own.
 *
 *   hostile syn IFNAME DST PORT RATE SECONDS   SYNs from spoofed addresses
 *   hostile garbage IFNAME DST SECONDS         random bytes, some behind a
 *                                              right IPv4 header
 *   hostile mutate IFNAME SECONDS              what passes on the interface,
 *                                              sent again with one 16-bit
 *                                              word changed
 *
 * A word changed under the old checksum never gives a segment that a stack
 * may take for its peer's. Prints "sent N in S s, R/s".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define FRAME 2048

struct sender {
	int fd;
	struct sockaddr_ll to;
	uint8_t buf[BATCH][FRAME];
	struct iovec iov[BATCH];
	struct mmsghdr msg[BATCH];
	uint64_t sent, rng;
	double start, end;
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Fixed seed: a run that finds something can be repeated. */
static uint32_t rnd(struct sender *s)
{
	s->rng ^= s->rng << 13;
	s->rng ^= s->rng >> 7;
	s->rng ^= s->rng << 17;
	return (uint32_t)(s->rng >> 16);
}

static void open_sender(struct sender *s, const char *ifname, double seconds)
{
	struct sockaddr_ll at;

	s->fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	if (s->fd < 0)
		die("socket");
	s->to = (struct sockaddr_ll){.sll_family = AF_PACKET,
				     .sll_protocol = htons(ETH_P_IP),
				     .sll_ifindex =
					     (int)if_nametoindex(ifname)};
	if (!s->to.sll_ifindex)
		die(ifname);
	/* only who asks for all protocols sees what goes out */
	at = s->to;
	at.sll_protocol = htons(ETH_P_ALL);
	if (bind(s->fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		die("bind");
	for (int i = 0; i < BATCH; i++) {
		s->iov[i].iov_base = s->buf[i];
		s->msg[i].msg_hdr.msg_iov = &s->iov[i];
		s->msg[i].msg_hdr.msg_iovlen = 1;
		s->msg[i].msg_hdr.msg_name = &s->to;
		s->msg[i].msg_hdr.msg_namelen = sizeof(s->to);
	}
	s->rng = 88172645463325252u;
	s->start = now_s();
	s->end = s->start + seconds;
}

static void flush(struct sender *s, unsigned n)
{
	int r = sendmmsg(s->fd, s->msg, n, 0);

	/* a full queue is what a flood is about */
	if (r > 0)
		s->sent += (uint64_t)r;
	else if (r < 0 && errno != ENOBUFS && errno != EAGAIN &&
		 errno != EINVAL && errno != EMSGSIZE)
		die("sendmmsg");
}

static void report(const struct sender *s)
{
	double took = now_s() - s->start;

	printf("sent %llu in %.1f s, %.0f/s\n", (unsigned long long)s->sent,
	       took, (double)s->sent / took);
}

/* ---- checksums ---- */

static uint32_t sum(const uint8_t *p, size_t n, uint32_t v)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		v += (uint32_t)(p[i] << 8 | p[i + 1]);
	return v;
}

static void put_sum(uint8_t *at, uint32_t v)
{
	while (v >> 16)
		v = (v & 0xffff) + (v >> 16);
	at[0] = (uint8_t)(~v >> 8);
	at[1] = (uint8_t)~v;
}

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static void ipv4(uint8_t *b, uint32_t src, uint32_t dst, uint8_t proto,
		 uint16_t len)
{
	memset(b, 0, 20);
	b[0] = 0x45;
	b[2] = (uint8_t)(len >> 8);
	b[3] = (uint8_t)len;
	b[8] = 64;
	b[9] = proto;
	put32(b + 12, src);
	put32(b + 16, dst);
	put_sum(b + 10, sum(b, 20, 0));
}

/* ---- what is sent ---- */

static uint32_t address(const char *text)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1)
		die(text);
	return ntohl(a.s_addr);
}

/* From 198.18.0.0/15, the range for such things. */
static size_t build_syn(struct sender *s, uint8_t *b, uint32_t dst,
			uint16_t port)
{
	uint32_t src = 0xc6120000u | (rnd(s) & 0x1ffff);
	uint8_t *t = b + 20;
	uint16_t sport = (uint16_t)(1024 + rnd(s) % 60000);

	ipv4(b, src, dst, 6, 48);
	memset(t, 0, 28);
	put32(t, (uint32_t)sport << 16 | port);
	put32(t + 4, rnd(s));
	put32(t + 12, 7u << 28 | 2u << 16 | 65535u);
	put32(t + 20, 0x020405b4);
	put32(t + 24, 0x01010402);
	put_sum(t + 16, sum(t, 28, sum(b + 12, 8, 6 + 28)));
	return 48;
}

static void flood(struct sender *s, uint32_t dst, uint16_t port, double rate)
{
	while (now_s() < s->end) {
		double due = (now_s() - s->start) * rate;

		if ((double)s->sent >= due) {
			usleep(500);
			continue;
		}
		for (unsigned i = 0; i < BATCH; i++)
			s->iov[i].iov_len = build_syn(s, s->buf[i], dst, port);
		flush(s, BATCH);
	}
}

static size_t build_garbage(struct sender *s, uint8_t *b, uint32_t dst)
{
	static const uint8_t protos[] = {1, 2, 6, 17, 41, 47, 58, 255};
	size_t len = 20 + rnd(s) % 1400;

	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)rnd(s);
	if (rnd(s) & 3)
		ipv4(b, 0xc6120000u | (rnd(s) & 0x1ffff), dst,
		     protos[rnd(s) % sizeof(protos)], (uint16_t)len);
	else
		b[0] = (uint8_t)(rnd(s) & 1 ? 0x45 : 0x60);
	if (rnd(s) % 8 == 0) {
		b[6] = (uint8_t)(rnd(s) & 0x3f); /* some fragments */
		b[10] = b[11] = 0;
		put_sum(b + 10, sum(b, 20, 0));
	}
	return len;
}

static void garbage(struct sender *s, uint32_t dst)
{
	while (now_s() < s->end) {
		for (unsigned i = 0; i < BATCH; i++)
			s->iov[i].iov_len = build_garbage(s, s->buf[i], dst);
		flush(s, BATCH);
		usleep(2000); /* the transfer beside it is what is tested */
	}
}

/* One word behind the link layer, never with its complement of zero, which
 * the checksum could not tell. */
static void change(struct sender *s, uint8_t *b, size_t len)
{
	size_t at = rnd(s) % (len / 2) * 2;
	uint16_t old = (uint16_t)(b[at] << 8 | b[at + 1]), v;

	do
		v = (uint16_t)rnd(s);
	while (v == old || (v ^ old) == 0xffff);
	b[at] = (uint8_t)(v >> 8);
	b[at + 1] = (uint8_t)v;
}

static void mutate(struct sender *s)
{
	while (now_s() < s->end) {
		struct pollfd p = {.fd = s->fd, .events = POLLIN};
		struct sockaddr_ll from;
		socklen_t n = sizeof(from);
		ssize_t len;

		if (poll(&p, 1, 100) <= 0)
			continue;
		len = recvfrom(s->fd, s->buf[0], FRAME, MSG_TRUNC,
			       (struct sockaddr *)&from, &n);
		/* towards the stack only; frames that offloads made large
		 * are none of a wire */
		if (len < 20 || len > 1600 ||
		    from.sll_pkttype != PACKET_OUTGOING || rnd(s) % 4)
			continue;
		change(s, s->buf[0], (size_t)len);
		s->iov[0].iov_len = (size_t)len;
		flush(s, 1);
	}
}

int main(int argc, char **argv)
{
	static struct sender s;

	if (argc == 7 && strcmp(argv[1], "syn") == 0) {
		open_sender(&s, argv[2], strtod(argv[6], NULL));
		flood(&s, address(argv[3]),
		      (uint16_t)strtoul(argv[4], NULL, 10),
		      strtod(argv[5], NULL));
	} else if (argc == 5 && strcmp(argv[1], "garbage") == 0) {
		open_sender(&s, argv[2], strtod(argv[4], NULL));
		garbage(&s, address(argv[3]));
	} else if (argc == 4 && strcmp(argv[1], "mutate") == 0) {
		open_sender(&s, argv[2], strtod(argv[3], NULL));
		mutate(&s);
	} else {
		fprintf(stderr, "hostile: see the source for its arguments\n");
		return 2;
	}
	report(&s);
	return 0;
}
