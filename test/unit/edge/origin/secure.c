/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges over TLS, with origins that shake hands well, badly, slowly or not at all. */
#include "authority.h"
#include "client.h"
#include "edge/origin/exchange.c"

#define LENGTH_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define NAME "DNS:localhost,DNS:a.example,IP:127.0.0.1"

static struct authority ca, stranger;
static struct tls_local local;
static struct server server;
static struct rig rig;
static SSL_CTX *context;

/* Whom the origin's addresses have to convince. */
static struct tls_client_options trusting(void)
{
	return (struct tls_client_options){
		.verify = true,
		.ca = slice_str(ca.path),
		.min_version = TLS_VERSION_12,
		.handshake_ms = 1000,
	};
}

static void open_with(const struct act *script, const struct tls_client_options *options) ON_LOOP
{
	char why[256] = "";
	server_start_tls(&server, script, context);
	rig_open(&rig);
	rig.options.tls = *options;
	rig.tls.local = &local;
	enum err e = tls_client_new(options, &rig.tls.client, why, sizeof(why));
	if (e != ERR_NONE)
		fprintf(stderr, "\n  %s\n", why);
	must(e == ERR_NONE);
	rig_add(&rig, "127.0.0.1", server.port);
}

/* An origin with a certificate of our CA that plays a script, and one who asks it. */
static void open_all(const struct act *script) ON_LOOP
{
	struct tls_client_options options = trusting();
	context = authority_serve(&ca, NAME, 5);
	open_with(script, &options);
}

static void close_all(void) ON_LOOP
{
	rig_close(&rig);
	tls_client_unref(&rig.tls.client);
	server_stop(&server);
	SSL_CTX_free(context);
}

static char detail[128];

/* Notes the detail while it is there. */
static void on_end(void *owner, enum err end)
{
	const struct client *c = owner;
	snprintf(detail, sizeof(detail), "%.*s", SLICE_ARG(exchange_detail(c->exchange)));
	client_on_end(owner, end);
}

static const struct exchange_events noting = { client_on_interim, client_on_head, on_end };

/* One request that ends so. */
static void expect(const char *method, const char *saw) ON_LOOP
{
	struct client c;
	client_init(&c, &rig, method);
	c.spec.events = &noting;
	client_start(&c);
	rig_await(&rig, 1);
	CU_ASSERT(client_did_see(&c, saw));
	client_fini(&c);
}

/* ---- what is well ---- */

/* One handshake for many requests. */
static void test_reuse(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, SECURE, HEAR, SAY(LENGTH_5), HEAR, DRIP(LENGTH_5), PAUSE(20), REKEY,
	    HEAR, SAY(LENGTH_5), HOLD));
	rig_start(&rig);
	for (int i = 0; i < 3; i++) {
		expect("GET", "200 [hello] none");
		rig_nap(&rig, 40); /* tickets, and new keys, come to a kept connection */
		CU_ASSERT_EQUAL(meter_read(&rig.meters.idle), 1);
	}
	CU_ASSERT_EQUAL(meter_read(&rig.meters.connects), 1);
	CU_ASSERT_EQUAL(meter_read(&rig.meters.reused), 2);
	CU_ASSERT(slice_eq(buf_slice(&server.heard),
	    SL("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"
	       "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"
	       "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")));
	close_all();
	CU_ASSERT_EQUAL(server.shaken, 1);
}

static void check_resumed(int version) ON_LOOP
{
	open_all(
	    PLAY(ACCEPT, SECURE, HEAR, SAY(LENGTH_5), PAUSE(5), NOTIFY, SHUT, ACCEPT, SECURE, HEAR,
		SAY(LENGTH_5), PAUSE(5), NOTIFY, SHUT, ACCEPT, SECURE, HEAR, SAY(LENGTH_5), HOLD));
	SSL_CTX_set_max_proto_version(context, version);
	rig_start(&rig);
	uint64_t before = meter_read(&local.meters.origin_resumed);
	for (int i = 0; i < 3; i++) {
		expect("POST", "200 [hello] none");
		rig_nap(&rig, 40);
	}
	CU_ASSERT_EQUAL(meter_read(&local.meters.origin_resumed), before + 2);
	close_all();
	CU_ASSERT_EQUAL(server.shaken, 3);
	CU_ASSERT_EQUAL(server.resumed, 2);
}

