/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/origin/exchange.h"

#include "edge/http/websocket.h"
#include "edge/origin/download.h"
#include "edge/origin/upload.h"

enum { INTERIMS = 16 };

/* What comes next: a step, or a wait for what the world has yet to do. */
enum next {
	STEP_ADMIT,
	STEP_TAKE,
	STEP_CONNECT,
	STEP_SHAKE,
	STEP_SEND,
	STEP_HEAD,
	STEP_BODY,
	STEP_END,
	STEPS,
	WAIT_NAME = STEPS, /* an address */
	WAIT_TURN,         /* a connection that another gives back */
	WAIT_CONNECT,      /* the socket to be connected */
	WAIT_SHAKE,        /* the origin's part of the handshake */
	WAIT_SEND,         /* the socket to take bytes */
	WAIT_CLIENT,       /* more of the request's body */
	WAIT_HEAD,         /* the rest of the answer's head */
	WAIT_BODY,         /* more of its body */
	WAIT_WINDOW,       /* room in the flow */
	DONE,
};

struct exchange {
	/* fixed after make */
	struct origin *origin; /* counted while not spare */
	struct mail wake;      /* whatever happened, the step looks for itself */
	/* home loop */
	struct exchange_spec spec;
	struct ticket ticket;
	struct pool *pool;   /* the address in use, or last used */
	struct pooled *line; /* the connection in use */
	struct upload upload;
	struct download download;
	struct deadline late, total;
	struct mono choosing; /* addresses that refused since then are not tried again */
	enum next step, wait;
	enum err failure;
	enum err refusal;    /* of the last address that took no connection */
	struct slice detail; /* of the failure, in detail_text */
	char detail_text[FAILURE_BYTES];
	unsigned interims;
	bool is_running; /* within a step */
	bool is_cancelled;
	bool is_over; /* waits for `wake` to be delivered, if at all */
	bool was_sent;
	bool is_writable; /* since the connect began */
	bool is_reused;   /* `line` was a kept one */
	bool was_retried;
	bool has_moved; /* what we wait for goes on: its deadline begins anew */
	struct list spare_link;
};

typedef enum next step_f(struct exchange *);
static step_f step_admit, step_take, step_connect, step_shake, step_send, step_head, step_body,
    step_end;

static step_f *const steps[STEPS] = {
	[STEP_ADMIT] = step_admit,
	[STEP_TAKE] = step_take,
	[STEP_CONNECT] = step_connect,
	[STEP_SHAKE] = step_shake,
	[STEP_SEND] = step_send,
	[STEP_HEAD] = step_head,
	[STEP_BODY] = step_body,
	[STEP_END] = step_end,
};

/* How long each wait may last, as an option says, and what it is when it does not end in time. The
 * waits without a limit are for our own clients: their sessions have limits. */
#define LIMIT(option) offsetof(struct origin_options, option)
static const struct wait {
	size_t limit; /* 0 = none: no duration is the first option */
	enum err late;
} waits[] = {
	[WAIT_NAME] = { LIMIT(connect_ms), ERR_ORIGIN_RESOLVE },
	[WAIT_TURN] = { LIMIT(connect_ms), ERR_BUSY },
	[WAIT_CONNECT] = { LIMIT(connect_ms), ERR_ORIGIN_CONNECT_SLOW },
	[WAIT_SHAKE] = { LIMIT(tls.handshake_ms), ERR_ORIGIN_CONNECT_SLOW },
	[WAIT_SEND] = { LIMIT(send_ms), ERR_ORIGIN_SLOW },
	[WAIT_CLIENT] = { 0, ERR_NONE },
	[WAIT_HEAD] = { LIMIT(first_byte_ms), ERR_ORIGIN_SLOW },
	[WAIT_BODY] = { LIMIT(between_bytes_ms), ERR_ORIGIN_STALLED },
	[WAIT_WINDOW] = { 0, ERR_NONE },
};
#undef LIMIT

static void drive(struct exchange *, enum next) ON_LOOP;

static enum next fail(struct exchange *x, enum err why)
{
	x->failure = why;
	return STEP_END;
}

/* ---- what wakes it ---- */

