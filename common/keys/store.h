/*
 * store.h: the private keys that the key process holds, by number. Any thread.
 */
#ifndef COUPLET_KEYS_STORE_H
#define COUPLET_KEYS_STORE_H

#include "keys/keys.h"

#include <openssl/evp.h>

struct store;

/* An empty one. NULL: no memory. */
struct store *store_new(void);
void store_free(struct store *s);

/* Takes one reference to `key` more. Its number (not 0), or 0 when
 * KEYS_PAIRS_MAX are there. */
uint32_t store_put(struct store *s, EVP_PKEY *key);
/* A reference that the caller frees, or NULL. */
EVP_PKEY *store_get(struct store *s, uint32_t id);
/* Forgets the key; wiped with its last reference. Unknown numbers: nothing. */
void store_drop(struct store *s, uint32_t id);

#endif
