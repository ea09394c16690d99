/* Private keys by number. */
#include "keys/store.h"
#include "unit.h"

#include <openssl/ec.h>

static void keys_come_and_go(void **state)
{
	struct store *s = store_new();
	EVP_PKEY *a = EVP_EC_gen("P-256"), *b = EVP_EC_gen("P-256"), *got;
	uint32_t ia = store_put(s, a), ib = store_put(s, b);

	(void)state;
	assert_true(ia && ib && ia != ib);
	got = store_get(s, ia);
	assert_ptr_equal(got, a);
	store_drop(s, ia);
	assert_null(store_get(s, ia));
	/* who has it keeps it */
	assert_int_equal(EVP_PKEY_get_bits(got), 256);
	EVP_PKEY_free(got);
	store_drop(s, ia);
	store_drop(s, 0);
	assert_null(store_get(s, 0));
	assert_null(store_get(s, UINT32_MAX));
	got = store_get(s, ib);
	assert_ptr_equal(got, b);
	EVP_PKEY_free(got);
	EVP_PKEY_free(a);
	EVP_PKEY_free(b);
	store_free(s);
	store_free(NULL);
}

static void places_have_a_limit(void **state)
{
	static uint32_t id[KEYS_PAIRS_MAX];
	struct store *s = store_new();
	EVP_PKEY *key = EVP_EC_gen("P-256");
	uint32_t again;

	(void)state;
	for (size_t i = 0; i < KEYS_PAIRS_MAX; i++) {
		id[i] = store_put(s, key);
		assert_true(id[i] != 0);
	}
	assert_int_equal(store_put(s, key), 0);
	store_drop(s, id[7]);
	again = store_put(s, key);
	/* the place is the same, the number is not */
	assert_true(again && again != id[7]);
	assert_null(store_get(s, id[7]));
	EVP_PKEY_free(key);
	store_free(s);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(keys_come_and_go),
	cmocka_unit_test(places_have_a_limit),
};

UNIT_MAIN(tests)
