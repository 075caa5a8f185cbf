/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/session.h"

#include <unistd.h>

#include "edge/wire/h1_write.h"

enum {
	SCRATCH_BYTES = 64 * 1024,
	KEPT_INPUT_BYTES = 64 * 1024,   /* of requests behind the current one */
	BODY_WINDOW_BYTES = 256 * 1024, /* of a request's body under way to the origin */
	ARENA_BYTES = 512 * 1024,
	SPARE_TURNS = 64,
	IOVECS = 34,
	LINGER_MS = 2000,
	BULK_BYTES = 96 * 1024, /* a body worth a look at the socket */
};

/* What a session waits for. */
enum state {
	STATE_IDLE,      /* the first byte of a request */
	STATE_HEAD,      /* the rest of its head */
	STATE_BUSY,      /* the journey's answer, and the request's body if it is wanted */
	STATE_ANSWERING, /* the client to take the answer, or the source to have more of it */
	STATE_LINGER,    /* the client to finish, so that a reset does not eat the answer */
	STATE_DEAD,      /* the end of the event in which it closed */
};

/* How the bytes of an answer's body are told from what follows them. */
enum delimiter { BY_NOTHING, BY_LENGTH, BY_CHUNKS, BY_CLOSE };

/* One request on a session: borrowed from the front while it lasts. */
struct turn {
	struct stream stream; /* first: what the journey sees */
	struct session *session;
	struct list spare_link;
	struct h1_reader reader;
	/* request body */
	struct mail room;  /* there is room in stream.body again */
	struct mail later; /* there is something to send, at the end of the round */
	bool wants_body, body_ended;
	/* answer */
	struct buf out; /* heads, chunk sizes: goes out before the source's bytes */
	size_t out_sent;
	struct source *source;
	enum delimiter delimiter;
	uint64_t left;    /* BY_LENGTH: of the body; BY_CHUNKS: of the current chunk */
	bool is_answered; /* the final head was written */
	bool source_waits;
	bool source_ended;
};

struct session {
	struct conn conn;
	struct front *front;
	struct turn *turn; /* NULL while idle */
	struct list link;
	struct deadline deadline;
	struct buf in; /* what was read and not parsed; nothing while idle */
	struct address peer;
	uint32_t requests;
	uint8_t state;
	uint8_t timed; /* the state for which the deadline is set */
	uint8_t depth; /* of calls into this session: it is freed at the outermost */
	bool closes;   /* after the current answer */
	bool saw_eof;
	bool is_blocked; /* the socket takes no more bytes now */
	uint32_t
	    unsent;   /* of the blocked socket at the last deadline; UINT32_MAX = not asked yet */
	bool is_bulk; /* the socket was readied for large bodies */
};

// clang-format off
#define METER_STRUCT struct wire_meters
static const struct meter_desc meter_descs[] = METER_DESCS(WIRE_METERS);
// clang-format on
const struct meter_table wire_meter_table = { meter_descs, COUNT_OF(meter_descs) };

static const struct stream_ops h1_ops;

/* ---- turns ---- */

static void on_body_room(struct mail *);
static void on_later(struct mail *);

static struct turn *turn_take(struct session *s)
{
	struct front *front = s->front;
	struct list *link = list_take_first(&front->spare_streams);
	struct turn *t = link ? LIST_OF(link, struct turn, spare_link) : calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	if (link) {
		front->spare_count--;
	} else {
		arena_init(&t->stream.arena, ARENA_BYTES);
		buf_init(&t->out, 0);
		list_init(&t->spare_link);
		mail_init(&t->room, on_body_room);
		mail_init(&t->later, on_later);
		t->stream.ops = &h1_ops;
		t->stream.home = front->home;
		t->stream.front = front;
	}
	t->session = s;
	t->stream.peer = &s->peer;
	return t;
}

/* Empties a turn for its next request. */
static void turn_reset(struct turn *t)
{
	struct stream *stream = &t->stream;
	if (stream->body) {
		flow_filler_leave(stream->body);
		if (!t->body_ended)
			flow_fail(stream->body, ERR_CANCELLED);
		flow_unref(&stream->body);
	}
	arena_reset(&stream->arena);
	buf_clear(&t->out);
	stream->request = (struct request){ 0 };
	stream->journey = NULL;
	stream->bytes_in = stream->bytes_out = 0;
	t->out_sent = 0;
	t->source = NULL;
	t->left = 0;
	t->wants_body = t->body_ended = t->is_answered = t->source_waits = t->source_ended = false;
}

