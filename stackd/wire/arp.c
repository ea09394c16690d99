#include "wire/arp.h"

#include "base/cursor.h"

#include <errno.h>

static bool sender_ok(const struct arp_packet *a)
{
	if (ether_is_group(a->sha) || ether_is_zero(a->sha))
		return false;
	return !ip_is_multicast(&a->spa) && !ip_is_broadcast(&a->spa) &&
	       !ip_is_loopback(&a->spa);
}

int arp_parse(const void *data, size_t len, struct arp_packet *ret)
{
	struct rcur c = rcur_of(data, len);
	struct arp_packet a = {.spa.family = IP_V4, .tpa.family = IP_V4};
	uint16_t hw = rcur_16(&c), proto = rcur_16(&c), sizes = rcur_16(&c);

	a.op = rcur_16(&c);
	rcur_copy(&c, a.sha, ETHER_MAC_LEN);
	rcur_copy(&c, a.spa.b, 4);
	rcur_copy(&c, a.tha, ETHER_MAC_LEN);
	rcur_copy(&c, a.tpa.b, 4);
	if (!rcur_ok(&c) || hw != 1 || proto != ETHER_TYPE_IPV4 ||
	    sizes != 0x0604)
		return -EINVAL;
	if ((a.op != ARP_REQUEST && a.op != ARP_REPLY) || !sender_ok(&a))
		return -EINVAL;
	*ret = a;
	return 0;
}

void arp_emit(const struct arp_packet *a, uint8_t buf[ARP_LEN])
{
	struct wcur c = wcur_of(buf, ARP_LEN);

	wcur_16(&c, 1);
	wcur_16(&c, ETHER_TYPE_IPV4);
	wcur_16(&c, 0x0604);
	wcur_16(&c, a->op);
	wcur_copy(&c, a->sha, ETHER_MAC_LEN);
	wcur_copy(&c, a->spa.b, 4);
	wcur_copy(&c, a->tha, ETHER_MAC_LEN);
	wcur_copy(&c, a->tpa.b, 4);
}
