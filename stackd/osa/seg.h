/*
 * seg.h: large send and checksum in software, for media that have neither.
 *
 * Cuts a GSO frame into the wire frames that a network adapter would make of
 * it, one at a time; a frame without GSO yields itself once. Each comes out
 * with its checksums finished, as pieces: the headers rebuilt inside the
 * iterator, the payload borrowed from the frame. Pure.
 */
#ifndef COUPLET_OSA_SEG_H
#define COUPLET_OSA_SEG_H

#include "pkt/pkt.h"

#define SEG_IOV_MAX (FRAME_IOV_MAX + 1)

struct seg_iter {
	const struct frame *f;
	uint32_t at;    /* payload bytes already given out */
	uint32_t index; /* of the next segment */
	bool done;
	/* where the payload goes on */
	int piece;
	size_t piece_off;
};

/*
 * `f` must outlive the iteration. 0, or -EINVAL: headers that cannot be
 * segmented (not IP, lengths beyond hdr_len, gso_size 0, checksum field
 * outside).
 */
int seg_begin(struct seg_iter *it, const struct frame *f) MUST_USE;

/*
 * Next wire frame: headers into `hdr`, pieces into `iov` (iov[0] is hdr).
 * Returns the number of pieces, 0 when there are no more.
 *
 * TCP (RFC 9293 3.1): sequence number counts on, FIN and PSH only in the
 * last, CWR only in the first (RFC 3168 6.1.2). IPv4: identification counts
 * on, total length and header checksum anew. IPv6 and UDP: lengths anew.
 */
int seg_next(struct seg_iter *it, uint8_t hdr[FRAME_HDR_MAX],
	     struct iovec iov[SEG_IOV_MAX]);

#endif
