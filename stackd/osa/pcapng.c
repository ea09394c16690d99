#include "osa/pcapng.h"

#include <string.h>

#define BLOCK_SHB 0x0a0d0d0au
#define BLOCK_IDB 1u
#define BYTE_ORDER_MAGIC 0x1a2b3c4du

#define OPT_END 0u
#define SHB_USERAPPL 4u
#define IF_NAME 2u
#define IF_TSRESOL 9u
#define EPB_FLAGS 2u
#define FLAG_INBOUND 1u
#define FLAG_OUTBOUND 2u

/* Little-endian writer; `at` beyond `cap` means that it did not fit. */
struct out {
	uint8_t *buf;
	size_t cap, at;
};

static void put(struct out *o, const void *data, size_t len)
{
	if (o->at <= o->cap && len <= o->cap - o->at)
		memcpy(o->buf + o->at, data, len);
	o->at += len;
}

static void put32(struct out *o, uint32_t v)
{
	const uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
			      (uint8_t)(v >> 24)};

	put(o, b, sizeof(b));
}

/* Two 16-bit values. */
static void put16x2(struct out *o, uint32_t first, uint32_t second)
{
	put32(o, (first & 0xffff) | second << 16);
}

static uint32_t get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static uint32_t pad_of(size_t len)
{
	return (uint32_t)(-len & 3);
}

static void put_option(struct out *o, uint32_t code, const void *data,
		       size_t len)
{
	put16x2(o, code, (uint32_t)len);
	put(o, data, len);
	put(o, "\0\0\0", pad_of(len));
}

/* Ends options and block, and writes the length at both ends. */
static size_t finish(struct out *o)
{
	struct out head = {o->buf, o->cap, 4};

	put32(o, OPT_END);
	put32(o, (uint32_t)o->at + 4);
	if (o->at > o->cap)
		return 0;
	put32(&head, (uint32_t)o->at);
	return o->at;
}

size_t pcapng_shb(uint8_t *buf, size_t cap, const char *application)
{
	struct out o = {buf, cap, 0};

	put32(&o, BLOCK_SHB);
	put32(&o, 0);
	put32(&o, BYTE_ORDER_MAGIC);
	put16x2(&o, 1, 0);     /* version 1.0 */
	put32(&o, 0xffffffff); /* section of unknown length: -1 */
	put32(&o, 0xffffffff);
	put_option(&o, SHB_USERAPPL, application, strlen(application));
	return finish(&o);
}

size_t pcapng_idb(uint8_t *buf, size_t cap, uint16_t linktype, uint32_t snaplen,
		  const char *if_name)
{
	struct out o = {buf, cap, 0};

	put32(&o, BLOCK_IDB);
	put32(&o, 0);
	put16x2(&o, linktype, 0);
	put32(&o, snaplen);
	put_option(&o, IF_NAME, if_name, strlen(if_name));
	put_option(&o, IF_TSRESOL, "\x09", 1); /* 10^-9 s */
	return finish(&o);
}

static uint32_t epb_len(uint32_t cap_len)
{
	return PCAPNG_EPB_HEAD + cap_len + pad_of(cap_len) + 8 + 4 + 4;
}

void pcapng_epb_head(uint8_t *buf, uint32_t iface, uint64_t time_ns,
		     uint32_t cap_len, uint32_t orig_len)
{
	struct out o = {buf, PCAPNG_EPB_HEAD, 0};

	put32(&o, PCAPNG_EPB_TYPE);
	put32(&o, epb_len(cap_len));
	put32(&o, iface);
	put32(&o, (uint32_t)(time_ns >> 32));
	put32(&o, (uint32_t)time_ns);
	put32(&o, cap_len);
	put32(&o, orig_len);
}

size_t pcapng_epb_tail(uint8_t *buf, uint32_t cap_len, bool outbound)
{
	struct out o = {buf, PCAPNG_EPB_TAIL_MAX, 0};

	put(&o, "\0\0\0", pad_of(cap_len));
	put16x2(&o, EPB_FLAGS, 4);
	put32(&o, outbound ? FLAG_OUTBOUND : FLAG_INBOUND);
	put32(&o, OPT_END);
	put32(&o, epb_len(cap_len));
	return o.at;
}

bool pcapng_block(const uint8_t *buf, size_t len, uint32_t *ret_type,
		  uint32_t *ret_len)
{
	uint32_t n;

	if (len < 12)
		return false;
	n = get32(buf + 4);
	if (n < 12 || n > len)
		return false;
	*ret_type = get32(buf);
	*ret_len = n;
	return true;
}
