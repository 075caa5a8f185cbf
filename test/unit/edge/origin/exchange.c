/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/origin/exchange.c"

#include "client.h"

/* ---- what an origin may answer ---- */

#define LENGTH_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define FOUR(x) x x x x
#define A_256 FOUR(FOUR(FOUR("aaaa")))

static const struct answer_case {
	const char *name, *method;
	struct act script[ACTS]; /* after ACCEPT and HEAR */
	const char *saw;
	unsigned kept; /* connections, afterwards */
} answers[] = {
	{ "length", "GET", { SAY(LENGTH_5), HOLD }, "200 [hello] none", 1 },
	{ "byte by byte", "GET", { DRIP(LENGTH_5), HOLD }, "200 [hello] none", 1 },
	{ "empty", "GET", { SAY("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), HOLD },
	    "200 [] none", 1 },
	{ "chunks", "GET",
	    { SAY("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n"), PAUSE(20),
		SAY("3\r\nllo\r\n0\r\n\r\n"), HOLD },
	    "200 [hello] none", 1 },
	{ "trailers", "GET",
	    { DRIP("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"
		   "X-Sum: 1\r\n\r\n"),
		HOLD },
	    "200 [hi] {X-Sum: 1\r\n} none", 1 },
	{ "until close", "GET", { SAY("HTTP/1.1 200 OK\r\n\r\nhello"), SHUT }, "200 [hello] none",
	    0 },
	{ "until reset", "GET", { SAY("HTTP/1.1 200 OK\r\n\r\nhello"), PAUSE(50), RESET },
	    "200 [hello] origin-truncated", 0 },
	{ "head", "HEAD", { SAY("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), HOLD },
	    "200 [] none", 1 },
	{ "not modified", "GET",
	    { SAY("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), HOLD }, "304 [] none",
	    1 },
	{ "no content", "GET", { SAY("HTTP/1.1 204 No Content\r\n\r\n"), HOLD }, "204 [] none", 1 },
	{ "says close", "GET",
	    { SAY("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"), HOLD },
	    "200 [hi] none", 0 },
	{ "HTTP/1.0", "GET", { SAY("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"), HOLD },
	    "200 [hi] none", 0 },
	{ "more than the answer", "GET", { SAY(LENGTH_5 LENGTH_5), HOLD }, "200 [hello] none", 0 },
	{ "interim", "GET",
	    { SAY("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
		  "HTTP/1.1 10"),
		PAUSE(20), SAY("2 Processing\r\n\r\n" LENGTH_5), HOLD },
	    "103 102 200 [hello] none", 1 },
	{ "interim drip", "GET",
	    { DRIP("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" LENGTH_5), HOLD },
	    "103 200 [hello] none", 1 },
	{ "sixteen interims", "GET",
	    { SAY(FOUR(FOUR("HTTP/1.1 100 Continue\r\n\r\n")) LENGTH_5), HOLD }, "200 [hello] none",
	    1 },
	{ "seventeen interims", "GET",
	    { SAY(FOUR(FOUR("HTTP/1.1 100 \r\n\r\n")) "HTTP/1.1 100 \r\n\r\n" LENGTH_5), HOLD },
	    "origin-malformed", 0 },
	{ "upgrade", "GET", { SAY("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), HOLD },
	    "origin-malformed", 0 },
	{ "cut length", "GET", { SAY("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello"), SHUT },
	    "200 [hello] origin-truncated", 0 },
	{ "cut chunks", "GET",
	    { SAY("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"), SHUT },
	    "200 [hi] origin-truncated", 0 },
	{ "cut head", "GET", { SAY("HTTP/1.1 200 OK\r\nCont"), SHUT }, "origin-truncated", 0 },
	{ "silence", "GET", { SHUT }, "origin-closed", 0 },
	{ "reset", "GET", { RESET }, "origin-closed", 0 },
	{ "garbage", "GET", { SAY("HTP/1.1 two hundred\r\n\r\n"), HOLD }, "origin-malformed", 0 },
	{ "two lengths", "GET",
	    { SAY("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 20\r\n\r\nhi"), HOLD },
	    "origin-malformed", 0 },
	{ "garbage in chunks", "GET",
	    { SAY("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhi\r\n"), HOLD },
	    "200 [] origin-malformed", 0 },
	{ "large head", "GET",
	    { SAY("HTTP/1.1 200 OK\r\nA: " FOUR(FOUR(FOUR(A_256))) "\r\n\r\n"), HOLD },
	    "origin-head-large", 0 },
};

static void test_answers(void)
{
	role_loop();
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		struct act script[ACTS] = { ACCEPT, HEAR };
		memcpy(script + 2, answers[i].script, (ACTS - 2) * sizeof(*script));
		struct server server;
		struct rig rig;
		struct client c;
		server_start(&server, script);
		rig_open(&rig);
		rig_add(&rig, "127.0.0.1", server.port);
		rig_start(&rig);
		client_run(&c, &rig, answers[i].method);
		bool is_right = client_did_see(&c, answers[i].saw) &&
		    meter_read(&rig.meters.idle) == answers[i].kept;
		if (!is_right)
			fprintf(stderr, "  in \"%s\"\n", answers[i].name);
		CU_ASSERT(is_right);
		client_fini(&c);
		rig_close(&rig);
		server_stop(&server);
	}
}

/* ---- a server, an origin and clients, for the tests that follow ---- */

static struct server server;
static struct rig rig;

static void open_all(const struct act *script) ON_LOOP
{
	server_start(&server, script);
	rig_open(&rig);
	rig_add(&rig, "127.0.0.1", server.port);
}

static void close_all(void) ON_LOOP
{
	rig_close(&rig);
	server_stop(&server);
}

/* One GET that ends so. */
static void expect(const char *method, const char *saw) ON_LOOP
{
	struct client c;
	client_run(&c, &rig, method);
	CU_ASSERT(client_did_see(&c, saw));
	client_fini(&c);
}

static void test_request(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, SAY(LENGTH_5), HOLD));
	rig_start(&rig);
	struct client c;
	struct field accept = { SL("Accept"), SL("text/html"), FIELD_ACCEPT };
	client_init(&c, &rig, "GET");
	c.fields = (struct fields){ &accept, 1, 1 };
	c.request.query = SL("b=1");
	c.request.has_query = true;
	client_start(&c);
	rig_await(&rig, 1);
	CU_ASSERT(client_did_see(&c, "200 [hello] none"));
	CU_ASSERT(slice_eq(buf_slice(&server.heard),
	    SL("GET /?b=1 HTTP/1.1\r\nHost: example.org\r\nAccept: text/html\r\n\r\n")));
	client_fini(&c);
	close_all();
}

/* ---- connections ---- */

static void test_reuse(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, SAY(LENGTH_5), HEAR, SAY(LENGTH_5), HEAR, SAY(LENGTH_5), HOLD));
	rig_start(&rig);
	for (int i = 0; i < 3; i++)
		expect("GET", "200 [hello] none");
	CU_ASSERT_EQUAL(meter_read(&rig.meters.connects), 1);
	CU_ASSERT_EQUAL(meter_read(&rig.meters.reused), 2);
	CU_ASSERT_EQUAL(meter_read(&rig.meters.requests), 3);
	close_all();
}

/* The kept connection dies with the next request on it: a GET is sent again, a POST is not. */
static void test_retry(void)
{
	role_loop();
	const struct act script[ACTS] = { ACCEPT, HEAR, SAY(LENGTH_5), HEAR, SHUT, ACCEPT, HEAR,
		SAY(LENGTH_5), HOLD };
	open_all(script);
	rig_start(&rig);
	expect("GET", "200 [hello] none");
	expect("GET", "200 [hello] none");
	CU_ASSERT_EQUAL(meter_read(&rig.meters.retries), 1);
	CU_ASSERT_EQUAL(meter_read(&rig.meters.requests), 2);
	close_all();

	open_all(script);
	rig_start(&rig);
	expect("GET", "200 [hello] none");
	expect("POST", "origin-closed");
	CU_ASSERT_EQUAL(meter_read(&rig.meters.retries), 0);
	close_all();
}

static void test_retry_once(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, SAY(LENGTH_5), HEAR, SHUT, ACCEPT, HEAR, SHUT));
	rig_start(&rig);
	expect("GET", "200 [hello] none");
	expect("GET", "origin-closed");
	close_all();
}

/* Closed, or spoken on, while it was kept: not used again, and nobody hears of it. */
static void test_kept_goes(void)
{
	role_loop();
	const struct act ends[] = { SHUT, RESET, SAY(LENGTH_5) };
	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		open_all(PLAY(
		    ACCEPT, HEAR, SAY(LENGTH_5), PAUSE(50), ends[i], ACCEPT, HEAR, SAY(LENGTH_5)));
		rig_start(&rig);
		expect("GET", "200 [hello] none");
		CU_ASSERT_EQUAL(meter_read(&rig.meters.idle), 1);
		RIG_UNTIL(&rig, meter_read(&rig.meters.idle) == 0);
		CU_ASSERT_EQUAL(meter_read(&rig.meters.idle), 0);
		expect("POST", "200 [hello] none");
		CU_ASSERT_EQUAL(meter_read(&rig.meters.retries), 0);
		close_all();
	}
}

