/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/journal.h"

#include <time.h>

#include "cache/tier/ages.h"
#include "cache/tier/notes.h"
#include "edge/base/log.h"
#include "edge/base/thread.h"

enum {
	BATCH_ENTRIES = 4096,
	BATCH_SCOPES = 65536,
	WAITING_MAX = 65536, /* entries */
	RETRY_S = 1,
	NAP_US = 500,         /* lets gather what nobody waits for */
	SCOPES_MAX = 1 << 23, /* on disk; of a smaller store fewer */
	SCOPE_BYTES = 64,     /* about, on disk */
	DISK_SHARE = 8,
};

/* The newest number of entries that were dropped, and the strongest mode; number 0 = none. */
struct loss {
	uint64_t number;
	enum purge_mode mode;
};

struct journal {
	/* fixed */
	struct store *store;
	pthread_t thread;
	/* under lock */
	struct lock lock;
	pthread_cond_t more;
	struct list waiting;
	_Atomic uint64_t depth;
	struct loss refused; /* of what was not even taken in */
	bool is_ending;
	/* atomic */
	_Atomic uint64_t known, last_seq;
	_Atomic uint64_t all[PURGE_MODES]; /* what the disk has of scope_all */
	_Atomic int64_t all_soft_at;
	/* under writing: the thread, and the store's writer while it opens */
	struct lock writing;
	bool is_opening;
	struct list held; /* could not be written yet; before those that wait */
	_Atomic uint64_t held_count;
	struct loss lost;
	struct ages ages;
	bool was_open;
};

/* ---- entries ---- */

struct journal_entry *journal_entry_new(size_t scopes, struct slice text)
{
	struct journal_entry *e = malloc(sizeof(*e) + scopes * sizeof(e->scopes[0]) + text.len);
	if (!e)
		return NULL;
	*e = (struct journal_entry){ .scope_count = scopes };
	list_init(&e->link);
	char *at = (char *)(e->scopes + scopes);
	if (text.len)
		memcpy(at, text.at, text.len);
	e->text = slice_of(at, text.len);
	return e;
}

static void tell(struct journal_entry *e, enum err err, uint64_t seq)
{
	journal_told_f *told = e->told;
	e->told = NULL;
	if (told)
		told(e->arg, err, e->number, seq);
}

static void end_entry(struct journal_entry *e, enum err err, uint64_t seq)
{
	tell(e, err, seq);
	list_drop(&e->link);
	free(e);
}

/* ---- everything ---- */

/* Numbers of scope_all come from purges, from what was dropped and from what is forgotten: in no
 * order. What is on disk must not become smaller. */
static void raise_all(struct purge_mark *all, struct purge_act act, uint64_t number)
{
	if (number <= all->numbers[act.mode])
		return;
	all->numbers[act.mode] = number;
	if (act.mode == PURGE_SOFT)
		all->soft_at = act.at;
}

static struct purge_mark get_all(const struct journal *j)
{
	struct purge_mark all = { .soft_at = { j->all_soft_at } };
	for (int mode = 0; mode < PURGE_MODES; mode++)
		all.numbers[mode] = j->all[mode];
	return all;
}

/* It is on disk now. */
static void set_all(struct journal *j, const struct purge_mark *all)
{
	j->all_soft_at = all->soft_at.ms;
	for (int mode = 0; mode < PURGE_MODES; mode++)
		j->all[mode] = all->numbers[mode];
}

static void put_all(struct journal *j, struct rocks_batch *b, const struct purge_mark *all)
{
	for (enum purge_mode mode = 0; mode < PURGE_MODES; mode++)
		if (all->numbers[mode] > j->all[mode])
			notes_put_scope(b, j->store->rocks, scope_all(),
			    (struct purge_act){ mode, all->soft_at }, all->numbers[mode]);
}

/* ---- reading ---- */

bool journal_recall(struct store *s, struct scope scope, struct purge_mark *ret_mark)
{
	if (scope.kind != SCOPE_ALL)
		return notes_recall(s, scope, ret_mark);
	*ret_mark = get_all(s->journal);
	return true;
}

bool journal_is_stale(const struct journal *j, struct slice value)
{
	return notes_number(value) < j->all[PURGE_HARD];
}

