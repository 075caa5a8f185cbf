/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/store.h"

void store_tell(struct store *s, enum health_lane lane, enum err err)
{
	if (err)
		meter_add_shared(&s->meters.failed, 1);
	if (err == ERR_STORE_CORRUPT)
		return;
	health_tell(&s->health, lane, err, rocks_why());
	if (err || meter_read(&s->meters.state) != COLD_OK)
		meter_set(&s->meters.state, store_state(s));
}

enum cold_state store_state(const struct store *s)
{
	if (!health_is_well(&s->health, HEALTH_READS))
		return COLD_OFF;
	return health_is_well(&s->health, HEALTH_WRITES) ? COLD_OK : COLD_READ_ONLY;
}

static struct forget_slot *slot_of(struct store *s, struct hash128 hash)
{
	return &s->forgets[hash.hi % FORGET_SLOTS];
}

void store_forget_begin(struct store *s, struct hash128 hash)
{
	atomic_fetch_add_explicit(&slot_of(s, hash)->asked, 1, memory_order_acq_rel);
}

void store_forget_end(struct store *s, struct hash128 hash)
{
	atomic_fetch_add_explicit(&slot_of(s, hash)->done, 1, memory_order_acq_rel);
}

bool store_moment(struct store *s, struct hash128 hash, uint32_t *ret_moment)
{
	/* done first: if a removal begins and ends between the two, they differ, which is a miss. */
	uint32_t done = atomic_load_explicit(&slot_of(s, hash)->done, memory_order_acquire);
	*ret_moment = atomic_load_explicit(&slot_of(s, hash)->asked, memory_order_acquire);
	return *ret_moment == done;
}

bool store_is_still(struct store *s, struct hash128 hash, uint32_t moment)
{
	return atomic_load_explicit(&slot_of(s, hash)->asked, memory_order_acquire) == moment;
}
