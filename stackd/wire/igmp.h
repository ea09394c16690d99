/*
 * igmp.h: IGMP messages of a host (RFC 1112, RFC 2236, RFC 3376). Pure, no
 * state. Source lists of queries are counted and skipped: our memberships
 * are any-source.
 */
#ifndef COUPLET_IGMP_H
#define COUPLET_IGMP_H

#include "addr/addr.h"

enum {
	IGMP_QUERY = 0x11,
	IGMP_V1_REPORT = 0x12,
	IGMP_V2_REPORT = 0x16,
	IGMP_V2_LEAVE = 0x17,
	IGMP_V3_REPORT = 0x22,
};

/* Record types of version 3 reports; MLDv2 has the same (RFC 3376 4.2.12). */
enum {
	IGMP_IS_EXCLUDE = 2,
	IGMP_TO_INCLUDE = 3,
	IGMP_TO_EXCLUDE = 4,
};

struct igmp_query {
	int version;          /* 1, 2, 3 */
	struct ip_addr group; /* any = general query */
	uint32_t max_resp_ms;
	uint8_t qrv;    /* robustness, 0 = not said */
	uint32_t qqi_s; /* query interval, 0 = not said */
	uint16_t n_sources;
};

/* `data` is the IGMP message. 0; -EINVAL (length, group); -EBADMSG
 * (checksum); -EPROTO: not a query. */
int igmp_query_parse(const void *data, size_t len,
		     struct igmp_query *ret) MUST_USE;
/* Version 1 or 2 message (report, leave): 8 bytes with checksum. */
void igmp_emit(uint8_t type, const struct ip_addr *group, uint8_t buf[8]);

#define IGMP_V3_HDR_LEN 8
#define IGMP_V3_RECORD_LEN 8
/* Version 3 report: header before `n` records, then each record; the caller
 * sums up with igmp_v3_finish() over all `len` bytes. */
void igmp_v3_header(uint16_t n, uint8_t buf[IGMP_V3_HDR_LEN]);
void igmp_v3_record(uint8_t type, const struct ip_addr *group,
		    uint8_t buf[IGMP_V3_RECORD_LEN]);
void igmp_v3_finish(uint8_t *msg, size_t len);

/* Floating point codes of versions 3 (RFC 3376 4.1.1) and MLDv2 (RFC 3810
 * 5.1.3): `mant_bits` 4 or 12, value unscaled. */
uint32_t igmp_code_value(uint32_t code, unsigned mant_bits);

#endif