static void on_ready(void *user, int events)
{
	role_loop();
	struct exchange *x = user;
	x->is_writable |= (events & EV_WRITE) != 0;
	x->download.is_ready |= (events & EV_READ) != 0;
	drive(x, x->step);
}

static void recycle(struct exchange *) ON_LOOP;

static void on_wake(struct mail *m)
{
	role_loop();
	struct exchange *x = CONTAINER_OF(m, struct exchange, wake);
	if (x->is_over)
		recycle(x);
	else
		drive(x, x->step);
}

/* Copied: the connection that knows it goes. */
static void keep_detail(struct exchange *x, const char *text)
{
	size_t len = min_size(strlen(text), sizeof(x->detail_text));
	memcpy(x->detail_text, text, len);
	x->detail = slice_of(x->detail_text, len);
}

/* This address takes no connection: another may. */
static enum next refuse(struct exchange *x, enum err why) ON_LOOP
{
	x->pool->refused = x->origin->home->now;
	x->refusal = why;
	pool_close(&x->line);
	return STEP_TAKE;
}

static enum next be_late(struct exchange *x) ON_LOOP
{
	enum err why = waits[x->wait].late;
	switch (x->wait) {
	case WAIT_SHAKE:
		tls_line_give_up(&x->line->conn, true);
		keep_detail(x, "no TLS handshake in time");
		return refuse(x, why);
	case WAIT_CONNECT: return refuse(x, why);
	default: return fail(x, why);
	}
}

static void on_late(struct deadline *d)
{
	role_loop();
	struct exchange *x = CONTAINER_OF(d, struct exchange, late);
	drive(x, be_late(x));
}

static void on_total(struct deadline *d)
{
	role_loop();
	struct exchange *x = CONTAINER_OF(d, struct exchange, total);
	drive(x, fail(x, x->step == STEP_BODY ? ERR_ORIGIN_STALLED : ERR_ORIGIN_SLOW));
}

/* ---- the steps ---- */

static enum next step_admit(struct exchange *x) ON_LOOP
{
	switch (origin_admit(x->origin, &x->ticket)) {
	case ADMIT_AFTER_NAME: return WAIT_NAME;
	case ADMIT_AFTER_TURN: return WAIT_TURN;
	case ADMIT_NO_NAME: return fail(x, ERR_ORIGIN_RESOLVE);
	case ADMIT_NO_ROOM: return fail(x, ERR_BUSY);
	case ADMITTED: break;
	}
	x->choosing = x->origin->home->now;
	return STEP_TAKE;
}

/* Whom to ask now; NULL = nobody is left. */
static struct pool *choose(struct exchange *x) ON_LOOP
{
	struct pool *only = x->spec.only;
	if (!only)
		return origin_choose(x->origin, x->choosing);
	return only->is_listed && only->refused.us < x->choosing.us ? only : NULL;
}

static enum next step_take(struct exchange *x) ON_LOOP
{
	struct pool *pool = choose(x);
	if (!pool)
		return fail(x, x->refusal);
	x->pool = pool;
	x->detail = SLICE_NONE;
	/* A switch ends the connection for everyone else, and is not asked for twice. */
	bool is_own = x->was_retried || x->spec.only || x->spec.request->upgrade.len > 0;
	x->line = is_own ? NULL : pool_take(x->pool, on_ready, x);
	x->is_reused = x->line != NULL;
	x->is_writable = x->download.is_ready = false;
	x->has_moved = true;
	if (x->line)
		return STEP_SEND;
	enum err e = pool_connect(x->pool, on_ready, x, &x->line);
	if (e == ERR_ORIGIN_CONNECT)
		return refuse(x, e);
	return e == ERR_NONE ? STEP_CONNECT : fail(x, e);
}

static enum next step_connect(struct exchange *x) ON_LOOP
{
	if (!x->is_writable)
		return WAIT_CONNECT;
	enum err e = conn_connected(&x->line->conn);
	if (e != ERR_NONE)
		return refuse(x, e);
	if (!pool_is_secure(x->pool))
		return STEP_SEND;
	e = pool_begin_tls(x->line);
	return e == ERR_NONE ? STEP_SHAKE : fail(x, e);
}

