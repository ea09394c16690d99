/*
 * lu3_impl.h: the print buffer, shared by the files of the LU3 interpreter:
 * lu3.c reads the stream into it, lu3_print.c prints it. Internal.
 */
#ifndef COUPLET_RENDER_LU3_IMPL_H
#define COUPLET_RENDER_LU3_IMPL_H

#include "render/line.h"
#include "render/lu3.h"

enum lu3_cell_kind {
	CELL_CHAR = 0, /* a code of the page, or a format control */
	CELL_FIELD,    /* a field attribute: prints as a blank */
	CELL_GE,       /* of the graphic escape set */
};

struct lu3_cell {
	uint8_t code;
	uint8_t kind;
	uint8_t attr;  /* enum render_attr */
	uint8_t field; /* CELL_FIELD: its attribute byte */
};

/* The stream is in the middle of: */
enum lu3_state {
	LU3_S_COMMAND = 0,
	LU3_S_WCC,
	LU3_S_DATA,
	LU3_S_ORDER, /* operands */
	LU3_S_FIELD, /* head of a structured field */
	LU3_S_SKIP,  /* the rest of the structured field, or record */
};

struct lu3_printer {
	struct lu3_conf conf;
	struct paper paper;
	unsigned size, width; /* cells; columns of an unformatted line */
	unsigned at;          /* buffer address */
	unsigned top;         /* cells written: all at or beyond are NUL */
	uint8_t wcc;
	uint8_t attr; /* of characters, from SA */
	uint8_t verdict;
	bool unprinted; /* something was written since it was printed */
	bool printed;   /* the next Write begins at 0 */
	bool apl;
	enum lu3_state state;
	bool in_field;       /* inside a structured field... */
	uint32_t field_left; /* ... of so many bytes still */
	uint16_t ctl_len, ctl_want;
	uint8_t ctl[2 + 2 * 256];
	struct lu3_cell *cell;
};

/* All cells NUL. */
void lu3_buffer_clear(struct lu3_printer *p);

/* Prints the buffer in the format of the WCC. */
void lu3_buffer_print(struct lu3_printer *p);

/* Is the buffer formatted by its WCC? Then, how wide? 0: it is not. */
unsigned lu3_format_width(uint8_t wcc);

#endif
