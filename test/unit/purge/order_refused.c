/* SPDX-License-Identifier: Apache-2.0 */
/* Bad orders: each is refused as a whole, with the field that is wrong and what is wrong with
 * it. */
#include "purge/expr.h"
#include "purge/regex.h"

/* The reading of a pattern, that can be out of memory. */
static bool is_starved;
static enum err parse_expr(struct slice text, struct expr **ret, struct expr_problem *problem)
{
	return is_starved ? ERR_NO_MEMORY : expr_parse(text, ret, problem);
}
static enum err new_regex(struct slice text, struct regex **ret, struct regex_problem *problem)
{
	return is_starved ? ERR_NO_MEMORY : regex_new(text, ret, problem);
}
#define expr_parse parse_expr
#define regex_new new_regex

#include "purge/order.c"
#include "test/unit/purge/orders.h"

/* What is wrong with an order: "field: why". */
static enum err trouble(struct slice json, char *to, size_t room)
{
	struct order *o = NULL;
	struct order_problem problem;
	enum err err = order_read(json, &o, &problem);
	CU_ASSERT_EQUAL(err == ERR_NONE, o != NULL);
	if (!err)
		err = order_prepare(o, key, NULL, &problem);
	snprintf(to, room, "%s: %s", problem.field, problem.why);
	order_unref(&o);
	CU_ASSERT_PTR_NULL(o);
	return err;
}

static void check_refused(struct slice json, const char *want)
{
	char told[300], row[100];
	enum err err = trouble(json, told, sizeof(told));
	snprintf(row, sizeof(row), "%.*s", (int)min_size(json.len, 90), json.len ? json.at : "");
	CHECK(row, err == ERR_BAD_ORDER);
	if (err)
		CHECK_SLICE(row, slice_str(told), want);
}

#define NO_TARGET                                                                                  \
	": says not what to purge: give files, tags, prefixes, hosts, everything, expression or regex"
#define NO_GATE "wait_origin: needs url, equals, and one of header and json"
#define NO_REFRESH "refresh: must be true, false or {\"origin_rps\": NUMBER}"
#define NO_RPS "refresh.origin_rps: must be a whole number from 1 to 100000"
#define NO_NUMBER "max_objects: must be a whole number from 1 to 9223372036854775807"
#define NO_TIMEOUT "wait_origin.timeout: must be a duration of at most 600 s, such as \"60s\""
#define NO_PLAIN_PATH                                                                              \
	"prefixes[0]: is of the path alone: without ?, # and *; other bytes as in %C3%A4"
#define NO_PREFIX_HOST "prefixes[0]: begins with no host: give host/path or /path"
#define NO_URL "files[0]: is no URL: give scheme, host and path, such as https://shop.example/"
#define NO_HOST "hosts[0]: is a host name, with a port or without, and no more"

