/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/expr.c"

#include "test/unit/edge/http/kit.h"

/* ---- by hand ---- */

static size_t ids_of(const char *words, uint64_t *ids)
{
	struct slice rest = slice_str(words);
	size_t count = 0;
	while (rest.len > 0)
		ids[count++] = scope_tag_id(slice_take_until(&rest, ' '));
	qsort(ids, count, sizeof(*ids), compare);
	return count;
}

static bool matches(const char *text, const char *tags)
{
	struct expr *e;
	struct expr_problem problem;
	uint64_t ids[16];
	CU_ASSERT_EQUAL_FATAL(expr_parse(slice_str(text), &e, &problem), ERR_NONE);
	bool answer = expr_matches(e, ids, ids_of(tags, ids));
	CU_ASSERT_EQUAL(expr_matches_untagged(e), expr_matches(e, ids, 0));
	expr_free(&e);
	CU_ASSERT_PTR_NULL(e);
	return answer;
}

static void test_meaning(void)
{
	CU_ASSERT(matches("a", "a"));
	CU_ASSERT(matches("a", "x a y"));
	CU_ASSERT(!matches("a", "b"));
	CU_ASSERT(!matches("a", ""));
	CU_ASSERT(matches("Product-1", "product-1"));
	CU_ASSERT(matches("NOT a", ""));
	CU_ASSERT(!matches("not a", "a b"));
	CU_ASSERT(matches("nOt Not a", "a"));
	CU_ASSERT(matches("a aNd b", "b a"));
	CU_ASSERT(!matches("a AND b", "a"));
	CU_ASSERT(matches("a oR b", "b"));
	CU_ASSERT(matches("a AND NOT (b OR c)", "a d"));
	CU_ASSERT(!matches("a AND NOT (b OR c)", "a c"));
}

static void test_precedence(void)
{
	CU_ASSERT(matches("a OR b AND c", "a"));
	CU_ASSERT(matches("c AND b OR a", "a"));
	CU_ASSERT(!matches("(a OR b) AND c", "a"));
	CU_ASSERT(!matches("NOT a AND b", "a"));
	CU_ASSERT(matches("NOT a OR b", "a b"));
	CU_ASSERT(!matches("NOT (a OR b)", "a b"));
	CU_ASSERT(!matches("NOT a AND b", ""));
	CU_ASSERT(matches("NOT (a AND b)", ""));
}

static void test_names(void)
{
	CU_ASSERT(matches("\"AND\" and \"not\"", "and not"));
	CU_ASSERT(matches("\"a\"", "a"));
	CU_ASSERT(matches("android OR nothing", "android"));
	CU_ASSERT(matches("\"a\"OR(b)", "b"));
	CU_ASSERT(matches("NOT(NOT\"b\")", "b"));
	CU_ASSERT(matches("\"q\\\"\\\\'()\"", "q\"\\'()"));
	CU_ASSERT(matches("a\\b", "a\\b"));
	CU_ASSERT(matches("\r\n\ta\r\n", "a"));
	CU_ASSERT(matches("\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"));
	uint64_t spaced = scope_tag_id(SL("two words"));
	struct expr *e;
	struct expr_problem problem;
	CU_ASSERT_EQUAL_FATAL(expr_parse(SL("\"Two words\""), &e, &problem), ERR_NONE);
	CU_ASSERT(expr_matches(e, &spaced, 1));
	expr_free(&e);
}

