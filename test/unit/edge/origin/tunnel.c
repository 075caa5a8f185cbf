/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges that switch to another protocol, and those that ask for it in vain. */
#include "client.h"
#include "edge/origin/exchange.c"

#define LENGTH_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define SWITCH "HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
#define AGREED SWITCH "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

static const struct tunnel_case {
	const char *name;
	uint8_t version;
	bool ends;               /* the client has no more to say */
	struct act script[ACTS]; /* after ACCEPT and HEAR */
	const char *saw, *heard; /* after the head */
	unsigned kept;
} tunnels[] = {
	{ "both ways", 11, false, { SAY(AGREED "wel"), TAKE(5), SAY("come"), SHUT },
	    "101 [welcome] none", "hello", 0 },
	{ "byte by byte", 20, false, { DRIP(AGREED "welcome"), TAKE(5), SHUT },
	    "101 [welcome] none", "hello", 0 },
	{ "half closed", 11, true, { SAY(AGREED), TAKE(6), PAUSE(350), SAY("bye"), SHUT },
	    "101 [bye] none", "hello", 0 },
	{ "silence", 11, false, { SAY(AGREED), TAKE(5), PAUSE(350), SAY("late"), SHUT },
	    "101 [late] none", "hello", 0 },
	{ "reset", 11, false, { SAY(AGREED), TAKE(5), RESET }, "101 [] origin-truncated", "hello",
	    0 },
	{ "refused", 11, false, { SAY("HTTP/1.1 403 \r\nContent-Length: 2\r\n\r\nno"), TAKE(5) },
	    "403 [no] none", "", 1 },
	{ "a page", 11, false, { SAY(LENGTH_5), TAKE(5) }, "200 [hello] none", "", 1 },
	{ "a page for h2", 20, false, { SAY(LENGTH_5), TAKE(5) }, "origin-malformed", "", 0 },
	{ "no proof", 11, false, { SAY(SWITCH "\r\nwelcome"), TAKE(5) }, "origin-malformed", "",
	    0 },
	{ "no answer", 11, false, { PAUSE(350) }, "origin-slow", "", 0 },
};

static struct server server;
static struct rig rig;

static bool did_tunnel(const struct tunnel_case *t) ON_LOOP
{
	struct act script[ACTS] = { ACCEPT, HEAR };
	struct field key = { SL("Sec-WebSocket-Key"), SL("dGhlIHNhbXBsZSBub25jZQ=="), 0 };
	struct client c;
	memcpy(script + 2, t->script, (ACTS - 2) * sizeof(*script));
	server_start(&server, script);
	rig_open(&rig);
	rig_add(&rig, "127.0.0.1", server.port);
	rig.options.between_bytes_ms = rig.options.send_ms = rig.options.total_ms = 150;
	rig.options.first_byte_ms = 150;
	rig_start(&rig);
	client_init(&c, &rig, "GET");
	c.fields = (struct fields){ &key, 1, 1 };
	c.request.upgrade = SL("websocket");
	c.request.version = t->version;
	c.spec.body = flow_new(FLOW_LENGTH_UNKNOWN, 0, 65536);
	CU_ASSERT_EQUAL(flow_write(c.spec.body, SL("hello")), ERR_NONE);
	if (t->ends)
		flow_finish(c.spec.body, SLICE_NONE);
	client_start(&c);
	rig_await(&rig, 1);
	bool is_right = client_did_see(&c, t->saw) && meter_read(&rig.meters.idle) == t->kept;
	client_fini(&c);
	flow_unref(&c.spec.body);
	rig_close(&rig);
	server_join(&server);
	struct slice heard = buf_slice(&server.heard);
	heard = slice_from(heard, slice_find_slice(heard, SL("\r\n\r\n")) + 4);
	is_right &= slice_eq(heard, slice_str(t->heard));
	server_fini(&server);
	return is_right;
}

static void test_tunnels(void)
{
	role_loop();
	for (size_t i = 0; i < COUNT_OF(tunnels); i++) {
		bool is_right = did_tunnel(&tunnels[i]);
		if (!is_right)
			fprintf(stderr, "  in \"%s\"\n", tunnels[i].name);
		CU_ASSERT(is_right);
	}
}

/* Given up in each state that waits: nothing of it stays. */
static void test_cancel(void)
{
	role_loop();
	for (int ms = 0; ms < 40; ms += 5) {
		struct field key = { SL("Sec-WebSocket-Key"), SL("dGhlIHNhbXBsZSBub25jZQ=="), 0 };
		struct client c;
		server_start(
		    &server, PLAY(ACCEPT, PAUSE(10), HEAR, PAUSE(10), SAY(AGREED "welcome"), HOLD));
		rig_open(&rig);
		rig_add(&rig, "127.0.0.1", server.port);
		rig_start(&rig);
		client_init(&c, &rig, "GET");
		c.fields = (struct fields){ &key, 1, 1 };
		c.request.upgrade = SL("websocket");
		c.spec.body = flow_new(FLOW_LENGTH_UNKNOWN, 0, 65536);
		client_start(&c);
		rig_nap(&rig, ms + 1);
		exchange_cancel(&c.exchange);
		CU_ASSERT_FALSE(c.has_ended);
		CU_ASSERT((!c.spec.body->fill || list_empty(&c.spec.body->fill->readers)));
		if (c.flow)
			CU_ASSERT_EQUAL(c.flow->failure, ERR_CANCELLED);
		client_fini(&c);
		flow_unref(&c.spec.body);
		rig_nap(&rig, 1);
		rig_close(&rig);
		server_stop(&server);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "tunnels", test_tunnels },
		{ "cancel", test_cancel },
		CU_TEST_INFO_NULL,
	};
	return run_tests("tunnel", tests);
}
