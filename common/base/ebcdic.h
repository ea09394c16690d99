/*
 * ebcdic.h: text as a mainframe, or a binary transfer from one, left it. Used
 * where files of a z/VSE shop come in as they are: decks and key files. What
 * is printed has code pages of its own (printd/render). Pure.
 */
#ifndef COUPLET_BASE_EBCDIC_H
#define COUPLET_BASE_EBCDIC_H

#include "base/base.h"

enum { CARD_BYTES = 80 }; /* a record of a library member */

/* IBM-1047 to ISO 8859-1; both new lines (0x15, 0x25) become LF. IBM-037
 * differs in six characters that neither a PEM block nor a command needs. */
extern const uint8_t ebcdic_to_latin1[256];

/* Card images one behind the other, in ASCII: no new line anywhere, a multiple
 * of 80 bytes. */
bool text_is_cards(const char *text, size_t len);

#endif
