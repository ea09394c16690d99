/*
 * eza_text.c: EZACIC04, 05 and 06. The tables of the code page are libc's,
 * taken once.
 */
#include "eza/eza.h"

#include <iconv.h>
#include <pthread.h>
#include <string.h>

#define EBCDIC "IBM1047"
#define ASCII "ISO-8859-1"

static unsigned char to_ascii[256], to_ebcdic[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Bytes one by one; what has no counterpart stays. */
static void fill(const char *to, const char *from, unsigned char *table)
{
	iconv_t cd = iconv_open(to, from);

	for (int i = 0; i < 256; i++) {
		char in = (char)i, out = (char)i, *pi = &in, *po = &out;
		size_t ni = 1, no = 1;

		if (cd == (iconv_t)-1 ||
		    iconv(cd, &pi, &ni, &po, &no) == (size_t)-1)
			out = in;
		table[i] = (unsigned char)out;
	}
	if (cd != (iconv_t)-1)
		iconv_close(cd);
}

static void make_tables(void)
{
	fill(ASCII, EBCDIC, to_ascii);
	fill(EBCDIC, ASCII, to_ebcdic);
}

static void translate(unsigned char *text, const void *len,
		      const unsigned char *table)
{
	for (int i = 0; i < eza_get32(len); i++)
		text[i] = table[text[i]];
}

int EZACIC04(void *text, const void *len)
{
	pthread_once(&once, make_tables);
	translate(text, len, to_ascii);
	return 0;
}

int EZACIC05(void *text, const void *len)
{
	pthread_once(&once, make_tables);
	translate(text, len, to_ebcdic);
	return 0;
}

int EZACIC06(const void *token, void *bits, void *chars, const void *len,
	     void *retcode)
{
	unsigned char *b = bits;
	char *s = chars;
	int n = eza_get32(len);
	bool make = memcmp(token, "CTOB", 4) == 0;

	if (n < 1 || n > EZA_SOCKETS_MAX ||
	    (!make && memcmp(token, "BTOC", 4) != 0)) {
		eza_put32(retcode, -1);
		return 0;
	}
	for (int i = 0; make && i < (n + 31) / 32; i++)
		eza_put32(b + i * 4, 0);
	for (int i = 0; i < n; i++) {
		unsigned char *word = b + i / 32 * 4;
		int bit = (int)(1u << (i % 32));

		if (!make)
			s[i] = eza_get32(word) & bit ? '1' : '0';
		else if (s[i] == '1')
			eza_put32(word, eza_get32(word) | bit);
	}
	eza_put32(retcode, 0);
	return 0;
}
