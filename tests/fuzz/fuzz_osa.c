/*
 * fuzz_osa: what the adapter reads from a wire or a neighbour: virtio-net
 * headers, ARP and ND, packets that a trace filter judges; and segmentation
 * of frames with any headers. First 10 bytes: the virtio-net header, then
 * the frame.
 */
#include "osa/filter.h"
#include "osa/l3msg.h"
#include "osa/seg.h"
#include "osa/vnet.h"
#include "wire/ether.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_offload(const uint8_t *hdr, const uint8_t *data, uint32_t len)
{
	struct pkt *k = calloc(1, sizeof(*k) + len);

	if (!k)
		return;
	k->cap = k->len = len;
	memcpy(k->buf, data, len);
	vnet_parse(hdr, k);
	INVARIANT(k->gso_segs >= 1);
	INVARIANT(k->gso_segs > 1 || k->gso_size == 0);
	free(k);
}

static void filter(const uint8_t *data, size_t len)
{
	struct osa_trace_filter f = {.proto = 17, .port = 53};

	f.host.addr = ip_v4(10, 0, 0, 1);
	f.host.len = 8;
	(void)filter_match(&f, data, len, false);
	(void)filter_match(&f, data, len, true);
	f.host = (struct ip_prefix){ip_loopback(IP_V6), 128};
	(void)filter_match(&f, data, len, false);
	(void)filter_match(&f, data, len, true);
}

static void neighbours(const uint8_t *data, size_t len)
{
	struct ether_header e;
	struct l3msg m;
	int n = ether_parse(data, len, &e);

	l3msg_parse(ETHER_TYPE_ARP, data, len, true, &m);
	l3msg_parse(ETHER_TYPE_IPV6, data, len, true, &m);
	if (n > 0)
		l3msg_parse(e.type, data + n, len - (size_t)n, false, &m);
}

static void segment(const uint8_t *hdr, const uint8_t *data, size_t len)
{
	struct frame f = {
		.l2_len = hdr[0] & 0x1f,
		.gso = hdr[1] & 3,
		.needs_csum = hdr[1] >> 2 & 1,
		.gso_size = (uint16_t)(hdr[2] << 8 | hdr[3]),
		.csum_start = hdr[4],
		.csum_offset = hdr[5],
	};
	uint8_t space[FRAME_HDR_MAX];
	struct iovec iov[SEG_IOV_MAX];
	uint32_t total = 0;
	struct seg_iter it;
	int n;

	f.hdr_len = (uint16_t)MIN(len, (size_t)hdr[6]);
	f.payload_len = (uint32_t)MIN(len - f.hdr_len, 4096u);
	memcpy(f.hdr, data, f.hdr_len);
	f.n_iov = 2;
	f.iov[0].iov_base = (void *)(uintptr_t)(data + f.hdr_len);
	f.iov[0].iov_len = f.payload_len / 3;
	f.iov[1].iov_base = (uint8_t *)f.iov[0].iov_base + f.iov[0].iov_len;
	f.iov[1].iov_len = f.payload_len - f.iov[0].iov_len;
	if (f.l2_len > f.hdr_len || seg_begin(&it, &f) < 0)
		return;
	while ((n = seg_next(&it, space, iov)) > 0)
		for (int i = 1; i < n; i++)
			total += (uint32_t)iov[i].iov_len;
	INVARIANT(total == f.payload_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < VNET_LEN || size > 65536)
		return 0;
	parse_offload(data, data + VNET_LEN, (uint32_t)(size - VNET_LEN));
	filter(data + VNET_LEN, size - VNET_LEN);
	neighbours(data + VNET_LEN, size - VNET_LEN);
	segment(data, data + VNET_LEN, size - VNET_LEN);
	return 0;
}
