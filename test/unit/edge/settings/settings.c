/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/settings.c"

#include <CUnit/Basic.h>

#include "edge/conf/fmt.h"
#include "edge/conf/value.h"

static struct conf_errors errors;

static struct settings *load_named(const char *name, struct slice text)
{
	const struct conf_source source = { slice_str(name), text, false };
	conf_errors_fini(&errors);
	conf_errors_init(&errors);
	return settings_load(&source, 1, &errors);
}

static struct settings *load_text(const char *text)
{
	return load_named("f", slice_str(text));
}

static bool told(const char *want)
{
	bool same = slice_eq(buf_slice(&errors.text), slice_str(want));
	if (!same)
		printf("\n  got  %.*s\n  want %s\n", SLICE_ARG(buf_slice(&errors.text)), want);
	return same;
}

/* Reads a file of the checkout. own: buf_fini. */
static struct buf read_file(const char *name)
{
	struct buf text;
	char path[PATH_MAX];
	const char *top = getenv("TOP");
	snprintf(path, sizeof(path), "%s/%s", top ? top : ".", name);
	buf_init(&text, 0);
	FILE *file = fopen(path, "re");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	for (char *room; (room = buf_room(&text, 4096));) {
		size_t got = fread(room, 1, 4096, file);
		text.len += got;
		if (got == 0)
			break;
	}
	fclose(file);
	return text;
}

/* ---- the tables ---- */

/* What a table says of a key must be true of its own default. */
static void check_table(const struct conf_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct conf_field *f = &t->fields[i];
		CU_ASSERT(f->doc && strlen(f->doc) > 10 && slice_ends(slice_str(f->doc), SL(".")));
		CU_ASSERT(f->offset < t->struct_bytes && f->min <= f->max);
		CU_ASSERT(f->fallback || f->example || f->kind == CONF_SECTION);
		CU_ASSERT_EQUAL(
		    f->table != NULL, f->kind == CONF_SECTION || f->kind == CONF_SECTIONS);
		CU_ASSERT_EQUAL(f->words != NULL, f->kind == CONF_WORD);
		CU_ASSERT_PTR_EQUAL(conf_field_of(t, slice_str(f->key)), f);
		for (const char *c = f->key; *c; c++)
			CU_ASSERT((*c >= 'a' && *c <= 'z') || is_digit(*c) || *c == '-');
		if (f->table)
			check_table(f->table);
	}
}

static void test_tables(void)
{
	check_table(&settings_table);
}

/* ---- the files that we ship ---- */

static const char *const shipped[] = { "conf.d/larder.yaml", "conf.d/example-shop.yaml",
	"conf.d/example-https.yaml" };

static void test_default_file(void)
{
	struct buf generated, file = read_file("conf.d/larder.yaml");
	buf_init(&generated, 0);
	settings_print_defaults(&generated);
	CU_ASSERT(slice_eq(buf_slice(&file), buf_slice(&generated)));
	struct settings *s = load_named("larder.yaml", buf_slice(&file));
	CU_ASSERT(told(""));
	settings_unref(&s);
	buf_fini(&file);
	buf_fini(&generated);
}

static bool dumps_equal(const struct settings *a, const struct settings *b)
{
	struct buf x, y;
	buf_init(&x, 0);
	buf_init(&y, 0);
	conf_dump(&x, &settings_table, a);
	conf_dump(&y, &settings_table, b);
	bool same = slice_eq(buf_slice(&x), buf_slice(&y));
	buf_fini(&x);
	buf_fini(&y);
	return same;
}

