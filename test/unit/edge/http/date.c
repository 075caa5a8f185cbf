/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/date.c"

#include <time.h>

#include "test/unit/edge/http/kit.h"

static void test_valid(void)
{
	static const struct {
		const char *text;
		int64_t s;
	} rows[] = {
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
		{ "Sun Nov  6 08:49:37 1994", 784111777 },
		{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
		{ "Wed, 31 Dec 1969 23:59:59 GMT", -1 },
		{ "Thu, 29 Feb 2024 00:00:00 GMT", 1709164800 },
		{ "Fri, 31 Dec 2016 23:59:60 GMT", 1483228800 }, /* a leap second */
		{ "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 },
		{ "Mon, 06 Nov 1994 08:49:37 GMT", 784111777 }, /* not a Monday: decides nothing */
		/* RFC 9110 5.6.7: not more than 50 years ahead (it is 2026). */
		{ "Thursday, 18-Aug-50 02:01:18 GMT", 2544400878 },
		{ "Thursday, 01-Jan-76 00:00:00 GMT", 3345062400 },
		{ "Saturday, 01-Jan-77 00:00:00 GMT", 220924800 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct wall date = WALL_NEVER;
		CHECK(rows[i].text, date_parse(slice_str(rows[i].text), NOON, &date));
		CHECK(rows[i].text, date.ms == rows[i].s * 1000);
	}
}

static void test_invalid(void)
{
	static const char *const rows[] = {
		"",
		"0",
		"-1",
		"foo",
		",",
		"THU, 18 Aug 2050 02:01:18 GMT",
		"Thu, 18 AUG 2050 02:01:18 GMT",
		"Thu, 18 Aug 2050 02:01:18 gMT",
		"Thu, 18 Aug 2050 02:01:18 UTC",
		"Thu, 18 Aug 2050 02:01:18 AEST",
		"Thu, 18 Aug 50 02:01:18 GMT",
		"Thu 18 Aug 2050 02:01:18 GMT",
		"Thu, 18  Aug  2050 02:01:18 GMT",
		"Thu, 18-Aug-2050 02:01:18 GMT",
		"Thu, 18 Aug 2050 02.01.18 GMT",
		"Thu, 18 Aug 2050 2:01:18 GMT",
		"Thu, 18 Aug 2050 02:01:18 GMT ",
		"Thu, 00 Aug 2050 02:01:18 GMT",
		"Thu, 32 Aug 2050 02:01:18 GMT",
		"Thu, 30 Feb 2024 02:01:18 GMT",
		"Thu, 29 Feb 2100 02:01:18 GMT",
		"Thu, 18 Aug 2050 24:01:18 GMT",
		"Thu, 18 Aug 2050 02:60:18 GMT",
		"Thu, 18 Aug 2050 02:01:61 GMT",
		"Thu, 18 Aug 2050 02:01:18",
		"Thu, 18 Aug 2050 -2:01:18 GMT",
		"Sun Nov 006 08:49:37 1994",
		"Sun Nov 6 08:49:37 1994",
		"Sun Nov  6 08:49:37 1994 GMT",
		"Sunday, 06-Nov-1994 08:49:37 GMT",
		"Sun, 06-Nov-94 08:49:37 GMT",
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct wall date;
		CHECK(rows[i], !date_parse(slice_str(rows[i]), NOON, &date));
	}
}

/* Held against the C library over all years, and read back. */
static void test_format(void)
{
	for (int64_t s = -62135596800; s <= 253402300799; s += 86400 * 13 + 7177) {
		char got[DATE_LEN], want[64];
		time_t at = (time_t)s;
		struct tm tm;
		struct wall back;
		date_format((struct wall){ s * 1000 + 999 }, got);
		gmtime_r(&at, &tm);
		snprintf(want, sizeof(want), "%s, %02d %s %04d %02d:%02d:%02d GMT",
		    days[(tm.tm_wday + 6) % 7], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
		    tm.tm_hour, tm.tm_min, tm.tm_sec);
		if (memcmp(got, want, DATE_LEN) != 0 ||
		    !date_parse(slice_of(got, DATE_LEN), NOON, &back) || back.ms != s * 1000) {
			CHECK_SLICE("written and read", slice_of(got, DATE_LEN), want);
			return;
		}
	}
	char edge[DATE_LEN];
	date_format(WALL_FOREVER, edge);
	CHECK_SLICE("the last", slice_of(edge, DATE_LEN), "Fri, 31 Dec 9999 23:59:59 GMT");
	date_format(WALL_NEVER, edge);
	CHECK_SLICE("the first", slice_of(edge, DATE_LEN), "Mon, 01 Jan 0001 00:00:00 GMT");
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "valid dates", test_valid },
		{ "invalid dates", test_invalid },
		{ "writing", test_format },
		CU_TEST_INFO_NULL,
	};
	return kit_run("http/date", tests);
}
