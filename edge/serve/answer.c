/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/answer.h"

#include "edge/http/date.h"
#include "edge/wire/h1_write.h"

/* ---- our own lines ---- */

static void add_line(struct buf *b, struct slice name, struct slice value)
{
	h1_write_field(b, name, value);
}

static void add_number_line(struct buf *b, struct slice name_and_colon, uint64_t value)
{
	buf_add(b, name_and_colon);
	buf_add_u64(b, value);
	buf_add(b, SL("\r\n"));
}

static void add_note(struct buf *b, const struct note *note)
{
	if (note->has_age)
		add_number_line(b, SL("Age: "), (uint64_t)note->age_s);
	if (!note->policy || note->policy->cache_status) {
		buf_add(b, SL("Cache-Status: "));
		cache_status_write(b, SLICE_NONE, &note->status);
		buf_add(b, SL("\r\n"));
	}
	if (!note->policy || note->policy->x_cache)
		buf_add(b, note->is_from_store ? SL("X-Cache: HIT\r\n") : SL("X-Cache: MISS\r\n"));
}

/* What keeps browsers safe, as far as the answer does not say it itself. */
static void add_security(const struct answer_form *form, const struct fields *said)
{
	bool is_secure = slice_eq(form->request->scheme, SL("https"));
	if (form->security)
		security_lines(form->security, is_secure, said, form->lines);
}

/* Only where something is to be added are the stored lines read again. */
static bool add_security_of(const struct answer_form *form, const struct object *object)
{
	const struct security *security = form->security;
	struct fields said;
	if (!security || (!security->headers && security->hsts_ms == 0))
		return true;
	if (!object_fields(object, &said, form->arena))
		return false;
	add_security(form, &said);
	return true;
}

/* ---- picking stored lines ---- */

typedef bool drop_line_f(enum field_id, struct slice name);

/* A 304 repeats what a cache needs, not what describes a body (RFC 9110 15.4.5). */
static bool describes_body(enum field_id id, struct slice name)
{
	return id == FIELD_CONTENT_TYPE || id == FIELD_CONTENT_ENCODING ||
	    id == FIELD_CONTENT_RANGE || slice_eq_nocase(name, SL("Content-Language"));
}

static bool is_content_type(enum field_id id, UNUSED struct slice name)
{
	return id == FIELD_CONTENT_TYPE;
}

/* Neither the body nor its validators are what a 416 carries. */
static bool describes_content(enum field_id id, struct slice name)
{
	return describes_body(id, name) || id == FIELD_ETAG || id == FIELD_LAST_MODIFIED;
}

static struct slice lines_without(struct arena *arena, struct slice lines, drop_line_f *drop)
{
	char *to = arena_bytes(arena, lines.len);
	size_t len = 0;
	while (to && lines.len > 0) {
		const char *line = lines.at;
		struct slice rest = slice_take_line(&lines);
		struct slice name = slice_take_until(&rest, ':');
		if (drop(field_id_of(name), name))
			continue;
		memcpy(to + len, line, (size_t)(lines.at - line));
		len += (size_t)(lines.at - line);
	}
	return slice_of(to, len);
}

/* ---- ranges ---- */

/* The lines around the parts of a multipart answer (RFC 9110 14.6). Returns its whole length;
 * 0 = the arena is full. */
static uint64_t multipart_heads(struct arena *arena, const struct ranges *ranges, uint64_t length,
    struct slice type, struct slice boundary, struct slice *heads)
{
	uint64_t total = 0;
	for (uint32_t i = 0; i < ranges->count; i++) {
		const struct range *range = &ranges->at[i];
		heads[i] = arena_printf(arena,
		    "\r\n--%.*s\r\nContent-Type: %.*s\r\nContent-Range: bytes %" PRIu64 "-%" PRIu64
		    "/%" PRIu64 "\r\n\r\n",
		    SLICE_ARG(boundary), SLICE_ARG(type), range->first, range->last, length);
		total += heads[i].len + range->last - range->first + 1;
	}
	heads[ranges->count] = arena_printf(arena, "\r\n--%.*s--\r\n", SLICE_ARG(boundary));
	return arena->overflow ? 0 : total + heads[ranges->count].len;
}

