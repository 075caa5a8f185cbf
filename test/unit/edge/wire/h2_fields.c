/* SPDX-License-Identifier: Apache-2.0 */
/* Field sections to requests, and answers to field sections (RFC 9113 8.2, 8.3). */
#include "edge/wire/h2_fields.c"

#include <CUnit/Basic.h>

static const struct limits limits = {
	.line_bytes = 64,
	.head_bytes = 256,
	.head_fields = 4,
	.body_bytes = 100,
};

struct pair {
	const char *name, *value;
};

/* Reads a head; returns what h2_head_finish says. */
static enum err read_head(struct stream *s, const struct pair *pairs, size_t count, bool *ret_fits)
{
	struct h2_head head = { 0 };
	arena_init(&s->arena, 64 * KIB);
	s->request = (struct request){ .scheme = SL("http"), .version = 20 };
	*ret_fits = true;
	for (size_t i = 0; i < count; i++)
		*ret_fits &= h2_head_take(
		    s, &head, &limits, slice_str(pairs[i].name), slice_str(pairs[i].value));
	return h2_head_finish(s, &head, &limits);
}

#define HEAD(method, path)                                                                         \
	{ ":method", method }, { ":scheme", "http" }, { ":path", path },                           \
	{                                                                                          \
		":authority", "A:80"                                                               \
	}

static void check(enum err wanted, const struct pair *pairs, size_t count)
{
	struct stream s = { 0 };
	bool fits;
	CU_ASSERT_EQUAL(read_head(&s, pairs, count, &fits), wanted);
	CU_ASSERT(fits);
	arena_fini(&s.arena);
}
#define CHECK(wanted, ...)                                                                         \
	check(wanted, (const struct pair[]){ __VA_ARGS__ },                                        \
	    COUNT_OF(((const struct pair[]){ __VA_ARGS__ })))

static void test_request(void)
{
	const struct pair pairs[] = { HEAD("GET", "/a?b"), { "cookie", "x=1" }, { "x-y", "Z" },
		{ "cookie", "y=2" }, { "cookie", "z" } };
	struct stream s = { 0 };
	bool fits;
	CU_ASSERT_EQUAL(read_head(&s, pairs, COUNT_OF(pairs), &fits), ERR_NONE);
	CU_ASSERT(s.request.method == METHOD_GET);
	CU_ASSERT(slice_eq(s.request.authority, SL("a")));
	CU_ASSERT(slice_eq(s.request.path, SL("/a")) && slice_eq(s.request.query, SL("b")));
	CU_ASSERT_EQUAL(s.request.fields.count, 2);
	CU_ASSERT(slice_eq(fields_value(&s.request.fields, FIELD_COOKIE), SL("x=1; y=2; z")));
	arena_fini(&s.arena);
}