/* The commented file says nothing but defaults, where it must say something examples. */
static void test_defaults_are_defaults(void)
{
	struct buf text;
	buf_init(&text, 0);
	settings_print_defaults(&text);
	struct settings *all = load_named("all", buf_slice(&text));
	struct settings *least = load_text(
	    "origins: [{name: default, addresses: [\"http://127.0.0.1:8000\"]}]\n"
	    "shares: [{name: shop}]\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(all);
	CU_ASSERT_PTR_NOT_NULL_FATAL(least);
	CU_ASSERT(dumps_equal(all, least));
	settings_unref(&all);
	settings_unref(&least);
	buf_fini(&text);
}

static bool is_formatted(struct slice text)
{
	const struct conf_source source = { SL("f"), text, false };
	struct buf out;
	buf_init(&out, 0);
	bool same = conf_fmt(&out, &source, &errors) && slice_eq(buf_slice(&out), text);
	buf_fini(&out);
	return same;
}

static void test_shipped_files(void)
{
	for (size_t i = 0; i < COUNT_OF(shipped); i++) {
		struct buf text = read_file(shipped[i]);
		struct settings *s = load_named(shipped[i], buf_slice(&text));
		CU_ASSERT(told(""));
		CU_ASSERT(is_formatted(buf_slice(&text)));
		settings_unref(&s);
		buf_fini(&text);
	}
}

/* A dump of what is in force loads to the same. */
static void test_dump_loads(void)
{
	for (size_t i = 0; i < COUNT_OF(shipped); i++) {
		struct buf dump, text = read_file(shipped[i]);
		struct settings *s = load_named("shipped", buf_slice(&text));
		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		buf_init(&dump, 0);
		conf_dump(&dump, &settings_table, s);
		struct settings *again = load_named("dump", buf_slice(&dump));
		CU_ASSERT_PTR_NOT_NULL_FATAL(again);
		CU_ASSERT(dumps_equal(s, again));
		settings_unref(&s);
		settings_unref(&again);
		buf_fini(&dump);
		buf_fini(&text);
	}
}

/* ---- the whole ---- */

#define APP "origins: [{name: app, addresses: [\"http://a:1\"]}]\n"
#define CERT "tls: {certificates: [{cert: c, key: k}]}\n"
#define TWO                                                                                        \
	"origins:\n"                                                                               \
	"  - {name: app, addresses: [\"http://a:1\"]}\n"                                           \
	"  - {name: img, addresses: [\"http://b:1\"]}\n"

static void test_default_route(void)
{
	struct settings *s = load_text(APP "cache: {keep: 3s}\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL_FATAL(s->routes.list.count, 1);
	const struct route *route = route_find(&s->routes, SL("x"), SL("/y"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(route);
	CU_ASSERT(slice_eq(route->origin, SL("app")) && route->origin_index == 0);
	CU_ASSERT_EQUAL(route->cache.keep_ms, 3000);
	settings_unref(&s);
}

static void test_bound_routes(void)
{
	struct settings *s = load_text(TWO "cache: {keep: 3s, variants: 7}\n"
					   "routes:\n"
					   "  - {host: i.example, origin: img, cache: {keep: 9s}}\n"
					   "  - {origin: app}\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	const struct route *img = route_find(&s->routes, SL("i.example"), SL("/"));
	const struct route *app = route_find(&s->routes, SL("else"), SL("/"));
	CU_ASSERT(img->origin_index == 1 && app->origin_index == 0);
	CU_ASSERT(img->cache.keep_ms == 9000 && img->cache.max_variants == 7);
	CU_ASSERT(app->cache.keep_ms == 3000 && app->cache.targeted.count == 2);
	settings_unref(&s);
}

static void test_listeners(void)
{
	struct settings *s = load_text(
	    APP "listen:\n"
		"  - http://a:80\n"
		"  - https://a\n"
		"  - address: https://[::1]:8443\n"
		"    proxy-protocol: [10.0.0.0/8, \"::1\"]\n"
		"    tls: {min-version: 1.3, alpn: [http/1.1]}\n"
		"tls: {certificates: [{cert: c, key: k}], tickets: false}\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL_FATAL(s->listen.count, 3);
	const struct listen_options *plain = settings_listen_at(s, 0);
	const struct listen_options *https = settings_listen_at(s, 1);
	const struct listen_options *own = settings_listen_at(s, 2);
	CU_ASSERT(slice_eq(plain->address, SL("http://a:80")) && plain->proxy_protocol.count == 0);
	CU_ASSERT(slice_eq(https->address, SL("https://a")));
	CU_ASSERT(https->tls.certificates.count == 1 && !https->tls.tickets);
	CU_ASSERT(https->tls.min_version == TLS_VERSION_12 && https->tls.alpn.count == 2);
	CU_ASSERT(own->tls.certificates.count == 1 && !own->tls.tickets);
	CU_ASSERT(own->tls.min_version == TLS_VERSION_13 && own->tls.alpn.count == 1);
	CU_ASSERT(own->proxy_protocol.count == 2);
	const struct tls_pair_options *pair = own->tls.certificates.at;
	CU_ASSERT(slice_eq(pair->cert, SL("c")) && slice_eq(pair->key, SL("k")));
	settings_unref(&s);
}

static void test_security_inherits(void)
{
	struct settings *s = load_text(
	    APP "routes:\n"
		"  - {host: a, origin: app, websocket: false, security: {https: require}}\n"
		"  - {origin: app}\n"
		"security: {https: redirect, hsts: 1h}\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	const struct route *a = route_find(&s->routes, SL("a"), SL("/"));
	const struct route *b = route_find(&s->routes, SL("b"), SL("/"));
	CU_ASSERT(a->security.https == HTTPS_REQUIRE && a->security.hsts_ms == 3600000);
	CU_ASSERT(b->security.https == HTTPS_REDIRECT && b->security.https_port == 443);
	CU_ASSERT(!a->websocket && b->websocket);
	settings_unref(&s);
	s = load_text(APP "security: {https: redirect}\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	b = route_find(&s->routes, SL("b"), SL("/"));
	CU_ASSERT(b->security.https == HTTPS_REDIRECT && b->websocket);
	settings_unref(&s);
}

/* What only the whole shows to be wrong about safety. */
static void test_unsafe(void)
{
	static const char *const rows[][2] = {
		{ APP "listen: [http://a, https://b]",
		    "f:2:20: \"https://b\" has no certificate; name one under tls.certificates, or by "
		    "--cert FILE --key FILE. To try without a CA: " SELF_SIGNED "\n" },
		{ APP "listen:\n  - {tls: {certificates: []}, address: https://b}\n" CERT,
		    "f:3:40: \"https://b\" has no certificate; name one under tls.certificates, or by "
		    "--cert FILE --key FILE. To try without a CA: " SELF_SIGNED "\n" },
		{ APP CERT "listen: [https://a:80, {address: http://A}]",
		    "f:3:34: \"http://A\" is listened on already; one port serves http or https, "
		    "once\n" },
		{ APP "tls: {certificates: [{cert: c}]}",
		    "f:2:22: a certificate needs the key \"key\"; for example key: "
		    "/etc/larder/shop.key\n" },
		{ APP "tls: {certificates: [{cert: \"\", key: k}]}",
		    "f:2:29: \"\" is no file; write the path of a PEM file\n" },
		{ APP "tls: {client-certificate: optional}\nlisten: [http://a, http://b]",
		    "f:2:6: clients are asked for a certificate and no CA is trusted to sign one; name "
		    "its PEM file as client-ca\n" },
		{ APP CERT
		    "listen:\n  - address: https://a\n    tls: {client-certificate: required}\n",
		    "f:5:10: clients are asked for a certificate and no CA is trusted to sign one; name "
		    "its PEM file as client-ca\n" },
		{ APP "tls: {client-crl: x}",
		    "f:2:6: client-crl without client-ca; name both, or neither\n" },
		{ APP "tls: {early-data: true, tickets: false}",
		    "f:2:6: early-data needs tickets, since only a session that is resumed has it; "
		    "write tickets: true\n" },
		{ APP "listen: [{address: http://a, proxy-protocol: [balancer]}]",
		    "f:2:47: \"balancer\" is no address or block; write 10.0.0.1, 10.0.0.0/8 or "
		    "fd00::/8\n" },
		{ APP "security: {hsts: 365d, hsts-preload: true}",
		    "f:2:38: hsts-preload is refused by the browsers' list without hsts: 365d, or "
		    "longer, and hsts-subdomains: true\n" },
		{ APP "routes:\n  - origin: app\n    security: {hsts: 364d, hsts-preload: true, "
		      "hsts-subdomains: true}",
		    "f:4:15: hsts-preload is refused by the browsers' list without hsts: 365d, or "
		    "longer, and hsts-subdomains: true\n" },
		{ "origins: [{name: a, addresses: [https://a, http://a]}]",
		    "f:1:32: http:// and https:// addresses in one origin; make two origins of them\n" },
		{ "origins: [{name: a, addresses: [https://a], tls: {cert: c}}]",
		    "f:1:50: a certificate without its key, or the reverse; name both cert and key\n" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		CU_ASSERT_PTR_NULL(load_text(rows[i][0]));
		CU_ASSERT(told(rows[i][1]));
	}
}

/* What looks like the above, and is allowed. */
static void test_safe(void)
{
	static const char *const rows[] = {
		APP "listen: [http://a, http://b, http://a:81]",
		APP CERT,
		APP CERT "listen: [https://a]",
		APP "listen: [{address: https://a, tls: {certificates: [{cert: c, key: k}]}}]",
		APP "tls: {client-certificate: optional, client-ca: f, client-crl: g}",
		APP "security: {hsts: 365d, hsts-preload: true, hsts-subdomains: true}",
		"origins: [{name: a, addresses: [https://a, https://b], tls: {cert: c, key: k}}]",
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct settings *s = load_text(rows[i]);
		CU_ASSERT(told(""));
		settings_unref(&s);
	}
}

static void test_refused(void)
{
	static const char *const rows[][2] = {
		{ "",
		    "f:1:1: the configuration needs the key \"origins\"; for example origins: [{name: "
		    "default, addresses: [\"http://127.0.0.1:8000\"]}]\n" },
		{ "origins: []", "f:1:10: \"origins\" takes 1 to 1000 entries, not 0\n" },
		{ APP "listen: []", "f:2:9: \"listen\" takes 1 to 64 entries, not 0\n" },
		{ "origins: [{name: app}]",
		    "f:1:11: an origin needs the key \"addresses\"; for example "
		    "addresses: [http://127.0.0.1:8000]\n" },
		{ APP "listen: [\"8080\"]",
		    "f:2:10: \"8080\" has no http:// or https:// in front; write http://host:port\n" },
		{ APP "trusted-proxies: [10.0.0.0/40]",
		    "f:2:19: \"10.0.0.0/40\" is no address or block; write 10.0.0.1, 10.0.0.0/8 or "
		    "fd00::/8\n" },
		{ APP "name: my node",
		    "f:2:7: \"my node\" is not a name; write letters, digits, \"-\" and \"_\"\n" },
		{ APP "routes: [{origin: ap}]",
		    "f:2:19: no origin is named \"ap\"; did you mean \"app\"?\n" },
		{ APP "routes: [{origin: zzz}]",
		    "f:2:19: no origin is named \"zzz\"; name one that stands under origins\n" },
		{ APP "routes:\n  - {origin: app, host: A}\n  - {origin: app, host: a}\n",
		    "f:4:5: a second route for host \"a\" and path \"/\"\n" },
		{ "origins:\n  - {name: a, addresses: [\"http://a\"]}\n"
		  "  - {name: a, addresses: [\"http://b\"]}\nroutes: [{origin: a}]\n",
		    "f:3:12: origin \"a\" a second time\n" },
		{ APP "routes: [{origin: app, share: shpo}]\nshares: [{name: shop}]\n",
		    "f:2:31: no share is named \"shpo\"; did you mean \"shop\"?\n" },
		{ APP "routes: [{origin: app, share: shop}]\n",
		    "f:2:31: no share is named \"shop\"; name one that stands under shares\n" },
		{ APP "shares:\n  - name: a\n  - name: a\n",
		    "f:4:11: share \"a\" a second time\n" },
		{ APP "shares:\n  - {name: a, min: 0.5, max: 0.4}\n",
		    "f:3:20: more than max; what is guaranteed must be allowed\n" },
		{ APP "shares:\n  - {name: a, min: 0.6}\n  - {name: b, min: 0.5}\n",
		    "f:4:20: the guaranteed parts are 1.1 of the whole together; 1 is the most\n" },
		{ TWO,
		    "f:3:5: more than one origin and no routes; say under routes which serves what\n" },
		{ APP "cache: {ttl-by-status: {100: 1s}}",
		    "f:2:25: \"100\" is not a status; write 200 to 599\n" },
		{ APP "cache: {query-drop: [\"*x\"]}",
		    "f:2:22: \"*x\" is not a parameter; write a name, or the front of one and \"*\": "
		    "utm_*\n" },
		{ APP "cache: {tags: {rules: [{tag: a}]}}",
		    "f:2:24: a tag rule has no source; write one of path, field and json\n" },
		{ APP "routes:\n  - origin: app\n    cache:\n      tags:\n        rules:\n"
		      "          - {tag: a, path: /, field: X-Ids}\n",
		    "f:7:13: a tag rule has more than one source; write one of path, field and "
		    "json\n" },
		{ APP "cache: {tags: {fields: [ETag]}}",
		    "f:2:25: \"ETag\" is a field that means something else to caches and clients; "
		    "write one of your own\n" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		CU_ASSERT_PTR_NULL(load_text(rows[i][0]));
		CU_ASSERT(told(rows[i][1]));
	}
}

static void test_count(void)
{
	struct settings *s = load_text(APP), *second = settings_ref(s);
	settings_unref(&s);
	CU_ASSERT_PTR_NULL(s);
	CU_ASSERT_EQUAL(second->origins.count, 1);
	settings_unref(&second);
	settings_unref(&second);
	CU_ASSERT_PTR_NULL(second);
	conf_errors_fini(&errors);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "tables hold to their own word", test_tables },
		{ "conf.d/larder.yaml is what is generated", test_default_file },
		{ "the commented file says nothing but defaults", test_defaults_are_defaults },
		{ "files that we ship", test_shipped_files },
		{ "a dump loads to the same", test_dump_loads },
		{ "one origin without routes", test_default_route },
		{ "routes know their origin and inherit", test_bound_routes },
		{ "listeners, alone and in full", test_listeners },
		{ "security of routes", test_security_inherits },
		{ "what is unsafe", test_unsafe },
		{ "what is safe", test_safe },
		{ "what is refused", test_refused },
		{ "counting", test_count },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "settings/settings", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
