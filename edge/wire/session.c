/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/session.h"

#include "edge/wire/h2.h"

enum {
	KEPT_INPUT_BYTES = 64 * 1024, /* of requests behind the current one */
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

struct session {
	struct conn conn;
	struct front *front;
	struct guest guest;
	struct turn *turn; /* NULL while idle */
	struct deadline deadline;
	struct buf in; /* what was read and not parsed; nothing while idle */
	struct address peer;
	const struct secure *secure;
	uint32_t requests;
	uint32_t unsent; /* of the blocked socket at the last deadline; UINT32_MAX = not asked */
	uint8_t state;
	uint8_t timed; /* the state for which the deadline is set */
	uint8_t depth; /* of calls into this session: it is freed at the outermost */
	bool closes;   /* after the current answer */
	bool saw_eof;
	bool is_blocked; /* the socket takes no more bytes now */
	bool is_bulk;    /* the socket was readied for large bodies */
	bool has_moved;  /* bytes, either way, since the deadline was set */
	bool is_h2;      /* the client speaks HTTP/2: the connection changes hands */
};

static const struct stream_ops h1_ops;
static const struct turn_events h1_letters;

/* ---- life of a session ---- */

static void done(struct session *, enum err) ON_LOOP;

/* Ends the connection, and the turn with it. The session itself goes at the end of the event. */
static void session_close(struct session *s, enum err why) ON_LOOP
{
	if (s->state == STATE_DEAD)
		return;
	/* A body that ends with the connection must not end like a whole one. */
	bool looks_whole = s->turn && sending_ends_by_close(&s->turn->sending);
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

static bool is_tunnel(const struct session *s)
{
	return s->turn && turn_is_tunnel(s->turn);
}

static bool awaits_body(const struct session *s)
{
	return s->turn && turn_awaits_body(s->turn) && s->state != STATE_LINGER;
}

static int64_t state_timeout(const struct session *s)
{
	const struct limits *limits = s->front->limits;
	switch ((enum state)s->state) {
	case STATE_IDLE: return limits->idle_ms;
	case STATE_HEAD: return limits->head_ms;
	case STATE_BUSY: return awaits_body(s) ? limits->body_ms : 0;
	case STATE_ANSWERING:
		return is_tunnel(s) ? limits->tunnel_ms : s->is_blocked ? limits->send_ms : 0;
	case STATE_LINGER: return conn_is_flushed(&s->conn) ? LINGER_MS : limits->send_ms;
	case STATE_DEAD: break;
	}
	return 0;
}

/* Sets the deadline of the state that the event has left the session in. A head's and a linger's
 * run from their beginning; the others start anew when bytes have moved. Not with each event: part
 * of a TLS record is one, and brings nothing. */
static void set_deadline(struct session *s) ON_LOOP
{
	int64_t ms = state_timeout(s);
	bool starts_anew = s->has_moved && s->state != STATE_HEAD && s->state != STATE_LINGER;
	if (s->timed != s->state || starts_anew || ms == 0 || !deadline_is_set(&s->deadline))
		deadline_set(s->front->home, &s->deadline, ms);
	s->timed = s->state;
	s->has_moved = false;
}

static void session_free(struct session *s)
{
	if (!s->is_h2) /* else it has left already, and another has come for it */
		front_leave(s->front, &s->guest);
	buf_fini(&s->in);
	free(s);
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
	front_count_refusal(s->front, why);
	s->closes = true;
	s->state = STATE_BUSY;
	s->front->events->on_refused(&s->turn->stream, why);
}

static bool begin_turn(struct session *s) ON_LOOP
{
	struct front *front = s->front;
	struct turn *t = turn_take(&front->turns);
	if (!t) {
		session_close(s, ERR_NO_MEMORY);
		return false;
	}
	s->turn = t;
	t->session = s;
	t->events = &h1_letters;
	t->stream.ops = &h1_ops;
	t->stream.peer = &s->peer;
	t->stream.secure = s->secure;
	turn_begin(t, front);
	s->state = STATE_HEAD;
	return true;
}

static void start_journey(struct session *s)
{
	struct turn *t = s->turn;
	const struct limits *limits = s->front->limits;
	s->state = STATE_BUSY;
	s->requests++;
	if (!t->reader.keeps_alive || (limits->requests && s->requests >= limits->requests))
		s->closes = true;
	enum err failed = turn_make_body(t);
	if (failed == ERR_NONE)
		s->front->events->on_request(&t->stream);
	else
		refuse(s, failed);
}

/* Whether the connection is HTTP/2's, or may become so with more bytes (RFC 9113 3.3). */
static bool is_h2(struct session *s, struct slice bytes)
{
	if (s->requests > 0 || !s->front->limits->h2)
		return false;
	enum h2_sign sign = h2_sign_of(bytes);
	s->is_h2 = sign == H2_YES;
	return sign != H2_NO;
}

/* Reads a head from the front of the input. Returns how much of it was used. */
static size_t take_head(struct session *s, struct slice bytes) ON_LOOP
{
	if (!s->turn && !begin_turn(s))
		return 0;
	if (is_h2(s, bytes))
		return 0;
	struct turn *t = s->turn;
	size_t used = 0;
	enum h1_event event = h1_read_head(&t->reader, bytes, &used, &t->stream.request, NULL);
	t->stream.bytes_in += used;
	if (event == H1_HEAD && bytes.len > used && t->stream.request.upgrade.len > 0)
		s->closes = true; /* see write_head */
	if (event == H1_BAD)
		refuse(s, t->reader.failure);
	else if (event == H1_HEAD)
		start_journey(s);
	return event == H1_BAD ? bytes.len : used;
}

/* The request's body cannot be had: whoever reads it learns why, and the answer closes. */
static void fail_body(struct session *s, enum err why)
{
	front_count_refusal(s->front, why);
	s->closes = true;
	s->turn->body_ended = true;
	flow_fail(s->turn->stream.body, why);
}

static size_t take_body(struct session *s, struct slice bytes)
{
	size_t used;
	enum err failed = turn_take_body(s->turn, bytes, &used);
	s->unsent = UINT32_MAX; /* the connection lives */
	if (failed == ERR_NONE)
		return used;
	fail_body(s, failed);
	return bytes.len;
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
	/* Whom nothing more will be heard of, the end of the flush tells of. */
	bool awaits_flush = s->state == STATE_LINGER && s->saw_eof;
	conn_watch(&s->conn, events | (s->is_blocked || awaits_flush ? EV_WRITE : 0));
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
	bool is_asking = s->state == STATE_IDLE || s->state == STATE_HEAD;
	if (is_tunnel(s))
		turn_end_body(s->turn); /* the other direction goes on */
	else if (s->state == STATE_LINGER ? conn_is_flushed(&s->conn)
					  : is_asking || turn_lacks_body(s->turn))
		session_close(s, ERR_CLIENT_GONE);
	else
		s->closes = true; /* it may have shut its side only: the answer still goes out */
}

static void read_input(struct session *s) ON_LOOP
{
	struct front *front = s->front;
	size_t got;
	switch (conn_read(&s->conn, front->scratch, FRONT_SCRATCH_BYTES, &got)) {
	case IO_OK:
		meter_add(&front->meters.bytes_in, got);
		s->has_moved = true;
		take_fresh(s, slice_of(front->scratch, got));
		break;
	case IO_AGAIN: break;
	case IO_EOF: on_eof(s); break;
	case IO_BROKEN: session_close(s, ERR_CLIENT_GONE); break;
	}
}

/* ---- answers ---- */

/* Ends a connection between two answers. What a layer still holds of the last one goes out first;
 * lingers: so does what the client is about to say. */
static void part(struct session *s, bool lingers) ON_LOOP
{
	if (!lingers && conn_is_flushed(&s->conn)) {
		session_close(s, ERR_NONE);
		return;
	}
	conn_shut(&s->conn);
	s->state = STATE_LINGER;
}

/* The turn is over. The journey is told first; then the turn is the front's again. */
static void done(struct session *s, enum err why) ON_LOOP
{
	struct turn *t = s->turn;
	s->front->events->on_done(&t->stream, why);
	/* An answer that came before the whole request leaves bytes on the wire that are not a
	 * request: the connection ends here. */
	bool unread = turn_lacks_body(t) || (t->stream.body && t->reader.failure != ERR_NONE);
	s->turn = NULL;
	turn_give(&s->front->turns, t);
	if (s->state == STATE_DEAD)
		return;
	if (s->front->is_draining)
		s->closes = true;
	s->state = STATE_IDLE;
	if (unread || s->closes)
		part(s, unread || !s->saw_eof);
}

/* Writes once. False when there is nothing more to do now. */
static bool pump_once(struct session *s) ON_LOOP
{
	size_t sent;
	enum err failed = turn_send(s->turn, &s->conn, &sent, &s->is_blocked);
	s->has_moved |= sent > 0;
	if (failed != ERR_NONE)
		session_close(s, failed);
	return sent > 0 && !s->is_blocked;
}

/* Sends what there is, until the socket or the source has enough, or the answer is out. */
static void pump(struct session *s) ON_LOOP
{
	s->is_blocked = false;
	s->unsent = UINT32_MAX;
	while (s->turn && !sending_is_done(&s->turn->sending) && pump_once(s))
		;
	if (s->turn && sending_is_done(&s->turn->sending))
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

/* The connection goes on as HTTP/2's; this session is over. */
static void hand_over(struct session *s) ON_LOOP
{
	const struct visit visit = { &s->conn, &s->guest, &s->peer, s->secure, buf_slice(&s->in) };
	turn_give(&s->front->turns, s->turn);
	s->turn = NULL;
	s->is_h2 = h2_take(s->front, &visit);
	session_close(s, ERR_NO_MEMORY);
}

/* Every entry from outside: does `what`, goes on with what that made possible, and settles. */
static void leave_settled(struct session *s) ON_LOOP
{
	if (s->depth == 1 && s->is_h2 && s->state != STATE_DEAD) {
		hand_over(s);
	} else if (s->depth == 1) {
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
	if (stream->request.version < 11 || t->sending.is_begun)
		return;
	enter(s);
	sending_interim(&t->sending, a);
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

/* From here on bytes go both ways as they come; some may have come with the request already. */
static void open_tunnel(struct session *s) ON_LOOP
{
	turn_open_tunnel(s->turn);
	s->closes = true;
	if (s->depth == 1)
		take_kept(s);
	if (s->saw_eof)
		turn_end_body(s->turn);
}

static void h1_answer(struct stream *stream, const struct answer *a, struct source *source)
{
	role_loop();
	struct session *s = session_of(stream);
	must(!s->turn->sending.is_begun);
	enter(s);
	s->closes |= s->front->is_draining;
	s->closes = turn_write_head(s->turn, a, source, s->closes, s->in.len > 0);
	bool is_own_event = s->depth > 1;
	if (s->turn->sending.source && !s->is_bulk && (!a->has_length || a->length >= BULK_BYTES)) {
		s->is_bulk = true;
		conn_ready_bulk(&s->conn);
	}
	s->state = STATE_ANSWERING;
	if (a->status == 101)
		open_tunnel(s);
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

static void on_later(struct turn *t)
{
	role_loop();
	struct session *s = t->session;
	enter(s);
	if (!s->is_blocked)
		pump(s);
	leave_settled(s);
}

static void on_body_room(struct turn *t)
{
	role_loop();
	struct session *s = t->session;
	enter(s);
	if (awaits_body(s))
		take_kept(s);
	leave_settled(s);
}

static const struct turn_events h1_letters = { .on_room = on_body_room, .on_later = on_later };

static void on_ready(struct conn *c, int events)
{
	role_loop();
	struct session *s = CONTAINER_OF(c, struct session, conn);
	enter(s);
	if (events & EV_WRITE && s->turn)
		pump(s);
	else if (s->state == STATE_LINGER && s->saw_eof && conn_is_flushed(&s->conn))
		session_close(s, ERR_NONE);
	if (events & EV_READ && s->state != STATE_DEAD)
		read_input(s);
	leave_settled(s);
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
		if (turn_is_taking(s->turn, &s->conn, &s->unsent))
			break;
		meter_add(is_tunnel(s) ? &m->tunnel_idle : &m->send_stalled, 1);
		session_close(s, is_tunnel(s) ? ERR_TUNNEL_IDLE : ERR_CLIENT_STALLED);
		break;
	case STATE_LINGER: /* a layer may still hold the answer's end for a slow client */
		if (!conn_is_flushed(&s->conn) && conn_is_taking(&s->conn, &s->unsent))
			break;
		session_close(s, ERR_NONE);
		break;
	case STATE_IDLE:
		meter_add(&m->idle_closed, 1);
		part(s, false);
		break;
	case STATE_DEAD: break;
	}
	leave_settled(s);
}

static void on_end(struct guest *guest, enum ending how)
{
	role_loop();
	struct session *s = CONTAINER_OF(guest, struct session, guest);
	enter(s);
	if (how == ENDING_NOW)
		session_close(s, ERR_SHUTDOWN);
	else if (s->state == STATE_IDLE)
		part(s, false);
	leave_settled(s);
}

bool session_take(struct front *front, const struct visit *visit)
{
	struct session *s = calloc(1, sizeof(*s));
	if (!s)
		return false;
	s->front = front;
	s->peer = *visit->peer;
	s->secure = visit->secure;
	s->timed = STATE_DEAD;
	buf_init(
	    &s->in, KEPT_INPUT_BYTES + FRONT_SCRATCH_BYTES + (size_t)front->limits->head_bytes);
	front_hand_over(front, visit, &s->guest, on_end);
	deadline_init(&s->deadline, on_deadline);
	conn_move(&s->conn, visit->conn, on_ready);
	enter(s);
	take_fresh(s, visit->bytes);
	leave_settled(s);
	return true;
}
