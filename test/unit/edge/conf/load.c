/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/load.c"

#include <CUnit/Basic.h>

/* A little configuration with a key of each kind. */
struct inner {
	uint64_t size;
	struct conf_strings tags;
};
struct entry {
	struct slice name;
	struct inner inner;
};
struct outer {
	bool flag;
	uint64_t number;
	int64_t ms;
	double share;
	int word;
	struct slice text;
	struct conf_strings list;
	struct conf_list ttls, entries, doors;
	struct inner inner, lock;
};

static const char *const words[] = { "red", "green", NULL };

static const char *check_text(struct slice s)
{
	return slice_eq(s, SL("bad")) ? "is bad; write good" : NULL;
}

static const struct conf_field inner_fields[] = {
	{ "size", CONF_SIZE, offsetof(struct inner, size), 1, KIB, "64", .doc = "" },
	{ "tags", CONF_STRINGS, offsetof(struct inner, tags), 0, 3, "[a, b]", .doc = "" },
};
static const struct conf_table inner_table = {
	.name = "inner", .struct_bytes = sizeof(struct inner), .fields = inner_fields, .count = 2
};
/* As inner, with its size alone as a plain value. */
static const struct conf_table lock_table = { .name = "lock",
	.struct_bytes = sizeof(struct inner),
	.fields = inner_fields,
	.count = 2,
	.shorthand = "size" };

static const struct conf_field entry_fields[] = {
	{ "name", CONF_STRING, offsetof(struct entry, name), .example = "x" },
	{ "inner", CONF_SECTION, offsetof(struct entry, inner), .table = &inner_table,
	    .inherits = "inner" },
};
static const char *check_entry(const void *filled)
{
	const struct entry *entry = filled;
	return slice_eq(entry->name, SL("large")) && entry->inner.size < 64
	    ? "is large and has a small size; write 64 or more"
	    : NULL;
}
static const struct conf_table entry_table = { .name = "an entry",
	.struct_bytes = sizeof(struct entry),
	.fields = entry_fields,
	.count = 2,
	.check = check_entry };

/* As an entry, with its name alone as a plain value. */
static const struct conf_table door_table = { .name = "a door",
	.struct_bytes = sizeof(struct entry),
	.fields = entry_fields,
	.count = 2,
	.shorthand = "name" };

static const struct conf_field outer_fields[] = {
	{ "flag", CONF_BOOL, offsetof(struct outer, flag), .fallback = "true" },
	{ "number", CONF_UINT, offsetof(struct outer, number), 0, 10, "3", .doc = "" },
	{ "timeout", CONF_DURATION, offsetof(struct outer, ms), .fallback = "5s" },
	{ "share", CONF_FRACTION, offsetof(struct outer, share), 0, 1000, "0.5", .doc = "" },
	{ "colour", CONF_WORD, offsetof(struct outer, word), .fallback = "green", .words = words },
	{ "text", CONF_STRING, offsetof(struct outer, text), .fallback = "t", .check = check_text },
	{ "list", CONF_STRINGS, offsetof(struct outer, list), .fallback = "[]",
	    .check = check_text },
	{ "ttls", CONF_STATUS_TTLS, offsetof(struct outer, ttls), 0, 60000, "{404: 10s}",
	    .doc = "" },
	{ "entries", CONF_SECTIONS, offsetof(struct outer, entries), 0, 2, "[]",
	    .table = &entry_table },
	{ "doors", CONF_SECTIONS, offsetof(struct outer, doors), 1, 3, "[front]",
	    .table = &door_table },
	/* After the lists whose entries inherit from it. */
	{ "inner", CONF_SECTION, offsetof(struct outer, inner), .table = &inner_table },
	{ "lock", CONF_SECTION, offsetof(struct outer, lock), .table = &lock_table },
};
static const struct conf_table outer_table = { .name = "the file",
	.struct_bytes = sizeof(struct outer),
	.fields = outer_fields,
	.count = COUNT_OF(outer_fields) };

static struct arena arena;
static struct conf_errors errors;
static struct outer got;

static bool load_sources(const struct conf_source *sources, size_t count)
{
	struct conf_load load;
	arena_fini(&arena);
	arena_init(&arena, MIB);
	conf_errors_fini(&errors);
	conf_errors_init(&errors);
	got = (struct outer){ 0 };
	conf_load_begin(&load, &arena, sources, count);
	conf_load_fill(&load, &outer_table, &got);
	return conf_load_end(&load, &errors);
}

