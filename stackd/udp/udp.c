#include "udp/udp.h"

#include "base/cursor.h"

#include <assert.h>
#include <errno.h>

static_assert(sizeof(struct udp_meta) <= PKT_HEADROOM,
	      "a datagram's meta data must fit the headroom");

int udp_header_take(struct pkt *p, uint16_t *ret_src, uint16_t *ret_dst)
{
	struct rcur c = rcur_of(pkt_data(p), p->len);
	uint16_t src = rcur_16(&c), dst = rcur_16(&c), len = rcur_16(&c);

	rcur_16(&c);
	if (!rcur_ok(&c))
		return -EINVAL;
	/* A merged packet (UDP GRO) carries the length of its first
	 * datagram or of the whole; its IP length is the truth. */
	if (!p->gso_size) {
		if (len < UDP_HDR_LEN || len > p->len)
			return -EINVAL;
		pkt_trim(p, p->len - len);
	}
	pkt_pull(p, UDP_HDR_LEN);
	*ret_src = src;
	*ret_dst = dst;
	return 0;
}

void udp_header_emit(uint8_t buf[UDP_HDR_LEN], uint16_t src, uint16_t dst,
		     uint32_t payload)
{
	const uint16_t words[4] = {src, dst, (uint16_t)(payload + UDP_HDR_LEN),
				   0};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		buf[2 * i] = (uint8_t)(words[i] >> 8);
		buf[2 * i + 1] = (uint8_t)words[i];
	}
}

void udp_meta_store(struct pkt *p, const struct udp_meta *m)
{
	memcpy(p->buf, m, sizeof(*m));
}

void udp_meta_load(const struct pkt *p, struct udp_meta *ret)
{
	memcpy(ret, p->buf, sizeof(*ret));
}
