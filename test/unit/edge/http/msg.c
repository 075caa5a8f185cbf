/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/msg.c"

#include "test/unit/edge/http/kit.h"

static void test_methods(void)
{
	static const struct {
		const char *name;
		enum method method;
		bool safe, idempotent;
	} rows[] = {
		/* RFC 9110 9.2 */
		{ "GET", METHOD_GET, true, true },
		{ "HEAD", METHOD_HEAD, true, true },
		{ "OPTIONS", METHOD_OPTIONS, true, true },
		{ "TRACE", METHOD_TRACE, true, true },
		{ "PUT", METHOD_PUT, false, true },
		{ "DELETE", METHOD_DELETE, false, true },
		{ "POST", METHOD_POST, false, false },
		{ "PATCH", METHOD_PATCH, false, false },
		{ "CONNECT", METHOD_CONNECT, false, false },
		{ "M-SEARCH", METHOD_OTHER, false, false },
		{ "get", METHOD_OTHER, false, false }, /* RFC 9110 9.1 */
		{ "", METHOD_OTHER, false, false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		enum method method = method_of(slice_str(rows[i].name));
		CHECK(rows[i].name, method == rows[i].method);
		CHECK(rows[i].name, method_is_safe(method) == rows[i].safe);
		CHECK(rows[i].name, method_is_idempotent(method) == rows[i].idempotent);
	}
}

static void test_statuses(void)
{
	static const uint16_t heuristic[] = { 200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414,
		501 };
	size_t next = 0;
	for (uint16_t status = 100; status < 1000; status++) {
		bool listed = next < COUNT_OF(heuristic) && heuristic[next] == status;
		next += listed;
		CU_ASSERT_EQUAL(status_is_heuristic(status), listed); /* RFC 9110 15.1 */
		CU_ASSERT_TRUE(!listed || status_is_understood(status));
		CU_ASSERT_EQUAL(status_has_no_body(status),
		    status < 200 || status == 204 || status == 304); /* RFC 9112 6.3 */
	}
	CU_ASSERT_FALSE(status_is_understood(100));
	CU_ASSERT_FALSE(status_is_understood(299));
	CU_ASSERT_FALSE(status_is_understood(599));
	CHECK_SLICE("reason", status_reason(404), "Not Found");
	CHECK_SLICE("reason", status_reason(599), "");
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "methods", test_methods },
		{ "statuses", test_statuses },
		CU_TEST_INFO_NULL,
	};
	return kit_run("http/msg", tests);
}
