/*
 * filter.h: does a packet match a trace filter? Pure.
 */
#ifndef COUPLET_OSA_FILTER_H
#define COUPLET_OSA_FILTER_H

#include "osa/osa.h"

#define FILTER_HEAD 256u /* bytes of a packet that are enough to judge it */

/*
 * `head`: the first bytes of a frame (Ethernet if `eth`, else an IP packet),
 * all or at least FILTER_HEAD of them. True when all given parts match.
 * ARP matches a host by its protocol addresses; a fragment without the
 * transport header matches no port; whatever cannot be read matches only an
 * empty filter.
 */
bool filter_match(const struct osa_trace_filter *f, const uint8_t *head,
		  size_t len, bool eth);

#endif