static void test_resumed(void)
{
	role_loop();
	check_resumed(TLS1_2_VERSION);
	check_resumed(TLS1_3_VERSION);
}

/* An origin that forgot the session shakes hands in full, and its old session is not offered on. */
static void test_not_resumed(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, SECURE, HEAR, SAY(LENGTH_5), PAUSE(5), NOTIFY, SHUT, PAUSE(30),
	    ACCEPT, SECURE, HEAR, SAY(LENGTH_5), HOLD));
	rig_start(&rig);
	expect("GET", "200 [hello] none");
	rig_nap(&rig, 20);
	struct pool *p = &rig.origin->pools[0];
	CU_ASSERT_PTR_NOT_NULL(p->session);
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	static unsigned char other[80];
	SSL_CTX_set_tlsext_ticket_keys(context, other, sizeof(other));
	expect("GET", "200 [hello] none");
	CU_ASSERT_PTR_NULL(p->session);
	close_all();
	CU_ASSERT_EQUAL(server.resumed, 0);
}

/* Whom it is asked for: the configured address, or who the operator says. */
static void check_name(const char *host, const char *server_name, const char *heard) ON_LOOP
{
	struct tls_client_options options = trusting();
	options.server_name = slice_str(server_name);
	context = authority_serve(&ca, NAME, 5);
	open_with(PLAY(ACCEPT, SECURE, HEAR, SAY(LENGTH_5), HOLD), &options);
	rig.options.addresses.count = 0;
	rig_add(&rig, host, server.port);
	rig_start(&rig);
	expect("GET", "200 [hello] none");
	close_all();
	CU_ASSERT_STRING_EQUAL(server.name, heard);
}

static void test_name(void)
{
	role_loop();
	check_name("localhost", "", "localhost");
	check_name("127.0.0.1", "", "");
	check_name("127.0.0.1", "a.example", "a.example");
	check_name("localhost", "a.example", "a.example");
}

/* ---- what is not ---- */

static void check_distrust(
    const struct authority *issuer, const char *alt, int days, const char *words) ON_LOOP
{
	struct tls_client_options options = trusting();
	context = authority_serve(issuer, alt, days);
	open_with(PLAY(ACCEPT, SECURE, HOLD), &options);
	rig_start(&rig);
	expect("GET", "origin-cert");
	CU_ASSERT_PTR_NOT_NULL(strstr(detail, words));
	if (!strstr(detail, words))
		fprintf(stderr, "\n  \"%s\" instead of \"%s\"\n", detail, words);
	CU_ASSERT_EQUAL(meter_read(&rig.meters.distrusted), 1);
	CU_ASSERT_EQUAL(meter_read(&rig.meters.requests), 0);
	CU_ASSERT_EQUAL(server.heard.len, 0);
	close_all();

	/* Who does not look, sees nothing. */
	options.verify = false;
	context = authority_serve(issuer, alt, days);
	open_with(PLAY(ACCEPT, SECURE, HEAR, SAY(LENGTH_5), HOLD), &options);
	rig_start(&rig);
	expect("GET", "200 [hello] none");
	CU_ASSERT_STRING_EQUAL(detail, "");
	close_all();
}

static void test_distrust(void)
{
	role_loop();
	check_distrust(&stranger, NAME, 5, "issuer");
	check_distrust(&ca, NAME, -1, "expired");
	check_distrust(&ca, "DNS:b.example,IP:127.0.0.2", 5, "is not for");
}

