/*
 * osa.h: the emulated OSA-Express adapter: the only room that touches the
 * kernel's network. A port is one DEVICE of the deck on some medium (TUN, TAP,
 * AF_UNIX SOCK_SEQPACKET, inherited descriptor). The port reads packets into
 * pool buffers and writes the engine's frames; host-side set-up is done with
 * libnl at open and undone at close.
 *
 * Opening needs CAP_NET_ADMIN; reading, writing and closing do not, except
 * for undoing host set-up, which closing the descriptor does for TUN and TAP
 * by itself (the interface vanishes with its addresses, routes and bridge
 * membership). osa_open() therefore runs before privileges are dropped.
 */
#ifndef COUPLET_OSA_H
#define COUPLET_OSA_H

#include "deck.h"
#include "pkt/pkt.h"

#define OSA_GSO_MAX 65535u /* largest IP packet of a GSO frame */

struct osa_port;

struct osa_caps {
	bool l2;          /* Ethernet frames */
	uint32_t gso_max; /* largest packet with GSO, 0 none */
	bool tx_csum;     /* finishes checksums */
};

/*
 * Opens medium and host side. `mtu` from the LINKs of the device. On error
 * nothing stays behind: negative errno and a sentence in `err` that names
 * device, host object and cause ("DEVICE OSA0: /dev/net/tun: No such file or
 * directory; load the tun module").
 */
int osa_open(const struct deck_device *dev, uint32_t mtu,
	     const struct ip_prefix *stack_addrs, uint32_t n_stack_addrs,
	     struct osa_port **ret, char *err, size_t err_len) MUST_USE;
/* Undoes the host set-up; NULL is fine. */
void osa_close(struct osa_port *p);
/* True when something outlives the port's own descriptors (an interface made
 * beforehand, routes through a bridge), so that osa_close() can undo it only
 * with CAP_NET_ADMIN: keep that capability then. */
bool osa_undo_privileged(const struct osa_port *p);

/* What the engine may leave to this port; fixed once it is open. */
void osa_get_caps(const struct osa_port *p, struct osa_caps *ret);
/* Descriptors to watch for input (one per queue), level- or edge-triggered
 * alike as osa_read() reads until empty or `max`. */
int osa_fds(const struct osa_port *p, int *fds, int max);
const char *osa_name(const struct osa_port *p);   /* DEVICE name */
const char *osa_ifname(const struct osa_port *p); /* host interface or path */

/*
 * Reads at most `max` packets from queue `q` into new buffers of `pool`,
 * linked by ->next, with csum, gso_* and ifindex filled in. Returns their
 * number; *ret_more tells that the queue was not seen empty. 0 when there is
 * nothing; negative errno when the medium died (-EBADFD, -ENODEV, ...).
 */
int osa_read(struct osa_port *p, int q, struct pkt_pool *pool, uint32_t ifindex,
	     int max, struct pkt **ret, bool *ret_more) MUST_USE;
/* Writes one frame; 0, -EAGAIN (medium full: dropped and counted),
 * -ENETDOWN (host interface or other side down: the same), -EMSGSIZE,
 * -EINVAL (headers that cannot be segmented), or negative errno. Segments
 * GSO frames and finishes checksums itself when the medium cannot. */
int osa_write(struct osa_port *p, const struct frame *f);

struct osa_info {
	char device[32], ifname[108], portname[32], cuu[8], datacuu[8];
	const char *medium; /* "TUN" "TAP" "SEQPACKET"; of an FD what it is */
	bool layer2, offload;
	bool carrier; /* the other side is there (SEQPACKET; else true) */
	uint8_t mac[6];
	uint32_t mtu, queues;
	uint64_t rx_frames, rx_bytes, rx_gso, rx_drops, tx_frames, tx_bytes,
		tx_gso, tx_drops, rx_syscalls, tx_syscalls;
};
/* Names, facts and counters since osa_open(); mac is the one in use (made
 * up when the deck gives none and the medium is Ethernet). */
void osa_get_info(const struct osa_port *p, struct osa_info *ret);

