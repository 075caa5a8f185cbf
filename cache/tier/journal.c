/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/journal.h"

#include <signal.h>
#include <time.h>

#include "edge/base/log.h"

enum {
	BATCH_ENTRIES = 4096,
	BATCH_SCOPES = 65536,
	WAITING_MAX = 65536, /* entries */
	RETRY_MS = 1000,
	NAP_US = 500,         /* lets gather what nobody waits for */
	AGES = 16,            /* parts in which the oldest is forgotten */
	SCOPES_MAX = 1 << 23, /* on disk; of a smaller store fewer */
	SCOPE_BYTES = 64,     /* about, on disk */
	DISK_SHARE = 8,
};

#define PATTERN_PREFIX "pattern "

/* Where a part of what is on disk begins. */
struct age {
	uint64_t number, seq;
	uint64_t weight; /* scopes, and as many as its texts are worth */
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
	uint64_t weight_max;
	/* under lock */
	struct lock lock;
	pthread_cond_t more;
	struct list waiting;
	uint64_t depth;
	struct loss refused; /* of what was not even taken in */
	bool is_ending;
	/* atomic */
	_Atomic uint64_t known, last_seq;
	_Atomic uint64_t all[PURGE_MODES]; /* what the disk has of scope_all */
	_Atomic int64_t all_soft_at;
	/* under writing: the thread, and the store's writer while it opens */
	struct lock writing;
	struct list held; /* could not be written yet; before those that wait */
	uint64_t held_count;
	struct loss lost;
	struct age ages[AGES];
	unsigned age_count;
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

/* ---- records ---- */

struct fence_key {
	char bytes[10];
};

static struct fence_key key_of(struct scope scope, enum purge_mode mode)
{
	struct fence_key key;
	key.bytes[0] = (char)scope.kind;
	key.bytes[1] = (char)mode;
	memcpy(key.bytes + 2, &scope.id, sizeof(scope.id));
	return key;
}

/* As it is kept, in the machine's order. */
struct fence_value {
	uint64_t number;
	int64_t at_ms;
};

static void put_scope(struct rocks_batch *b, struct rocks *rocks, struct scope scope,
    struct purge_act act, uint64_t number)
{
	struct fence_key key = key_of(scope, act.mode);
	struct fence_value kept = { number, act.at.ms };
	struct slice value = slice_of((const char *)&kept, sizeof(kept));
	rocks_batch_put(b, rocks, ROCKS_FENCE, KEY_SLICE(key), &value, 1);
}

struct pattern_key {
	char text[32];
};

static struct pattern_key pattern_key_of(uint64_t number)
{
	struct pattern_key key;
	snprintf(key.text, sizeof(key.text), PATTERN_PREFIX "%016" PRIx64, number);
	return key;
}

static void put_pattern(struct rocks_batch *b, struct rocks *rocks, const struct journal_entry *e)
{
	struct pattern_key key = pattern_key_of(e->retires ? e->retires : e->number);
	if (e->retires)
		rocks_batch_delete(b, rocks, ROCKS_CONTROL, slice_str(key.text));
	else if (e->is_pattern)
		rocks_batch_put(b, rocks, ROCKS_CONTROL, slice_str(key.text), &e->text, 1);
}

static void put_all(struct journal *j, struct rocks_batch *b, enum purge_mode mode, uint64_t number)
{
	struct purge_act act = { mode, wall_now() };
	put_scope(b, j->store->rocks, scope_all(), act, number);
}

static void put_text(
    struct rocks_batch *b, struct rocks *rocks, uint64_t seq, const struct journal_entry *e)
{
	struct rocks_id key = rocks_id_of(seq);
	struct slice parts[] = { slice_of((const char *)&e->number, sizeof(e->number)), e->text };
	rocks_batch_put(b, rocks, ROCKS_PURGES, KEY_SLICE(key), parts, COUNT_OF(parts));
}

static bool recall(struct store *s, struct scope scope, struct purge_mark *ret_mark) ON_WORKER
{
	*ret_mark = (struct purge_mark){ 0 };
	for (enum purge_mode mode = 0; mode < PURGE_MODES; mode++) {
		struct fence_key key = key_of(scope, mode);
		struct rocks_value value;
		struct fence_value kept = { 0 };
		enum rocks_look look = store_get(s, ROCKS_FENCE, KEY_SLICE(key), &value);
		if (look == ROCKS_FAILED)
			return false;
		if (look != ROCKS_FOUND)
			continue;
		if (value.bytes.len == sizeof(kept))
			memcpy(&kept, value.bytes.at, sizeof(kept));
		rocks_unpin(&value);
		ret_mark->numbers[mode] = kept.number;
		if (mode == PURGE_SOFT)
			ret_mark->soft_at.ms = kept.at_ms;
	}
	return true;
}

bool journal_recall(struct store *s, struct scope scope, struct purge_mark *ret_mark)
{
	const struct journal *j = s->journal;
	if (scope.kind != SCOPE_ALL)
		return recall(s, scope, ret_mark);
	for (int mode = 0; mode < PURGE_MODES; mode++)
		ret_mark->numbers[mode] = j->all[mode];
	ret_mark->soft_at.ms = j->all_soft_at;
	return true;
}

/* Notes what the disk has of it. */
static void set_all(struct journal *j, enum purge_mode mode, uint64_t number, struct wall at)
{
	if (mode == PURGE_SOFT && number > j->all[mode])
		j->all_soft_at = at.ms;
	j->all[mode] = max_u64(j->all[mode], number);
}

enum err journal_read(struct store *s, uint64_t seq, journal_show_f *show, void *arg)
{
	struct rocks_id from = rocks_id_of(seq);
	struct slice key, value;
	enum err err;
	struct rocks_walk *walk = rocks_walk_new(s->rocks, ROCKS_PURGES, KEY_SLICE(from));
	for (; rocks_walk_at(walk, &key, &value, &err); rocks_walk_next(walk)) {
		uint64_t number;
		if (key.len != sizeof(seq) || value.len < sizeof(number))
			continue;
		memcpy(&seq, key.at, sizeof(seq));
		memcpy(&number, value.at, sizeof(number));
		if (!show(arg, __builtin_bswap64(seq), number, slice_from(value, sizeof(number))))
			break;
	}
	rocks_walk_free(&walk);
	return err;
}

enum err journal_patterns(struct store *s, journal_pattern_f *show, void *arg)
{
	struct slice key, value, prefix = SL(PATTERN_PREFIX);
	enum err err;
	struct rocks_walk *walk = rocks_walk_new(s->rocks, ROCKS_CONTROL, prefix);
	for (; rocks_walk_at(walk, &key, &value, &err); rocks_walk_next(walk)) {
		char text[17] = "";
		struct slice digits = slice_from(key, prefix.len);
		if (!slice_starts(key, prefix))
			break;
		memcpy(text, digits.at, min_size(digits.len, sizeof(text) - 1));
		show(arg, strtoull(text, NULL, 16), value);
	}
	rocks_walk_free(&walk);
	return err;
}

bool journal_is_stale(const struct journal *j, struct slice value)
{
	struct fence_value kept;
	if (value.len != sizeof(kept))
		return true;
	memcpy(&kept, value.at, sizeof(kept));
	return kept.number < j->all[PURGE_HARD];
}

/* ---- forgetting the oldest ---- */

/* The weight of what is there when the store opens is not known but for its scopes. */
static void begin_ages(struct journal *j, struct rocks *rocks, uint64_t number)
{
	j->age_count = 1;
	j->ages[0] = (struct age){
		.seq = j->last_seq,
		.number = number,
		.weight = rocks_key_estimate(rocks, ROCKS_FENCE),
	};
}

static uint64_t weight_of(const struct journal *j)
{
	uint64_t weight = 0;
	for (unsigned i = 0; i < j->age_count; i++)
		weight += j->ages[i].weight;
	return weight;
}

static void weigh(struct journal *j, const struct journal_entry *e)
{
	struct age *now = &j->ages[j->age_count - 1];
	now->weight += e->scope_count + e->text.len / SCOPE_BYTES;
	now->number = e->number;
	now->seq = j->last_seq;
	if (now->weight > j->weight_max / (AGES / 2) && j->age_count < AGES)
		j->ages[j->age_count++] = (struct age){ .number = e->number, .seq = j->last_seq };
}

/* Says that the oldest part says nothing any more, when there is too much. */
static void forget_oldest(struct journal *j) ON_WORKER
{
	if (weight_of(j) <= j->weight_max || j->age_count < 2)
		return;
	struct age oldest = j->ages[0];
	struct rocks_batch *batch = rocks_batch_new();
	put_all(j, batch, PURGE_HARD, oldest.number);
	enum err err = store_write(j->store, batch, ROCKS_SYNCED);
	rocks_batch_free(&batch);
	if (err)
		return; /* again, after the next batch */
	set_all(j, PURGE_HARD, oldest.number, WALL_NEVER);
	j->age_count--;
	memmove(&j->ages[0], &j->ages[1], j->age_count * sizeof(j->ages[0]));
	(void)rocks_delete_below(j->store->rocks, ROCKS_PURGES, oldest.seq);
	log_info("store: the oldest purges are forgotten; what is older than they is fetched anew");
}

/* ---- writing ---- */

static void lose(struct loss *loss, const struct journal_entry *e)
{
	loss->number = e->number;
	if (e->act.mode > loss->mode)
		loss->mode = e->act.mode;
}

/* Puts as many entries as fit into the batch. Answers after which one it ends. */
static struct list *fill(struct journal *j, struct rocks_batch *batch, bool *ret_synced)
{
	struct rocks *rocks = j->store->rocks;
	size_t scopes = 0, entries = 0;
	uint64_t seq = j->last_seq;
	struct list *last = &j->held;
	LIST_EACH (link, &j->held) {
		const struct journal_entry *e = LIST_OF(link, struct journal_entry, link);
		scopes += e->scope_count;
		if (entries++ == BATCH_ENTRIES || (scopes > BATCH_SCOPES && entries > 1))
			break;
		for (size_t i = 0; i < e->scope_count; i++)
			put_scope(batch, rocks, e->scopes[i], e->act, e->number);
		put_pattern(batch, rocks, e);
		if (e->is_logged)
			put_text(batch, rocks, ++seq, e);
		*ret_synced |= e->is_logged || e->is_pattern;
		last = link;
	}
	return last;
}

static void end_written(struct journal *j, const struct list *last)
{
	if (j->lost.number)
		set_all(j, j->lost.mode, j->lost.number, wall_now());
	j->lost = (struct loss){ 0 };
	for (bool more = last != &j->held; more;) {
		struct list *link = j->held.next;
		struct journal_entry *e = LIST_OF(link, struct journal_entry, link);
		more = link != last;
		if (e->is_logged)
			j->last_seq++;
		for (size_t i = 0; i < e->scope_count; i++)
			if (e->scopes[i].kind == SCOPE_ALL)
				set_all(j, e->act.mode, e->number, e->act.at);
		weigh(j, e);
		j->known = e->number;
		j->held_count--;
		end_entry(e, ERR_NONE, e->is_logged ? j->last_seq : 0);
	}
}

/* One batch. Inside the gate, or while the store opens. */
static enum err write_some(struct journal *j) ON_WORKER
{
	struct rocks_batch *batch = rocks_batch_new();
	bool synced = j->lost.number > 0;
	/* What was dropped is in force for everything that is older. */
	if (synced)
		put_all(j, batch, j->lost.mode, j->lost.number);
	const struct list *last = fill(j, batch, &synced);
	enum err err = store_write(j->store, batch, synced ? ROCKS_SYNCED : ROCKS_LOGGED);
	rocks_batch_free(&batch);
	if (err)
		return err;
	end_written(j, last);
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
	while (j->held_count > WAITING_MAX) {
		struct journal_entry *e = LIST_OF(j->held.next, struct journal_entry, link);
		lose(&j->lost, e);
		j->held_count--;
		end_entry(e, err, 0);
	}
}

/* Takes what was added. Under `writing`; `lock` is held for a moment only: who adds never waits for the
 * disk. */
static void take_added(struct journal *j)
{
	lock_take(&j->lock);
	list_move_all(&j->held, &j->waiting);
	j->held_count += j->depth;
	j->depth = 0;
	if (j->refused.number) {
		j->lost.number = j->refused.number;
		if (j->refused.mode > j->lost.mode)
			j->lost.mode = j->refused.mode;
	}
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

/* A batch that failed may be there all the same, when it was written and not synced: what it has is not
 * logged again. That is what is behind the last that was told. */
static enum err end_found(struct journal *j) ON_WORKER
{
	uint64_t number = 0;
	enum err err = journal_read(j->store, j->last_seq + 1, note_number, &number);
	while (!err && !list_empty(&j->held)) {
		struct journal_entry *e = LIST_OF(j->held.next, struct journal_entry, link);
		if (e->number > number)
			break;
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
	if (!err && last > j->last_seq)
		j->last_seq = last;
	struct purge_mark all = { 0 };
	if (!err && !recall(j->store, scope_all(), &all))
		err = ERR_STORE_IO;
	for (enum purge_mode mode = 0; mode < PURGE_MODES; mode++)
		set_all(j, mode, all.numbers[mode], all.soft_at);
	begin_ages(j, j->store->rocks, j->known);
	if (!err)
		err = write_all(j);
	j->was_open |= !err;
	lock_drop(&j->writing);
	return err;
}

/* ---- the thread ---- */

static void wait_ms(struct journal *j, int64_t ms)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	pthread_cond_timedwait(&j->more, &j->lock.mutex, &t);
}

/* Waits for entries, or for the time to try again. False: it ends, and there is nothing. */
static bool wait_for_some(struct journal *j)
{
	lock_take(&j->lock);
	/* What is held is tried again now and then. */
	if (list_empty(&j->waiting) && !j->is_ending)
		wait_ms(j, RETRY_MS);
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

static bool start(struct journal *j)
{
	/* Signals belong to the control loop. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	bool started = pthread_create(&j->thread, NULL, thread_main, j) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
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
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&j->more, &monotonic);
	pthread_condattr_destroy(&monotonic);
	lock_init(&j->lock);
	lock_init(&j->writing);
	list_init(&j->waiting);
	list_init(&j->held);
	j->age_count = 1;
	j->store = s;
	j->weight_max = min_u64(SCOPES_MAX, s->sizes.disk_bytes / DISK_SHARE / SCOPE_BYTES);
	if (start(j))
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
		lose(&j->refused, e);
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
	return j->depth;
}

uint64_t journal_last_seq(const struct journal *j)
{
	return j->last_seq;
}
