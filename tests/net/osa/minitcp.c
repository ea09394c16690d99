#include "minitcp.h"

#include "wire/checksum.h"
#include "wire/ether.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define PROTO_TCP 6

void minitcp_init(struct minitcp *m, struct osa_port *port,
		  struct pkt_pool *pool, const char *us, uint16_t lport)
{
	*m = (struct minitcp){
		.port = port,
		.pool = pool,
		.lport = lport,
		.mss = 1460,
		.snd_una = TCP_SEQ(0xfffff000u),
		.snd_nxt = TCP_SEQ(0xfffff000u),
	};
	if (ip_parse(us, &m->us) < 0)
		m->us = ip_any(IP_V4);
}

static size_t put_ip(const struct minitcp *m, uint8_t *at, uint32_t l4_len)
{
	struct ipv4_header v4 = {
		.ttl = 64,
		.proto = PROTO_TCP,
		.total_len = (uint16_t)(IPV4_HDR_MIN + l4_len),
		.id = (uint16_t)m->tx_frames,
		.df = true,
		.src = m->us,
		.dst = m->peer,
	};
	struct ipv6_header v6 = {
		.payload_len = (uint16_t)l4_len,
		.next_header = PROTO_TCP,
		.hop_limit = 64,
		.src = m->us,
		.dst = m->peer,
	};

	if (m->us.family == IP_V4) {
		ipv4_emit(&v4, at);
		return IPV4_HDR_MIN;
	}
	ipv6_emit(&v6, at);
	return IPV6_HDR_LEN;
}

static void put_l2(const struct minitcp *m, struct frame *f)
{
	struct ether_header eth = {.type = m->us.family == IP_V4
						   ? ETHER_TYPE_IPV4
						   : ETHER_TYPE_IPV6};

	if (!m->eth)
		return;
	memcpy(eth.dst, m->peer_mac, 6);
	memcpy(eth.src, m->mac, 6);
	f->l2_len = f->hdr_len = (uint16_t)ether_emit(&eth, f->hdr);
}

/* One segment or one GSO frame. */
static int emit(struct minitcp *m, uint8_t flags, const void *data,
		uint32_t len)
{
	struct tcp_header h = {
		.src_port = m->lport,
		.dst_port = m->rport,
		.seq = m->snd_nxt,
		.ack = m->rcv_nxt,
		.flags = flags,
		.wnd = 0xffff,
		.opt = {.has_mss = (flags & TCP_SYN) != 0,
			.has_wscale = (flags & TCP_SYN) != 0,
			.mss = m->mss,
			.wscale = MINITCP_WSCALE},
	};
	uint32_t l4_len = (uint32_t)tcp_header_len(&h) + len;
	struct frame f = {.payload_len = len, .n_iov = len ? 1 : 0};
	uint16_t sum;

	put_l2(m, &f);
	f.hdr_len += (uint16_t)put_ip(m, f.hdr + f.hdr_len, l4_len);
	f.csum_start = f.hdr_len;
	f.csum_offset = 16;
	f.hdr_len += (uint16_t)tcp_header_emit(&h, f.hdr + f.hdr_len);
	sum = csum_fold(csum_pseudo(&m->us, &m->peer, PROTO_TCP, l4_len));
	f.hdr[f.csum_start + 16] = (uint8_t)(sum >> 8);
	f.hdr[f.csum_start + 17] = (uint8_t)sum;
	f.needs_csum = true;
	f.iov[0].iov_base = (void *)(uintptr_t)data;
	f.iov[0].iov_len = len;
	if (len > m->mss) {
		f.gso = m->us.family == IP_V4 ? FRAME_GSO_TCP4 : FRAME_GSO_TCP6;
		f.gso_size = m->mss;
	}
	m->tx_frames++;
	return osa_write(m->port, &f);
}

static void on_syn(struct minitcp *m, const struct tcp_header *h,
		   const struct ip_addr *src)
{
	m->peer = *src;
	m->rport = h->src_port;
	m->rcv_nxt = seq_add(h->seq, 1);
	m->peer_wscale = h->opt.has_wscale ? h->opt.wscale : 0;
	m->mss = h->opt.has_mss ? MIN(m->mss, h->opt.mss) : 536;
	m->got_syn = true;
	m->snd_nxt = m->snd_una; /* again, if ours was lost */
	if (emit(m, TCP_SYN | TCP_ACK, NULL, 0) == 0)
		m->snd_nxt = seq_add(m->snd_una, 1);
}

