/* SPDX-License-Identifier: Apache-2.0 */
/* Heads and bodies, shown whole and byte by byte: both must say the same. */
#include "edge/wire/h1_read.c"

#include <CUnit/Basic.h>

#include "edge/base/buf.h"

static const struct h1_limits limits = {
	.line_bytes = 256,
	.head_bytes = 1024,
	.fields = 8,
	.body_bytes = 64,
};

/* What a message came to. */
struct outcome {
	enum h1_event event;
	enum err failure;
	size_t used;
	struct request request;
	struct response response;
	char body[256];
};

static void take_flow(struct flow *flow, struct outcome *o)
{
	struct flow_reader reader;
	struct iovec iov[8];
	enum flow_state state;
	CU_ASSERT_FATAL(flow_attach(&reader, flow, 0, NULL));
	int n = flow_peek(&reader, iov, 8, sizeof(o->body) - 1, &state);
	for (int i = 0; i < n; i++)
		strncat(o->body, iov[i].iov_base, iov[i].iov_len);
	flow_detach(&reader);
}

/* Reads one message, shown in steps of `step` bytes. */
static void read_all(
    enum h1_kind kind, struct slice bytes, size_t step, struct arena *arena, struct outcome *o)
{
	struct h1_reader reader;
	struct flow *flow = flow_new(FLOW_LENGTH_UNKNOWN, FLOW_KEEP_ALL, 0);
	*o = (struct outcome){ .event = H1_MORE };
	o->request.scheme = SL("http");
	h1_reader_begin(&reader, kind, &limits, arena);
	size_t begin = 0, shown = 0, used = 0;
	bool in_body = false;
	while (shown < bytes.len && (o->event == H1_MORE || o->event == H1_HEAD)) {
		shown = min_size(shown + step, bytes.len);
		struct slice view = slice_of(bytes.at + begin, shown - begin);
		if (!in_body)
			o->event = h1_read_head(&reader, view, &used, &o->request, &o->response);
		else
			o->event = h1_read_body(&reader, view, &used, flow);
		begin += used;
		if (!in_body && o->event == H1_HEAD) {
			in_body = true;
			o->event = h1_read_body(
			    &reader, slice_of(bytes.at + begin, shown - begin), &used, flow);
			begin += used;
		}
	}
	if (o->event == H1_MORE)
		o->event = h1_read_eof(&reader);
	o->failure = reader.failure;
	o->used = begin;
	take_flow(flow, o);
	flow_unref(&flow);
}

