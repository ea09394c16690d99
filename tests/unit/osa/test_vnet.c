/* virtio-net headers in both directions. */
#include "osa/vnet.h"
#include "unit.h"

#include <linux/virtio_net.h>
#include <string.h>

static struct pkt_pool pool;

static struct pkt *packet(uint32_t len)
{
	struct pkt *k;

	pkt_pool_init(&pool, 1u << 20);
	k = pkt_new(&pool, PKT_LARGE);
	assert_non_null(k);
	memset(pkt_data(k), 0, len);
	k->len = len;
	return k;
}

static void done(struct pkt *k)
{
	pkt_free(&pool, k);
	pkt_pool_fini(&pool);
}

static void parse(struct pkt *k, uint8_t flags, uint8_t type, uint16_t size,
		  uint16_t start)
{
	struct virtio_net_hdr h = {.flags = flags,
				   .gso_type = type,
				   .gso_size = size,
				   .csum_start = start,
				   .csum_offset = 16};
	uint8_t b[VNET_LEN];

	memcpy(b, &h, sizeof(b));
	vnet_parse(b, k);
}

static void test_plain_packet(void **state)
{
	struct pkt *k = packet(60);

	(void)state;
	parse(k, 0, 0, 0, 0);
	assert_int_equal(k->csum, PKT_CSUM_UNKNOWN);
	assert_int_equal(k->gso_size, 0);
	assert_int_equal(k->gso_segs, 1);
	parse(k, VIRTIO_NET_HDR_F_DATA_VALID, 0, 0, 0);
	assert_int_equal(k->csum, PKT_CSUM_OK);
	done(k);
}

static void test_gso_segments_counted(void **state)
{
	struct pkt *k = packet(52 + 10 * 1448 + 1);

	(void)state;
	pkt_data(k)[20 + 12] = 0x80; /* TCP header of 32 bytes */
	parse(k, 1, VIRTIO_NET_HDR_GSO_TCPV4, 1448, 20);
	assert_int_equal(k->csum, PKT_CSUM_OK);
	assert_int_equal(k->gso_size, 1448);
	assert_int_equal(k->gso_segs, 11);
	pkt_trim(k, 1);
	parse(k, 1, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN, 1448,
	      20);
	assert_int_equal(k->gso_segs, 10);
	parse(k, 1, 5, 1448, 20); /* UDP: header of 8 */
	assert_int_equal(k->gso_segs, 11);
	done(k);
}

/* Whatever the other side writes there, the packet stays in bounds. */
static void test_nonsense(void **state)
{
	struct pkt *k = packet(65535);

	(void)state;
	parse(k, 1, VIRTIO_NET_HDR_GSO_TCPV4, 0, 20);
	assert_int_equal(k->gso_size, 0);
	assert_int_equal(k->gso_segs, 1);
	parse(k, 0, VIRTIO_NET_HDR_GSO_TCPV4, 1, 20);
	assert_int_equal(k->gso_size, 0);
	parse(k, 1, VIRTIO_NET_HDR_GSO_TCPV6, 1, 65535);
	assert_int_equal(k->gso_size, 1);
	assert_int_equal(k->gso_segs, 65535);
	parse(k, 1, 0x77, 1000, 20);
	assert_int_equal(k->gso_size, 0);
	k->len = 1;
	parse(k, 1, VIRTIO_NET_HDR_GSO_TCPV6, 1, 65535);
	assert_int_equal(k->gso_segs, 1);
	assert_int_equal(k->gso_size, 0);
	done(k);
}

static struct virtio_net_hdr emit(const struct frame *f)
{
	struct virtio_net_hdr h;
	uint8_t b[VNET_LEN];

	vnet_emit(f, b);
	memcpy(&h, b, sizeof(h));
	return h;
}

static void test_emit(void **state)
{
	struct frame f = {.hdr_len = 52,
			  .payload_len = 10000,
			  .needs_csum = true,
			  .csum_start = 20,
			  .csum_offset = 16,
			  .gso = FRAME_GSO_TCP4,
			  .gso_size = 1448};
	struct virtio_net_hdr h = emit(&f);

	(void)state;
	assert_int_equal(h.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(h.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(h.gso_size, 1448);
	assert_int_equal(h.hdr_len, 52);
	assert_int_equal(h.csum_start, 20);
	assert_int_equal(h.csum_offset, 16);
	f.hdr[20 + 13] = 0x80; /* CWR */
	f.gso = FRAME_GSO_TCP6;
	h = emit(&f);
	assert_int_equal(h.gso_type,
			 VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN);
	f.gso = FRAME_GSO_UDP;
	assert_int_equal(emit(&f).gso_type, 5);
}

/* The kernel refuses GSO that has nothing to cut. */
static void test_emit_one_segment(void **state)
{
	struct frame f = {.hdr_len = 52,
			  .payload_len = 1448,
			  .gso = FRAME_GSO_TCP4,
			  .gso_size = 1448};
	struct virtio_net_hdr h = emit(&f);

	(void)state;
	assert_int_equal(h.flags, 0);
	assert_int_equal(h.gso_type, 0);
	assert_int_equal(h.gso_size, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_plain_packet),
	cmocka_unit_test(test_gso_segments_counted),
	cmocka_unit_test(test_nonsense),
	cmocka_unit_test(test_emit),
	cmocka_unit_test(test_emit_one_segment),
};

UNIT_MAIN(tests)
