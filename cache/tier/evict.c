/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/evict.h"

enum {
	DELETE_DELAY_MS = 1000,
	LOOK_DELAY_MS = 5000,
	FLUSH_AGE_MS = 60000,
	FLUSH_LATEST_MS = 600000,      /* then even a few bodies are worth a file of their own */
	FEWEST_BYTES = 256 * 1024,     /* an empty memtable has some bytes, too */
	FLUSH_BYTES = 8 * 1024 * 1024, /* smaller files would be too many */
	SPARED_SHARE = 8,              /* of the budget: files that are still read from */
};

void evict_init(struct evict *e, const struct sizes *sizes)
{
	*e = (struct evict){
		.budget_bytes = sizes->budget_bytes,
		.step_bytes = sizes->body_buffer_bytes,
		.written_bytes = sizes->body_buffer_bytes, /* look at what is there first of all */
		.flushed_at = mono_now(),
		.spare_bytes = sizes->budget_bytes / SPARED_SHARE,
	};
}

/* ---- files that are still read from ---- */

struct sparing {
	struct needs needs; /* owned */
	uint64_t bytes;     /* that are spared */
	uint64_t most;
};

static struct sparing sparing_of(const struct evict *e, struct store *s, struct mono now)
{
	return (struct sparing){ leases_needs(&s->leases, now), 0, e->spare_bytes };
}

/* Whether a file that should go may stay. */
static bool spare(struct sparing *s, const struct rocks_file *file)
{
	bool is_spared = s->bytes + file->bytes <= s->most &&
	    needs_any_of(&s->needs, (struct span){ file->first_id, file->last_id });
	if (is_spared)
		s->bytes += file->bytes;
	return is_spared;
}

/* ---- one look at all logs: what they have, what is to go ---- */

struct toll {
	struct rocks_file *files; /* owned; of each log the oldest first */
	size_t count;
	struct toll_of_log {
		size_t next, end;     /* files that are left */
		bool has_given;       /* some were taken, be they spared */
		uint64_t bytes;       /* in them */
		uint64_t least, most; /* as its tenant's share says */
		uint64_t low;         /* where low must be for what goes */
		uint64_t freed;       /* by files below it that are not spared, */
		uint64_t newly_freed; /* and by those that were not below before, spared or not */
	} logs[ROCKS_LOGS];
	unsigned log_count;
	struct sparing sparing;
};

static void take_shares(struct toll *t, const struct store *s, uint64_t budget)
{
	for (unsigned i = 0; i < t->log_count; i++) {
		uint8_t tenant = s->ledger.tenants[i];
		t->logs[i].low = s->ledger.logs[i].low;
		t->logs[i].least = share_part(budget, &s->shares.min[tenant]);
		t->logs[i].most = share_part(budget, &s->shares.max[tenant]);
	}
}

static void toll_begin(struct toll *t, struct store *s, const struct evict *e, struct mono now)
{
	*t = (struct toll){ .log_count = s->ledger.log_count, .sparing = sparing_of(e, s, now) };
	t->files = rocks_files(s->rocks, &t->count);
	for (size_t i = 0; i < t->count; i++) {
		unsigned log = ledger_log_of(t->files[i].last_id);
		struct toll_of_log *l = &t->logs[log < t->log_count ? log : 0];
		if (l->end == 0)
			l->next = i;
		l->end = i + 1;
		l->bytes += t->files[i].bytes;
	}
	take_shares(t, s, e->budget_bytes);
}

static void toll_end(struct toll *t)
{
	needs_fini(&t->sparing.needs);
	free(t->files);
}

/* Takes the oldest file of a log. */
static void take_file(struct toll *t, struct toll_of_log *l)
{
	const struct rocks_file *file = &t->files[l->next++];
	l->bytes -= file->bytes;
	l->has_given = true;
	if (!spare(&t->sparing, file))
		l->freed += file->bytes;
	if (file->last_id < l->low)
		return;
	l->newly_freed += file->bytes;
	l->low = file->last_id + 1;
}

/* Who is most over what it has guaranteed, and has files to give; NULL: nobody. */
static struct toll_of_log *richest(struct toll *t)
{
	struct toll_of_log *found = NULL;
	for (unsigned i = 0; i < t->log_count; i++) {
		struct toll_of_log *l = &t->logs[i];
		bool gives = l->next < l->end && l->bytes > l->least;
		if (gives && (!found || l->bytes - l->least > found->bytes - found->least))
			found = l;
	}
	return found;
}

/* Frees what is over each log's most, then what is over the budget. Returns what could not be. */
static uint64_t toll_take(struct toll *t, uint64_t excess)
{
	uint64_t freed = 0;
	for (unsigned i = 0; i < t->log_count; i++) {
		struct toll_of_log *l = &t->logs[i];
		while (l->bytes > l->most && l->next < l->end)
			take_file(t, l);
		freed += l->freed;
	}
	struct toll_of_log *l;
	while (freed < excess && (l = richest(t)) != NULL) {
		freed -= l->freed;
		take_file(t, l);
		freed += l->freed;
	}
	return excess - min_u64(freed, excess);
}

/* There is more metadata than bodies to go with it: the oldest eighth of a log counts no more. */
static uint64_t low_after_eighth(const struct ledger *l, unsigned log)
{
	uint64_t low = l->logs[log].low, next = l->logs[log].next;
	uint32_t epoch = ledger_epoch_of(low);
	if (epoch < l->epoch)
		return ledger_epoch_start(log, epoch + 1);
	return low + (next - low + 7) / 8;
}

static void take_eighths(struct toll *t, struct store *s)
{
	for (unsigned i = 0; i < t->log_count; i++)
		t->logs[i].low = max_u64(t->logs[i].low, low_after_eighth(&s->ledger, i));
	rocks_suggest_compaction(s->rocks);
}

