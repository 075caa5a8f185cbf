/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/record.c"

#include "test/unit/cache/samples.h"

/* The body's two chunks, with those of another between them. */
static const struct extent parted[] = { { 0x0000020000000007, 1, 0 },
	{ 0x0000020000000009, 1, 1 } };
static const struct extents runs = { parted, 2 };

static struct object *full_object(void)
{
	char text[48];
	struct object *o = object_new(OBJECT_ANSWER, sample_key(7, text),
	    (struct object_texts){ .head = SL("Content-Type: text/plain\r\nETag: \"sample\"\r\n"),
		.spec = SL("accept-encoding"),
		.values = SL("gzip") },
	    0);
	o->status = 404;
	o->reason = REASON_STATUS_TTL;
	o->seq = 0x1122334455667788;
	o->life = (struct life){ .response_time = { 1000 },
		.born = { -1000 },
		.fresh_until = { 2000 },
		.swr_until = { 3000 },
		.sie_until = { 4000 },
		.keep_until = WALL_FOREVER,
		.no_cache = true,
		.immutable = true };
	o->validators.etag = slice_first(slice_from(o->head, 32), 8);
	o->validators.last_modified = (struct wall){ 123 };
	o->body = flow_new(CHUNK_BYTES + 1, FLOW_KEEP_ALL, 0);
	o->body->trailers = slice_of(slice_to_str(SL("X-Sum: 1\r\n")), 10);
	return o;
}

static void check_same(const struct object *a, const struct object *b)
{
	CU_ASSERT_EQUAL(a->kind, b->kind);
	CU_ASSERT_EQUAL(a->status, b->status);
	CU_ASSERT_EQUAL(a->reason, b->reason);
	CU_ASSERT_EQUAL(a->seq, b->seq);
	CU_ASSERT(hash128_eq(a->hash, b->hash));
	CU_ASSERT(slice_eq(a->key, b->key) && slice_eq(a->head, b->head));
	CU_ASSERT(slice_eq(a->spec, b->spec) && slice_eq(a->values, b->values));
	CU_ASSERT_EQUAL(a->life.response_time.ms, b->life.response_time.ms);
	CU_ASSERT_EQUAL(a->life.born.ms, b->life.born.ms);
	CU_ASSERT_EQUAL(a->life.fresh_until.ms, b->life.fresh_until.ms);
	CU_ASSERT_EQUAL(a->life.swr_until.ms, b->life.swr_until.ms);
	CU_ASSERT_EQUAL(a->life.sie_until.ms, b->life.sie_until.ms);
	CU_ASSERT_EQUAL(a->life.keep_until.ms, b->life.keep_until.ms);
	CU_ASSERT_EQUAL(a->life.no_cache, b->life.no_cache);
	CU_ASSERT_EQUAL(a->life.must_revalidate, b->life.must_revalidate);
	CU_ASSERT_EQUAL(a->life.immutable, b->life.immutable);
	CU_ASSERT(slice_eq(a->validators.etag, b->validators.etag));
	CU_ASSERT_EQUAL(a->validators.last_modified.ms, b->validators.last_modified.ms);
	CU_ASSERT_EQUAL(a->validators.date.ms, b->validators.date.ms);
	CU_ASSERT_EQUAL(a->variant_count, b->variant_count);
	for (uint32_t i = 0; i < a->variant_count; i++)
		CU_ASSERT(hash128_eq(a->variants[i], b->variants[i]));
}

static void check_extents(const struct record *r, struct extents wanted)
{
	struct extent seen[4];
	CU_ASSERT_EQUAL_FATAL(record_extent_count(r), wanted.count);
	record_extents(r, seen);
	for (uint32_t i = 0; i < wanted.count; i++) {
		CU_ASSERT_EQUAL(seen[i].first, wanted.at[i].first);
		CU_ASSERT_EQUAL(seen[i].chunks, wanted.at[i].chunks);
		CU_ASSERT_EQUAL(seen[i].before, wanted.at[i].before);
	}
}

