/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/cold.c"

#include "test/unit/cache/tier/stores.h"

static const uint64_t sizes[] = { 0, 1, 4096, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1,
	5 * CHUNK_BYTES + 77 };

static void test_store_load_restart(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	struct hash_secret secret = cold_secret(c);
	uint32_t epoch = cold_epoch(c);
	CU_ASSERT_EQUAL(cold_probe(c, sample_hash(0)), COLD_ABSENT);
	for (uint64_t n = 0; n < COUNT_OF(sizes); n++)
		CU_ASSERT(store_sample(c, n, sizes[n]));
	settle(c);
	for (int life = 0; life < 3; life++) {
		for (uint64_t n = 0; n < COUNT_OF(sizes); n++) {
			CU_ASSERT_EQUAL(check_stored(c, n, sizes[n]), WHOLE);
			CU_ASSERT_EQUAL(cold_probe(c, sample_hash(n)), COLD_PRESENT);
		}
		CU_ASSERT_EQUAL(check_stored(c, 99, 0), NOTHING);
		CU_ASSERT_EQUAL(cold_state(c), COLD_OK);
		cold_close(&c);
		c = open_store(GIB, ADMIT_ALWAYS);
		CU_ASSERT(memcmp(&secret, &c->store.ledger.secret, sizeof(secret)) == 0);
		CU_ASSERT(cold_epoch(c) > epoch);
		epoch = cold_epoch(c);
	}
	/* The same hash with another key's text is not it. */
	struct object *o = load_key(c, (struct key){ SL("http://other/"), sample_hash(2) });
	CU_ASSERT_PTR_NULL(o);
	cold_close(&c);
}

static void test_locked(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS), *second = NULL;
	char why[256];
	struct cold_options o = { dir, GIB, ADMIT_ALWAYS };
	CU_ASSERT_EQUAL(cold_open(&o, &second, why, sizeof(why)), ERR_STORE_LOCKED);
	CU_ASSERT(strstr(why, dir) != NULL);
	cold_close(&c);
	o.path = "/proc/nowhere/store";
	CU_ASSERT_EQUAL(cold_open(&o, &second, why, sizeof(why)), ERR_STORE_IO);
}

static void test_head_refresh(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_SECOND_SIGHTING);
	struct object *o = sample_object(1, 3 * CHUNK_BYTES);
	CU_ASSERT(cold_store(c, o, true));
	settle(c);
	while (!o->cold_has_head)
		usleep(100);
	/* A new head for the same body: only the record is written, and admission is not asked. */
	struct object *newer = sample_head(1);
	newer->seq = 77;
	object_share_body(newer, o);
	CU_ASSERT(cold_store(c, newer, false));
	settle(c);
	CU_ASSERT_EQUAL(meter_read(&c->store.meters.stored), 1);
	CU_ASSERT_EQUAL(meter_read(&c->store.meters.refreshed), 1);
	object_unref(&o);
	object_unref(&newer);
	o = load(c, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	CU_ASSERT_EQUAL(o->seq, 77);
	CU_ASSERT(is_sample(o, 1, 3 * CHUNK_BYTES));
	/* What was loaded is stored already. */
	CU_ASSERT(cold_store(c, o, true));
	settle(c);
	CU_ASSERT_EQUAL(meter_read(&c->store.meters.stored), 1);
	object_unref(&o);
	cold_close(&c);
}

static void test_admission(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_SECOND_SIGHTING);
	CU_ASSERT(!store_sample(c, 1, 10));
	CU_ASSERT(store_sample(c, 1, 10));
	c->admission = ADMIT_HOT;
	CU_ASSERT(!store_sample(c, 2, 10));
	CU_ASSERT(!store_sample(c, 2, 10));
	struct object *o = sample_object(2, 10);
	CU_ASSERT(cold_store(c, o, true));
	object_unref(&o);
	/* Unfinished bodies are not stored, whoever asks. */
	o = sample_head(3);
	o->body = flow_new(10, FLOW_KEEP_ALL, 0);
	CU_ASSERT(!cold_store(c, o, true));
	flow_fail(o->body, ERR_CANCELLED);
	CU_ASSERT(!cold_store(c, o, true));
	object_unref(&o);
	cold_close(&c);
}

