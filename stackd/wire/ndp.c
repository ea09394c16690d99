#include "wire/ndp.h"

#include "base/cursor.h"
#include "wire/icmp.h"

#include <errno.h>

enum {
	OPT_SLLA = 1,
	OPT_TLLA = 2,
	OPT_PREFIX = 3,
	OPT_MTU = 5,
	OPT_NONCE = 14,
	OPT_RDNSS = 25,
	OPT_DNSSL = 31,
};

static void read_prefix(struct rcur *c, struct ndp_options *o)
{
	struct ndp_prefix p = {.addr.family = IP_V6};
	uint8_t flags;

	p.len = rcur_8(c);
	flags = rcur_8(c);
	p.on_link = flags & 0x80;
	p.autonomous = flags & 0x40;
	p.valid_s = rcur_32(c);
	p.preferred_s = rcur_32(c);
	(void)rcur_32(c);
	rcur_copy(c, p.addr.b, 16);
	if (rcur_ok(c) && p.len <= 128 && o->n_prefix < NDP_PREFIX_MAX)
		o->prefix[o->n_prefix++] = p;
}

/* [RFC8106 5.1] */
static void read_rdnss(struct rcur *c, struct ndp_options *o)
{
	uint32_t life;

	(void)rcur_16(c);
	life = rcur_32(c);
	while (rcur_left(c) >= 16 && o->n_rdnss < NDP_RDNSS_MAX) {
		o->rdnss[o->n_rdnss] = ip_from_bytes(IP_V6, rcur_bytes(c, 16));
		o->rdnss_life_s[o->n_rdnss++] = life;
	}
}

static bool name_byte(uint8_t b)
{
	return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') ||
	       (b >= '0' && b <= '9') || b == '-' || b == '_';
}

/* Labels of one name as text; false: none, or one that nobody should be
 * asked for. */
static bool read_name(struct rcur *c, char ret[NDP_NAME_MAX])
{
	size_t len = 0;
	uint8_t n;

	while ((n = rcur_8(c)) != 0) {
		const uint8_t *label = rcur_bytes(c, n);

		if (!label || n > 63 || len + n + 1 >= NDP_NAME_MAX)
			return false;
		if (len)
			ret[len++] = '.';
		for (uint8_t i = 0; i < n; i++) {
			if (!name_byte(label[i]))
				return false;
			ret[len++] = (char)label[i];
		}
	}
	ret[len] = 0;
	return len > 0 && rcur_ok(c);
}

/* [RFC8106 5.2] */
static void read_dnssl(struct rcur *c, struct ndp_options *o)
{
	uint32_t life;

	(void)rcur_16(c);
	life = rcur_32(c);
	while (rcur_left(c) && o->n_dnssl < NDP_DNSSL_MAX &&
	       read_name(c, o->dnssl[o->n_dnssl]))
		o->dnssl_life_s[o->n_dnssl++] = life;
}

/* One option, `c` behind its type and length. Wrong sizes of known options
 * make it unknown: skipped, as RFC 4861 4.6 asks for what is not understood.
 */
static void read_option(uint8_t type, struct rcur c, struct ndp_options *o)
{
	switch (type) {
	case OPT_SLLA:
		if (rcur_left(&c) == ETHER_MAC_LEN) {
			rcur_copy(&c, o->slla, ETHER_MAC_LEN);
			o->has_slla = !ether_is_group(o->slla);
		}
		return;
	case OPT_TLLA:
		if (rcur_left(&c) == ETHER_MAC_LEN) {
			rcur_copy(&c, o->tlla, ETHER_MAC_LEN);
			o->has_tlla = !ether_is_group(o->tlla);
		}
		return;
	case OPT_PREFIX:
		read_prefix(&c, o);
		return;
	case OPT_MTU:
		if (rcur_left(&c) == 6) {
			(void)rcur_16(&c);
			o->mtu = rcur_32(&c);
			o->has_mtu = true;
		}
		return;
	case OPT_RDNSS:
		read_rdnss(&c, o);
		return;
	case OPT_DNSSL:
		read_dnssl(&c, o);
		return;
	case OPT_NONCE:
		if (rcur_left(&c) == NDP_NONCE_LEN) {
			rcur_copy(&c, o->nonce, NDP_NONCE_LEN);
			o->has_nonce = true;
		}
		return;
	default:
		return;
	}
}