/* The same, without a round of the loop in which it could be told. */
static void test_kept_goes_unheard(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, SAY(LENGTH_5), PAUSE(5), SAY(LENGTH_5), ACCEPT, HEAR,
	    SAY("HTTP/1.1 204 No Content\r\n\r\n"), HOLD));
	rig_start(&rig);
	expect("GET", "200 [hello] none");
	usleep(50000);
	expect("POST", "204 [] none");
	close_all();
}

static void test_next_address(void)
{
	role_loop();
	server_start(&server,
	    PLAY(ACCEPT, HEAR, SAY(LENGTH_5), HEAR, SAY(LENGTH_5), HEAR, SAY(LENGTH_5), HOLD));
	rig_open(&rig);
	rig_add(&rig, "127.0.0.1", closed_port());
	rig_add(&rig, "127.0.0.1", server.port);
	rig_start(&rig);
	for (int i = 0; i < 3; i++)
		expect("GET", "200 [hello] none");
	CU_ASSERT_EQUAL(meter_read(&rig.meters.connect_failed), 0);
	CU_ASSERT_EQUAL(meter_read(&rig.meters.connects), 2); /* the refused one, and ours */
	close_all();
}

static void test_no_address(void)
{
	role_loop();
	rig_open(&rig);
	rig_start(&rig);
	struct client c;
	client_init(&c, &rig, "GET");
	CU_ASSERT_EQUAL(exchange_start(rig.origin, &c.spec, &c.exchange), ERR_NO_ORIGIN);
	client_fini(&c);
	rig_close(&rig);

	rig_open(&rig);
	rig_add(&rig, "127.0.0.1", closed_port());
	rig_add(&rig, "127.0.0.1", closed_port());
	rig_start(&rig);
	expect("GET", "origin-connect");
	rig_close(&rig);
}

