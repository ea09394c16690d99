/* The packet inside an ICMP error: who of ours sent it. */
#include "base/cursor.h"
#include "ip/ip_int.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#define CHAIN_MAX 8

/* Transport ports and the TCP sequence number, as far as they are there. */
static bool read_transport(struct rcur *c, struct ip_event *ev)
{
	if (ev->proto != IP_PROTO_TCP && ev->proto != IP_PROTO_UDP)
		return true;
	ev->local_port = rcur_16(c);
	ev->remote_port = rcur_16(c);
	if (ev->proto == IP_PROTO_TCP)
		ev->tcp_seq = rcur_32(c);
	return rcur_ok(c); /* [RFC792] 8 bytes of it are always quoted */
}

/* The checks of ipv4_parse() do not fit a quote: it is cut short, and
 * routers change TTL and checksum. */
static bool quote4(const uint8_t *data, size_t len, struct ip_event *ev)
{
	size_t hdr = (size_t)(data[0] & 0x0f) * 4;
	struct rcur c;

	if (hdr < IPV4_HDR_MIN || len < hdr)
		return false;
	/* A later fragment has no ports to tell us. */
	if ((data[6] & 0x1f) || data[7])
		return false;
	ev->proto = data[9];
	ev->local = ip_from_bytes(IP_V4, data + 12);
	ev->remote = ip_from_bytes(IP_V4, data + 16);
	c = rcur_of(data + hdr, len - hdr);
	return read_transport(&c, ev);
}

/* Length of the extension header at `c`, and what follows it. */
static bool skip_extension(struct rcur *c, uint8_t *nh)
{
	uint8_t next = rcur_8(c), units = rcur_8(c);
	uint16_t off = rcur_16(c);

	if (*nh == IPV6_NH_FRAGMENT && (off & 0xfff8))
		return false;
	(void)rcur_bytes(c, *nh == IPV6_NH_FRAGMENT ? 4 : units * 8u + 4);
	*nh = next;
	return rcur_ok(c);
}

static bool quote6(const uint8_t *data, size_t len, struct ip_event *ev)
{
	struct rcur c = rcur_of(data, len);
	uint8_t nh = 0;

	if (len < IPV6_HDR_LEN)
		return false;
	nh = data[6];
	ev->local = ip_from_bytes(IP_V6, data + 8);
	ev->remote = ip_from_bytes(IP_V6, data + 24);
	(void)rcur_bytes(&c, IPV6_HDR_LEN);
	for (int n = 0; n < CHAIN_MAX; n++) {
		if (nh != IPV6_NH_HOPOPTS && nh != IPV6_NH_ROUTING &&
		    nh != IPV6_NH_DSTOPTS && nh != IPV6_NH_FRAGMENT)
			break;
		if (!skip_extension(&c, &nh))
			return false;
	}
	ev->proto = nh;
	return read_transport(&c, ev);
}

bool ip_quote_parse(const uint8_t *data, size_t len, struct ip_event *ret)
{
	if (len < IPV4_HDR_MIN)
		return false;
	switch (data[0] >> 4) {
	case 4:
		return quote4(data, len, ret);
	case 6:
		return quote6(data, len, ret);
	default:
		return false;
	}
}