/* ---- forgetting the oldest ---- */

/* The weight of what is there when the store opens is not known but for its scopes. */
static void begin_ages(struct journal *j, struct rocks *rocks)
{
	ages_begin(&j->ages,
	    (struct age){ j->known, j->last_seq, rocks_key_estimate(rocks, ROCKS_FENCE) });
}

static void weigh(struct journal *j, const struct journal_entry *e)
{
	uint64_t weight = e->scope_count + e->text.len / SCOPE_BYTES;
	ages_add(&j->ages, (struct age){ e->number, j->last_seq, weight });
}

/* Says that the oldest part says nothing any more, when there is too much. */
static void forget_oldest(struct journal *j) ON_WORKER
{
	struct age oldest;
	if (!ages_are_heavy(&j->ages, &oldest))
		return;
	struct purge_mark all = get_all(j);
	raise_all(&all, (struct purge_act){ .mode = PURGE_HARD }, oldest.number);
	struct rocks_batch *batch = rocks_batch_new();
	put_all(j, batch, &all);
	enum err err = store_write(j->store, batch, ROCKS_SYNCED);
	rocks_batch_free(&batch);
	if (err)
		return; /* again, after the next batch */
	set_all(j, &all);
	ages_drop_oldest(&j->ages);
	(void)rocks_delete_files(j->store->rocks, ROCKS_PURGES, 0, oldest.seq);
	log_info("store: the oldest purges are forgotten; what is older than they is fetched anew");
}

/* ---- writing ---- */

static void lose(struct loss *loss, uint64_t number, enum purge_mode mode)
{
	loss->number = max_u64(loss->number, number);
	if (mode > loss->mode)
		loss->mode = mode;
}

/* An entry that purges nothing is no loss. */
static void lose_entry(struct loss *loss, const struct journal_entry *e)
{
	if (e->scope_count > 0 || e->is_pattern)
		lose(loss, e->number, e->act.mode);
}

/* One batch: of the first entries that are held. */
struct group {
	struct rocks_batch *batch;
	size_t entries, scopes;
	uint64_t seq;
	uint64_t before; /* the newest number of those of before */
	struct purge_mark all;
	bool is_synced, has_newer;
};

/* Of before come first in a group, the older first: so none takes the place of a newer one. */
static bool fits(const struct group *g, const struct journal_entry *e)
{
	bool is_full = g->entries == BATCH_ENTRIES || g->scopes + e->scope_count > BATCH_SCOPES;
	bool in_order = !e->is_of_before || (!g->has_newer && e->number >= g->before);
	return g->entries == 0 || (!is_full && in_order);
}

/* Puts a scope, unless the disk has a newer number of it. */
static enum err put_if_newer(
    struct journal *j, struct group *g, struct scope scope, const struct journal_entry *e) ON_WORKER
{
	struct purge_mark had = { 0 };
	/* Those of a life that had no store are smaller than what that store has. */
	bool may_be_older = e->is_of_before || j->is_opening;
	if (may_be_older && !notes_recall(j->store, scope, &had))
		return ERR_STORE_IO;
	if (had.numbers[e->act.mode] < e->number)
		notes_put_scope(g->batch, j->store->rocks, scope, e->act, e->number);
	return ERR_NONE;
}

static enum err put_entry(struct journal *j, struct group *g, const struct journal_entry *e)
    ON_WORKER
{
	enum err err = ERR_NONE;
	for (size_t i = 0; i < e->scope_count && !err; i++)
		if (e->scopes[i].kind == SCOPE_ALL)
			raise_all(&g->all, e->act, e->number);
		else
			err = put_if_newer(j, g, e->scopes[i], e);
	if (e->is_pattern)
		notes_put_pattern(g->batch, j->store->rocks, e->number, e->text);
	if (e->retires)
		notes_drop_pattern(g->batch, j->store->rocks, e->retires);
	if (e->is_logged)
		notes_put_text(g->batch, j->store->rocks, ++g->seq, e->number, e->text);
	g->is_synced |= e->is_logged || e->is_pattern;
	g->has_newer |= !e->is_of_before;
	g->before = e->number;
	g->scopes += e->scope_count;
	g->entries++;
	return err;
}