static void test_name(void)
{
	role_loop();
	server_start(&server, PLAY(ACCEPT, HEAR, SAY(LENGTH_5), HOLD));
	rig_open(&rig);
	rig_add(&rig, "localhost", server.port);
	rig_start(&rig);
	expect("GET", "200 [hello] none");
	close_all();
}

/* ---- the queue ---- */

static void test_turns(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, PAUSE(30), SAY(LENGTH_5), HEAR, SAY(LENGTH_5), HEAR,
	    SAY(LENGTH_5), HOLD));
	rig.options.connections = 1;
	rig_start(&rig);
	struct client c[4];
	for (int i = 0; i < 4; i++) {
		client_init(&c[i], &rig, "GET");
		client_start(&c[i]);
	}
	/* They begin at the end of the round. */
	rig_nap(&rig, 5);
	CU_ASSERT_EQUAL(meter_read(&rig.meters.waiting), 3);
	exchange_cancel(&c[2].exchange);
	rig_await(&rig, 3);
	CU_ASSERT_EQUAL(meter_read(&rig.meters.connects), 1);
	for (int i = 0; i < 4; i++) {
		CU_ASSERT(client_did_see(&c[i], i == 2 ? "" : "200 [hello] none"));
		client_fini(&c[i]);
	}
	close_all();
}

