/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/print.c"

#include <CUnit/Basic.h>

struct inner {
	uint64_t size;
};
struct entry {
	struct slice name;
	struct inner inner;
};
struct outer {
	struct slice text;
	struct conf_strings list, none;
	struct conf_list ttls, no_ttls, entries, no_entries, doors, files;
	struct inner inner;
};

static const struct conf_field inner_fields[] = {
	{ "size", CONF_SIZE, offsetof(struct inner, size), 1, KIB, "64", .doc = "How large." },
};
static const struct conf_table inner_table = {
	.name = "inner", .struct_bytes = sizeof(struct inner), .fields = inner_fields, .count = 1
};

static const struct conf_field entry_fields[] = {
	{ "name", CONF_STRING, offsetof(struct entry, name), .example = "x", .doc = "A name." },
	{ "inner", CONF_SECTION, offsetof(struct entry, inner), .table = &inner_table,
	    .inherits = "inner", .doc = "As above." },
};
static const struct conf_table entry_table = {
	.name = "an entry", .struct_bytes = sizeof(struct entry), .fields = entry_fields, .count = 2
};

static const struct conf_field door_fields[] = {
	{ "name", CONF_STRING, offsetof(struct entry, name), .example = "front", .doc = "A name." },
	{ "inner", CONF_SECTION, offsetof(struct entry, inner), .table = &inner_table,
	    .inherits = "inner", .doc = "As above." },
};
static const struct conf_table door_table = { .name = "a door",
	.struct_bytes = sizeof(struct entry),
	.fields = door_fields,
	.count = 2,
	.shorthand = "name" };

#define AT(member) offsetof(struct outer, member)
static const struct conf_field fields[] = {
	{ "text", CONF_STRING, AT(text), .fallback = "*",
	    .doc =
		"Long enough to be broken into two lines: a sentence of the kind that people write "
		"when they are asked to explain what a key is for." },
	{ "list", CONF_STRINGS, AT(list), .fallback = "[a, b]", .doc = "Some." },
	{ "none", CONF_STRINGS, AT(none), .fallback = "[]", .doc = "None." },
	{ "ttls", CONF_STATUS_TTLS, AT(ttls), 0, 60000, "{404: 10s}", .doc = "Times." },
	{ "no-ttls", CONF_STATUS_TTLS, AT(no_ttls), .fallback = "{}", .doc = "No times." },
	{ "inner", CONF_SECTION, AT(inner), .table = &inner_table, .doc = "Inside." },
	{ "entries", CONF_SECTIONS, AT(entries), .fallback = "[]", .table = &entry_table,
	    .doc = "Entries." },
	{ "no-entries", CONF_SECTIONS, AT(no_entries), .table = &entry_table, .doc = "More." },
	{ "doors", CONF_SECTIONS, AT(doors), .fallback = "[front]", .table = &door_table,
	    .doc = "Doors." },
	{ "files", CONF_SECTIONS, AT(files), .fallback = "[]", .example = "[{size: 9}]",
	    .table = &inner_table, .doc = "Files." },
};
static const struct conf_table table = { .name = "file",
	.struct_bytes = sizeof(struct outer),
	.fields = fields,
	.count = COUNT_OF(fields) };

static bool says(struct buf *got, const char *want)
{
	bool same = slice_eq(buf_slice(got), slice_str(want));
	if (!same)
		printf("\n  got  %.*s\n  want %s\n", SLICE_ARG(buf_slice(got)), want);
	buf_fini(got);
	return same;
}

static void test_commented(void)
{
	struct buf out;
	buf_init(&out, 0);
	conf_print_commented(&out, &table, "Head.\n\nMore.\n");
	CU_ASSERT(says(&out,
	    "# Head.\n"
	    "#\n"
	    "# More.\n"
	    "\n"
	    "# Long enough to be broken into two lines: a sentence of the kind that people write "
	    "when they are\n"
	    "# asked to explain what a key is for.\n"
	    "text: \"*\"\n"
	    "\n"
	    "# Some.\n"
	    "list: [a, b]\n"
	    "\n"
	    "# None.\n"
	    "none: []\n"
	    "\n"
	    "# Times. Takes a map of statuses to durations of 0 to 1m.\n"
	    "ttls: {404: 10s}\n"
	    "\n"
	    "# No times. Takes a map of statuses to durations.\n"
	    "no-ttls: {}\n"
	    "\n"
	    "# Inside.\n"
	    "inner:\n"
	    "  # How large. Takes a size from 1 to 1k.\n"
	    "  size: 64\n"
	    "\n"
	    "# Entries. Default: []; what stands here is an example.\n"
	    "entries:\n"
	    "  # A name. Required.\n"
	    "  - name: x\n"
	    "\n"
	    "    # As above.\n"
	    "    inner: {}\n"
	    "\n"
	    "# More. Required.\n"
	    "no-entries:\n"
	    "  # A name. Required.\n"
	    "  - name: x\n"
	    "\n"
	    "    # As above.\n"
	    "    inner: {}\n"
	    "\n"
	    "# Doors. An entry that is one value is its \"name\". Default: [front], which stands here "
	    "in full.\n"
	    "doors:\n"
	    "  # A name. Required.\n"
	    "  - name: front\n"
	    "\n"
	    "    # As above.\n"
	    "    inner: {}\n"
	    "\n"
	    "# Files. For example: [{size: 9}]. Of an entry:\n"
	    "# - size: How large. Default: 64.\n"
	    "files: []\n"));
}

static void test_dump(void)
{
	struct slice list[] = { SL("http://a:1"), SL("b c") };
	struct status_ttl ttls[] = { { 404, 10000 }, { 410, 0 } };
	struct entry entries[] = { { SL("one"), { 1024 } }, { SL(""), { 1 } } };
	const struct outer filled = {
		.text = SL("${x}"),
		.list = { list, 2 },
		.ttls = { ttls, 2 },
		.entries = { entries, 2 },
		.doors = { entries, 1 },
		.inner = { 64 },
	};
	struct buf out;
	buf_init(&out, 0);
	conf_dump(&out, &table, &filled);
	CU_ASSERT(says(&out,
	    "text: \"$${x}\"\n"
	    "list:\n"
	    "  - http://a:1\n"
	    "  - \"b c\"\n"
	    "none: []\n"
	    "ttls:\n"
	    "  404: 10s\n"
	    "  410: 0\n"
	    "no-ttls: {}\n"
	    "inner:\n"
	    "  size: 64\n"
	    "entries:\n"
	    "  - name: one\n"
	    "    inner:\n"
	    "      size: 1k\n"
	    "  - name: \"\"\n"
	    "    inner:\n"
	    "      size: 1\n"
	    "no-entries: []\n"
	    "doors:\n"
	    "  - name: one\n"
	    "    inner:\n"
	    "      size: 1k\n"
	    "files: []\n"));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "a commented file", test_commented },
		{ "what is in force", test_dump },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "conf/print", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
