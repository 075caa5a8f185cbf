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

/* ---- and back ---- */

static bool comes_back(struct slice spec, struct slice made)
{
	struct fields request = { .count = 0 };
	return vary_request(spec, made, &request, &arena) &&
	    slice_eq(vary_values(&request, spec, &arena), made);
}

static void test_back(void)
{
	static const struct {
		const char *name, *spec, *request, *want; /* the first line's value; NULL = none */
	} rows[] = {
		{ "absent", "foo", "", NULL },
		{ "empty", "foo", "Foo:\n", "" },
		{ "plain", "foo", "Foo: a B, c\nFoo: \"x, y\"\n", "a B,c,\"x, y\"" },
		{ "digits behind a semicolon", "foo", "Foo: a;500\n", "a;500" },
		{ "weights", "accept-language", "Accept-Language: de;q=0.5, EN, fr;q=0\n",
		    "de;q=0.500,en,fr;q=0.000" },
		{ "small weights", "accept", "Accept: a/b;q=0.001, a/c;q=0.05\n",
		    "a/b;q=0.001,a/c;q=0.050" },
		{ "digits that are no weight", "accept", "Accept: a/b;05, a/c;1000\n",
		    "a/b;05,a/c;1000" },
		{ "a weight behind a weight", "accept", "Accept: a/b;q=0.5;q=1\n",
		    "a/b;q=0.5;q=1" },
		{ "quoted", "accept", "Accept: a/b;c=\"D, e;1\";q=0.2\n",
		    "a/b;c=\"D, e;1\";q=0.200" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fields request = { .count = 0 };
		struct slice spec = slice_str(rows[i].spec);
		struct slice made = values(rows[i].spec, rows[i].request);
		CHECK(rows[i].name, vary_request(spec, made, &request, &arena));
		CHECK(rows[i].name, request.count == (rows[i].want ? 1 : 0));
		if (rows[i].want && request.count)
			CHECK_SLICE(rows[i].name, request.at[0].value, rows[i].want);
		CHECK(rows[i].name, comes_back(spec, made));
	}
	struct slice both = values("accept,bar,foo", "Foo: 1\nAccept: a/b\n");
	CU_ASSERT(comes_back(SL("accept,bar,foo"), both));
}

/* A value of pieces that mean something to Vary. Its quotes end. */
static const char *some_value(uint32_t *seed, char *to, size_t room)
{
	static const char *const pieces[] = { "a", "B", "en-US", ";q=0.5", ";Q=0.050", ";q=1",
		";q=0", ";05", ";x=Y", ", ", ",", " , ", " ", "\t", "\"a, ;B\"", "\"\\\"\"", "*/*",
		":", ";", "=" };
	size_t len = 0;
	uint32_t count = (*seed = *seed * 1664525 + 1013904223) >> 28;
	to[len++] = 'n'; /* a member without a name is none that a request could give back */
	for (uint32_t i = 0; i < count; i++) {
		*seed = *seed * 1664525 + 1013904223;
		const char *piece = pieces[(*seed >> 8) % COUNT_OF(pieces)];
		bool is_start = to[len - 1] == ',' || is_ows(to[len - 1]);
		len += (size_t)snprintf(
		    to + len, room - len, "%s%s", is_start && piece[0] == ';' ? "n" : "", piece);
	}
	return to;
}

static void test_any_comes_back(void)
{
	static const char *const specs[] = { "accept", "accept-language,foo", "foo", "bar,foo",
		"accept,accept-encoding,accept-language,bar,foo" };
	static const char *const names[] = { "Accept", "accept-encoding", "Accept-Language", "Foo",
		"BAR" };
	uint32_t seed = 7;
	for (int round = 0; round < 20000; round++) {
		struct arena_mark mark = arena_mark(&arena);
		struct fields f = { .count = 0 };
		char texts[COUNT_OF(names)][512];
		for (size_t i = 0; i < COUNT_OF(names); i++) {
			seed = seed * 1664525 + 1013904223;
			if (seed >> 30 == 0)
				continue;
			struct slice value = slice_trim(
			    slice_str(some_value(&seed, texts[i], sizeof(texts[i]))));
			CU_ASSERT_TRUE_FATAL(fields_add(&f, &arena,
			    field_id_of(slice_str(names[i])), slice_str(names[i]), value));
		}
		struct slice spec = slice_str(specs[(seed >> 8) % COUNT_OF(specs)]);
		struct slice made = vary_values(&f, spec, &arena);
		char row[256];
		snprintf(row, sizeof(row), "%.*s of %.*s", SLICE_ARG(made), SLICE_ARG(spec));
		CHECK(row, comes_back(spec, made));
		arena_rewind(&arena, mark);
	}
}

/* What cannot be said again is not said otherwise. */
static void test_no_way_back(void)
{
	static const struct {
		const char *name, *spec, *values;
	} rows[] = {
		{ "a quote that never ends", "foo", ":\"a,\"b , c\n" },
		{ "a line too many", "foo", ":1\n:2\n" },
		{ "a line too few", "bar,foo", ":1\n" },
		{ "no lines", "foo", "1" },
		{ "not in order", "accept", ":b,a\n" },
		{ "a parameter as weights are written", "accept", ":a,a;500\n" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fields request = { .count = 0 };
		CHECK(rows[i].name,
		    !vary_request(
			slice_str(rows[i].spec), slice_str(rows[i].values), &request, &arena));
	}
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
		{ "values make a request again", test_back },
		{ "any values do", test_any_comes_back },
		{ "values that do not", test_no_way_back },
		{ "a full arena", test_full_arena },
		CU_TEST_INFO_NULL,
	};
	return kit_run("rule/vary", tests);
}