/* [RFC4861 9] */
static void read_options(struct rcur *c, struct ndp_options *o)
{
	while (rcur_left(c)) {
		uint8_t type = rcur_8(c), units = rcur_8(c);
		size_t body = (size_t)units * 8 - 2;
		const uint8_t *p;

		/* [RFC4861 4.6] length zero: discard the packet */
		if (units == 0) {
			c->bad = true;
			return;
		}
		p = rcur_bytes(c, body);
		if (p)
			read_option(type, rcur_of(p, body), o);
	}
}

/* [RFC4861 4.2] */
static void read_ra(struct rcur *c, struct ndp_message *m)
{
	static const int8_t preference[4] = {0, 1, 0, -1};
	uint8_t flags;

	m->hop_limit = rcur_8(c);
	flags = rcur_8(c);
	m->preference = preference[flags >> 3 & 3];
	m->router_life_s = rcur_16(c);
	m->reachable_ms = rcur_32(c);
	m->retrans_ms = rcur_32(c);
}

/* [RFC4861 4.4] */
static void read_na(struct rcur *c, struct ndp_message *m)
{
	uint32_t flags = rcur_32(c);

	m->router = flags >> 31 & 1;
	m->solicited = flags >> 30 & 1;
	m->override = flags >> 29 & 1;
	rcur_copy(c, m->target.b, 16);
}

int ndp_parse(const void *data, size_t len, struct ndp_message *ret)
{
	struct rcur c = rcur_of(data, len);
	struct ndp_message m = {.target.family = IP_V6, .dest.family = IP_V6};

	m.type = rcur_8(&c);
	(void)rcur_8(&c);
	(void)rcur_16(&c);
	switch (m.type) {
	case ICMP6_RS:
		(void)rcur_32(&c);
		break;
	case ICMP6_RA:
		read_ra(&c, &m);
		break;
	case ICMP6_NS:
		(void)rcur_32(&c);
		rcur_copy(&c, m.target.b, 16);
		break;
	case ICMP6_NA:
		read_na(&c, &m);
		break;
	case ICMP6_REDIRECT:
		(void)rcur_32(&c);
		rcur_copy(&c, m.target.b, 16);
		rcur_copy(&c, m.dest.b, 16);
		break;
	default:
		return -EINVAL;
	}
	read_options(&c, &m.opt);
	if (!rcur_ok(&c) || ip_is_multicast(&m.target) ||
	    ip_is_multicast(&m.dest))
		return -EINVAL;
	*ret = m;
	return 0;
}

static void emit_lladdr(struct wcur *c, uint8_t type, const uint8_t *mac)
{
	wcur_8(c, type);
	wcur_8(c, 1);
	wcur_copy(c, mac, ETHER_MAC_LEN);
}

size_t ndp_emit(const struct ndp_message *m, uint8_t buf[NDP_MAX_LEN])
{
	struct wcur c = wcur_of(buf, NDP_MAX_LEN);

	wcur_8(&c, m->type);
	wcur_8(&c, 0);
	wcur_16(&c, 0);
	wcur_32(&c, (uint32_t)m->router << 31 | (uint32_t)m->solicited << 30 |
			    (uint32_t)m->override << 29);
	if (m->type != ICMP6_RS)
		wcur_copy(&c, m->target.b, 16);
	if (m->opt.has_slla)
		emit_lladdr(&c, OPT_SLLA, m->opt.slla);
	if (m->opt.has_tlla)
		emit_lladdr(&c, OPT_TLLA, m->opt.tlla);
	if (m->opt.has_nonce) {
		wcur_8(&c, OPT_NONCE);
		wcur_8(&c, 1);
		wcur_copy(&c, m->opt.nonce, NDP_NONCE_LEN);
	}
	return wcur_len(&c);
}
