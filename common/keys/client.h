/*
 * client.h: requests to the key process; what keys_pair stands on.
 */
#ifndef COUPLET_KEYS_CLIENT_H
#define COUPLET_KEYS_CLIENT_H

#include "keys/keys.h"

struct proto_load;
struct proto_loaded;

/* As keys_load(): 0 or negative errno, *ret_blob (a.blob bytes) is the
 * caller's to free. Success takes a reference to `k` that client_drop()
 * gives back. */
int client_load(struct keys *k, const struct proto_load *q,
		struct proto_loaded *a, uint8_t **ret_blob) MUST_USE;
/* Forgets private key `id` (0: there is none) and the reference. */
void client_drop(struct keys *k, uint32_t id);
/* As keys_sign(). */
int client_sign(struct keys *k, uint32_t id, enum keys_algorithm a, bool hashed,
		const void *data, size_t len, uint8_t *sig) MUST_USE;
/* As keys_decrypt(). */
int client_decrypt(struct keys *k, uint32_t id, const void *data, size_t len,
		   uint8_t *plain, size_t n) MUST_USE;

#endif
