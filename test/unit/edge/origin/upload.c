/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/origin/upload.c"

#include "client.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define HEAD_OF(method, framing) method " / HTTP/1.1\r\nHost: example.org\r\n" framing "\r\n\r\n"

enum { WINDOW = 128 * 1024, LARGE = 8 * 1024 * 1024 };

static struct server server;
static struct rig rig;
static struct client c;

/* A request with a body: its flow is c.spec.body. length: bytes, or FLOW_LENGTH_UNKNOWN. */
static void open_all(const struct act *script, const char *method, uint64_t length) ON_LOOP
{
	server_start(&server, script);
	rig_open(&rig);
	rig_add(&rig, "127.0.0.1", server.port);
	rig_start(&rig);
	client_init(&c, &rig, method);
	bool is_chunked = length == FLOW_LENGTH_UNKNOWN;
	c.request.framing = is_chunked ? FRAMING_CHUNKED : FRAMING_LENGTH;
	c.request.content_length = is_chunked ? 0 : length;
	c.spec.body = flow_new(length, 0, WINDOW);
}

static void close_all(void) ON_LOOP
{
	client_fini(&c);
	flow_unref(&c.spec.body);
	rig_close(&rig);
	server_stop(&server);
}

/* An exchange that ended early reads no more: then, and only then, the flow takes no more. */
static void write_body(struct slice bytes)
{
	enum err e = flow_write(c.spec.body, bytes);
	CU_ASSERT(e == ERR_NONE ||
	    (e == ERR_CANCELLED &&
		(!c.spec.body->fill || list_empty(&c.spec.body->fill->readers))));
}

static bool did_hear(const char *what)
{
	bool is_same = slice_eq(buf_slice(&server.heard), slice_str(what));
	if (!is_same)
		fprintf(stderr, "\n  heard \"%.*s\"\n", SLICE_ARG(buf_slice(&server.heard)));
	return is_same;
}

static void test_length(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, TAKE(10), SAY(OK), HOLD), "POST", 10);
	write_body(SL("01234"));
	client_start(&c);
	rig_nap(&rig, 10);
	write_body(SL("56789"));
	flow_finish(c.spec.body, SLICE_NONE);
	rig_await(&rig, 1);
	CU_ASSERT(client_did_see(&c, "200 [] none"));
	CU_ASSERT(did_hear(HEAD_OF("POST", "Content-Length: 10") "0123456789"));
	CU_ASSERT_EQUAL(meter_read(&rig.meters.idle), 1);
	close_all();
}

static void test_empty(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, SAY(OK), HOLD), "POST", 0);
	flow_finish(c.spec.body, SLICE_NONE);
	client_start(&c);
	rig_await(&rig, 1);
	CU_ASSERT(client_did_see(&c, "200 [] none"));
	CU_ASSERT(did_hear(HEAD_OF("POST", "Content-Length: 0")));
	close_all();
}

static void test_chunks(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, HEAR, SAY(OK), HOLD), "PUT", FLOW_LENGTH_UNKNOWN);
	write_body(SL("0123456789abcdef"));
	client_start(&c);
	rig_nap(&rig, 10);
	write_body(SL("xyz"));
	rig_nap(&rig, 10);
	flow_finish(c.spec.body, SL("X-Sum: 1\r\n"));
	rig_await(&rig, 1);
	CU_ASSERT(client_did_see(&c, "200 [] none"));
	CU_ASSERT(did_hear(HEAD_OF("PUT",
	    "Transfer-Encoding: chunked") "10\r\n0123456789abcdef\r\n3\r\nxyz\r\n0\r\nX-Sum: 1\r\n\r\n"));
	CU_ASSERT_EQUAL(meter_read(&rig.meters.idle), 1);
	close_all();
}

