/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/cond.c"

#include "test/unit/edge/http/kit.h"

static void test_tags(void)
{
	static const struct {
		const char *a, *b;
		bool weak, strong;
	} rows[] = {
		/* RFC 9110 8.8.3.2 */
		{ "W/\"1\"", "W/\"1\"", true, false },
		{ "W/\"1\"", "W/\"2\"", false, false },
		{ "W/\"1\"", "\"1\"", true, false },
		{ "\"1\"", "\"1\"", true, true },
		{ "\"\"", "\"\"", true, true },
		{ "\"a\"", "\"A\"", false, false },
		/* what is no tag is only ever itself */
		{ "abc", "abc", true, false },
		{ "abc", "\"abc\"", false, false },
		{ "w/\"1\"", "w/\"1\"", true, false },
		{ "w/\"1\"", "\"1\"", false, false },
		{ "", "", false, false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice a = slice_str(rows[i].a), b = slice_str(rows[i].b);
		CHECK(rows[i].a, etag_matches_weak(a, b) == rows[i].weak);
		CHECK(rows[i].a, etag_matches_strong(a, b) == rows[i].strong);
	}
}

static void test_lists(void)
{
	static const struct {
		const char *list, *tag;
		bool has;
	} rows[] = {
		{ "\"a\"", "\"a\"", true },
		{ "\"1\", \"a\", \"2\"", "\"a\"", true },
		{ "\"1\",\"2\",\"a\"", "\"a\"", true },
		{ ", ,\"a\"", "\"a\"", true },
		{ "\"a,b\"", "\"a,b\"", true },
		{ "\"a,b\"", "\"b\"", false },
		{ "\"1\\\", \"a\"", "\"a\"", true }, /* no escapes in a tag */
		{ "W/\"1\\\", W/\"a\"", "\"a\"", true },
		{ "\"1\"junk, \"a\"", "\"a\"", true },
		{ "W\"1\", \"a\"", "\"a\"", true },
		{ "\"open, \"a\"", "\"a\"", false },
		{ "*", "\"a\"", true },
		{ "\"*\"", "\"a\"", false },
		{ "a", "\"a\"", false },
		{ "", "\"a\"", false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK(rows[i].list,
		    etag_list_has(slice_str(rows[i].list), slice_str(rows[i].tag), false) ==
			rows[i].has);
}

#define D0 "Sun, 14 Jun 2026 12:00:00 GMT"
#define D1 "Sun, 14 Jun 2026 12:00:01 GMT"
#define D2 "Sun, 14 Jun 2026 12:00:02 GMT"

static void test_judge(void)
{
	static const char etag[] = "ETag: \"a\"\n", both[] = "ETag: \"a\"\nLast-Modified: " D1 "\n";
	static const struct {
		const char *name, *request, *stored;
		enum cond want;
	} rows[] = {
		{ "nothing asked", "Accept: x\n", both, COND_NONE },
		{ "RFC 9110 13.1.2: matches", "If-None-Match: \"a\"\n", etag, COND_NOT_MODIFIED },
		{ "RFC 9110 13.1.2: weakly", "If-None-Match: W/\"a\"\n", etag, COND_NOT_MODIFIED },
		{ "RFC 9110 13.1.2: any", "If-None-Match: *\n", "", COND_NOT_MODIFIED },
		{ "RFC 9110 13.1.2: does not", "If-None-Match: \"b\"\n", etag, COND_PASSED },
		{ "lines are one list", "If-None-Match: \"b\"\nIf-None-Match: \"a\"\n", etag,
		    COND_NOT_MODIFIED },
		{ "RFC 9110 13.2.2: tags come first",
		    "If-None-Match: \"b\"\nIf-Modified-Since: " D2 "\n", both, COND_PASSED },
		{ "RFC 9110 13.2.2: tags alone decide",
		    "If-None-Match: \"a\"\nIf-Modified-Since: " D0 "\n", both, COND_NOT_MODIFIED },
		{ "RFC 9110 13.1.3: same", "If-Modified-Since: " D1 "\n", both, COND_NOT_MODIFIED },
		{ "RFC 9110 13.1.3: later", "If-Modified-Since: " D2 "\n", both,
		    COND_NOT_MODIFIED },
		{ "RFC 9110 13.1.3: earlier", "If-Modified-Since: " D0 "\n", both, COND_PASSED },
		{ "RFC 9110 13.1.3: as rfc850",
		    "If-Modified-Since: Sunday, 14-Jun-26 12:00:01 GMT\n", both,
		    COND_NOT_MODIFIED },
		{ "RFC 9110 13.1.3: no date", "If-Modified-Since: foo\n", both, COND_NONE },
		{ "RFC 9110 13.1.3: two dates",
		    "If-Modified-Since: " D2 "\nIf-Modified-Since: " D2 "\n", both, COND_NONE },
		{ "RFC 9111 4.3.2: Date in its place", "If-Modified-Since: " D1 "\n",
		    "Date: " D1 "\n", COND_NOT_MODIFIED },
		{ "RFC 9111 4.3.2: Date in its place", "If-Modified-Since: " D0 "\n",
		    "Date: " D1 "\n", COND_PASSED },
		{ "RFC 9111 4.3.2: arrival in its place", "If-Modified-Since: " D1 "\n", "",
		    COND_PASSED },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fields request = kit_fields(rows[i].request);
		struct fields stored = kit_fields(rows[i].stored);
		struct validators v = validators_of(&stored, NOON);
		CHECK(rows[i].name, cond_judge(&request, &v, NOON) == rows[i].want);
		CHECK(rows[i].name, !cond_is_for_origin(&request));
	}
	struct fields match = kit_fields("If-Match: *\n");
	struct fields unmodified = kit_fields("If-Unmodified-Since: " D0 "\n");
	CHECK("RFC 9111 4.3.2: not for a cache", cond_is_for_origin(&match));
	CHECK("RFC 9111 4.3.2: not for a cache", cond_is_for_origin(&unmodified));
}

static void test_if_range(void)
{
	static const struct {
		const char *name, *request, *stored;
		bool applies;
	} rows[] = {
		{ "no If-Range", "", "", true },
		{ "RFC 9110 13.1.5: strong", "If-Range: \"a\"\n", "ETag: \"a\"\n", true },
		{ "RFC 9110 13.1.5: weak", "If-Range: W/\"a\"\n", "ETag: W/\"a\"\n", false },
		{ "RFC 9110 13.1.5: other", "If-Range: \"b\"\n", "ETag: \"a\"\n", false },
		{ "no tag stored", "If-Range: \"b\"\n", "", false },
		{ "RFC 9110 8.8.2.2: a second older than Date", "If-Range: " D0 "\n",
		    "Last-Modified: " D0 "\nDate: " D1 "\n", true },
		{ "RFC 9110 8.8.2.2: of Date's second", "If-Range: " D0 "\n",
		    "Last-Modified: " D0 "\nDate: " D0 "\n", false },
		{ "RFC 9110 13.1.5: a later date does not do", "If-Range: " D1 "\n",
		    "Last-Modified: " D0 "\nDate: " D2 "\n", false },
		{ "a date, and none stored", "If-Range: " D0 "\n", "Date: " D1 "\n", false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fields request = kit_fields(rows[i].request);
		struct fields stored = kit_fields(rows[i].stored);
		struct validators v = validators_of(&stored, NOON);
		CHECK(rows[i].name, cond_range_applies(&request, &v, NOON) == rows[i].applies);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "tags", test_tags },
		{ "lists of tags", test_lists },
		{ "preconditions", test_judge },
		{ "If-Range", test_if_range },
		CU_TEST_INFO_NULL,
	};
	return kit_run("http/cond", tests);
}
