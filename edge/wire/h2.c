/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/h2.h"

#include "edge/wire/h2_inbound.h"
#include "edge/wire/h2_outbound.h"

enum {
	CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024, /* of all request bodies under way together */
	STREAM_WINDOW_BYTES = 64 * 1024 - 1, /* of a request's body before somebody wants it */
	PARTING_MS = 1000,
	LINGER_MS = 2000,
	BULK_BYTES = 96 * 1024, /* a body worth a look at the socket */
	KEPT_BYTES = 256 * 1024,
};

/* ---- life ---- */

/* Ends the connection and its streams. The session itself goes at the end of the event. */
static void h2_close(struct h2 *h, enum err why) ON_LOOP
{
	if (h->is_dead)
		return;
	h->is_dead = true;
	deadline_clear(&h->deadline);
	conn_close(&h->conn);
	h2_finish_all(h, why);
}

static void h2_free(struct h2 *h) ON_LOOP
{
	nghttp2_session_del(h->ng);
	h->ng = NULL;
	buf_fini(&h->kept);
	front_leave(h->front, &h->guest);
	if (!mail_is_posted(&h->later))
		free(h);
}

static enum h2_wait waits_for(const struct h2 *h)
{
	if (h->lingers)
		return H2_WAIT_LINGER;
	if (h->is_blocked)
		return H2_WAIT_SOCKET;
	if (!h->saw_settings)
		return H2_WAIT_SETTINGS;
	if (h->head_of)
		return H2_WAIT_HEAD;
	if (h->is_parting && !h->is_parted)
		return H2_WAIT_PARTING;
	return list_empty(&h->streams) ? H2_WAIT_REQUEST : H2_WAIT_NOTHING;
}

static int64_t wait_ms(const struct h2 *h, enum h2_wait wait)
{
	const struct limits *limits = h->front->limits;
	switch (wait) {
	case H2_WAIT_SETTINGS:
	case H2_WAIT_HEAD: return limits->head_ms;
	case H2_WAIT_SOCKET: return limits->send_ms;
	case H2_WAIT_REQUEST: return limits->idle_ms;
	case H2_WAIT_PARTING: return PARTING_MS;
	case H2_WAIT_LINGER: return conn_is_flushed(&h->conn) ? LINGER_MS : limits->send_ms;
	case H2_WAIT_NOTHING: break;
	}
	return 0;
}

/* All of them run on from where they began, whatever else the client says meanwhile: a PING is no
 * request. Only a request that was answered at once begins the wait for the next anew. */
static void set_deadline(struct h2 *h) ON_LOOP
{
	enum h2_wait wait = waits_for(h);
	bool is_new = wait == H2_WAIT_REQUEST && h->requests != h->requests_timed;
	if (wait == h->timed && !is_new)
		return;
	deadline_set(h->front->home, &h->deadline, wait_ms(h, wait));
	h->timed = (uint8_t)wait;
	h->requests_timed = h->requests;
}

/* Everything is said: waits for the client to close, so that a reset does not eat the last of
 * it. */
static void linger(struct h2 *h) ON_LOOP
{
	h2_finish_all(h, h->failure != ERR_NONE ? h->failure : ERR_CLIENT_GONE);
	h->lingers = true;
	conn_shut(&h->conn);
}

/* Ends what has failed or come to its end. */
static void conclude(struct h2 *h) ON_LOOP
{
	enum err e = ERR_NONE;
	if (h->is_dead || h->lingers)
		return;
	if (h->failure != ERR_NONE) {
		/* The last word goes out now or never. */
		h2_finish_all(h, h->failure);
		e = h2_outbound_pump(h);
		if (e != ERR_NONE || h->is_blocked)
			h2_close(h, h->failure);
		else
			linger(h);
	} else if (!nghttp2_session_want_read(h->ng) && !h2_outbound_is_due(h)) {
		linger(h);
	}
}

static void enter(struct h2 *h)
{
	h->depth++;
}

/* Every entry from outside ends here: what is to be sent goes out at the end of the round. */
static void leave(struct h2 *h) ON_LOOP
{
	if (--h->depth > 0)
		return;
	h->depth = 1; /* what ends now may call back */
	conclude(h);
	h->depth = 0;
	if (h->is_dead) {
		h2_free(h);
		return;
	}
	if (!h->lingers && !h->is_blocked && nghttp2_session_want_write(h->ng))
		mail_post(h->front->home, &h->later);
	conn_watch(&h->conn, EV_READ | (h->is_blocked ? EV_WRITE : 0));
	set_deadline(h);
}

/* ---- what the journey asks for ---- */

static struct h2_stream *h2_stream_of(struct stream *stream)
{
	return CONTAINER_OF(stream, struct h2_stream, stream);
}

static void h2_cut_for(struct h2 *h, struct h2_stream *t, enum err why) ON_LOOP
{
	bool is_clients = why == ERR_CLIENT_STALLED || why == ERR_CLIENT_GONE;
	h2_cut(h, t, is_clients ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR, why);
}

