/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/store.h"

#include <xxhash.h>

enum { MEASURE_MS = 1000 };

/* ---- health ---- */

enum cold_state store_state(const struct store *s)
{
	if (!health_is_well(&s->health, HEALTH_OPEN) || !health_is_well(&s->health, HEALTH_READS))
		return COLD_OFF;
	return health_is_well(&s->health, HEALTH_WRITES) ? COLD_OK : COLD_READ_ONLY;
}

enum trouble store_trouble(const struct store *s)
{
	for (enum health_lane lane = 0; lane < HEALTH_LANES; lane++)
		if (!health_is_well(&s->health, lane))
			return health_trouble(&s->health, lane);
	return TROUBLE_NONE;
}

void store_show_state(struct store *s)
{
	enum cold_state state = store_state(s);
	size_t now = state * (size_t)TROUBLE_COUNT + store_trouble(s);
	meter_set(&s->meters.state, state);
	for (size_t i = 0; i < COUNT_OF(s->states); i++)
		meter_set(&s->states[i], i == now);
}

void store_tell_trouble(
    struct store *s, enum health_lane lane, enum trouble trouble, const char *words)
{
	if (trouble)
		meter_add_shared(&s->meters.failed, 1);
	else if (likely(health_is_well(&s->health, lane)))
		return;
	lock_take(&s->telling);
	health_tell(&s->health, lane, trouble, words);
	store_show_state(s);
	lock_drop(&s->telling);
}

void store_tell(struct store *s, enum health_lane lane, enum err err)
{
	if (err == ERR_STORE_CORRUPT && lane == HEALTH_READS)
		meter_add_shared(&s->meters.failed, 1);
	else
		store_tell_trouble(s, lane, trouble_of(err, rocks_why()), rocks_why());
}

/* ---- purges ---- */

bool store_stands(struct store *s, struct object *o)
{
	return o->kind != OBJECT_ANSWER || !s->host.stands || s->host.stands(s->host.arg, o);
}

bool store_admits(struct store *s, struct object *o)
{
	return o->kind != OBJECT_ANSWER || !s->host.admits || s->host.admits(s->host.arg, o);
}

/* ---- calls ---- */

enum rocks_look store_get(
    struct store *s, enum rocks_family family, struct slice key, struct rocks_value *ret_value)
{
	struct mono began = mono_now();
	enum err err = ERR_NONE;
	enum rocks_look look = rocks_get(s->rocks, family, key, false, ret_value, &err);
	histogram_add_shared(&s->times.read, mono_now().us - began.us);
	store_tell(s, HEALTH_READS, err);
	return look;
}

enum err store_write(struct store *s, struct rocks_batch *batch, enum rocks_safety safety)
{
	bool is_body = safety == ROCKS_UNLOGGED;
	uint64_t bytes = rocks_batch_bytes(batch);
	struct mono began = mono_now();
	enum err err = rocks_write(s->rocks, batch, safety);
	histogram_add_shared(&s->times.write, mono_now().us - began.us);
	if (!err)
		meter_add_shared(
		    is_body ? &s->meters.given_bodies : &s->meters.given_records, bytes);
	return err;
}

void store_measure(struct store *s, struct mono now)
{
	if (mono_ms_since(s->measured_at, now) < MEASURE_MS)
		return;
	s->measured_at = now;
	s->is_measured = true;
	struct cold_meters *m = &s->meters;
	uint64_t memtables = 0, disk = 0, bodies = 0;
	for (enum rocks_family f = ROCKS_META; f < ROCKS_BODY; f++)
		disk += rocks_disk_bytes(s->rocks, f);
	for (enum rocks_family f = 0; f < ledger_family(s->ledger.log_count); f++)
		memtables += rocks_memtable_bytes(s->rocks, f);
	for (unsigned i = 0; i < s->ledger.log_count; i++) {
		uint64_t bytes = rocks_disk_bytes(s->rocks, ledger_family(i));
		disk += bytes;
		bodies += rocks_written_bytes(s->rocks, ledger_family(i));
		meter_set(&s->tenant_bytes[s->ledger.tenants[i]], bytes);
	}
	meter_set(&m->objects, rocks_key_estimate(s->rocks, ROCKS_META));
	meter_set(&m->bytes, disk + memtables);
	meter_set(&m->memtables, memtables);
	meter_set(&m->block_cache, rocks_cached_bytes(s->rocks));
	meter_set(&m->disk_bodies, bodies);
	meter_set(&m->disk_records, rocks_written_bytes(s->rocks, ROCKS_META));
}

/* ---- chunks ---- */

/* The bytes of a stored chunk, if it is the one that was meant and whole. */
static bool check_chunk(struct slice value, uint64_t owner, uint64_t index, struct slice *ret_bytes)
{
	struct chunk_head head;
	if (value.len < sizeof(head))
		return false;
	memcpy(&head, value.at, sizeof(head));
	struct slice bytes = slice_from(value, sizeof(head));
	*ret_bytes = bytes;
	return head.owner == owner && head.index == index && head.bytes == bytes.len &&
	    head.digest == XXH3_64bits(bytes.at, bytes.len);
}

enum err store_chunk(struct store *s, uint64_t id, uint64_t owner, uint64_t index,
    struct rocks_value *ret_value, struct slice *ret_bytes)
{
	struct rocks_id key = rocks_id_of(id);
	enum rocks_family family = ledger_family(ledger_log_of(id));
	/* No such log: it was another database's, which was here before. */
	if (!ledger_has_log_of(&s->ledger, id) ||
	    store_get(s, family, KEY_SLICE(key), ret_value) != ROCKS_FOUND)
		return ERR_STORE_IO;
	meter_add_shared(&s->meters.read_bytes, ret_value->bytes.len);
	if (check_chunk(ret_value->bytes, owner, index, ret_bytes))
		return ERR_NONE;
	rocks_unpin(ret_value);
	store_tell(s, HEALTH_READS, ERR_STORE_CORRUPT);
	return ERR_STORE_CORRUPT;
}