static void turn_free(struct turn *t)
{
	arena_fini(&t->stream.arena);
	buf_fini(&t->out);
	free(t);
}

static void free_unless_awaited(struct turn *t)
{
	if (!mail_is_posted(&t->room) && !mail_is_posted(&t->later))
		turn_free(t);
}

/* Gives the session's turn back. A letter to it may still be on its way: then the turn waits for it,
 * without a session. */
static void turn_give(struct session *s)
{
	struct turn *t = s->turn;
	s->turn = NULL;
	if (!t)
		return;
	turn_reset(t);
	t->session = NULL;
	if (mail_is_posted(&t->room) || mail_is_posted(&t->later))
		return;
	if (s->front->spare_count >= SPARE_TURNS) {
		turn_free(t);
		return;
	}
	s->front->spare_count++;
	list_prepend(&s->front->spare_streams, &t->spare_link);
}

/* ---- life of a session ---- */

static void done(struct session *, enum err) ON_LOOP;
static void read_input(struct session *) ON_LOOP;
static void pump(struct session *) ON_LOOP;

static void count_refusal(struct front *front, enum err why)
{
	struct wire_meters *m = &front->meters;
	meter *which = why == ERR_HEAD_TIMEOUT ? &m->head_timeout
	    : why == ERR_BODY_TIMEOUT          ? &m->body_timeout
	    : why == ERR_BODY_TOO_LARGE        ? &m->body_too_large
	    : why == ERR_LINE_TOO_LONG         ? &m->line_too_long
	    : err_status(why) == 431           ? &m->head_too_large
	    : why == ERR_EXPECT_UNKNOWN        ? &m->expect_unknown
	    : err_status(why) == 400           ? &m->bad_request
					       : &m->other;
	meter_add(which, 1);
}

/* Ends the connection, and the turn with it. The session itself goes at the end of the event. */
static void session_close(struct session *s, enum err why) ON_LOOP
{
	if (s->state == STATE_DEAD)
		return;
	/* A body that ends with the connection must not end like a whole one. */
	bool looks_whole = s->turn && s->turn->is_answered && s->turn->delimiter == BY_CLOSE;
	s->state = STATE_DEAD;
	deadline_clear(&s->deadline);
	if (looks_whole)
		conn_reset(&s->conn);
	else
		conn_close(&s->conn);
	if (s->turn)
		done(s, why);
}

static void enter(struct session *s)
{
	s->depth++;
}

static int64_t state_timeout(const struct session *s)
{
	const struct limits *limits = s->front->limits;
	switch ((enum state)s->state) {
	case STATE_IDLE: return limits->idle_ms;
	case STATE_HEAD: return limits->head_ms;
	case STATE_BUSY: return s->turn->wants_body && !s->turn->body_ended ? limits->body_ms : 0;
	case STATE_ANSWERING: return s->is_blocked ? limits->send_ms : 0;
	case STATE_LINGER: return LINGER_MS;
	case STATE_DEAD: break;
	}
	return 0;
}

/* Sets the deadline of the state that the event has left the session in. A head's and a linger's
 * run from their beginning; the others start anew with each event. */
static void set_deadline(struct session *s) ON_LOOP
{
	bool runs_on = s->timed == s->state && (s->state == STATE_HEAD || s->state == STATE_LINGER);
	if (!runs_on)
		deadline_set(s->front->home, &s->deadline, state_timeout(s));
	s->timed = s->state;
}

static void session_free(struct session *s)
{
	struct front *front = s->front;
	list_drop(&s->link);
	buf_fini(&s->in);
	free(s);
	meter_sub(&front->meters.open, 1);
	atomic_fetch_sub_explicit(front->connections, 1, memory_order_relaxed);
	if (front->is_draining && list_empty(&front->sessions) && front->on_drained)
		front->on_drained(front);
}

static void leave(struct session *s) ON_LOOP
{
	if (--s->depth > 0)
		return;
	if (s->state == STATE_DEAD)
		session_free(s);
	else
		set_deadline(s);
}

/* ---- requests ---- */