static void h2_interim(struct stream *stream, const struct answer *a)
{
	role_loop();
	struct h2_stream *t = h2_stream_of(stream);
	struct h2 *h = t->session;
	if (t->is_answered)
		return;
	enter(h);
	h2_outbound_interim(h, t, a);
	leave(h);
}

static void h2_want_body(struct stream *stream)
{
	role_loop();
	struct h2_stream *t = h2_stream_of(stream);
	struct h2 *h = t->session;
	if (!stream->body || t->wants_body || t->is_tunnel)
		return;
	enter(h);
	if (stream->request.expects_continue && t->early.len == 0 && !t->has_ended)
		h2_interim(stream, &(struct answer){ .status = 100 });
	h2_inbound_open_body(h, t);
	leave(h);
}

static void ready_bulk(struct h2 *h, const struct answer *a) ON_LOOP
{
	if (h->is_bulk || (a->has_length && a->length < BULK_BYTES))
		return;
	h->is_bulk = true;
	conn_ready_bulk(&h->conn);
}

static void h2_answer(struct stream *stream, const struct answer *a, struct source *source)
{
	role_loop();
	struct h2_stream *t = h2_stream_of(stream);
	struct h2 *h = t->session;
	must(!t->is_answered);
	enter(h);
	t->is_answered = true;
	t->source = a->has_body ? source : NULL;
	bool is_switch = t->is_tunnel && a->status == 101;
	t->is_tunnel = is_switch;
	h2_time_answer(h, t);
	if (is_switch) {
		meter_add(&h->front->meters.tunnels, 1);
		meter_add(&h->front->meters.tunnels_open, 1);
	}
	enum err e = h2_outbound_answer(h, t, a);
	if (e != ERR_NONE) {
		h2_cut_for(h, t, e);
	} else {
		if (t->source)
			ready_bulk(h, a);
		if (is_switch)
			h2_inbound_open_body(h, t);
	}
	leave(h);
}

static void h2_resume(struct stream *stream)
{
	role_loop();
	struct h2_stream *t = h2_stream_of(stream);
	struct h2 *h = t->session;
	if (!t->waits)
		return;
	enter(h);
	t->waits = false;
	h2_time_answer(h, t);
	if (nghttp2_session_resume_data(h->ng, t->id) != 0)
		h2_cut_for(h, t, ERR_NO_MEMORY);
	leave(h);
}

static void h2_stop(struct stream *stream, enum err why)
{
	role_loop();
	struct h2_stream *t = h2_stream_of(stream);
	struct h2 *h = t->session;
	enter(h);
	h2_cut_for(h, t, why);
	leave(h);
}

const struct stream_ops h2_ops = {
	.interim = h2_interim,
	.want_body = h2_want_body,
	.answer = h2_answer,
	.resume = h2_resume,
	.cut = h2_stop,
};

/* ---- events of a stream ---- */

void h2_on_room(struct h2_stream *t)
{
	role_loop();
	struct h2 *h = t->session;
	enter(h);
	h2_inbound_release(h, t);
	leave(h);
}

/* Whether it is the client who does not let the answer go on. A socket that is full has a deadline
 * of its own, and a stream may have to wait for others. */
static bool is_shut(const struct h2 *h, const struct h2_stream *t)
{
	return !h->is_blocked &&
	    (nghttp2_session_get_stream_remote_window_size(h->ng, t->id) <= 0 ||
		nghttp2_session_get_remote_window_size(h->ng) <= 0);
}

static void on_send_deadline(struct h2 *h, struct h2_stream *t) ON_LOOP
{
	if (!is_shut(h, t)) {
		deadline_set(h->front->home, &t->deadline, h->front->limits->send_ms);
		return;
	}
	meter_add(&h->front->h2.meters.send_stalled, 1);
	h2_charge(h, H2_ABUSE_STALLS);
	h2_cut_for(h, t, ERR_CLIENT_STALLED);
}

static void on_tunnel_deadline(struct h2 *h, struct h2_stream *t) ON_LOOP
{
	meter_add(&h->front->meters.tunnel_idle, 1);
	h2_cut_for(h, t, ERR_TUNNEL_IDLE);
}

static void on_body_deadline(struct h2 *h, struct h2_stream *t) ON_LOOP
{
	if (t->held > 0) /* it is not the client who lets us wait */
		deadline_set(h->front->home, &t->deadline, h->front->limits->body_ms);
	else
		h2_inbound_fail_body(h, t, ERR_BODY_TIMEOUT);
}

void h2_on_stream_deadline(struct deadline *d)
{
	role_loop();
	struct h2_stream *t = CONTAINER_OF(d, struct h2_stream, deadline);
	struct h2 *h = t->session;
	enter(h);
	if (t->is_answered && t->is_tunnel)
		on_tunnel_deadline(h, t);
	else if (t->is_answered)
		on_send_deadline(h, t);
	else
		on_body_deadline(h, t);
	leave(h);
}

/* ---- events of the connection ---- */

static void pump(struct h2 *h) ON_LOOP
{
	enum err e = h2_outbound_pump(h);
	if (e != ERR_NONE)
		h2_close(h, e);
}