static void test_no_tls(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, SAY("HTTP/1.1 400 Bad Request\r\n\r\n"), HOLD));
	rig_start(&rig);
	expect("GET", "origin-tls");
	CU_ASSERT_EQUAL(meter_read(&rig.meters.tls_failed), 1);
	close_all();

	open_all(PLAY(ACCEPT, SHUT));
	rig_start(&rig);
	expect("GET", "origin-tls");
	close_all();
}

/* An alert in the handshake, and one that comes behind it (RFC 8446 4.4.2.4). */
static void test_alert(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, SECURE, HOLD));
	SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(context, "ECDHE-RSA-AES128-GCM-SHA256");
	rig_start(&rig);
	expect("GET", "origin-alert");
	close_all();

	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		open_all(PLAY(ACCEPT, SECURE, PAUSE(50)));
		SSL_CTX_set_max_proto_version(context, version);
		SSL_CTX_set_verify(
		    context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		rig_start(&rig);
		expect("GET", "origin-alert");
		CU_ASSERT_EQUAL(meter_read(&rig.meters.tls_failed), 1);
		close_all();
	}
}

static void test_late(void)
{
	role_loop();
	struct tls_client_options options = trusting();
	options.handshake_ms = 100;
	context = authority_serve(&ca, NAME, 5);
	open_with(PLAY(ACCEPT, HOLD), &options);
	rig_start(&rig);
	expect("GET", "origin-connect-slow");
	CU_ASSERT_PTR_NOT_NULL(strstr(detail, "handshake"));
	CU_ASSERT_EQUAL(meter_read(&rig.meters.timed_out), 1);
	close_all();
}

/* Whatever is wrong with an address, the next one is asked. */
static void test_next_address(void)
{
	role_loop();
	const struct act bad[][ACTS] = {
		{ ACCEPT, SHUT },
		{ ACCEPT, SAY("HTTP/1.1 400 \r\n\r\n"), HOLD },
		{ ACCEPT, SECURE, HOLD }, /* with a certificate of a stranger */
		{ ACCEPT, PAUSE(200) },
	};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct server first;
		SSL_CTX *strange = authority_serve(&stranger, NAME, 5);
		server_start_tls(&first, bad[i], strange);
		struct tls_client_options options = trusting();
		options.handshake_ms = 100;
		context = authority_serve(&ca, NAME, 5);
		open_with(
		    PLAY(ACCEPT, SECURE, HEAR, SAY(LENGTH_5), HEAR, SAY(LENGTH_5), HOLD), &options);
		rig.options.addresses.count = 0;
		rig_add(&rig, "127.0.0.1", first.port);
		rig_add(&rig, "127.0.0.1", server.port);
		rig_start(&rig);
		expect("POST", "200 [hello] none");
		CU_ASSERT_STRING_EQUAL(detail, "");
		expect("POST", "200 [hello] none");
		CU_ASSERT_EQUAL(meter_read(&rig.meters.connects), 2);
		close_all();
		server_stop(&first);
		SSL_CTX_free(strange);
	}
}

/* ---- how answers end (RFC 8446 6.1, RFC 9112 9.8) ---- */

static void test_ends(void)
{
	role_loop();
	static const struct {
		struct act script[ACTS]; /* behind the request */
		const char *saw;
	} ends[] = {
		{ { SAY("HTTP/1.1 200 OK\r\n\r\nhello"), NOTIFY, SHUT }, "200 [hello] none" },
		{ { SAY("HTTP/1.1 200 OK\r\n\r\nhello"), SHUT }, "200 [hello] origin-truncated" },
		{ { SAY("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"), NOTIFY, SHUT },
		    "200 [hello] origin-truncated" },
		{ { SAY(LENGTH_5), SHUT }, "200 [hello] none" },
		{ { SAY("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
			"0\r\n\r\n"),
		      SHUT },
		    "200 [hello] none" },
		{ { SHUT }, "origin-closed" },
		{ { NOTIFY, SHUT }, "origin-closed" },
	};
	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		struct act script[ACTS] = { ACCEPT, SECURE, HEAR };
		memcpy(script + 3, ends[i].script, (ACTS - 3) * sizeof(script[0]));
		open_all(script);
		rig_start(&rig);
		expect("POST", ends[i].saw);
		close_all();
	}
}

