/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/websocket.c"

#include "test/unit/edge/http/kit.h"

#define SAMPLE "dGhlIHNhbXBsZSBub25jZQ==" /* of RFC 6455 1.3, with its proof */
#define SAMPLE_PROOF "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define SWITCH "Upgrade: websocket\nConnection: Upgrade\n"
#define KEY_LINE "Sec-WebSocket-Key: " SAMPLE "\n"

static void test_is_asked(void)
{
	static const struct {
		const char *name, *fields;
		bool is_asked;
	} rows[] = {
		{ "RFC 6455 4.2.1", SWITCH KEY_LINE, true },
		{ "case",
		    "upgrade: WEBSocket\nconnection: upGRADE\nsec-websocket-key: " SAMPLE "\n",
		    true },
		{ "lists", "Upgrade: a/1, websocket\nConnection: keep-alive , upgrade\n" KEY_LINE,
		    true },
		{ "lines",
		    "Upgrade: a\nUpgrade: websocket\nConnection: a\nConnection: upgrade\n" KEY_LINE,
		    true },
		{ "all of base64", SWITCH "Sec-WebSocket-Key: azAZ09+/azAZ09+/azAZ09==\n", true },
		{ "nothing", "", false },
		{ "no Upgrade", "Connection: Upgrade\n" KEY_LINE, false },
		{ "no Connection", "Upgrade: websocket\n" KEY_LINE, false },
		{ "RFC 9110 7.8: h2c", "Upgrade: h2c\nConnection: Upgrade\n" KEY_LINE, false },
		{ "a version of it", "Upgrade: websocket/1\nConnection: Upgrade\n" KEY_LINE,
		    false },
		{ "part of a word", "Upgrade: websockets\nConnection: Upgraded\n" KEY_LINE, false },
		{ "no key", SWITCH, false },
		{ "two keys", SWITCH KEY_LINE KEY_LINE, false },
		{ "an empty key", SWITCH "Sec-WebSocket-Key:\n", false },
		{ "15 bytes", SWITCH "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\n", false },
		{ "17 bytes", SWITCH "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWE=\n", false },
		{ "no padding", SWITCH "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\n", false },
		{ "not base64", SWITCH "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j*Q==\n", false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct request request = {
			.method = METHOD_GET, .version = 11, .fields = kit_fields(rows[i].fields)
		};
		CHECK(rows[i].name, websocket_is_asked(&request) == rows[i].is_asked);
	}
}

/* A handshake is a GET of HTTP/1.1 that has no body. */
static void test_is_asked_by(void)
{
	static const struct {
		const char *name;
		struct request request;
		bool is_asked;
	} rows[] = {
		{ "GET", { .method = METHOD_GET, .version = 11 }, true },
		{ "POST", { .method = METHOD_POST, .version = 11 }, false },
		{ "HEAD", { .method = METHOD_HEAD, .version = 11 }, false },
		{ "HTTP/1.0", { .method = METHOD_GET, .version = 10 }, false },
		{ "an empty body",
		    { .method = METHOD_GET, .version = 11, .framing = FRAMING_LENGTH }, true },
		{ "a body",
		    { .method = METHOD_GET,
			.version = 11,
			.framing = FRAMING_LENGTH,
			.content_length = 1 },
		    false },
		{ "chunks", { .method = METHOD_GET, .version = 11, .framing = FRAMING_CHUNKED },
		    false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct request request = rows[i].request;
		request.fields = kit_fields(SWITCH KEY_LINE);
		CHECK(rows[i].name, websocket_is_asked(&request) == rows[i].is_asked);
	}
}

static void test_ask(void)
{
	struct fields f = kit_fields("Accept: x\n" KEY_LINE);
	CHECK("h1", websocket_ask(&f, &arena, 11));
	CHECK("h1", f.count == 4);
	CHECK_SLICE("h1", fields_value(&f, FIELD_CONNECTION), "Upgrade");
	CHECK_SLICE("h1", fields_value(&f, FIELD_UPGRADE), "websocket");
	CHECK_SLICE("h1", fields_find_name(&f, KEY)->value, SAMPLE);
}

/* RFC 8441 5: the key is not used, so it is made here, and anew each time. */
static void test_ask_for_h2(void)
{
	struct fields f = kit_fields(KEY_LINE), g = kit_fields("Sec-WebSocket-Version: 8\n");
	CHECK("h2", websocket_ask(&f, &arena, 20));
	CHECK("h2", websocket_ask(&g, &arena, 20));
	struct slice one = only_key(&f), other = only_key(&g);
	CHECK("one key", one.len == KEY_LEN && other.len == KEY_LEN);
	CHECK("another each time", !slice_eq(one, other) && !slice_eq(one, SL(SAMPLE)));
	CHECK_SLICE("version", fields_find_name(&f, VERSION)->value, "13");
	CHECK_SLICE("theirs", fields_find_name(&g, VERSION)->value, "8");
	struct arena full;
	arena_init(&full, 8);
	CHECK("no room", !websocket_ask(&f, &full, 20));
	arena_fini(&full);
}

static void test_is_agreed(void)
{
	static const char proof[] = "Sec-WebSocket-Accept: " SAMPLE_PROOF "\n";
	static const struct {
		const char *name, *asked, *lines[2];
		uint16_t status;
		bool is_agreed;
	} rows[] = {
		{ "RFC 6455 1.3", KEY_LINE, { SWITCH, proof }, 101, true },
		{ "case", KEY_LINE, { "upgrade: WebSocket\nconnection: upgrade\n", proof }, 101,
		    true },
		{ "status", KEY_LINE, { SWITCH, proof }, 200, false },
		{ "no proof", KEY_LINE, { SWITCH, "" }, 101, false },
		{ "of another key", KEY_LINE,
		    { SWITCH, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\n" }, 101,
		    false },
		{ "nothing asked", "", { SWITCH, proof }, 101, false },
		{ "another protocol", KEY_LINE, { "Upgrade: h2c\nConnection: Upgrade\n", proof },
		    101, false },
		{ "no Connection", KEY_LINE, { "Upgrade: websocket\n", proof }, 101, false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[200];
		snprintf(text, sizeof(text), "%s%s", rows[i].lines[0], rows[i].lines[1]);
		struct fields asked = kit_fields(rows[i].asked);
		struct response response = { .status = rows[i].status, .fields = kit_fields(text) };
		CHECK(rows[i].name, websocket_is_agreed(&asked, &response) == rows[i].is_agreed);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "is asked", test_is_asked },
		{ "is asked by", test_is_asked_by },
		{ "ask", test_ask },
		{ "ask for h2", test_ask_for_h2 },
		{ "is agreed", test_is_agreed },
		CU_TEST_INFO_NULL,
	};
	return kit_run("http/websocket", tests);
}
