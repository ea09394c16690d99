#include "wire/ipv4.h"

#include "base/cursor.h"
#include "wire/checksum.h"

#include <errno.h>

enum {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_LSRR = 131,
	OPT_SSRR = 137,
};

/* [RFC1122 3.2.1.1, 3.2.1.2] */
int ipv4_parse(const void *data, size_t len, struct ipv4_header *ret)
{
	const uint8_t *b = data;
	struct rcur c = rcur_of(data, len);
	uint16_t frag;

	if (len < IPV4_HDR_MIN)
		return -EMSGSIZE;
	ret->hdr_len = (uint8_t)((b[0] & 0x0f) * 4);
	(void)rcur_8(&c);
	ret->tos = rcur_8(&c);
	ret->total_len = rcur_16(&c);
	ret->id = rcur_16(&c);
	frag = rcur_16(&c);
	ret->df = frag & 0x4000;
	ret->mf = frag & 0x2000;
	ret->frag_off = (uint16_t)((frag & 0x1fff) * 8);
	ret->ttl = rcur_8(&c);
	ret->proto = rcur_8(&c);
	ret->src = ip_from_bytes(IP_V4, b + 12);
	ret->dst = ip_from_bytes(IP_V4, b + 16);
	if (b[0] >> 4 != 4 || ret->hdr_len < IPV4_HDR_MIN ||
	    ret->total_len < ret->hdr_len)
		return -EINVAL;
	if (ret->total_len > len)
		return -EMSGSIZE;
	if (csum_finish(csum_add(0, b, ret->hdr_len)) != 0)
		return -EBADMSG;
	return ret->hdr_len;
}

void ipv4_emit(const struct ipv4_header *h, uint8_t buf[IPV4_HDR_MIN])
{
	struct wcur c = wcur_of(buf, IPV4_HDR_MIN);
	uint16_t sum;

	wcur_8(&c, 0x45);
	wcur_8(&c, h->tos);
	wcur_16(&c, h->total_len);
	wcur_16(&c, h->id);
	wcur_16(&c, (uint16_t)((h->df ? 0x4000 : 0) | (h->mf ? 0x2000 : 0) |
			       h->frag_off / 8));
	wcur_8(&c, h->ttl);
	wcur_8(&c, h->proto);
	wcur_16(&c, 0);
	wcur_copy(&c, h->src.b, 4);
	wcur_copy(&c, h->dst.b, 4);
	sum = csum_finish(csum_add(0, buf, IPV4_HDR_MIN));
	buf[10] = (uint8_t)(sum >> 8);
	buf[11] = (uint8_t)sum;
}

/* [RFC9293 3.9.2.1 MUST-50] */
enum ipv4_options ipv4_options_check(const uint8_t *opt, size_t len,
				     size_t *ret_at)
{
	enum ipv4_options found = IPV4_OPTIONS_OK;

	for (size_t at = 0; at < len && opt[at] != OPT_END;) {
		if (opt[at] == OPT_NOP) {
			at++;
			continue;
		}
		if (at + 1 >= len || opt[at + 1] < 2 ||
		    at + opt[at + 1] > len) {
			*ret_at = MIN(at + 1, len - 1);
			return IPV4_OPTIONS_BAD;
		}
		if (opt[at] == OPT_LSRR || opt[at] == OPT_SSRR)
			found = IPV4_OPTIONS_SOURCE_ROUTE;
		at += opt[at + 1];
	}
	return found;
}