static void test_refused(void)
{
	CHECK(ERR_NONE, HEAD("GET", "/"), { "host", "a" });
	CHECK(ERR_BAD_HOST, HEAD("GET", "/"), { "host", "b" });
	CHECK(ERR_BAD_TARGET, HEAD("GET", "a"));
	CHECK(ERR_BAD_TARGET, { ":method", "GET" }, { ":scheme", "ftp" }, { ":path", "/" },
	    { ":authority", "a" });
	CHECK(ERR_BAD_REQUEST, HEAD("G T", "/"));
	CHECK(ERR_METHOD_REFUSED, HEAD("TRACE", "/"));
	CHECK(ERR_METHOD_REFUSED, { ":method", "CONNECT" }, { ":authority", "a:1" });
	CHECK(ERR_PROTOCOL_UNKNOWN, HEAD("CONNECT", "/"), { ":protocol", "foo" });
	CHECK(ERR_LINE_TOO_LONG,
	    HEAD("GET", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	CHECK(ERR_TOO_MANY_FIELDS, HEAD("GET", "/"), { "a", "" }, { "b", "" }, { "c", "" },
	    { "d", "" }, { "e", "" });
	CHECK(ERR_EXPECT_UNKNOWN, HEAD("GET", "/"), { "expect", "x" });
}

/* RFC 8441 4 */
static void test_extended_connect(void)
{
	const struct pair pairs[] = { HEAD("CONNECT", "/chat"), { ":protocol", "websocket" } };
	struct stream s = { 0 };
	bool fits;
	CU_ASSERT_EQUAL(read_head(&s, pairs, COUNT_OF(pairs), &fits), ERR_NONE);
	CU_ASSERT(s.request.method == METHOD_GET);
	CU_ASSERT(slice_eq(s.request.method_name, SL("GET")));
	CU_ASSERT(slice_eq(s.request.upgrade, SL("websocket")));
	CU_ASSERT(slice_eq(s.request.path, SL("/chat")));
	arena_fini(&s.arena);
}

static void test_head_too_large(void)
{
	struct stream s = { 0 };
	bool fits;
	char value[200];
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	const struct pair twice[] = { HEAD("GET", "/"), { "a", value }, { "b", value } };
	CU_ASSERT_EQUAL(read_head(&s, twice, COUNT_OF(twice), &fits), ERR_HEAD_TOO_LARGE);
	CU_ASSERT(fits);
	arena_fini(&s.arena);
	const struct pair thrice[] = { HEAD("GET", "/"), { "a", value }, { "b", value },
		{ "c", value } };
	CU_ASSERT_EQUAL(read_head(&s, thrice, COUNT_OF(thrice), &fits), ERR_HEAD_TOO_LARGE);
	CU_ASSERT_FALSE(fits);
	arena_fini(&s.arena);
}

static bool is_nv(const nghttp2_nv *nv, const char *name, const char *value)
{
	return slice_eq(slice_of((const char *)nv->name, nv->namelen), slice_str(name)) &&
	    slice_eq(slice_of((const char *)nv->value, nv->valuelen), slice_str(value));
}

static void test_answer(void)
{
	struct answer a = { .status = 503, .has_length = true, .length = 1234567890123 };
	struct h2_section section;
	struct arena arena;
	arena_init(&arena, 64 * KIB);
	a.lines[0] = SL("Content-Type: a/b\r\nConnection: x\r\nKeep-Alive: y\r\nUpgrade: z\r\n");
	a.lines[2] = SL("X:\r\nTransfer-Encoding: chunked\r\nProxy-Connection: a\r\nY: b: c \r\n");
	CU_ASSERT_FATAL(h2_section_of_answer(&arena, &a, &section));
	CU_ASSERT_EQUAL_FATAL(section.count, 5);
	CU_ASSERT(is_nv(&section.at[0], ":status", "503"));
	CU_ASSERT(is_nv(&section.at[1], "content-type", "a/b"));
	CU_ASSERT(is_nv(&section.at[2], "x", ""));
	CU_ASSERT(is_nv(&section.at[3], "y", "b: c"));
	CU_ASSERT(is_nv(&section.at[4], "content-length", "1234567890123"));
	a = (struct answer){ .status = 101, .has_length = true };
	CU_ASSERT_FATAL(h2_section_of_answer(&arena, &a, &section));
	CU_ASSERT_EQUAL_FATAL(section.count, 1);
	CU_ASSERT(is_nv(&section.at[0], ":status", "200")); /* RFC 8441 5 */
	a = (struct answer){ .status = 200, .has_length = true };
	CU_ASSERT_FATAL(h2_section_of_answer(&arena, &a, &section));
	CU_ASSERT(is_nv(&section.at[1], "content-length", "0"));
	arena_fini(&arena);
}

static void test_trailers(void)
{
	struct slice lines = SLICE_NONE;
	struct arena arena;
	arena_init(&arena, 512 * KIB);
	CU_ASSERT(h2_trailer_take(&arena, &lines, SL("x"), SL("1")));
	CU_ASSERT(h2_trailer_take(&arena, &lines, SL("host"), SL("b")));
	CU_ASSERT(h2_trailer_take(&arena, &lines, SL("cookie"), SL("b")));
	CU_ASSERT(slice_eq(lines, SL("x: 1\r\n")));
	bool fits = true;
	for (int i = 0; i < 20000 && fits; i++)
		fits = h2_trailer_take(&arena, &lines, SL("x"), SL("1"));
	CU_ASSERT_FALSE(fits);
	arena_fini(&arena);
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite s = CU_add_suite("edge/wire/h2_fields", NULL, NULL);
	CU_add_test(s, "request", test_request);
	CU_add_test(s, "refused", test_refused);
	CU_add_test(s, "extended connect", test_extended_connect);
	CU_add_test(s, "head too large", test_head_too_large);
	CU_add_test(s, "answer", test_answer);
	CU_add_test(s, "trailers", test_trailers);
	CU_basic_run_tests();
	return CU_get_number_of_failures() > 0;
}