static void refuse(struct session *s, enum err why)
{
	count_refusal(s->front, why);
	s->closes = true;
	s->state = STATE_BUSY;
	s->front->events->on_refused(&s->turn->stream, why);
}

static bool begin_turn(struct session *s) ON_LOOP
{
	s->turn = turn_take(s);
	if (!s->turn) {
		session_close(s, ERR_NO_MEMORY);
		return false;
	}
	struct turn *t = s->turn;
	h1_reader_begin(&t->reader, H1_REQUEST, &s->front->h1_limits, &t->stream.arena);
	t->stream.began = s->front->home->now;
	t->stream.request.scheme = SL("http");
	s->state = STATE_HEAD;
	return true;
}

static void start_journey(struct session *s)
{
	struct turn *t = s->turn;
	struct request *request = &t->stream.request;
	const struct limits *limits = s->front->limits;
	s->state = STATE_BUSY;
	s->requests++;
	if (!t->reader.keeps_alive || (limits->requests && s->requests >= limits->requests))
		s->closes = true;
	if (request->framing == FRAMING_LENGTH && request->content_length == 0)
		request->framing = FRAMING_NONE;
	if (request->framing != FRAMING_NONE) {
		uint64_t length = request->framing == FRAMING_LENGTH ? request->content_length
								     : FLOW_LENGTH_UNKNOWN;
		t->stream.body = flow_new(length, 0, BODY_WINDOW_BYTES);
		if (!t->stream.body) {
			refuse(s, ERR_NO_MEMORY);
			return;
		}
	}
	s->front->events->on_request(&t->stream);
}

/* Reads a head from the front of the input. Returns how much of it was used. */
static size_t take_head(struct session *s, struct slice bytes) ON_LOOP
{
	if (!s->turn && !begin_turn(s))
		return 0;
	struct turn *t = s->turn;
	size_t used = 0;
	enum h1_event event = h1_read_head(&t->reader, bytes, &used, &t->stream.request, NULL);
	t->stream.bytes_in += used;
	if (event == H1_BAD)
		refuse(s, t->reader.failure);
	else if (event == H1_HEAD)
		start_journey(s);
	return event == H1_BAD ? bytes.len : used;
}

/* The request's body cannot be had: whoever reads it learns why, and the answer closes. */
static void fail_body(struct session *s, enum err why)
{
	count_refusal(s->front, why);
	s->closes = true;
	s->turn->body_ended = true;
	flow_fail(s->turn->stream.body, why);
}

static size_t take_body(struct session *s, struct slice bytes)
{
	struct turn *t = s->turn;
	size_t used = 0;
	enum h1_event event = h1_read_body(&t->reader, bytes, &used, t->stream.body);
	t->stream.bytes_in += used;
	if (event == H1_BAD) {
		fail_body(s, t->reader.failure);
		return bytes.len;
	}
	if (event == H1_END) {
		t->body_ended = true;
		flow_finish(t->stream.body, t->reader.trailers);
	}
	return used;
}

static bool awaits_body(const struct session *s)
{
	return s->turn && s->turn->wants_body && !s->turn->body_ended && s->state != STATE_LINGER;
}

/* Uses what it can of the input; one request after the other while they are answered at once. */
static size_t take_input(struct session *s, struct slice bytes) ON_LOOP
{
	size_t total = 0;
	while (total < bytes.len && s->state != STATE_DEAD) {
		size_t used = 0;
		if (s->state == STATE_IDLE || s->state == STATE_HEAD)
			used = take_head(s, slice_from(bytes, total));
		else if (awaits_body(s) && !flow_is_full(s->turn->stream.body, NULL, NULL))
			used = take_body(s, slice_from(bytes, total));
		total += used;
		if (used == 0)
			break;
	}
	return total;
}

/* What to watch: a client that is waited for is read; one that has sent ahead is not, until its
 * turn comes. */
static void watch(struct session *s) ON_LOOP
{
	if (s->state == STATE_DEAD)
		return;
	bool is_full = awaits_body(s) &&
	    flow_is_full(s->turn->stream.body, &s->turn->room, s->front->home);
	bool has_ahead = s->in.len > 0 && s->state != STATE_HEAD && !awaits_body(s);
	int events = s->saw_eof || is_full || has_ahead ? 0 : EV_READ;
	conn_watch(&s->conn, events | (s->is_blocked ? EV_WRITE : 0));
}

