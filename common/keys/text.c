#include "keys/text.h"

#include "base/ebcdic.h"

#include <string.h>

/* "-----BEGIN " in EBCDIC; "-----BEGIN" has one form in all its code pages */
static const uint8_t begin_ebcdic[] = {0x60, 0x60, 0x60, 0x60, 0x60, 0xc2,
				       0xc5, 0xc7, 0xc9, 0xd5, 0x40};

bool text_is_ebcdic(const void *bytes, size_t len)
{
	return memmem(bytes, len, begin_ebcdic, sizeof begin_ebcdic) != NULL;
}

/* Appends one line without the blanks at its end. */
static size_t put_line(char *out, const char *line, size_t len)
{
	while (len && (line[len - 1] == ' ' || line[len - 1] == '\t' ||
		       line[len - 1] == '\r' || line[len - 1] == '\0'))
		len--;
	memmove(out, line, len);
	out[len] = '\n';
	return len + 1;
}

static size_t split_cards(const char *text, size_t len, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i += CARD_BYTES)
		n += put_line(out + n, text + i, CARD_BYTES);
	return n;
}

static size_t split_lines(const char *text, size_t len, char *out)
{
	size_t n = 0, start = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\n' && text[i] != '\r')
			continue;
		n += put_line(out + n, text + start, i - start);
		if (text[i] == '\r' && i + 1 < len && text[i + 1] == '\n')
			i++;
		start = i + 1;
	}
	if (start < len)
		n += put_line(out + n, text + start, len - start);
	return n;
}

size_t text_normalize(const void *bytes, size_t len, char *work, char *out,
		      struct text_found *ret)
{
	static const uint8_t bom[] = {0xef, 0xbb, 0xbf};
	const uint8_t *p = bytes;

	*ret = (struct text_found){.ebcdic = text_is_ebcdic(bytes, len)};
	if (len >= sizeof bom && memcmp(p, bom, sizeof bom) == 0) {
		p += sizeof bom;
		len -= sizeof bom;
	}
	for (size_t i = 0; i < len; i++)
		work[i] = (char)(ret->ebcdic ? ebcdic_to_latin1[p[i]] : p[i]);
	ret->cards = text_is_cards(work, len);
	return ret->cards ? split_cards(work, len, out)
			  : split_lines(work, len, out);
}