static void test_no_chunks(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, HEAR, SAY(OK), HOLD), "PUT", FLOW_LENGTH_UNKNOWN);
	flow_finish(c.spec.body, SLICE_NONE);
	client_start(&c);
	rig_await(&rig, 1);
	CU_ASSERT(did_hear(HEAD_OF("PUT", "Transfer-Encoding: chunked") "0\r\n\r\n"));
	close_all();
}

/* ---- back-pressure ---- */

static struct mail room;
static uint64_t most_in_memory, filled;

/* Fills until the window is full, as a session does. */
static void on_room(UNUSED struct mail *m)
{
	static char xs[16384];
	memset(xs, 'x', sizeof(xs));
	while (filled < LARGE && !flow_is_full(c.spec.body, &room, &rig.loop)) {
		write_body(slice_of(xs, sizeof(xs)));
		filled += sizeof(xs);
		most_in_memory = max_u64(most_in_memory, flow_bytes_in_memory());
	}
	if (filled == LARGE && flow_state(c.spec.body) == FLOW_FILLING)
		flow_finish(c.spec.body, SLICE_NONE);
}

static void check_back_pressure(uint64_t length, size_t taken) ON_LOOP
{
	most_in_memory = filled = 0;
	mail_init(&room, on_room);
	open_all(PLAY(ACCEPT, HEAR, PAUSE(50), TAKE(taken), SAY(OK), HOLD), "PUT", length);
	client_start(&c);
	mail_post(&rig.loop, &room);
	rig_await(&rig, 1);
	CU_ASSERT(client_did_see(&c, "200 [] none"));
	CU_ASSERT(meter_read(&rig.meters.bytes_out) > LARGE);
	CU_ASSERT(most_in_memory < 3 * WINDOW);
	close_all();
}

static void test_back_pressure(void)
{
	role_loop();
	check_back_pressure(LARGE, LARGE);
	check_back_pressure(FLOW_LENGTH_UNKNOWN, LARGE);
}

/* ---- ends that are not as hoped ---- */

static void test_body_fails(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, TAKE(10)), "POST", 10);
	write_body(SL("01234"));
	client_start(&c);
	rig_nap(&rig, 10);
	flow_fail(c.spec.body, ERR_CLIENT_GONE);
	rig_await(&rig, 1);
	CU_ASSERT(client_did_see(&c, "client-gone"));
	CU_ASSERT_EQUAL(meter_read(&rig.meters.idle), 0);
	close_all();
}

/* The answer comes first: it is read at once, and the connection is of no more use. */
static void test_early_answer(void)
{
	role_loop();
	const struct act ends[] = { HOLD, SHUT, RESET };
	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		open_all(PLAY(ACCEPT, HEAR, SAY("HTTP/1.1 413 \r\nContent-Length: 2\r\n\r\nno"),
			     PAUSE(20), ends[i]),
		    "POST", 10);
		client_start(&c);
		rig_await(&rig, 1);
		CU_ASSERT(client_did_see(&c, "413 [no] none"));
		CU_ASSERT_EQUAL(meter_read(&rig.meters.idle), 0);
		flow_fail(c.spec.body, ERR_CANCELLED);
		close_all();
	}
}

/* An answer that goes on while the request does, as of an echo. */
static void test_both_ways(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, SAY("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nec"), TAKE(4),
		     PAUSE(10), SAY("ho"), HOLD),
	    "POST", 4);
	client_start(&c);
	RIG_UNTIL(&rig, c.body_bytes == 2);
	CU_ASSERT(client_did_see(&c, "200 [ec"));
	write_body(SL("echo"));
	flow_finish(c.spec.body, SLICE_NONE);
	rig_await(&rig, 1);
	CU_ASSERT(client_did_see(&c, "200 [echo] none"));
	CU_ASSERT_EQUAL(meter_read(&rig.meters.idle), 1);
	close_all();
}