/* Goes on with input that is kept: the turn before it is over, or its body is wanted now. */
static void take_kept(struct session *s) ON_LOOP
{
	if (s->in.len == 0)
		return;
	size_t used = take_input(s, buf_slice(&s->in));
	buf_consume(&s->in, used);
	if (s->in.len == 0 && s->state == STATE_IDLE)
		buf_fini(&s->in);
}

static void take_fresh(struct session *s, struct slice bytes) ON_LOOP
{
	if (s->state == STATE_LINGER)
		return;
	if (s->in.len == 0)
		bytes = slice_from(bytes, take_input(s, bytes));
	if (s->state == STATE_DEAD)
		return;
	buf_add(&s->in, bytes);
	if (s->in.overflow)
		session_close(s, ERR_NO_MEMORY);
	else if (bytes.len > 0)
		take_kept(s);
}

static void on_eof(struct session *s) ON_LOOP
{
	s->saw_eof = true;
	if (s->state == STATE_IDLE || s->state == STATE_HEAD || s->state == STATE_LINGER)
		session_close(s, ERR_CLIENT_GONE);
	else if (s->turn->stream.body && !s->turn->body_ended)
		session_close(s, ERR_CLIENT_GONE);
	else
		s->closes = true; /* it may have shut its side only: the answer still goes out */
}

static void read_input(struct session *s)
{
	struct front *front = s->front;
	size_t got;
	switch (conn_read(&s->conn, front->scratch, SCRATCH_BYTES, &got)) {
	case IO_OK:
		meter_add(&front->meters.bytes_in, got);
		take_fresh(s, slice_of(front->scratch, got));
		break;
	case IO_AGAIN: break;
	case IO_EOF: on_eof(s); break;
	case IO_BROKEN: session_close(s, ERR_CLIENT_GONE); break;
	}
}

/* ---- answers ---- */

/* The turn is over. The journey is told first; then the turn is the front's again. */
static void done(struct session *s, enum err why) ON_LOOP
{
	struct turn *t = s->turn;
	s->front->events->on_done(&t->stream, why);
	/* An answer that came before the whole request leaves bytes on the wire that are not a
	 * request: the connection ends here. */
	bool unread = t->stream.body && !t->body_ended;
	if (t->stream.body && t->body_ended && t->reader.failure != ERR_NONE)
		unread = true;
	turn_give(s);
	if (s->state == STATE_DEAD)
		return;
	if (s->front->is_draining)
		s->closes = true;
	s->state = STATE_IDLE;
	if (unread || (s->closes && !s->saw_eof)) {
		conn_shut(&s->conn);
		s->state = STATE_LINGER;
	} else if (s->closes) {
		session_close(s, ERR_NONE);
	}
}

/* Readies the line that comes before the next bytes of a chunked body, or after the last. */
static void frame_chunk(struct turn *t, uint64_t bytes)
{
	h1_write_chunk_size(&t->out, bytes);
	t->left = bytes;
}

static void end_source(struct turn *t)
{
	t->source_ended = true;
	if (t->delimiter != BY_CHUNKS)
		return;
	struct slice trailers = SLICE_NONE;
	if (t->source->trailers && t->stream.request.version >= 11)
		trailers = t->source->trailers(t->source);
	h1_write_last_chunk(&t->out, trailers);
}

static uint64_t iov_total(const struct iovec *iov, int count)
{
	uint64_t total = 0;
	for (int i = 0; i < count; i++)
		total += iov[i].iov_len;
	return total;
}

/* Cuts the iovecs to at most `limit` bytes. */
static int iov_cut(struct iovec *iov, int count, uint64_t limit)
{
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len >= limit) {
			iov[i].iov_len = (size_t)limit;
			return limit ? i + 1 : i;
		}
		limit -= iov[i].iov_len;
	}
	return count;
}

/*
 * Gathers what can be sent now behind what is already in `out`. Returns the count of iovecs of the
 * source; -1 when the source has failed.
 */
