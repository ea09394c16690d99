/*
 * A trace collects blocks in a buffer of its own and writes them to the file
 * when the buffer is half full and whenever the loop is idle. The file holds
 * whole blocks at any time that a write ends; when one fails (disk full,
 * file size limit) the file is cut back to the last whole block, so that
 * every reader can use it, and the trace is over.
 */
#include "osa/trace.h"

#include "osa/filter.h"
#include "osa/pcapng.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TRACE_PORTS_MAX 64u
#define TRACE_BUFFER (256u << 10)
#define TRACE_FLUSH (128u << 10)
#define TRACE_SNAPLEN 262144u /* "all", as tcpdump says it */
#define ETHER_LEN 14u

struct osa_trace {
	int fd, error;
	struct osa_trace_filter filter;
	struct osa_port *ports[TRACE_PORTS_MAX];
	uint32_t n_ports;
	bool mixed;  /* IP ports get an Ethernet header, see link_type() */
	off_t start; /* end of the file as we found it; -1: a pipe */
	uint64_t packets, dropped;
	uint64_t bytes, written; /* taken in; out in the file */
	size_t used;
	uint8_t buf[TRACE_BUFFER];
};

/* One packet on its way into the trace. */
struct item {
	struct osa_port *p;
	const struct iovec *iov;
	int n_iov;
	uint32_t len;
	bool outbound;
};

static void detach(struct osa_trace *t)
{
	for (uint32_t i = 0; i < t->n_ports; i++)
		if (t->ports[i])
			t->ports[i]->trace = NULL;
}

/* Cuts the file back to whole blocks after `done` bytes of the buffer went
 * out, and counts the packets that are lost with the rest. */
static void cut_back(struct osa_trace *t, size_t done)
{
	uint32_t type, len;
	size_t at = 0;
	off_t whole = 0;

	if (t->start < 0) { /* a pipe may have taken half a block before */
		t->used = 0;
		return;
	}
	while (pcapng_block(t->buf + at, t->used - at, &type, &len)) {
		at += len;
		if (at <= done)
			whole = (off_t)at;
		else if (type == PCAPNG_EPB_TYPE) {
			t->packets--;
			t->dropped++;
		}
	}
	t->bytes -= t->used - (size_t)whole;
	if (done > (size_t)whole &&
	    ftruncate(t->fd, t->start + (off_t)t->written + whole) < 0)
		t->error = t->error ? t->error : -errno;
	t->written += (uint64_t)whole;
	t->used = 0;
}

static void flush(struct osa_trace *t)
{
	size_t done = 0;

	while (done < t->used && !t->error) {
		ssize_t n = write(t->fd, t->buf + done, t->used - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN)
			break; /* a pipe: the rest stays, or is dropped */
		else if (errno != EINTR)
			t->error = -errno;
	}
	if (t->error) {
		cut_back(t, done);
		detach(t);
		return;
	}
	memmove(t->buf, t->buf + done, t->used - done);
	t->used -= done;
	t->written += done;
}

void osa_trace_flush(struct osa_trace *t)
{
	if (t->used > 0 && !t->error)
		flush(t);
}

/* libpcap reads only sections whose interfaces are all of one type, so when
 * the ports differ every packet gets an Ethernet header. */
static uint16_t link_type(const struct osa_trace *t, const struct osa_port *p)
{
	return p->eth || t->mixed ? PCAPNG_ETHERNET : PCAPNG_RAW;
}

/* The first `max` bytes of a packet in pieces; the number copied. */
static uint32_t gather(const struct item *it, uint8_t *dst, uint32_t max)
{
	uint32_t at = 0;

	for (int i = 0; i < it->n_iov && at < max; i++) {
		uint32_t n = (uint32_t)MIN(it->iov[i].iov_len, max - at);

		memcpy(dst + at, it->iov[i].iov_base, n);
		at += n;
	}
	return at;
}

static bool wanted(const struct osa_trace *t, const struct item *it)
{
	uint8_t head[FILTER_HEAD];
	uint32_t n = gather(it, head, sizeof(head));

	return filter_match(&t->filter, head, n, it->p->eth);
}

