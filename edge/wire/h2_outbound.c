/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/h2_outbound.h"

enum {
	/* WINDOW_UPDATEs that so many bytes of DATA may be answered with. Less in a frame may be
	 * what
	   a window is opened for bit by bit, and earns nothing. */
	CREDIT_UPDATES = 4,
	CREDIT_BYTES = 1024,
	SHARED_BYTES = 16 * 1024, /* a longer body takes turns with others */
};

/* ---- bodies ---- */

/* The source has ended: with trailers, or with the last DATA frame. */
static ssize_t end_source(struct h2_stream *t, uint32_t *flags)
{
	struct slice lines = SLICE_NONE;
	struct h2_section section = { 0 };
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (t->left != 0 && t->source->trailers)
		lines = t->source->trailers(t->source);
	if (lines.len == 0)
		return 0;
	if (!h2_section_of_trailers(&t->stream.arena, lines, &section))
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (section.count == 0)
		return 0;
	*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	return nghttp2_submit_trailer(t->session->ng, t->id, section.at, section.count) == 0
	    ? 0
	    : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* nghttp2 asks what the next DATA frame of a stream may hold. */
static ssize_t read_body(UNUSED nghttp2_session *ng, UNUSED int32_t id, UNUSED uint8_t *buf,
    size_t limit, uint32_t *flags, nghttp2_data_source *source, void *user)
{
	role_loop();
	struct h2 *h = user;
	struct h2_stream *t = source->ptr;
	struct h2_shown *shown = &h->front->h2.shown;
	switch (h2_stream_show(t, limit, shown)) {
	case SOURCE_MORE: break;
	case SOURCE_WAIT:
		t->waits = true;
		if (!t->is_tunnel)
			deadline_clear(&t->deadline);
		return NGHTTP2_ERR_DEFERRED;
	case SOURCE_END: return end_source(t, flags);
	case SOURCE_FAIL:
		/* Never END_STREAM: the client must see that it was cut (RFC 9110 8.6). */
		t->failure = ERR_ORIGIN_TRUNCATED;
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	if (shown->bytes == 0 || !h2_out_has_room(&h->front->h2.out)) {
		h->is_paused = true;
		return NGHTTP2_ERR_PAUSE;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (t->left == shown->bytes)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)shown->bytes;
}

/* ... and has framed it. */
static int send_data(UNUSED nghttp2_session *ng, UNUSED nghttp2_frame *frame, const uint8_t *head,
    size_t length, nghttp2_data_source *source, void *user)
{
	role_loop();
	struct h2 *h = user;
	struct h2_stream *t = source->ptr;
	struct h2_kit *kit = &h->front->h2;
	h2_out_add(&kit->out, slice_of((const char *)head, 9));
	h2_stream_put(t, &kit->shown, &kit->out);
	if (t->is_tunnel)
		meter_add(&h->front->meters.tunnel_out, length);
	h2_guard_credit(
	    &h->guard, H2_ABUSE_UPDATES, CREDIT_UPDATES * (unsigned)(length / CREDIT_BYTES));
	if (list_empty(&t->touched))
		list_append(&h->touched, &t->touched);
	return 0;
}

/* ---- frames ---- */

/* The end of an answer has gone out. A request that has not ended is of no more use
 * (RFC 9113 8.1). */
static void on_end_sent(struct h2 *h, struct h2_stream *t)
{
	t->is_whole = true;
	if (!t->has_ended)
		(void)nghttp2_submit_rst_stream(h->ng, NGHTTP2_FLAG_NONE, t->id, NGHTTP2_NO_ERROR);
}

/* A reset that the client has provoked costs it as much as one of its own (CVE-2025-8671). */
static bool is_provoked(uint32_t code)
{
	return code != NGHTTP2_NO_ERROR && code != NGHTTP2_CANCEL && code != NGHTTP2_INTERNAL_ERROR;
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
	role_loop();
	struct h2 *h = user;
	struct h2_stream *t = NULL;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_DATA:
		if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
			t = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
		if (t)
			on_end_sent(h, t);
		break;
	case NGHTTP2_RST_STREAM:
		if (is_provoked(frame->rst_stream.error_code))
			h2_charge(h, H2_ABUSE_RESETS);
		t = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
		if (t && t->failure == ERR_NONE && !t->is_whole)
			t->failure = ERR_BAD_REQUEST;
		break;
	case NGHTTP2_GOAWAY:
		/* What the client sent before it read the notice has come when its answer to this
		 * has. Before the notice is out, a PING would overtake it. */
		if (h->is_parting && !h->is_parted)
			(void)nghttp2_submit_ping(ng, NGHTTP2_FLAG_NONE, NULL);
		break;
	default: break;
	}
	return 0;
}

/* A head that is too large even for us: the stream has no answer. */
static int on_frame_not_send(
    nghttp2_session *ng, const nghttp2_frame *frame, int code, UNUSED void *user)
{
	struct h2_stream *t = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
	bool is_over = code == NGHTTP2_ERR_STREAM_CLOSED || code == NGHTTP2_ERR_STREAM_CLOSING;
	if (!t || is_over || frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	t->failure = ERR_ORIGIN_HEAD_LARGE;
	(void)nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, t->id, NGHTTP2_INTERNAL_ERROR);
	return 0;
}

void h2_outbound_set(nghttp2_session_callbacks *c)
{
	nghttp2_session_callbacks_set_on_frame_not_send_callback(c, on_frame_not_send);
	nghttp2_session_callbacks_set_send_data_callback(c, send_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_send);
}

/* ---- heads ---- */

void h2_outbound_interim(struct h2 *h, struct h2_stream *t, const struct answer *a)
{
	struct h2_section section;
	if (h2_section_of_answer(&t->stream.arena, a, &section))
		(void)nghttp2_submit_headers(
		    h->ng, NGHTTP2_FLAG_NONE, t->id, NULL, section.at, section.count, NULL);
}

/* A client that says nothing about priorities expects its long answers side by side, as everyone
 * sent them before RFC 9218; so does whoever shares a connection with a tunnel. What it says of it
 * later counts (7.1). */
static void share_fairly(struct h2 *h, struct h2_stream *t, const struct answer *a)
{
	const nghttp2_extpri even = { .urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1 };
	bool is_short = a->has_length && a->length <= SHARED_BYTES && !t->is_tunnel;
	bool is_meant = (h->prioritises && !t->is_tunnel) ||
	    fields_find_name(&t->stream.request.fields, SL("priority"));
	if (is_short || is_meant)
		return;
	(void)nghttp2_session_change_extpri_stream_priority(h->ng, t->id, &even, 0);
}

enum err h2_outbound_answer(struct h2 *h, struct h2_stream *t, const struct answer *a)
{
	struct h2_section section;
	nghttp2_data_provider body = { .source.ptr = t, .read_callback = read_body };
	if (!h2_section_of_answer(&t->stream.arena, a, &section))
		return ERR_NO_MEMORY;
	t->left = a->has_length ? a->length : UINT64_MAX;
	for (size_t i = 0; i < section.count; i++)
		t->stream.bytes_out += section.at[i].namelen + section.at[i].valuelen + 4;
	if (t->source)
		share_fairly(h, t, a);
	int rc = nghttp2_submit_response(
	    h->ng, t->id, section.at, section.count, t->source ? &body : NULL);
	return rc == 0 ? ERR_NONE : ERR_NO_MEMORY;
}

/* ---- writing ---- */

/* Gathers frames until there are no more, or as many as a write takes. */
static enum err gather(struct h2 *h) ON_LOOP
{
	struct h2_out *out = &h->front->h2.out;
	const uint8_t *at;
	ssize_t len = 0;
	h2_out_clear(out);
	h->is_paused = false;
	h->is_gathering = true;
	while (h2_out_has_room(out) && (len = nghttp2_session_mem_send(h->ng, &at)) > 0)
		h2_out_add(out, slice_of((const char *)at, (size_t)len));
	h->is_gathering = false;
	h->is_paused |= len > 0;
	return len < 0 ? ERR_NO_MEMORY : ERR_NONE;
}

/* All that was gathered is written or copied: the streams that lent it are told, then those that
 * are over. */
static void settle(struct h2 *h) ON_LOOP
{
	for (struct list *link; (link = list_take_first(&h->touched));) {
		struct h2_stream *t = LIST_OF(link, struct h2_stream, touched);
		h2_stream_took(t);
		if (!t->is_whole && !t->waits)
			h2_time_answer(h, t);
	}
	for (struct list *link; (link = list_take_first(&h->ended));) {
		struct h2_stream *t = LIST_OF(link, struct h2_stream, link);
		h2_finish(h, t, t->failure);
	}
}

/* A socket that takes bytes is waited for anew; what else is waited for is not nearer for them. */
static void note_progress(struct h2 *h, size_t sent)
{
	if (sent > 0 && h->timed == H2_WAIT_SOCKET)
		h->timed = H2_WAIT_NOTHING;
}

static enum err write_gathered(struct h2 *h) ON_LOOP
{
	struct h2_out *out = &h->front->h2.out;
	struct iovec iov[H2_OUT_IOVECS];
	size_t sent;
	/* A layer may change the iovecs; what is kept is found by ours. */
	memcpy(iov, out->iov, (size_t)out->count * sizeof(*iov));
	enum io io = conn_writev(&h->conn, iov, out->count, &sent);
	meter_add(&h->front->meters.bytes_out, sent);
	if (sent < out->total)
		h2_out_keep(out, sent, &h->kept);
	h->is_blocked = sent < out->total;
	note_progress(h, sent);
	settle(h);
	if (h->kept.overflow)
		return ERR_NO_MEMORY;
	return io == IO_OK || io == IO_AGAIN ? ERR_NONE : ERR_CLIENT_GONE;
}

static enum err write_kept(struct h2 *h) ON_LOOP
{
	size_t sent;
	if (h->kept.len == 0)
		return ERR_NONE;
	struct iovec iov = { h->kept.at + h->kept_sent, h->kept.len - h->kept_sent };
	enum io io = conn_writev(&h->conn, &iov, 1, &sent);
	meter_add(&h->front->meters.bytes_out, sent);
	h->kept_sent += sent;
	h->is_blocked = h->kept_sent < h->kept.len;
	note_progress(h, sent);
	if (!h->is_blocked) {
		buf_fini(&h->kept);
		h->kept_sent = 0;
	}
	return io == IO_OK || io == IO_AGAIN ? ERR_NONE : ERR_CLIENT_GONE;
}

enum err h2_outbound_pump(struct h2 *h)
{
	h->unsent = UINT32_MAX;
	enum err e = write_kept(h);
	do {
		if (e != ERR_NONE || h->is_blocked)
			return e;
		e = gather(h);
		if (e == ERR_NONE && h->front->h2.out.total > 0)
			e = write_gathered(h);
		else
			settle(h);
	} while (h->is_paused && h->front->h2.out.total > 0);
	return e;
}

bool h2_outbound_is_due(const struct h2 *h)
{
	return h->kept.len > 0 || nghttp2_session_want_write(h->ng);
}
