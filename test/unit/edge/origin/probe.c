/* SPDX-License-Identifier: Apache-2.0 */
/* Origins that get a new version at different moments, or never, and who waits for them. */
#include "edge/origin/probe.c"

#include "authority.h"
#include "client.h"

#define VERSION(v) "HTTP/1.1 200 OK\r\nX-Version: " v "\r\nContent-Length: 2\r\n\r\nhi"
#define ONCE(bytes) ACCEPT, HEAR, SAY(bytes), HOLD
#define JSON_41 "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n{\"build\":[{\"id\":\"b-41\"}]}"
#define CHUNKED_42                                                                                 \
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"                                    \
	"a\r\n{\"build\":[\r\n6\r\n{\"id\":\r\n9\r\n\"b-42\"}]}\r\n0\r\n\r\n"

/* CLOSED_PORT: of the ports that refuse, one that no other program is given in the meantime. */
enum { SERVERS = 2, INTERVAL_MS = 100, TEXT_BYTES = 1024, PATIENT_MS = 5000, CLOSED_PORT = 1 };

static struct server servers[SERVERS];
static struct rig rig;
static struct probe *probe;
static struct probe_spec spec;
static unsigned ends;
static bool is_ok, cancels_in_end;
static char told[TEXT_BYTES]; /* the result in one text, a line each */
static int64_t took_ms;

/* Ports change from run to run: they are left out. */
static void tell_line(struct buf *b, struct slice line)
{
	struct slice address = slice_first(line, slice_find_slice(line, SL(": ")));
	for (unsigned i = 0; i < rig.options.addresses.count; i++)
		if (slice_ends(rig.addresses[i], address))
			buf_addf(b, "%u", i);
	buf_addf(b, "%.*s\n", SLICE_ARG(slice_from(line, address.len)));
}

static void on_result(UNUSED void *owner, const struct probe_result *result)
{
	role_loop();
	struct buf b;
	buf_init(&b, TEXT_BYTES - 1);
	buf_addf(&b, "%u/%u\n", result->shown, result->addresses);
	for (unsigned i = 0; i < result->line_count; i++)
		tell_line(&b, result->lines[i]);
	snprintf(told, sizeof(told), "%.*s", SLICE_ARG(buf_slice(&b)));
	buf_fini(&b);
	is_ok = result->is_ok;
	ends++;
	if (cancels_in_end)
		probe_cancel(&probe);
	probe = NULL;
	loop_stop(&rig.loop);
}

static void open_rig(void)
{
	rig_open(&rig);
	rig.options.connect_ms = rig.options.first_byte_ms = PATIENT_MS;
	ends = 0;
	told[0] = 0;
	cancels_in_end = false;
	spec = (struct probe_spec){
		.host = SL("shop.example"),
		.path = SL("/version"),
		.field = SL("x-version"),
		.equals = SL("42"),
		.timeout_ms = 5000,
		.interval_ms = INTERVAL_MS,
		.on_end = on_result,
	};
}

/* An origin of so many servers that play these scripts. */
static void open_all(const struct act *first, const struct act *second) ON_LOOP
{
	const struct act *scripts[SERVERS] = { first, second };
	open_rig();
	for (unsigned i = 0; i < SERVERS && scripts[i]; i++) {
		server_start(&servers[i], scripts[i]);
		rig_add(&rig, "127.0.0.1", servers[i].port);
	}
}

static void start(void) ON_LOOP
{
	if (!rig.origin)
		rig_start(&rig);
	loop_touch(&rig.loop);
	CU_ASSERT_EQUAL(probe_start(rig.origin, &spec, &probe), ERR_NONE);
	CU_ASSERT_EQUAL(ends, 0);
}

static void run(void) ON_LOOP
{
	struct mono begun = mono_now();
	start();
	loop_run(&rig.loop);
	took_ms = mono_ms_since(begun, mono_now());
	CU_ASSERT_FALSE(rig.was_late);
	CU_ASSERT_EQUAL(ends, 1);
}

static void close_all(void) ON_LOOP
{
	rig_nap(&rig, 5); /* letters to exchanges that were given up */
	rig_close(&rig);
	for (unsigned i = 0; i < SERVERS; i++)
		if (servers[i].port)
			server_stop(&servers[i]);
	memset(servers, 0, sizeof(servers));
}

static void check(bool wanted_ok, const char *wanted)
{
	bool is_same = is_ok == wanted_ok && strcmp(told, wanted) == 0;
	if (!is_same)
		fprintf(
		    stderr, "\n  told %d \"%s\"\n not %d \"%s\"\n", is_ok, told, wanted_ok, wanted);
	CU_ASSERT(is_same);
}

static unsigned count_requests(unsigned server)
{
	struct slice rest = buf_slice(&servers[server].heard);
	unsigned count = 0;
	for (size_t at; (at = slice_find_slice(rest, SL("GET "))) < rest.len; count++)
		rest = slice_from(rest, at + 1);
	return count;
}

/* ---- fields ---- */

static void test_different_moments(void)
{
	role_loop();
	open_all(PLAY(ONCE(VERSION("42"))),
	    PLAY(ONCE(VERSION("41")), ONCE(VERSION("41")), ONCE(VERSION("42"))));
	run();
	check(true, "2/2\n0: x-version: 42\n1: x-version: 42\n");
	CU_ASSERT(took_ms >= 2 * INTERVAL_MS && took_ms < 2000);
	close_all();

	/* The other way round: it is not the last address alone that decides. */
	open_all(PLAY(ONCE(VERSION("41")), ONCE(VERSION("42"))), PLAY(ONCE(VERSION("42"))));
	run();
	check(true, "2/2\n0: x-version: 42\n1: x-version: 42\n");
	close_all();
}

/* Whom it has asked, how often, and how. */
static void test_requests(void)
{
	role_loop();
	open_all(PLAY(ONCE(VERSION("42"))), PLAY(ONCE(VERSION("41")), ONCE(VERSION("42"))));
	spec.query = SL("full");
	spec.has_query = true;
	run();
	for (unsigned i = 0; i < SERVERS; i++)
		shutdown(servers[i].door, SHUT_RDWR);
	rig_nap(&rig, 50);
	CU_ASSERT_EQUAL(count_requests(0), 1);
	CU_ASSERT_EQUAL(count_requests(1), 2);
	CU_ASSERT(slice_eq(buf_slice(&servers[0].heard),
	    SL("GET /version?full HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Larder\r\n"
	       "Cache-Control: no-cache\r\nAccept-Encoding: identity\r\n\r\n")));
	CU_ASSERT_EQUAL(meter_read(&rig.meters.connects), 3);
	CU_ASSERT_EQUAL(meter_read(&rig.meters.reused), 0);
	CU_ASSERT_EQUAL(meter_read(&rig.meters.idle), 0);
	close_all();
}

/* The connection that traffic has kept leads to whom it was made to: that may be the old one. */
static void test_own_connection(void)
{
	role_loop();
	open_all(
	    PLAY(ACCEPT, HEAR, SAY(VERSION("41")), ACCEPT, HEAR, SAY(VERSION("42")), HOLD), NULL);
	rig_start(&rig);
	struct client c;
	client_run(&c, &rig, "GET");
	client_fini(&c);
	CU_ASSERT_EQUAL(meter_read(&rig.meters.idle), 1);
	run();
	check(true, "1/1\n0: x-version: 42\n");
	CU_ASSERT_EQUAL(meter_read(&rig.meters.idle), 1);
	CU_ASSERT_EQUAL(meter_read(&rig.meters.reused), 0);
	close_all();
}

static void test_stays_old(void)
{
	role_loop();
	open_all(PLAY(ONCE(VERSION("42"))),
	    PLAY(ONCE(VERSION("40")), ONCE(VERSION("41")), ONCE(VERSION("41")),
		ONCE(VERSION("41"))));
	spec.timeout_ms = 600;
	run();
	check(false, "1/2\n1: x-version: 41\n0: x-version: 42\n");
	CU_ASSERT(took_ms >= 600 && took_ms < 2000);
	close_all();
}

static void test_refuses(void)
{
	role_loop();
	open_all(PLAY(ONCE(VERSION("42"))), NULL);
	rig_add(&rig, "127.0.0.1", CLOSED_PORT);
	spec.timeout_ms = 300;
	cancels_in_end = true;
	run();
	check(false, "1/2\n1: connection refused\n0: x-version: 42\n");
	close_all();
}

static void test_silent(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, PAUSE(600)), NULL);
	spec.timeout_ms = 300;
	run();
	check(false, "0/1\n0: has not answered yet\n");
	close_all();

	open_all(PLAY(ACCEPT, HEAR, HOLD, ONCE(VERSION("42"))), NULL);
	rig.options.first_byte_ms = 100;
	run();
	check(true, "1/1\n0: x-version: 42\n");
	close_all();
}

