/*
 * eza_errno.c: errors as this interface numbers them. Up to 34 they are
 * Linux's numbers; from 35 on those of the first sockets.
 */
#include "eza/eza.h"

#include <errno.h>

int eza_errno(int e)
{
	static const struct {
		int linux_no, eza;
	} map[] = {
		{EAGAIN, 35},          {EINPROGRESS, 36},
		{EALREADY, 37},        {ENOTSOCK, 38},
		{EDESTADDRREQ, 39},    {EMSGSIZE, 40},
		{EPROTOTYPE, 41},      {ENOPROTOOPT, 42},
		{EPROTONOSUPPORT, 43}, {ESOCKTNOSUPPORT, 44},
		{EOPNOTSUPP, 45},      {EPFNOSUPPORT, 46},
		{EAFNOSUPPORT, 47},    {EADDRINUSE, 48},
		{EADDRNOTAVAIL, 49},   {ENETDOWN, 50},
		{ENETUNREACH, 51},     {ENETRESET, 52},
		{ECONNABORTED, 53},    {ECONNRESET, 54},
		{ENOBUFS, 55},         {EISCONN, 56},
		{ENOTCONN, 57},        {ESHUTDOWN, 58},
		{ETOOMANYREFS, 59},    {ETIMEDOUT, 60},
		{ECONNREFUSED, 61},    {ELOOP, 62},
		{ENAMETOOLONG, 63},    {EHOSTDOWN, 64},
		{EHOSTUNREACH, 65},    {ENOTEMPTY, 66},
	};

	for (size_t i = 0; i < ARRAY_SIZE(map); i++) {
		if (map[i].linux_no == e)
			return map[i].eza;
	}
	return e <= ERANGE ? e : EINVAL;
}