static void on_segment(struct minitcp *m, const struct tcp_header *h,
		       const uint8_t *data, uint32_t len, const struct pkt *k)
{
	if (h->flags & TCP_RST) {
		m->got_rst = true;
		return;
	}
	if (h->flags & TCP_ACK) {
		m->snd_una = seq_max(m->snd_una, h->ack);
		m->snd_wnd = (uint32_t)h->wnd << m->peer_wscale;
		m->established = true;
	}
	if (len > 0 || (h->flags & TCP_FIN))
		m->ack_due = true;
	if (!seq_eq(h->seq, m->rcv_nxt))
		return;
	m->rcv_nxt = seq_add(m->rcv_nxt, len);
	m->rx_bytes += len;
	m->rx_frames += len > 0;
	m->rx_gso_max = MAX(m->rx_gso_max, k->gso_segs);
	if (m->sink && len)
		m->sink(m->sink_arg, data, len);
	if (h->flags & TCP_FIN) {
		m->rcv_nxt = seq_add(m->rcv_nxt, 1);
		m->got_fin = true;
	}
}

/* Checks what the port says about the checksum, for small packets. */
static void check_csum(struct minitcp *m, const struct pkt *k,
		       const struct ip_addr *src, const uint8_t *l4,
		       uint32_t len)
{
	uint64_t sum = csum_pseudo(src, &m->us, PROTO_TCP, len);

	if (k->csum != PKT_CSUM_OK && csum_finish(csum_add(sum, l4, len)))
		m->rx_bad_csum++;
}

static void input(struct minitcp *m, struct pkt *k)
{
	const uint8_t *d = pkt_data(k), *l4;
	uint32_t len = k->len;
	struct tcp_header h;
	struct ip_addr src;
	int off;

	if (m->eth && len > ETHER_HDR_LEN) {
		memcpy(m->peer_mac, d + 6, 6);
		d += ETHER_HDR_LEN;
		len -= ETHER_HDR_LEN;
	}
	if (m->us.family == IP_V4 && len >= 40 && d[0] == 0x45 && d[9] == 6) {
		src = ip_from_bytes(IP_V4, d + 12);
		off = IPV4_HDR_MIN;
	} else if (m->us.family == IP_V6 && len >= 60 && d[0] >> 4 == 6 &&
		   d[6] == PROTO_TCP) {
		src = ip_from_bytes(IP_V6, d + 8);
		off = IPV6_HDR_LEN;
	} else {
		return;
	}
	l4 = d + off;
	len -= (uint32_t)off;
	off = tcp_header_parse(l4, len, &h);
	if (off < 0 || h.dst_port != m->lport)
		return;
	check_csum(m, k, &src, l4, len);
	if (h.flags & TCP_SYN)
		on_syn(m, &h, &src);
	else if (m->got_syn)
		on_segment(m, &h, l4 + off, len - (uint32_t)off, k);
}

int minitcp_drain(struct minitcp *m)
{
	struct pkt *k;
	bool more;
	int n = osa_read(m->port, 0, m->pool, 1, 64, &k, &more);

	for (struct pkt *i = k; i; i = i->next)
		input(m, i);
	pkt_free_chain(m->pool, k);
	return n;
}

int minitcp_poll(struct minitcp *m, int ms)
{
	struct pollfd p = {.events = POLLIN};

	(void)osa_fds(m->port, &p.fd, 1);
	if (poll(&p, 1, ms) < 0)
		return -errno;
	return minitcp_drain(m);
}

void minitcp_ack(struct minitcp *m)
{
	if (!m->ack_due)
		return;
	m->ack_due = false;
	(void)emit(m, TCP_ACK, NULL, 0);
}

uint32_t minitcp_send(struct minitcp *m, const void *data, uint32_t len)
{
	uint32_t hdrs = (m->us.family == IP_V4 ? 20 : 40) + 20;
	uint32_t flight = (uint32_t)seq_diff(m->snd_nxt, m->snd_una);
	uint32_t wnd =
		m->flight_max ? MIN(m->flight_max, m->snd_wnd) : m->snd_wnd;
	uint32_t room = wnd > flight ? wnd - flight : 0;

	len = MIN(len, OSA_GSO_MAX - hdrs);
	/* Whole frames only, or the rate drops to small ones. */
	if (room < len && flight > 0)
		return 0;
	len = MIN(len, room);
	if (len == 0)
		return 0;
	if (emit(m, TCP_ACK | TCP_PSH, data, len) < 0)
		return 0;
	m->snd_nxt = seq_add(m->snd_nxt, len);
	m->tx_bytes += len;
	return len;
}

void minitcp_fin(struct minitcp *m)
{
	if (emit(m, TCP_ACK | TCP_FIN, NULL, 0) == 0)
		m->snd_nxt = seq_add(m->snd_nxt, 1);
}