static bool load_text(const char *text)
{
	const struct conf_source source = { SL("f"), slice_str(text), false };
	return load_sources(&source, 1);
}

static bool told(const char *want)
{
	bool same = slice_eq(buf_slice(&errors.text), slice_str(want));
	if (!same)
		printf("\n  got  %.*s\n  want %s\n", SLICE_ARG(buf_slice(&errors.text)), want);
	return same;
}

static const struct entry *entry_at(size_t i)
{
	return (const struct entry *)got.entries.at + i;
}

static void test_defaults(void)
{
	static const char *const texts[] = { "", "# nothing\n", "flag:\ninner:\nentries:\n",
		"inner: {}" };
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		CU_ASSERT(load_text(texts[i]));
		CU_ASSERT(got.flag && got.number == 3 && got.ms == 5000 && got.word == 1);
		CU_ASSERT(got.share > 0.49 && got.share < 0.51);
		CU_ASSERT(slice_eq(got.text, SL("t")));
		CU_ASSERT_EQUAL(got.list.count, 0);
		CU_ASSERT_EQUAL(got.ttls.count, 1);
		const struct status_ttl *ttl = got.ttls.at;
		CU_ASSERT(ttl->status == 404 && ttl->ttl_ms == 10000);
		CU_ASSERT(got.inner.size == 64 && got.inner.tags.count == 2);
		CU_ASSERT_EQUAL(got.entries.count, 0);
	}
	CU_ASSERT(load_sources(NULL, 0));
	CU_ASSERT_EQUAL(got.number, 3);
}

static void test_values(void)
{
	CU_ASSERT(load_text("flag: false\nnumber: \"7\"\ntimeout: 250ms\nshare: 0.25\ncolour: red\n"
			    "text: \"\"\nlist: [x, \"y z\"]\nttls: {200: 1s, 599: off}\n"
			    "inner: {size: 1k}\n"));
	CU_ASSERT(!got.flag && got.number == 7 && got.ms == 250 && got.word == 0);
	CU_ASSERT(got.text.len == 0 && got.list.count == 2);
	CU_ASSERT(slice_eq(got.list.at[1], SL("y z")));
	CU_ASSERT_EQUAL(got.ttls.count, 2);
	CU_ASSERT(got.inner.size == 1024 && got.inner.tags.count == 2);
}

/* A list entry's section starts as a copy of the root's, list by list and key by key. */
static void test_inherits(void)
{
	CU_ASSERT(load_text("entries:\n"
			    "  - name: same\n"
			    "  - name: own\n"
			    "    inner: {tags: [c]}\n"
			    "inner: {size: 128}\n"));
	CU_ASSERT_EQUAL_FATAL(got.entries.count, 2);
	CU_ASSERT(entry_at(0)->inner.size == 128 && entry_at(0)->inner.tags.count == 2);
	CU_ASSERT(entry_at(1)->inner.size == 128 && entry_at(1)->inner.tags.count == 1);
	CU_ASSERT(slice_eq(entry_at(1)->inner.tags.at[0], SL("c")));
}

static const struct entry *door_at(size_t i)
{
	return (const struct entry *)got.doors.at + i;
}

/* A plain value among maps is a map with the one key that its table names. */
static void test_shorthand(void)
{
	CU_ASSERT(load_text(""));
	CU_ASSERT_EQUAL_FATAL(got.doors.count, 1);
	CU_ASSERT(slice_eq(door_at(0)->name, SL("front")) && door_at(0)->inner.size == 64);
	setenv("UNIT_DOOR", "side", 1);
	CU_ASSERT(load_text("doors: [back, {name: cellar, inner: {size: 9}}, \"${UNIT_DOOR}\"]\n"
			    "inner: {size: 7}\n"));
	CU_ASSERT_EQUAL_FATAL(got.doors.count, 3);
	CU_ASSERT(slice_eq(door_at(0)->name, SL("back")) && door_at(0)->inner.size == 7);
	CU_ASSERT(slice_eq(door_at(1)->name, SL("cellar")) && door_at(1)->inner.size == 9);
	CU_ASSERT(slice_eq(door_at(2)->name, SL("side")) && door_at(2)->inner.size == 7);
	/* A section, too; what a flag says of one key leaves the others. */
	CU_ASSERT(load_text("lock: 5\n"));
	CU_ASSERT_EQUAL(got.lock.size, 5);
	CU_ASSERT_EQUAL(got.lock.tags.count, 2);
	const struct conf_source sources[] = {
		{ SL("a"), SL("lock: {size: 5, tags: []}\n"), false },
		{ SL("--lock"), SL("lock: {size: 6}\n"), true },
	};
	CU_ASSERT(load_sources(sources, COUNT_OF(sources)));
	CU_ASSERT_EQUAL(got.lock.size, 6);
	CU_ASSERT_EQUAL(got.lock.tags.count, 0);
	CU_ASSERT_FALSE(load_text("lock: [5]\n"));
	CU_ASSERT_FALSE(load_text("lock: much\n"));
}

