/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/repeat.h"

#include <xxhash.h>

/*
 * Hashes tell keys and orders apart: who makes two of his own meet hurts nobody but himself. The
 * actor's is apart from the key's, because nobody chooses his name as freely as a key.
 */
struct known {
	XXH128_hash_t actor, key, order;
	uint64_t ticket; /* 0 = free */
	uint64_t seq;    /* 0 = under way */
};

struct repeats {
	struct known all[REPEAT_KEYS]; /* by ticket */
	uint64_t last;                 /* ticket */
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

static XXH128_hash_t hash_of(struct slice s)
{
	return XXH3_128bits(s.at, s.len);
}

static const struct known *find(const struct repeats *r, const struct known *like)
{
	for (size_t i = 0; i < REPEAT_KEYS; i++) {
		const struct known *k = &r->all[i];
		if (k->ticket && XXH128_isEqual(k->key, like->key) &&
		    XXH128_isEqual(k->actor, like->actor))
			return k;
	}
	return NULL;
}

enum repeat repeat_begin(struct repeats *r, const struct repeat_order *o, uint64_t *ret_number)
{
	struct known new = { hash_of(o->actor), hash_of(o->key), hash_of(o->text), 0, 0 };
	const struct known *had = find(r, &new);
	if (had && !XXH128_isEqual(had->order, new.order))
		return REPEAT_OTHER;
	if (had && !had->seq)
		return REPEAT_BUSY;
	if (had) {
		*ret_number = had->seq;
		return REPEAT_SAME;
	}
	*ret_number = new.ticket = ++r->last;
	r->all[new.ticket % REPEAT_KEYS] = new;
	return REPEAT_NEW;
}

void repeat_end(struct repeats *r, uint64_t ticket, uint64_t seq)
{
	struct known *k = &r->all[ticket % REPEAT_KEYS];
	if (!ticket || k->ticket != ticket)
		return; /* forgotten meanwhile */
	k->seq = seq;
	k->ticket = seq ? ticket : 0;
}
