/*
 * controls.h: what text means to the encoders and to plain.c. Internal to the
 * room.
 */
#ifndef COUPLET_RENDER_CONTROLS_H
#define COUPLET_RENDER_CONTROLS_H

#include <stdbool.h>
#include <stdint.h>

#define TAB_EVERY 8u          /* columns */
#define EBCDIC_QUESTION 0x6fu /* '?' in every page we know */

/* Controls of Unicode text that act. */
enum {
	U_BS = 0x08,
	U_HT = 0x09,
	U_LF = 0x0a,
	U_FF = 0x0c,
	U_CR = 0x0d,
	U_NEL = 0x85
};

/* Is it a control, of C0, DEL or C1? */
static inline bool is_control(uint32_t ucs)
{
	return ucs < 0x20 || (ucs >= 0x7f && ucs < 0xa0);
}

#endif
