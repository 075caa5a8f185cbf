/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP/2 connection over a socketpair, between frames and a journey that the test plays. */
#include "edge/wire/h2.c"

#include <CUnit/Basic.h>
#include <signal.h>

#include "edge/base/buf.h"

enum { DATA, HEADERS, RST_STREAM = 3, SETTINGS, GOAWAY = 7, WINDOW_UPDATE };
enum { END_STREAM = 1, END_HEADERS = 4 };

/* ---- the journey ---- */

static struct stream *asked; /* the latest request */
static enum err refused;
static unsigned done_count;
static enum err done_why;

static void on_request(struct stream *s)
{
	asked = s;
}
static void on_refused(struct stream *s, enum err why)
{
	asked = s;
	refused = why;
}
static void on_done(struct stream *s, enum err why)
{
	if (asked == s)
		asked = NULL;
	done_count++;
	done_why = why;
}
static const struct stream_events events = { on_request, on_refused, on_done };

/* A source that the test fills. */
static struct script {
	struct source source;
	struct slice rest;
	enum source_state then;
} script;

static enum source_state script_peek(
    UNUSED struct source *source, struct iovec *iov, UNUSED int max, int *ret_count)
{
	*ret_count = script.rest.len ? 1 : 0;
	iov[0] = (struct iovec){ (char *)(uintptr_t)script.rest.at, script.rest.len };
	return script.rest.len ? SOURCE_MORE : script.then;
}
static void script_advance(UNUSED struct source *source, uint64_t bytes)
{
	script.rest = slice_from(script.rest, bytes);
}
static struct source *script_of(struct slice bytes, enum source_state then)
{
	script = (struct script){ .source = { .peek = script_peek, .advance = script_advance },
		.rest = bytes,
		.then = then };
	return &script.source;
}

/* ---- the stage ---- */

static struct loop loop;
static struct front front;
static _Atomic uint64_t connections;
static int client;
static struct buf heard;
static const struct limits limits = {
	.line_bytes = 512,
	.head_bytes = 2048,
	.head_fields = 16,
	.head_ms = 10000,
	.body_ms = 10000,
	.idle_ms = 10000,
	.send_ms = 10000,
	.connections = 10,
	.h2 = true,
	.h2_streams = 8,
	.h2_resets = 20,
};

static void turn_loop(void)
{
	for (int i = 0; i < 4; i++)
		ev_run(loop.ev, EVRUN_NOWAIT);
}

static void hear(void)
{
	turn_loop();
	for (ssize_t n = 1; n > 0;) {
		char *to = buf_room(&heard, 65536);
		n = to ? read(client, to, 65536) : 0;
		heard.len += n > 0 ? (size_t)n : 0;
		turn_loop();
	}
}

static void say_frame(uint8_t type, uint8_t flags, uint8_t stream, struct slice payload)
{
	char head[9] = { 0, (char)(payload.len >> 8), (char)payload.len, (char)type, (char)flags, 0,
		0, 0, (char)stream };
	struct iovec iov[] = { { head, 9 }, { (char *)(uintptr_t)payload.at, payload.len } };
	CU_ASSERT_EQUAL(writev(client, iov, 2), (ssize_t)(9 + payload.len));
	turn_loop();
}

static void add_text(struct buf *b, const char *text)
{
	buf_add_char(b, (char)strlen(text));
	buf_add(b, slice_str(text));
}

/* Literal fields, never indexed: name, value, name, value, NULL. */
static void say_head(uint8_t stream, uint8_t flags, const char *const *fields)
{
	struct buf b;
	buf_init(&b, 0);
	for (; *fields; fields += 2) {
		buf_add_char(&b, 0);
		add_text(&b, fields[0]);
		add_text(&b, fields[1]);
	}
	say_frame(HEADERS, flags | END_HEADERS, stream, buf_slice(&b));
	buf_fini(&b);
}
#define FIELDS_OF(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define REQUEST(method, path) ":method", method, ":scheme", "http", ":path", path, ":authority", "a"

