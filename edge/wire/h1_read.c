/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/h1_read.h"

#include "edge/http/websocket.h"
#include "edge/wire/request.h"

/* What may surround a body's bytes (chunk sizes, extensions, trailers) before it counts as
 * abuse. */
enum { BODY_OVERHEAD_BYTES = 64 * 1024 };

static int refuse(struct h1_reader *r, enum err why)
{
	if (r->failure == ERR_NONE)
		r->failure = why;
	return HPE_USER;
}

static struct h1_reader *reader_of(llhttp_t *parser)
{
	return parser->data;
}

/* ---- llhttp's callbacks ---- */

/* A head is shown in one piece, so its spans are whole and stay. A trailer section comes as the
 * network cuts it, so its spans are gathered in the arena. */
static int take_span(struct h1_reader *r, struct slice *to, const char *at, size_t len)
{
	if (r->in_trailers)
		*to = arena_printf(r->arena, "%.*s%.*s", SLICE_ARG(*to), (int)len, at);
	else
		*to = slice_of(at, len);
	return r->arena->overflow ? refuse(r, ERR_HEAD_TOO_LARGE) : 0;
}

static int on_target(llhttp_t *parser, const char *at, size_t len)
{
	reader_of(parser)->target = slice_of(at, len);
	return 0;
}

static int on_name(llhttp_t *parser, const char *at, size_t len)
{
	struct h1_reader *r = reader_of(parser);
	return take_span(r, &r->name, at, len);
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
	struct h1_reader *r = reader_of(parser);
	return take_span(r, &r->value, at, len);
}

static int end_trailer(struct h1_reader *r)
{
	if (!slice_is_token(r->name))
		return refuse(r, ERR_BAD_FIELD);
	if (++r->trailer_count > r->limits->fields)
		return refuse(r, ERR_TOO_MANY_FIELDS);
	if (field_may_trail(field_id_of(r->name)))
		r->trailers = arena_printf(r->arena, "%.*s%.*s: %.*s\r\n", SLICE_ARG(r->trailers),
		    SLICE_ARG(r->name), SLICE_ARG(slice_trim(r->value)));
	return r->arena->overflow ? refuse(r, ERR_HEAD_TOO_LARGE) : 0;
}

static int on_value_end(llhttp_t *parser)
{
	struct h1_reader *r = reader_of(parser);
	struct slice name = r->name, value = slice_trim(r->value);
	int failed = 0;
	if (r->in_trailers)
		failed = end_trailer(r);
	else if (!slice_is_token(name)) /* llhttp lets a space into names that it does not know */
		failed = refuse(r, ERR_BAD_FIELD);
	else if (r->fields.count == r->limits->fields)
		failed = refuse(r, ERR_TOO_MANY_FIELDS);
	else if (!fields_add(&r->fields, r->arena, field_id_of(name), name, value))
		failed = refuse(r, ERR_HEAD_TOO_LARGE);
	r->name = r->value = SLICE_NONE;
	return failed;
}

static int on_head_end(llhttp_t *parser)
{
	struct h1_reader *r = reader_of(parser);
	r->head_ended = true;
	r->in_trailers = true; /* fields that come now, after the body */
	r->name = r->value = SLICE_NONE;
	/* llhttp would stop here: a request that asks for a switch is an ordinary one until it is
	 * answered (RFC 9110 7.8). */
	parser->upgrade = 0;
	bool skips_body = r->kind == H1_ANSWER &&
	    (r->answers_head || status_has_no_body((uint16_t)parser->status_code));
	return skips_body ? 1 : 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
	struct h1_reader *r = reader_of(parser);
	r->body_bytes += len;
	if (r->limits->body_bytes && r->body_bytes > r->limits->body_bytes)
		return refuse(r, ERR_BODY_TOO_LARGE);
	enum err e = r->into ? flow_write(r->into, slice_of(at, len)) : ERR_NONE;
	return e == ERR_NONE ? 0 : refuse(r, e);
}

/* llhttp stops behind the last chunk's size: from here on each line is looked at before it is
 * fed. */
static int on_chunk_head(llhttp_t *parser)
{
	struct h1_reader *r = reader_of(parser);
	if (parser->content_length > 0)
		return 0;
	r->lines = H1_LINE_BEGINS;
	return HPE_PAUSED;
}

