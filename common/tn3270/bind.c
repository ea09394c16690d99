/*
 * bind.c: the BIND RU, as far as a TN3270E session shows it: LU type,
 * screen size, RU size, name of the application (SNA Formats, BIND).
 */
#include "tn3270/tn3270e.h"

#include <errno.h>
#include <string.h>

/* Offsets of the RU's bytes. */
enum {
	B_CODE = 0,    /* 31 */
	B_FORMAT = 1,  /* 01: format 0, not negotiable */
	B_FM = 2,      /* FM profile */
	B_TS = 3,      /* TS profile */
	B_PRI = 4,     /* primary's protocols */
	B_SEC = 5,     /* secondary's */
	B_COMMON = 6,  /* two bytes */
	B_SEC_RU = 10, /* largest RU the secondary sends */
	B_PRI_RU = 11, /* largest RU the primary sends */
	B_LU = 14,     /* LU type */
	B_LU1_FLAGS = 15,
	B_ROWS = 20, /* LU 2 and 3: sizes, then which of them */
	B_SIZE = 24,
	B_CRYPTO = 26,
	B_PLU_LEN = 27,
	B_PLU = 28,
};

/* BIND size byte: primary and alternate as given, or default sizes. */
#define SIZE_PRIMARY 0x7eu
#define SIZE_BOTH 0x7fu
#define SIZE_24_80 0x02u
#define SIZE_24_80_ALT 0x03u

/* EBCDIC of the characters an SNA name may have. */
static int name_to_ebcdic(char c)
{
	if (c >= 'A' && c <= 'I')
		return 0xc1 + (c - 'A');
	if (c >= 'J' && c <= 'R')
		return 0xd1 + (c - 'J');
	if (c >= 'S' && c <= 'Z')
		return 0xe2 + (c - 'S');
	if (c >= '0' && c <= '9')
		return 0xf0 + (c - '0');
	if (c == '#')
		return 0x7b;
	if (c == '@')
		return 0x7c;
	return c == '$' ? 0x5b : -1;
}

static char name_from_ebcdic(uint8_t b)
{
	static const char names[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789#@$";

	for (const char *c = names; *c; c++)
		if (name_to_ebcdic(*c) == b)
			return *c;
	return '?';
}

/* RU sizes are m * 2^n, m 8..15 in the high digit [SNA Formats]. */
static uint8_t ru_size_emit(uint16_t bytes)
{
	unsigned m = bytes, n = 0;

	while (m > 15) {
		m >>= 1;
		n++;
	}
	return m < 8 ? 0 : (uint8_t)(m << 4 | n);
}

static uint16_t ru_size_parse(uint8_t b)
{
	unsigned v = b & 0x80 ? (unsigned)(b >> 4) << (b & 15) : 0;

	return v > UINT16_MAX ? UINT16_MAX : (uint16_t)v;
}

static void emit_size(const struct tn3270e_bind *b, uint8_t *out)
{
	out[B_ROWS] = b->rows;
	out[B_ROWS + 1] = b->cols;
	out[B_ROWS + 2] = b->alt_rows;
	out[B_ROWS + 3] = b->alt_cols;
	if (b->alt_rows)
		out[B_SIZE] = b->rows ? SIZE_BOTH : SIZE_24_80_ALT;
	else
		out[B_SIZE] = b->rows ? SIZE_PRIMARY : SIZE_24_80;
}

ssize_t tn3270e_bind_emit(const struct tn3270e_bind *b, uint8_t *out,
			  size_t cap)
{
	size_t n = strnlen(b->plu, TN3270E_NAME_MAX);

	if (cap < B_PLU + n)
		return -ENOSPC;
	memset(out, 0, B_PLU + n);
	out[B_CODE] = 0x31;
	out[B_FORMAT] = 0x01;
	out[B_FM] = 0x03;
	out[B_TS] = 0x03;
	out[B_PRI] = 0xb1; /* chains, definite or exception responses */
	out[B_SEC] = b->lu_type == 2 ? 0xb0 : 0x90;
	out[B_COMMON] = 0x30; /* brackets */
	out[B_COMMON + 1] = 0x80;
	out[B_SEC_RU] = ru_size_emit(b->ru_max);
	out[B_PRI_RU] = ru_size_emit(b->ru_max);
	out[B_LU] = b->lu_type;
	if (b->lu_type == 1)
		out[B_LU1_FLAGS] = 0x01; /* SCS, base and extensions */
	else
		emit_size(b, out);
	out[B_PLU_LEN] = (uint8_t)n;
	for (size_t i = 0; i < n; i++) {
		int c = name_to_ebcdic(b->plu[i]);

		if (c < 0)
			return -EINVAL;
		out[B_PLU + i] = (uint8_t)c;
	}
	return (ssize_t)(B_PLU + n);
}

int tn3270e_bind_parse(const uint8_t *ru, size_t len, struct tn3270e_bind *ret)
{
	struct tn3270e_bind b = {0};
	size_t n;

	if (len <= B_LU || ru[B_CODE] != 0x31)
		return -EBADMSG;
	b.lu_type = ru[B_LU] & 0x7f;
	b.ru_max = ru_size_parse(ru[B_PRI_RU]);
	if (len > B_SIZE && b.lu_type != 1 && ru[B_SIZE] >= SIZE_PRIMARY) {
		b.rows = ru[B_ROWS];
		b.cols = ru[B_ROWS + 1];
		if (ru[B_SIZE] == SIZE_BOTH) {
			b.alt_rows = ru[B_ROWS + 2];
			b.alt_cols = ru[B_ROWS + 3];
		}
	}
	n = len > B_PLU_LEN ? MIN(ru[B_PLU_LEN], TN3270E_NAME_MAX) : 0;
	for (size_t i = 0; i < n && B_PLU + i < len; i++)
		b.plu[i] = name_from_ebcdic(ru[B_PLU + i]);
	*ret = b;
	return 0;
}
