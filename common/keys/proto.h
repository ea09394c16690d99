/*
 * proto.h: records between a daemon and its key process, over SEQPACKET socket
 * pairs that nobody else holds. Both ends are one program, so records are its
 * structs; sizes are checked all the same, because the daemon's side may have
 * been taken over by an intruder.
 *
 * A request has one answer. The answer to LOAD is followed by
 * `blob` bytes in records of at most PROTO_PART_MAX: for each of chain, CAs
 * and CRLs, `len` (4 bytes, this machine's order) and DER; then the notes,
 * then the path, the same way.
 */
#ifndef COUPLET_KEYS_PROTO_H
#define COUPLET_KEYS_PROTO_H

#include "keys/keys.h"

enum {
	PROTO_LOAD = 1, /* control socket only */
	PROTO_SIGN,
	PROTO_DECRYPT,
	PROTO_DROP,
	PROTO_PART_MAX = 32768,
	PROTO_BLOB_MAX = 3 * KEYS_FILE_MAX,
};

struct proto_request {
	uint16_t op;
	uint16_t algorithm; /* SIGN: enum keys_algorithm */
	uint32_t id;        /* of the private key */
	uint16_t hashed;    /* SIGN */
	uint16_t len;       /* bytes of data; DECRYPT: also `want` */
	uint16_t want;      /* DECRYPT: bytes of plain text */
	uint16_t spare;
	uint8_t data[KEYS_DATA_MAX];
};
#define PROTO_REQUEST_HEAD offsetof(struct proto_request, data)

struct proto_answer {
	int32_t result; /* bytes of data, or negative errno */
	uint8_t data[KEYS_SIGN_MAX];
};
#define PROTO_ANSWER_HEAD offsetof(struct proto_answer, data)

struct proto_load {
	uint16_t op;   /* PROTO_LOAD */
	uint16_t need; /* KEYS_NEED_ bits */
	/* zero-terminated; "" = NULL */
	char ring[KEYS_PATH_MAX];
	char name[KEYS_PATH_MAX];
	char pass_file[KEYS_PATH_MAX];
};

struct proto_loaded {
	int32_t result; /* 0 or negative errno */
	uint32_t id;    /* of the private key; 0: none */
	uint32_t type, bits;
	uint32_t n_chain, n_cas, n_crls;
	uint32_t blob; /* bytes that follow */
	char why[KEYS_WHY_MAX];
};

#endif