static int on_end(llhttp_t *parser)
{
	reader_of(parser)->at_end = true;
	return HPE_PAUSED; /* what follows is another message */
}

static const llhttp_settings_t settings = {
	.on_url = on_target,
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_header_value_complete = on_value_end,
	.on_headers_complete = on_head_end,
	.on_chunk_header = on_chunk_head,
	.on_body = on_body,
	.on_message_complete = on_end,
};

/* ---- heads ---- */

void h1_reader_begin(
    struct h1_reader *r, enum h1_kind kind, const struct h1_limits *limits, struct arena *arena)
{
	*r = (struct h1_reader){ .kind = kind, .limits = limits, .arena = arena };
	llhttp_init(&r->parser, kind == H1_REQUEST ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
	r->parser.data = r;
}

static enum h1_event bad(struct h1_reader *r, enum err why)
{
	(void)refuse(r, why);
	return H1_BAD;
}

/*
 * Looks at the lines of a head as they arrive, before any of it is believed. Each must end with
 * CRLF and hold no other CR (RFC 9112 2.2 lets a server take a bare LF; others then disagree about
 * where a message ends, so we do not); none may begin with white space, which would fold it into
 * the one before (RFC 9112 5.2). H1_HEAD when the empty line is there.
 */
static enum h1_event scan_lines(struct h1_reader *r, struct slice bytes)
{
	while (r->scanned < bytes.len) {
		struct slice rest = slice_from(bytes, r->scanned);
		size_t len = slice_find(rest, '\n');
		bool is_first = r->scanned == r->start;
		if (is_first && len > r->limits->line_bytes + 1) /* the CR is not of the line */
			return bad(r, ERR_LINE_TOO_LONG);
		if (len == rest.len)
			break;
		struct slice line = slice_first(rest, len);
		if (len == 0 || slice_find(line, '\r') != len - 1 || slice_find(line, '\0') != len)
			return bad(r, is_first ? ERR_BAD_REQUEST : ERR_BAD_FIELD);
		r->scanned += len + 1;
		if (len == 1 && is_first)
			r->start = r->scanned; /* an empty line before a request (RFC 9112 2.2) */
		else if (len == 1)
			return H1_HEAD;
		else if (!is_first && is_ows(rest.at[0]))
			return bad(r, ERR_BAD_FIELD);
	}
	return bytes.len > r->limits->head_bytes ? bad(r, ERR_HEAD_TOO_LARGE) : H1_MORE;
}

static enum err err_of_llhttp(const struct h1_reader *r)
{
	switch (llhttp_get_errno(&r->parser)) {
	case HPE_INVALID_URL: return ERR_BAD_TARGET;
	case HPE_INVALID_VERSION: return ERR_VERSION_UNKNOWN;
	case HPE_INVALID_HEADER_TOKEN: return ERR_BAD_FIELD;
	case HPE_UNEXPECTED_CONTENT_LENGTH:
	case HPE_INVALID_CONTENT_LENGTH:
	case HPE_INVALID_CHUNK_SIZE:
	case HPE_INVALID_TRANSFER_ENCODING: return ERR_BAD_FRAMING;
	default: return r->head_ended ? ERR_BAD_FRAMING : ERR_BAD_REQUEST;
	}
}

/* Feeds llhttp. True when it took everything, or paused where a callback told it to. */
static bool feed(struct h1_reader *r, struct slice bytes)
{
	llhttp_errno_t code = llhttp_execute(&r->parser, bytes.at, bytes.len);
	if (code == HPE_OK || (code == HPE_PAUSED && (r->at_end || r->lines != H1_NO_LINES)))
		return true;
	(void)refuse(r, err_of_llhttp(r));
	return false;
}

/* What follows the method: one space, a target, one space, HTTP's name and version (RFC 9112 3).
 * llhttp passes over more spaces, where readers that split at each see another target, and knows
 * other protocols. */
static bool is_request_line(struct slice rest)
{
	struct slice line = slice_take_line(&rest);
	if (!slice_take_char(&line, ' '))
		return false;
	struct slice target = slice_take_until(&line, ' ');
	return target.len > 0 && slice_starts(line, SL("HTTP/")) &&
	    slice_find(line, ' ') == line.len;
}

/*
 * llhttp knows a fixed list of methods, HTTP any token (RFC 9110 9.1), and for some of its own it
 * changes the grammar. So it is shown the usual ones as they are and POST in place of any other.
 */
static bool feed_request_head(struct h1_reader *r, struct slice head, struct request *request)
{
	struct slice rest = head;
	request->method_name = slice_take_token(&rest);
	request->method = method_of(request->method_name);
	if (request->method_name.len == 0 || !is_request_line(rest))
		return refuse(r, ERR_BAD_REQUEST) == 0;
	if (request->method == METHOD_CONNECT || request->method == METHOD_TRACE)
		return refuse(r, ERR_METHOD_REFUSED) == 0;
	if (request->method != METHOD_OTHER)
		return feed(r, head);
	return feed(r, SL("POST")) && feed(r, rest);
}

/* A transfer coding that would have to be undone before the body can be passed on. We never ask
 * for one (RFC 9110 10.1.4), so an origin that applies it anyway is not understood. */
static bool is_compression(struct slice coding)
{
	return slice_ends(coding, SL("gzip")) || slice_ends(coding, SL("deflate")) ||
	    slice_ends(coding, SL("compress"));
}

/*
 * The framing that the fields announce. llhttp has refused length beside coding, and bad numbers;
 * what it lets pass is a coding that is not chunked alone. From a client that is refused; an
 * answer in a coding that nobody knows runs until the connection ends (RFC 9112 6.3).
 * rfc: 9112 6.1, 6.3.
 */
static enum err check_framing(struct h1_reader *r, uint8_t version)
{
	uint32_t codings = fields_count(&r->fields, FIELD_TRANSFER_ENCODING);
	if (fields_count(&r->fields, FIELD_CONTENT_LENGTH) > 1 || codings > 1)
		return ERR_BAD_FRAMING;
	if (codings == 0)
		return ERR_NONE;
	if (version < 11 || fields_count(&r->fields, FIELD_CONTENT_LENGTH))
		return ERR_BAD_FRAMING;
	struct slice coding = fields_value(&r->fields, FIELD_TRANSFER_ENCODING);
	if (slice_eq_nocase(coding, SL("chunked")))
		return ERR_NONE;
	if (r->kind == H1_ANSWER && !(r->parser.flags & F_CHUNKED) && !is_compression(coding))
		return ERR_NONE;
	return r->parser.flags & F_CHUNKED ? ERR_CODING_UNKNOWN : ERR_BAD_FRAMING;
}

static enum err finish_request(struct h1_reader *r, struct request *request)
{
	request->fields = r->fields;
	request->framing = FRAMING_NONE;
	if (r->parser.flags & F_CHUNKED)
		request->framing = FRAMING_CHUNKED;
	else if (fields_count(&r->fields, FIELD_CONTENT_LENGTH))
		request->framing = FRAMING_LENGTH;
	/* llhttp counts content_length down while it reads; at the head's end it is whole. */
	request->content_length = r->parser.content_length;
	if (websocket_is_asked(request))
		request->upgrade = SL("websocket");
	const struct field *host = fields_find(&r->fields, FIELD_HOST);
	const struct aim aim = { r->target, host ? host->value : SLICE_NONE, host != NULL };
	return request_check(request, &aim, r->limits->body_bytes, r->arena);
}

static enum err finish_answer(struct h1_reader *r, struct response *response)
{
	response->status = (uint16_t)r->parser.status_code;
	response->fields = r->fields;
	response->content_length = r->parser.content_length;
	bool skips = r->answers_head || status_has_no_body(response->status);
	r->needs_eof = !skips && llhttp_message_needs_eof(&r->parser);
	if (skips)
		response->framing = FRAMING_NONE;
	else if (r->parser.flags & F_CHUNKED)
		response->framing = FRAMING_CHUNKED;
	else
		response->framing = r->needs_eof ? FRAMING_CLOSE : FRAMING_LENGTH;
	return response->status < 100 ? ERR_BAD_REQUEST : ERR_NONE;
}

static enum err finish_head(struct h1_reader *r, struct request *request, struct response *response)
{
	uint8_t version = (uint8_t)(r->parser.http_major * 10 + r->parser.http_minor);
	if (version != 10 && version != 11)
		return ERR_VERSION_UNKNOWN;
	enum err e = check_framing(r, version);
	if (e != ERR_NONE)
		return e;
	bool says_close = r->parser.flags & F_CONNECTION_CLOSE;
	bool says_keep = r->parser.flags & F_CONNECTION_KEEP_ALIVE;
	r->keeps_alive = !says_close && (version == 11 || says_keep);
	if (r->kind == H1_REQUEST) {
		request->version = version;
		return finish_request(r, request);
	}
	response->version = version;
	return finish_answer(r, response);
}

enum h1_event h1_read_head(struct h1_reader *r, struct slice bytes, size_t *ret_used,
    struct request *request, struct response *response)
{
	*ret_used = 0;
	enum h1_event event = scan_lines(r, bytes);
	if (event != H1_HEAD)
		return event;
	if (r->scanned - r->start > r->limits->head_bytes)
		return bad(r, ERR_HEAD_TOO_LARGE);
	*ret_used = r->scanned;
	struct slice head = arena_copy(
	    r->arena, slice_of(bytes.at + r->start, r->scanned - r->start));
	if (r->arena->overflow)
		return bad(r, ERR_HEAD_TOO_LARGE);
	bool fed = r->kind == H1_REQUEST ? feed_request_head(r, head, request) : feed(r, head);
	if (!fed)
		return H1_BAD;
	must(r->head_ended);
	enum err e = finish_head(r, request, response);
	return e == ERR_NONE ? H1_HEAD : bad(r, e);
}

/* ---- bodies ---- */

/* One byte of the trailer section, held to what scan_lines asks of a head. */
static bool scan_trailer_byte(struct h1_reader *r, char c)
{
	enum h1_lines was = r->lines;
	if (was == H1_LINE_ENDS || was == H1_LAST_LINE_ENDS) {
		r->lines = was == H1_LINE_ENDS ? H1_LINE_BEGINS : H1_NO_LINES;
		return c == '\n';
	}
	if (c == '\r')
		r->lines = was == H1_LINE_BEGINS ? H1_LAST_LINE_ENDS : H1_LINE_ENDS;
	else
		r->lines = H1_IN_LINE;
	return c != '\n' && c != '\0' && !(was == H1_LINE_BEGINS && is_ows(c));
}

/* Looks at the trailer lines among the bytes; what is behind the last one is the next message's. */
static bool scan_trailers(struct h1_reader *r, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len && r->lines != H1_NO_LINES; i++)
		if (!scan_trailer_byte(r, bytes.at[i]))
			return refuse(r, ERR_BAD_FIELD) == 0;
	return true;
}