static const struct {
	const char *text;
	enum err failure; /* ERR_NONE: the message ends where the text ends */
	const char *body;
} requests[] = {
	{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", ERR_NONE, "" },
	{ "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", ERR_NONE, "" },
	{ "QUERY /q HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", ERR_NONE, "hi" },
	{ "GET / HTTP/1.0\r\n\r\n", ERR_NONE, "" },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", ERR_NONE, "hello" },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	    ERR_NONE, "hello" },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	  "2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n",
	    ERR_NONE, "hello" },
	{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", ERR_NONE,
	    "" },
	/* lines */
	{ "GET / HTTP/1.1\nHost: a\n\n", ERR_BAD_REQUEST, NULL },
	{ "GET / HTTP/1.1\r\nHost: a\n\r\n", ERR_BAD_FIELD, NULL },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX: 1\rY: 2\r\n\r\n", ERR_BAD_FIELD, NULL },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n", ERR_BAD_FIELD, NULL },
	{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", ERR_BAD_FIELD, NULL },
	{ "GET / HTTP/1.1\r\nHost: a\r\n: a\r\n\r\n", ERR_BAD_FIELD, NULL },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", ERR_BAD_FIELD, NULL },
	{ "GET / HTTP/1.1\r\nHost: a\r\nNo colon\r\n\r\n", ERR_BAD_FIELD, NULL },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX Y: 1\r\n\r\n", ERR_BAD_FIELD, NULL },
	/* trailers are held to the same */
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\n", ERR_BAD_FIELD,
	    NULL },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n c\r\n\r\n",
	    ERR_BAD_FIELD, NULL },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA : b\r\n\r\n",
	    ERR_BAD_FIELD, NULL },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n",
	    ERR_BAD_FIELD, NULL },
	/* the request line */
	{ "GET / RTSP/1.0\r\nHost: a\r\n\r\n", ERR_BAD_REQUEST, NULL },
	{ "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", ERR_BAD_REQUEST, NULL },
	{ "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", ERR_BAD_REQUEST, NULL },
	{ "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", ERR_BAD_REQUEST, NULL },
	{ " / HTTP/1.1\r\nHost: a\r\n\r\n", ERR_BAD_REQUEST, NULL },
	{ "GET HTTP/1.1\r\nHost: a\r\n\r\n", ERR_BAD_REQUEST, NULL },
	{ "GET / HTTP/1.2\r\nHost: a\r\n\r\n", ERR_VERSION_UNKNOWN, NULL },
	{ "GET / HTTP/2.0\r\nHost: a\r\n\r\n", ERR_VERSION_UNKNOWN, NULL },
	{ "G\x7fT / HTTP/1.1\r\nHost: a\r\n\r\n", ERR_BAD_REQUEST, NULL },
	{ "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", ERR_METHOD_REFUSED, NULL },
	{ "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", ERR_METHOD_REFUSED, NULL },
	{ "GET / HTTP/1.1\r\n\r\n", ERR_BAD_HOST, NULL },
	{ "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", ERR_BAD_HOST, NULL },
	/* framing */
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
	    ERR_BAD_FRAMING, NULL },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx", ERR_BAD_FRAMING, NULL },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", ERR_BAD_FRAMING, NULL },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
	    ERR_BAD_FRAMING, NULL },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	    ERR_BAD_FRAMING, NULL },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
	    ERR_CODING_UNKNOWN, NULL },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", ERR_BAD_FRAMING, NULL },
	{ "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	    ERR_BAD_FRAMING, NULL },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", ERR_BAD_FRAMING,
	    NULL },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
	    ERR_BAD_FRAMING, NULL },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\nhe\r\n0\r\n\r\n",
	    ERR_BAD_FRAMING, NULL },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	  "fffffffffffffffff\r\n",
	    ERR_BAD_FRAMING, NULL },
	/* limits */
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65\r\n\r\n", ERR_BODY_TOO_LARGE, NULL },
	{ "GET / HTTP/1.1\r\nHost: a\r\nA:1\r\nA:1\r\nA:1\r\nA:1\r\nA:1\r\nA:1\r\nA:1\r\nA:1\r\n\r\n",
	    ERR_TOO_MANY_FIELDS, NULL },
	{ "POST / HTTP/1.1\r\nHost: a\r\nExpect: more\r\nContent-Length: 1\r\n\r\nx",
	    ERR_EXPECT_UNKNOWN, NULL },
	/* cut */
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel", ERR_BAD_FRAMING, NULL },
	{ "GET / HTTP/1.1\r\nHost: a\r\n", ERR_BAD_FRAMING, NULL },
};

static void check_request(size_t i, size_t step)
{
	struct arena arena;
	struct outcome o;
	struct slice text = slice_str(requests[i].text);
	arena_init(&arena, 64 * KIB);
	read_all(H1_REQUEST, text, step, &arena, &o);
	bool well = o.failure == requests[i].failure &&
	    (o.event == H1_END) == (requests[i].failure == ERR_NONE);
	if (well && requests[i].body)
		well = strcmp(o.body, requests[i].body) == 0 && o.used == text.len;
	if (!well)
		fprintf(stderr, "row %zu, steps of %zu: %s: %s, body \"%s\"\n", i, step,
		    requests[i].text, err_name(o.failure), o.body);
	CU_ASSERT_TRUE(well);
	arena_fini(&arena);
}

static void test_requests(void)
{
	for (size_t i = 0; i < COUNT_OF(requests); i++) {
		check_request(i, 1);
		check_request(i, 7);
		check_request(i, 4096);
	}
}

static void test_long_lines(void)
{
	struct arena arena;
	struct outcome o;
	struct buf text;
	arena_init(&arena, 64 * KIB);
	buf_init(&text, 0);
	buf_addf(&text, "GET /%0300d HTTP/1.1\r\nHost: a\r\n\r\n", 0);
	read_all(H1_REQUEST, buf_slice(&text), 4096, &arena, &o);
	CU_ASSERT_EQUAL(o.failure, ERR_LINE_TOO_LONG);
	buf_clear(&text);
	buf_addf(&text, "GET / HTTP/1.1\r\nHost: a\r\nX: %01024d\r\n\r\n", 0);
	read_all(H1_REQUEST, buf_slice(&text), 100, &arena, &o);
	CU_ASSERT_EQUAL(o.failure, ERR_HEAD_TOO_LARGE);
	buf_fini(&text);
	arena_fini(&arena);
}

