/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/evict.h"

enum { DELETE_DELAY_MS = 1000, LOOK_DELAY_MS = 5000 };

void evict_init(struct evict *e, const struct sizes *sizes)
{
	*e = (struct evict){
		.budget_bytes = sizes->budget_bytes,
		.step_bytes = sizes->body_buffer_bytes,
		.written_bytes = sizes->body_buffer_bytes, /* look at what is there first of all */
	};
}

/* What must go, oldest first, to free `excess` bytes. */
struct toll {
	uint64_t low;       /* where low must be for that */
	uint64_t bytes;     /* in files below it, */
	uint64_t new_bytes; /* and in those of them that were not below before */
};

static struct toll toll_of(struct store *s, uint64_t excess)
{
	struct toll toll = { .low = s->ledger.low };
	size_t count;
	struct rocks_file *files = rocks_files(s->rocks, &count);
	for (size_t i = 0; i < count && toll.bytes < excess; i++) {
		toll.bytes += files[i].bytes;
		if (files[i].last_id < s->ledger.low)
			continue;
		toll.new_bytes += files[i].bytes;
		toll.low = files[i].last_id + 1;
	}
	free(files);
	return toll;
}

/* There is more metadata than bodies to go with it: the oldest eighth of the log counts no more. */
static uint64_t low_after_eighth(const struct ledger *l)
{
	uint64_t low = l->low;
	if (ledger_epoch_of(low) < l->epoch)
		return ledger_epoch_start(ledger_epoch_of(low) + 1);
	return low + (l->next - low + 7) / 8;
}

static enum err raise_low(struct evict *e, struct store *s, uint64_t excess, struct mono now)
{
	struct toll toll = toll_of(s, excess);
	bool is_meta = toll.bytes < excess;
	if (is_meta) {
		toll.low = max_u64(toll.low, low_after_eighth(&s->ledger));
		rocks_suggest_compaction(s->rocks);
	}
	meter_add_shared(is_meta ? &s->meters.evicted_meta : &s->meters.evicted, toll.new_bytes);
	e->delete_below = toll.low;
	e->raised_at = now;
	return toll.low > s->ledger.low ? ledger_raise(&s->ledger, s->rocks, toll.low) : ERR_NONE;
}

/* Files partly below low, and new ones that are not sorted in yet, stay until another time: so it
 * always begins at 0. */
static enum err delete_files(struct evict *e, struct store *s)
{
	enum err err = rocks_delete_below(s->rocks, e->delete_below);
	if (!err)
		e->delete_below = 0;
	return err;
}

static enum err look(struct evict *e, struct store *s, struct mono now)
{
	uint64_t body = rocks_disk_bytes(s->rocks, ROCKS_BODY);
	uint64_t meta = rocks_disk_bytes(s->rocks, ROCKS_META);
	e->written_bytes = 0;
	e->looked_at = now;
	if (body + meta <= e->budget_bytes)
		return ERR_NONE;
	return raise_low(e, s, body + meta - e->budget_bytes, now);
}

enum err evict_tend(struct evict *e, struct store *s, struct mono now)
{
	enum err err = ERR_NONE;
	bool is_time = e->written_bytes >= e->step_bytes ||
	    (e->written_bytes > 0 && mono_ms_since(e->looked_at, now) >= LOOK_DELAY_MS);
	if (e->delete_below && (is_time || mono_ms_since(e->raised_at, now) >= DELETE_DELAY_MS))
		err = delete_files(e, s);
	return !err && is_time ? look(e, s, now) : err;
}