/* Answers that show nothing, or something else; the address may do better later. */
static const struct wrong {
	const char *answer, *line;
	bool is_json;
} wrongs[] = {
	{ "HTTP/1.1 503 Soon\r\nX-Version: 42\r\nContent-Length: 0\r\n\r\n", "status 503", false },
	{ "HTTP/1.1 302 Found\r\nX-Version: 42\r\nContent-Length: 0\r\n\r\n", "status 302", false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "no x-version in the answer", false },
	{ "HTTP/1.1 200 OK\r\nX-Version:\r\nContent-Length: 0\r\n\r\n", "x-version: ", false },
	{ "HTTP/1.1 200 OK\r\nX-Version: 42\r\nX-Version: 41\r\nContent-Length: 0\r\n\r\n",
	    "x-version: 42, 41", false },
	{ "HTTP/1.1 200 OK\r\nX-Version: 421\r\nContent-Length: 0\r\n\r\n", "x-version: 421",
	    false },
	{ "HTP 200\r\n\r\n", "the origin's answer is malformed", false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	    "the body is not JSON: line 1: unexpected token near end of file", true },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\": 42}", "no $.v in the body", true },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"v\": 41}", "$.v: 41", true },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"v\":[42]", "", true },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"v\":[42]}", "$.v: an object or an array",
	    true },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"v\":\"4\\n2\" }", "$.v: 4?2", true },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{", "the body is larger than 64 KiB",
	    true },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"v\":4",
	    "the origin's answer ended early", true },
};

