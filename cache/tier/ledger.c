/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/ledger.h"

#include <sys/random.h>

#include "cache/tier/tenant.h"

/* Formats 1 to 3 kept other marks of what was purged, and records of versions 1 and 2. They are
 * opened, and are 4 from then on: their records are taken for absent, and go. */
enum { FORMAT = 4, COUNT_BITS = 40, EPOCH_BITS = 18, PARTING = 50 };

uint32_t ledger_epoch_of(uint64_t id)
{
	return (uint32_t)(id >> COUNT_BITS) & ((1U << EPOCH_BITS) - 1);
}

unsigned ledger_log_of(uint64_t id)
{
	return (unsigned)(id >> (COUNT_BITS + EPOCH_BITS));
}

uint64_t ledger_epoch_start(unsigned log, uint32_t epoch)
{
	return (uint64_t)log << (COUNT_BITS + EPOCH_BITS) | (uint64_t)epoch << COUNT_BITS;
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

/* "low", "past" and "tenant" of log 0, "low 1" of log 1, and so on. */
struct mark_name {
	char text[24];
};

static struct mark_name mark_of(const char *what, unsigned log)
{
	struct mark_name name;
	if (log == 0)
		snprintf(name.text, sizeof(name.text), "%s", what);
	else
		snprintf(name.text, sizeof(name.text), "%s %u", what, log);
	return name;
}

/* Reads the former epochs' marks, with room for one more, leaving out what low has passed. */
static enum err read_past(struct log *l, unsigned number, struct rocks *rocks)
{
	struct rocks_value value = { 0 };
	struct mark_name name = mark_of("past", number);
	enum err err = ERR_NONE;
	enum rocks_look look = rocks_get(
	    rocks, ROCKS_CONTROL, slice_str(name.text), false, &value, &err);
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
static enum err close_former_epoch(struct ledger *l, unsigned number, struct rocks *rocks)
{
	struct log *log = &l->logs[number];
	uint64_t last;
	enum err err = rocks_last_id(rocks, ledger_family(number), &last);
	if (!err && last != 0 && ledger_epoch_of(last) == l->epoch)
		log->past[log->past_count++] = last;
	return err;
}

/* Whose log it is. One whose name is lost is everybody's, and goes with the next evictions. */
static enum err read_tenant(struct ledger *l, unsigned number, struct rocks *rocks)
{
	struct rocks_value value;
	struct mark_name name = mark_of("tenant", number);
	enum err err = ERR_NONE;
	if (rocks_get(rocks, ROCKS_CONTROL, slice_str(name.text), false, &value, &err) !=
	    ROCKS_FOUND)
		return err;
	l->tenants[number] = tenant_of(value.bytes);
	rocks_unpin(&value);
	return ERR_NONE;
}

static enum err read_log(struct ledger *l, unsigned number, struct rocks *rocks)
{
	uint64_t low = 0;
	struct mark_name name = mark_of("low", number);
	enum err err = read_fixed(rocks, slice_str(name.text), &low, sizeof(low));
	l->logs[number].low = low;
	if (!err)
		err = read_past(&l->logs[number], number, rocks);
	if (!err && number > 0)
		err = read_tenant(l, number, rocks);
	return err ? err : close_former_epoch(l, number, rocks);
}

static void begin_log(struct ledger *l, unsigned number)
{
	l->logs[number].next = ledger_epoch_start(number, l->epoch) + 1;
}

static enum err begin_epoch(struct ledger *l, struct rocks *rocks, uint32_t floor)
{
	const uint32_t format = FORMAT;
	uint64_t epoch = max_u64(l->epoch, floor) + 1;
	if (epoch >> EPOCH_BITS)
		return ERR_STORE_CORRUPT; /* a quarter of a million openings: it begins anew */
	l->epoch = (uint32_t)epoch;
	struct rocks_batch *batch = rocks_batch_new();
	batch_fixed(batch, rocks, SL("format"), &format, sizeof(format));
	batch_fixed(batch, rocks, SL("secret"), &l->secret, sizeof(l->secret));
	batch_fixed(batch, rocks, SL("epoch"), &l->epoch, sizeof(l->epoch));
	for (unsigned i = 0; i < l->log_count; i++) {
		const struct log *log = &l->logs[i];
		struct mark_name name = mark_of("past", i);
		batch_fixed(batch, rocks, slice_str(name.text), log->past,
		    log->past_count * sizeof(uint64_t));
		begin_log(l, i);
	}
	enum err err = rocks_write(rocks, batch, ROCKS_SYNCED);
	rocks_batch_free(&batch);
	return err;
}

static enum err read_marks(struct ledger *l, struct rocks *rocks)
{
	uint32_t format = FORMAT;
	enum err err = read_fixed(rocks, SL("format"), &format, sizeof(format));
	if (!err && (format == 0 || format > FORMAT))
		err = format ? ERR_STORE_NEWER : ERR_STORE_CORRUPT;
	if (!err)
		err = read_fixed(rocks, SL("secret"), &l->secret, sizeof(l->secret));
	if (!err)
		err = read_fixed(rocks, SL("epoch"), &l->epoch, sizeof(l->epoch));
	l->log_count = rocks_log_count(rocks);
	for (unsigned i = 0; !err && i < l->log_count; i++)
		err = read_log(l, i, rocks);
	return err;
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
	return err ? err : begin_epoch(l, rocks, seed->epoch);
}

void ledger_close(struct ledger *l)
{
	for (unsigned i = 0; i < ROCKS_LOGS; i++)
		free(l->logs[i].past);
	*l = (struct ledger){ 0 };
}

/* ---- what counts ---- */

bool ledger_has_log_of(const struct ledger *l, uint64_t id)
{
	return ledger_log_of(id) < atomic_load_explicit(&l->log_count, memory_order_acquire);
}

bool ledger_is_below_low(const struct ledger *l, struct span span)
{
	return span.first <
	    atomic_load_explicit(&l->logs[ledger_log_of(span.first)].low, memory_order_acquire);
}

/* The first former mark at or above an id; NULL when there is none. */
static const uint64_t *past_from(const struct log *l, uint64_t id)
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

/* Log and epoch alike. */
static bool is_same_epoch(uint64_t a, uint64_t b)
{
	return a >> COUNT_BITS == b >> COUNT_BITS;
}

bool ledger_holds(const struct ledger *l, struct span span)
{
	unsigned log = ledger_log_of(span.first);
	if (!ledger_has_log_of(l, span.first) || ledger_is_below_low(l, span))
		return false;
	/* What has no chunks has none that could be lost. */
	if (span.last == 0)
		return true;
	uint32_t epoch = ledger_epoch_of(span.first);
	if (!is_same_epoch(span.first, span.last) || epoch > l->epoch)
		return false;
	if (epoch == l->epoch)
		return true;
	const uint64_t *mark = past_from(&l->logs[log], span.last);
	return mark && is_same_epoch(*mark, span.last);
}

bool ledger_is_parting(const struct ledger *l, uint64_t first)
{
	const struct log *log = &l->logs[ledger_log_of(first)];
	uint64_t low = atomic_load_explicit(&log->low, memory_order_acquire);
	if (low == 0 || first < low || !is_same_epoch(first, low))
		return first < low;
	const uint64_t *mark = ledger_epoch_of(low) == l->epoch ? NULL : past_from(log, low);
	uint64_t end = mark ? *mark : atomic_load_explicit(&log->next, memory_order_relaxed);
	return is_same_epoch(end, low) && first < low + (end - low) / PARTING;
}

uint8_t ledger_tenant_of(const struct ledger *l, uint64_t id)
{
	return atomic_load_explicit(&l->tenants[ledger_log_of(id)], memory_order_relaxed);
}

/* ---- the writer's part ---- */

static enum err name_log(struct rocks *rocks, unsigned log, uint8_t tenant)
{
	struct mark_name key = mark_of("tenant", log);
	struct slice name = tenant_name(tenant);
	struct rocks_batch *batch = rocks_batch_new();
	batch_fixed(batch, rocks, slice_str(key.text), name.at, name.len);
	enum err err = rocks_write(rocks, batch, ROCKS_SYNCED);
	rocks_batch_free(&batch);
	return err;
}

enum err ledger_log_for(struct ledger *l, struct rocks *rocks, uint8_t tenant, unsigned *ret_log)
{
	unsigned count = l->log_count;
	for (*ret_log = 0; *ret_log < count; ++*ret_log)
		if (l->tenants[*ret_log] == tenant)
			return ERR_NONE;
	if (count == ROCKS_LOGS) {
		*ret_log = 0;
		return ERR_NONE;
	}
	*ret_log = count;
	enum err err = rocks_add_log(rocks);
	if (!err)
		err = name_log(rocks, count, tenant);
	if (err)
		return err;
	l->tenants[count] = tenant;
	begin_log(l, count);
	atomic_store_explicit(&l->log_count, count + 1, memory_order_release);
	return ERR_NONE;
}

uint64_t ledger_take(struct ledger *l, unsigned number, uint32_t chunks)
{
	struct log *log = &l->logs[number];
	uint64_t first = log->next;
	log->next += chunks ? chunks : 1;
	must(is_same_epoch(log->next, first));
	return first;
}

enum err ledger_raise(struct ledger *l, struct rocks *rocks, unsigned number, uint64_t low)
{
	struct log *log = &l->logs[number];
	struct mark_name name = mark_of("low", number);
	must(low >= log->low && low <= log->next);
	/* Here first: whoever looks from now on takes nothing that is about to go. On disk it may
	 * be behind after a crash; then records name chunks that are gone, which is a miss, too. */
	atomic_store_explicit(&log->low, low, memory_order_release);
	struct rocks_batch *batch = rocks_batch_new();
	batch_fixed(batch, rocks, slice_str(name.text), &low, sizeof(low));
	enum err err = rocks_write(rocks, batch, ROCKS_LOGGED);
	rocks_batch_free(&batch);
	return err;
}
