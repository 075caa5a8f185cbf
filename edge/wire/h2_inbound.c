/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/h2_inbound.h"

enum { WANTED_WINDOW_BYTES = 256 * 1024 }; /* of a stream whose body flows */

static struct h2_stream *stream_of(nghttp2_session *ng, int32_t id)
{
	return nghttp2_session_get_stream_user_data(ng, id);
}

/* ---- heads ---- */

static struct h2_stream *open_stream(struct h2 *h, int32_t id) ON_LOOP
{
	struct front *front = h->front;
	struct h2_stream *t = h2_stream_take(&front->h2.pool);
	if (!t)
		return NULL;
	t->session = h;
	t->id = id;
	t->on_room = h2_on_room;
	deadline_init(&t->deadline, h2_on_stream_deadline);
	list_append(&h->streams, &t->link);
	t->stream.ops = &h2_ops;
	t->stream.home = front->home;
	t->stream.front = front;
	t->stream.peer = &h->peer;
	t->stream.began = front->home->now;
	t->stream.secure = h->secure;
	t->stream.is_early = h->secure && h->secure->is_early;
	t->stream.request.scheme = h->secure ? SL("https") : SL("http");
	t->stream.request.version = 20;
	return t;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
	role_loop();
	struct h2 *h = user;
	h->head_of = frame->hd.stream_id;
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	struct h2_stream *t = open_stream(h, frame->hd.stream_id);
	if (!t || nghttp2_session_set_stream_user_data(ng, frame->hd.stream_id, t) != 0)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	meter_add(&h->front->h2.meters.streams, 1);
	return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, UNUSED uint8_t flags, void *user)
{
	role_loop();
	struct h2 *h = user;
	struct h2_stream *t = stream_of(ng, frame->hd.stream_id);
	struct slice n = slice_of((const char *)name, name_len);
	struct slice v = slice_of((const char *)value, value_len);
	if (!t)
		return 0;
	bool fits;
	t->stream.bytes_in += n.len + v.len;
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		fits = h2_head_take(&t->stream, &t->head, h->front->limits, n, v);
	else
		fits = h2_trailer_take(&t->stream.arena, &t->trailers, n, v);
	if (fits)
		return 0;
	h2_abused(h, H2_ABUSE_HEAD);
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* A field that nghttp2 would pass over in silence is one that others may see: the message is
 * malformed (RFC 9113 8.2.1). */
static int on_invalid_header(UNUSED nghttp2_session *ng, UNUSED const nghttp2_frame *frame,
    UNUSED const uint8_t *name, UNUSED size_t name_len, UNUSED const uint8_t *value,
    UNUSED size_t value_len, UNUSED uint8_t flags, UNUSED void *user)
{
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void refuse(struct h2 *h, struct h2_stream *t, enum err why) ON_LOOP
{
	front_count_refusal(h->front, why);
	if (h2_is_malformed(why)) {
		meter_add(&h->front->h2.meters.malformed, 1);
		h2_cut(h, t, NGHTTP2_PROTOCOL_ERROR, why);
		return;
	}
	t->is_told = true;
	h->front->events->on_refused(&t->stream, why);
}

/* How the body comes: its length, if any, is checked by nghttp2 against what DATA brings. */
static bool set_framing(struct h2_stream *t)
{
	struct request *request = &t->stream.request;
	struct slice length = fields_value(&request->fields, FIELD_CONTENT_LENGTH);
	request->framing = FRAMING_NONE;
	if (t->has_ended)
		return true;
	request->framing = FRAMING_CHUNKED;
	if (length.at && !slice_to_u64(length, &request->content_length))
		return false;
	if (length.at)
		request->framing = request->content_length ? FRAMING_LENGTH : FRAMING_NONE;
	return true;
}

static bool make_body(struct h2_stream *t)
{
	struct stream *stream = &t->stream;
	t->is_tunnel = stream->request.upgrade.len > 0;
	uint64_t length = FLOW_LENGTH_UNKNOWN;
	if (stream->request.framing == FRAMING_LENGTH)
		length = stream->request.content_length;
	if (t->is_tunnel)
		stream->request.framing = FRAMING_NONE;
	else if (stream->request.framing == FRAMING_NONE)
		return true;
	stream->body = flow_new(length, 0, WANTED_WINDOW_BYTES);
	return stream->body;
}

/* A head is whole. The stream may be gone when this returns. */
static void end_head(struct h2 *h, struct h2_stream *t) ON_LOOP
{
	struct front *front = h->front;
	const struct limits *limits = front->limits;
	h->requests++;
	if (limits->requests && h->requests >= limits->requests)
		h2_part(h);
	enum err e = set_framing(t) ? ERR_NONE : ERR_BAD_FRAMING;
	if (e == ERR_NONE)
		e = h2_head_finish(&t->stream, &t->head, limits);
	if (e == ERR_NONE && !make_body(t))
		e = ERR_NO_MEMORY;
	if (e != ERR_NONE) {
		refuse(h, t, e);
		return;
	}
	t->is_told = true;
	front->events->on_request(&t->stream);
}

/* ---- bodies ---- */

void h2_inbound_release(struct h2 *h, struct h2_stream *t)
{
	size_t bytes = h2_stream_release(t);
	if (bytes > 0 && !t->has_ended)
		(void)nghttp2_session_consume_stream(h->ng, t->id, bytes);
}

void h2_inbound_fail_body(struct h2 *h, struct h2_stream *t, enum err why)
{
	front_count_refusal(h->front, why);
	h2_stream_fail_body(t, why);
}

static void finish_body(struct h2_stream *t)
{
	t->body_ended = true;
	flow_finish(t->stream.body, t->trailers);
}

static void set_body_deadline(struct h2 *h, struct h2_stream *t) ON_LOOP
{
	if (t->is_tunnel && t->is_answered)
		h2_time_answer(h, t);
	if (t->is_tunnel || t->is_answered)
		return;
	deadline_set(h->front->home, &t->deadline, t->body_ended ? 0 : h->front->limits->body_ms);
}

void h2_inbound_open_body(struct h2 *h, struct h2_stream *t)
{
	enum err e = h2_stream_open_body(t);
	if (e != ERR_NONE)
		h2_inbound_fail_body(h, t, e);
	else if (t->has_ended)
		finish_body(t);
	if (t->body_ended)
		return;
	(void)nghttp2_session_set_local_window_size(
	    h->ng, NGHTTP2_FLAG_NONE, t->id, WANTED_WINDOW_BYTES);
	h2_inbound_release(h, t);
	set_body_deadline(h, t);
}

static int on_data(nghttp2_session *ng, UNUSED uint8_t flags, int32_t id, const uint8_t *at,
    size_t len, void *user)
{
	role_loop();
	struct h2 *h = user;
	struct h2_stream *t = stream_of(ng, id);
	/* The connection's window is for all: it never waits for one stream's reader. */
	if (nghttp2_session_consume_connection(ng, len) != 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (!t || !t->stream.body || t->body_ended)
		return 0;
	enum err e = h2_stream_fill(
	    t, slice_of((const char *)at, len), h->front->limits->body_bytes);
	if (t->is_tunnel)
		meter_add(&h->front->meters.tunnel_in, len);
	if (e == ERR_CANCELLED && t->is_tunnel)
		h2_stream_fail_body(t, e); /* its other end has gone, and its last bytes come */
	else if (e != ERR_NONE)
		h2_inbound_fail_body(h, t, e);
	else
		h2_inbound_release(h, t);
	set_body_deadline(h, t);
	return 0;
}

/* The client has sent all of its request. */
static void end_request(struct h2_stream *t)
{
	t->has_ended = true;
	if (t->stream.body && t->wants_body && !t->body_ended) {
		finish_body(t);
		if (!t->is_answered)
			deadline_clear(&t->deadline);
	}
}

/* ---- frames ---- */

/* The client breaks the connection's rules. */
static void break_off(struct h2 *h, uint32_t code)
{
	h->failure = ERR_BAD_REQUEST;
	(void)nghttp2_session_terminate_session(h->ng, code);
}

/* What is behind the frame that ends the connection is not looked at. */
static int verdict(const struct h2 *h)
{
	return h->failure == ERR_NONE ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* What a frame costs the client, before it is looked into. */
static int on_begin_frame(UNUSED nghttp2_session *ng, const nghttp2_frame_hd *hd, void *user)
{
	role_loop();
	struct h2 *h = user;
	switch (hd->type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_CONTINUATION: break;
	case NGHTTP2_DATA:
		if (hd->length == 0 && !(hd->flags & NGHTTP2_FLAG_END_STREAM))
			h2_charge(h, H2_ABUSE_EMPTIES);
		break;
	case NGHTTP2_RST_STREAM: h2_charge(h, H2_ABUSE_RESETS); break;
	case NGHTTP2_WINDOW_UPDATE: h2_charge(h, H2_ABUSE_UPDATES); break;
	case NGHTTP2_PRIORITY:
		/* RFC 9113 6.3; nghttp2 does not look at what it has no use for. */
		if (hd->stream_id == 0)
			break_off(h, NGHTTP2_PROTOCOL_ERROR);
		h2_charge(h, H2_ABUSE_CONTROLS);
		break;
	default: h2_charge(h, H2_ABUSE_CONTROLS); break;
	}
	return verdict(h);
}

/* A frame of a kind that we do not know is ignored (RFC 9113 5.5), once on_begin_frame has seen
 * it. */
static int on_unknown_frame(UNUSED nghttp2_session *ng, UNUSED void **payload,
    UNUSED const nghttp2_frame_hd *hd, UNUSED void *user)
{
	return NGHTTP2_ERR_CANCEL;
}

static void on_headers(struct h2 *h, struct h2_stream *t, const nghttp2_frame *frame) ON_LOOP
{
	bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	h->head_of = 0;
	if (!t)
		return;
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		t->has_ended = ends;
		end_head(h, t);
	} else if (ends) {
		end_request(t);
	}
}

static void on_data_frame(struct h2 *h, struct h2_stream *t, const nghttp2_frame *frame) ON_LOOP
{
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
		if (t)
			end_request(t);
	} else if (frame->hd.length > 0 && frame->hd.length <= frame->data.padlen) {
		h2_charge(h, H2_ABUSE_EMPTIES);
	}
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
	role_loop();
	struct h2 *h = user;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS: on_headers(h, stream_of(ng, frame->hd.stream_id), frame); break;
	case NGHTTP2_DATA: on_data_frame(h, stream_of(ng, frame->hd.stream_id), frame); break;
	case NGHTTP2_SETTINGS: h->saw_settings = true; break;
	case NGHTTP2_PRIORITY_UPDATE: h->prioritises = true; break;
	case NGHTTP2_RST_STREAM: meter_add(&h->front->h2.meters.resets, 1); break;
	case NGHTTP2_PING:
		if (h->is_parting && (frame->hd.flags & NGHTTP2_FLAG_ACK))
			h2_part_now(h);
		break;
	default: break;
	}
	return verdict(h);
}

static int on_invalid_frame(
    UNUSED nghttp2_session *ng, const nghttp2_frame *frame, UNUSED int code, void *user)
{
	struct h2 *h = user;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	h->head_of = 0;
	meter_add(&h->front->h2.meters.malformed, 1);
	front_count_refusal(h->front, ERR_BAD_REQUEST);
	return 0;
}

/* nghttp2 has forgotten the stream: the client reset it, or both sides have ended it. */
static int on_stream_close(nghttp2_session *ng, int32_t id, UNUSED uint32_t code, void *user)
{
	role_loop();
	struct h2 *h = user;
	struct h2_stream *t = stream_of(ng, id);
	if (h->head_of == id)
		h->head_of = 0; /* trailers, too late: their end is not told to us */
	if (!t)
		return 0;
	if (t->failure == ERR_NONE && !t->is_whole)
		t->failure = ERR_CLIENT_GONE;
	if (!h->is_gathering) {
		h2_finish(h, t, t->failure);
		return 0;
	}
	/* What it has lent to the write under way is still needed. */
	list_drop(&t->link);
	list_append(&h->ended, &t->link);
	return 0;
}

void h2_inbound_set(nghttp2_session_callbacks *c)
{
	nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
	nghttp2_session_callbacks_set_unpack_extension_callback(c, on_unknown_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(c, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(c, on_invalid_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
}

void h2_inbound_take(struct h2 *h, struct slice bytes)
{
	ssize_t used = nghttp2_session_mem_recv(h->ng, (const uint8_t *)bytes.at, bytes.len);
	if (used >= 0 || h->failure != ERR_NONE)
		return;
	if (used == NGHTTP2_ERR_FLOODED)
		h2_abused(h, H2_ABUSE_ACKS);
	else if (used == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS)
		h2_abused(h, H2_ABUSE_HEAD);
	else
		h->failure = used == NGHTTP2_ERR_NOMEM ? ERR_NO_MEMORY : ERR_BAD_REQUEST;
}