static bool answer_multipart(const struct answer_form *form, struct object *object,
    const struct ranges *ranges, uint64_t length, struct delivery *delivery, struct answer *a)
{
	struct slice *heads = arena_alloc(form->arena, (ranges->count + 1) * sizeof(*heads));
	struct fields fields;
	if (!heads || !object_fields(object, &fields, form->arena))
		return false;
	struct slice type = fields_value(&fields, FIELD_CONTENT_TYPE);
	struct hash128 hash = object->hash;
	struct slice boundary = arena_printf(
	    form->arena, "larder-%016" PRIx64 "%08" PRIx64, hash.hi, length);
	if (!type.at)
		type = SL("application/octet-stream");
	a->length = multipart_heads(form->arena, ranges, length, type, boundary, heads);
	if (a->length == 0)
		return false;
	a->lines[0] = lines_without(form->arena, object->head, is_content_type);
	buf_addf(form->lines, "Content-Type: multipart/byteranges; boundary=%.*s\r\n",
	    SLICE_ARG(boundary));
	return delivery_begin(delivery, object, ranges, heads, form->home);
}

static bool answer_one_range(const struct answer_form *form, struct object *object,
    const struct ranges *ranges, uint64_t length, struct delivery *delivery, struct answer *a)
{
	const struct range *range = &ranges->at[0];
	buf_addf(form->lines, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n",
	    range->first, range->last, length);
	a->length = range->last - range->first + 1;
	return delivery_begin(delivery, object, ranges, NULL, form->home);
}

/* ---- the forms an object's answer can take ---- */

enum shape { SHAPE_WHOLE, SHAPE_RANGES, SHAPE_NOT_MODIFIED, SHAPE_UNSATISFIED };

/* What the request's own fields make of a stored answer. rfc: 9110 13.2.2, 14.2. */
static enum shape shape_of(
    const struct answer_form *form, const struct object *object, struct ranges *ret_ranges)
{
	const struct fields *fields = &form->request->fields;
	ret_ranges->count = 0;
	if (!form->evaluates || object->status != 200)
		return SHAPE_WHOLE;
	if (cond_judge(fields, &object->validators, form->home->wall) == COND_NOT_MODIFIED)
		return SHAPE_NOT_MODIFIED;
	struct slice range = fields_value(fields, FIELD_RANGE);
	uint64_t length;
	if (!range.at || form->request->method != METHOD_GET || !object_length(object, &length) ||
	    !cond_range_applies(fields, &object->validators, form->home->wall))
		return SHAPE_WHOLE;
	switch (range_parse(range, length, ret_ranges)) {
	case RANGE_PARTIAL: return SHAPE_RANGES;
	case RANGE_UNSATISFIED: return SHAPE_UNSATISFIED;
	case RANGE_WHOLE: break;
	}
	ret_ranges->count = 0;
	return SHAPE_WHOLE;
}

/* An answer that makes a tunnel: what the origin sends from then on is its body. */
static bool is_tunnel(const struct object *object)
{
	return object->status == 101;
}

static bool answer_whole(const struct answer_form *form, struct object *object,
    struct delivery *delivery, struct answer *a)
{
	/* An answer to HEAD that was passed on has no body; its lines say what the origin said. */
	a->has_length = object_has_body(object) && !status_has_no_body(object->status) &&
	    object_length(object, &a->length);
	a->has_body = object_has_body(object) && form->request->method != METHOD_HEAD &&
	    (is_tunnel(object) || !status_has_no_body(object->status));
	return !a->has_body || delivery_begin(delivery, object, NULL, NULL, form->home);
}

static bool answer_ranges(const struct answer_form *form, struct object *object,
    const struct ranges *ranges, struct delivery *delivery, struct answer *a)
{
	uint64_t length = 0;
	must(object_length(object, &length));
	a->status = 206;
	a->has_length = a->has_body = true;
	if (ranges->count > 1)
		return answer_multipart(form, object, ranges, length, delivery, a);
	return answer_one_range(form, object, ranges, length, delivery, a);
}

static void answer_unsatisfied(
    const struct answer_form *form, struct object *object, struct answer *a)
{
	uint64_t length = 0;
	if (object_length(object, &length))
		buf_addf(form->lines, "Content-Range: bytes */%" PRIu64 "\r\n", length);
	a->status = 416;
	a->has_length = true;
	a->lines[0] = lines_without(form->arena, object->head, describes_content);
}

