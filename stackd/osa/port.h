/*
 * port.h: the inside of an adapter port, shared by the files of osa/ only.
 *
 * A medium moves whole messages: one IP packet or Ethernet frame, with a
 * virtio-net header in front when `vnet`. Everything above that (buffers,
 * offloads in software, layer 3 mode on Ethernet, trace, statistics) is the
 * same for all media and lives in rx.c and tx.c.
 */
#ifndef COUPLET_OSA_PORT_H
#define COUPLET_OSA_PORT_H

#include "osa/oat.h"

#define OSA_QUEUES_MAX 16
#define VNET_LEN 10u /* struct virtio_net_hdr without num_buffers */

struct osa_host;
struct l3port;

struct osa_medium {
	const char *name; /* "TUN" "TAP" "SEQPACKET" */
	/* One message into `buf`. Its length; 0 = nothing there (also a
	 * message that was dropped and counted); or negative errno when the
	 * medium is dead. Messages longer than `len` are dropped. -EAGAIN
	 * when there is nothing to read. */
	ssize_t (*recv)(struct osa_port *p, int q, void *buf, size_t len);
	/* One message. 0 or negative errno. */
	int (*send)(struct osa_port *p, const struct iovec *iov, int n);
	void (*close)(struct osa_port *p);
};

struct osa_port {
	const struct osa_medium *medium;
	struct osa_info info; /* names, facts and counters */
	int fd[OSA_QUEUES_MAX];
	bool eth;       /* the medium carries Ethernet frames */
	bool vnet;      /* a virtio-net header precedes each message */
	bool tso;       /* the medium takes GSO frames and open checksums */
	bool uso;       /* the same for UDP */
	bool has_iface; /* info.ifname is an interface of the host */
	bool vanishes;  /* that interface dies with our descriptors */
	void *private;  /* of the medium */
	/* Receives when the pool is exhausted, so that small packets (the
	 * acknowledgements that free memory) still get through. */
	struct pkt *spare;
	struct l3port *l3;     /* layer 3 mode on Ethernet, else NULL */
	struct osa_host *host; /* what to undo, or NULL */
	struct osa_trace *trace;
	uint32_t trace_if;
	struct oat oat;
};

/* Sends one frame as it is laid out for the medium (Ethernet header there
 * if it needs one): offload in software if need be, counters, trace. */
int port_send(struct osa_port *p, const struct frame *f);

/* Puts "DEVICE name: text" into err. Returns `r`. */
int port_fail(const struct deck_device *dev, char *err, size_t err_len, int r,
	      const char *fmt, ...) PRINTF_LIKE(5, 6);

/* Openers of the media: fill p->medium, fd, info.medium/ifname/queues, eth,
 * vnet, tso. On error they leave nothing behind. */
int tun_open(struct osa_port *p, const struct deck_device *dev, char *err,
	     size_t err_len) MUST_USE;
/* Takes over descriptor dev->fd, an open TUN or TAP queue. */
int tun_adopt(struct osa_port *p, const struct deck_device *dev, char *err,
	      size_t err_len) MUST_USE;
int seqpacket_open(struct osa_port *p, const struct deck_device *dev, char *err,
		   size_t err_len) MUST_USE;
/* Takes over dev->fd, a connected or listening SOCK_SEQPACKET socket. */
int seqpacket_adopt(struct osa_port *p, const struct deck_device *dev,
		    char *err, size_t err_len) MUST_USE;
int fd_open(struct osa_port *p, const struct deck_device *dev, char *err,
	    size_t err_len) MUST_USE;

/* Set non-blocking and close-on-exec. 0 or negative errno. */
int port_fd_prepare(int fd) MUST_USE;

#endif
