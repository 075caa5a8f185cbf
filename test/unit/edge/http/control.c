/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/control.c"

#include "test/unit/edge/http/kit.h"

/* All that was read, each directive once, in the order of the table. */
static struct slice told(const struct control *c)
{
	struct slice all = SL("");
	for (size_t i = 0; i < COUNT_OF(directives); i++) {
		const struct directive *d = &directives[i];
		const char *base = (const char *)c;
		struct slice value = SL("");
		if (d->kind == FLAG || d->kind == NAMES) {
			if (!*(const bool *)(base + d->at))
				continue;
			if (d->kind == NAMES)
				value = *(const struct slice *)(const void *)(base + d->names);
		} else {
			int64_t seconds = *(const int64_t *)(const void *)(base + d->at);
			if (seconds != SECONDS_NONE)
				value = arena_printf(&arena, "%" PRId64, seconds);
			else if (d->kind == ANY && c->max_stale_any)
				value = SL("any");
			else
				continue;
		}
		all = arena_printf(&arena, "%.*s%s%.*s%s%.*s", SLICE_ARG(all), all.len ? "; " : "",
		    SLICE_ARG(d->name), value.len ? "=" : "", SLICE_ARG(value));
	}
	return all;
}

/* long: a table */
static void test_cache_control(void)
{
	static const struct {
		const char *value, *want;
	} rows[] = {
		{ "", "" },
		{ "nothing-to-see-here", "" },
		{ "foobar, max-age=3600", "max-age=3600" },
		{ "extension=\"a\\\", no-store\", max-age=1", "max-age=1" },
		/* RFC 9111 5.2: names in any case, both forms of a value */
		{ "MaX-aGe=3600", "max-age=3600" },
		{ "No-StOrE", "no-store" },
		{ "max-age=\"3600\"", "max-age=3600" },
		{ "max-age=003600", "max-age=3600" },
		{ "extension=\"max-age=3600\", max-age=1", "max-age=1" },
		{ "max-age=\"1\", extension=\"max-age=3600\"", "max-age=1" },
		/* RFC 9111 1.2.2: saturates */
		{ "max-age=2147483647", "max-age=2147483647" },
		{ "max-age=2147483648", "max-age=2147483648" },
		{ "max-age=2147483649", "max-age=2147483648" },
		{ "max-age=99999999999", "max-age=2147483648" },
		{ "max-age=99999999999999999999999999", "max-age=2147483648" },
		/* RFC 9111 4.2.1: invalid freshness information is stale */
		{ "max-age", "max-age=0" },
		{ "max-age=", "max-age=0" },
		{ "max-age=-3600", "max-age=0" },
		{ "max-age='3600'", "max-age=0" },
		{ "max-age=3600.0", "max-age=0" },
		{ "max-age=a3600", "max-age=0" },
		{ "max-age=3600a", "max-age=0" },
		{ "max-age =3600", "max-age=0" },
		{ "max-age= 3600", "max-age=0" },
		{ "max-age=\"3600", "max-age=0" },
		{ "max-age=36 00", "max-age=0" },
		{ "s-maxage=x", "s-maxage=0" },
		/* RFC 9111 4.2.1: twice is once, in the stricter form */
		{ "max-age=1800, max-age=1", "max-age=1" },
		{ "max-age=1, max-age=1800", "max-age=1" },
		{ "max-age=1, max-age=x", "max-age=0" },
		{ "min-fresh=1, min-fresh=5, min-fresh=2", "min-fresh=5" },
		{ "max-age=3600, s-maxage=1", "max-age=3600; s-maxage=1" },
		/* RFC 9111 5.2.2.4, 5.2.2.7: qualified forms */
		{ "no-cache", "no-cache" },
		{ "no-cache=\"a, b\"", "no-cache=a, b" },
		{ "private=x", "private=x" },
		{ "no-cache=\"a\", no-cache", "no-cache" },
		{ "no-cache, no-cache=\"a\"", "no-cache" },
		{ "no-cache=\"a\", no-cache=\"a\"", "no-cache=a" },
		{ "no-cache=\"a\", no-cache=\"b\"", "no-cache" },
		{ "no-cache=\"\"", "no-cache" },
		{ "no-cache=\"open", "no-cache" },
		/* RFC 5861, RFC 8246 */
		{ "stale-while-revalidate=30, stale-if-error=60, immutable",
		    "immutable; stale-while-revalidate=30; stale-if-error=60" },
		{ "stale-while-revalidate=x, stale-if-error", "" },
		/* RFC 9111 5.2.1 */
		{ "max-stale", "max-stale=any" },
		{ "max-stale=10, max-stale", "max-stale=10" },
		{ "max-stale=x", "" },
		{ "only-if-cached, no-transform", "no-transform; only-if-cached" },
		{ "public, must-revalidate, proxy-revalidate, must-understand",
		    "public; must-revalidate; proxy-revalidate; must-understand" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct control c = control_parse_value(slice_str(rows[i].value));
		CHECK_SLICE(rows[i].value, told(&c), rows[i].want);
		CHECK(rows[i].value, c.present == (rows[i].value[0] != '\0'));
	}
}

static void test_lines(void)
{
	struct fields f = kit_fields(
	    "Cache-Control: no-cache=\"a\"\nA: 1\ncache-control: max-age=1\n");
	struct control c = control_parse(&f);
	CHECK_SLICE("one list", told(&c), "max-age=1; no-cache=a");
}

static void test_request(void)
{
	static const struct {
		const char *fields, *want;
	} rows[] = {
		/* RFC 9111 5.4 */
		{ "Pragma: no-cache\n", "no-cache" },
		{ "Pragma: foo\n", "" },
		{ "Pragma: no-cache\nCache-Control: max-age=1\n", "max-age=1" },
		{ "Pragma: no-cache\nCache-Control: foo\n", "" },
		{ "Accept: x\n", "" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fields f = kit_fields(rows[i].fields);
		struct control c = control_of_request(&f);
		CHECK_SLICE(rows[i].fields, told(&c), rows[i].want);
	}
}

static void test_targeted(void)
{
	static const struct {
		const char *lines, *want; /* NULL: as if the field were not there */
	} rows[] = {
		/* RFC 9213 2.1 */
		{ "CDN-Cache-Control: max-age=3600\n", "max-age=3600" },
		{ "CDN-Cache-Control: foobar, max-age=3600;x=y\n", "max-age=3600" },
		{ "CDN-Cache-Control: max-age=99999999999\n", "max-age=2147483648" },
		{ "CDN-Cache-Control: private, no-store=?0\n", "private" },
		{ "CDN-Cache-Control: no-cache=\"a\"\n", "no-cache=a" },
		{ "CDN-Cache-Control: max-age=1\nCDN-Cache-Control: public\n",
		    "max-age=1; public" },
		{ "CDN-Cache-Control: foo\n", "" },
		/* RFC 9213 2.2: invalid or empty is absent */
		{ "CDN-Cache-Control: max-age=10000, &&&&&\n", NULL },
		{ "CDN-Cache-Control: max-age=\"10000\"\n", NULL },
		{ "CDN-Cache-Control: max-age=1.5\n", NULL },
		{ "CDN-Cache-Control: max-age=-1\n", NULL },
		{ "CDN-Cache-Control: max-age\n", NULL },
		{ "CDN-Cache-Control: MaX-aGe=3600\n", NULL },
		{ "CDN-Cache-Control: max-age =100\n", NULL },
		{ "CDN-Cache-Control:\n", NULL },
		{ "Cache-Control: max-age=1\n", NULL },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fields f = kit_fields(rows[i].lines);
		struct control c;
		bool counts = control_parse_targeted(&f, &arena, SL("CDN-Cache-Control"), &c);
		CHECK(rows[i].lines, counts == (rows[i].want != NULL));
		if (counts && rows[i].want)
			CHECK_SLICE(rows[i].lines, told(&c), rows[i].want);
	}
}

static void test_names(void)
{
	CU_ASSERT_TRUE(control_names_field(SL("a, Set-Cookie ,c"), SL("set-cookie")));
	CU_ASSERT_FALSE(control_names_field(SL("a, Set-Cookie2"), SL("set-cookie")));
	CU_ASSERT_FALSE(control_names_field(SLICE_NONE, SL("a")));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "Cache-Control", test_cache_control },
		{ "lines", test_lines },
		{ "requests", test_request },
		{ "targeted fields", test_targeted },
		{ "names of fields", test_names },
		CU_TEST_INFO_NULL,
	};
	return kit_run("http/control", tests);
}
