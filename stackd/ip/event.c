/* What layer 3 has to tell: a ring that keeps the oldest. */
#include "ip/ip_int.h"

#include <string.h>

void ip_event_push(struct ip_stack *ips, const struct ip_event *ev)
{
	if (ips->n_event == IP_EVENT_MAX)
		return;
	ips->event[(ips->event_head + ips->n_event) % IP_EVENT_MAX] = *ev;
	ips->n_event++;
}

bool ip_event(struct ip_stack *ips, struct ip_event *ret)
{
	if (!ips->n_event)
		return false;
	*ret = ips->event[ips->event_head];
	ips->event_head = (ips->event_head + 1) % IP_EVENT_MAX;
	ips->n_event--;
	return true;
}

void ip_event_addr(struct ip_ifaddr *ia, enum ip_event_kind kind,
		   const uint8_t *mac)
{
	struct ip_event ev = {
		.kind = kind,
		.local = ia->addr,
		.ifindex = ia->ifc->index,
	};

	if (mac)
		memcpy(ev.mac, mac, sizeof(ev.mac));
	ip_event_push(ia->ifc->ips, &ev);
}
