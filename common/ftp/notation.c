/* notation.c: addresses and ports as FTP writes them. */
#include "ftp/ftp.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Decimal 0..max at *p, which moves behind it; -1: none there. */
static long number(const char **p, long max)
{
	long v = 0;
	int digits = 0;

	while (isdigit((unsigned char)**p) && digits < 6) {
		v = v * 10 + (**p - '0');
		digits++;
		(*p)++;
	}
	return digits && v <= max && !isdigit((unsigned char)**p) ? v : -1;
}

int ftp_parse_port(const char *text, struct ip_port *ret)
{
	uint8_t b[6];

	for (int i = 0; i < 6; i++) {
		long v = number(&text, 255);

		if (v < 0 || (i < 5 && *text++ != ','))
			return -EINVAL;
		b[i] = (uint8_t)v;
	}
	*ret = (struct ip_port){.addr = ip_v4(b[0], b[1], b[2], b[3]),
				.port = (uint16_t)(b[4] << 8 | b[5])};
	return 0;
}

int ftp_parse_eprt(const char *text, struct ip_port *ret)
{
	char mark = *text, addr[ADDR_TEXT_MAX];
	const char *end;
	struct ip_addr a;
	long family, port;

	if (mark < 33 || mark > 126 || isdigit((unsigned char)mark))
		return -EINVAL;
	text++;
	family = number(&text, 99);
	if (family < 0 || *text != mark)
		return -EINVAL;
	if (family != 1 && family != 2)
		return -EAFNOSUPPORT;
	end = strchr(++text, mark);
	if (!end || (size_t)(end - text) >= sizeof addr)
		return -EINVAL;
	memcpy(addr, text, (size_t)(end - text));
	addr[end - text] = '\0';
	text = end + 1;
	port = number(&text, 65535);
	if (port < 1 || *text != mark || ip_parse(addr, &a) < 0 ||
	    a.family != (family == 1 ? IP_V4 : IP_V6))
		return -EINVAL;
	*ret = (struct ip_port){.addr = a, .port = (uint16_t)port};
	return 0;
}

int ftp_parse_227(const char *text, struct ip_port *ret)
{
	/* [RFC1123 4.1.2.6] look for the digits, do not count on brackets;
	 * those of the code itself are behind us */
	for (const char *p = text; *p; p++) {
		bool first = p == text || !isdigit((unsigned char)p[-1]);

		if (first && isdigit((unsigned char)*p) &&
		    ftp_parse_port(p, ret) == 0)
			return ret->port ? 0 : -EINVAL;
	}
	return -EINVAL;
}

int ftp_parse_229(const char *text, uint16_t *ret)
{
	const char *p = strchr(text, '(');
	char mark;
	long port;

	if (!p)
		return -EINVAL;
	mark = p[1];
	if (mark < 33 || mark > 126 || p[2] != mark || p[3] != mark)
		return -EINVAL;
	p += 4;
	port = number(&p, 65535);
	if (port < 1 || *p != mark)
		return -EINVAL;
	*ret = (uint16_t)port;
	return 0;
}
