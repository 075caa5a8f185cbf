/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/options.c"

#include "edge/conf/load.h"
#include "made.h"

/* Fills a struct from text. Returns the problems, static; "" = none. */
static const char *load(const struct conf_table *table, const char *text, void *dest)
{
	static struct arena arena;
	static char problems[1024];
	struct conf_source source = { SL("test"), slice_str(text), false };
	struct conf_load loading;
	struct conf_errors errors;
	arena_fini(&arena);
	arena_init(&arena, MIB);
	conf_errors_init(&errors);
	memset(dest, 0, table->struct_bytes);
	conf_load_begin(&loading, &arena, &source, 1);
	conf_load_fill(&loading, table, dest);
	(void)!conf_load_end(&loading, &errors);
	snprintf(problems, sizeof(problems), "%.*s", SLICE_ARG(buf_slice(&errors.text)));
	conf_errors_fini(&errors);
	return problems;
}

static void test_defaults(void)
{
	struct tls_options o;
	CU_ASSERT_STRING_EQUAL(load(&tls_options_table, "{}", &o), "");
	CU_ASSERT_EQUAL(o.certificates.count, 0);
	CU_ASSERT_EQUAL(o.unknown_name, TLS_UNKNOWN_DEFAULT);
	CU_ASSERT_EQUAL(o.min_version, TLS_VERSION_12);
	CU_ASSERT_EQUAL(o.ciphers.len, 0);
	CU_ASSERT_EQUAL_FATAL(o.alpn.count, 2);
	CU_ASSERT(slice_eq(o.alpn.at[0], SL("h2")) && slice_eq(o.alpn.at[1], SL("http/1.1")));
	CU_ASSERT_EQUAL(o.handshake_ms, 10000);
	CU_ASSERT(o.tickets && !o.early_data);
	CU_ASSERT_EQUAL(o.ticket_rotation_ms, 12 * 3600 * 1000);
	CU_ASSERT_EQUAL(o.client_certificate, TLS_CLIENT_OFF);
	struct tls_client_options c;
	CU_ASSERT_STRING_EQUAL(load(&tls_client_options_table, "{}", &c), "");
	CU_ASSERT(c.verify);
	CU_ASSERT_EQUAL(c.min_version, TLS_VERSION_12);
	CU_ASSERT_EQUAL(c.handshake_ms, 5000);
	CU_ASSERT_EQUAL(c.ca.len + c.server_name.len + c.cert.len + c.key.len, 0);
}

static void test_all(void)
{
	struct tls_options o;
	CU_ASSERT_STRING_EQUAL(load(&tls_options_table,
				   "certificates:\n"
				   "  - cert: a.pem\n"
				   "    key: a.key\n"
				   "  - {cert: b.pem, key: b.key}\n"
				   "unknown-name: refuse\n"
				   "min-version: 1.3\n"
				   "alpn: [http/1.1]\n"
				   "tickets: false\n"
				   "client-certificate: required\n",
				   &o),
	    "");
	const struct tls_pair_options *pairs = o.certificates.at;
	CU_ASSERT_EQUAL_FATAL(o.certificates.count, 2);
	CU_ASSERT(slice_eq(pairs[0].cert, SL("a.pem")) && slice_eq(pairs[1].key, SL("b.key")));
	CU_ASSERT_EQUAL(o.unknown_name, TLS_UNKNOWN_REFUSE);
	CU_ASSERT_EQUAL(o.min_version, TLS_VERSION_13);
	CU_ASSERT_EQUAL(o.alpn.count, 1);
	CU_ASSERT_FALSE(o.tickets);
	CU_ASSERT_EQUAL(o.client_certificate, TLS_CLIENT_REQUIRED);
}

static void test_bad(void)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "certificates: [{cert: a.pem}]", "key" },
		{ "certificates: [{cert: \"\", key: b}]", "write the path of a PEM file" },
		{ "alpn: [h3]", "write h2 or http/1.1" },
		{ "min-version: \"1.1\"", "not 1.2 or 1.3" },
		{ "unknown-name: reject", "not default or refuse" },
		{ "client-certificate: maybe", "off, optional or required" },
		{ "handshake-timeout: 0", "out of range" },
		{ "ticket-rotation: 1s", "out of range" },
		{ "ticket-rotation: 8d", "out of range" },
	};
	struct tls_options o;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CU_ASSERT(says(load(&tls_options_table, rows[i].text, &o), rows[i].says));
	struct tls_client_options c;
	CU_ASSERT(says(
	    load(&tls_client_options_table, "server-name: https://a", &c), "write a name alone"));
	CU_ASSERT_STRING_EQUAL(load(&tls_client_options_table, "server-name: a.example", &c), "");
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "defaults", test_defaults },
		{ "all", test_all },
		{ "bad", test_bad },
		CU_TEST_INFO_NULL,
	};
	return run_tests("options", tests);
}
