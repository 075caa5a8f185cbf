/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/h2_fields.h"

#include "edge/http/target.h"
#include "edge/wire/request.h"

/* What a head may go over its limit before it counts as an attack, and the largest trailers. */
enum { OVERRUN_TIMES = 2, TRAILER_BYTES = 16 * 1024 };

/* ---- requests ---- */

static void refuse(struct h2_head *head, enum err why)
{
	if (head->refusal == ERR_NONE)
		head->refusal = why;
}

static struct slice *pseudo_slot(struct h2_head *head, struct slice name)
{
	return slice_eq(name, SL(":method"))   ? &head->method
	    : slice_eq(name, SL(":path"))      ? &head->path
	    : slice_eq(name, SL(":authority")) ? &head->authority
	    : slice_eq(name, SL(":scheme"))    ? &head->scheme
					       : &head->protocol;
}

static void take_pseudo(struct stream *stream, struct h2_head *head, const struct limits *limits,
    struct slice name, struct slice value)
{
	struct slice *slot = pseudo_slot(head, name);
	/* "GET /path HTTP/1.1": the line that it would be. */
	if (slot == &head->path && value.len + head->method.len + 10 > limits->line_bytes)
		refuse(head, ERR_LINE_TOO_LONG);
	else
		*slot = arena_copy(&stream->arena, value);
}

static void take_field(struct stream *stream, struct h2_head *head, const struct limits *limits,
    struct slice name, struct slice value)
{
	struct fields *fields = &stream->request.fields;
	enum field_id id = field_id_of(name);
	/* RFC 9113 8.2.3: a Cookie may come in crumbs; however many, it is one field. */
	if (id == FIELD_COOKIE)
		head->cookies++;
	uint32_t crumbs = head->cookies > 1 ? head->cookies - 1 : 0;
	if (fields->count - crumbs >= limits->head_fields) {
		refuse(head, ERR_TOO_MANY_FIELDS);
		return;
	}
	struct slice known = field_name(id);
	name = known.len ? known : arena_copy(&stream->arena, name);
	if (!fields_add(fields, &stream->arena, id, name, arena_copy(&stream->arena, value)))
		refuse(head, ERR_HEAD_TOO_LARGE);
}

bool h2_head_take(struct stream *stream, struct h2_head *head, const struct limits *limits,
    struct slice name, struct slice value)
{
	head->bytes += name.len + value.len + 4;
	if (head->bytes > limits->head_bytes) {
		refuse(head, ERR_HEAD_TOO_LARGE);
		return head->bytes <= OVERRUN_TIMES * limits->head_bytes;
	}
	if (head->refusal != ERR_NONE)
		return true;
	if (name.at[0] == ':')
		take_pseudo(stream, head, limits, name, value);
	else
		take_field(stream, head, limits, name, value);
	if (stream->arena.overflow)
		refuse(head, ERR_HEAD_TOO_LARGE);
	return true;
}

/* Puts the crumbs of a Cookie together again (RFC 9113 8.2.3). */
static enum err join_cookies(struct stream *stream)
{
	struct fields *fields = &stream->request.fields;
	size_t len = 0, at = 0;
	for (uint32_t i = 0; i < fields->count; i++)
		if (fields->at[i].id == FIELD_COOKIE)
			len += fields->at[i].value.len + 2;
	char *to = arena_bytes(&stream->arena, len);
	if (!to)
		return ERR_HEAD_TOO_LARGE;
	for (uint32_t i = 0; i < fields->count; i++) {
		struct slice crumb = fields->at[i].value;
		if (fields->at[i].id != FIELD_COOKIE)
			continue;
		memcpy(to + at, crumb.at, crumb.len);
		at += crumb.len;
		to[at++] = ';';
		to[at++] = ' ';
	}
	fields_remove(fields, FIELD_COOKIE);
	bool put = fields_put(fields, &stream->arena, FIELD_COOKIE, slice_of(to, len - 2));
	return put ? ERR_NONE : ERR_HEAD_TOO_LARGE;
}

/* RFC 8441 4: a CONNECT that names a protocol asks for what Upgrade asks for in HTTP/1.1. */
static enum err settle_connect(struct request *request, const struct h2_head *head)
{
	if (head->protocol.len == 0)
		return ERR_METHOD_REFUSED;
	if (!slice_eq(head->protocol, SL("websocket")))
		return ERR_PROTOCOL_UNKNOWN;
	request->method = METHOD_GET;
	request->method_name = SL("GET");
	request->upgrade = SL("websocket");
	return ERR_NONE;
}

static enum err settle_method(struct request *request, const struct h2_head *head)
{
	request->method_name = head->method;
	request->method = method_of(head->method);
	if (!slice_is_token(head->method))
		return ERR_BAD_REQUEST;
	if (request->method == METHOD_CONNECT)
		return settle_connect(request, head);
	return request->method == METHOD_TRACE ? ERR_METHOD_REFUSED : ERR_NONE;
}

/* :authority and Host, when both are there, say the same (RFC 9113 8.3.1 lets us tell them apart;
 * which of two names an origin believes is nothing to guess at). */
static enum err check_host(struct stream *stream, const struct h2_head *head)
{
	const struct request *request = &stream->request;
	const struct field *host = fields_find(&request->fields, FIELD_HOST);
	if (!host || head->authority.len == 0)
		return ERR_NONE;
	struct slice named = authority_normalise(host->value, request->scheme, &stream->arena);
	return named.at && slice_eq(named, request->authority) ? ERR_NONE : ERR_BAD_HOST;
}