static void test_merge(void)
{
	const struct conf_source sources[] = {
		{ SL("a"), SL("number: 1\ninner: {size: 2}\nlist: [x, y]\ndoors: [x, y]\n"),
		    false },
		{ SL("b"), SL("inner: {tags: []}\nlist: [z]\ndoors: [{name: z}]\n"), false },
		{ SL("--number"), SL("number: 4\n"), true },
	};
	CU_ASSERT(load_sources(sources, COUNT_OF(sources)));
	CU_ASSERT(got.number == 4 && got.inner.size == 2 && got.inner.tags.count == 0);
	CU_ASSERT(got.list.count == 1 && slice_eq(got.list.at[0], SL("z")));
	CU_ASSERT(got.doors.count == 1 && slice_eq(door_at(0)->name, SL("z")));
}

static void test_errors(void)
{
	static const char *const rows[][2] = {
		{ "nmuber: 4", "f:1:1: unknown key \"nmuber\"; did you mean \"number\"?\n" },
		{ "inner:\n  zzzz: 1", "f:2:3: unknown key \"zzzz\"; inner has size, tags\n" },
		{ "number: 11", "f:1:9: \"11\" is out of range; write 0 to 10\n" },
		{ "timeout: 5",
		    "f:1:10: \"5\" is not a duration; write 250ms, 5s, 5m, 1h, 7d or off\n" },
		{ "number: [1]", "f:1:9: \"number\" takes a number from 0 to 10, not a list\n" },
		{ "list: x", "f:1:7: \"list\" takes a list of strings, not a single value\n" },
		{ "list: [[]]", "f:1:8: \"list\" takes a string, not a list\n" },
		{ "list: [~]", "f:1:8: \"list\" takes a string, not nothing\n" },
		{ "inner: 5", "f:1:8: inner is a map of keys\n" },
		{ "inner: {tags: [a, b, c, d]}", "f:1:15: \"tags\" takes 0 to 3 entries, not 4\n" },
		{ "ttls: {ok: 1s}", "f:1:8: \"ok\" is not a status; write 200 to 599\n" },
		{ "ttls: {404: 2m}", "f:1:13: \"2m\" is out of range; write 0 to 1m\n" },
		{ "text: bad", "f:1:7: \"bad\" is bad; write good\n" },
		{ "text: \"a\\nb\"", "f:1:7: \"a?b\" has a control character\n" },
		{ "entries: [{}]",
		    "f:1:11: an entry needs the key \"name\"; for example name: x\n" },
		{ "entries: [{name: a, inner: {size: 0}}]",
		    "f:1:35: \"0\" is out of range; write 1 to 1k\n" },
		{ "entries: [a]", "f:1:11: an entry is a map of keys\n" },
		{ "entries:\n  - {name: large, inner: {size: 64}}\n  - {name: large}\n"
		  "inner: {size: 63}",
		    "f:3:5: an entry is large and has a small size; write 64 or more\n" },
		{ "entries: [{name: large, inner: {size: 2k}}]\ninner: {size: 1}",
		    "f:1:39: \"2k\" is out of range; write 1 to 1k\n" },
		{ "doors: a",
		    "f:1:8: \"doors\" takes a list of values or maps, not a single value\n" },
		{ "doors: [[a]]", "f:1:9: a door is a map of keys, or its \"name\" alone\n" },
		{ "doors: [~]", "f:1:9: a door needs the key \"name\"; for example name: x\n" },
		{ "doors: [a, \"b\\n\"]", "f:1:12: \"b?\" has a control character\n" },
		{ "text: ${UNIT_NONE}",
		    "f:1:7: environment variable \"UNIT_NONE\" is not set; set it, "
		    "or write $${ for a plain ${\n" },
		{ "text: ${",
		    "f:1:7: \"${\" without a name and \"}\"; write ${NAME}, or $${ for a "
		    "plain ${\n" },
		{ "[]", "f:1:1: a configuration is a map of keys\n" },
		{ "flag: maybe\nnumber: x\nflag: true",
		    "f:1:7: \"maybe\" is not a switch; write true or false\n"
		    "f:2:9: \"x\" is not a number; write 0, 12 or 3000\n"
		    "f:3:1: key \"flag\" a second time; the first is in line 1\n" },
	};
	unsetenv("UNIT_NONE");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		CU_ASSERT(!load_text(rows[i][0]));
		CU_ASSERT(told(rows[i][1]));
	}
}