/* The next frame of that type and stream, taken off with all before it. False: there is none. */
static bool take_frame(uint8_t type, uint8_t stream, uint8_t *ret_flags, struct slice *ret_payload)
{
	static char kept[65536];
	hear();
	while (heard.len >= 9) {
		const uint8_t *h = (const uint8_t *)heard.at;
		size_t len = (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
		bool is_it = h[3] == type && h[8] == stream && !(type == SETTINGS && h[4]);
		CU_ASSERT_FATAL(heard.len >= 9 + len && len <= sizeof(kept));
		*ret_flags = h[4];
		memcpy(kept, heard.at + 9, len);
		*ret_payload = slice_of(kept, len);
		buf_consume(&heard, 9 + len);
		if (is_it)
			return true;
	}
	return false;
}

static bool hears(uint8_t type, uint8_t stream, uint8_t flags, struct slice payload)
{
	uint8_t got_flags;
	struct slice got;
	return take_frame(type, stream, &got_flags, &got) && got_flags == flags &&
	    slice_eq(got, payload);
}

static void begin(void)
{
	int fds[2];
	struct conn conn;
	struct address peer = { .v4.sin_family = AF_INET };
	role_loop();
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	CU_ASSERT_EQUAL_FATAL(front_init(&front, &loop, &events, NULL, &connections), ERR_NONE);
	front_set_limits(&front, &limits);
	client = fds[1];
	asked = NULL;
	refused = done_why = ERR_NONE;
	done_count = 0;
	buf_init(&heard, 0);
	CU_ASSERT(front_admit(&front));
	conn_open(&conn, &loop, fds[0], NULL);
	const struct visit visit = { .conn = &conn, .peer = &peer };
	CU_ASSERT_FATAL(h2_take(&front, &visit));
	CU_ASSERT_EQUAL(write(client, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN),
	    NGHTTP2_CLIENT_MAGIC_LEN);
	say_frame(SETTINGS, 0, 0, SLICE_NONE);
}

static void end(void)
{
	role_loop();
	close(client);
	front_fini(&front);
	turn_loop();
	buf_fini(&heard);
	CU_ASSERT_EQUAL(connections, 0);
}

/* ---- what is told ---- */

static void test_answer(void)
{
	begin();
	say_head(1, END_STREAM, FIELDS_OF(REQUEST("GET", "/x")));
	CU_ASSERT_FATAL(asked != NULL);
	CU_ASSERT_EQUAL(asked->request.version, 20);
	CU_ASSERT_PTR_NULL(asked->body);
	struct answer a = { .status = 200, .has_body = true, .has_length = true, .length = 5 };
	stream_answer(asked, &a, script_of(SL("hello"), SOURCE_END));
	CU_ASSERT(hears(DATA, 1, END_STREAM, SL("hello")));
	CU_ASSERT(done_count == 1 && done_why == ERR_NONE);
	end();
}

/* A source that waits holds nothing up, and ends short of its length with a reset. */
static void test_short_answer(void)
{
	uint8_t flags;
	struct slice payload;
	begin();
	say_head(1, END_STREAM, FIELDS_OF(REQUEST("GET", "/x")));
	struct stream *first = asked;
	struct answer a = { .status = 200, .has_body = true, .has_length = true, .length = 9 };
	stream_answer(first, &a, script_of(SL("abc"), SOURCE_WAIT));
	CU_ASSERT(hears(DATA, 1, 0, SL("abc")));
	say_head(3, END_STREAM, FIELDS_OF(REQUEST("GET", "/y")));
	stream_answer(asked, &(struct answer){ .status = 204 }, NULL);
	CU_ASSERT(take_frame(HEADERS, 3, &flags, &payload) && (flags & END_STREAM));
	CU_ASSERT_EQUAL(done_count, 1);
	script.then = SOURCE_END;
	stream_resume(first);
	CU_ASSERT(hears(RST_STREAM, 1, 0, SL("\0\0\0\2")));
	CU_ASSERT(done_count == 2 && done_why == ERR_ORIGIN_TRUNCATED);
	end();
}

/* RFC 8441 5: 101 is 200, DATA flows both ways, either end is told. */
static void test_tunnel(void)
{
	uint8_t flags;
	struct slice payload;
	struct flow_reader reader;
	struct iovec iov[4];
	enum flow_state state;
	begin();
	say_head(1, 0, FIELDS_OF(REQUEST("CONNECT", "/chat"), ":protocol", "websocket"));
	CU_ASSERT_FATAL(asked != NULL && asked->body != NULL);
	CU_ASSERT(slice_eq(asked->request.upgrade, SL("websocket")));
	CU_ASSERT(asked->request.method == METHOD_GET);
	CU_ASSERT(asked->request.framing == FRAMING_NONE);
	say_frame(DATA, 0, 1, SL("early"));
	struct stream *s = asked;
	CU_ASSERT_FATAL(flow_attach(&reader, s->body, 0, &loop));
	stream_answer(s, &(struct answer){ .status = 101, .has_body = true },
	    script_of(SL("up"), SOURCE_WAIT));
	CU_ASSERT_FATAL(take_frame(HEADERS, 1, &flags, &payload));
	CU_ASSERT(!(flags & END_STREAM) && payload.at[0] == (char)0x88); /* :status 200 */
	CU_ASSERT(hears(DATA, 1, 0, SL("up")));
	say_frame(DATA, 0, 1, SL("+late"));
	CU_ASSERT_EQUAL(flow_peek(&reader, iov, 4, UINT64_MAX, &state), 1);
	CU_ASSERT(slice_eq(slice_of(iov[0].iov_base, iov[0].iov_len), SL("early+late")));
	CU_ASSERT(state == FLOW_FILLING);
	say_frame(DATA, END_STREAM, 1, SLICE_NONE);
	CU_ASSERT(flow_state(s->body) == FLOW_COMPLETE);
	CU_ASSERT_EQUAL(done_count, 0);
	flow_detach(&reader);
	script.rest = SL("bye");
	script.then = SOURCE_END;
	stream_resume(s);
	CU_ASSERT(hears(DATA, 1, 0, SL("bye")));
	CU_ASSERT(hears(DATA, 1, END_STREAM, SLICE_NONE));
	CU_ASSERT(done_count == 1 && done_why == ERR_NONE);
	end();
}

/* What nobody has asked for is not lost, and the window grows once it is wanted. */
static void test_body(void)
{
	uint8_t flags;
	struct slice payload;
	struct flow_reader reader;
	struct iovec iov[4];
	enum flow_state state;
	begin();
	say_head(1, 0, FIELDS_OF(REQUEST("POST", "/x"), "content-length", "6"));
	CU_ASSERT(asked->request.framing == FRAMING_LENGTH && asked->request.content_length == 6);
	say_frame(DATA, 0, 1, SL("abc"));
	CU_ASSERT_EQUAL(flow_filled(asked->body), 0);
	hear();
	buf_clear(&heard);
	CU_ASSERT_FATAL(flow_attach(&reader, asked->body, 0, &loop));
	stream_want_body(asked);
	CU_ASSERT(take_frame(WINDOW_UPDATE, 1, &flags, &payload));
	say_frame(DATA, END_STREAM, 1, SL("def"));
	CU_ASSERT(flow_state(asked->body) == FLOW_COMPLETE);
	CU_ASSERT_EQUAL(flow_peek(&reader, iov, 4, UINT64_MAX, &state), 1);
	CU_ASSERT(slice_eq(slice_of(iov[0].iov_base, iov[0].iov_len), SL("abcdef")));
	flow_detach(&reader);
	end();
	CU_ASSERT(done_count == 1 && done_why == ERR_SHUTDOWN);
}

static void test_client_resets(void)
{
	begin();
	say_head(1, 0, FIELDS_OF(REQUEST("POST", "/x")));
	struct flow *body = flow_ref(asked->body);
	say_frame(RST_STREAM, 0, 1, SL("\0\0\0\x08"));
	CU_ASSERT(done_count == 1 && done_why == ERR_CLIENT_GONE);
	CU_ASSERT(flow_state(body) == FLOW_FAILED);
	flow_unref(&body);
	/* With an answer under way, and bytes that its window does not take. */
	char large[100000] = { 0 };
	say_head(3, END_STREAM, FIELDS_OF(REQUEST("GET", "/x")));
	stream_answer(asked, &(struct answer){ .status = 200, .has_body = true },
	    script_of(slice_of(large, sizeof(large)), SOURCE_END));
	hear();
	CU_ASSERT_EQUAL(done_count, 1);
	say_frame(RST_STREAM, 0, 3, SL("\0\0\0\x08"));
	CU_ASSERT(done_count == 2 && done_why == ERR_CLIENT_GONE);
	end();
}

static void test_cut(void)
{
	begin();
	say_head(1, END_STREAM, FIELDS_OF(REQUEST("GET", "/x")));
	stream_cut(asked, ERR_ORIGIN_CLOSED);
	CU_ASSERT(done_count == 1 && done_why == ERR_ORIGIN_CLOSED);
	CU_ASSERT(hears(RST_STREAM, 1, 0, SL("\0\0\0\2")));
	say_head(3, END_STREAM, FIELDS_OF(REQUEST("GET", "/x")));
	CU_ASSERT(asked != NULL);
	end();
	CU_ASSERT_EQUAL(done_count, 2);
}

/* RFC 9113 8.1 */
static void test_early_answer(void)
{
	uint8_t flags;
	struct slice payload;
	begin();
	say_head(1, 0, FIELDS_OF(REQUEST("POST", "/x")));
	stream_answer(asked, &(struct answer){ .status = 403 }, NULL);
	CU_ASSERT(take_frame(HEADERS, 1, &flags, &payload) && (flags & END_STREAM));
	CU_ASSERT(hears(RST_STREAM, 1, 0, SL("\0\0\0\0")));
	CU_ASSERT(done_count == 1 && done_why == ERR_NONE);
	end();
}

static void test_refusals(void)
{
	begin();
	say_head(1, 0, FIELDS_OF(REQUEST("CONNECT", "/"), ":protocol", "other"));
	CU_ASSERT_EQUAL(refused, ERR_PROTOCOL_UNKNOWN);
	stream_answer(asked, &(struct answer){ .status = 501 }, NULL);
	say_head(3, END_STREAM, FIELDS_OF(REQUEST("GET", "x")));
	CU_ASSERT(hears(RST_STREAM, 3, 0, SL("\0\0\0\1")));
	CU_ASSERT_EQUAL(done_count, 1);
	end();
}

static void test_drain(void)
{
	uint8_t flags;
	struct slice payload;
	role_loop();
	begin();
	say_head(1, END_STREAM, FIELDS_OF(REQUEST("GET", "/x")));
	front_drain(&front);
	CU_ASSERT(take_frame(GOAWAY, 0, &flags, &payload));
	CU_ASSERT(slice_eq(payload, SL("\x7f\xff\xff\xff\0\0\0\0")));
	stream_answer(asked, &(struct answer){ .status = 204 }, NULL);
	CU_ASSERT(take_frame(HEADERS, 1, &flags, &payload));
	CU_ASSERT_FALSE(list_empty(&front.guests));
	say_frame(6, 1, 0, SL("\0\0\0\0\0\0\0\0"));
	CU_ASSERT(hears(GOAWAY, 0, 0, SL("\0\0\0\1\0\0\0\0")));
	shutdown(client, SHUT_WR);
	turn_loop();
	CU_ASSERT(list_empty(&front.guests));
	end();
}

static void test_sign(void)
{
	struct slice preface = slice_of(NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
	for (size_t len = 0; len < preface.len; len++)
		CU_ASSERT(h2_sign_of(slice_first(preface, len)) == H2_MAYBE);
	CU_ASSERT(h2_sign_of(preface) == H2_YES);
	CU_ASSERT(h2_sign_of(SL("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore")) == H2_YES);
	CU_ASSERT(h2_sign_of(SL("PRI * HTTP/2.0\r\n\r\nSM\r\n\r")) == H2_MAYBE);
	CU_ASSERT(h2_sign_of(SL("PRI * HTTP/1.1\r\n")) == H2_NO);
	CU_ASSERT(h2_sign_of(SL("GET")) == H2_NO);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	if (loop_init(&loop, "test", 0, NULL) != ERR_NONE)
		return 1;
	CU_initialize_registry();
	CU_pSuite s = CU_add_suite("edge/wire/h2", NULL, NULL);
	CU_add_test(s, "answer", test_answer);
	CU_add_test(s, "short answer", test_short_answer);
	CU_add_test(s, "tunnel", test_tunnel);
	CU_add_test(s, "body", test_body);
	CU_add_test(s, "client resets", test_client_resets);
	CU_add_test(s, "cut", test_cut);
	CU_add_test(s, "early answer", test_early_answer);
	CU_add_test(s, "refusals", test_refusals);
	CU_add_test(s, "drain", test_drain);
	CU_add_test(s, "sign", test_sign);
	CU_basic_run_tests();
	loop_fini(&loop);
	return CU_get_number_of_failures() > 0;
}
