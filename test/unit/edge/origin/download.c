/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/origin/download.c"

#include "client.h"

enum { LARGE = 64 * 1024 * 1024, WINDOW = 256 * 1024 };

static struct server server;
static struct rig rig;
static struct client c;

static void open_all(const struct act *script) ON_LOOP
{
	server_start(&server, script);
	rig_open(&rig);
	rig_add(&rig, "127.0.0.1", server.port);
	rig_start(&rig);
	client_init(&c, &rig, "GET");
}

static void close_all(void) ON_LOOP
{
	client_fini(&c);
	rig_close(&rig);
	server_stop(&server);
}

#define LENGTH_64M "HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n"

/* ---- large bodies, whole and in order of magnitude of a window ---- */

static void check_large(const struct act *script, uint64_t window, unsigned kept) ON_LOOP
{
	open_all(script);
	c.window = window;
	client_start(&c);
	rig_await(&rig, 1);
	CU_ASSERT(client_did_see(&c, "200 [] none"));
	CU_ASSERT_EQUAL(c.body_bytes, LARGE);
	CU_ASSERT_EQUAL(meter_read(&rig.meters.idle), kept);
	CU_ASSERT(meter_read(&rig.meters.bytes_in) >= LARGE);
	if (window)
		CU_ASSERT(flow_bytes_in_memory() < 8 * WINDOW);
	close_all();
}

static void test_large(void)
{
	role_loop();
	for (int i = 0; i < 2; i++) {
		uint64_t window = i ? WINDOW : 0;
		check_large(PLAY(ACCEPT, HEAR, SAY(LENGTH_64M), FLOOD(LARGE), HOLD), window, 1);
		check_large(
		    PLAY(ACCEPT, HEAR, SAY("HTTP/1.1 200 OK\r\n\r\n"), FLOOD(LARGE)), window, 0);
		check_large(
		    PLAY(ACCEPT, HEAR,
			SAY("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4000000\r\n"),
			FLOOD(LARGE), SAY("\r\n0\r\n\r\n"), HOLD),
		    window, 1);
	}
}

/* A reader that does not read holds the origin back; one that goes on lets it go on. */
static void test_back_pressure(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, SAY(LENGTH_64M), FLOOD(LARGE), HOLD));
	c.window = WINDOW;
	client_start(&c);
	while (!c.flow)
		rig_nap(&rig, 1);
	c.has_reader = false; /* its letters are not read */
	rig_nap(&rig, 250);   /* and no deadline runs meanwhile */
	uint64_t filled = flow_filled(c.flow);
	uint64_t ahead = filled - c.reader.offset;
	CU_ASSERT(ahead >= WINDOW && ahead < WINDOW + 2 * DOWNLOAD_SCRATCH_BYTES);
	rig_nap(&rig, 30);
	CU_ASSERT_EQUAL(flow_filled(c.flow), filled);
	c.has_reader = true;
	client_read(&c);
	rig_await(&rig, 1);
	CU_ASSERT_EQUAL(c.end, ERR_NONE);
	CU_ASSERT_EQUAL(c.body_bytes, LARGE);
	close_all();
}

static void test_cancel_while_full(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, SAY(LENGTH_64M), FLOOD(LARGE), HOLD));
	c.window = WINDOW;
	client_start(&c);
	while (!c.flow || flow_filled(c.flow) < WINDOW) {
		c.has_reader = false;
		rig_nap(&rig, 1);
	}
	client_read(&c); /* posts the letter about room */
	exchange_cancel(&c.exchange);
	CU_ASSERT_EQUAL(c.flow->failure, ERR_CANCELLED);
	rig_nap(&rig, 1);
	c.has_reader = true;
	close_all();
}

/* ---- bodies that nobody wants ---- */

static void check_unwanted(const struct act *script, unsigned kept) ON_LOOP
{
	open_all(script);
	c.wants_no_body = true;
	client_start(&c);
	rig_await(&rig, 1);
	CU_ASSERT(client_did_see(&c, "200 none"));
	CU_ASSERT_EQUAL(meter_read(&rig.meters.idle), kept);
	close_all();
}

static void test_unwanted(void)
{
	role_loop();
	check_unwanted(PLAY(ACCEPT, HEAR, SAY("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"),
			   PAUSE(10), SAY("llo"), HOLD),
	    1);
	check_unwanted(PLAY(ACCEPT, HEAR, SAY(LENGTH_64M), HOLD), 0);
	check_unwanted(PLAY(ACCEPT, HEAR, SAY("HTTP/1.1 200 OK\r\n\r\n"), FLOOD(100), HOLD), 0);
	check_unwanted(PLAY(ACCEPT, HEAR,
			   SAY("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4000000\r\n"),
			   FLOOD(LARGE)),
	    0);
}

/* Bytes behind a large body, which was read straight into the flow: not the next answer. */
static void test_bytes_behind(void)
{
	role_loop();
	open_all(PLAY(ACCEPT, HEAR, SAY(LENGTH_64M), FLOOD(LARGE), SAY("HTTP/1.1 200 OK\r\n"),
	    ACCEPT, HEAR, SAY("HTTP/1.1 204 \r\n\r\n"), HOLD));
	client_start(&c);
	rig_await(&rig, 1);
	CU_ASSERT_EQUAL(c.end, ERR_NONE);
	usleep(20000);
	struct client next;
	client_run(&next, &rig, "POST");
	CU_ASSERT(client_did_see(&next, "204 [] none"));
	client_fini(&next);
	close_all();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "large", test_large },
		{ "back-pressure", test_back_pressure },
		{ "cancel while full", test_cancel_while_full },
		{ "unwanted", test_unwanted },
		{ "bytes behind", test_bytes_behind },
		CU_TEST_INFO_NULL,
	};
	return run_tests("download", tests);
}