static void test_wrong_answers(void)
{
	role_loop();
	for (size_t i = 0; i < COUNT_OF(wrongs); i++) {
		char wanted[TEXT_BYTES];
		open_all(PLAY(ACCEPT, HEAR, SAY(wrongs[i].answer), PAUSE(20), SHUT), NULL);
		spec.timeout_ms = 250;
		spec.json = SL("$.v");
		spec.field = wrongs[i].is_json ? SLICE_NONE : spec.field;
		run();
		snprintf(wanted, sizeof(wanted), "0/1\n0: %s\n", wrongs[i].line);
		if (wrongs[i].line[0])
			check(false, wanted);
		CU_ASSERT_FALSE(is_ok);
		close_all();
	}
}

/* ---- bodies ---- */

static void test_json(void)
{
	role_loop();
	open_all(PLAY(ONCE(CHUNKED_42)), PLAY(ONCE(JSON_41), ACCEPT, HEAR, DRIP(CHUNKED_42), HOLD));
	spec.field = SLICE_NONE;
	spec.json = SL("$.build[0].id");
	spec.equals = SL("b-42");
	run();
	check(true, "2/2\n0: $.build[0].id: b-42\n1: $.build[0].id: b-42\n");
	CU_ASSERT(took_ms >= INTERVAL_MS);
	close_all();
}

static void test_values(void)
{
	static const struct {
		const char *json, *path, *text;
	} values[] = {
		{ "42", "$", "42" },
		{ "[1,[2,-3]]", "$[1][1]", "-3" },
		{ "{\"a\":{\"b c\":1.25}}", "$.a['b c']", "1.25" },
		{ "{\"a\":0.1}", "$.a", "0.1" },
		{ "{\"a\":[true,false,null]}", "$.a[0]", "true" },
		{ "{\"a\":[true,false,null]}", "$.a[1]", "false" },
		{ "{\"a\":[true,false,null]}", "$.a[2]", "null" },
		{ "{\"a\":\"\"}", "$.a", "" },
	};
	role_loop();
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		char answer[256], wanted[256];
		snprintf(answer, sizeof(answer), "HTTP/1.0 200 OK\r\n\r\n%s", values[i].json);
		open_all(PLAY(ACCEPT, HEAR, SAY(answer), SHUT), NULL);
		spec.field = SLICE_NONE;
		spec.json = slice_str(values[i].path);
		spec.equals = slice_str(values[i].text);
		spec.timeout_ms = 1000;
		run();
		snprintf(
		    wanted, sizeof(wanted), "1/1\n0: %s: %s\n", values[i].path, values[i].text);
		check(true, wanted);
		close_all();
	}
}

/* Without a length, it is only on the way that a body turns out to be too large. */
static void test_large_body(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, SAY("HTTP/1.0 200 OK\r\n\r\n\""), FLOOD(70000), HOLD), NULL);
	spec.field = SLICE_NONE;
	spec.json = SL("$");
	spec.timeout_ms = 350;
	run();
	check(false, "0/1\n0: the body is larger than 64 KiB\n");
	close_all();

	open_all(
	    PLAY(ACCEPT, HEAR, SAY("HTTP/1.0 200 OK\r\n\r\n\""), FLOOD(60000), SAY("\""), SHUT),
	    NULL);
	spec.field = SLICE_NONE;
	spec.json = SL("$");
	spec.timeout_ms = 350;
	run();
	CU_ASSERT(strlen(told) > 100 && strlen(told) < PROBE_LINE_BYTES);
	CU_ASSERT_PTR_NOT_NULL(strstr(told, "$: xxxx"));
	close_all();
}