static enum err raise_low(struct evict *e, struct store *s, struct toll *t, meter *evicted)
{
	enum err err = ERR_NONE;
	for (unsigned i = 0; i < t->log_count; i++) {
		struct toll_of_log *l = &t->logs[i];
		meter_add_shared(evicted, l->newly_freed);
		if (l->has_given || l->low > s->ledger.logs[i].low) {
			e->delete_below[i] = l->low;
			e->deletes = true;
		}
		if (!err && l->low > s->ledger.logs[i].low)
			err = ledger_raise(&s->ledger, s->rocks, i, l->low);
	}
	return err;
}

/* What is to be deleted, and who may keep it. */
struct removal {
	struct store *store;
	struct rocks_file *files; /* owned; NULL: nobody keeps any */
	size_t count;
	struct sparing sparing;
};

/* Files partly below the mark, and new ones that are not sorted in yet, stay until another time: so
 * it always begins at 0. */
static enum err remove_from_log(
    struct removal *r, unsigned log, uint64_t below, bool *ret_has_spared)
{
	enum rocks_family family = ledger_family(log);
	uint64_t from = 0;
	for (size_t i = 0; i < r->count; i++) {
		const struct rocks_file *file = &r->files[i];
		if (ledger_log_of(file->last_id) != log || file->last_id >= below ||
		    !spare(&r->sparing, file))
			continue;
		enum err err = rocks_delete_files(r->store->rocks, family, from, file->first_id);
		if (err)
			return err;
		from = file->last_id + 1;
	}
	*ret_has_spared = from > 0;
	return rocks_delete_files(r->store->rocks, family, from, below);
}

/* What is spared is looked at again a moment later. */
static enum err delete_files(struct evict *e, struct store *s, struct mono now)
{
	struct removal r = { .store = s, .sparing = sparing_of(e, s, now) };
	enum err err = ERR_NONE;
	if (r.sparing.needs.count > 0)
		r.files = rocks_files(s->rocks, &r.count);
	e->deletes = false;
	e->raised_at = now;
	for (unsigned i = 0; i < ROCKS_LOGS; i++) {
		bool has_spared = false;
		if (!err && e->delete_below[i])
			err = remove_from_log(&r, i, e->delete_below[i], &has_spared);
		if (!err && !has_spared)
			e->delete_below[i] = 0;
		e->deletes |= e->delete_below[i] > 0;
	}
	meter_set(&s->meters.spared, r.sparing.bytes);
	needs_fini(&r.sparing.needs);
	free(r.files);
	return err;
}

static bool is_over_share(const struct toll *t)
{
	bool is_over = false;
	for (unsigned i = 0; i < t->log_count; i++)
		is_over |= t->logs[i].bytes > t->logs[i].most;
	return is_over;
}

/* What is on the disk beyond the budget. */
static uint64_t excess_of(const struct evict *e, struct store *s)
{
	uint64_t all = 0;
	for (enum rocks_family f = ROCKS_META; f < ROCKS_BODY; f++)
		all += rocks_disk_bytes(s->rocks, f);
	for (unsigned i = 0; i < s->ledger.log_count; i++)
		all += rocks_disk_bytes(s->rocks, ledger_family(i));
	return all - min_u64(all, e->budget_bytes);
}

/* What a tenant has guaranteed comes before a reader: what it would be asked for is not spared. */
static uint64_t take_toll(
    struct toll *t, struct evict *e, struct store *s, uint64_t excess, struct mono now)
{
	uint64_t left = toll_take(t, excess), spared = t->sparing.bytes;
	if (left == 0 || spared == 0)
		return left;
	e->spare_bytes = spared - min_u64(left, spared);
	toll_end(t);
	toll_begin(t, s, e, now);
	return toll_take(t, excess);
}

static enum err look(struct evict *e, struct store *s, struct mono now)
{
	struct toll t;
	e->spare_bytes = e->budget_bytes / SPARED_SHARE;
	toll_begin(&t, s, e, now);
	uint64_t excess = excess_of(e, s);
	enum err err = ERR_NONE;
	e->written_bytes = 0;
	e->looked_at = now;
	if (excess > 0 || is_over_share(&t)) {
		bool is_meta = take_toll(&t, e, s, excess, now) > 0;
		if (is_meta)
			take_eighths(&t, s);
		e->raised_at = now;
		err = raise_low(e, s, &t, is_meta ? &s->meters.evicted_meta : &s->meters.evicted);
	}
	toll_end(&t);
	return err;
}

enum err evict_tend(struct evict *e, struct store *s, struct mono now)
{
	enum err err = ERR_NONE;
	bool is_time = e->written_bytes >= e->step_bytes ||
	    (e->written_bytes > 0 && mono_ms_since(e->looked_at, now) >= LOOK_DELAY_MS);
	if (e->deletes && (is_time || mono_ms_since(e->raised_at, now) >= DELETE_DELAY_MS))
		err = delete_files(e, s, now);
	return !err && is_time ? look(e, s, now) : err;
}

enum err evict_flush(struct evict *e, struct store *s, struct mono now)
{
	struct rocks *rocks = s->rocks;
	int64_t age_ms = mono_ms_since(e->flushed_at, now);
	uint64_t least = age_ms < FLUSH_LATEST_MS ? FLUSH_BYTES : FEWEST_BYTES;
	enum err err = ERR_NONE;
	if (age_ms < FLUSH_AGE_MS)
		return ERR_NONE;
	for (unsigned i = 0; !err && i < s->ledger.log_count; i++) {
		if (rocks_memtable_bytes(rocks, ledger_family(i)) < least)
			continue;
		e->flushed_at = now;
		err = rocks_flush(rocks, ledger_family(i));
	}
	return err;
}
