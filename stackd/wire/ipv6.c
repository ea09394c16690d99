#include "wire/ipv6.h"

#include "base/cursor.h"

#include <errno.h>

enum { OPT_PAD1 = 0, OPT_PADN = 1, OPT_ROUTER_ALERT = 5 };

int ipv6_parse(const void *data, size_t len, struct ipv6_header *ret)
{
	const uint8_t *b = data;
	struct rcur c = rcur_of(data, len);
	uint32_t word = rcur_32(&c);

	if (len < IPV6_HDR_LEN)
		return -EMSGSIZE;
	if (word >> 28 != 6)
		return -EINVAL;
	ret->tos = (uint8_t)(word >> 20);
	ret->flow = word & 0xfffff;
	ret->payload_len = rcur_16(&c);
	ret->next_header = rcur_8(&c);
	ret->hop_limit = rcur_8(&c);
	ret->src = ip_from_bytes(IP_V6, b + 8);
	ret->dst = ip_from_bytes(IP_V6, b + 24);
	if ((size_t)ret->payload_len + IPV6_HDR_LEN > len)
		return -EMSGSIZE;
	return IPV6_HDR_LEN;
}

void ipv6_emit(const struct ipv6_header *h, uint8_t buf[IPV6_HDR_LEN])
{
	struct wcur c = wcur_of(buf, IPV6_HDR_LEN);

	wcur_32(&c, 6u << 28 | (uint32_t)h->tos << 20 | (h->flow & 0xfffff));
	wcur_16(&c, h->payload_len);
	wcur_8(&c, h->next_header);
	wcur_8(&c, h->hop_limit);
	wcur_copy(&c, h->src.b, 16);
	wcur_copy(&c, h->dst.b, 16);
}

int ipv6_frag_parse(const void *data, size_t len, struct ipv6_frag *ret)
{
	struct rcur c = rcur_of(data, len);
	uint16_t off;

	ret->next_header = rcur_8(&c);
	(void)rcur_8(&c);
	off = rcur_16(&c);
	ret->off = off & 0xfff8;
	ret->more = off & 1;
	ret->id = rcur_32(&c);
	return rcur_ok(&c) ? 0 : -EMSGSIZE;
}

void ipv6_frag_emit(const struct ipv6_frag *f, uint8_t buf[IPV6_FRAG_LEN])
{
	struct wcur c = wcur_of(buf, IPV6_FRAG_LEN);

	wcur_8(&c, f->next_header);
	wcur_8(&c, 0);
	wcur_16(&c, (uint16_t)((f->off & 0xfff8) | f->more));
	wcur_32(&c, f->id);
}

int ipv6_ext_len(const uint8_t *data, size_t len)
{
	size_t need;

	if (len < 8)
		return -EMSGSIZE;
	need = ((size_t)data[1] + 1) * 8;
	return need > len ? -EMSGSIZE : (int)need;
}

/* [RFC8200 4.2] the two highest bits say what to do with an unknown one */
static enum ipv6_options unknown_action(uint8_t type)
{
	switch (type >> 6) {
	case 0:
		return IPV6_OPTIONS_OK;
	case 1:
		return IPV6_OPTIONS_DISCARD;
	case 2:
		return IPV6_OPTIONS_PROBLEM;
	default:
		return IPV6_OPTIONS_PROBLEM_UNICAST;
	}
}

enum ipv6_options ipv6_options_check(const uint8_t *data, size_t len,
				     size_t *ret_at)
{
	enum ipv6_options act;
	size_t at = 2;

	for (unsigned n = 0; at < len; n++) {
		*ret_at = at;
		if (n == IPV6_OPTIONS_MAX)
			return IPV6_OPTIONS_TOO_MANY;
		if (data[at] == OPT_PAD1) {
			at++;
			continue;
		}
		if (at + 1 >= len || at + 2 + data[at + 1] > len)
			return IPV6_OPTIONS_BAD;
		if (data[at] != OPT_PADN && data[at] != OPT_ROUTER_ALERT) {
			act = unknown_action(data[at]);
			if (act != IPV6_OPTIONS_OK)
				return act;
		}
		at += 2 + (size_t)data[at + 1];
	}
	return IPV6_OPTIONS_OK;
}

bool ipv6_has_router_alert(const uint8_t *data, size_t len)
{
	size_t at = 2;

	while (at + 1 < len) {
		if (data[at] == OPT_ROUTER_ALERT)
			return true;
		at += data[at] == OPT_PAD1 ? 1 : 2 + (size_t)data[at + 1];
	}
	return false;
}

struct ip_addr ipv6_solicited_node(const struct ip_addr *a)
{
	struct ip_addr g = {
		.family = IP_V6,
		.b = {0xff, 0x02, [11] = 0x01, [12] = 0xff},
	};

	memcpy(g.b + 13, a->b + 13, 3);
	return g;
}
