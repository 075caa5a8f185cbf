/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/cold.h"

#include "cache/tier/admit.h"
#include "cache/tier/journal.h"
#include "cache/tier/loader.h"
#include "cache/tier/notes.h"
#include "cache/tier/store.h"
#include "cache/tier/writer.h"

enum { READERS = 4, READS_QUEUED = 1024, LARGEST_SHARE = 16 };

struct cold {
	struct store store;
	/* fixed */
	enum admission admission;
	struct sightings *sightings;
};

#define METER_STRUCT struct cold_meters
static const struct meter_desc descs[] = METER_DESCS(COLD_METERS);
const struct meter_table cold_meter_table = { descs, COUNT_OF(descs) };

const struct cold_meters *cold_meters(const struct cold *c)
{
	return &c->store.meters;
}

const struct cold_times *cold_times(const struct cold *c)
{
	return &c->store.times;
}

void cold_measure(struct cold *c)
{
	meter_set(&c->store.meters.reads_queued, crew_depth(c->store.readers));
	meter_set(&c->store.meters.notes_queued, journal_depth(c->store.journal));
	meter_set(&c->store.meters.budget, c->store.sizes.disk_bytes);
}

struct hash_secret cold_secret(const struct cold *c)
{
	return c->store.ledger.secret;
}

uint32_t cold_epoch(const struct cold *c)
{
	return c->store.ledger.epoch;
}

enum cold_state cold_state(const struct cold *c)
{
	return store_state(&c->store);
}

void cold_set_shares(struct cold *c, const struct shares *shares)
{
	share_table_set(&c->store.shares, shares);
}

const meter *cold_tenant_bytes(const struct cold *c)
{
	return c->store.tenant_bytes;
}

const char *cold_why(const struct cold *c)
{
	return trouble_word(store_trouble(&c->store));
}

const char *cold_state_word(enum cold_state state)
{
	static const char *const words[COLD_STATES] = { "ok", "read-only", "off" };
	return words[state];
}

const meter *cold_states(const struct cold *c)
{
	return c->store.states;
}

size_t cold_states_count(void)
{
	return (size_t)COLD_STATES * TROUBLE_COUNT;
}

void cold_states_label(struct buf *b, size_t index)
{
	enum cold_state state = (enum cold_state)(index / TROUBLE_COUNT);
	enum trouble trouble = (enum trouble)(index % TROUBLE_COUNT);
	buf_addf(b, "state=\"%s\",why=\"%s\"", cold_state_word(state), trouble_word(trouble));
}

/* ---- life ---- */

static void on_seed(struct store *s, struct ledger_seed *seed)
{
	if (s->host.seed)
		s->host.seed(s->host.arg, &seed->secret, &seed->epoch);
}

static enum err on_opened(struct store *s)
{
	struct cold *c = CONTAINER_OF(s, struct cold, store);
	role_worker();
	enum err err = s->host.opened ? s->host.opened(s->host.arg, c) : ERR_NONE;
	return err ? err : journal_catch_up(s->journal);
}

static enum err start_threads(struct cold *c)
{
	c->store.writer = writer_new(&c->store);
	c->store.readers = crew_new("store-read", READERS, READS_QUEUED);
	c->sightings = sightings_new();
	return c->store.writer && c->store.readers && c->sightings ? ERR_NONE : ERR_SYSTEM;
}

enum err cold_open(
    const struct cold_options *options, const struct cold_host *host, struct cold **ret_cold)
{
	struct cold *c = aligned_alloc(_Alignof(struct cold), sizeof(*c));
	if (!c)
		return ERR_NO_MEMORY;
	memset(c, 0, sizeof(*c));
	c->admission = options->admission;
	if (host)
		c->store.host = *host;
	share_table_init(&c->store.shares);
	c->store.sizes = sizes_of(options->size_bytes, options->memory_bytes);
	lock_init(&c->store.telling);
	leases_init(&c->store.leases);
	enum err err = mount_init(
	    &c->store, options->path, (struct mount_host){ on_seed, on_opened });
	c->store.journal = err ? NULL : journal_new(&c->store);
	if (!err && !c->store.journal)
		err = ERR_SYSTEM;
	if (!err) {
		mount_tend(&c->store, mono_now());
		store_show_state(&c->store);
		err = start_threads(c);
	}
	if (err)
		cold_close(&c);
	*ret_cold = c;
	return err;
}

