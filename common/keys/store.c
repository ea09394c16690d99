#include "keys/store.h"

#include <pthread.h>
#include <stdlib.h>

struct store {
	pthread_rwlock_t lock;
	/* id = round * KEYS_PAIRS_MAX + place, so that the number of a key
	 * that is gone does not soon mean another one */
	uint32_t round;
	struct {
		uint32_t id;
		EVP_PKEY *key;
	} place[KEYS_PAIRS_MAX];
};

struct store *store_new(void)
{
	struct store *s = calloc(1, sizeof *s);

	if (s && pthread_rwlock_init(&s->lock, NULL) != 0) {
		free(s);
		return NULL;
	}
	return s;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < KEYS_PAIRS_MAX; i++)
		EVP_PKEY_free(s->place[i].key);
	pthread_rwlock_destroy(&s->lock);
	free(s);
}

uint32_t store_put(struct store *s, EVP_PKEY *key)
{
	uint32_t id = 0;

	pthread_rwlock_wrlock(&s->lock);
	for (uint32_t i = 0; i < KEYS_PAIRS_MAX && !id; i++) {
		if (s->place[i].key || !EVP_PKEY_up_ref(key))
			continue;
		s->round = s->round % (UINT32_MAX / KEYS_PAIRS_MAX - 1) + 1;
		id = s->round * KEYS_PAIRS_MAX + i;
		s->place[i].id = id;
		s->place[i].key = key;
	}
	pthread_rwlock_unlock(&s->lock);
	return id;
}

EVP_PKEY *store_get(struct store *s, uint32_t id)
{
	uint32_t i = id % KEYS_PAIRS_MAX;
	EVP_PKEY *key = NULL;

	pthread_rwlock_rdlock(&s->lock);
	if (id && s->place[i].id == id && s->place[i].key &&
	    EVP_PKEY_up_ref(s->place[i].key))
		key = s->place[i].key;
	pthread_rwlock_unlock(&s->lock);
	return key;
}

void store_drop(struct store *s, uint32_t id)
{
	uint32_t i = id % KEYS_PAIRS_MAX;
	EVP_PKEY *key = NULL;

	pthread_rwlock_wrlock(&s->lock);
	if (id && s->place[i].id == id) {
		key = s->place[i].key;
		s->place[i].key = NULL;
		s->place[i].id = 0;
	}
	pthread_rwlock_unlock(&s->lock);
	EVP_PKEY_free(key);
}