/* A field has told enough: the rest of the answer need not come. */
static void test_endless_body(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR,
		     SAY("HTTP/1.1 200 OK\r\nX-Version: 42\r\nTransfer-Encoding: "
			 "chunked\r\n\r\n1\r\nx\r\n"),
		     HOLD),
	    NULL);
	run();
	check(true, "1/1\n0: x-version: 42\n");
	CU_ASSERT(took_ms < 1000);
	close_all();
}

/* A path may lead to many values, or to none. */
static void test_many_values(void)
{
	static const struct {
		const char *json;
		bool is_wanted;
		const char *told;
	} bodies[] = {
		{ "[{\"v\":42},{\"v\":\"42\"}]", true, "1/1\n0: $[*].v: 42\n" },
		{ "[{\"v\":42},{\"v\":41},{\"v\":42}]", false, "0/1\n0: $[*].v: 41\n" },
		{ "[{\"v\":{}}]", false, "0/1\n0: $[*].v: an object or an array\n" },
		{ "[{\"w\":42}]", false, "0/1\n0: no $[*].v in the body\n" },
		{ "[]", false, "0/1\n0: no $[*].v in the body\n" },
	};
	role_loop();
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		char answer[256];
		snprintf(answer, sizeof(answer), "HTTP/1.0 200 OK\r\n\r\n%s", bodies[i].json);
		open_all(PLAY(ACCEPT, HEAR, SAY(answer), SHUT), NULL);
		spec.field = SLICE_NONE;
		spec.json = SL("$[*].v");
		spec.timeout_ms = bodies[i].is_wanted ? 1000 : 350;
		run();
		check(bodies[i].is_wanted, bodies[i].told);
		close_all();
	}
}

/* ---- names ---- */

static void test_name(void)
{
	role_loop();
	open_all(PLAY(ONCE(VERSION("41")), ONCE(VERSION("42"))), NULL);
	rig.options.addresses.count = 0;
	rig_add(&rig, "localhost", servers[0].port);
	spec.timeout_ms = 3000;
	rig_start(&rig);
	for (int i = 0; rig.origin->asking_count && i < 100; i++)
		rig_nap(&rig, 10);
	/* Also ::1, where nobody listens: it is taken away, as a new answer would. */
	for (unsigned i = 0; i < rig.origin->pool_count; i++) {
		struct pool *p = &rig.origin->pools[i];
		if (!p->is_listed || p->address.any.sa_family == AF_INET)
			continue;
		pool_unlist(p);
		rig.origin->listed_count--;
	}
	run();
	CU_ASSERT(is_ok);
	close_all();
}

static void test_unknown_name(void)
{
	role_loop();
	open_all(PLAY(ONCE(VERSION("42"))), NULL);
	rig_add(&rig, "nowhere.invalid", 80);
	spec.timeout_ms = 300;
	run();
	CU_ASSERT_FALSE(is_ok);
	CU_ASSERT_PTR_NOT_NULL(strstr(told, ": its addresses are not known\n0: x-version: 42\n"));
	close_all();
}

/* While it runs one address goes and another comes. */
static void test_addresses_change(void)
{
	role_loop();
	struct address second;
	open_all(PLAY(ONCE(VERSION("42"))), PLAY(ONCE(VERSION("41")), ONCE(VERSION("42"))));
	rig.options.addresses.count = 1;
	rig_add(&rig, "127.0.0.1", CLOSED_PORT);
	rig_start(&rig);
	struct pool *pool = &rig.origin->pools[1];
	must(address_parse(SL("127.0.0.1"), servers[1].port, &second));
	start();
	rig_nap(&rig, 50);
	pool_unlist(pool);
	rig_nap(&rig, 5);
	pool_list(pool, &second);
	snprintf(rig.urls[1], sizeof(rig.urls[1]), "http://127.0.0.1:%u", servers[1].port);
	rig.addresses[1] = slice_str(rig.urls[1]);
	loop_run(&rig.loop);
	check(true, "2/2\n0: x-version: 42\n1: x-version: 42\n");
	close_all();
}

/* ---- TLS ---- */

static struct authority ca;
static struct tls_local local;

