#include "wire/mld.h"

#include "base/cursor.h"
#include "wire/icmp.h"
#include "wire/igmp.h"

#include <errno.h>

int mld_query_parse(const void *data, size_t len, struct mld_query *ret)
{
	struct rcur c = rcur_of(data, len);
	struct mld_query q = {.group.family = IP_V6};
	uint16_t code;

	(void)rcur_32(&c);
	code = rcur_16(&c);
	(void)rcur_16(&c);
	rcur_copy(&c, q.group.b, 16);
	if (!rcur_ok(&c) ||
	    (!ip_is_any(&q.group) && !ip_is_multicast(&q.group)))
		return -EINVAL;
	/* [RFC3810 8.1] the version is told by the length alone */
	if (len == MLD_V1_LEN) {
		q.version = 1;
		q.max_resp_ms = code;
		*ret = q;
		return 0;
	}
	q.version = 2;
	q.max_resp_ms = igmp_code_value(code, 12);
	q.qrv = rcur_8(&c) & 7;
	q.qqi_s = igmp_code_value(rcur_8(&c), 4);
	q.n_sources = rcur_16(&c);
	(void)rcur_bytes(&c, (size_t)q.n_sources * 16);
	if (!rcur_ok(&c))
		return -EINVAL;
	*ret = q;
	return 0;
}

void mld_emit(uint8_t type, const struct ip_addr *group,
	      uint8_t buf[MLD_V1_LEN])
{
	struct wcur c = wcur_of(buf, MLD_V1_LEN);

	wcur_8(&c, type);
	wcur_8(&c, 0);
	wcur_16(&c, 0);
	wcur_32(&c, 0);
	wcur_copy(&c, group->b, 16);
}

void mld_v2_header(uint16_t n, uint8_t buf[MLD_V2_HDR_LEN])
{
	struct wcur c = wcur_of(buf, MLD_V2_HDR_LEN);

	wcur_8(&c, ICMP6_MLD2_REPORT);
	wcur_8(&c, 0);
	wcur_16(&c, 0);
	wcur_16(&c, 0);
	wcur_16(&c, n);
}

void mld_v2_record(uint8_t type, const struct ip_addr *group,
		   uint8_t buf[MLD_V2_RECORD_LEN])
{
	struct wcur c = wcur_of(buf, MLD_V2_RECORD_LEN);

	wcur_8(&c, type);
	wcur_8(&c, 0);
	wcur_16(&c, 0); /* no sources */
	wcur_copy(&c, group->b, 16);
}