void cold_close(struct cold **cold)
{
	struct cold *c = *cold;
	*cold = NULL;
	if (!c)
		return;
	/* Bodies on their way end, and so do the readers that wait for them. */
	writer_end(c->store.writer);
	crew_free(&c->store.readers);
	writer_free(&c->store.writer);
	if (c->store.journal)
		journal_stop(c->store.journal);
	/* Compactions ask the journal to the end. */
	mount_fini(&c->store);
	journal_free(&c->store.journal);
	sightings_free(&c->sightings);
	leases_fini(&c->store.leases);
	lock_fini(&c->store.telling);
	free(c);
}

/* ---- reading ---- */

static void note_sight(struct cold_sight *sight, struct slice record)
{
	if (record.len > sizeof(sight->record))
		return;
	memcpy(sight->record, record.at, record.len);
	sight->len = (uint32_t)record.len;
}

static enum cold_probe probe(struct store *s, struct hash128 hash, struct cold_sight *sight)
{
	struct meta_key key = meta_key_of(hash);
	struct rocks_value value;
	struct span span;
	enum err err = ERR_NONE;
	enum rocks_look look = rocks_get(s->rocks, ROCKS_META, KEY_SLICE(key), true, &value, &err);
	if (look == ROCKS_UNSURE)
		return COLD_UNSURE;
	/* Success says nothing: the disk was not asked. */
	if (err)
		store_tell(s, HEALTH_READS, err);
	if (look != ROCKS_FOUND)
		return COLD_ABSENT;
	bool holds = record_span(value.bytes, &span) && ledger_holds(&s->ledger, span);
	if (holds && sight)
		note_sight(sight, value.bytes);
	rocks_unpin(&value);
	return holds ? COLD_PRESENT : COLD_ABSENT;
}

enum cold_probe cold_probe(struct cold *c, struct hash128 hash, struct cold_sight *ret_sight)
{
	struct store *s = &c->store;
	uint32_t moment;
	if (ret_sight)
		ret_sight->len = 0;
	/* The moment is before the look: what is forgotten in between is not taken for what stands. */
	if (!forgets_moment(&s->forgets, hash, &moment) || !health_may(&s->health, HEALTH_READS) ||
	    !gate_enter(&s->gate))
		return COLD_ABSENT;
	if (ret_sight)
		ret_sight->moment = moment;
	enum cold_probe found = probe(s, hash, ret_sight);
	gate_leave(&s->gate);
	return found;
}

static void on_loaded(struct mail *mail)
{
	role_loop();
	struct cold_load *load = CONTAINER_OF(mail, struct cold_load, mail);
	struct object *object = load->object;
	load->object = NULL;
	if (object && !forgets_are_still(&load->store->forgets, load->hash, load->moment))
		object_unref(&object);
	load->loaded(load, object);
}

bool cold_load(struct cold *c, struct cold_load *load)
{
	load->store = &c->store;
	load->object = NULL;
	load->job = (struct job){ .work = loader_work };
	mail_init(&load->mail, on_loaded);
	load->moment = load->sight.moment;
	return (load->sight.len > 0 ||
		   forgets_moment(&c->store.forgets, load->hash, &load->moment)) &&
	    health_may(&c->store.health, HEALTH_READS) && crew_post(c->store.readers, &load->job);
}

bool cold_look(struct cold *c, struct job *job, struct store **ret_store)
{
	*ret_store = &c->store;
	return health_may(&c->store.health, HEALTH_READS) && crew_post(c->store.readers, job);
}

/* ---- writing ---- */

static bool has_body_on_disk(struct cold *c, const struct object *o)
{
	struct store *s = &c->store;
	uint64_t bytes = 0, first = o->cold_first;
	if (o->spool)
		return true;
	if (first == 0 || !object_length(o, &bytes) || !gate_enter(&s->gate))
		return false;
	/* Not what low says alone: a store that was opened anew may have lost the newest. */
	uint64_t chunks = chunks_of(bytes);
	bool holds = ledger_holds(
	    &s->ledger, (struct span){ first, chunks ? first + chunks - 1 : 0 });
	gate_leave(&s->gate);
	return holds;
}

/* The rule that decides about an object, as the count of its verdict. */
static meter *judge(struct cold *c, const struct object *o, bool had_hits, bool *ret_verdict)
{
	struct cold_meters *m = &c->store.meters;
	*ret_verdict = had_hits || c->admission == ADMIT_ALWAYS;
	if (*ret_verdict)
		return had_hits ? &m->admitted_hit : &m->admitted_always;
	if (c->admission == ADMIT_HOT)
		return &m->refused_hot;
	*ret_verdict = sightings_note(c->sightings, o->hash);
	return *ret_verdict ? &m->admitted_seen : &m->refused_seen;
}