static void run_secure(const char *names) ON_LOOP
{
	char why[256] = "";
	SSL_CTX *context = authority_serve(&ca, names, 5);
	struct tls_client_options options = {
		.verify = true,
		.ca = slice_str(ca.path),
		.min_version = TLS_VERSION_12,
		.handshake_ms = 1000,
	};
	open_rig();
	server_start_tls(&servers[0],
	    PLAY(ACCEPT, SECURE, HEAR, SAY(VERSION("41")), HOLD, ACCEPT, SECURE, HEAR,
		SAY(VERSION("42")), HOLD),
	    context);
	rig_add(&rig, "127.0.0.1", servers[0].port);
	rig.tls.local = &local;
	must(tls_client_new(&options, &rig.tls.client, why, sizeof(why)) == ERR_NONE);
	spec.timeout_ms = 800;
	run();
	close_all();
	tls_client_unref(&rig.tls.client);
	SSL_CTX_free(context);
}

static void test_secure(void)
{
	role_loop();
	authority_init(&ca);
	must(tls_local_init(&local) == ERR_NONE);
	run_secure("IP:127.0.0.1");
	check(true, "1/1\n0: x-version: 42\n");
	run_secure("DNS:other.example");
	CU_ASSERT_FALSE(is_ok);
	CU_ASSERT_PTR_NOT_NULL(strstr(told, "0: the origin's certificate is not trusted ("));
	tls_local_fini(&local);
	authority_fini(&ca);
}

/* ---- life ---- */

static void test_refused(void)
{
	role_loop();
	open_rig();
	rig_start(&rig);
	CU_ASSERT_EQUAL(probe_start(rig.origin, &spec, &probe), ERR_NO_ORIGIN);
	origin_free(&rig.origin);
	rig_add(&rig, "127.0.0.1", CLOSED_PORT);
	rig_start(&rig);
	spec.field = SLICE_NONE;
	CU_ASSERT_EQUAL(probe_start(rig.origin, &spec, &probe), ERR_BAD_REQUEST);
	spec.json = SL("$.a[");
	CU_ASSERT_EQUAL(probe_start(rig.origin, &spec, &probe), ERR_BAD_REQUEST);
	static const char *const targets[] = { "", "version", "/a b", "/a\r\nX: y" };
	spec.json = SL("$.a");
	for (size_t i = 0; i < COUNT_OF(targets); i++) {
		spec.path = slice_str(targets[i]);
		CU_ASSERT_EQUAL(probe_start(rig.origin, &spec, &probe), ERR_BAD_TARGET);
	}
	spec.path = SL("/");
	static char large[PROBE_WORD_BYTES + 1];
	spec.equals = slice_of(large, sizeof(large));
	CU_ASSERT_EQUAL(probe_start(rig.origin, &spec, &probe), ERR_NO_MEMORY);
	close_all();
}

static void test_cancel(void)
{
	role_loop();
	for (int ms = 0; ms < 250; ms += 40) {
		open_all(PLAY(ONCE(VERSION("41")), ACCEPT, HEAR, SAY("HTTP/1.1 20"), HOLD, ACCEPT),
		    PLAY(ACCEPT, HEAR, SAY("HTTP/1.1 200 OK\r\nX-Version: 41\r\n\r\n"), HOLD));
		start();
		if (ms > 0)
			rig_nap(&rig, ms);
		probe_cancel(&probe);
		CU_ASSERT_PTR_NULL(probe);
		rig_nap(&rig, 120);
		CU_ASSERT_EQUAL(ends, 0);
		close_all();
	}
	probe_cancel(&probe);
}

/* Its owner gives the origin up; two probes of one origin do not disturb each other. */
static void test_origin_goes_first(void)
{
	role_loop();
	open_all(PLAY(ONCE(VERSION("41")), ONCE(VERSION("41")), ONCE(VERSION("42")),
		     ONCE(VERSION("42"))),
	    NULL);
	start();
	start();
	origin_free(&rig.origin);
	while (ends < 2 && !rig.was_late)
		loop_run(&rig.loop);
	check(true, "1/1\n0: x-version: 42\n");
	close_all();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "different moments", test_different_moments },
		{ "requests", test_requests },
		{ "own connection", test_own_connection },
		{ "stays old", test_stays_old },
		{ "refuses", test_refuses },
		{ "silent", test_silent },
		{ "wrong answers", test_wrong_answers },
		{ "json", test_json },
		{ "values", test_values },
		{ "large body", test_large_body },
		{ "endless body", test_endless_body },
		{ "many values", test_many_values },
		{ "name", test_name },
		{ "unknown name", test_unknown_name },
		{ "addresses change", test_addresses_change },
		{ "secure", test_secure },
		{ "refused", test_refused },
		{ "cancel", test_cancel },
		{ "origin goes first", test_origin_goes_first },
		CU_TEST_INFO_NULL,
	};
	return run_tests("probe", tests);
}
