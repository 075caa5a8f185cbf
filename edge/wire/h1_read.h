/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 bytes to messages: llhttp does the parsing, and above it stands the strictness that it
 * lacks. Whatever is ambiguous is refused: a bare CR or LF, a folded line, white space before a
 * colon, control bytes, Content-Length beside Transfer-Encoding or more than once, a coding other
 * than chunked, a number that overflows. One reader serves requests from clients and answers from
 * origins, one message at a time.
 *
 *	h1_reader_begin -> h1_read_head until H1_HEAD -> h1_read_body until H1_END -> begin again
 *
 * The reader holds no bytes: the caller keeps what was not consumed and shows it again with more
 * behind it.
 */
#pragma once

#include <llhttp.h>

#include "edge/http/msg.h"
#include "edge/loop/flow.h"

enum h1_kind { H1_REQUEST, H1_ANSWER };

struct h1_limits {
	size_t line_bytes;
	size_t head_bytes;
	size_t fields;
	uint64_t body_bytes; /* 0 = no limit */
};

enum h1_event {
	H1_MORE, /* everything shown was read; more bytes are needed */
	H1_HEAD, /* the head is complete */
	H1_END,  /* the message is complete */
	H1_BAD,  /* `failure` says why; the connection is of no more use */
};

struct h1_reader {
	llhttp_t parser;
	enum h1_kind kind;
	const struct h1_limits *limits; /* borrowed */
	struct arena *arena;            /* of the message */
	enum err failure;
	bool keeps_alive;  /* after H1_HEAD: the peer means to go on after this message */
	bool needs_eof;    /* the body ends with the connection */
	bool answers_head; /* H1_ANSWER: the request was HEAD, so no body follows */
	/* head, while it is read */
	size_t start, scanned; /* of the bytes shown: where the head begins, how far it was seen */
	struct slice target, name, value;
	struct fields fields;
	bool head_ended;
	/* body */
	struct flow *into;
	uint64_t body_bytes, wire_bytes;
	uint64_t trailer_count;
	struct slice trailers; /* after H1_END: "Name: value\r\n" each, in the arena */
	bool in_trailers, at_end;
	/* the trailer section, line by line */
	enum h1_lines {
		H1_NO_LINES,
		H1_LINE_BEGINS,
		H1_IN_LINE,
		H1_LINE_ENDS,
		H1_LAST_LINE_ENDS
	} lines;
};

/* Readies a reader for the next message. limits and arena must stay until its end. */
void h1_reader_begin(struct h1_reader *, enum h1_kind, const struct h1_limits *, struct arena *);
/*
 * Reads a head. bytes: all bytes of the message so far (its own first byte first). On H1_HEAD the
 * head was copied into the arena and `ret_used` bytes of it may be dropped; on H1_MORE none.
 * One of request and answer is given, as the kind says.
 * fail (H1_BAD): ERR_BAD_REQUEST, ERR_BAD_FIELD, ERR_BAD_FRAMING, ERR_BAD_HOST, ERR_BAD_TARGET,
 * ERR_LINE_TOO_LONG, ERR_HEAD_TOO_LARGE, ERR_TOO_MANY_FIELDS, ERR_CODING_UNKNOWN,
 * ERR_VERSION_UNKNOWN, ERR_METHOD_REFUSED, ERR_EXPECT_UNKNOWN, ERR_BODY_TOO_LARGE.
 * rfc: 9112 2.2, 3, 5, 6.
 */
enum h1_event h1_read_head(
    struct h1_reader *, struct slice bytes, size_t *ret_used, struct request *, struct response *);
/*
 * Reads body bytes into a flow (NULL: reads past them). ret_used: bytes that may be dropped; less
 * than shown only at H1_END. Does not end the flow: that is the caller's word.
 */
enum h1_event h1_read_body(
    struct h1_reader *, struct slice bytes, size_t *ret_used, struct flow *into);
/*
 * For a body with a length: how many bytes are still due, and that the caller took some of them
 * itself (it read them straight into the flow).
 */
uint64_t h1_read_left(const struct h1_reader *);
void h1_read_past(struct h1_reader *, uint64_t bytes);
/* The connection ended: H1_END when that is where this message ends, else H1_BAD. */
enum h1_event h1_read_eof(struct h1_reader *);
