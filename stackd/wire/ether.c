#include "wire/ether.h"

#include "base/cursor.h"

#include <errno.h>

int ether_parse(const void *data, size_t len, struct ether_header *ret)
{
	struct rcur c = rcur_of(data, len);
	struct ether_header h = {0};
	int used = ETHER_HDR_LEN;

	rcur_copy(&c, h.dst, ETHER_MAC_LEN);
	rcur_copy(&c, h.src, ETHER_MAC_LEN);
	h.type = rcur_16(&c);
	if (h.type == ETHER_TYPE_VLAN) {
		h.vlan = rcur_16(&c) & 0x0fff;
		h.type = rcur_16(&c);
		used = ETHER_TAGGED_LEN;
	}
	if (!rcur_ok(&c))
		return -EINVAL;
	*ret = h;
	return used;
}

size_t ether_emit(const struct ether_header *h, uint8_t buf[ETHER_TAGGED_LEN])
{
	struct wcur c = wcur_of(buf, ETHER_TAGGED_LEN);

	wcur_copy(&c, h->dst, ETHER_MAC_LEN);
	wcur_copy(&c, h->src, ETHER_MAC_LEN);
	if (h->vlan) {
		wcur_16(&c, ETHER_TYPE_VLAN);
		wcur_16(&c, h->vlan);
	}
	wcur_16(&c, h->type);
	return wcur_len(&c);
}

bool ether_is_zero(const uint8_t *mac)
{
	static const uint8_t zero[ETHER_MAC_LEN];

	return memcmp(mac, zero, ETHER_MAC_LEN) == 0;
}

bool ether_is_broadcast(const uint8_t *mac)
{
	static const uint8_t ones[ETHER_MAC_LEN] = {0xff, 0xff, 0xff,
						    0xff, 0xff, 0xff};

	return memcmp(mac, ones, ETHER_MAC_LEN) == 0;
}

void ether_group_mac(const struct ip_addr *group,
		     uint8_t ret_mac[ETHER_MAC_LEN])
{
	if (group->family == IP_V4) {
		ret_mac[0] = 0x01;
		ret_mac[1] = 0x00;
		ret_mac[2] = 0x5e;
		ret_mac[3] = group->b[1] & 0x7f;
		ret_mac[4] = group->b[2];
		ret_mac[5] = group->b[3];
		return;
	}
	ret_mac[0] = ret_mac[1] = 0x33;
	memcpy(ret_mac + 2, group->b + 12, 4);
}
