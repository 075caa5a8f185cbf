/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/vary.c"

#include "test/unit/edge/http/kit.h"

static void test_spec(void)
{
	static const struct {
		const char *fields, *want; /* "*": VARY_STAR; NULL: VARY_NO */
	} rows[] = {
		/* RFC 9111 4.1 */
		{ "A: 1\n", NULL },
		{ "Vary:\n", NULL },
		{ "Vary: ,\n", NULL },
		{ "Vary: Foo\n", "foo" },
		{ "Vary: Foo, Bar,foo\nVary: BAZ\n", "bar,baz,foo" },
		{ "Vary: *\n", "*" },
		{ "Vary: *, *\n", "*" },
		{ "Vary: , *\n", "*" },
		{ "Vary: *, Foo\n", "*" },
		{ "Vary: Foo, *\n", "*" },
		{ "Vary:\nVary: *\n", "*" },
		{ "Vary: *\nVary: *\n", "*" },
		{ "Vary: Foo Bar\n", "*" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fields f = kit_fields(rows[i].fields);
		struct slice spec = SL("*");
		enum vary_outcome outcome = vary_spec(&f, &arena, &spec);
		enum vary_outcome want = !rows[i].want ? VARY_NO
		    : strcmp(rows[i].want, "*") == 0   ? VARY_STAR
						       : VARY_YES;
		CHECK(rows[i].fields, outcome == want);
		if (want == VARY_YES)
			CHECK_SLICE(rows[i].fields, spec, rows[i].want);
	}
}

static struct slice values(const char *spec, const char *request)
{
	struct fields f = kit_fields(request);
	return vary_values(&f, slice_str(spec), &arena);
}

static void test_values(void)
{
	static const struct {
		const char *name, *spec, *one, *other;
		bool same;
	} rows[] = {
		{ "equal", "foo", "Foo: 1\n", "foo: 1\n", true },
		{ "different", "foo", "Foo: 1\n", "Foo: 2\n", false },
		{ "case counts", "foo", "Foo: a\n", "Foo: A\n", false },
		{ "order counts", "foo", "Foo: a, b\n", "Foo: b, a\n", false },
		{ "others do not", "foo", "Foo: 1\nBar: 1\n", "Foo: 1\nBar: 2\n", true },
		/* RFC 9111 4.1: absence matches absence */
		{ "absent", "bar,foo", "Foo: 1\n", "Foo: 1\n", true },
		{ "absent and there", "foo", "", "Foo: 1\n", false },
		{ "absent and empty", "foo", "", "Foo:\n", false },
		{ "in another's place", "bar,foo", "Foo: 1\n", "Bar: 1\n", false },
		/* RFC 9111 4.1: white space, and lines that combine */
		{ "white space", "foo", "Foo: 1,2\n", "Foo:  1, 2 \n", true },
		{ "lines", "foo", "Foo: 1, 2\n", "Foo: 1\nFoo: 2\n", true },
		{ "not within quotes", "foo", "Foo: \"1,2\"\n", "Foo: \"1, 2\"\n", false },
		{ "a colon is no start", "foo", "Foo: a:, b\n", "Foo: a:b\n", false },
		/* the Accept fields mean sets */
		{ "order", "accept-language", "Accept-Language: en, de\n",
		    "Accept-Language: de, en\n", true },
		{ "case", "accept-language", "Accept-Language: en, de\n",
		    "Accept-Language: eN, De\n", true },
		{ "space", "accept-language", "Accept-Language: en, de\n",
		    "Accept-Language:  en ,   de\n", true },
		{ "lines", "accept-language", "Accept-Language: en, de\n",
		    "Accept-Language: de\nAccept-Language: en\n", true },
		{ "twice", "accept-language", "Accept-Language: en\n", "Accept-Language: en, en\n",
		    true },
		{ "weight 1", "accept-encoding", "Accept-Encoding: gzip;q=1.0, br\n",
		    "Accept-Encoding: br, gzip\n", true },
		{ "weights alike", "accept-encoding", "Accept-Encoding: gzip;q=0.5\n",
		    "Accept-Encoding: gzip; Q=0.500\n", true },
		{ "weights", "accept-encoding", "Accept-Encoding: gzip;q=0.5\n",
		    "Accept-Encoding: gzip;q=0.05\n", false },
		{ "refused", "accept-encoding", "Accept-Encoding: gzip;q=0\n",
		    "Accept-Encoding: gzip\n", false },
		{ "absent", "accept-encoding", "", "Accept-Encoding:\n", false },
		{ "media types", "accept", "Accept: Text/HTML;q=0.8, a/b;c=D\n",
		    "Accept: a/b;c=D,text/html;q=0.80\n", true },
		{ "parameters mind their case", "accept", "Accept: a/b;c=D\n", "Accept: a/b;c=d\n",
		    false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice one = values(rows[i].spec, rows[i].one);
		struct slice other = values(rows[i].spec, rows[i].other);
		CHECK(rows[i].name, one.len > 0 && slice_eq(one, other) == rows[i].same);
	}
	CHECK_SLICE("as told",
	    values("accept-language,bar,foo", "Accept-Language: de;q=0.5, EN\nFoo: 1, 2\n"),
	    ":de;500,en\n\n:1,2\n");
}

static void test_full_arena(void)
{
	struct fields f = kit_fields("Vary: a\nA: 1\n");
	struct slice spec;
	struct arena full;
	arena_init(&full, 1);
	CU_ASSERT_EQUAL(vary_spec(&f, &full, &spec), VARY_STAR);
	CU_ASSERT_PTR_NULL(vary_values(&f, SL("a"), &full).at);
	arena_fini(&full);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "specs", test_spec },
		{ "values", test_values },
		{ "a full arena", test_full_arena },
		CU_TEST_INFO_NULL,
	};
	return kit_run("rule/vary", tests);
}