/* Puts as many entries as fit. */
static enum err fill(struct journal *j, struct group *g) ON_WORKER
{
	enum err err = ERR_NONE;
	LIST_EACH (link, &j->held) {
		const struct journal_entry *e = LIST_OF(link, struct journal_entry, link);
		if (err || !fits(g, e))
			break;
		err = put_entry(j, g, e);
	}
	put_all(j, g->batch, &g->all);
	return err;
}

static void end_first(struct journal *j)
{
	struct journal_entry *e = LIST_OF(j->held.next, struct journal_entry, link);
	if (e->is_logged)
		j->last_seq++;
	weigh(j, e);
	if (!e->is_of_before)
		j->known = e->number;
	j->held_count--;
	end_entry(e, ERR_NONE, e->is_logged ? j->last_seq : 0);
}

static void end_written(struct journal *j, const struct group *g)
{
	set_all(j, &g->all);
	j->lost = (struct loss){ 0 };
	for (size_t i = 0; i < g->entries; i++)
		end_first(j);
}

/* One batch. Inside the gate, or while the store opens. */
static enum err write_some(struct journal *j) ON_WORKER
{
	struct group g = { .batch = rocks_batch_new(), .seq = j->last_seq, .all = get_all(j) };
	g.is_synced = j->lost.number > 0;
	/* What was dropped is in force for everything that is older. */
	raise_all(&g.all, (struct purge_act){ j->lost.mode, wall_now() }, j->lost.number);
	enum err err = fill(j, &g);
	if (!err)
		err = store_write(j->store, g.batch, g.is_synced ? ROCKS_SYNCED : ROCKS_LOGGED);
	rocks_batch_free(&g.batch);
	if (err)
		return err;
	end_written(j, &g);
	forget_oldest(j);
	return ERR_NONE;
}

static enum err write_all(struct journal *j) ON_WORKER
{
	enum err err = ERR_NONE;
	while (!err && (!list_empty(&j->held) || j->lost.number))
		err = write_some(j);
	return err;
}

/* Who waits is told that it is not on disk; the entry stays, until it is. */
static void hold(struct journal *j, enum err err)
{
	LIST_EACH (link, &j->held)
		tell(LIST_OF(link, struct journal_entry, link), err, 0);
	LIST_EACH (link, &j->held) {
		struct journal_entry *e = LIST_OF(link, struct journal_entry, link);
		if (j->held_count <= WAITING_MAX)
			break;
		lose_entry(&j->lost, e);
		j->held_count--;
		end_entry(e, err, 0);
	}
}

/* Takes what was added. Under `writing`; `lock` is held for a moment only: who adds never waits for
 * the disk. */
static void take_added(struct journal *j)
{
	lock_take(&j->lock);
	list_move_all(&j->held, &j->waiting);
	j->held_count += j->depth;
	j->depth = 0;
	lose(&j->lost, j->refused.number, j->refused.mode);
	j->refused = (struct loss){ 0 };
	lock_drop(&j->lock);
}

static void write_gated(struct journal *j) ON_WORKER
{
	lock_take(&j->writing);
	take_added(j);
	if (!j->held_count && !j->lost.number) {
		lock_drop(&j->writing);
		return;
	}
	enum err err = ERR_STORE_IO;
	/* While it is not well, trying is the store's own business (mount.h). */
	if (health_is_well(&j->store->health, HEALTH_WRITES) && gate_enter(&j->store->gate)) {
		err = write_all(j);
		store_tell(j->store, HEALTH_WRITES, err);
		gate_leave(&j->store->gate);
	}
	if (err)
		hold(j, err);
	lock_drop(&j->writing);
}

static bool note_number(void *arg, UNUSED uint64_t seq, uint64_t number, UNUSED struct slice text)
{
	*(uint64_t *)arg = number;
	return true;
}

/* A batch that failed may be there all the same, when it was written and not synced: what it has is
 * not logged again. That is what is behind the last that was told. */
static enum err end_found(struct journal *j) ON_WORKER
{
	uint64_t number = 0;
	enum err err = notes_read(j->store, j->last_seq + 1, note_number, &number);
	LIST_EACH (link, &j->held) {
		struct journal_entry *e = LIST_OF(link, struct journal_entry, link);
		if (err || (!e->is_of_before && e->number > number))
			break;
		/* Of those of before nobody can tell. */
		if (e->is_of_before)
			continue;
		weigh(j, e);
		j->known = e->number;
		j->held_count--;
		end_entry(e, ERR_NONE, 0);
	}
	return err;
}

