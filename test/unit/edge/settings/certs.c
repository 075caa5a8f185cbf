/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/certs.c"

#include <CUnit/Basic.h>
#include <jansson.h>

enum { DAY_S = 86400 };

static struct wall now = { INT64_C(1781524800000) };

static struct slice names[] = { { "shop.example", 12 }, { "*.shop.example", 14 } };
static char path[] = "/etc/\"shop\".pem";
static struct cert one, twin;
static struct cert *certs[] = { &one, &twin };
static struct tls_server server = { .certs = certs, .cert_count = 2 };
static struct entrance entrances[] = { { 0 }, { .tls = &server } };
static struct slice addresses[] = { { "http://a:80", 11 }, { "https://a:443", 13 } };
static struct premises premises = {
	.entrances = entrances,
	.addresses = addresses,
	.entrance_count = 2,
};

static void set(int64_t days)
{
	one = twin = (struct cert){
		.key_type = EVP_PKEY_EC,
		.names = names,
		.name_count = COUNT_OF(names),
		.not_before = now,
		.not_after = { now.ms + days * DAY_S * 1000 + 1000 },
		.path = path,
		.fingerprint = "abcdef",
		.subject = "shop.example",
	};
}

static void test_stages(void)
{
	static const struct {
		int64_t days;
		unsigned stage;
	} rows[] = { { 400, 0 }, { 30, 0 }, { 29, 1 }, { 7, 1 }, { 6, 2 }, { 1, 2 }, { 0, 3 },
		{ -1, 4 }, { -400, 4 } };
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CU_ASSERT_EQUAL(stage_of(rows[i].days), rows[i].stage);
}

/* Each stage is told of once, of a certificate that two listeners show, too. */
static void test_warnings(void)
{
	struct certs_warned warned = { 0 };
	set(400);
	certs_warn(&warned, &premises, now);
	CU_ASSERT_EQUAL(stage_told(&warned, "abcdef"), 0);
	set(20);
	certs_warn(&warned, &premises, now);
	CU_ASSERT_EQUAL(stage_told(&warned, "abcdef"), 1);
	certs_warn(&warned, &premises, now);
	set(3);
	certs_warn(&warned, &premises, now);
	CU_ASSERT_EQUAL(stage_told(&warned, "abcdef"), 2);
	/* A renewed one is another: what was told of the old one is forgotten. */
	set(400);
	strcpy(one.fingerprint, "012345");
	strcpy(twin.fingerprint, "012345");
	certs_warn(&warned, &premises, now);
	CU_ASSERT_EQUAL(stage_told(&warned, "abcdef"), 0);
	certs_warned_fini(&warned);
}

static void test_list(void)
{
	struct buf text;
	json_int_t days = 0;
	const char *listener = "", *end = "", *key = "", *file = "";
	set(3);
	buf_init(&text, 0);
	certs_list(&text, &premises, now);
	json_t *all = json_loadb(text.at, text.len, 0, NULL);
	json_t *list = json_object_get(all, "certificates");
	CU_ASSERT_EQUAL(json_array_size(list), 2);
	CU_ASSERT_EQUAL(
	    json_unpack(json_array_get(list, 0), "{s:I,s:s,s:s,s:s,s:s}", "days_left", &days,
		"listener", &listener, "not_after", &end, "key", &key, "path", &file),
	    0);
	CU_ASSERT_EQUAL(days, 3);
	CU_ASSERT_STRING_EQUAL(listener, "https://a:443");
	CU_ASSERT_STRING_EQUAL(end, "2026-06-18T12:00:01Z");
	CU_ASSERT_STRING_EQUAL(key, "ECDSA");
	CU_ASSERT_STRING_EQUAL(file, path);
	json_decref(all);
	buf_fini(&text);
}

/* No series twice, and no byte that would end a label. */
static void test_meter(void)
{
	struct metrics metrics;
	struct buf text;
	set(3);
	metrics_init(&metrics, "test");
	buf_init(&text, 0);
	certs_meter(&metrics, &premises);
	metrics_text(&metrics, &text);
	buf_add_char(&text, '\0');
	const char *found = strstr(text.at,
	    "larder_tls_certificate_expiry_timestamp_seconds{listener=\"https://a:443\","
	    "name=\"shop.example\",path=\"/etc/_shop_.pem\"} 1781784001\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(found);
	CU_ASSERT_PTR_NULL(strstr(strchr(found, '\n'), "expiry"));
	buf_fini(&text);
	metrics_fini(&metrics);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "stages", test_stages },
		{ "warnings", test_warnings },
		{ "list", test_list },
		{ "meter", test_meter },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "settings/certs", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
