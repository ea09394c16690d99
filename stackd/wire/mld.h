/*
 * mld.h: multicast listener discovery messages of a host (RFC 2710, RFC
 * 3810). Emitted messages carry no checksum yet. Pure, no state.
 */
#ifndef COUPLET_MLD_H
#define COUPLET_MLD_H

#include "addr/addr.h"

struct mld_query {
	int version;          /* 1, 2 */
	struct ip_addr group; /* any = general query */
	uint32_t max_resp_ms;
	uint8_t qrv;    /* robustness, 0 = not said */
	uint32_t qqi_s; /* query interval, 0 = not said */
	uint16_t n_sources;
};

/* `data` is the ICMPv6 message of type 130; its checksum was verified by
 * the caller. 0, or -EINVAL. */
int mld_query_parse(const void *data, size_t len,
		    struct mld_query *ret) MUST_USE;

#define MLD_V1_LEN 24
#define MLD_V2_HDR_LEN 8
#define MLD_V2_RECORD_LEN 20
/* Version 1 report or done (types 131, 132). */
void mld_emit(uint8_t type, const struct ip_addr *group,
	      uint8_t buf[MLD_V1_LEN]);
/* Version 2 report: the header before `n` records, then each of them. The
 * record types are those of igmp.h. */
void mld_v2_header(uint16_t n, uint8_t buf[MLD_V2_HDR_LEN]);
void mld_v2_record(uint8_t type, const struct ip_addr *group,
		   uint8_t buf[MLD_V2_RECORD_LEN]);

#endif