static bool feed_body(struct h1_reader *r, struct slice bytes)
{
	if (r->lines != H1_NO_LINES)
		return scan_trailers(r, bytes) && feed(r, bytes);
	if (!feed(r, bytes))
		return false;
	if (r->lines == H1_NO_LINES || r->at_end)
		return true;
	struct slice rest = slice_from(
	    bytes, (size_t)(llhttp_get_error_pos(&r->parser) - bytes.at));
	llhttp_resume(&r->parser);
	return scan_trailers(r, rest) && feed(r, rest);
}

enum h1_event h1_read_body(
    struct h1_reader *r, struct slice bytes, size_t *ret_used, struct flow *into)
{
	*ret_used = 0;
	if (r->at_end)
		return H1_END;
	r->into = into;
	r->wire_bytes += bytes.len;
	bool fed = feed_body(r, bytes);
	r->into = NULL;
	if (!fed)
		return H1_BAD;
	*ret_used = r->at_end ? (size_t)(llhttp_get_error_pos(&r->parser) - bytes.at) : bytes.len;
	if (r->wire_bytes > 2 * r->body_bytes + BODY_OVERHEAD_BYTES && !r->at_end)
		return bad(r, ERR_BAD_FRAMING);
	return r->at_end ? H1_END : H1_MORE;
}

void h1_read_past(struct h1_reader *r, uint64_t bytes)
{
	r->body_bytes += bytes;
	r->parser.content_length -= bytes;
	if (r->parser.content_length == 0)
		r->at_end = true;
}

uint64_t h1_read_left(const struct h1_reader *r)
{
	return r->at_end ? 0 : r->parser.content_length;
}

enum h1_event h1_read_eof(struct h1_reader *r)
{
	if (r->at_end)
		return H1_END;
	llhttp_errno_t code = r->head_ended ? llhttp_finish(&r->parser) : HPE_INVALID_EOF_STATE;
	bool ended = r->needs_eof && (code == HPE_OK || code == HPE_PAUSED);
	return ended ? H1_END : bad(r, ERR_BAD_FRAMING);
}
