/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/ledger.h"

#include <sys/random.h>

/* Format 1 had marks of one number each; 2 had records of version 1. Both are opened, and are 3 from
 * then on: their records are taken for absent, and go. */
enum { FORMAT = 3, COUNT_BITS = 40, PARTING = 50 };

uint32_t ledger_epoch_of(uint64_t id)
{
	return (uint32_t)(id >> COUNT_BITS);
}

uint64_t ledger_epoch_start(uint32_t epoch)
{
	return (uint64_t)epoch << COUNT_BITS;
}

/* ---- control records ---- */

/* Reads a record of exactly that size; one that is absent leaves *to as it is. */
static enum err read_fixed(struct rocks *rocks, struct slice name, void *to, size_t bytes)
{
	struct rocks_value value;
	enum err err = ERR_NONE;
	if (rocks_get(rocks, ROCKS_CONTROL, name, false, &value, &err) != ROCKS_FOUND)
		return err;
	if (value.bytes.len == bytes)
		memcpy(to, value.bytes.at, bytes);
	else
		err = ERR_STORE_CORRUPT;
	rocks_unpin(&value);
	return err;
}

static void batch_fixed(struct rocks_batch *batch, struct rocks *rocks, struct slice name,
    const void *from, size_t bytes)
{
	struct slice value = slice_of(from, bytes);
	rocks_batch_put(batch, rocks, ROCKS_CONTROL, name, &value, 1);
}

/* Reads the former epochs' marks, with room for one more, leaving out what low has passed. */
static enum err read_past(struct ledger *l, struct rocks *rocks)
{
	struct rocks_value value = { 0 };
	enum err err = ERR_NONE;
	enum rocks_look look = rocks_get(rocks, ROCKS_CONTROL, SL("past"), false, &value, &err);
	if (look == ROCKS_FAILED)
		return err;
	size_t stored = value.bytes.len / sizeof(uint64_t);
	l->past = must_alloc((stored + 1) * sizeof(uint64_t));
	for (size_t i = 0; i < stored; i++) {
		uint64_t last;
		memcpy(&last, value.bytes.at + i * sizeof(last), sizeof(last));
		if (last >= l->low)
			l->past[l->past_count++] = last;
	}
	if (look == ROCKS_FOUND)
		rocks_unpin(&value);
	return ERR_NONE;
}

/* Memtables reach the disk in the order they were filled, so the last id there tells how much of
 * the epoch that ended is durable: all up to it. */
static enum err close_former_epoch(struct ledger *l, struct rocks *rocks)
{
	uint64_t last;
	enum err err = rocks_last_id(rocks, ROCKS_BODY, &last);
	if (!err && last != 0 && ledger_epoch_of(last) == l->epoch)
		l->past[l->past_count++] = last;
	return err;
}

static enum err begin_epoch(struct ledger *l, struct rocks *rocks, uint32_t floor)
{
	const uint32_t format = FORMAT;
	l->epoch = (uint32_t)max_u64(l->epoch, floor) + 1;
	l->next = ledger_epoch_start(l->epoch) + 1;
	struct rocks_batch *batch = rocks_batch_new();
	batch_fixed(batch, rocks, SL("format"), &format, sizeof(format));
	batch_fixed(batch, rocks, SL("secret"), &l->secret, sizeof(l->secret));
	batch_fixed(batch, rocks, SL("epoch"), &l->epoch, sizeof(l->epoch));
	batch_fixed(batch, rocks, SL("past"), l->past, l->past_count * sizeof(uint64_t));
	enum err err = rocks_write(rocks, batch, ROCKS_SYNCED);
	rocks_batch_free(&batch);
	return err;
}

