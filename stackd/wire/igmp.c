#include "wire/igmp.h"

#include "base/cursor.h"
#include "wire/checksum.h"

#include <errno.h>

uint32_t igmp_code_value(uint32_t code, unsigned mant_bits)
{
	uint32_t top = 1u << (mant_bits + 3), mant, exp;

	if (code < top)
		return code;
	mant = code & ((1u << mant_bits) - 1);
	exp = code >> mant_bits & 7;
	return (mant | 1u << mant_bits) << (exp + 3);
}

int igmp_query_parse(const void *data, size_t len, struct igmp_query *ret)
{
	struct rcur c = rcur_of(data, len);
	struct igmp_query q = {.group.family = IP_V4};
	uint8_t type = rcur_8(&c), code = rcur_8(&c);

	(void)rcur_16(&c);
	rcur_copy(&c, q.group.b, 4);
	if (!rcur_ok(&c))
		return -EINVAL;
	if (csum_finish(csum_add(0, data, len)) != 0)
		return -EBADMSG;
	if (type != IGMP_QUERY)
		return -EPROTO;
	if (!ip_is_any(&q.group) && !ip_is_multicast(&q.group))
		return -EINVAL;
	/* [RFC3376 7.1] the version is told by length and code */
	if (len == 8) {
		q.version = code == 0 ? 1 : 2;
		q.max_resp_ms = code == 0 ? 10000 : code * 100u;
		*ret = q;
		return 0;
	}
	q.version = 3;
	q.max_resp_ms = igmp_code_value(code, 4) * 100;
	q.qrv = rcur_8(&c) & 7;
	q.qqi_s = igmp_code_value(rcur_8(&c), 4);
	q.n_sources = rcur_16(&c);
	(void)rcur_bytes(&c, (size_t)q.n_sources * 4);
	if (!rcur_ok(&c))
		return -EINVAL;
	*ret = q;
	return 0;
}

static void put_sum(uint8_t *msg, size_t len)
{
	uint16_t sum;

	msg[2] = msg[3] = 0;
	sum = csum_finish(csum_add(0, msg, len));
	msg[2] = (uint8_t)(sum >> 8);
	msg[3] = (uint8_t)sum;
}

void igmp_emit(uint8_t type, const struct ip_addr *group, uint8_t buf[8])
{
	struct wcur c = wcur_of(buf, 8);

	wcur_8(&c, type);
	wcur_8(&c, 0);
	wcur_16(&c, 0);
	wcur_copy(&c, group->b, 4);
	put_sum(buf, 8);
}

void igmp_v3_header(uint16_t n, uint8_t buf[IGMP_V3_HDR_LEN])
{
	struct wcur c = wcur_of(buf, IGMP_V3_HDR_LEN);

	wcur_16(&c, IGMP_V3_REPORT << 8);
	wcur_16(&c, 0);
	wcur_16(&c, 0);
	wcur_16(&c, n);
}

void igmp_v3_record(uint8_t type, const struct ip_addr *group,
		    uint8_t buf[IGMP_V3_RECORD_LEN])
{
	struct wcur c = wcur_of(buf, IGMP_V3_RECORD_LEN);

	wcur_8(&c, type);
	wcur_8(&c, 0);
	wcur_16(&c, 0); /* no sources */
	wcur_copy(&c, group->b, 4);
}

void igmp_v3_finish(uint8_t *msg, size_t len)
{
	put_sum(msg, len);
}
