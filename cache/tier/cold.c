/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/cold.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "cache/tier/admit.h"
#include "cache/tier/evict.h"
#include "cache/tier/loader.h"
#include "cache/tier/store.h"
#include "cache/tier/writer.h"

enum { READERS = 4, READS_QUEUED = 1024, LARGEST_SHARE = 16, OPENING_BYTES = 8 * 1024 * 1024 };

struct cold {
	struct store store;
	/* fixed after cold_open */
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

/* ---- life ---- */

/* Compaction's question. thread: RocksDB's. */
static bool is_stale(const void *arg, struct slice value)
{
	const struct store *s = arg;
	struct span span;
	return !record_span(value, &span) || ledger_is_below_low(&s->ledger, span);
}

static enum err open_rocks(struct store *s, const struct cold_options *options)
{
	s->sizes = sizes_of(options->size_bytes, options->memory_bytes);
	return rocks_open(
	    &(struct rocks_options){
		.path = options->path,
		.sizes = &s->sizes,
		.direct_writes = rocks_can_write_direct(options->path),
		.is_stale = is_stale,
		.arg = s,
	    },
	    &s->rocks);
}

static enum err start_threads(struct cold *c)
{
	c->store.writer = writer_new(&c->store);
	c->store.readers = crew_new("store-read", READERS, READS_QUEUED);
	c->sightings = sightings_new();
	return c->store.writer && c->store.readers && c->sightings ? ERR_NONE : ERR_SYSTEM;
}

/*
 * Whether the disk has room to open a store. Debian's RocksDB aborts the process when it cannot
 * write the first lines of its own log; a full disk must cost us the disk, not the service.
 */
static bool has_room(const char *path)
{
	struct statvfs disk;
	if (statvfs(path, &disk) != 0)
		return true; /* not there yet: making it tells */
	return (uint64_t)disk.f_bavail * disk.f_frsize >= OPENING_BYTES;
}

enum err cold_open(
    const struct cold_options *options, struct cold **ret_cold, char *why, size_t why_room)
{
	struct cold *c = calloc(1, sizeof(*c));
	if (!c)
		return ERR_NO_MEMORY;
	c->admission = options->admission;
	const char *words = "";
	bool roomy = has_room(options->path);
	enum err err = roomy ? open_rocks(&c->store, options) : ERR_STORE_IO;
	if (!roomy)
		words = "the disk is full";
	else if (err)
		words = rocks_why();
	else if ((err = ledger_open(&c->store.ledger, c->store.rocks)))
		words = err == ERR_STORE_CORRUPT ? "its format is not known" : rocks_why();
	else
		err = start_threads(c);
	if (err) {
		snprintf(why, why_room, "%s: %s: %s", options->path, err_text(err), words);
		cold_close(&c);
		return err;
	}
	*ret_cold = c;
	return ERR_NONE;
}

void cold_close(struct cold **cold)
{
	struct cold *c = *cold;
	*cold = NULL;
	if (!c)
		return;
	crew_free(&c->store.readers);
	writer_free(&c->store.writer);
	ledger_close(&c->store.ledger);
	rocks_close(&c->store.rocks);
	sightings_free(&c->sightings);
	free(c);
}

/* ---- reading ---- */

enum cold_probe cold_probe(struct cold *c, struct hash128 hash)
{
	struct store *s = &c->store;
	struct meta_key key = meta_key_of(hash);
	struct rocks_value value;
	struct span span;
	uint32_t moment;
	enum err err = ERR_NONE;
	if (!store_moment(s, hash, &moment) || !health_may(&s->health, HEALTH_READS))
		return COLD_ABSENT;
	enum rocks_look look = rocks_get(s->rocks, ROCKS_META, KEY_SLICE(key), true, &value, &err);
	if (look == ROCKS_UNSURE)
		return COLD_UNSURE;
	store_tell(s, HEALTH_READS, err);
	if (look != ROCKS_FOUND)
		return COLD_ABSENT;
	bool holds = record_span(value.bytes, &span) && ledger_holds(&s->ledger, span);
	rocks_unpin(&value);
	return holds ? COLD_PRESENT : COLD_ABSENT;
}

static void on_loaded(struct mail *mail)
{
	role_loop();
	struct cold_load *load = CONTAINER_OF(mail, struct cold_load, mail);
	struct object *object = load->object;
	load->object = NULL;
	if (object && !store_is_still(load->store, load->hash, load->moment))
		object_unref(&object);
	load->loaded(load, object);
}

bool cold_load(struct cold *c, struct cold_load *load)
{
	load->store = &c->store;
	load->object = NULL;
	load->job = (struct job){ .work = loader_work };
	mail_init(&load->mail, on_loaded);
	return store_moment(&c->store, load->hash, &load->moment) &&
	    health_may(&c->store.health, HEALTH_READS) && crew_post(c->store.readers, &load->job);
}

bool cold_look(struct cold *c, struct job *job, struct store **ret_store)
{
	*ret_store = &c->store;
	return health_may(&c->store.health, HEALTH_READS) && crew_post(c->store.readers, job);
}

/* ---- writing ---- */

static bool has_body_on_disk(const struct cold *c, const struct object *o)
{
	if (o->spool)
		return true;
	struct span span = { .first = o->cold_first };
	return span.first != 0 && !ledger_is_below_low(&c->store.ledger, span);
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
	else if (!health_is_well(&c->store.health, HEALTH_WRITES))
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
	else if (!health_is_well(&c->store.health, HEALTH_WRITES))
		refusal = &m->refused_ill;
	else if (!writer_spool(c->store.writer, o, largest))
		refusal = &m->queue_full;
	if (refusal)
		meter_add_shared(refusal, 1);
	return refusal == NULL;
}

void cold_forget(struct cold *c, struct hash128 hash)
{
	writer_forget(c->store.writer, hash, NULL);
}

/* ---- marks ---- */

void cold_invalidate(struct cold *c, struct hash128 hash, struct cold_mark mark)
{
	writer_forget(c->store.writer, hash, &mark);
}

enum err cold_marks(struct cold *c, cold_show_f *show, void *arg)
{
	struct slice key, value;
	enum err err;
	struct rocks_walk *walk = rocks_walk_new(c->store.rocks, ROCKS_CONTROL, SL(MARK_PREFIX));
	while (rocks_walk_at(walk, &key, &value, &err) && slice_starts(key, SL(MARK_PREFIX))) {
		show(arg, value);
		rocks_walk_next(walk);
	}
	rocks_walk_free(&walk);
	return err;
}