static int gather(struct turn *t, struct iovec *iov, int room)
{
	int count = 0;
	if (!t->source || t->source_ended)
		return 0;
	if (t->delimiter == BY_LENGTH && t->left == 0) {
		t->source_ended = true;
		return 0;
	}
	enum source_state state = t->source->peek(t->source, iov, room, &count);
	t->source_waits = state == SOURCE_WAIT;
	if (state == SOURCE_FAIL || (state == SOURCE_END && t->delimiter == BY_LENGTH))
		return -1;
	if (state == SOURCE_END)
		end_source(t);
	if (state != SOURCE_MORE)
		return 0;
	if (t->delimiter == BY_CHUNKS && t->left == 0)
		frame_chunk(t, iov_total(iov, count));
	return t->delimiter == BY_CLOSE ? count : iov_cut(iov, count, t->left);
}

/* Counts `sent` bytes off the answer: first what is in `out`, then the source's. */
static void take_sent(struct turn *t, size_t sent)
{
	t->stream.bytes_out += sent;
	size_t head = min_size(sent, t->out.len - t->out_sent);
	t->out_sent += head;
	if (t->out_sent == t->out.len) {
		buf_clear(&t->out);
		t->out_sent = 0;
	}
	uint64_t body = sent - head;
	if (body == 0)
		return;
	t->source->advance(t->source, body);
	if (t->delimiter == BY_CLOSE)
		return;
	t->left -= body;
	if (t->delimiter == BY_LENGTH && t->left == 0)
		t->source_ended = true;
	if (t->delimiter == BY_CHUNKS && t->left == 0)
		buf_add(&t->out, SL("\r\n"));
}

static bool is_sent(const struct turn *t)
{
	return t->is_answered && t->out.len == 0 && (!t->source || t->source_ended);
}

/* Writes once. False when there is nothing more to do now. */
static bool pump_once(struct session *s) ON_LOOP
{
	struct turn *t = s->turn;
	struct iovec iov[IOVECS];
	int body = gather(t, iov + 1, IOVECS - 1);
	if (body < 0 || t->out.overflow) {
		session_close(s, t->out.overflow ? ERR_NO_MEMORY : ERR_ORIGIN_TRUNCATED);
		return false;
	}
	iov[0] = (struct iovec){ t->out.at + t->out_sent, t->out.len - t->out_sent };
	struct iovec *from = iov[0].iov_len ? iov : iov + 1;
	int count = body + (iov[0].iov_len ? 1 : 0);
	if (count == 0)
		return false;
	uint64_t total = iov_total(from, count);
	size_t sent;
	enum io io = conn_writev(&s->conn, from, count, &sent);
	if (io != IO_OK && io != IO_AGAIN) {
		session_close(s, ERR_CLIENT_GONE);
		return false;
	}
	meter_add(&s->front->meters.bytes_out, sent);
	take_sent(t, sent);
	s->is_blocked = sent < total;
	return !s->is_blocked;
}

/* Sends what there is, until the socket or the source has enough, or the answer is out. */
static void pump(struct session *s)
{
	s->is_blocked = false;
	s->unsent = UINT32_MAX;
	while (s->turn && !is_sent(s->turn) && pump_once(s))
		;
	if (s->turn && is_sent(s->turn))
		done(s, ERR_NONE);
}

/* ---- what the journey asks for ---- */

static struct session *session_of(struct stream *stream)
{
	return CONTAINER_OF(stream, struct turn, stream)->session;
}

/*
 * What another's event lets us send goes out when the round's other events have been read: answers
 * then leave in a burst, and a client's processor that is woken for the first of them is awake for
 * the rest.
 */
static void pump_later(struct session *s)
{
	mail_post(s->front->home, &s->turn->later);
}

/* Every entry from outside: does `what`, goes on with what that made possible, and settles. */
static void leave_settled(struct session *s) ON_LOOP
{
	if (s->depth == 1) {
		while (s->state == STATE_IDLE && s->in.len > 0)
			take_kept(s);
		watch(s);
	}
	leave(s);
}

static void h1_interim(struct stream *stream, const struct answer *a)
{
	role_loop();
	struct session *s = session_of(stream);
	struct turn *t = s->turn;
	if (stream->request.version < 11 || t->is_answered)
		return;
	enter(s);
	h1_write_status_line(&t->out, a->status);
	for (size_t i = 0; i < COUNT_OF(a->lines); i++)
		buf_add(&t->out, a->lines[i]);
	buf_add(&t->out, SL("\r\n"));
	pump(s);
	leave_settled(s);
}

