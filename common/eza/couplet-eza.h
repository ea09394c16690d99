/*
 * couplet-eza.h: the EZASOKET interface of z/VSE for programs on Linux; see
 * libcouplet-eza(3). COBOL programs CALL 'EZASOKET' and need no header.
 *
 * Every argument is passed by reference. Numbers are binary as COBOL's COMP
 * and BINARY store them, most significant byte first: halfwords PIC 9(4),
 * fullwords PIC 9(8), signed where RETCODE is meant. Names are blank-padded.
 * The first argument is the function, 16 bytes; the last two are ERRNO and
 * RETCODE, where the function has them. RETCODE -1 is a failure, and ERRNO
 * then has the number that this interface gives the error (ECONNREFUSED 61).
 */
#ifndef COUPLET_EZA_H
#define COUPLET_EZA_H

#ifdef __cplusplus
extern "C" {
#endif

/* Returns 0; everything is told through the arguments. */
int EZASOKET(const void *function, ...);

/* Posts the event control block `ecb`, a fullword: sets its bit X'00008000' and
 * ends a SELECTEX of this process that waits for it. Any thread and any signal
 * handler may call it. Returns 0. */
int EZAPOST(void *ecb);

/* In place: EBCDIC (code page 1047) to ASCII (ISO 8859-1), and back. `len`: a
 * fullword. */
int EZACIC04(void *text, const void *len);
int EZACIC05(void *text, const void *len);
/* Masks of SELECT: `token` "CTOB" makes bits of a string of '0' and '1' whose
 * first character is socket 0, "BTOC" the string of the bits. `chars` has as
 * many characters as the fullword `len` says. `retcode`: a fullword. */
int EZACIC06(const void *token, void *bits, void *chars, const void *len,
	     void *retcode);
/* One alias and one address of what GETHOSTBYNAME gave; the halfwords
 * *alias_seq and *addr_seq, from 1, count on from call to call. */
int EZACIC08(const void *hostent, void *name_len, void *name, void *alias_count,
	     void *alias_seq, void *alias_len, void *alias, void *addr_type,
	     void *addr_len, void *addr_count, void *addr_seq, void *addr,
	     void *retcode);
/* One element of what GETADDRINFO gave: its canonical name, a pointer to its
 * address, and a pointer to the next element. */
int EZACIC09(const void *res, void *name_len, void *name, void *addr,
	     void *next, void *retcode);

/* Numbers for C programs that call the above. */
static inline void eza_put16(void *at, int v)
{
	unsigned char *b = (unsigned char *)at;

	b[0] = (unsigned char)(v >> 8);
	b[1] = (unsigned char)v;
}

static inline void eza_put32(void *at, int v)
{
	eza_put16(at, v >> 16);
	eza_put16((unsigned char *)at + 2, v);
}

static inline int eza_get16(const void *at)
{
	const unsigned char *b = (const unsigned char *)at;

	return (short)(b[0] << 8 | b[1]);
}

static inline int eza_get32(const void *at)
{
	const unsigned char *b = (const unsigned char *)at;

	return (int)((unsigned)b[0] << 24 | (unsigned)b[1] << 16 |
		     (unsigned)b[2] << 8 | b[3]);
}

#ifdef __cplusplus
}
#endif

#endif
