/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/sending.c"

#include <CUnit/Basic.h>

/* A source that lends its parts one by one, and nothing in between. */
struct parts {
	struct source source;
	const char *const *next; /* ends with NULL; "" = wait */
	enum source_state end;
};

static enum source_state peek(struct source *source, struct iovec *iov, int max, int *ret_count)
{
	struct parts *p = CONTAINER_OF(source, struct parts, source);
	const char *part = *p->next;
	*ret_count = 0;
	if (!part || max < 1)
		return p->end;
	if (!*part) {
		p->next++;
		return SOURCE_WAIT;
	}
	iov[0] = (struct iovec){ (void *)(uintptr_t)part, strlen(part) };
	*ret_count = 1;
	return SOURCE_MORE;
}

/* Whole parts only: so much is always sent here. */
static void advance(struct source *source, uint64_t bytes)
{
	struct parts *p = CONTAINER_OF(source, struct parts, source);
	CU_ASSERT_EQUAL(bytes, strlen(*p->next));
	p->next++;
}

/* Sends all there is; "|" where there was nothing to send. Returns how it ended. */
static enum err send_all(struct sending *s, struct buf *sent)
{
	for (int i = 0; i < 20 && !sending_is_done(s); i++) {
		struct gathered g;
		enum err e = sending_gather(s, &g);
		if (e != ERR_NONE)
			return e;
		if (g.count == 0 && !sending_is_done(s))
			buf_add_char(sent, '|');
		for (int k = 0; k < g.count; k++)
			buf_add(sent, slice_of(g.at[k].iov_base, g.at[k].iov_len));
		sending_took(s, g.bytes);
	}
	return sending_is_done(s) ? ERR_NONE : ERR_CANCELLED;
}

#define SWITCH                                                                                     \
	"HTTP/1.1 101 Switching Protocols\r\nA: b\r\nConnection: Upgrade\r\n"                      \
	"Upgrade: websocket\r\n\r\n"

static const struct {
	const char *name;
	struct answer answer;
	uint8_t version;
	bool closes;
	enum source_state end;
	enum err failure;
	bool ends_by_close;
	const char *sent;
} rows[] = {
	{ "RFC 9112 7.1: chunks", { .status = 200, .has_body = true }, 11, false, SOURCE_END,
	    ERR_NONE, false,
	    "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n" },
	{ "RFC 9112 6.3: close", { .status = 200, .has_body = true }, 10, true, SOURCE_END,
	    ERR_NONE, true, "HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\nhello|!" },
	{ "RFC 9110 7.8: tunnel", { .status = 101, .has_body = true }, 11, true, SOURCE_END,
	    ERR_NONE, false, SWITCH "hello|!" },
	{ "a tunnel that fails", { .status = 101, .has_body = true }, 11, true, SOURCE_FAIL,
	    ERR_ORIGIN_TRUNCATED, false, SWITCH "hello|!" },
};

static void test_delimiters(void)
{
	static const char *const parts[] = { "hello", "", "!", NULL };
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct parts p = { .source = { .peek = peek, .advance = advance },
			.next = parts,
			.end = rows[i].end };
		struct answer a = rows[i].answer;
		struct sending s;
		struct buf sent;
		a.lines[0] = SL("A: b\r\n");
		sending_init(&s);
		buf_init(&sent, 0);
		sending_begin(&s, &a, &p.source, rows[i].version);
		sending_end_head(&s, rows[i].closes);
		bool holds = send_all(&s, &sent) == rows[i].failure &&
		    sending_ends_by_close(&s) == rows[i].ends_by_close &&
		    slice_eq(buf_slice(&sent), slice_str(rows[i].sent));
		if (!holds)
			fprintf(stderr, "\n  %s: \"%.*s\"\n", rows[i].name,
			    SLICE_ARG(buf_slice(&sent)));
		CU_ASSERT(holds);
		sending_fini(&s);
		buf_fini(&sent);
	}
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite suite = CU_add_suite("sending", NULL, NULL);
	CU_ADD_TEST(suite, test_delimiters);
	CU_basic_run_tests();
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