static const struct {
	const char *text;
	bool is_whole;
	enum framing framing;
	const char *body;
} answers[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", true, FRAMING_LENGTH, "hi" },
	{ "HTTP/1.1 200 OK\r\n\r\nhi", true, FRAMING_CLOSE, "hi" },
	{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", true, FRAMING_NONE, "" },
	{ "HTTP/1.1 204 No Content\r\n\r\n", true, FRAMING_NONE, "" },
	{ "HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n", true, FRAMING_LENGTH, "" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: XYZ\r\n\r\nhi", true, FRAMING_CLOSE, "hi" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhi", false, 0, NULL },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", false, 0, NULL },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	    false, 0, NULL },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", false, 0, NULL },
	{ "nonsense\r\n\r\n", false, 0, NULL },
};

static void test_answers(void)
{
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		for (size_t step = 1; step < 4096; step *= 16) {
			struct arena arena;
			struct outcome o;
			arena_init(&arena, 64 * KIB);
			read_all(H1_ANSWER, slice_str(answers[i].text), step, &arena, &o);
			bool well = (o.event == H1_END) == answers[i].is_whole;
			if (well && answers[i].is_whole)
				well = o.response.framing == answers[i].framing &&
				    strcmp(o.body, answers[i].body) == 0;
			if (!well)
				fprintf(stderr, "answer %zu: %s, body \"%s\"\n", i,
				    err_name(o.failure), o.body);
			CU_ASSERT_TRUE(well);
			arena_fini(&arena);
		}
	}
}

/* What follows a message is the next one's, to the byte. */
static void test_pipelined(void)
{
	struct arena arena;
	struct outcome o;
	struct slice two = SL("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
			      "2\r\nhi\r\n0\r\n\r\nGET /next HTTP/1.1\r\n");
	arena_init(&arena, 64 * KIB);
	read_all(H1_REQUEST, two, 4096, &arena, &o);
	CU_ASSERT_EQUAL(o.event, H1_END);
	CU_ASSERT_TRUE(slice_eq(slice_from(two, o.used), SL("GET /next HTTP/1.1\r\n")));
	arena_fini(&arena);
}

#define SWITCH "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

/* A request to switch ends with its head; what is no such request is read as any other. */
static void test_upgrade(void)
{
	static const struct {
		const char *text, *upgrade, *body;
	} rows[] = {
		{ "GET / HTTP/1.1\r\nHost: a\r\n" SWITCH KEY "\r\n", "websocket", "" },
		{ "GET / HTTP/1.1\r\nHost: a\r\n" SWITCH "\r\n", "", "" },
		{ "GET / HTTP/1.1\r\nHost: a\r\n" SWITCH KEY "Content-Length: 2\r\n\r\nhi", "",
		    "hi" },
		{ "GET / HTTP/1.0\r\nHost: a\r\n" SWITCH KEY "\r\n", "", "" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct arena arena;
		struct outcome o;
		arena_init(&arena, 64 * KIB);
		read_all(H1_REQUEST, slice_str(rows[i].text), 4096, &arena, &o);
		CU_ASSERT_EQUAL(o.event, H1_END);
		CU_ASSERT_EQUAL(o.used, strlen(rows[i].text));
		CU_ASSERT(slice_eq(o.request.upgrade, slice_str(rows[i].upgrade)));
		CU_ASSERT_STRING_EQUAL(o.body, rows[i].body);
		arena_fini(&arena);
	}
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite suite = CU_add_suite("h1_read", NULL, NULL);
	CU_ADD_TEST(suite, test_requests);
	CU_ADD_TEST(suite, test_long_lines);
	CU_ADD_TEST(suite, test_answers);
	CU_ADD_TEST(suite, test_pipelined);
	CU_ADD_TEST(suite, test_upgrade);
	CU_basic_run_tests();
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
