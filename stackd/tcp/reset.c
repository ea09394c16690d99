/* The RST for a segment that belongs nowhere: RFC 9293 3.10.7.1, 3.5.2. */
#include "tcp/tcp.h"

bool tcp_reset_for(const struct tcp_seg *in, struct tcp_out *ret)
{
	const struct tcp_header *h = &in->h;

	if (h->flags & TCP_RST)
		return false;
	*ret = (struct tcp_out){
		.h = {.src_port = h->dst_port, .dst_port = h->src_port}};
	if (h->flags & TCP_ACK) {
		ret->h.seq = h->ack;
		ret->h.flags = TCP_RST;
		return true;
	}
	ret->h.flags = TCP_RST | TCP_ACK;
	ret->h.ack = seq_add(h->seq, in->len + !!(h->flags & TCP_SYN) +
					     !!(h->flags & TCP_FIN));
	return true;
}
