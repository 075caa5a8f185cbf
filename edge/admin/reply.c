/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/admin/reply.h"

#include "edge/loop/loop.h"

enum { TEXT_BYTES = 32 * 1024 * 1024 };

static enum source_state text_peek(
    struct source *source, struct iovec *iov, int max, int *ret_count)
{
	struct reply *r = CONTAINER_OF(source, struct reply, source);
	if (r->sent == r->text.len)
		return SOURCE_END;
	must(max > 0);
	iov[0] = (struct iovec){ r->text.at + r->sent, r->text.len - r->sent };
	*ret_count = 1;
	return SOURCE_MORE;
}

static void text_advance(struct source *source, uint64_t bytes)
{
	struct reply *r = CONTAINER_OF(source, struct reply, source);
	r->sent += (size_t)bytes;
}

struct reply *reply_new(struct stream *stream)
{
	struct reply *r = arena_alloc(&stream->arena, sizeof(*r));
	if (!r)
		return NULL;
	r->source = (struct source){ .peek = text_peek, .advance = text_advance };
	r->stream = stream;
	buf_init(&r->text, TEXT_BYTES);
	stream->journey = r;
	return r;
}

void reply_free(struct reply *r)
{
	buf_fini(&r->text);
}

static void send_text(struct reply *r, uint16_t status, const char *type, struct slice line) ON_LOOP
{
	struct stream *stream = r->stream;
	struct arena *arena = &stream->arena;
	struct answer answer = {
		.status = status,
		.has_body = stream->request.method != METHOD_HEAD,
		.has_length = true,
		.length = r->text.len,
	};
	answer.lines[0] = arena_printf(arena, "Date: %.29s\r\n", loop_date(stream->home));
	answer.lines[1] = arena_printf(arena,
	    "Content-Type: %s\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n",
	    type);
	answer.lines[2] = line;
	stream_answer(stream, &answer, &r->source);
}

void reply_send(struct reply *r, uint16_t status, const char *type)
{
	if (r->text.overflow || r->stream->arena.overflow)
		reply_problem(r, 500, SL("the answer does not fit into memory"));
	else
		send_text(r, status, type, SLICE_NONE);
}

/* A problem up to, but without, its closing brace (RFC 9457 3). */
static void write_problem(struct buf *to, uint16_t status, struct slice detail)
{
	buf_clear(to);
	buf_addf(to, "{\"status\":%u,\"title\":", status);
	buf_add_json(to, status_reason(status));
	if (!detail.len)
		return;
	buf_add(to, SL(",\"detail\":"));
	buf_add_json(to, detail);
}

static void send_problem(struct reply *r, uint16_t status, struct slice line) ON_LOOP
{
	buf_add(&r->text, SL("}\n"));
	send_text(r, status, "application/problem+json", line);
}

void reply_problem(struct reply *r, uint16_t status, struct slice detail)
{
	write_problem(&r->text, status, detail);
	send_problem(r, status, SLICE_NONE);
}

void reply_problem_with(struct reply *r, uint16_t status, struct slice detail, struct slice line)
{
	write_problem(&r->text, status, detail);
	send_problem(r, status, line);
}

void reply_problem_members(
    struct reply *r, uint16_t status, struct slice detail, struct slice members)
{
	write_problem(&r->text, status, detail);
	buf_add(&r->text, members);
	send_problem(r, status, SLICE_NONE);
}

void reply_field_problem(struct reply *r, uint16_t status, struct slice field, struct slice detail)
{
	struct arena *arena = &r->stream->arena;
	struct slice both = arena_printf(arena, "%.*s%s%.*s", SLICE_ARG(field),
	    field.len ? " " : "what was sent ", SLICE_ARG(detail));
	write_problem(&r->text, status, both);
	if (field.len) {
		buf_add(&r->text, SL(",\"field\":"));
		buf_add_json(&r->text, field);
	}
	send_problem(r, status, SLICE_NONE);
}

void reply_errors(struct reply *r, uint16_t status, struct slice detail, struct slice errors)
{
	const char *comma = "";
	write_problem(&r->text, status, detail);
	buf_add(&r->text, SL(",\"errors\":["));
	while (errors.len) {
		buf_add(&r->text, slice_str(comma));
		buf_add_json(&r->text, slice_take_line(&errors));
		comma = ",";
	}
	buf_add_char(&r->text, ']');
	send_problem(r, status, SLICE_NONE);
}

void reply_not_allowed(struct reply *r, struct slice allow)
{
	struct arena *arena = &r->stream->arena;
	write_problem(&r->text, 405, SLICE_NONE);
	send_problem(r, 405, arena_printf(arena, "Allow: %.*s\r\n", SLICE_ARG(allow)));
}
