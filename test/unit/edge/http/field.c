/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/field.c"

#include "test/unit/edge/http/kit.h"

static void test_ids(void)
{
	for (enum field_id id = FIELD_OTHER + 1; id < FIELD_ID_COUNT; id++) {
		char upper[64];
		struct slice name = field_name(id);
		for (size_t i = 0; i < name.len; i++)
			upper[i] = name.at[i] >= 'a' && name.at[i] <= 'z' ? (char)(name.at[i] - 32)
									  : name.at[i];
		CHECK(name.at, field_id_of(name) == id);
		CHECK(name.at, field_id_of(slice_of(upper, name.len)) == id);
		CHECK(name.at, field_id_of(slice_first(name, name.len - 1)) != id);
	}
	CU_ASSERT_EQUAL(field_id_of(SL("")), FIELD_OTHER);
	CU_ASSERT_EQUAL(field_id_of(SL("X-Test")), FIELD_OTHER);
	CU_ASSERT_EQUAL(field_id_of(SL("\xff\xfe\xff")), FIELD_OTHER);
}

static void test_lines(void)
{
	struct fields f = kit_fields("Foo: 1\nVary: a\nfoo: 2\nBar: x\nVary: b\nVARY:\n");
	CU_ASSERT_EQUAL(fields_count(&f, FIELD_VARY), 3);
	CHECK_SLICE("joined", fields_join(&f, &arena, FIELD_VARY), "a, b, ");
	CHECK_SLICE("joined", fields_join_name(&f, &arena, SL("FOO")), "1, 2");
	CHECK_SLICE("alone", fields_join_name(&f, &arena, SL("bar")), "x");
	CU_ASSERT_PTR_NULL(fields_join(&f, &arena, FIELD_AGE).at);
	CU_ASSERT_PTR_NULL(fields_find_name(&f, SL("fooo")));
	CU_ASSERT_PTR_NULL(fields_value(&f, FIELD_AGE).at);
	fields_remove_name(&f, SL("fOO"));
	fields_remove(&f, FIELD_VARY);
	CU_ASSERT_EQUAL(f.count, 1);
	CHECK_SLICE("left", f.at[0].name, "Bar");
}

static void test_growth(void)
{
	struct fields f = { .count = 0 }, copy = f;
	for (unsigned i = 0; i < 1000; i++)
		CU_ASSERT_TRUE(fields_put(&f, &arena, FIELD_VIA, SL("x")));
	CU_ASSERT_TRUE(fields_clone(&copy, &arena, &f));
	fields_remove(&f, FIELD_VIA);
	CU_ASSERT_EQUAL(f.count, 0);
	CU_ASSERT_EQUAL(fields_count(&copy, FIELD_VIA), 1000);
	struct arena small;
	arena_init(&small, 1);
	f = (struct fields){ .count = 0 };
	CU_ASSERT_FALSE(fields_put(&f, &small, FIELD_VIA, SL("x")));
	CU_ASSERT_FALSE(fields_clone(&copy, &small, &copy));
	arena_fini(&small);
}

static void test_hop(void)
{
	static const struct {
		const char *name, *before, *after;
	} rows[] = {
		{ "RFC 9110 7.6.1: what Connection names", "A: 1\nConnection: a, B\nb: 2\nC: 3\n",
		    "C" },
		{ "several lines", "Connection: a\nA: 1\nConnection: b\nB: 1\nC: 1\n", "C" },
		{ "the hop-by-hop ones", "TE: x\nC: 1\nUpgrade: x\nTransfer-Encoding: chunked\n",
		    "C" },
		{ "never an end-to-end field", "Connection: host, cache-control\nHost: h\n",
		    "Host" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fields f = kit_fields(rows[i].before);
		fields_strip_hop(&f);
		CHECK(rows[i].name, f.count == 1);
		CHECK_SLICE(rows[i].name, f.at[0].name, rows[i].after);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "names", test_ids },
		{ "lines", test_lines },
		{ "growth", test_growth },
		{ "hop by hop", test_hop },
		CU_TEST_INFO_NULL,
	};
	return kit_run("http/field", tests);
}
