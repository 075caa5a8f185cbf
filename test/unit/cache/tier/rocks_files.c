/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/rocks.c"
#include "cache/tier/store.h"
#include "test/unit/cache/tier/stores.h"

enum { VALUE_BYTES = 1000, IDS = 6 };

static struct rocks *rocks;

static bool never_stale(UNUSED const void *arg, UNUSED enum rocks_family f, UNUSED struct slice s)
{
	return false;
}

static void open_all(void)
{
	static char value[VALUE_BYTES];
	struct sizes sizes = sizes_of(16 * MIB, 0);
	struct rocks_options o = { .path = dir, .sizes = &sizes, .is_stale = never_stale };
	fresh_dir();
	must(rocks_open(&o, &rocks) == ERR_NONE);
	struct rocks_batch *batch = rocks_batch_new();
	for (uint64_t id = 1; id <= IDS; id++) {
		struct rocks_id key = rocks_id_of(id);
		struct slice part = slice_of(value, sizeof(value));
		rocks_batch_put(batch, rocks, ROCKS_BODY, KEY_SLICE(key), &part, 1);
		must(rocks_write(rocks, batch, ROCKS_UNLOGGED) == ERR_NONE);
		/* Out of memory, and sorted in: what is not yet is not deleted. */
		rocksdb_compact_range_cf(rocks->db, rocks->families[ROCKS_BODY], key.bytes,
		    sizeof(key.bytes), key.bytes, sizeof(key.bytes));
	}
	rocks_batch_free(&batch);
}

/* The ids that are in files, as bits. */
static unsigned there(void)
{
	unsigned bits = 0;
	size_t count;
	struct rocks_file *files = rocks_files(rocks, &count);
	for (size_t i = 0; i < count; i++) {
		CU_ASSERT_EQUAL(files[i].first_id, files[i].last_id);
		CU_ASSERT(files[i].bytes > VALUE_BYTES);
		bits |= 1u << files[i].last_id;
	}
	free(files);
	return bits;
}

/* The end itself stays, also where it is all of a file. */
static void test_delete(void)
{
	role_worker();
	open_all();
	CU_ASSERT_EQUAL(there(), 0x7e);
	CU_ASSERT_EQUAL(rocks_delete_files(rocks, ROCKS_BODY, 0, 0), ERR_NONE);
	CU_ASSERT_EQUAL(rocks_delete_files(rocks, ROCKS_BODY, 0, 1), ERR_NONE);
	CU_ASSERT_EQUAL(there(), 0x7e);
	CU_ASSERT_EQUAL(rocks_delete_files(rocks, ROCKS_BODY, 0, 3), ERR_NONE);
	CU_ASSERT_EQUAL(there(), 0x78);
	CU_ASSERT_EQUAL(rocks_delete_files(rocks, ROCKS_BODY, 4, 6), ERR_NONE);
	CU_ASSERT_EQUAL(there(), 0x48);
	CU_ASSERT_EQUAL(rocks_delete_files(rocks, ROCKS_BODY, 4, 4), ERR_NONE);
	CU_ASSERT_EQUAL(there(), 0x48);
	rocks_close(&rocks);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "deleting files", test_delete },
		CU_TEST_INFO_NULL,
	};
	return run_store_tests("tier/rocks_files", tests);
}