static bool is_admitted(struct cold *c, const struct object *o, bool had_hits)
{
	bool verdict;
	meter_add_shared(judge(c, o, had_hits, &verdict), 1);
	return verdict;
}

/* A body that will never be in RAM would wait in vain for hits there. */
static bool is_spool_admitted(struct cold *c, const struct object *o)
{
	struct cold_meters *m = &c->store.meters;
	if (c->admission != ADMIT_HOT)
		return is_admitted(c, o, false);
	bool verdict = sightings_note(c->sightings, o->hash);
	meter_add_shared(verdict ? &m->admitted_seen : &m->refused_seen, 1);
	return verdict;
}

uint64_t cold_largest(const struct cold *c)
{
	return c->store.sizes.disk_bytes / LARGEST_SHARE;
}

static bool is_too_large(const struct cold *c, const struct object *o)
{
	uint64_t body = 0;
	return !object_length(o, &body) || body > c->store.sizes.disk_bytes / 2;
}

bool cold_store(struct cold *c, struct object *o, bool had_hits)
{
	struct cold_meters *m = &c->store.meters;
	if (o->kind == OBJECT_PASS || !object_is_complete(o))
		return false;
	if (is_too_large(c, o)) {
		meter_add_shared(&m->refused_large, 1);
		return false;
	}
	bool has_body = has_body_on_disk(c, o);
	if (has_body && o->cold_has_head)
		return true;
	meter *refusal = NULL;
	if (!has_body && !is_admitted(c, o, had_hits))
		refusal = &m->not_admitted;
	else if (store_state(&c->store) != COLD_OK)
		refusal = &m->refused_ill;
	else if (!writer_store(c->store.writer, o))
		refusal = &m->queue_full;
	if (refusal)
		meter_add_shared(refusal, 1);
	return refusal == NULL;
}

bool cold_spool(struct cold *c, struct object *o, uint64_t largest)
{
	struct cold_meters *m = &c->store.meters;
	meter *refusal = NULL;
	uint64_t length = o->body->length;
	if (length != FLOW_LENGTH_UNKNOWN && length > largest) {
		meter_add_shared(&m->refused_large, 1);
		return false;
	}
	if (!is_spool_admitted(c, o))
		refusal = &m->not_admitted;
	else if (store_state(&c->store) != COLD_OK)
		refusal = &m->refused_ill;
	else if (!writer_spool(c->store.writer, o, largest))
		refusal = &m->queue_full;
	if (refusal)
		meter_add_shared(refusal, 1);
	return refusal == NULL;
}

void cold_forget(struct cold *c, struct hash128 hash)
{
	writer_forget(c->store.writer, hash);
}

bool cold_is_forgotten(struct cold *c, struct hash128 hash)
{
	uint32_t unused;
	return forgets_moment(&c->store.forgets, hash, &unused);
}

struct store *cold_store_of(struct cold *c)
{
	return &c->store;
}

/* ---- what was purged ---- */

void cold_note(struct cold *c, struct journal_entry *e)
{
	journal_add(c->store.journal, e);
}

uint64_t cold_note_depth(const struct cold *c)
{
	return journal_depth(c->store.journal);
}

uint64_t cold_noted(const struct cold *c)
{
	return journal_known(c->store.journal);
}

bool cold_recall(struct cold *c, struct scope scope, struct purge_mark *ret_mark)
{
	struct store *s = &c->store;
	role_worker();
	if (!gate_enter(&s->gate))
		return false;
	bool done = journal_recall(s, scope, ret_mark);
	gate_leave(&s->gate);
	return done;
}

enum err cold_patterns(
    struct cold *c, void (*show)(void *arg, uint64_t number, struct slice text), void *arg)
{
	role_worker();
	return notes_patterns(&c->store, show, arg);
}

enum err cold_read_log(struct cold *c, uint64_t seq,
    bool (*show)(void *arg, uint64_t seq, uint64_t number, struct slice text), void *arg)
{
	role_worker();
	if (!health_may(&c->store.health, HEALTH_READS) || !gate_enter(&c->store.gate))
		return ERR_STORE_IO;
	enum err err = notes_read(&c->store, seq, show, arg);
	gate_leave(&c->store.gate);
	return err;
}

uint64_t cold_last_seq(const struct cold *c)
{
	return journal_last_seq(c->store.journal);
}
