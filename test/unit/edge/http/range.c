/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/range.c"

#include "test/unit/edge/http/kit.h"

/* What a Range asks for, written as "0-1,5-9"; "whole" or "unsatisfied". */
static struct slice told(const char *value, uint64_t length)
{
	struct ranges ranges;
	enum range_outcome outcome = range_parse(slice_str(value), length, &ranges);
	struct slice text = SL("");
	if (outcome != RANGE_PARTIAL)
		return outcome == RANGE_WHOLE ? SL("whole") : SL("unsatisfied");
	for (uint32_t i = 0; i < ranges.count; i++)
		text = arena_printf(&arena, "%.*s%s%" PRIu64 "-%" PRIu64, SLICE_ARG(text),
		    i ? "," : "", ranges.at[i].first, ranges.at[i].last);
	return text;
}

static void test_table(void)
{
	static const struct {
		const char *value;
		uint64_t length;
		const char *want;
	} rows[] = {
		/* RFC 9110 14.1.2 */
		{ "bytes=0-499", 10000, "0-499" },
		{ "bytes=-500", 10000, "9500-9999" },
		{ "bytes=9500-", 10000, "9500-9999" },
		{ "bytes=-1,0-0", 10000, "0-0,9999-9999" },
		{ "BYTES=0-1", 10, "0-1" },
		{ "bytes= 0-1 , 4-5", 10, "0-1,4-5" },
		{ "bytes=0-1,,4-5", 10, "0-1,4-5" },
		/* clipped */
		{ "bytes=5-100", 10, "5-9" },
		{ "bytes=-100", 10, "0-9" },
		{ "bytes=0-99999999999999999999999", 10, "0-9" },
		{ "bytes=-99999999999999999999999", 10, "0-9" },
		{ "bytes=0-", 18446744073709551615u, "0-18446744073709551614" },
		/* RFC 9110 14.2, 15.5.17: nothing of it is there */
		{ "bytes=10-", 10, "unsatisfied" },
		{ "bytes=10-20,30-", 10, "unsatisfied" },
		{ "bytes=99999999999999999999999-", 10, "unsatisfied" },
		{ "bytes=-0", 10, "unsatisfied" },
		{ "bytes=0-", 0, "unsatisfied" },
		{ "bytes=-5", 0, "whole" },
		{ "bytes=10-20,2-3", 10, "2-3" },
		/* RFC 9110 14.2: a malformed one is ignored */
		{ "bytes=", 10, "whole" },
		{ "bytes", 10, "whole" },
		{ "bytes=-", 10, "whole" },
		{ "bytes=5-4", 10, "whole" },
		{ "bytes=0-1,a-b", 10, "whole" },
		{ "bytes=0-1x", 10, "whole" },
		{ "bytes=+0-1", 10, "whole" },
		{ "bytes=--1", 10, "whole" },
		{ "bytes=0 - 1", 10, "whole" },
		{ "bytes =0-1", 10, "whole" },
		{ "items=0-1", 10, "whole" },
		{ "0-1", 10, "whole" },
		{ "", 10, "whole" },
		/* merged, and in ascending order */
		{ "bytes=0-4,5-9", 20, "0-9" },
		{ "bytes=5-9,0-4", 20, "0-9" },
		{ "bytes=0-4,3-9,2-2", 20, "0-9" },
		{ "bytes=10-12,0-2,6-7", 20, "0-2,6-7,10-12" },
		{ "bytes=0-1,4-5,8-9,2-3", 20, "0-5,8-9" },
		{ "bytes=8-9,0-1,4-5,2-8", 20, "0-9" },
		{ "bytes=0-,0-,0-,0-", 20, "0-19" },
		/* as many as there may be, and one more */
		{ "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,"
		  "26-26,28-28,30-30",
		    99,
		    "0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,"
		    "28-28,30-30" },
		{ "bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-", 20, "whole" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK_SLICE(rows[i].value, told(rows[i].value, rows[i].length), rows[i].want);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "table", test_table },
		CU_TEST_INFO_NULL,
	};
	return kit_run("http/range", tests);
}