/* What TLS ended with on this connection. */
static enum err tls_error(struct exchange *x)
{
	static const enum err errors[] = {
		[TLS_FAILED_PROTOCOL] = ERR_ORIGIN_TLS,
		[TLS_FAILED_CERTIFICATE] = ERR_ORIGIN_CERT,
		[TLS_FAILED_ALERT] = ERR_ORIGIN_ALERT,
		[TLS_FAILED_CLOSED] = ERR_ORIGIN_TLS,
	};
	const char *text = "";
	enum tls_failure failure = tls_line_failure(&x->line->conn, &text);
	keep_detail(x, text);
	return errors[failure];
}

static enum next step_shake(struct exchange *x) ON_LOOP
{
	switch (pool_shake(x->line)) {
	case SHAKE_AGAIN: return WAIT_SHAKE;
	case SHAKE_FAILED: return refuse(x, tls_error(x));
	case SHAKE_DONE: break;
	}
	/* Behind the handshake there may be more that was read with it. */
	x->download.is_ready = true;
	return STEP_SEND;
}

/* Sends what can be sent of the request. Returns what to wait for; `then` when all has gone. */
static enum next send_more(struct exchange *x, enum next then) ON_LOOP
{
	struct upload *u = &x->upload;
	uint64_t before = u->bytes;
	enum push push = upload_push(u, &x->line->conn);
	x->has_moved |= u->bytes != before;
	switch (push) {
	case PUSH_BLOCKED: return WAIT_SEND;
	case PUSH_STARVED: return WAIT_CLIENT;
	case PUSH_FAILED: return fail(x, u->failure);
	default: return then;
	}
}

static enum next step_send(struct exchange *x) ON_LOOP
{
	if (!x->was_sent)
		meter_add(&x->origin->meters->requests, 1);
	x->was_sent = true;
	enum next next = send_more(x, STEP_HEAD);
	bool is_early = next >= STEPS && x->download.is_ready;
	return is_early ? STEP_HEAD : next;
}

/* A kept connection that dies unheard was most likely closed while our request was on its way. */
static bool may_retry(const struct exchange *x)
{
	return x->is_reused && x->download.failure == ERR_ORIGIN_CLOSED &&
	    method_is_safe(x->spec.request->method) && upload_can_restart(&x->upload);
}

static enum next retry(struct exchange *x) ON_LOOP
{
	meter_add(&x->origin->meters->retries, 1);
	pool_close(&x->line);
	upload_restart(&x->upload);
	download_begin(&x->download, x->download.answers_head);
	x->was_retried = true;
	x->choosing = x->origin->home->now;
	return STEP_TAKE;
}

/* An interim head: passed on, then the next one (RFC 9110 15.2). */
static enum next take_interim(struct exchange *x, const struct response *response)
{
	if (++x->interims > INTERIMS)
		return fail(x, ERR_ORIGIN_MALFORMED);
	if (response->status != 100)
		x->spec.events->on_interim(x->spec.owner, response);
	if (x->is_cancelled)
		return fail(x, ERR_CANCELLED);
	download_next(&x->download);
	return STEP_HEAD;
}

/* HTTP/2 says 200 for the switch (RFC 8441 5): an answer of 2xx that makes none would be taken for
 * one. */
static bool is_misleading(const struct exchange *x, const struct response *response)
{
	const struct request *request = x->spec.request;
	return request->upgrade.len > 0 && request->version == 20 && response->status / 100 == 2;
}

static enum next take_head(struct exchange *x, const struct response *response)
{
	if (is_misleading(x, response))
		return fail(x, ERR_ORIGIN_MALFORMED);
	pool_hear(x->line, &response->fields);
	x->download.into = x->spec.events->on_head(x->spec.owner, response);
	return x->is_cancelled ? fail(x, ERR_CANCELLED) : STEP_BODY;
}

/* With TLS 1.3 an origin refuses our certificate when the handshake is over for us already. */
static enum err head_failure(struct exchange *x)
{
	const char *text;
	enum err failure = x->download.failure;
	bool is_refused = failure == ERR_ORIGIN_CLOSED && pool_is_secure(x->pool) &&
	    tls_line_failure(&x->line->conn, &text) == TLS_FAILED_ALERT;
	return is_refused ? tls_error(x) : failure;
}

