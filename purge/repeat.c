/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/repeat.h"

#include <xxhash.h>

/* Hashes tell keys and orders apart: who makes two meet hurts nobody but himself. */
struct known {
	XXH128_hash_t key, order;
	uint64_t seq; /* 0 = under way */
	bool is_used;
};

struct repeats {
	struct known all[REPEAT_KEYS];
	size_t next; /* the oldest, or a free one */
};

struct repeats *repeats_new(void)
{
	return calloc(1, sizeof(struct repeats));
}

void repeats_free(struct repeats **r)
{
	free(*r);
	*r = NULL;
}

static struct known *find(struct repeats *r, struct slice key)
{
	XXH128_hash_t hash = XXH3_128bits(key.at, key.len);
	for (size_t i = 0; i < REPEAT_KEYS; i++)
		if (r->all[i].is_used && XXH128_isEqual(r->all[i].key, hash))
			return &r->all[i];
	return NULL;
}

enum repeat repeat_begin(struct repeats *r, struct slice key, struct slice order, uint64_t *ret_seq)
{
	XXH128_hash_t hash = XXH3_128bits(order.at, order.len);
	const struct known *had = find(r, key);
	if (had) {
		*ret_seq = had->seq;
		if (!XXH128_isEqual(had->order, hash))
			return REPEAT_OTHER;
		return had->seq ? REPEAT_SAME : REPEAT_BUSY;
	}
	r->all[r->next] = (struct known){ XXH3_128bits(key.at, key.len), hash, 0, true };
	r->next = (r->next + 1) % REPEAT_KEYS;
	return REPEAT_NEW;
}

void repeat_end(struct repeats *r, struct slice key, uint64_t seq)
{
	struct known *had = find(r, key);
	if (!had)
		return; /* forgotten meanwhile */
	had->seq = seq;
	had->is_used = seq > 0;
}
