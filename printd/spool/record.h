/*
 * record.h: the fixed-width records of the spool, as bytes. Pure.
 *
 * Numbers are big-endian; a text stands in a field of its greatest length,
 * zero-padded; the last four bytes of a record are the CRC-32 of all before
 * them. What a record says is checked, not believed: a wrong CRC, an unknown
 * state, a text without end make it invalid.
 */
#ifndef COUPLET_PRINTD_SPOOL_RECORD_H
#define COUPLET_PRINTD_SPOOL_RECORD_H

#include "spool/spool.h"

#define RECORD_LEN 512
#define RECORD_STATES 2
#define RECORD_STATE_AT(i) (RECORD_LEN * (1 + (uint64_t)(i)))

/* Into `buf` of RECORD_LEN bytes. */
void record_meta_emit(const struct spool_meta *m, uint8_t *buf);
void record_state_emit(const struct spool_status *st, uint64_t seq,
		       uint8_t *buf);
void record_next_emit(uint32_t next_id, uint64_t seq, uint8_t *buf);
/* Out of `buf`; false: not a record of this kind. */
bool record_meta_parse(const uint8_t *buf, struct spool_meta *ret) MUST_USE;
bool record_state_parse(const uint8_t *buf, struct spool_status *ret,
			uint64_t *ret_seq) MUST_USE;
bool record_next_parse(const uint8_t *buf, uint32_t *ret_next,
		       uint64_t *ret_seq) MUST_USE;
/* CRC-32 of `len` bytes, going on from `crc` (0 at first). */
uint32_t record_crc(uint32_t crc, const void *buf, size_t len);

#endif