/* A 101, which only who asked for it may get: from here on both bodies are raw, for as long as
 * client and origin like. */
static enum next take_switch(struct exchange *x, struct response *response) ON_LOOP
{
	const struct request *request = x->spec.request;
	if (request->upgrade.len == 0 || !websocket_is_agreed(x->spec.fields, response))
		return fail(x, ERR_ORIGIN_MALFORMED);
	/* The key was ours, and so is the proof (RFC 8441 5). */
	if (request->version == 20)
		fields_remove_name(&response->fields, SL("Sec-WebSocket-Accept"));
	deadline_clear(&x->total);
	upload_switch(&x->upload);
	download_switch(&x->download);
	return take_head(x, response);
}

static enum next step_head(struct exchange *x) ON_LOOP
{
	enum next wait = send_more(x, WAIT_HEAD);
	if (wait == STEP_END)
		return wait;
	struct response *response = &x->download.response;
	switch (download_head(&x->download, &x->line->conn)) {
	case PULL_HEAD:
		if (response->status == 101)
			return take_switch(x, response);
		return response->status < 200 ? take_interim(x, response) : take_head(x, response);
	case PULL_BAD: return may_retry(x) ? retry(x) : fail(x, head_failure(x));
	default: return wait;
	}
}

static enum next step_body(struct exchange *x) ON_LOOP
{
	enum next wait = send_more(x, WAIT_BODY);
	if (wait == STEP_END)
		return wait;
	uint64_t before = x->download.bytes;
	enum pull pull = download_body(&x->download, &x->line->conn);
	x->has_moved |= x->download.bytes != before;
	switch (pull) {
	case PULL_END: return STEP_END;
	case PULL_BAD: return fail(x, x->download.failure);
	case PULL_FULL: return WAIT_WINDOW;
	default: return wait;
	}
}

static void give_back(struct exchange *x) ON_LOOP
{
	bool is_clean = x->line && !x->spec.only && x->failure == ERR_NONE &&
	    x->upload.state == PUSH_DONE && download_is_clean(&x->download);
	if (is_clean)
		pool_keep(&x->line);
	else
		pool_close(&x->line);
	deadline_clear(&x->late);
	deadline_clear(&x->total);
	upload_end(&x->upload);
	download_end(&x->download, x->failure);
	origin_leave(x->origin, &x->ticket);
}

static void count_end(const struct exchange *x)
{
	struct origin_meters *m = x->origin->meters;
	switch (x->failure) {
	case ERR_ORIGIN_CONNECT:
	case ERR_ORIGIN_RESOLVE: meter_add(&m->connect_failed, 1); break;
	case ERR_ORIGIN_ALERT:
	case ERR_ORIGIN_TLS: meter_add(&m->tls_failed, 1); break;
	case ERR_ORIGIN_CERT: meter_add(&m->distrusted, 1); break;
	case ERR_ORIGIN_CONNECT_SLOW:
	case ERR_ORIGIN_SLOW:
	case ERR_ORIGIN_STALLED: meter_add(&m->timed_out, 1); break;
	case ERR_ORIGIN_HEAD_LARGE:
	case ERR_ORIGIN_MALFORMED: meter_add(&m->malformed, 1); break;
	case ERR_ORIGIN_TRUNCATED: meter_add(&m->truncated, 1); break;
	case ERR_ORIGIN_CLOSED: meter_add(&m->closed, 1); break;
	case ERR_BUSY: meter_add(&m->refused, 1); break;
	default: break;
	}
}

static enum next step_end(struct exchange *x) ON_LOOP
{
	give_back(x);
	count_end(x);
	if (!x->is_cancelled)
		x->spec.events->on_end(x->spec.owner, x->failure);
	return DONE;
}

/* ---- the driver ---- */

static int64_t limit_ms(const struct exchange *x, enum next wait)
{
	const char *options = (const char *)&x->origin->options;
	/* How long a tunnel may be silent is its session's to say. */
	size_t limit = x->download.is_raw ? 0 : waits[wait].limit;
	return limit ? *(const int64_t *)(const void *)(options + limit) : 0;
}

/* What the connection is watched for. Readability always, so that it costs no call, unless there is
 * no room for what would be read. */
