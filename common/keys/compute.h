/*
 * compute.h: what is done with a private key, by libcrypto. In the key
 * process only. Pure but for libcrypto's random numbers.
 */
#ifndef COUPLET_KEYS_COMPUTE_H
#define COUPLET_KEYS_COMPUTE_H

#include "keys/keys.h"

#include <openssl/evp.h>

/* As keys_sign(). Any thread. */
int compute_sign(EVP_PKEY *key, enum keys_algorithm a, bool hashed,
		 const uint8_t *data, size_t len, uint8_t *sig) MUST_USE;
/* As keys_decrypt(). Any thread. */
int compute_decrypt(EVP_PKEY *key, const uint8_t *data, size_t len,
		    uint8_t *plain, size_t n) MUST_USE;

#endif