static void test_flag_errors(void)
{
	const struct conf_source sources[] = {
		{ SL("f"), SL("share: 2\n"), false },
		{ SL("--number"), SL("number: 11\n"), true },
	};
	CU_ASSERT(!load_sources(sources, COUNT_OF(sources)));
	CU_ASSERT(told("f:1:8: \"2\" is out of range; write 0 to 1\n"
		       "--number: \"11\" is out of range; write 0 to 10\n"));
	CU_ASSERT_EQUAL(errors.count, 2);
}

static void test_variables(void)
{
	setenv("UNIT_TEXT", "a: [b", 1);
	setenv("UNIT_NUMBER", "9", 1);
	CU_ASSERT(load_text("text: ${UNIT_TEXT}\nnumber: ${UNIT_NUMBER}\nlist: [\"$${x}\"]\n"));
	CU_ASSERT(slice_eq(got.text, SL("a: [b")));
	CU_ASSERT_EQUAL(got.number, 9);
	CU_ASSERT(slice_eq(got.list.at[0], SL("${x}")));
}

/* A problem of the owner's stands at the nearest thing that the text names. */
static void test_own_problems(void)
{
	static const char text[] = "entries:\n  - name: a\n  - name: b\n"
				   "doors: [x]\n"
				   "inner: {size: 7}\n";
	const struct conf_source source = { SL("f"), slice_str(text), false };
	struct conf_load load;
	arena_fini(&arena);
	arena_init(&arena, MIB);
	conf_errors_fini(&errors);
	conf_errors_init(&errors);
	conf_load_begin(&load, &arena, &source, 1);
	conf_load_fill(&load, &outer_table, &got);
	conf_problem(&load, (struct conf_path){ "entries", 1, "name" }, "key of %s", "entry");
	conf_problem(&load, (struct conf_path){ "entries", 0, NULL }, "entry");
	conf_problem(&load, (struct conf_path){ "entries", 0, "inner" }, "no such key");
	conf_problem(&load, (struct conf_path){ "entries", 9, NULL }, "no such entry");
	conf_problem(&load, (struct conf_path){ "list", 0, NULL }, "no such section");
	conf_problem(&load, (struct conf_path){ "doors", 0, "name" }, "a plain value");
	conf_problem(&load, (struct conf_path){ "inner", 0, NULL }, "map");
	conf_problem(&load, (struct conf_path){ "inner", 0, "size" }, "key of a map");
	conf_problem(&load, (struct conf_path){ "inner", 0, "tags" }, "no such key of a map");
	CU_ASSERT(!conf_load_end(&load, &errors));
	CU_ASSERT(told("f:1:1: no such section\n"
		       "f:2:3: no such entry\n"
		       "f:2:5: entry\n"
		       "f:2:5: no such key\n"
		       "f:3:11: key of entry\n"
		       "f:4:9: a plain value\n"
		       "f:5:8: map\n"
		       "f:5:8: no such key of a map\n"
		       "f:5:15: key of a map\n"));
}

static void test_no_memory(void)
{
	const struct conf_source source = { SL("f"), SL("list: [a, b]\n"), false };
	struct conf_load load;
	struct arena tiny;
	arena_init(&tiny, 8);
	got = (struct outer){ 0 };
	conf_errors_fini(&errors);
	conf_errors_init(&errors);
	conf_load_begin(&load, &tiny, &source, 1);
	conf_load_fill(&load, &outer_table, &got);
	CU_ASSERT(!conf_load_end(&load, &errors));
	CU_ASSERT(told("the configuration is too large\n"));
	arena_fini(&tiny);
	arena_fini(&arena);
	conf_errors_fini(&errors);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "defaults", test_defaults },
		{ "values of each kind", test_values },
		{ "sections that inherit", test_inherits },
		{ "entries that are plain values", test_shorthand },
		{ "sources lie over each other", test_merge },
		{ "errors and their hints", test_errors },
		{ "errors of flags", test_flag_errors },
		{ "variables", test_variables },
		{ "problems of the owner's", test_own_problems },
		{ "memory is bounded", test_no_memory },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "conf/load", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
