/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/sf.c"

#include "test/unit/edge/http/kit.h"

/* A dictionary written again in one plain way: "a=integer 1;b=token x"; "void" when it is void. */
static struct slice told(struct slice text)
{
	static const char *const kinds[] = { "integer", "decimal", "string", "token", "bytes",
		"boolean", "date", "display", "list" };
	struct sf_dictionary d;
	struct slice all = SL("");
	if (!sf_parse_dictionary(text, &arena, &d))
		return SL("void");
	for (uint32_t i = 0; i < d.count; i++) {
		const struct sf_item *v = &d.at[i].value;
		bool number = v->kind == SF_INTEGER || v->kind == SF_BOOLEAN || v->kind == SF_DATE;
		struct slice value = v->text;
		if (number)
			value = arena_printf(&arena, "%" PRId64, v->integer);
		if (v->kind == SF_DECIMAL)
			value = arena_printf(&arena, "%.3f", v->decimal);
		all = arena_printf(&arena, "%.*s%s%.*s=%s %.*s", SLICE_ARG(all), i ? ";" : "",
		    SLICE_ARG(d.at[i].key), kinds[v->kind], SLICE_ARG(value));
	}
	return all;
}

/* long: a table */
static void test_table(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "" },
		{ "  ", "" },
		/* RFC 9651 4.2.2 */
		{ "a", "a=boolean 1" },
		{ "a, b=1 ,\tc=x", "a=boolean 1;b=integer 1;c=token x" },
		{ "a=1, b=2, a=3", "a=integer 3;b=integer 2" },
		{ "a=1,", "void" },
		{ ",a=1", "void" },
		{ "a=1,,b=2", "void" },
		{ "a=1 b=2", "void" },
		{ "a =1", "void" },
		{ "a= 1", "void" },
		{ "a=", "void" },
		/* RFC 9651 4.2.3.3 */
		{ "A=1", "void" },
		{ "1a=1", "void" },
		{ "*a_-.1*=1", "*a_-.1*=integer 1" },
		{ "a=1, &&&&&", "void" },
		/* RFC 9651 4.2.4 */
		{ "a=-15", "a=integer -15" },
		{ "a=0042", "a=integer 42" },
		{ "a=999999999999999", "a=integer 999999999999999" },
		{ "a=1000000000000000", "void" },
		{ "a=1.5", "a=decimal 1.500" },
		{ "a=-0.125", "a=decimal -0.125" },
		{ "a=999999999999.999", "a=decimal 999999999999.999" },
		{ "a=1234567890123.0", "void" },
		{ "a=1.1234", "void" },
		{ "a=1.", "void" },
		{ "a=.1", "void" },
		{ "a=-", "void" },
		{ "a=--1", "void" },
		{ "a=1a", "void" },
		/* RFC 9651 4.2.5 */
		{ "a=\"x y\"", "a=string x y" },
		{ "a=\"\\\"\\\\\"", "a=string \"\\" },
		{ "a=\"\\x\"", "void" },
		{ "a=\"x", "void" },
		{ "a=\"x\\", "void" },
		{ "a=\"\xc3\xa9\"", "void" },
		{ "a=\"\t\"", "void" },
		/* RFC 9651 4.2.6 */
		{ "a=text/html:x", "a=token text/html:x" },
		{ "a=*", "a=token *" },
		{ "a='x'", "void" },
		/* RFC 9651 4.2.7 */
		{ "a=:aGVsbG8=:", "a=bytes aGVsbG8=" },
		{ "a=:aGVsbG8:", "a=bytes aGVsbG8" },
		{ "a=::", "a=bytes " },
		{ "a=:a:", "void" },
		{ "a=:a=b=:", "void" },
		{ "a=:aGVs", "void" },
		{ "a=:aG_s:", "void" },
		/* RFC 9651 4.2.8 */
		{ "a=?0, b=?1", "a=boolean 0;b=boolean 1" },
		{ "a=?2", "void" },
		{ "a=?", "void" },
		/* RFC 9651 4.2.9 */
		{ "a=@1659578233", "a=date 1659578233" },
		{ "a=@1.5", "void" },
		{ "a=@", "void" },
		/* RFC 9651 4.2.10 */
		{ "a=%\"f%c3%bc\"", "a=display f\xc3\xbc" },
		{ "a=%\"%C3%BC\"", "void" },
		{ "a=%\"%c3\"", "void" },
		{ "a=%\"%ed%a0%80\"", "void" },
		{ "a=%\"%f0%9f%98%80\"", "a=display \xf0\x9f\x98\x80" },
		{ "a=%\"%c0%80\"", "void" },
		{ "a=%\"%f4%90%80%80\"", "void" },
		{ "a=%\"%2\"", "void" },
		{ "a=%\"x", "void" },
		{ "a=%\"", "void" },
		{ "a=%", "void" },
		/* RFC 9651 4.2.1.2, 4.2.3.2 */
		{ "a=(1 \"x\" y;z=1), b", "a=list ;b=boolean 1" },
		{ "a=()", "a=list " },
		{ "a=(1", "void" },
		{ "a=(1\"x\")", "void" },
		{ "a=(1)x", "void" },
		{ "a=1;b;c=2; d=\"x\"", "a=integer 1" },
		{ "a;b=?0", "a=boolean 1" },
		{ "a=1;B", "void" },
		{ "a=1;b=", "void" },
		{ "a=1 ;b", "void" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK_SLICE(rows[i].text, told(slice_str(rows[i].text)), rows[i].want);
}