bool answer_object(const struct answer_form *form, struct object *object, const struct note *note,
    struct delivery *delivery, struct answer *a)
{
	struct ranges ranges;
	bool ready = true;
	*a = (struct answer){ .status = object->status, .lines = { object->head } };
	switch (shape_of(form, object, &ranges)) {
	case SHAPE_WHOLE: ready = answer_whole(form, object, delivery, a); break;
	case SHAPE_RANGES: ready = answer_ranges(form, object, &ranges, delivery, a); break;
	case SHAPE_UNSATISFIED: answer_unsatisfied(form, object, a); break;
	case SHAPE_NOT_MODIFIED:
		a->status = 304;
		a->lines[0] = lines_without(form->arena, object->head, describes_body);
		break;
	}
	ready = ready && add_security_of(form, object);
	/* A handshake is no answer that a cache could have had a part in. */
	if (!is_tunnel(object))
		add_note(form->lines, note);
	a->lines[1] = buf_slice(form->lines);
	return ready && !form->arena->overflow && !form->lines->overflow;
}

/* ---- failures ---- */

static enum source_state text_peek(
    struct source *source, struct iovec *iov, UNUSED int max, int *ret_count)
{
	struct text_source *t = CONTAINER_OF(source, struct text_source, source);
	*ret_count = t->rest.len ? 1 : 0;
	iov[0] = (struct iovec){ (void *)(uintptr_t)t->rest.at, t->rest.len };
	return t->rest.len ? SOURCE_MORE : SOURCE_END;
}

static void text_advance(struct source *source, uint64_t bytes)
{
	struct text_source *t = CONTAINER_OF(source, struct text_source, source);
	t->rest = slice_from(t->rest, bytes);
}

void text_source_init(struct text_source *t, struct slice text)
{
	t->source = (struct source){ .peek = text_peek, .advance = text_advance };
	t->rest = text;
}

/* What went wrong between us and the origin, for whoever reads answers by program (RFC 9209 2). */
static void add_proxy_status(struct buf *b, struct slice name, enum err why)
{
	struct proxy_status said = {
		.name = name,
		.error = slice_str(err_proxy_error(why)),
		.details = slice_str(err_text(why)),
	};
	if (said.error.len == 0)
		return;
	buf_add(b, SL("Proxy-Status: "));
	proxy_status_write(b, &said);
	buf_add(b, SL("\r\n"));
}

/* The methods served here, for the 405 that names them (RFC 9110 15.5.6). */
static const char allowed[] = "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n";

/* A text, and what every answer of our own says. */
static void answer_typed(const struct answer_form *form, uint16_t status, struct slice type,
    struct slice body, const struct note *note, struct text_source *text, struct answer *a) ON_LOOP
{
	static const struct fields nothing;
	text_source_init(text, body);
	add_line(form->lines, SL("Date"), slice_of(loop_date(form->home), DATE_LEN));
	add_line(form->lines, SL("Content-Type"), type);
	add_security(form, &nothing);
	add_note(form->lines, note);
	*a = (struct answer){
		.status = status,
		.lines = { buf_slice(form->lines) },
		.has_body = form->request->method != METHOD_HEAD,
		.has_length = true,
		.length = body.len,
	};
}

static void answer_text(const struct answer_form *form, uint16_t status, struct slice body,
    const struct note *note, struct text_source *text, struct answer *a) ON_LOOP
{
	answer_typed(form, status, SL("text/plain; charset=utf-8"), body, note, text, a);
}

void answer_receipt(const struct answer_form *form, uint64_t seq, struct slice receipt,
    const struct note *note, struct text_source *text, struct answer *a)
{
	buf_addf(form->lines, "Larder-Seq: %" PRIu64 "\r\n", seq);
	add_line(form->lines, SL("Cache-Control"), SL("no-store"));
	answer_typed(form, 200, SL("application/json"), receipt, note, text, a);
}

void answer_redirect(const struct answer_form *form, struct slice location, const struct note *note,
    struct text_source *text, struct answer *a)
{
	struct slice body = arena_printf(
	    form->arena, "308 Permanent Redirect: %.*s\n", SLICE_ARG(location));
	add_line(form->lines, SL("Location"), location);
	answer_text(form, 308, body, note, text, a);
}

void answer_failure(const struct answer_form *form, enum err why, const struct note *note,
    struct text_source *text, struct answer *a)
{
	uint16_t status = err_status(why);
	struct slice body = arena_printf(
	    form->arena, "%u %.*s: %s\n", status, SLICE_ARG(status_reason(status)), err_text(why));
	add_line(form->lines, SL("Cache-Control"), SL("no-store"));
	if (status == 405)
		buf_add(form->lines, slice_of(allowed, sizeof(allowed) - 1));
	if (status == 503)
		add_line(form->lines, SL("Retry-After"), SL("1"));
	add_proxy_status(form->lines, note->status.name, why);
	answer_text(form, status, body, note, text, a);
}