static uint64_t wall_clock_ns(void)
{
	struct timespec ts = {0};

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Room for `need` bytes in buffer and file, or the packet is lost. */
static bool make_room(struct osa_trace *t, size_t need)
{
	if (t->filter.max_bytes && t->bytes + need > t->filter.max_bytes) {
		flush(t);
		t->error = t->error ? t->error : -EFBIG;
		detach(t);
		return false;
	}
	if (t->used + need > TRACE_BUFFER)
		flush(t);
	return !t->error && t->used + need <= TRACE_BUFFER;
}

static void take(struct osa_trace *t, const struct item *it)
{
	bool fake_eth = t->mixed && !it->p->eth;
	uint32_t orig = it->len + (fake_eth ? ETHER_LEN : 0);
	uint32_t snap = t->filter.snaplen ? t->filter.snaplen : TRACE_SNAPLEN;
	uint32_t cap = MIN(orig, snap);
	uint8_t *b, *data;

	if (!wanted(t, it))
		return;
	if (!make_room(t, PCAPNG_EPB_HEAD + cap + PCAPNG_EPB_TAIL_MAX)) {
		t->dropped++;
		return;
	}
	b = t->buf + t->used;
	pcapng_epb_head(b, it->p->trace_if, wall_clock_ns(), cap, orig);
	data = b + PCAPNG_EPB_HEAD;
	if (fake_eth) {
		uint8_t eth[ETHER_LEN] = {0};
		uint8_t first = 0;

		(void)gather(it, &first, 1);
		memcpy(eth + 12, first >> 4 == 6 ? "\x86\xdd" : "\x08\x00", 2);
		memcpy(data, eth, MIN(cap, ETHER_LEN));
		if (cap > ETHER_LEN)
			(void)gather(it, data + ETHER_LEN, cap - ETHER_LEN);
	} else {
		(void)gather(it, data, cap);
	}
	t->used = (size_t)(data - t->buf) + cap;
	t->used += pcapng_epb_tail(data + cap, cap, it->outbound);
	t->bytes += t->used - (size_t)(b - t->buf);
	t->packets++;
	if (t->used > TRACE_FLUSH)
		flush(t);
}

void trace_pkt(struct osa_port *p, struct pkt *k)
{
	struct iovec iov = {pkt_data(k), k->len};
	struct item it = {p, &iov, 1, k->len, false};

	take(p->trace, &it);
}

void trace_frame(struct osa_port *p, const struct frame *f)
{
	struct iovec iov[1 + FRAME_IOV_MAX];
	struct item it = {p, iov, 1 + f->n_iov, (uint32_t)frame_len(f), true};

	iov[0].iov_base = (void *)(uintptr_t)f->hdr;
	iov[0].iov_len = f->hdr_len;
	memcpy(iov + 1, f->iov, (size_t)f->n_iov * sizeof(*iov));
	take(p->trace, &it);
}

void trace_forget(struct osa_port *p)
{
	struct osa_trace *t = p->trace;

	if (!t)
		return;
	for (uint32_t i = 0; i < t->n_ports; i++)
		if (t->ports[i] == p)
			t->ports[i] = NULL;
	p->trace = NULL;
}

/* Section header and one description per port. */
static void put_headers(struct osa_trace *t)
{
	uint32_t snap = t->filter.snaplen ? t->filter.snaplen : TRACE_SNAPLEN;

	t->used = pcapng_shb(t->buf, TRACE_BUFFER, "Couplet stackd");
	for (uint32_t i = 0; i < t->n_ports; i++)
		t->used += pcapng_idb(t->buf + t->used, TRACE_BUFFER - t->used,
				      link_type(t, t->ports[i]), snap,
				      osa_name(t->ports[i]));
	t->bytes = t->used;
}

/* A file size limit must end the trace with -EFBIG, not the process. */
static void ignore_sigxfsz(void)
{
	struct sigaction sa;

	if (sigaction(SIGXFSZ, NULL, &sa) < 0 || sa.sa_handler != SIG_DFL)
		return;
	sa.sa_handler = SIG_IGN;
	(void)sigaction(SIGXFSZ, &sa, NULL);
}

int osa_trace_start(int fd, struct osa_port *const *ports, uint32_t n_ports,
		    const struct osa_trace_filter *filter,
		    struct osa_trace **ret)
{
	struct osa_trace *t;
	int r;

	if (n_ports == 0 || n_ports > TRACE_PORTS_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < n_ports; i++)
		if (ports[i]->trace)
			return -EBUSY;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->fd = fd;
	t->filter = filter ? *filter : (struct osa_trace_filter){0};
	t->n_ports = n_ports;
	t->start = lseek(fd, 0, SEEK_END);
	for (uint32_t i = 0; i < n_ports; i++) {
		t->ports[i] = ports[i];
		t->mixed = t->mixed || ports[i]->eth != ports[0]->eth;
	}
	ignore_sigxfsz();
	put_headers(t);
	flush(t);
	if (t->error) {
		r = t->error;
		free(t);
		return r;
	}
	for (uint32_t i = 0; i < n_ports; i++) {
		ports[i]->trace = t;
		ports[i]->trace_if = i;
	}
	*ret = t;
	return 0;
}

void osa_trace_stop(struct osa_trace *t, uint64_t *ret_packets,
		    uint64_t *ret_dropped, int *ret_error)
{
	if (!t->error)
		flush(t);
	detach(t);
	if (close(t->fd) < 0 && !t->error)
		t->error = -errno;
	*ret_packets = t->packets;
	*ret_dropped = t->dropped;
	*ret_error = t->error;
	free(t);
}

int osa_trace_error(const struct osa_trace *t)
{
	return t->error;
}

void osa_trace_stats(const struct osa_trace *t, uint64_t *ret_packets,
		     uint64_t *ret_bytes, uint64_t *ret_dropped)
{
	*ret_packets = t->packets;
	*ret_bytes = t->bytes;
	*ret_dropped = t->dropped;
}
