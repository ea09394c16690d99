/*
 * attls.h: what a program that knows of tlsd(8) may ask about its socket:
 * getsockopt(fd, SOL_ATTLS, ATTLS_QUERY, &info, &len), with the library or
 * under stackrun. Part of the interface of libcouplet: fixed layout, new
 * fields at the end only.
 */
#ifndef COUPLET_ATTLS_H
#define COUPLET_ATTLS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SOL_ATTLS 0x41544c53
#define ATTLS_QUERY 1 /* struct attls_info, cut at the given length */

enum attls_policy {
	ATTLS_POLICY_NONE = 1, /* no rule covers this connection */
	ATTLS_POLICY_ENABLED = 2,
};

enum attls_state {
	ATTLS_STATE_CLEAR = 1,
	ATTLS_STATE_HANDSHAKE = 2,
	ATTLS_STATE_SECURE = 3,
};

enum attls_role { ATTLS_ROLE_CLIENT = 1, ATTLS_ROLE_SERVER = 2 };

struct attls_info {
	uint8_t policy, state, role; /* 0 = not known */
	uint8_t resumed;
	uint16_t version; /* 0x0304 = TLS 1.3 */
	uint16_t suite;   /* IANA number */
	char group[16], alpn[32];
	char user[64];     /* to whom the peer's certificate is mapped */
	char subject[128]; /* of the peer's certificate, "" = none */
};

#ifdef __cplusplus
}
#endif

#endif
