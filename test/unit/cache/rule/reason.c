/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/reason.c"

#include "test/unit/edge/http/kit.h"

static void test_names(void)
{
	for (enum reason a = REASON_NONE + 1; a < REASON_COUNT; a++) {
		CHECK(reason_name(a).at, slice_is_token(reason_name(a)));
		CHECK(reason_name(a).at, reason_text(a).len > 0);
		struct slice clause = reason_clause(a);
		CHECK(reason_name(a).at, clause.len == 0 || slice_starts(clause, SL("RFC ")));
		for (enum reason b = REASON_NONE; b < a; b++)
			CHECK(reason_name(a).at, !slice_eq(reason_name(a), reason_name(b)));
	}
}

/* Only tokens of RFC 9211 2.2. */
static void test_forward(void)
{
	static const char *const tokens[] = { "", "bypass", "method", "uri-miss", "vary-miss",
		"stale", "request", "partial" };
	for (enum reason reason = REASON_NONE; reason < REASON_COUNT; reason++) {
		bool known = false;
		for (size_t i = 0; i < COUNT_OF(tokens); i++)
			known |= slice_eq(reason_fwd(reason), slice_str(tokens[i]));
		CHECK(reason_name(reason).at, known);
	}
	CHECK_SLICE("a hit does not go there", reason_fwd(REASON_FRESH), "");
	CHECK_SLICE("request", reason_fwd(REASON_REQUEST_MAX_AGE), "request");
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "names", test_names },
		{ "Cache-Status", test_forward },
		CU_TEST_INFO_NULL,
	};
	return kit_run("rule/reason", tests);
}
