/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/tree.c"

#include <CUnit/Basic.h>

static struct arena arena;
static struct problems problems;

static struct conf_source source_of(const char *text)
{
	return (struct conf_source){ SL("t"), slice_str(text), false };
}

static struct node *read_text(const struct conf_source *source)
{
	arena_fini(&arena);
	arena_init(&arena, 64 * MIB);
	problems_init(&problems, &arena);
	return tree_read(source, &arena, &problems);
}

static bool told(const char *want)
{
	struct buf out;
	buf_init(&out, 0);
	problems_write(&problems, &out);
	bool same = slice_eq(buf_slice(&out), slice_str(want));
	if (!same)
		printf("\n  got  %.*s\n  want %s\n", SLICE_ARG(buf_slice(&out)), want);
	buf_fini(&out);
	return same;
}

static void test_shape(void)
{
	struct conf_source source = source_of("a: 1\nb:\n  - x\n  - {c: \"\"}\nd:\ne: ~\n");
	struct node *root = read_text(&source);
	CU_ASSERT_PTR_NOT_NULL_FATAL(root);
	const struct node *a = node_child(root, SL("a")), *b = node_child(root, SL("b"));
	CU_ASSERT(a->kind == NODE_SCALAR && slice_eq(a->text, SL("1")));
	CU_ASSERT(a->at.line == 1 && a->at.column == 4 && a->key_at.column == 1);
	CU_ASSERT(b->kind == NODE_LIST && node_count(b) == 2 && !b->is_flow);
	const struct node *item = node_item(b, 1), *c = node_child(item, SL("c"));
	CU_ASSERT(c->kind == NODE_SCALAR && c->text.len == 0 && c->at.line == 4);
	CU_ASSERT(item && item->is_flow);
	CU_ASSERT_EQUAL(node_child(root, SL("d"))->kind, NODE_NULL);
	CU_ASSERT_EQUAL(node_child(root, SL("e"))->kind, NODE_NULL);
	CU_ASSERT_PTR_NULL(node_child(root, SL("f")));
	CU_ASSERT_PTR_NULL(node_item(b, 2));
	CU_ASSERT_EQUAL(problems.count, 0);
}

static void test_refused(void)
{
	static const struct {
		const char *text, *want;
		bool broken;
	} rows[] = {
		{ "a: 1\n\tb: 2\n",
		    "t:2:1: a tab indents this line; YAML is indented with spaces\n", true },
		{ "a: [1\n",
		    "t:2:1: not YAML: did not find expected ',' or ']'; seen while parsing a "
		    "flow sequence that begins in line 1\n",
		    true },
		{ "a: 'x",
		    "t:1:6: not YAML: found unexpected end of stream; seen while scanning a "
		    "quoted scalar that begins in line 1\n",
		    true },
		{ "\xff",
		    "t:1:1: invalid leading UTF-8 octet; write UTF-8 without control "
		    "characters\n",
		    true },
		{ "a: 1\nb: \x01\n",
		    "t:2:4: control characters are not allowed; write UTF-8 without "
		    "control characters\n",
		    true },
		{ "a: &x 1\n", "t:1:4: anchors are refused; write the value where it is used\n",
		    false },
		{ "a: *x\n", "t:1:4: aliases are refused; write the value where it is used\n",
		    true },
		{ "a: !!str 1\n", "t:1:4: tags are refused; write the plain value\n", false },
		{ "a: 1\n---\nb: 2\n", "t:2:1: a second document begins\n", true },
		{ "[a]: 1\n", "t:1:1: a key must be a word\n", true },
		{ "a: 1\nb: 2\na: 3\n", "t:3:1: key \"a\" a second time; the first is in line 1\n",
		    false },
		{ "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "t:1:17: nested too deeply\n", true },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct conf_source source = source_of(rows[i].text);
		CU_ASSERT_EQUAL(read_text(&source) == NULL, rows[i].broken);
		CU_ASSERT(told(rows[i].want));
	}
}

static void test_bounds(void)
{
	struct buf text;
	buf_init(&text, 0);
	while (text.len <= TREE_TEXT_BYTES)
		buf_add(&text, SL("# filler\n"));
	struct conf_source source = { SL("t"), buf_slice(&text), false };
	CU_ASSERT_PTR_NULL(read_text(&source));
	CU_ASSERT(told("t:1:1: larger than 1048576 bytes\n"));
	buf_clear(&text);
	for (int i = 0; i <= TREE_MAP_KEYS; i++)
		buf_addf(&text, "k%d: 1\n", i);
	source.text = buf_slice(&text);
	CU_ASSERT_PTR_NULL(read_text(&source));
	CU_ASSERT(told("t:1001:1: too many keys in one map\n"));
	buf_fini(&text);
}

static void test_no_memory(void)
{
	struct conf_source source = source_of("a: [1, 2, 3]\n");
	struct arena tiny;
	arena_init(&tiny, 16);
	problems_init(&problems, &tiny);
	CU_ASSERT_PTR_NULL(tree_read(&source, &tiny, &problems));
	CU_ASSERT(tiny.overflow);
	arena_fini(&tiny);
}

static void test_merge(void)
{
	static const char *const rows[][3] = {
		{ "a: 1", "", "a: 1" },
		{ "", "a: 1", "a: 1" },
		{ "a: 1", "a: 2", "a: 2" },
		{ "a: 1", "a:", "a: 1" },
		{ "a: 1\nb: 2", "b: 3\nc: 4", "a: 1\nb: 3\nc: 4" },
		{ "a: {x: 1, y: 2}", "a: {y: 3, z: 4}", "a: {x: 1, y: 3, z: 4}" },
		{ "a: [1, 2]", "a: [3]", "a: [3]" },
		{ "a: [1, 2]", "a: {x: 1}", "a: {x: 1}" },
		{ "a:", "a: {x: 1}", "a: {x: 1}" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct conf_source base = source_of(rows[i][0]), over = source_of(rows[i][1]);
		struct conf_source want = source_of(rows[i][2]);
		struct node *tree = read_text(&base);
		CU_ASSERT_PTR_NOT_NULL_FATAL(tree);
		tree = tree_merge(tree, tree_read(&over, &arena, &problems));
		CU_ASSERT(tree_equal(tree, tree_read(&want, &arena, &problems)));
	}
}

static void test_equal(void)
{
	struct conf_source one = source_of("a: {b: [1, 2]}\n");
	struct conf_source same = source_of("a:\n  b:\n    - 1\n    - \"2\"\n");
	struct conf_source other = source_of("a: {b: [1, 2, 3]}\n");
	const struct node *tree = read_text(&one);
	CU_ASSERT(tree_equal(tree, tree_read(&same, &arena, &problems)));
	CU_ASSERT(!tree_equal(tree, tree_read(&other, &arena, &problems)));
	arena_fini(&arena);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "nodes know their places", test_shape },
		{ "what is refused", test_refused },
		{ "sizes are bounded", test_bounds },
		{ "memory is bounded", test_no_memory },
		{ "later sources lie over earlier ones", test_merge },
		{ "equal trees", test_equal },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "conf/tree", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
