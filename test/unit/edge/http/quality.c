/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/quality.c"

#include "test/unit/edge/http/kit.h"

static void test_table(void)
{
	static const struct {
		const char *list, *what;
		int weight;
	} rows[] = {
		/* RFC 9110 12.4.2 */
		{ "gzip", "gzip", 1000 },
		{ " gzip ; q=0.5 ", "gzip", 500 },
		{ ",, gzip;Q=0.250, br", "gzip", 250 },
		{ "gzip;q=0", "gzip", 0 },
		{ "gzip;q=0.", "gzip", 0 },
		{ "gzip;q=1.000", "gzip", 1000 },
		{ "a/b;level=1;q=0.001", "a/b;level=1", 1 },
		{ "a/b;x=\"y,z\";q=0.1", "a/b;x=\"y,z\"", 100 },
		/* what is no weight stays where it is */
		{ "gzip;q=1.001", "gzip;q=1.001", 1000 },
		{ "gzip;q=2", "gzip;q=2", 1000 },
		{ "gzip;q=0.1234", "gzip;q=0.1234", 1000 },
		{ "gzip;q=x", "gzip;q=x", 1000 },
		{ "gzip;q=", "gzip;q=", 1000 },
		{ "q=0.5", "q=0.5", 1000 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice list = slice_str(rows[i].list);
		struct quality q;
		CHECK(rows[i].list, quality_take(&list, &q));
		CHECK_SLICE(rows[i].list, q.what, rows[i].what);
		CHECK(rows[i].list, q.weight == rows[i].weight);
	}
	struct slice none = SL(" , ");
	struct quality q;
	CU_ASSERT_FALSE(quality_take(&none, &q));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "table", test_table },
		CU_TEST_INFO_NULL,
	};
	return kit_run("http/quality", tests);
}
