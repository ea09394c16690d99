/*
 * head.h: what may stand at the beginning of a connection: a PROXY protocol
 * header, versions 1 and 2, and a TLS ClientHello whose server name decides
 * where the connection goes. Pure; bytes are looked at in place, whoever has
 * them decides what is taken.
 *
 * The PROXY protocol is specified by its authors in "The PROXY protocol
 * versions 1 & 2"; [PP 2.1] and [PP 2.2] name its sections. Of version 2 TLVs
 * are skipped, and UNKNOWN, LOCAL and other address families keep the
 * addresses of the connection itself.
 */
#ifndef COUPLET_PROXYD_HEAD_H
#define COUPLET_PROXYD_HEAD_H

#include "addr/addr.h"
#include "base/base.h"

#define HEAD_V1_MAX 107   /* bytes with CRLF [PP 2.1] */
#define HEAD_V2_MAX 1040  /* 16 and the addresses and TLVs that we accept */
#define HEAD_NAME_MAX 253 /* bytes of a server name */
/* A ClientHello that is longer, or takes more records, is refused. */
#define HEAD_HELLO_MAX 16384

enum { HEAD_V1 = 1, HEAD_V2 = 2 }; /* bits */

struct head_proxy {
	bool known; /* false: the addresses are those of the connection */
	struct ip_port client, local;
};

/*
 * Looks for a header of the versions `allowed` at the first of `len` bytes.
 * > 0: its length, *ret is filled; -EAGAIN: more bytes are needed; -EPROTO:
 * this is no such header.
 */
ssize_t head_proxy_parse(const char *buf, size_t len, unsigned allowed,
			 struct head_proxy *ret) MUST_USE;
/* Writes a header of HEAD_V1 or HEAD_V2 (at most HEAD_V1_MAX + 1 bytes) about
 * a connection from `client` to `local`, both of one family; returns its
 * length. */
size_t head_proxy_emit(unsigned version, const struct ip_port *client,
		       const struct ip_port *local, char *buf);

/*
 * The server name [RFC6066 3] in the ClientHello [RFC8446 4.1.2] that these
 * bytes begin with, lower case, into `name` (HEAD_NAME_MAX + 1 bytes; "" when
 * it has none). 0; -EAGAIN: more bytes are needed; -EPROTO: no ClientHello.
 */
int head_sni(const uint8_t *buf, size_t len, char *name) MUST_USE;
/* Does `name` (lower case) fit "example.org", or "*.example.org", which is
 * one label or more in front? */
bool head_name_fits(const char *pattern, const char *name);

#endif