/* Large both ways: the layer splits and joins as it likes. */
static void test_large(void)
{
	role_loop();
	enum { LARGE = 4 * 1024 * 1024 };
	open_all(PLAY(ACCEPT, SECURE, HEAR, TAKE(LARGE),
	    SAY("HTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n"), FLOOD(LARGE), HOLD));
	rig_start(&rig);
	struct client c;
	client_init(&c, &rig, "PUT");
	c.request.framing = FRAMING_LENGTH;
	c.request.content_length = LARGE;
	c.spec.body = flow_new(LARGE, FLOW_KEEP_ALL, 0);
	static char xs[LARGE];
	memset(xs, 'x', sizeof(xs));
	CU_ASSERT_EQUAL(flow_write(c.spec.body, slice_of(xs, LARGE)), ERR_NONE);
	flow_finish(c.spec.body, SLICE_NONE);
	client_start(&c);
	rig_await(&rig, 1);
	CU_ASSERT_EQUAL(c.end, ERR_NONE);
	CU_ASSERT_EQUAL(c.body_bytes, LARGE);
	CU_ASSERT_EQUAL(meter_read(&rig.meters.idle), 1);
	client_fini(&c);
	flow_unref(&c.spec.body);
	struct slice heard = buf_slice(&server.heard);
	CU_ASSERT(slice_eq(slice_from(heard, heard.len - LARGE), slice_of(xs, LARGE)));
	close_all();
}

/* ---- giving up ---- */

static void test_cancel(void)
{
	role_loop();
	for (int ms = 0; ms < 30; ms += 3) {
		open_all(
		    PLAY(ACCEPT, PAUSE(6), SECURE, PAUSE(6), HEAR, PAUSE(6), SAY(LENGTH_5), HOLD));
		rig_start(&rig);
		struct client c;
		client_init(&c, &rig, "GET");
		client_start(&c);
		if (ms > 0)
			rig_nap(&rig, ms);
		exchange_cancel(&c.exchange);
		rig.awaited = 0;
		client_fini(&c);
		rig_nap(&rig, 1);
		close_all();
	}
}

/* The origin, and the strings of its options, go before its exchange shakes hands. */
static void test_origin_goes_first(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, PAUSE(20), SECURE, HEAR, SAY(LENGTH_5), HOLD));
	rig_start(&rig);
	struct client c;
	client_init(&c, &rig, "GET");
	client_start(&c);
	origin_free(&rig.origin);
	memset(rig.urls, '#', sizeof(rig.urls));
	tls_client_unref(&rig.tls.client);
	rig_await(&rig, 1);
	CU_ASSERT(client_did_see(&c, "200 [hello] none"));
	client_fini(&c);
	close_all();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "reuse", test_reuse },
		{ "resumed", test_resumed },
		{ "not resumed", test_not_resumed },
		{ "name", test_name },
		{ "distrust", test_distrust },
		{ "no TLS", test_no_tls },
		{ "alert", test_alert },
		{ "late", test_late },
		{ "next address", test_next_address },
		{ "ends", test_ends },
		{ "large", test_large },
		{ "cancel", test_cancel },
		{ "origin goes first", test_origin_goes_first },
		CU_TEST_INFO_NULL,
	};
	authority_init(&ca);
	authority_init(&stranger);
	must(tls_local_init(&local) == ERR_NONE);
	int failed = run_tests("secure", tests);
	tls_local_fini(&local);
	authority_fini(&ca);
	authority_fini(&stranger);
	return failed;
}
