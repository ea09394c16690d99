/*
 * fuzz_wire: every parser of stackd/wire over the same bytes. What is
 * accepted must lie inside the input, have values in their ranges, and
 * survive being written and read again where there is a writer. First byte:
 * which parser.
 *
 * Links: stackd_ip.
 */
#include "ip/ip_int.h"
#include "wire/arp.h"
#include "wire/icmp.h"
#include "wire/igmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/mld.h"
#include "wire/ndp.h"
#include "wire/tcp_header.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tcp(const uint8_t *d, size_t n)
{
	struct tcp_header h, again;
	uint8_t buf[TCP_HDR_MAX];
	int len = tcp_header_parse(d, n, &h);
	size_t out;

	if (len < 0)
		return;
	INVARIANT(len >= TCP_HDR_MIN && (size_t)len <= n);
	INVARIANT(h.opt.n_sack <= TCP_SACK_MAX);
	out = tcp_header_emit(&h, buf);
	INVARIANT(out == tcp_header_len(&h) && out <= TCP_HDR_MAX);
	INVARIANT(tcp_header_parse(buf, out, &again) == (int)out);
	INVARIANT(again.flags == h.flags && again.wnd == h.wnd &&
		  seq_eq(again.seq, h.seq) && again.opt.mss == h.opt.mss &&
		  again.opt.ts_val == h.opt.ts_val);
}

static void ipv4(const uint8_t *d, size_t n)
{
	struct ipv4_header h;
	int len = ipv4_parse(d, n, &h);
	size_t at = 0;

	if (len < 0)
		return;
	INVARIANT(len >= IPV4_HDR_MIN && len <= IPV4_HDR_MAX &&
		  h.total_len >= len && h.total_len <= n);
	if (ipv4_options_check(d + IPV4_HDR_MIN, (size_t)len - IPV4_HDR_MIN,
			       &at) == IPV4_OPTIONS_BAD)
		INVARIANT(at <= (size_t)len - IPV4_HDR_MIN);
}

static void ipv6(const uint8_t *d, size_t n)
{
	struct ipv6_header h;
	struct ipv6_frag f;
	int len = ipv6_parse(d, n, &h);
	uint8_t buf[IPV6_HDR_LEN], frag[IPV6_FRAG_LEN];

	if (len > 0) {
		INVARIANT((size_t)h.payload_len + IPV6_HDR_LEN <= n);
		ipv6_emit(&h, buf);
		INVARIANT(memcmp(buf, d, sizeof(buf)) == 0);
	}
	if (ipv6_frag_parse(d, n, &f) == 0) {
		ipv6_frag_emit(&f, frag);
		INVARIANT(memcmp(frag + 4, d + 4, 4) == 0 && frag[0] == d[0]);
	}
}

static void extension(const uint8_t *d, size_t n)
{
	int len = ipv6_ext_len(d, n);
	size_t at = 0;

	if (len < 0)
		return;
	INVARIANT((size_t)len <= n && len % 8 == 0 && len > 0);
	switch (ipv6_options_check(d, (size_t)len, &at)) {
	case IPV6_OPTIONS_OK:
		(void)ipv6_has_router_alert(d, (size_t)len);
		break;
	case IPV6_OPTIONS_PROBLEM:
	case IPV6_OPTIONS_PROBLEM_UNICAST:
	case IPV6_OPTIONS_BAD:
		INVARIANT(at < (size_t)len);
		break;
	case IPV6_OPTIONS_DISCARD:
	case IPV6_OPTIONS_TOO_MANY:
		break;
	}
}

static void nd(const uint8_t *d, size_t n)
{
	struct ndp_message m, again;
	uint8_t buf[NDP_MAX_LEN];

	if (ndp_parse(d, n, &m) < 0)
		return;
	INVARIANT(m.opt.n_prefix <= NDP_PREFIX_MAX);
	for (int i = 0; i < m.opt.n_prefix; i++)
		INVARIANT(m.opt.prefix[i].len <= 128);
	if (m.type != ICMP6_NS && m.type != ICMP6_NA && m.type != ICMP6_RS)
		return;
	m.opt.has_mtu = false;
	m.opt.n_prefix = 0;
	INVARIANT(ndp_parse(buf, ndp_emit(&m, buf), &again) == 0);
	INVARIANT(again.type == m.type && ip_eq(&again.target, &m.target));
}

static void link_layer(const uint8_t *d, size_t n)
{
	struct ether_header e;
	struct arp_packet a;
	uint8_t buf[ARP_LEN];
	int len = ether_parse(d, n, &e);

	if (len >= 0)
		INVARIANT((size_t)len <= n && e.vlan < 4096);
	if (arp_parse(d, n, &a) == 0) {
		arp_emit(&a, buf);
		INVARIANT(memcmp(buf, d, ARP_LEN) == 0);
	}
}

static void groups(const uint8_t *d, size_t n)
{
	struct igmp_query i;
	struct mld_query m;

	if (igmp_query_parse(d, n, &i) == 0)
		INVARIANT(i.version >= 1 && i.version <= 3);
	if (mld_query_parse(d, n, &m) == 0)
		INVARIANT(m.version == 1 || m.version == 2);
}

static void quote(const uint8_t *d, size_t n)
{
	struct ip_event ev = {0};

	if (ip_quote_parse(d, n, &ev))
		INVARIANT(ev.local.family == ev.remote.family);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(const uint8_t *, size_t) = {
		tcp, ipv4, ipv6, extension, nd, link_layer, groups, quote};
	uint8_t *copy;

	if (!size)
		return 0;
	/* memory of its own, so that one byte too many is seen */
	copy = malloc(size);
	INVARIANT(copy != NULL);
	memcpy(copy, data + 1, size - 1);
	copy = realloc(copy, MAX(size - 1, (size_t)1));
	INVARIANT(copy != NULL);
	parsers[data[0] % ARRAY_SIZE(parsers)](copy, size - 1);
	free(copy);
	return 0;
}