static void test_many(void)
{
	struct slice text = SL("k0=0");
	struct sf_dictionary d;
	for (int i = 1; i < 100; i++)
		text = arena_printf(&arena, "%.*s,k%d=%d", SLICE_ARG(text), i, i);
	CU_ASSERT_TRUE_FATAL(sf_parse_dictionary(text, &arena, &d));
	CU_ASSERT_EQUAL(d.count, 100);
	const struct sf_item *item = sf_get(&d, SL("k73"));
	CU_ASSERT_TRUE(item && item->integer == 73);
	CU_ASSERT_PTR_NULL(sf_get(&d, SL("k100")));
	struct arena full;
	arena_init(&full, 1);
	CU_ASSERT_FALSE(sf_parse_dictionary(text, &full, &d));
	arena_fini(&full);
}

/* A list as its items' kinds and texts: "string a;token b"; "void" when it is void. */
static struct slice told_list(struct slice text)
{
	struct sf_list list;
	struct slice all = SL("");
	if (!sf_parse_list(text, &arena, &list))
		return SL("void");
	for (uint32_t i = 0; i < list.count; i++)
		all = arena_printf(&arena, "%.*s%s%d %.*s", SLICE_ARG(all), i ? ";" : "",
		    (int)list.at[i].kind, SLICE_ARG(list.at[i].text));
	return all;
}

/* RFC 9651 4.2.1 */
static void test_lists(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "" },
		{ "  ", "" },
		{ "\"a\"", "2 a" },
		{ " \"a\" ,\t\"b \\\"c\"  ", "2 a;2 b \"c" },
		{ "\"a\";x=1;y, \"a\"", "2 a;2 a" },
		{ "a, 1, (\"b\" c);d", "3 a;0 ;8 " },
		{ "\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"",
		    "2 1;2 2;2 3;2 4;2 5;2 6;2 7;2 8;2 9" },
		{ "\"a\",", "void" },
		{ "\"a\", ,\"b\"", "void" },
		{ ",\"a\"", "void" },
		{ "\"a\" \"b\"", "void" },
		{ "\"a", "void" },
		{ "\"a\\b\"", "void" },
		{ "\"\xc3\xa4\"", "void" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK_SLICE(rows[i].text, told_list(slice_str(rows[i].text)), rows[i].want);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "lists", test_lists },
		{ "table", test_table },
		{ "many members", test_many },
		CU_TEST_INFO_NULL,
	};
	return kit_run("http/sf", tests);
}