/* Runs must ascend and make up the body, no more and no less. */
static void test_extents(void)
{
	static const struct {
		struct extent runs[3];
		uint32_t count;
		bool reads;
	} rows[] = {
		{ { { 7, 2, 0 } }, 1, true },
		{ { { 7, 1, 0 }, { 8, 1, 1 } }, 2, true },
		{ { { 7, 1, 0 }, { 70, 1, 1 } }, 2, true },
		{ { { 7, 1, 0 }, { 7, 1, 1 } }, 2, false },
		{ { { 7, 1, 0 }, { 6, 1, 1 } }, 2, false },
		{ { { 7, 1, 0 }, { 8, 2, 1 } }, 2, false },
		{ { { 7, 1, 0 }, { 8, 0, 1 }, { 9, 1, 1 } }, 3, false },
		{ { { 7, 1, 0 }, { UINT64_MAX, 1, 1 } }, 2, false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct object *o = full_object();
		struct extents wanted = { rows[i].runs, rows[i].count };
		struct buf bytes;
		struct record r;
		buf_init(&bytes, 0);
		record_write(&bytes, o, wanted, 0);
		enum err err = record_read(buf_slice(&bytes), &r);
		CU_ASSERT_EQUAL(err == ERR_NONE, rows[i].reads);
		if (err == ERR_NONE)
			check_extents(&r, wanted);
		object_unref(&o);
		buf_fini(&bytes);
	}
}

static void test_answer(void)
{
	struct object *o = full_object();
	struct buf bytes;
	struct record r;
	struct span seen;
	buf_init(&bytes, 0);
	record_write(&bytes, o, runs, 0);
	CU_ASSERT_EQUAL_FATAL(record_read(buf_slice(&bytes), &r), ERR_NONE);
	CU_ASSERT_EQUAL(r.body_bytes, CHUNK_BYTES + 1);
	check_extents(&r, runs);
	CU_ASSERT(slice_eq(r.trailers, SL("X-Sum: 1\r\n")));
	CU_ASSERT(record_span(buf_slice(&bytes), &seen));
	CU_ASSERT(seen.first == parted[0].first && seen.last == parted[1].first);
	struct object *again = record_object(&r, o->hash);
	check_same(o, again);
	/* The etag points into the object's own head. */
	CU_ASSERT_PTR_EQUAL(again->validators.etag.at, again->head.at + 32);
	object_unref(&again);
	object_unref(&o);
	buf_fini(&bytes);
}

static void test_marker(void)
{
	char text[48];
	struct object *o = object_new(OBJECT_VARY, sample_key(1, text),
	    (struct object_texts){ .spec = SL("accept-encoding, accept-language") }, 3);
	struct buf bytes;
	struct record r;
	for (uint32_t i = 0; i < 3; i++)
		o->variants[i] = sample_hash(i);
	buf_init(&bytes, 0);
	record_write(&bytes, o, (struct extents){ 0 }, 5);
	CU_ASSERT_EQUAL_FATAL(record_read(buf_slice(&bytes), &r), ERR_NONE);
	CU_ASSERT_EQUAL(record_variant_count(&r), 3);
	struct object *again = record_object(&r, o->hash);
	check_same(o, again);
	object_unref(&again);
	object_unref(&o);
	buf_fini(&bytes);
}

/* A part of a record, and a record with any one byte changed, are corrupt. Copies of the exact
 * size let the address sanitizer see each byte read past the end. */
static void test_damage(void)
{
	struct object *o = full_object();
	struct buf bytes;
	struct record r;
	buf_init(&bytes, 0);
	record_write(&bytes, o, runs, 0);
	for (size_t len = 0; len < bytes.len; len++) {
		char *part = must_alloc(len ? len : 1);
		memcpy(part, bytes.at, len);
		CU_ASSERT_EQUAL(record_read(slice_of(part, len), &r), ERR_STORE_CORRUPT);
		free(part);
	}
	for (size_t at = 0; at < bytes.len; at++) {
		bytes.at[at] ^= 0x10;
		CU_ASSERT_EQUAL(record_read(buf_slice(&bytes), &r), ERR_STORE_CORRUPT);
		bytes.at[at] ^= 0x10;
	}
	buf_add_char(&bytes, 'x');
	CU_ASSERT_EQUAL(record_read(buf_slice(&bytes), &r), ERR_STORE_CORRUPT);
	object_unref(&o);
	buf_fini(&bytes);
}

/* The chunks must be as many as the body takes, also for lengths at the edge of numbers. */
static void test_lengths(void)
{
	static const struct {
		uint64_t body;
		uint32_t chunks;
		bool reads;
	} rows[] = {
		{ 0, 0, true },
		{ 0, 1, false },
		{ 1, 1, true },
		{ 1, 0, false },
		{ CHUNK_BYTES, 1, true },
		{ CHUNK_BYTES, 2, false },
		{ CHUNK_BYTES + 1, 2, true },
		{ UINT64_MAX, 0, false },
		{ UINT64_MAX, 1, false },
		{ UINT64_MAX - 1, 0, false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct object *o = sample_head(1);
		struct buf bytes;
		struct record r;
		buf_init(&bytes, 0);
		struct extent run = { 1, rows[i].chunks, 0 };
		record_write(&bytes, o, (struct extents){ &run, run.chunks ? 1 : 0 }, 1);
		memcpy(bytes.at + 32, &rows[i].body, sizeof(rows[i].body));
		put_check(&bytes, 0);
		CU_ASSERT_EQUAL(record_read(buf_slice(&bytes), &r) == ERR_NONE, rows[i].reads);
		object_unref(&o);
		buf_fini(&bytes);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "an answer", test_answer },
		{ "a marker", test_marker },
		{ "extents", test_extents },
		{ "damage", test_damage },
		{ "lengths", test_lengths },
		CU_TEST_INFO_NULL,
	};
	return run_tests("tier/record", tests);
}
