/*
 * vnet.h: the virtio-net header that TUN, TAP and an offloading SEQPACKET
 * medium put in front of each message (VIRTIO 1.2 5.1.6; here in the
 * machine's byte order, as both sides run on one machine). Pure.
 */
#ifndef COUPLET_OSA_VNET_H
#define COUPLET_OSA_VNET_H

#include "osa/port.h"

/* Reads the header of a message whose frame is p's live bytes and fills
 * p->csum, gso_size and gso_segs. Never fails: a header that makes no sense
 * means "one plain packet, verify the checksum". */
void vnet_parse(const uint8_t hdr[VNET_LEN], struct pkt *p);

/* Writes the header for `f`. GSO of one segment or none becomes none. */
void vnet_emit(const struct frame *f, uint8_t hdr[VNET_LEN]);

#endif