static void h1_want_body(struct stream *stream)
{
	role_loop();
	struct session *s = session_of(stream);
	struct turn *t = s->turn;
	if (!stream->body || t->wants_body)
		return;
	enter(s);
	t->wants_body = true;
	if (stream->request.expects_continue && s->in.len == 0)
		h1_interim(stream, &(struct answer){ .status = 100 });
	/* Inside on_request the loop that called it goes on with the body itself. */
	if (s->depth == 1)
		take_kept(s);
	leave_settled(s);
}

/* How the body ends, and whether the connection may go on after it (RFC 9112 6.3, 9.3). */
static void write_framing(struct session *s, const struct answer *a)
{
	struct turn *t = s->turn;
	uint8_t version = t->stream.request.version;
	t->delimiter = BY_NOTHING;
	if (a->has_length) {
		buf_add(&t->out, SL("Content-Length: "));
		buf_add_u64(&t->out, a->length);
		buf_add(&t->out, SL("\r\n"));
		t->delimiter = BY_LENGTH;
		t->left = a->length;
	} else if (a->has_body && version >= 11) {
		buf_add(&t->out, SL("Transfer-Encoding: chunked\r\n"));
		t->delimiter = BY_CHUNKS;
	} else if (a->has_body) {
		t->delimiter = BY_CLOSE;
		s->closes = true;
	}
	bool unread = t->stream.body && !t->body_ended;
	if (unread || s->front->is_draining)
		s->closes = true;
	if (s->closes)
		buf_add(&t->out, SL("Connection: close\r\n"));
	else if (version == 10)
		buf_add(&t->out, SL("Connection: keep-alive\r\n"));
	buf_add(&t->out, SL("\r\n"));
}

static void h1_answer(struct stream *stream, const struct answer *a, struct source *source)
{
	role_loop();
	struct session *s = session_of(stream);
	struct turn *t = s->turn;
	must(!t->is_answered);
	enter(s);
	h1_write_status_line(&t->out, a->status);
	for (size_t i = 0; i < COUNT_OF(a->lines); i++)
		buf_add(&t->out, a->lines[i]);
	write_framing(s, a);
	t->source = a->has_body ? source : NULL;
	t->is_answered = true;
	bool is_own_event = s->depth > 1;
	if (t->source && !s->is_bulk && (!a->has_length || a->length >= BULK_BYTES)) {
		s->is_bulk = true;
		conn_ready_bulk(&s->conn);
	}
	s->state = STATE_ANSWERING;
	if (is_own_event)
		pump(s);
	else
		pump_later(s);
	leave_settled(s);
}

static void h1_resume(struct stream *stream)
{
	role_loop();
	struct session *s = session_of(stream);
	if (s->state != STATE_ANSWERING || s->is_blocked)
		return;
	enter(s);
	pump_later(s);
	leave_settled(s);
}

static void h1_cut(struct stream *stream, enum err why)
{
	role_loop();
	struct session *s = session_of(stream);
	enter(s);
	session_close(s, why);
	leave_settled(s);
}

static const struct stream_ops h1_ops = {
	.interim = h1_interim,
	.want_body = h1_want_body,
	.answer = h1_answer,
	.resume = h1_resume,
	.cut = h1_cut,
};

/* ---- events ---- */

static void on_later(struct mail *m)
{
	role_loop();
	struct turn *t = CONTAINER_OF(m, struct turn, later);
	struct session *s = t->session;
	if (!s) {
		free_unless_awaited(t);
		return;
	}
	enter(s);
	if (!s->is_blocked)
		pump(s);
	leave_settled(s);
}

static void on_body_room(struct mail *m)
{
	role_loop();
	struct turn *t = CONTAINER_OF(m, struct turn, room);
	struct session *s = t->session;
	if (!s) {
		free_unless_awaited(t);
		return;
	}
	enter(s);
	if (awaits_body(s))
		take_kept(s);
	leave_settled(s);
}

static void on_ready(struct conn *c, int events)
{
	role_loop();
	struct session *s = CONTAINER_OF(c, struct session, conn);
	enter(s);
	if (events & EV_WRITE && s->turn)
		pump(s);
	if (events & EV_READ && s->state != STATE_DEAD)
		read_input(s);
	leave_settled(s);
}