static void test_printing(void)
{
	static const struct {
		const char *text, *printed;
	} rows[] = {
		{ "a", "a" },
		{ "((a))", "a" },
		{ "a and not(b or c)", "a AND NOT (b OR c)" },
		{ "(a AND b) OR c", "a AND b OR c" },
		{ "a AND (b AND c)", "a AND b AND c" },
		{ "(a OR b) AND (c OR d)", "(a OR b) AND (c OR d)" },
		{ "not not a", "NOT NOT a" },
		{ "NOT (NOT a AND b)", "NOT (NOT a AND b)" },
		{ "\"x\" OR \"or\" OR \"x y\"", "x OR \"or\" OR \"x y\"" },
		{ "\"\\\\\" OR \"\\\\ \\\"\"", "\\ OR \"\\\\ \\\"\"" },
		{ "\"it's\"", "\"it's\"" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct expr *e;
		struct expr_problem problem;
		struct buf to;
		buf_init(&to, 0);
		CU_ASSERT_EQUAL_FATAL(expr_parse(slice_str(rows[i].text), &e, &problem), ERR_NONE);
		expr_print(e, &to);
		CHECK_SLICE(rows[i].text, buf_slice(&to), rows[i].printed);
		buf_fini(&to);
		expr_free(&e);
	}
}

static void check_refused(struct slice text, size_t at, const char *why)
{
	struct expr *e = NULL;
	struct expr_problem problem = { 0, "" };
	char row[80];
	snprintf(row, sizeof(row), "%.*s", (int)min_size(text.len, 60), text.at);
	CHECK(row, expr_parse(text, &e, &problem) == ERR_BAD_PATTERN);
	CHECK(row, e == NULL);
	CHECK_SLICE(row, slice_str(problem.why), why);
	CHECK(row, problem.at == at);
}

static void test_problems(void)
{
	static const char operand[] = "expected a tag, NOT or '('";
	check_refused(SL(""), 0, operand);
	check_refused(SLICE_NONE, 0, operand);
	check_refused(SL("  "), 2, operand);
	check_refused(SL("a AND"), 5, operand);
	check_refused(SL("AND a"), 0, operand);
	check_refused(SL("a OR AND b"), 5, operand);
	check_refused(SL("()"), 1, operand);
	check_refused(SL("NOT"), 3, operand);
	check_refused(SL("a b"), 2, "expected AND or OR between two tags");
	check_refused(SL("a\"b\""), 1, "expected AND or OR between two tags");
	check_refused(SL("a NOT b"), 2, "expected AND or OR");
	check_refused(SL("a(b)"), 1, "expected AND or OR");
	check_refused(SL("(a"), 2, "expected ')'");
	check_refused(SL("a)"), 1, "')' without '('");
	check_refused(SL("a AND \"b"), 6, "a quote that is not closed");
	check_refused(SL("\"b\\\""), 0, "a quote that is not closed");
	check_refused(SL("\"b\\"), 2, "a backslash before neither \" nor \\");
	check_refused(SL("\"b\\n\""), 2, "a backslash before neither \" nor \\");
	check_refused(SL("a OR \"\""), 5, "a tag without a name");
	check_refused(SL("'a'"), 0, "a single quote: a tag is quoted with double ones");
	check_refused(SL("a\0b"), 1, "a control byte in a tag");
	check_refused(SL("\"a\nb\""), 2, "a control byte in a tag");
	check_refused(SL("\x7f"), 0, "a control byte in a tag");
}

/* ---- bounds ---- */

static struct slice repeated(struct buf *b, const char *first, const char *more, size_t count)
{
	buf_clear(b);
	buf_add(b, slice_str(first));
	while (count-- > 0)
		buf_add(b, slice_str(more));
	return buf_slice(b);
}

static struct slice nested(struct buf *b, const char *opening)
{
	repeated(b, "a OR a AND ", opening, EXPR_NESTING);
	buf_add_char(b, 'a');
	for (int i = 0; i < EXPR_NESTING; i++)
		buf_add_char(b, ')');
	return buf_slice(b);
}

static void check_taken(struct slice text)
{
	struct expr *e, *again;
	struct expr_problem problem;
	struct buf to;
	buf_init(&to, 0);
	CU_ASSERT_EQUAL_FATAL(expr_parse(text, &e, &problem), ERR_NONE);
	expr_print(e, &to);
	CU_ASSERT(to.len <= EXPR_TEXT);
	CU_ASSERT_EQUAL_FATAL(expr_parse(buf_slice(&to), &again, &problem), ERR_NONE);
	CU_ASSERT_EQUAL(e->count, again->count);
	CU_ASSERT_EQUAL(expr_matches_untagged(e), expr_matches_untagged(again));
	buf_fini(&to);
	expr_free(&e);
	expr_free(&again);
}

static void test_bounds(void)
{
	struct buf b;
	buf_init(&b, 0);
	check_taken(repeated(&b, "a OR a", " AND a", 126));
	check_taken(repeated(&b, "NOT a", " AND a", 127));
	check_refused(repeated(&b, "NOT NOT a", " AND a", 127), 770, many_nodes);
	check_refused(repeated(&b, "a", " AND a", 128), 768, many_nodes);
	check_refused(repeated(&b, "", "NOT ", 900), 1024, many_nodes);

	check_taken(nested(&b, "(a AND "));
	check_taken(nested(&b, "(a OR NOT "));
	check_taken(nested(&b, "(a OR a AND "));
	check_refused(repeated(&b, "", "(", EXPR_NESTING + 1), EXPR_NESTING, deep);
	/* Beside each other they are not in each other. */
	check_taken(repeated(&b, "a", " OR (((a)))", 60));

	check_taken(repeated(&b, "", "a", EXPR_TEXT));
	check_refused(repeated(&b, "", "a", EXPR_TEXT + 1), EXPR_TEXT, "longer than 4096 bytes");
	repeated(&b, "\"(\"AND\"(\"OR\"", "(", EXPR_TEXT - 16);
	buf_add_char(&b, '"');
	check_refused(
	    buf_slice(&b), b.len, "longer than 4096 bytes with a space around each operator");
	repeated(&b, "\"(\"AND\"(\"OR\"", "(", EXPR_TEXT - 17);
	buf_add_char(&b, '"');
	check_taken(buf_slice(&b));
	buf_fini(&b);
}

/* ---- any expression means what a tree of the same shape says, printed or not ---- */

static uint64_t seed;

static size_t dice(size_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (size_t)(seed >> 33) % below;
}

enum { NAMES = 6, SETS = 1 << NAMES };
static const char *const names[NAMES] = { "a", "b", "\"and\"", "\"x y\"", "\"\\\"\\\\\"", "n\\o" };
static const char *const plain[NAMES] = { "A", "b", "and", "x y", "\"\\", "n\\o" };

static void space(struct buf *b, bool needed)
{
	for (size_t i = dice(3) + (needed ? 1 : 0); i > 0; i--)
		buf_add_char(b, " \t\n"[dice(3)]);
}

static void word(struct buf *b, const char *w)
{
	space(b, true);
	for (; *w; w++)
		buf_add_char(b, dice(2) ? *w : ascii_lower(*w));
	space(b, true);
}

/*
 * Writes a random expression and answers its truth table: bit s is whether it takes the tags of set
 * s. around: the operator that it is an operand of.
 */
static uint64_t random_expr(struct buf *b, int depth, enum kind around)
{
	enum kind kind = depth == 0 ? TAG : (enum kind)(OR + dice(4));
	bool wrap = kind < around || dice(6) == 0;
	uint64_t table = 0;
	if (wrap)
		buf_add(b, SL("("));
	if (kind == TAG) {
		size_t name = dice(NAMES);
		buf_add(b, slice_str(names[name]));
		for (size_t set = 0; set < SETS; set++)
			table |= (uint64_t)(set >> name & 1) << set;
	} else if (kind == NOT) {
		word(b, "NOT");
		table = ~random_expr(b, depth - 1, NOT);
	} else {
		uint64_t left = random_expr(b, depth - 1, kind);
		word(b, kind == AND ? "AND" : "OR");
		uint64_t right = random_expr(b, depth - 1, kind);
		table = kind == AND ? left & right : left | right;
	}
	if (wrap)
		buf_add(b, SL(")"));
	return table;
}

static uint64_t table_of(const struct expr *e)
{
	uint64_t table = 0;
	for (size_t set = 0; set < SETS; set++) {
		uint64_t ids[NAMES];
		size_t count = 0;
		for (size_t i = 0; i < NAMES; i++)
			if (set >> i & 1)
				ids[count++] = scope_tag_id(slice_str(plain[i]));
		qsort(ids, count, sizeof(*ids), compare);
		table |= (uint64_t)expr_matches(e, ids, count) << set;
	}
	return table;
}

static void check_same(struct slice text, uint64_t table, struct buf *to)
{
	struct expr *e;
	struct expr_problem problem;
	char row[80];
	snprintf(row, sizeof(row), "%.*s", (int)min_size(text.len, 60), text.at);
	enum err failed = expr_parse(text, &e, &problem);
	CHECK(row, failed == ERR_NONE);
	if (failed)
		return;
	CHECK(row, table_of(e) == table);
	CHECK(row, expr_matches_untagged(e) == (table & 1));
	expr_print(e, to);
	CHECK(row, to->len == printed(e->nodes, e->count));
	expr_free(&e);
}

static void test_any(void)
{
	struct buf text, once, twice;
	buf_init(&text, 0);
	buf_init(&once, 0);
	buf_init(&twice, 0);
	for (seed = 1; seed < 3000; seed++) {
		uint64_t start = seed;
		uint64_t table = random_expr(&text, 5, OR);
		check_same(buf_slice(&text), table, &once);
		check_same(buf_slice(&once), table, &twice);
		CU_ASSERT(slice_eq(buf_slice(&once), buf_slice(&twice)));
		buf_clear(&text);
		buf_clear(&once);
		buf_clear(&twice);
		seed = start;
	}
	buf_fini(&text);
	buf_fini(&once);
	buf_fini(&twice);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "meaning", test_meaning },
		{ "precedence", test_precedence },
		{ "names", test_names },
		{ "printing", test_printing },
		{ "problems", test_problems },
		{ "bounds", test_bounds },
		{ "any expression", test_any },
		CU_TEST_INFO_NULL,
	};
	return kit_run("purge/expr", tests);
}