static enum err read_marks(struct ledger *l, struct rocks *rocks)
{
	uint32_t format = FORMAT;
	uint64_t low = 0;
	enum err err = read_fixed(rocks, SL("format"), &format, sizeof(format));
	if (!err && (format == 0 || format > FORMAT))
		err = format ? ERR_STORE_NEWER : ERR_STORE_CORRUPT;
	if (!err)
		err = read_fixed(rocks, SL("secret"), &l->secret, sizeof(l->secret));
	if (!err)
		err = read_fixed(rocks, SL("epoch"), &l->epoch, sizeof(l->epoch));
	if (!err)
		err = read_fixed(rocks, SL("low"), &low, sizeof(low));
	l->low = low;
	return err ? err : read_past(l, rocks);
}

enum err ledger_seed(struct ledger_seed *seed)
{
	*seed = (struct ledger_seed){ 0 };
	bool done = getrandom(&seed->secret, sizeof(seed->secret), 0) == sizeof(seed->secret);
	return done ? ERR_NONE : ERR_SYSTEM;
}

enum err ledger_open(struct ledger *l, struct rocks *rocks, const struct ledger_seed *seed)
{
	/* A store that has no secret yet gets this one; of another its own is read over it. */
	l->secret = seed->secret;
	enum err err = read_marks(l, rocks);
	if (!err)
		err = close_former_epoch(l, rocks);
	return err ? err : begin_epoch(l, rocks, seed->epoch);
}

void ledger_close(struct ledger *l)
{
	free(l->past);
	*l = (struct ledger){ 0 };
}

/* ---- what counts ---- */

bool ledger_is_below_low(const struct ledger *l, struct span span)
{
	return span.first < atomic_load_explicit(&l->low, memory_order_acquire);
}

/* The first former mark at or above an id; NULL when there is none. */
static const uint64_t *past_from(const struct ledger *l, uint64_t id)
{
	size_t from = 0, to = l->past_count;
	while (from < to) {
		size_t middle = (from + to) / 2;
		if (l->past[middle] < id)
			from = middle + 1;
		else
			to = middle;
	}
	return from < l->past_count ? &l->past[from] : NULL;
}

bool ledger_holds(const struct ledger *l, struct span span)
{
	if (ledger_is_below_low(l, span))
		return false;
	/* What has no chunks has none that could be lost. */
	if (span.last == 0)
		return true;
	uint32_t epoch = ledger_epoch_of(span.first);
	if (epoch != ledger_epoch_of(span.last) || epoch > l->epoch)
		return false;
	if (epoch == l->epoch)
		return true;
	const uint64_t *mark = past_from(l, span.last);
	return mark && ledger_epoch_of(*mark) == epoch;
}

/* ---- the writer's part ---- */

bool ledger_is_parting(const struct ledger *l, uint64_t first)
{
	uint64_t low = atomic_load_explicit(&l->low, memory_order_acquire);
	uint32_t epoch = ledger_epoch_of(low);
	if (low == 0 || first < low || ledger_epoch_of(first) != epoch)
		return first < low;
	const uint64_t *mark = epoch == l->epoch ? NULL : past_from(l, low);
	uint64_t end = mark ? *mark : atomic_load_explicit(&l->next, memory_order_relaxed);
	return ledger_epoch_of(end) == epoch && first < low + (end - low) / PARTING;
}

uint64_t ledger_take(struct ledger *l, uint32_t chunks)
{
	uint64_t first = l->next;
	l->next += chunks ? chunks : 1;
	must(ledger_epoch_of(l->next) == l->epoch);
	return first;
}

enum err ledger_raise(struct ledger *l, struct rocks *rocks, uint64_t low)
{
	must(low >= l->low && low <= l->next);
	/* Here first: whoever looks from now on takes nothing that is about to go. On disk it may be
	 * behind after a crash; then records name chunks that are gone, which is a miss, too. */
	atomic_store_explicit(&l->low, low, memory_order_release);
	struct rocks_batch *batch = rocks_batch_new();
	batch_fixed(batch, rocks, SL("low"), &low, sizeof(low));
	enum err err = rocks_write(rocks, batch, ROCKS_LOGGED);
	rocks_batch_free(&batch);
	return err;
}
