/*
 * host_text.c: decks that came from z/VSE without a conversion on the way, in
 * EBCDIC, or as card images without line ends. Pure.
 */
#include "deck/reader.h"

#include "base/ebcdic.h"

#include <stdlib.h>
#include <string.h>

/* Letters and digits of EBCDIC all lie above 0x80, and its blank is 0x40; text
 * in ASCII of some length has blanks or line ends, and few bytes above. */
static bool is_ebcdic(const char *text, size_t len)
{
	size_t high = 0, low = 0;

	if (memchr(text, ' ', len) || memchr(text, '\n', len))
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((uint8_t)text[i] & 0x80)
			high++;
		else if (text[i] != '@')
			low++;
	}
	return high > low;
}

/* One character of ISO 8859-1 as UTF-8; returns its bytes. */
static size_t put_utf8(uint8_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	out[0] = (char)(0xc0 | c >> 6);
	out[1] = (char)(0x80 | (c & 0x3f));
	return 2;
}

static size_t put_all(const char *text, size_t len, bool ebcdic, bool cards,
		      char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (ebcdic)
			n += put_utf8(ebcdic_to_latin1[(uint8_t)text[i]],
				      out + n);
		else
			out[n++] = text[i];
		if (cards && i % CARD_BYTES == CARD_BYTES - 1)
			out[n++] = '\n';
	}
	return n;
}

static bool has_line_end(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t c = ebcdic_to_latin1[(uint8_t)text[i]];

		if (c == '\n' || c == '\r')
			return true;
	}
	return false;
}

enum deck_text deck_text_kind(const char *text, size_t len)
{
	if (!is_ebcdic(text, len))
		return len > CARD_BYTES && text_is_cards(text, len)
			       ? DECK_TEXT_CARDS
			       : DECK_TEXT_LINES;
	return len % CARD_BYTES == 0 && !has_line_end(text, len)
		       ? DECK_TEXT_EBCDIC_CARDS
		       : DECK_TEXT_EBCDIC;
}

char *deck_text_lines(const char *text, size_t len, enum deck_text kind,
		      size_t *ret_len)
{
	bool ebcdic =
		kind == DECK_TEXT_EBCDIC || kind == DECK_TEXT_EBCDIC_CARDS;
	bool cards = kind == DECK_TEXT_CARDS || kind == DECK_TEXT_EBCDIC_CARDS;
	char *out = malloc(2 * len + len / CARD_BYTES + 1);

	if (out)
		*ret_len = put_all(text, len, ebcdic, cards, out);
	return out;
}