static void show_mark(void *arg, struct cold_mark mark)
{
	struct cold_mark *sum = arg;
	sum->slot += mark.slot;
	sum->number += mark.number;
}

static void test_forget(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	char text[48];
	struct object *marker = object_new(
	    OBJECT_VARY, sample_key(9, text), SLICE_NONE, SL("accept"), SLICE_NONE, 2);
	for (uint32_t i = 0; i < 2; i++) {
		marker->variants[i] = sample_hash(i);
		CU_ASSERT(store_sample(c, i, 100));
	}
	CU_ASSERT(store_sample(c, 5, 100));
	CU_ASSERT(cold_store(c, marker, false));
	settle(c);
	struct object *again = load(c, 9);
	CU_ASSERT_PTR_NOT_NULL_FATAL(again);
	CU_ASSERT_EQUAL(again->variant_count, 2);
	object_unref(&again);
	/* At once for who asks, and for all variants as soon as it is written. */
	cold_invalidate(c, sample_hash(9), (struct cold_mark){ 0xfffe, 42 });
	CU_ASSERT_EQUAL(cold_probe(c, sample_hash(9)), COLD_ABSENT);
	CU_ASSERT_EQUAL(check_stored(c, 9, 0), NOTHING);
	while (meter_read(&c->store.meters.forgotten) == 0)
		usleep(100);
	for (uint32_t i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(check_stored(c, i, 100), NOTHING);
	CU_ASSERT_EQUAL(check_stored(c, 5, 100), WHOLE);
	cold_forget(c, sample_hash(5));
	cold_close(&c);
	c = open_store(GIB, ADMIT_ALWAYS);
	CU_ASSERT_EQUAL(check_stored(c, 5, 100), NOTHING);
	struct cold_mark sum = { 0 };
	CU_ASSERT_EQUAL(cold_marks(c, show_mark, &sum), ERR_NONE);
	CU_ASSERT(sum.slot == 0xfffe && sum.number == 42);
	/* And stored again it is found again. */
	CU_ASSERT(store_sample(c, 5, 100));
	settle(c);
	CU_ASSERT_EQUAL(check_stored(c, 5, 100), WHOLE);
	object_unref(&marker);
	cold_close(&c);
}

/* A chunk that is not what was stored: the load gives nothing, and the object is forgotten. */
static void test_damaged_chunk(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	for (uint64_t n = 1; n < 3; n++) {
		struct object *o = sample_object(n, n * CHUNK_BYTES);
		CU_ASSERT(cold_store(c, o, false));
		while (!o->cold_has_head)
			usleep(100);
		/* The last chunk is changed in one byte, behind the writer's back. */
		struct rocks_id id = rocks_id_of(o->cold_first + n - 1);
		struct rocks_value value;
		struct rocks_batch *batch = rocks_batch_new();
		enum err err;
		must(rocks_get(c->store.rocks, ROCKS_BODY, KEY_SLICE(id), false, &value, &err) ==
		    ROCKS_FOUND);
		struct slice parts[] = { slice_first(value.bytes, value.bytes.len - 1), SL("#") };
		rocks_batch_put(batch, c->store.rocks, ROCKS_BODY, KEY_SLICE(id), parts, 2);
		rocks_unpin(&value);
		must(rocks_write(c->store.rocks, batch, ROCKS_UNLOGGED) == ERR_NONE);
		rocks_batch_free(&batch);
		object_unref(&o);
		/* Of one chunk it is a miss, of two its flow fails after the first. */
		o = load(c, n);
		CU_ASSERT(!o || (n == 2 && flow_state(o->body) == FLOW_FAILED));
		object_unref(&o);
		while (meter_read(&c->store.meters.forgotten) < n)
			usleep(100);
		CU_ASSERT_EQUAL(cold_probe(c, sample_hash(n)), COLD_ABSENT);
	}
	CU_ASSERT_EQUAL(cold_state(c), COLD_OK);
	cold_close(&c);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "store, load, restart", test_store_load_restart },
		{ "a store in use, a store nowhere", test_locked },
		{ "a new head for a stored body", test_head_refresh },
		{ "admission", test_admission },
		{ "forget, invalidate", test_forget },
		{ "a damaged chunk", test_damaged_chunk },
		CU_TEST_INFO_NULL,
	};
	return run_store_tests("tier/cold", tests);
}