static void test_turn_never_comes(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, HOLD));
	rig.options.connections = 1;
	rig.options.connect_ms = 100;
	rig_start(&rig);
	struct client first;
	client_init(&first, &rig, "GET");
	client_start(&first);
	expect("GET", "busy");
	client_fini(&first);
	close_all();
}

static void test_queue_is_bounded(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HOLD));
	rig.options.connections = 1;
	rig_start(&rig);
	struct client *c = must_alloc((ORIGIN_WAITING + 2) * sizeof(*c));
	for (int i = 0; i <= ORIGIN_WAITING; i++) {
		client_init(&c[i], &rig, "GET");
		client_start(&c[i]);
	}
	struct client *last = &c[ORIGIN_WAITING + 1];
	client_run(last, &rig, "GET");
	CU_ASSERT(client_did_see(last, "busy"));
	for (int i = 0; i < ORIGIN_WAITING + 2; i++)
		client_fini(&c[i]);
	rig_nap(&rig, 10); /* the letters to those that were let in on the way */
	free(c);
	close_all();
}

/* ---- deadlines ---- */

static void test_slow_head(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, SAY("HTTP/1.1 20"), PAUSE(60), SAY("0 OK\r\n"), HOLD));
	rig.options.first_byte_ms = 100;
	rig_start(&rig);
	expect("GET", "origin-slow");
	CU_ASSERT_EQUAL(meter_read(&rig.meters.timed_out), 1);
	close_all();
}

static void test_stalled_body(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, SAY("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel"),
	    PAUSE(200), SAY("lo"), HOLD));
	rig.options.between_bytes_ms = 400;
	rig_start(&rig);
	expect("GET", "200 [hello] origin-stalled");
	close_all();
}

static void test_total(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR,
	    DRIP("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" FOUR(A_256)), HOLD));
	rig.options.total_ms = 100;
	rig_start(&rig);
	struct client c;
	client_run(&c, &rig, "GET");
	CU_ASSERT_EQUAL(c.end, ERR_ORIGIN_STALLED);
	client_fini(&c);
	close_all();
}

/* A listener whose queue is full takes no more connections, and does not refuse them either. */
static void test_slow_connect(void)
{
	role_loop();
	struct address a = { .v4.sin_family = AF_INET };
	socklen_t len = sizeof(a.v4);
	a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int door = socket(AF_INET, SOCK_STREAM, 0), fill[8];
	must(bind(door, &a.any, len) == 0 && listen(door, 0) == 0);
	must(getsockname(door, &a.any, &len) == 0);
	for (size_t i = 0; i < COUNT_OF(fill); i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fill[i], &a.any, len);
	}
	server_start(&server, PLAY(ACCEPT, HEAR, SAY(LENGTH_5), HOLD));
	rig_open(&rig);
	rig.options.connect_ms = 100;
	rig_add(&rig, "127.0.0.1", ntohs(a.v4.sin_port));
	rig_start(&rig);
	expect("GET", "origin-connect-slow");
	rig_close(&rig);

	rig_open(&rig);
	rig.options.connect_ms = 100;
	rig_add(&rig, "127.0.0.1", ntohs(a.v4.sin_port));
	rig_add(&rig, "127.0.0.1", server.port);
	rig_start(&rig);
	expect("GET", "200 [hello] none");
	close_all();
	close(door);
	for (size_t i = 0; i < COUNT_OF(fill); i++)
		close(fill[i]);
}