/* ---- layer 3 ports: the OSA address table ---- */

#define OSA_ADDRS_MAX 256u
#define OSA_ROUTES_MAX 1024u

struct osa_oat_entry {
	struct ip_prefix addr;   /* keeps its host bits */
	uint64_t conflicts;      /* claims by somebody else on the link */
	uint8_t conflict_mac[6]; /* who did last */
};

/*
 * SETIP: the adapter answers ARP and ND for the address from now on if its
 * medium is Ethernet, after asking whether somebody has it and telling
 * everybody. The addresses given to osa_open() are registered already.
 * 0, -EEXIST (registered), -EINVAL (not unicast), -ENOSPC, -ENOMEM.
 */
int osa_setip(struct osa_port *p, const struct ip_prefix *addr) MUST_USE;
/* 0 or -ENOENT. */
int osa_delip(struct osa_port *p, const struct ip_addr *addr) MUST_USE;
/* Iterate with *it = 0; false = no more. */
bool osa_iter_oat(const struct osa_port *p, uint32_t *it,
		  struct osa_oat_entry *ret);
/* An address conflict not told before (RFC 5227 2.4, RFC 4862 5.4.4): which
 * address, who claims it. False = none. */
bool osa_conflict(struct osa_port *p, struct ip_addr *ret_addr,
		  uint8_t ret_mac[6]);

struct osa_route {
	struct ip_prefix dst;
	struct ip_addr gateway; /* family IP_NONE: on link */
};

/*
 * A layer 3 frame does not say its next hop, so on Ethernet the adapter
 * looks it up: networks of the registered addresses, then these routes
 * (longest prefix; replaces the earlier list), then the deck's host address,
 * then the host's end of an unbridged TAP. No effect on other ports.
 * 0, -ENOSPC (OSA_ROUTES_MAX), -ENOMEM.
 */
int osa_set_routes(struct osa_port *p, const struct osa_route *r,
		   uint32_t n) MUST_USE;

/* ---- privileges ---- */

/* System calls that this room makes after osa_open(), for the seccomp
 * filter; *n tells how many. */
const int *osa_syscalls(size_t *n);

/* ---- packet trace (OSAENTA): pcapng, readable while it grows ---- */

struct osa_trace_filter {      /* all given parts must match */
	uint8_t proto;         /* 0 any */
	struct ip_prefix host; /* either address; family NONE = any */
	uint16_t port;         /* either port; 0 any */
	uint32_t snaplen;      /* bytes kept of each packet, 0 = all */
	uint64_t max_bytes;    /* file size at which the trace stops, 0 none */
};

struct osa_trace;

/*
 * Starts writing to `fd` (opened by the caller; taken on success only).
 * Interfaces appear in the order of `ports`; what is traced is what passes
 * the medium, with GSO frames whole. Ports of both kinds (IP packets,
 * Ethernet) in one trace: the former get an Ethernet header of zeros, as
 * libpcap wants one type in a file. SIGXFSZ is ignored from now on.
 * 0, -EBUSY (a port is being traced), -EINVAL (no or more than 64 ports),
 * -ENOMEM, or the error of the first write.
 */
int osa_trace_start(int fd, struct osa_port *const *ports, uint32_t n_ports,
		    const struct osa_trace_filter *filter,
		    struct osa_trace **ret) MUST_USE;
/* Writes what is buffered (at most 256 KiB): call it when the loop is idle,
 * so that a reader sees the newest packets. */
void osa_trace_flush(struct osa_trace *t);
/* Flushes, closes; tells how many packets were written and dropped and the
 * first error met (0, -ENOSPC, -EFBIG ...). A full disk ends the trace by
 * itself, never the stack; osa_trace_error() tells. */
void osa_trace_stop(struct osa_trace *t, uint64_t *ret_packets,
		    uint64_t *ret_dropped, int *ret_error);
int osa_trace_error(const struct osa_trace *t);
void osa_trace_stats(const struct osa_trace *t, uint64_t *ret_packets,
		     uint64_t *ret_bytes, uint64_t *ret_dropped);

#endif
