/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/order.c"

#include "test/unit/purge/orders.h"

/* ---- what is taken ---- */

static void check_list(const char *row, const struct order_list *list, const char *want)
{
	struct buf text;
	buf_init(&text, 0);
	for (size_t i = 0; i < list->count; i++)
		buf_addf(&text, "%s%.*s", i ? " " : "", SLICE_ARG(list->at[i]));
	CHECK_SLICE(row, buf_slice(&text), want);
	buf_fini(&text);
}

static void test_lists(void)
{
	static const struct {
		const char *json, *files, *tags, *prefixes, *hosts;
	} rows[] = {
		{ "{\"files\":[\"http://a/\"]}", "http://a/", "", "", "" },
		{ "{\"tags\":[\"a\",\"\\u00e4 b\",\"a\"]}", "", "a \xc3\xa4 b a", "", "" },
		{ "{\"prefixes\":[\"a/b\",\"/c\"]}", "", "", "a/b /c", "" },
		{ "{\"hosts\":[\"A:80\"]}", "", "", "", "A:80" },
		{ "\t{\"hosts\" : [ \"h\" ] ,\n\"tags\":[\"t\"],\"files\":[\"f\"],\"prefixes\":[\"p\"]} ",
		    "f", "t", "p", "h" },
		{ "{\"ta\\u0067s\":[\"a\\/b\"]}", "", "a/b", "", "" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct order *o = NULL;
		struct order_problem problem;
		enum err err = order_read(slice_str(rows[i].json), &o, &problem);
		CHECK(rows[i].json, err == ERR_NONE);
		if (err)
			continue;
		check_list(rows[i].json, &o->files, rows[i].files);
		check_list(rows[i].json, &o->tags, rows[i].tags);
		check_list(rows[i].json, &o->prefixes, rows[i].prefixes);
		check_list(rows[i].json, &o->hosts, rows[i].hosts);
		CHECK(rows[i].json, !problem.field[0] && !problem.why[0]);
		order_unref(&o);
	}
}

static void test_modes(void)
{
	static const struct {
		const char *json;
		enum purge_mode mode;
		uint64_t origin_rps;
	} rows[] = {
		/* Certain URLs are gone, as with PURGE; all else becomes stale. */
		{ "{\"files\":[\"http://a/\"]}", PURGE_HARD, 0 },
		{ "{\"files\":[\"http://a/\"],\"everything\":false}", PURGE_HARD, 0 },
		{ "{\"tags\":[\"a\"]}", PURGE_SOFT, 0 },
		{ "{\"prefixes\":[\"a\"]}", PURGE_SOFT, 0 },
		{ "{\"hosts\":[\"a\"]}", PURGE_SOFT, 0 },
		{ "{\"everything\":true}", PURGE_SOFT, 0 },
		{ "{\"expression\":\"a\"}", PURGE_SOFT, 0 },
		{ "{\"regex\":\"a\"}", PURGE_SOFT, 0 },
		{ "{\"files\":[\"http://a/\"],\"tags\":[\"a\"]}", PURGE_SOFT, 0 },
		{ "{\"files\":[\"http://a/\"],\"regex\":\"a\"}", PURGE_SOFT, 0 },
		{ "{\"files\":[\"http://a/\"],\"mode\":\"soft\"}", PURGE_SOFT, 0 },
		{ "{\"mode\":\"hard\",\"files\":[\"http://a/\"]}", PURGE_HARD, 0 },
		{ "{\"tags\":[\"a\"],\"mode\":\"hard\"}", PURGE_HARD, 0 },
		{ "{\"everything\":true,\"mode\":\"hard\"}", PURGE_HARD, 0 },
		/* the refresh of what is soft */
		{ "{\"tags\":[\"a\"],\"refresh\":true}", PURGE_SOFT, RPS_DEFAULT },
		{ "{\"tags\":[\"a\"],\"refresh\":false}", PURGE_SOFT, 0 },
		{ "{\"tags\":[\"a\"],\"refresh\":{}}", PURGE_SOFT, RPS_DEFAULT },
		{ "{\"tags\":[\"a\"],\"refresh\":{\"origin_rps\":1}}", PURGE_SOFT, 1 },
		{ "{\"tags\":[\"a\"],\"refresh\":{\"origin_rps\":100000}}", PURGE_SOFT, RPS_MAX },
		{ "{\"files\":[\"http://a/\"],\"mode\":\"soft\",\"refresh\":true}", PURGE_SOFT,
		    RPS_DEFAULT },
		{ "{\"tags\":[\"a\"],\"mode\":\"hard\",\"refresh\":false}", PURGE_HARD, 0 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct order *o = made(rows[i].json);
		CHECK(rows[i].json, o && o->mode == rows[i].mode);
		CHECK(rows[i].json, o && o->origin_rps == rows[i].origin_rps);
		order_unref(&o);
	}
}

static void test_guards(void)
{
	struct order *o = made("{\"tags\":[\"a\"]}");
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	CU_ASSERT(!o->everything && !o->dry_run && !o->wait && !o->fail_if_empty && !o->confirm);
	CU_ASSERT_EQUAL(o->max_objects, UINT64_MAX);
	CU_ASSERT(o->reason.len == 0 && o->deploy_id.len == 0 && o->gate.url.len == 0);
	order_unref(&o);
	o = made("{\"everything\":true,\"dry_run\":true,\"wait\":true,\"fail_if_empty\":true,"
		 "\"confirm\":true,\"max_objects\":9223372036854775807,"
		 "\"reason\":\"why \\\"\\u20ac\\\"\",\"deploy_id\":\"d-1\"}");
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	CU_ASSERT(o->everything && o->dry_run && o->wait && o->fail_if_empty && o->confirm);
	CU_ASSERT_EQUAL(o->max_objects, INT64_MAX);
	CHECK_SLICE("reason", o->reason, "why \"\xe2\x82\xac\"");
	CHECK_SLICE("deploy_id", o->deploy_id, "d-1");
	order_unref(&o);
	/* Each flag is one of its own, and false is as if it had not been said. */
	static const char *const names[] = { "everything", "dry_run", "wait", "fail_if_empty",
		"confirm" };
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		for (int value = 0; value < 2; value++) {
			char json[80];
			snprintf(json, sizeof(json), "{\"tags\":[\"a\"],\"%s\":%s}", names[i],
			    value ? "true" : "false");
			o = made(json);
			if (!o)
				continue;
			const bool flags[] = { o->everything, o->dry_run, o->wait, o->fail_if_empty,
				o->confirm };
			for (size_t k = 0; k < COUNT_OF(flags); k++)
				CHECK(json, flags[k] == (k == i && value));
			order_unref(&o);
		}
	}
}

static void test_gates(void)
{
	static const struct {
		const char *json, *url, *header, *path, *equals;
		int64_t timeout_ms;
	} rows[] = {
		{ "\"url\":\"http://a/v\",\"header\":\"X-V\",\"equals\":\"42\"", "http://a/v",
		    "X-V", "", "42", GATE_TIMEOUT_MS },
		{ "\"equals\":\"a b\",\"json\":\"$.v[0]\",\"url\":\"/\",\"timeout\":\"1ms\"", "/",
		    "", "$.v[0]", "a b", 1 },
		{ "\"url\":\"u\",\"header\":\"x\",\"equals\":\"1\",\"timeout\":\"10m\"", "u", "x",
		    "", "1", ORDER_TIMEOUT_MS },
		{ "\"url\":\"u\",\"header\":\"x\",\"equals\":\"1\",\"timeout\":\"600s\"", "u", "x",
		    "", "1", ORDER_TIMEOUT_MS },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char json[200];
		snprintf(
		    json, sizeof(json), "{\"tags\":[\"a\"],\"wait_origin\":{%s}}", rows[i].json);
		struct order *o = made(json);
		if (!o)
			continue;
		CHECK_SLICE(json, o->gate.url, rows[i].url);
		CHECK_SLICE(json, o->gate.header, rows[i].header);
		CHECK_SLICE(json, o->gate.json, rows[i].path);
		CHECK_SLICE(json, o->gate.equals, rows[i].equals);
		CHECK(json, o->gate.timeout_ms == rows[i].timeout_ms);
		order_unref(&o);
	}
}

/* ---- what it means ---- */

static bool matches(const struct order *o, const char *url, const char *tags)
{
	struct object_texts texts = { .tags = slice_str(tags) };
	struct key k = { slice_str(url), { 1, 2 } };
	struct object *object = object_new(OBJECT_ANSWER, k, texts, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(object);
	bool answer = order_matches(o, object);
	object_unref(&object);
	return answer;
}

static void test_matching(void)
{
	static const struct {
		const char *json;
		const char *taken[6], *left[6];
	} rows[] = {
		{ "{\"files\":[\"HTTPS://A:443/x/../%7eu?q\"]}",
		    { "https://a/~u?q", "http://a/~u?q", "http://a/~u?q\nvariant" },
		    { "http://a/~u", "http://a/~u?q=", "http://a:8080/~u?q", "http://b/~u?q" } },
		{ "{\"files\":[\"http://a\",\"http://a:8080/x\"]}",
		    { "http://a/", "http://a:8080/x" }, { "http://a/x", "http://a:8080/" } },
		{ "{\"prefixes\":[\"A:80/b\"]}",
		    { "http://a/b", "http://a/b/", "https://a/b/c?q", "http://a:8080/b" },
		    { "http://a/bc", "http://a/", "http://b/b", "http://a/c/b", "http://a.b/b" } },
		{ "{\"prefixes\":[\"https://a:8080/b/\"]}",
		    { "http://a:8080/b", "http://a:8080/b/c" },
		    { "http://a/b", "http://a:8081/b" } },
		{ "{\"prefixes\":[\"/b\"]}", { "http://a/b", "http://b:1/b/c" },
		    { "http://b/a", "http://b/" } },
		{ "{\"prefixes\":[\"a\"]}", { "http://a/", "http://a/x", "http://a:1/x" },
		    { "http://b/a", "http://aa/" } },
		{ "{\"prefixes\":[\"/\"]}", { "http://a/", "http://b:1/x?y" }, { NULL } },
		/* A URL within the path is of the path. */
		{ "{\"prefixes\":[\"/img/http://cdn/x\"]}",
		    { "http://a/img/http://cdn/x", "http://b/img/http://cdn/x/y" },
		    { "http://cdn/x", "http://cdn/", "http://a/img/http://cdn/y" } },
		{ "{\"prefixes\":[\"a/img/https://cdn\"]}", { "http://a/img/https://cdn/x" },
		    { "http://cdn/", "http://a/img/x", "http://b/img/https://cdn/x" } },
		{ "{\"prefixes\":[\"http://a/to/http://cdn\"]}", { "http://a/to/http://cdn/x" },
		    { "http://cdn/", "http://a/to" } },
		{ "{\"hosts\":[\"A\"]}", { "http://a/", "https://a:8080/x" },
		    { "http://aa/", "http://b/a", "http://b.a/" } },
		{ "{\"hosts\":[\"a:8080\",\"b:443\"]}",
		    { "http://a:8080/x", "http://b/", "http://b:1/" },
		    { "http://a/x", "http://a:80801/" } },
		{ "{\"everything\":true}", { "http://a/", "https://b:1/x?y" }, { NULL } },
		{ "{\"regex\":\"^http://a/[0-9]$\"}", { "http://a/1", "http://a/1\nvariant" },
		    { "http://a/11", "http://b/1" } },
		{ "{\"hosts\":[\"b\"],\"regex\":\"1$\",\"files\":[\"http://c/\"]}",
		    { "http://b/", "http://a/1", "http://c/" }, { "http://c/2", "http://a/" } },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct order *o = made(rows[i].json);
		char row[300];
		for (size_t k = 0; o && k < COUNT_OF(rows[i].taken) && rows[i].taken[k]; k++) {
			snprintf(row, sizeof(row), "%s takes %s", rows[i].json, rows[i].taken[k]);
			CHECK(row, matches(o, rows[i].taken[k], ""));
		}
		for (size_t k = 0; o && k < COUNT_OF(rows[i].left) && rows[i].left[k]; k++) {
			snprintf(row, sizeof(row), "%s leaves %s", rows[i].json, rows[i].left[k]);
			CHECK(row, !matches(o, rows[i].left[k], ""));
		}
		order_unref(&o);
	}
}

static void test_matching_tags(void)
{
	static const struct {
		const char *json, *tags;
		bool is_taken;
	} rows[] = {
		{ "{\"tags\":[\"a\"]}", "a", true },
		{ "{\"tags\":[\"A\"]}", "b\na", true },
		{ "{\"tags\":[\"a\"]}", "b\nab", false },
		{ "{\"tags\":[\"a\"]}", "", false },
		{ "{\"tags\":[\"x\",\"two words\"]}", "two words", true },
		{ "{\"expression\":\"a AND NOT b\"}", "a\nc", true },
		{ "{\"expression\":\"a AND NOT b\"}", "a\nb", false },
		{ "{\"expression\":\"NOT a\"}", "", true },
		{ "{\"tags\":[\"c\"],\"expression\":\"a AND b\"}", "c", true },
		{ "{\"tags\":[\"c\"],\"expression\":\"a AND b\"}", "a", false },
		{ "{\"hosts\":[\"b\"],\"tags\":[\"c\"]}", "c", true },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct order *o = made(rows[i].json);
		CHECK(rows[i].json, o && matches(o, "http://a/", rows[i].tags) == rows[i].is_taken);
		order_unref(&o);
	}
	/* Only answers are meant: what else is stored at a key goes with them. */
	struct order *o = made("{\"everything\":true}");
	struct object *mark = object_new(
	    OBJECT_VARY, (struct key){ SL("http://a/"), { 1, 2 } }, (struct object_texts){ 0 }, 1);
	CU_ASSERT(!order_matches(o, mark));
	object_unref(&mark);
	order_unref(&o);
}

static void test_kinds(void)
{
	static const struct {
		const char *json;
		bool is_wide, is_of_files, has_pattern;
		size_t scopes;
	} rows[] = {
		{ "{\"files\":[\"http://a/\"]}", false, true, false, 2 },
		{ "{\"files\":[\"http://a/\",\"http://b/\"]}", false, true, false, 4 },
		{ "{\"files\":[\"http://a/\"],\"tags\":[\"a\"]}", false, false, false, 3 },
		{ "{\"tags\":[\"a\",\"b\"]}", false, false, false, 2 },
		{ "{\"hosts\":[\"a\"]}", false, false, false, 1 },
		{ "{\"prefixes\":[\"a\",\"a/b\",\"/b\"]}", false, false, false, 3 },
		{ "{\"everything\":true}", true, false, false, 1 },
		{ "{\"everything\":true,\"files\":[\"http://a/\"]}", true, false, false, 3 },
		{ "{\"regex\":\"^http://a/1$\"}", true, false, true, 0 },
		{ "{\"expression\":\"a AND NOT b\"}", false, false, true, 0 },
		{ "{\"expression\":\"NOT a\"}", true, false, true, 0 },
		/* In other words, everything. */
		{ "{\"prefixes\":[\"/\"]}", true, false, false, 1 },
		{ "{\"prefixes\":[\"a/b\",\"/x/..\"]}", true, false, false, 2 },
		{ "{\"prefixes\":[\"/%2e\"],\"tags\":[\"a\"]}", true, false, false, 2 },
		{ "{\"prefixes\":[\"a/\"]}", false, false, false, 1 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct order *o = made(rows[i].json);
		CHECK(rows[i].json, o && order_is_wide(o) == rows[i].is_wide);
		CHECK(rows[i].json, o && order_is_of_files(o) == rows[i].is_of_files);
		CHECK(rows[i].json, o && order_has_pattern(o) == rows[i].has_pattern);
		CHECK(rows[i].json, o && o->scope_count == rows[i].scopes);
		for (size_t k = 1; o && k < o->scope_count; k++)
			CHECK(rows[i].json, by_scope(&o->scopes[k - 1], &o->scopes[k]) <= 0);
		order_unref(&o);
	}
}

/* ---- what is written ---- */

static void test_writing(void)
{
	static const struct {
		const char *json, *written;
	} rows[] = {
		{ "{\"files\":[\"http://a/x/../%7eu\",\"http://b\"]}",
		    "\"files\":[\"http://a/~u\",\"http://b/\"],\"mode\":\"hard\"" },
		{ "{\"tags\":[\"a\\\"\",\"\\u00e4\"]}",
		    "\"tags\":[\"a\\\"\",\"\xc3\xa4\"],\"mode\":\"soft\"" },
		{ "{\"mode\":\"hard\",\"hosts\":[\"A\"],\"prefixes\":[\"/b\"],\"everything\":true}",
		    "\"prefixes\":[\"/b\"],\"hosts\":[\"A\"],\"everything\":true,\"mode\":\"hard\"" },
		{ "{\"expression\":\"a  AND b\",\"regex\":\"^\\\\d\",\"reason\":\"r\",\"deploy_id\":"
		  "\"7\"}",
		    "\"expression\":\"a  AND b\",\"regex\":\"^\\\\d\",\"reason\":\"r\",\"deploy_id\":"
		    "\"7\",\"mode\":\"soft\"" },
		/* How it was to be done is over then. */
		{ "{\"tags\":[\"a\"],\"wait\":true,\"confirm\":true,\"refresh\":true,\"max_objects\":1}",
		    "\"tags\":[\"a\"],\"mode\":\"soft\"" },
	};
	struct buf once, twice, whole;
	buf_init(&once, 0);
	buf_init(&twice, 0);
	buf_init(&whole, 0);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct order *o = made(rows[i].json);
		if (!o)
			continue;
		buf_clear(&once);
		buf_clear(&twice);
		buf_clear(&whole);
		order_write(o, &once);
		CHECK_SLICE(rows[i].json, buf_slice(&once), rows[i].written);
		order_unref(&o);
		/* What the log reads back is the same. */
		buf_addf(&whole, "{%.*s}%c", SLICE_ARG(buf_slice(&once)), '\0');
		o = made(whole.at);
		if (o)
			order_write(o, &twice);
		CHECK(rows[i].json, slice_eq(buf_slice(&once), buf_slice(&twice)));
		order_unref(&o);
	}
	buf_fini(&once);
	buf_fini(&twice);
	buf_fini(&whole);
}

static void test_life(void)
{
	struct order *none = NULL, *o = order_new();
	CU_ASSERT_PTR_NOT_NULL(o);
	if (!o)
		return;
	order_unref(&none);
	struct order *same = order_ref(o);
	CU_ASSERT_PTR_EQUAL(same, o);
	order_unref(&o);
	CU_ASSERT_PTR_NULL(o);
	CU_ASSERT_EQUAL(same->max_objects, UINT64_MAX);
	CU_ASSERT_EQUAL(same->gate.timeout_ms, 60000);
	order_unref(&same);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "lists", test_lists },
		{ "modes and refreshes", test_modes },
		{ "guards", test_guards },
		{ "gates", test_gates },
		{ "matching", test_matching },
		{ "matching tags", test_matching_tags },
		{ "kinds", test_kinds },
		{ "writing", test_writing },
		{ "life", test_life },
		CU_TEST_INFO_NULL,
	};
	return kit_run("purge/order", tests);
}