static void test_idle(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, SAY(LENGTH_5), HOLD));
	rig.options.idle_ms = 50;
	rig_start(&rig);
	expect("GET", "200 [hello] none");
	CU_ASSERT_EQUAL(meter_read(&rig.meters.idle), 1);
	RIG_UNTIL(&rig, meter_read(&rig.meters.idle) == 0);
	CU_ASSERT_EQUAL(meter_read(&rig.meters.idle), 0);
	close_all();
}

/* ---- giving up ---- */

static void test_cancel_in_events(void)
{
	role_loop();
	static const char *const saw[] = { [CANCEL_IN_INTERIM] = "103 ",
		[CANCEL_IN_HEAD] = "103 200 [",
		[CANCEL_IN_END] = "103 200 [hello] none" };
	for (int at = CANCEL_IN_INTERIM; at <= CANCEL_IN_END; at++) {
		open_all(
		    PLAY(ACCEPT, HEAR, SAY("HTTP/1.1 103 Early Hints\r\n\r\n" LENGTH_5), HOLD));
		rig_start(&rig);
		struct client c;
		client_init(&c, &rig, "GET");
		c.cancels = (typeof(c.cancels))at;
		client_start(&c);
		RIG_UNTIL(&rig, c.saw.len == strlen(saw[at]));
		CU_ASSERT(client_did_see(&c, saw[at]));
		if (at == CANCEL_IN_HEAD)
			CU_ASSERT_EQUAL(c.flow->failure, ERR_CANCELLED);
		rig.awaited = 0;
		client_fini(&c);
		close_all();
	}
}

/* In each state that waits. */
static void test_cancel(void)
{
	role_loop();
	for (int ms = 0; ms < 40; ms += 3) {
		open_all(PLAY(ACCEPT, PAUSE(10), HEAR, SAY("HTTP/1.1 200 OK\r\n"), PAUSE(10),
		    SAY("Content-Length: 9\r\n\r\nhello"), HOLD));
		rig_start(&rig);
		struct client c;
		client_init(&c, &rig, "GET");
		client_start(&c);
		if (ms > 0)
			rig_nap(&rig, ms);
		exchange_cancel(&c.exchange);
		CU_ASSERT_PTR_NULL(c.exchange);
		CU_ASSERT_FALSE(c.has_ended);
		if (c.flow)
			CU_ASSERT_EQUAL(c.flow->failure, ERR_CANCELLED);
		client_fini(&c);
		rig_nap(&rig, 1); /* a letter to it may be on its way: it goes with that */
		close_all();
	}
}

/* The origin goes before its exchange does. */
static void test_origin_goes_first(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, PAUSE(20), SAY(LENGTH_5), HOLD));
	rig_start(&rig);
	struct client c;
	client_init(&c, &rig, "GET");
	client_start(&c);
	origin_free(&rig.origin);
	rig_await(&rig, 1);
	CU_ASSERT(client_did_see(&c, "200 [hello] none"));
	client_fini(&c);
	close_all();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "answers", test_answers },
		{ "request", test_request },
		{ "reuse", test_reuse },
		{ "retry", test_retry },
		{ "retry once", test_retry_once },
		{ "kept connection goes", test_kept_goes },
		{ "kept connection goes unheard", test_kept_goes_unheard },
		{ "next address", test_next_address },
		{ "no address", test_no_address },
		{ "name", test_name },
		{ "turns", test_turns },
		{ "turn never comes", test_turn_never_comes },
		{ "queue is bounded", test_queue_is_bounded },
		{ "slow head", test_slow_head },
		{ "stalled body", test_stalled_body },
		{ "total", test_total },
		{ "slow connect", test_slow_connect },
		{ "idle", test_idle },
		{ "cancel in events", test_cancel_in_events },
		{ "cancel", test_cancel },
		{ "origin goes first", test_origin_goes_first },
		CU_TEST_INFO_NULL,
	};
	return run_tests("exchange", tests);
}