enum err journal_catch_up(struct journal *j)
{
	uint64_t last = 0;
	lock_take(&j->writing);
	take_added(j);
	/* What is in a store that was not ours before has numbers of its own. */
	enum err err = j->was_open ? end_found(j) : ERR_NONE;
	if (!err)
		err = rocks_last_id(j->store->rocks, ROCKS_PURGES, &last);
	j->last_seq = max_u64(j->last_seq, last);
	struct purge_mark all = { 0 };
	/* Another disk came in this one's place: what was noted on that is not noted here. */
	if (j->known > 0 && j->store->ledger.logs[0].past_count == 0)
		lose(&j->lost, j->known, PURGE_HARD);
	if (!err && !notes_recall(j->store, scope_all(), &all))
		err = ERR_STORE_IO;
	if (!err) {
		set_all(j, &all);
		begin_ages(j, j->store->rocks);
		j->is_opening = true;
		err = write_all(j);
		j->is_opening = false;
	}
	j->was_open |= !err;
	lock_drop(&j->writing);
	return err;
}

/* ---- the thread ---- */

/* Waits for entries, or for the time to try again. False: it ends, and there is nothing. */
static bool wait_for_some(struct journal *j)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += RETRY_S;
	lock_take(&j->lock);
	/* What is held is tried again now and then. */
	if (list_empty(&j->waiting) && !j->is_ending)
		pthread_cond_timedwait(&j->more, &j->lock.mutex, &until);
	bool goes_on = !list_empty(&j->waiting) || !j->is_ending;
	lock_drop(&j->lock);
	return goes_on;
}

static void *thread_main(void *arg)
{
	static const struct timespec nap = { .tv_nsec = NAP_US * 1000 };
	struct journal *j = arg;
	role_worker();
	pthread_setname_np(pthread_self(), "store-journal");
	while (wait_for_some(j)) {
		write_gated(j);
		nanosleep(&nap, NULL);
	}
	write_gated(j);
	return NULL;
}

static void free_parts(struct journal *j)
{
	pthread_cond_destroy(&j->more);
	lock_fini(&j->lock);
	lock_fini(&j->writing);
	free(j);
}

struct journal *journal_new(struct store *s)
{
	struct journal *j = calloc(1, sizeof(*j));
	if (!j)
		return NULL;
	cond_init_mono(&j->more);
	lock_init(&j->lock);
	lock_init(&j->writing);
	list_init(&j->waiting);
	list_init(&j->held);
	j->ages.count = 1;
	j->store = s;
	j->ages.weight_max = min_u64(SCOPES_MAX, s->sizes.disk_bytes / DISK_SHARE / SCOPE_BYTES);
	if (thread_start(&j->thread, thread_main, j))
		return j;
	free_parts(j);
	return NULL;
}

void journal_stop(struct journal *j)
{
	lock_take(&j->lock);
	j->is_ending = true;
	pthread_cond_signal(&j->more);
	lock_drop(&j->lock);
	pthread_join(j->thread, NULL);
	LIST_EACH (link, &j->held)
		end_entry(LIST_OF(link, struct journal_entry, link), ERR_STORE_IO, 0);
}

void journal_free(struct journal **journal)
{
	struct journal *j = *journal;
	*journal = NULL;
	if (j)
		free_parts(j);
}

void journal_add(struct journal *j, struct journal_entry *e)
{
	lock_take(&j->lock);
	bool fits = e->told || j->depth < WAITING_MAX;
	if (fits) {
		list_append(&j->waiting, &e->link);
		j->depth++;
	} else {
		lose_entry(&j->refused, e);
	}
	pthread_cond_signal(&j->more);
	lock_drop(&j->lock);
	if (!fits)
		free(e);
}

uint64_t journal_known(const struct journal *j)
{
	return j->known;
}

uint64_t journal_depth(const struct journal *j)
{
	return j->depth + j->held_count;
}

uint64_t journal_last_seq(const struct journal *j)
{
	return j->last_seq;
}