static void test_refused_whole(void)
{
	static const struct {
		const char *json, *told;
	} rows[] = {
		{ "[]", ": must be a JSON object" },
		{ "[{\"tags\":[\"a\"]}]", ": must be a JSON object" },
		{ "{}", NO_TARGET },
		{ "{\"mode\":\"hard\"}", NO_TARGET },
		{ "{\"everything\":false}", NO_TARGET },
		{ "{\"dry_run\":true,\"reason\":\"x\"}", NO_TARGET },
		{ "{\"tag\":[\"a\"]}", "tag: is not known" },
		{ "{\"Tags\":[\"a\"]}", "Tags: is not known" },
		{ "{\"\":[\"a\"]}", ": is not known" },
		{ "{\"tags\":[\"a\"],\"seq\":1}", "seq: is not known" },
		/* What comes first is named. */
		{ "{\"tags\":[],\"hosts\":[]}",
		    "tags: must be a list of strings with at least one in it" },
		{ "{\"hosts\":[],\"tags\":[]}",
		    "hosts: must be a list of strings with at least one in it" },
		{ "{\"0123456789012345678901234567890123456789012345678901234567890123456789\":1}",
		    "012345678901234567890123456789012345678901234567890123456789012: is not known" },
		{ "{\"mode\":\"hard\",\"refresh\":true,\"tags\":[\"a\"]}",
		    "refresh: is for soft purges: a hard one leaves nothing to refresh" },
		{ "{\"files\":[\"http://a/\"],\"refresh\":true}",
		    "refresh: is for soft purges: a hard one leaves nothing to refresh" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		check_refused(slice_str(rows[i].json), rows[i].told);
}

static void test_refused_lists(void)
{
	static const char *const names[] = { "files", "tags", "prefixes", "hosts" };
	static const struct {
		const char *value, *told; /* told: behind the name */
	} rows[] = {
		{ "[]", ": must be a list of strings with at least one in it" },
		{ "\"a\"", ": must be a list of strings with at least one in it" },
		{ "null", ": must be a list of strings with at least one in it" },
		{ "true", ": must be a list of strings with at least one in it" },
		{ "{\"a\":\"b\"}", ": must be a list of strings with at least one in it" },
		{ "[1]", "[0]: must be a string" },
		{ "[\"a\",null]", "[1]: must be a string" },
		{ "[\"a\",\"b\",[\"c\"]]", "[2]: must be a string" },
		{ "[\"\"]", "[0]: is empty" },
		{ "[\"a\",\"\"]", "[1]: is empty" },
		{ "[\"a\\nb\"]", "[0]: has a control byte in it" },
		{ "[\"a\",\"\\u001f\"]", "[1]: has a control byte in it" },
		{ "[\"\\u007f\"]", "[0]: has a control byte in it" },
	};
	for (size_t n = 0; n < COUNT_OF(names); n++) {
		for (size_t i = 0; i < COUNT_OF(rows); i++) {
			char json[80], told[100];
			snprintf(json, sizeof(json), "{\"%s\":%s}", names[n], rows[i].value);
			snprintf(told, sizeof(told), "%s%s", names[n], rows[i].told);
			check_refused(slice_str(json), told);
		}
	}
}

static void test_refused_members(void)
{
	static const struct {
		const char *member, *told;
	} rows[] = {
		{ "\"everything\":1", "everything: must be true or false" },
		{ "\"everything\":\"true\"", "everything: must be true or false" },
		{ "\"dry_run\":null", "dry_run: must be true or false" },
		{ "\"wait\":\"yes\"", "wait: must be true or false" },
		{ "\"fail_if_empty\":0", "fail_if_empty: must be true or false" },
		{ "\"confirm\":[]", "confirm: must be true or false" },
		{ "\"mode\":\"\"", "mode: must be \"soft\" or \"hard\"" },
		{ "\"mode\":\"HARD\"", "mode: must be \"soft\" or \"hard\"" },
		{ "\"mode\":\"invalid\"", "mode: must be \"soft\" or \"hard\"" },
		{ "\"mode\":null", "mode: must be \"soft\" or \"hard\"" },
		{ "\"reason\":1", "reason: must be a string" },
		{ "\"reason\":\"\"", "reason: is empty" },
		{ "\"deploy_id\":\"a\\tb\"", "deploy_id: has a control byte in it" },
		{ "\"deploy_id\":{}", "deploy_id: must be a string" },
		{ "\"expression\":[\"a\"]", "expression: must be a string" },
		{ "\"regex\":\"\"", "regex: is empty" },
		{ "\"max_objects\":0", NO_NUMBER },
		{ "\"max_objects\":-1", NO_NUMBER },
		{ "\"max_objects\":1.0", NO_NUMBER },
		{ "\"max_objects\":1e3", NO_NUMBER },
		{ "\"max_objects\":\"10\"", NO_NUMBER },
		{ "\"max_objects\":null", NO_NUMBER },
		{ "\"refresh\":1", NO_REFRESH },
		{ "\"refresh\":null", NO_REFRESH },
		{ "\"refresh\":[]", NO_REFRESH },
		{ "\"refresh\":{\"rps\":1}", NO_REFRESH },
		{ "\"refresh\":{\"origin_rps\":1,\"x\":2}", NO_REFRESH },
		{ "\"refresh\":{\"origin_rps\":0}", NO_RPS },
		{ "\"refresh\":{\"origin_rps\":100001}", NO_RPS },
		{ "\"refresh\":{\"origin_rps\":null}", NO_RPS },
		{ "\"refresh\":{\"origin_rps\":1.5}", NO_RPS },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char json[120];
		snprintf(json, sizeof(json), "{\"tags\":[\"a\"],%s}", rows[i].member);
		check_refused(slice_str(json), rows[i].told);
	}
}

static void test_refused_gates(void)
{
	static const struct {
		const char *gate, *told;
	} rows[] = {
		{ "true", "wait_origin: must be an object" },
		{ "null", "wait_origin: must be an object" },
		{ "\"http://a/\"", "wait_origin: must be an object" },
		{ "{}", NO_GATE },
		{ "{\"url\":\"u\"}", NO_GATE },
		{ "{\"url\":\"u\",\"equals\":\"1\"}", NO_GATE },
		{ "{\"url\":\"u\",\"header\":\"x\"}", NO_GATE },
		{ "{\"header\":\"x\",\"equals\":\"1\"}", NO_GATE },
		{ "{\"url\":\"u\",\"equals\":\"1\",\"header\":\"x\",\"json\":\"$.v\"}", NO_GATE },
		{ "{\"url\":\"u\",\"x\":1}", "wait_origin.x: is not known" },
		{ "{\"url\":\"\"}", "wait_origin.url: is empty" },
		{ "{\"url\":1}", "wait_origin.url: must be a string" },
		{ "{\"json\":[]}", "wait_origin.json: must be a string" },
		{ "{\"equals\":1}", "wait_origin.equals: must be a string" },
		{ "{\"header\":\"a\\r\\nb\"}", "wait_origin.header: has a control byte in it" },
		{ "{\"url\":\"u\",\"equals\":\"1\",\"header\":\"a b\"}",
		    "wait_origin.header: is no field name" },
		{ "{\"timeout\":60}", NO_TIMEOUT },
		{ "{\"timeout\":\"\"}", NO_TIMEOUT },
		{ "{\"timeout\":\"60\"}", NO_TIMEOUT },
		{ "{\"timeout\":\"0s\"}", NO_TIMEOUT },
		{ "{\"timeout\":\"-1s\"}", NO_TIMEOUT },
		{ "{\"timeout\":\"600001ms\"}", NO_TIMEOUT },
		{ "{\"timeout\":\"99999999999999999999h\"}", NO_TIMEOUT },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char json[160];
		snprintf(json, sizeof(json), "{\"tags\":[\"a\"],\"wait_origin\":%s}", rows[i].gate);
		check_refused(slice_str(json), rows[i].told);
	}
}

static void test_refused_meanings(void)
{
	static const struct {
		const char *member, *told;
	} rows[] = {
		{ "\"files\":[\"/path\"]", NO_URL },
		{ "\"files\":[\"a/path\"]", NO_URL },
		{ "\"files\":[\"ftp://a/\"]", NO_URL },
		{ "\"files\":[\"http://\"]", NO_URL },
		{ "\"files\":[\"http:///x\"]", NO_URL },
		{ "\"files\":[\"http://u@a/\"]", NO_URL },
		{ "\"files\":[\"http://a:99999/\"]", NO_URL },
		{ "\"prefixes\":[\"a/x?y\"]", NO_PLAIN_PATH },
		{ "\"prefixes\":[\"a/x#y\"]", NO_PLAIN_PATH },
		{ "\"prefixes\":[\"a/x*\"]", NO_PLAIN_PATH },
		{ "\"prefixes\":[\"a/x y\"]", NO_PLAIN_PATH },
		{ "\"prefixes\":[\"a/\\u00e4\"]", NO_PLAIN_PATH },
		{ "\"prefixes\":[\"a b/x\"]", NO_PREFIX_HOST },
		{ "\"prefixes\":[\"u@a/x\"]", NO_PREFIX_HOST },
		{ "\"prefixes\":[\"*\"]", NO_PREFIX_HOST },
		/* An empty variable of a script is not all hosts. */
		{ "\"prefixes\":[\"http://\"]", NO_PREFIX_HOST },
		{ "\"prefixes\":[\"https:///\"]", NO_PREFIX_HOST },
		{ "\"prefixes\":[\"http:///x\"]", NO_PREFIX_HOST },
		{ "\"prefixes\":[\"://\"]", NO_PREFIX_HOST },
		{ "\"prefixes\":[\"ftp://a/x\"]", NO_PREFIX_HOST },
		{ "\"prefixes\":[\"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24"
		  "/25/26/27/28/29/30/31/32/33\"]",
		    "prefixes[0]: has more than 32 segments" },
		{ "\"hosts\":[\"a/b\"]", NO_HOST },
		{ "\"hosts\":[\"http://a\"]", NO_HOST },
		{ "\"hosts\":[\"*.a\"]", NO_HOST },
		{ "\"hosts\":[\"a b\"]", "hosts[0]: is no host name" },
		{ "\"hosts\":[\"a:x\"]", "hosts[0]: is no host name" },
		{ "\"hosts\":[\"\\u00e4\"]", "hosts[0]: is no host name" },
		{ "\"expression\":\"a AND\"", "expression: at byte 5: expected a tag, NOT or '('" },
		{ "\"expression\":\"a b\"",
		    "expression: at byte 2: expected AND or OR between two tags" },
		{ "\"regex\":\"(\"", "regex: at byte 1: missing closing parenthesis" },
		{ "\"regex\":\"a{999}\"", "regex: at byte 4: a repeat of more than 256" },
		/* The item is named, not the list's first. */
		{ "\"files\":[\"http://a/\",\"http://b/\",\"c\"]",
		    "files[2]: is no URL: give scheme, host and path, such as https://shop.example/" },
		{ "\"prefixes\":[\"/ok\",\"a/?\"]",
		    "prefixes[1]: is of the path alone: without ?, # and *; other bytes as in "
		    "%C3%A4" },
		{ "\"hosts\":[\"a\",\"b\",\"c:\",\"d d\"]", "hosts[3]: is no host name" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char json[200];
		snprintf(json, sizeof(json), "{%s}", rows[i].member);
		check_refused(slice_str(json), rows[i].told);
	}
}

/* What is no JSON: where, and why. */
static void test_syntax(void)
{
	check_refused(
	    SLICE_NONE, ": is no JSON: line 1, column 0: '[' or '{' expected near end of file");
	check_refused(
	    SL("{"), ": is no JSON: line 1, column 1: string or '}' expected near end of file");
	check_refused(SL("17"), ": is no JSON: line 1, column 2: '[' or '{' expected near '17'");
	check_refused(SL("{\"tags\":[\"a\"],}"),
	    ": is no JSON: line 1, column 15: string or '}' expected near '}'");
	check_refused(SL("{\n  \"tags\": [\"a\"]\n  \"mode\": \"soft\"\n}"),
	    ": is no JSON: line 3, column 8: '}' expected near '\"mode\"'");
	check_refused(SL("{\"tags\":[\"a\"],\n\n\"tags\":[\"b\"]}"),
	    ": is no JSON: line 3, column 6: duplicate object key near '\"tags\"'");
	check_refused(SL("{\"tags\":[\"a\"]} x"),
	    ": is no JSON: line 1, column 16: end of file expected near 'x'");
	check_refused(SL("{\"tags\":[\"\\u0000\"]}"),
	    ": is no JSON: line 1, column 17: \\u0000 is not allowed without JSON_ALLOW_NUL near "
	    "'\"\\u0000\"'");
	check_refused(SL("{\"tags\":[\"\xff\"]}"),
	    ": is no JSON: line 1, column 10: unable to decode byte 0xff near '\"'");
}

/* ---- bounds ---- */

/* A list of so many strings, each of so many bytes. */
static void add_list(struct buf *to, const char *name, size_t count, size_t bytes)
{
	buf_addf(to, "%c\"%s\":[", to->len ? ',' : '{', name);
	for (size_t i = 0; i < count; i++)
		buf_addf(to, "%s\"%0*zu\"", i ? "," : "", (int)bytes, i);
	buf_add_char(to, ']');
}

static void test_items(void)
{
	struct buf json;
	struct order *o = NULL;
	struct order_problem problem;
	buf_init(&json, 0);
	add_list(&json, "tags", ORDER_ITEMS, 8);
	buf_add_char(&json, '}');
	CU_ASSERT_EQUAL(order_read(buf_slice(&json), &o, &problem), ERR_NONE);
	CU_ASSERT_EQUAL(order_prepare(o, key, NULL, &problem), ERR_NONE);
	CU_ASSERT(o->tags.count == ORDER_ITEMS && o->scope_count == ORDER_ITEMS);
	order_unref(&o);
	buf_clear(&json);
	add_list(&json, "hosts", ORDER_ITEMS + 1, 8);
	buf_add_char(&json, '}');
	check_refused(buf_slice(&json), "hosts: makes it more than 10000 items in all");
	buf_clear(&json);
	add_list(&json, "tags", 4000, 8);
	add_list(&json, "prefixes", 3000, 8);
	add_list(&json, "hosts", 3000, 8);
	add_list(&json, "files", 1, 8);
	buf_add_char(&json, '}');
	check_refused(buf_slice(&json), "files: makes it more than 10000 items in all");
	buf_fini(&json);
}

static void test_lengths(void)
{
	static const struct {
		const char *format, *field; /* format: of two lengths and a text */
		size_t max;
	} rows[] = {
		{ "{\"tags\":[\"%0*d\"]}", "tags[0]", 8192 },
		{ "{\"tags\":[\"a\"],\"reason\":\"%0*d\"}", "reason", 1024 },
		{ "{\"tags\":[\"a\"],\"deploy_id\":\"%0*d\"}", "deploy_id", 1024 },
		{ "{\"expression\":\"%0*d\"}", "expression", 4096 },
		{ "{\"regex\":\"%0*d\"}", "regex", 1024 },
		{ "{\"tags\":[\"a\"],\"wait_origin\":{\"header\":\"x\",\"equals\":\"1\",\"url\":"
		  "\"%0*d\"}}",
		    "wait_origin.url", 8192 },
	};
	char told[100];
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct order *o = NULL;
		char *text = NULL;
		CU_ASSERT_FATAL(asprintf(&text, rows[i].format, (int)rows[i].max, 1) > 0);
		o = made(text);
		order_unref(&o);
		free(text);
		CU_ASSERT_FATAL(asprintf(&text, rows[i].format, (int)rows[i].max + 1, 1) > 0);
		snprintf(
		    told, sizeof(told), "%s: has more than %zu bytes", rows[i].field, rows[i].max);
		check_refused(slice_str(text), told);
		free(text);
	}
}

/* What runs out of memory is no defect of the order. */
static void test_no_memory(void)
{
	char told[300];
	for (int starved = 1; starved >= 0; starved--) {
		enum err wanted = starved ? ERR_NO_MEMORY : ERR_NONE;
		is_starved = starved;
		CU_ASSERT_EQUAL(trouble(SL("{\"expression\":\"a\"}"), told, sizeof(told)), wanted);
		CU_ASSERT_EQUAL(trouble(SL("{\"regex\":\"a\"}"), told, sizeof(told)), wanted);
	}
	struct order *o = NULL;
	struct order_problem problem;
	struct buf json;
	buf_init(&json, 0);
	buf_add(&json, SL("{\"files\":[\"http://a/"));
	for (int i = 0; i < 2000; i++)
		buf_add(&json, SL("aa"));
	buf_add(&json, SL("\"]}"));
	CU_ASSERT_EQUAL_FATAL(order_read(buf_slice(&json), &o, &problem), ERR_NONE);
	o->arena.max = o->arena.used;
	CU_ASSERT_EQUAL(order_prepare(o, key, NULL, &problem), ERR_NO_MEMORY);
	order_unref(&o);
	buf_fini(&json);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "refused as a whole", test_refused_whole },
		{ "refused lists", test_refused_lists },
		{ "refused members", test_refused_members },
		{ "refused gates", test_refused_gates },
		{ "refused meanings", test_refused_meanings },
		{ "no JSON", test_syntax },
		{ "items in all", test_items },
		{ "lengths", test_lengths },
		{ "no memory", test_no_memory },
		CU_TEST_INFO_NULL,
	};
	return kit_run("purge/order_refused", tests);
}
