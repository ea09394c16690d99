/*
 * minitcp.h: the passive end of one TCP connection, just enough to make the
 * kernel's TCP send and take large frames over a lossless port: no
 * retransmission, no reordering. For tests and for the device's benchmark.
 */
#ifndef COUPLET_TEST_MINITCP_H
#define COUPLET_TEST_MINITCP_H

#include "osa/osa.h"
#include "wire/tcp_header.h"

#define MINITCP_WSCALE 10

struct minitcp {
	struct osa_port *port;
	struct pkt_pool *pool;
	struct ip_addr us, peer; /* peer from the SYN */
	uint16_t lport, rport;
	uint16_t mss; /* of both sides */
	bool eth;     /* frames carry Ethernet headers */
	uint8_t mac[6], peer_mac[6];
	tcp_seq_t snd_una, snd_nxt, rcv_nxt;
	uint32_t snd_wnd;
	uint32_t flight_max; /* most bytes in flight, 0 = the window */
	uint8_t peer_wscale;
	bool got_syn, established, got_fin, got_rst;
	bool ack_due;
	uint64_t rx_bytes, rx_frames, tx_bytes, tx_frames;
	uint32_t rx_gso_max;  /* largest gso_segs seen */
	uint64_t rx_bad_csum; /* packets that are not PKT_CSUM_OK and wrong */
	/* called with each in-order payload, may be NULL */
	void (*sink)(void *arg, const uint8_t *data, uint32_t len);
	void *sink_arg;
};

void minitcp_init(struct minitcp *m, struct osa_port *port,
		  struct pkt_pool *pool, const char *us, uint16_t lport);
/* Reads at most 64 packets and answers SYN and FIN. Number read or negative
 * errno. */
int minitcp_drain(struct minitcp *m);
/* Waits for input at most `ms`, then drains. */
int minitcp_poll(struct minitcp *m, int ms);
/* Acknowledges all that came, if anything did. */
void minitcp_ack(struct minitcp *m);
/* Sends up to `len` bytes as one frame of at most OSA_GSO_MAX and the peer's
 * window; returns the bytes sent, 0 when the window is full. */
uint32_t minitcp_send(struct minitcp *m, const void *data, uint32_t len);
void minitcp_fin(struct minitcp *m);

#endif