static void test_send_timeout(void)
{
	role_loop();
	most_in_memory = filled = 0;
	mail_init(&room, on_room);
	open_all(PLAY(ACCEPT, HEAR, PAUSE(400)), "PUT", LARGE);
	client_fini(&c);
	rig_close(&rig);
	rig_open(&rig);
	rig.options.send_ms = 100;
	rig_add(&rig, "127.0.0.1", server.port);
	rig_start(&rig);
	client_start(&c);
	mail_post(&rig.loop, &room);
	rig_await(&rig, 1);
	CU_ASSERT(client_did_see(&c, "origin-slow"));
	flow_fail(c.spec.body, ERR_CANCELLED);
	close_all();
}

/* A slow client is not the origin's fault. */
static void test_slow_client(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, TAKE(4), SAY(OK), HOLD), "POST", 4);
	rig.origin->options.send_ms = rig.origin->options.first_byte_ms = 50;
	client_start(&c);
	rig_nap(&rig, 300);
	write_body(SL("slow"));
	flow_finish(c.spec.body, SLICE_NONE);
	rig_await(&rig, 1);
	CU_ASSERT(client_did_see(&c, "200 [] none"));
	close_all();
}

/* A kept connection dies: a body that was begun cannot be sent again, one that was not can. */
static void check_retry(const char *body, const char *saw) ON_LOOP
{
	open_all(PLAY(ACCEPT, HEAR, SAY(OK), HEAR, TAKE(strlen(body)), SHUT, ACCEPT, HEAR, TAKE(2),
		     SAY(OK), HOLD),
	    "OPTIONS", 2);
	struct client first;
	client_run(&first, &rig, "GET");
	client_fini(&first);
	write_body(slice_str(body));
	client_start(&c);
	RIG_UNTIL(&rig, c.has_ended || meter_read(&rig.meters.retries));
	if (flow_filled(c.spec.body) == 0)
		write_body(SL("hi"));
	flow_finish(c.spec.body, SLICE_NONE);
	rig_await(&rig, 1);
	CU_ASSERT(client_did_see(&c, saw));
	close_all();
}

static void test_retry(void)
{
	role_loop();
	check_retry("", "200 [] none");
	check_retry("hi", "origin-closed");
}

static void test_cancel(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, HOLD), "POST", 10);
	write_body(SL("01234"));
	client_start(&c);
	rig_nap(&rig, 10);
	/* A letter is on its way to the exchange when it goes. */
	write_body(SL("5"));
	exchange_cancel(&c.exchange);
	rig_nap(&rig, 1);
	flow_fail(c.spec.body, ERR_CANCELLED);
	close_all();
}

/* Too late for a body whose beginning is gone. */
static void test_late_reader(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HOLD), "POST", LARGE);
	struct flow_reader other;
	static char xs[WINDOW];
	CU_ASSERT(flow_attach(&other, c.spec.body, 0, &rig.loop));
	write_body(slice_of(xs, WINDOW));
	flow_advance(&other, WINDOW);
	CU_ASSERT_EQUAL(exchange_start(rig.origin, &c.spec, &c.exchange), ERR_BAD_FRAMING);
	CU_ASSERT_PTR_NULL(c.exchange);
	flow_detach(&other);
	/* The server awaits one connection. */
	c.spec.body = (flow_unref(&c.spec.body), NULL);
	c.request.framing = FRAMING_NONE;
	client_start(&c);
	close_all();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "length", test_length },
		{ "empty", test_empty },
		{ "chunks", test_chunks },
		{ "no chunks", test_no_chunks },
		{ "back-pressure", test_back_pressure },
		{ "body fails", test_body_fails },
		{ "early answer", test_early_answer },
		{ "both ways", test_both_ways },
		{ "send timeout", test_send_timeout },
		{ "slow client", test_slow_client },
		{ "retry", test_retry },
		{ "cancel", test_cancel },
		{ "late reader", test_late_reader },
		CU_TEST_INFO_NULL,
	};
	return run_tests("upload", tests);
}