/* Whether a blocked client took a byte since the last look: the kernel says that a socket is
 * writable only once a third of its buffer is free, which a slow client may need minutes for. */
static bool is_taking(struct session *s) ON_LOOP
{
	uint32_t before = s->unsent;
	s->unsent = conn_unsent(&s->conn);
	return s->unsent < before;
}

static void on_deadline(struct deadline *d)
{
	role_loop();
	struct session *s = CONTAINER_OF(d, struct session, deadline);
	struct wire_meters *m = &s->front->meters;
	enter(s);
	s->timed = STATE_DEAD; /* whatever comes next starts its own time */
	switch ((enum state)s->state) {
	case STATE_HEAD: refuse(s, ERR_HEAD_TIMEOUT); break;
	case STATE_BUSY: fail_body(s, ERR_BODY_TIMEOUT); break;
	case STATE_ANSWERING:
		if (is_taking(s))
			break;
		meter_add(&m->send_stalled, 1);
		session_close(s, ERR_CLIENT_STALLED);
		break;
	case STATE_IDLE: meter_add(&m->idle_closed, 1); /* fallthrough */
	case STATE_LINGER:
	case STATE_DEAD: session_close(s, ERR_NONE);
	}
	leave_settled(s);
}

/* ---- the front ---- */

enum err front_init(struct front *front, struct loop *home, const struct stream_events *events,
    void *owner, _Atomic uint64_t *connections)
{
	*front = (struct front){
		.home = home, .events = events, .owner = owner, .connections = connections
	};
	list_init(&front->sessions);
	list_init(&front->spare_streams);
	front->scratch = malloc(SCRATCH_BYTES);
	return front->scratch ? ERR_NONE : ERR_NO_MEMORY;
}

void front_fini(struct front *front)
{
	LIST_EACH (link, &front->sessions) {
		struct session *s = LIST_OF(link, struct session, link);
		enter(s);
		session_close(s, ERR_SHUTDOWN);
		leave(s);
	}
	struct list *link;
	while ((link = list_take_first(&front->spare_streams)))
		turn_free(LIST_OF(link, struct turn, spare_link));
	free(front->scratch);
	front->scratch = NULL;
}

void front_set_limits(struct front *front, const struct limits *limits)
{
	front->limits = limits;
	front->h1_limits = (struct h1_limits){
		.line_bytes = limits->line_bytes,
		.head_bytes = limits->head_bytes,
		.fields = limits->head_fields,
		.body_bytes = limits->body_bytes,
	};
}

void front_drain(struct front *front)
{
	front->is_draining = true;
	LIST_EACH (link, &front->sessions) {
		struct session *s = LIST_OF(link, struct session, link);
		enter(s);
		if (s->state == STATE_IDLE)
			session_close(s, ERR_NONE);
		leave(s);
	}
	if (list_empty(&front->sessions) && front->on_drained)
		front->on_drained(front);
}

/* One connection too many is told so in one write, if the socket takes it at once. */
static void turn_away(struct front *front, int fd)
{
	static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
				   "Content-Length: 0\r\nConnection: close\r\n\r\n";
	meter_add(&front->meters.refused, 1);
	UNUSED ssize_t n = write(fd, text, sizeof(text) - 1);
	close(fd);
}

void session_accept(struct front *front, int fd, const struct address *peer)
{
	meter_add(&front->meters.accepted, 1);
	uint64_t open = atomic_fetch_add_explicit(front->connections, 1, memory_order_relaxed);
	struct session *s = open < front->limits->connections ? calloc(1, sizeof(*s)) : NULL;
	if (!s) {
		atomic_fetch_sub_explicit(front->connections, 1, memory_order_relaxed);
		turn_away(front, fd);
		return;
	}
	meter_add(&front->meters.open, 1);
	s->front = front;
	s->peer = *peer;
	s->timed = STATE_DEAD;
	buf_init(&s->in, KEPT_INPUT_BYTES + SCRATCH_BYTES + (size_t)front->limits->head_bytes);
	list_append(&front->sessions, &s->link);
	deadline_init(&s->deadline, on_deadline);
	conn_open(&s->conn, front->home, fd, on_ready);
	enter(s);
	watch(s);
	leave(s);
}