/* :scheme says what the client believes; what counts is how it came, or a trusted proxy's word. */
static bool is_web_scheme(struct slice scheme)
{
	return slice_eq_nocase(scheme, SL("http")) || slice_eq_nocase(scheme, SL("https"));
}

enum err h2_head_finish(struct stream *stream, struct h2_head *head, const struct limits *limits)
{
	struct request *request = &stream->request;
	if (head->refusal != ERR_NONE)
		return head->refusal;
	enum err e = settle_method(request, head);
	if (e == ERR_NONE && !is_web_scheme(head->scheme))
		e = ERR_BAD_TARGET;
	if (e == ERR_NONE && head->cookies > 1)
		e = join_cookies(stream);
	if (e != ERR_NONE)
		return e;
	struct slice host = head->authority;
	if (host.len == 0)
		host = fields_value(&request->fields, FIELD_HOST);
	const struct aim aim = { head->path, host, host.len > 0 };
	e = request_check(request, &aim, limits->body_bytes, &stream->arena);
	return e == ERR_NONE ? check_host(stream, head) : e;
}

bool h2_is_malformed(enum err e)
{
	return err_status(e) == 400;
}

bool h2_trailer_take(
    struct arena *arena, struct slice *lines, struct slice name, struct slice value)
{
	if (lines->len + name.len + value.len + 4 > TRAILER_BYTES)
		return false;
	if (field_may_trail(field_id_of(name)))
		*lines = arena_printf(arena, "%.*s%.*s: %.*s\r\n", SLICE_ARG(*lines),
		    SLICE_ARG(name), SLICE_ARG(value));
	return !arena->overflow;
}

/* ---- answers ---- */

static nghttp2_nv field_nv(struct slice name, struct slice value)
{
	return (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)name.at,
		.value = (uint8_t *)(uintptr_t)value.at,
		.namelen = name.len,
		.valuelen = value.len,
		.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE,
	};
}

/* Fields that HTTP/2 has no use for, and that make a message malformed (RFC 9113 8.2.2). */
static bool is_connection_field(struct slice name)
{
	switch (name.len) {
	case 7: return slice_eq(name, SL("upgrade"));
	case 10: return slice_eq(name, SL("connection")) || slice_eq(name, SL("keep-alive"));
	case 16: return slice_eq(name, SL("proxy-connection"));
	case 17: return slice_eq(name, SL("transfer-encoding"));
	default: return false;
	}
}

static size_t count_lines(struct slice lines)
{
	size_t count = 0;
	for (; lines.len > 0; count++)
		lines = slice_from(lines, slice_find(lines, '\n') + 1);
	return count;
}

/* Adds "Name: value\r\n" lines, copied: names in lower case (RFC 9113 8.2.1). */
static bool add_lines(struct arena *arena, struct slice lines, struct h2_section *section)
{
	char *to = lines.len ? arena_bytes(arena, lines.len) : NULL;
	if (!to)
		return lines.len == 0;
	memcpy(to, lines.at, lines.len);
	struct slice rest = slice_of(to, lines.len);
	while (rest.len > 0) {
		struct slice line = slice_take_line(&rest);
		size_t colon = slice_find(line, ':');
		char *name = to + (line.at - to);
		for (size_t i = 0; i < colon; i++)
			name[i] = ascii_lower(name[i]);
		struct slice value = slice_trim(slice_from(line, colon + 1));
		if (colon > 0 && !is_connection_field(slice_first(line, colon)))
			section->at[section->count++] = field_nv(slice_first(line, colon), value);
	}
	return true;
}

static struct slice decimal(struct arena *arena, uint64_t value)
{
	enum { DIGITS = 20 };
	char *to = arena_bytes(arena, DIGITS);
	size_t at = DIGITS;
	while (to && (value > 0 || at == DIGITS)) {
		to[--at] = (char)('0' + value % 10);
		value /= 10;
	}
	return to ? slice_of(to + at, DIGITS - at) : SLICE_NONE;
}

/* Switching protocols is CONNECT's success here (RFC 8441 5). */
static struct slice status_text(struct arena *arena, uint16_t status)
{
	switch (status) {
	case 101:
	case 200: return SL("200");
	case 304: return SL("304");
	case 404: return SL("404");
	default: return decimal(arena, status);
	}
}

bool h2_section_of_answer(struct arena *arena, const struct answer *a, struct h2_section *ret)
{
	size_t room = 2;
	for (size_t i = 0; i < COUNT_OF(a->lines); i++)
		room += count_lines(a->lines[i]);
	*ret = (struct h2_section){ .at = arena_alloc(arena, room * sizeof(*ret->at)) };
	if (!ret->at)
		return false;
	ret->at[ret->count++] = field_nv(SL(":status"), status_text(arena, a->status));
	for (size_t i = 0; i < COUNT_OF(a->lines); i++)
		if (!add_lines(arena, a->lines[i], ret))
			return false;
	if (a->has_length && a->status != 101)
		ret->at[ret->count++] = field_nv(SL("content-length"), decimal(arena, a->length));
	return !arena->overflow;
}

bool h2_section_of_trailers(struct arena *arena, struct slice lines, struct h2_section *ret)
{
	size_t room = count_lines(lines);
	*ret = (struct h2_section){ .at = arena_alloc(arena, (room + 1) * sizeof(*ret->at)) };
	return ret->at && add_lines(arena, lines, ret);
}