static int interest(const struct exchange *x)
{
	if (x->wait == WAIT_CONNECT)
		return EV_WRITE;
	return (x->wait == WAIT_WINDOW ? 0 : EV_READ) |
	    (x->upload.state == PUSH_BLOCKED ? EV_WRITE : 0);
}

static void drive(struct exchange *x, enum next next)
{
	x->is_running = true;
	while (next < STEPS) {
		x->step = next;
		next = steps[next](x);
	}
	x->is_running = false;
	if (next == DONE) {
		x->is_over = true;
		recycle(x);
		return;
	}
	if (next != x->wait || x->has_moved)
		deadline_set(x->origin->home, &x->late, limit_ms(x, next));
	x->wait = next;
	x->has_moved = false;
	if (x->line)
		conn_watch(&x->line->conn, interest(x));
}

/* ---- life ---- */

static struct exchange *make(struct origin *o)
{
	struct exchange *x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	x->origin = o;
	mail_init(&x->wake, on_wake);
	deadline_init(&x->late, on_late);
	deadline_init(&x->total, on_total);
	list_init(&x->spare_link);
	list_init(&x->ticket.link);
	x->ticket.call = &x->wake;
	x->download.home = o->home;
	x->download.wake = &x->wake;
	x->download.scratch = o->scratch;
	x->download.limits = &o->limits;
	x->download.count = &o->meters->bytes_in;
	download_init(&x->download);
	upload_init(&x->upload, &o->meters->bytes_out);
	return x;
}

void exchange_free_spare(struct list *spare_link)
{
	struct exchange *x = LIST_OF(spare_link, struct exchange, spare_link);
	upload_fini(&x->upload);
	download_fini(&x->download);
	free(x);
}

/* Gives the exchange back to its origin, once no letter to it is on its way. */
static void recycle(struct exchange *x)
{
	if (mail_is_posted(&x->wake))
		return;
	struct origin *o = x->origin;
	if (o->spare_count < ORIGIN_SPARES) {
		list_prepend(&o->spares, &x->spare_link);
		o->spare_count++;
	} else {
		exchange_free_spare(&x->spare_link);
	}
	origin_unref(&o);
}

static struct exchange *take(struct origin *o) ON_LOOP
{
	struct list *link = list_take_first(&o->spares);
	struct exchange *x = link ? LIST_OF(link, struct exchange, spare_link) : make(o);
	if (!x)
		return NULL;
	if (link)
		o->spare_count--;
	origin_ref(o);
	x->pool = NULL;
	x->detail = SLICE_NONE;
	x->wait = DONE;
	x->failure = ERR_NONE;
	x->refusal = ERR_ORIGIN_CONNECT;
	x->interims = 0;
	x->is_over = x->is_cancelled = x->was_sent = x->was_retried = false;
	return x;
}

enum err exchange_start(
    struct origin *o, const struct exchange_spec *spec, struct exchange **ret_exchange)
{
	if (o->endpoint_count == 0)
		return ERR_NO_ORIGIN;
	struct exchange *x = take(o);
	if (!x)
		return ERR_NO_MEMORY;
	x->spec = *spec;
	download_begin(&x->download, spec->request->method == METHOD_HEAD);
	enum err e = upload_begin(&x->upload, spec, o->home, &x->wake);
	if (e != ERR_NONE) {
		recycle(x);
		return e;
	}
	deadline_set(o->home, &x->total, o->options.total_ms);
	/* It begins at the end of the round, as session.c answers: requests to the origin then
	 * leave in a burst, which wakes its processor once. And so no event comes before this has
	 * returned. */
	x->step = STEP_ADMIT;
	mail_post(o->home, &x->wake);
	*ret_exchange = x;
	return ERR_NONE;
}

void exchange_cancel(struct exchange **exchange)
{
	struct exchange *x = *exchange;
	*exchange = NULL;
	if (!x)
		return;
	x->is_cancelled = true;
	if (!x->is_running)
		drive(x, fail(x, ERR_CANCELLED));
}

struct slice exchange_address(const struct exchange *x)
{
	return x->pool ? x->pool->text : SLICE_NONE;
}

struct slice exchange_detail(const struct exchange *x)
{
	return x->detail;
}