static void on_later(struct mail *m)
{
	role_loop();
	struct h2 *h = CONTAINER_OF(m, struct h2, later);
	if (!h->ng) {
		free(h);
		return;
	}
	enter(h);
	if (!h->is_dead && !h->is_blocked && !h->lingers)
		pump(h);
	leave(h);
}

static void read_input(struct h2 *h) ON_LOOP
{
	struct front *front = h->front;
	size_t got;
	switch (conn_read(&h->conn, front->scratch, FRONT_SCRATCH_BYTES, &got)) {
	case IO_OK:
		meter_add(&front->meters.bytes_in, got);
		if (!h->lingers)
			h2_inbound_take(h, slice_of(front->scratch, got));
		break;
	case IO_AGAIN: break;
	case IO_EOF:
	case IO_BROKEN: h2_close(h, ERR_CLIENT_GONE); break;
	}
}

static void on_ready(struct conn *c, int events)
{
	role_loop();
	struct h2 *h = CONTAINER_OF(c, struct h2, conn);
	enter(h);
	if (events & EV_WRITE && !h->lingers)
		pump(h);
	if (events & EV_READ && !h->is_dead)
		read_input(h);
	leave(h);
}

static void on_deadline(struct deadline *d)
{
	role_loop();
	struct h2 *h = CONTAINER_OF(d, struct h2, deadline);
	struct wire_meters *m = &h->front->meters;
	enum h2_wait wait = h->timed;
	enter(h);
	h->timed = H2_WAIT_NOTHING; /* whatever comes next starts its own time */
	switch (wait) {
	case H2_WAIT_SETTINGS:
	case H2_WAIT_HEAD:
		meter_add(&m->head_timeout, 1);
		h2_close(h, ERR_HEAD_TIMEOUT);
		break;
	case H2_WAIT_SOCKET:
		if (conn_is_taking(&h->conn, &h->unsent))
			break;
		meter_add(&m->send_stalled, 1);
		h2_close(h, ERR_CLIENT_STALLED);
		break;
	case H2_WAIT_REQUEST:
		meter_add(&m->idle_closed, 1);
		h2_part_now(h);
		break;
	case H2_WAIT_PARTING: h2_part_now(h); break;
	case H2_WAIT_LINGER: /* a layer may still hold the last answer's end */
		if (!conn_is_flushed(&h->conn) && conn_is_taking(&h->conn, &h->unsent))
			break;
		h2_close(h, ERR_NONE);
		break;
	case H2_WAIT_NOTHING: h2_close(h, ERR_NONE); break;
	}
	leave(h);
}

static void on_end(struct guest *guest, enum ending how)
{
	role_loop();
	struct h2 *h = CONTAINER_OF(guest, struct h2, guest);
	enter(h);
	if (how == ENDING_NOW)
		h2_close(h, ERR_SHUTDOWN);
	else
		h2_part(h);
	leave(h);
}

/* ---- the beginning ---- */

enum h2_sign h2_sign_of(struct slice first_bytes)
{
	struct slice preface = slice_of(NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
	struct slice begun = slice_first(first_bytes, preface.len);
	if (!slice_starts(preface, begun))
		return H2_NO;
	return begun.len == preface.len ? H2_YES : H2_MAYBE;
}

static bool make_session(struct h2 *h) ON_LOOP
{
	struct h2_kit *kit = &h->front->h2;
	const struct limits *limits = h->front->limits;
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)limits->h2_streams },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->head_bytes },
		{ NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
	};
	if (!kit->is_set) {
		h2_inbound_set(kit->callbacks);
		h2_outbound_set(kit->callbacks);
		kit->is_set = true;
	}
	return nghttp2_session_server_new2(&h->ng, kit->callbacks, h, kit->option) == 0 &&
	    nghttp2_submit_settings(h->ng, NGHTTP2_FLAG_NONE, settings, COUNT_OF(settings)) == 0 &&
	    nghttp2_session_set_local_window_size(
		h->ng, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW_BYTES) == 0;
}

static struct h2 *h2_new(struct front *front, const struct visit *visit) ON_LOOP
{
	struct h2 *h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->front = front;
	h->peer = *visit->peer;
	h->secure = visit->secure;
	h->timed = H2_WAIT_NOTHING;
	list_init(&h->streams);
	list_init(&h->ended);
	list_init(&h->touched);
	mail_init(&h->later, on_later);
	deadline_init(&h->deadline, on_deadline);
	buf_init(&h->kept, KEPT_BYTES);
	if (make_session(h))
		return h;
	nghttp2_session_del(h->ng);
	free(h);
	return NULL;
}

bool h2_take(struct front *front, const struct visit *visit)
{
	struct h2 *h = h2_new(front, visit);
	if (!h)
		return false;
	meter_add(&front->h2.meters.sessions, 1);
	front_hand_over(front, visit, &h->guest, on_end);
	conn_move(&h->conn, visit->conn, on_ready);
	enter(h);
	if (visit->bytes.len > 0)
		h2_inbound_take(h, visit->bytes);
	if (front->is_draining)
		h2_part(h);
	leave(h);
	return true;
}
