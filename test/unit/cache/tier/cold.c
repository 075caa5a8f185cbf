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
	CU_ASSERT_EQUAL(cold_probe(c, sample_hash(0), NULL), COLD_ABSENT);
	for (uint64_t n = 0; n < COUNT_OF(sizes); n++)
		CU_ASSERT(store_sample(c, n, sizes[n]));
	settle(c);
	for (int life = 0; life < 3; life++) {
		for (uint64_t n = 0; n < COUNT_OF(sizes); n++) {
			CU_ASSERT_EQUAL(check_stored(c, n, sizes[n]), WHOLE);
			CU_ASSERT_EQUAL(cold_probe(c, sample_hash(n), NULL), COLD_PRESENT);
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

static void wait_for_state(struct cold *c, enum cold_state state)
{
	for (int i = 0; i < 200 && cold_state(c) != state; i++)
		usleep(50000);
	CU_ASSERT_EQUAL(cold_state(c), state);
}

static void test_locked(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS), *second = NULL;
	struct cold_options o = { .path = dir, .size_bytes = GIB, .admission = ADMIT_ALWAYS };
	CU_ASSERT(store_sample(c, 1, 1000));
	settle(c);
	CU_ASSERT_EQUAL(cold_open(&o, NULL, &second), ERR_NONE);
	CU_ASSERT_EQUAL(cold_state(second), COLD_OFF);
	CU_ASSERT_STRING_EQUAL(cold_why(second), "locked");
	CU_ASSERT_EQUAL(cold_probe(second, sample_hash(1), NULL), COLD_ABSENT);
	CU_ASSERT(!store_sample(second, 2, 10));
	cold_close(&c);
	/* It is free: the second one takes it, and has what the first one stored. */
	wait_for_state(second, COLD_OK);
	CU_ASSERT_STRING_EQUAL(cold_why(second), "");
	CU_ASSERT_EQUAL(check_stored(second, 1, 1000), WHOLE);
	CU_ASSERT(store_sample(second, 2, 10));
	cold_close(&second);
	o.path = "/proc/nowhere/store";
	CU_ASSERT_EQUAL(cold_open(&o, NULL, &c), ERR_NONE);
	CU_ASSERT_STRING_EQUAL(cold_why(c), "missing");
	cold_close(&c);
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

static void wait_forgotten(struct cold *c, uint64_t count)
{
	while (meter_read(&c->store.meters.forgotten) < count)
		usleep(100);
}

static void put_control(struct cold *c, struct slice name, const void *bytes, size_t len)
{
	struct rocks_batch *batch = rocks_batch_new();
	struct slice value = slice_of(bytes, len);
	rocks_batch_put(batch, c->store.rocks, ROCKS_CONTROL, name, &value, 1);
	must(rocks_write(c->store.rocks, batch, ROCKS_LOGGED) == ERR_NONE);
	rocks_batch_free(&batch);
}

/* Makes a sample's record one of the version before. */
static void make_former(struct cold *c, uint64_t n)
{
	struct hash128 hash = sample_hash(n);
	struct meta_key key = meta_key_of(hash);
	struct rocks_value value;
	enum err err;
	must(rocks_get(c->store.rocks, ROCKS_META, KEY_SLICE(key), false, &value, &err) ==
	    ROCKS_FOUND);
	const char version = RECORD_VERSION - 1;
	struct slice parts[] = { slice_of(&version, 1), slice_from(value.bytes, 1) };
	struct rocks_batch *batch = rocks_batch_new();
	rocks_batch_put(batch, c->store.rocks, ROCKS_META, KEY_SLICE(key), parts, 2);
	must(rocks_write(c->store.rocks, batch, ROCKS_LOGGED) == ERR_NONE);
	rocks_batch_free(&batch);
	rocks_unpin(&value);
}

/* A store of the format before is taken over; what it kept of invalidations is not read any more,
 * so its records are not, either. One of the format after is refused. */
static void test_formats(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	CU_ASSERT(store_sample(c, 1, 100));
	CU_ASSERT(store_sample(c, 2, 100));
	settle(c);
	make_former(c, 2);
	put_control(c, SL("format"), &(uint32_t){ 3 }, sizeof(uint32_t));
	cold_close(&c);
	c = open_store(GIB, ADMIT_ALWAYS);
	CU_ASSERT_EQUAL(check_stored(c, 1, 100), WHOLE);
	CU_ASSERT_EQUAL(check_stored(c, 2, 100), NOTHING);
	struct rocks_value value;
	uint32_t format = 0;
	enum err err;
	must(rocks_get(c->store.rocks, ROCKS_CONTROL, SL("format"), false, &value, &err) ==
	    ROCKS_FOUND);
	memcpy(&format, value.bytes.at, sizeof(format));
	rocks_unpin(&value);
	CU_ASSERT_EQUAL(format, 4);
	put_control(c, SL("format"), &(uint32_t){ 5 }, sizeof(uint32_t));
	cold_close(&c);
	struct cold_options o = { .path = dir, .size_bytes = GIB, .admission = ADMIT_ALWAYS };
	CU_ASSERT_EQUAL(cold_open(&o, NULL, &c), ERR_NONE);
	CU_ASSERT_EQUAL(cold_state(c), COLD_OFF);
	CU_ASSERT_STRING_EQUAL(cold_why(c), "newer-format");
	cold_close(&c);
}

static void test_forget(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	char text[48];
	struct object *marker = object_new(
	    OBJECT_VARY, sample_key(9, text), (struct object_texts){ .spec = SL("accept") }, 2);
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
	cold_forget(c, sample_hash(9));
	CU_ASSERT_EQUAL(cold_probe(c, sample_hash(9), NULL), COLD_ABSENT);
	CU_ASSERT_EQUAL(check_stored(c, 9, 0), NOTHING);
	wait_forgotten(c, 1);
	for (uint32_t i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(check_stored(c, i, 100), NOTHING);
	CU_ASSERT_EQUAL(check_stored(c, 5, 100), WHOLE);
	cold_forget(c, sample_hash(5));
	cold_close(&c);
	c = open_store(GIB, ADMIT_ALWAYS);
	CU_ASSERT_EQUAL(check_stored(c, 5, 100), NOTHING);
	/* And stored again it is found again. */
	CU_ASSERT(store_sample(c, 5, 100));
	settle(c);
	CU_ASSERT_EQUAL(check_stored(c, 5, 100), WHOLE);
	object_unref(&marker);
	cold_close(&c);
}

/* A chunk that is not what was stored: the load gives nothing, and the object is forgotten. */
static struct object *load_seen(struct cold *c, const struct cold_sight *sight, struct key key)
{
	struct cold_load how = {
		.hash = key.hash, .key = key.text, .keep_up_to = UINT64_MAX, .sight = *sight
	};
	return load_by(c, &how);
}

static enum found find_seen(struct cold *c, const struct cold_sight *sight, uint64_t n)
{
	char text[48];
	struct object *o = load_seen(c, sight, sample_key(n, text));
	enum found found = !o ? NOTHING : is_sample(o, n, sizes[n]) ? WHOLE : WRONG;
	object_unref(&o);
	return found;
}

/* What a probe saw is loaded as what is found is, and is no more valid than that. */
static void test_sights(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	struct cold_sight sights[COUNT_OF(sizes)];
	for (uint64_t n = 0; n < COUNT_OF(sizes); n++)
		CU_ASSERT(store_sample(c, n, sizes[n]));
	settle(c);
	for (uint64_t n = 0; n < COUNT_OF(sizes); n++) {
		CU_ASSERT_EQUAL(cold_probe(c, sample_hash(n), &sights[n]), COLD_PRESENT);
		CU_ASSERT(sights[n].len > 0);
		CU_ASSERT_EQUAL(find_seen(c, &sights[n], n), WHOLE);
	}
	struct object *o = load_seen(
	    c, &sights[2], (struct key){ SL("http://other/"), sample_hash(2) });
	CU_ASSERT_PTR_NULL(o);
	/* One that does not check is none. */
	struct cold_sight bad = sights[1];
	bad.record[20] ^= 1;
	CU_ASSERT_EQUAL(find_seen(c, &bad, 1), WHOLE);
	/* Forgotten after it was seen: while the record is there, and when it is gone. */
	cold_forget(c, sample_hash(1));
	CU_ASSERT_EQUAL(find_seen(c, &sights[1], 1), NOTHING);
	settle(c);
	while (!cold_is_forgotten(c, sample_hash(1)))
		usleep(500);
	CU_ASSERT_EQUAL(find_seen(c, &sights[1], 1), NOTHING);
	CU_ASSERT_EQUAL(cold_probe(c, sample_hash(1), &bad), COLD_ABSENT);
	CU_ASSERT_EQUAL(bad.len, 0);
	/* And evicted. */
	CU_ASSERT_EQUAL(find_seen(c, &sights[2], 2), WHOLE);
	atomic_store(&c->store.ledger.logs[0].low, atomic_load(&c->store.ledger.logs[0].next));
	CU_ASSERT_EQUAL(find_seen(c, &sights[2], 2), NOTHING);
	cold_close(&c);
}

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
		wait_forgotten(c, n);
		CU_ASSERT_EQUAL(cold_probe(c, sample_hash(n), NULL), COLD_ABSENT);
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
		{ "formats before and after", test_formats },
		{ "forget", test_forget },
		{ "what a probe saw", test_sights },
		{ "a damaged chunk", test_damaged_chunk },
		CU_TEST_INFO_NULL,
	};
	return run_store_tests("tier/cold", tests);
}
