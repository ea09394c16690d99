/*
 * fuzz_keyfile.c: key files. The first byte says whether a pass-phrase is
 * there and what is needed; the rest is the file. Laws: a success has what was
 * needed, an error has a sentence, the chain belongs to the key.
 */
#include "keys/keyfile.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct keyfile *k, int r, const char *why,
		  unsigned need)
{
	if ((r < 0) != (why[0] != '\0'))
		abort();
	if (strlen(why) >= KEYS_WHY_MAX ||
	    strlen(k->notes) >= KEYFILE_NOTES_MAX)
		abort();
	if (r < 0)
		return;
	if ((need & KEYS_NEED_KEY) && !k->key)
		abort();
	if (k->key && (need & KEYS_NEED_CERT) && !k->n_chain)
		abort();
	if (k->n_chain > KEYS_CHAIN_MAX ||
	    (k->n_chain &&
	     EVP_PKEY_eq(X509_get0_pubkey(k->chain[0]), k->key) != 1))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[KEYS_WHY_MAX];
	struct keyfile_how how = {.name = "FUZZ", .now = 1800000000};
	struct keyfile k;
	int r;

	if (size < 1)
		return 0;
	how.need = data[0] & 7;
	how.pass = data[0] & 8 ? "secret" : NULL;
	r = keyfile_parse(data + 1, size - 1, &how, &k, why);
	check(&k, r, why, how.need);
	keyfile_fini(&k);
	return 0;
}
