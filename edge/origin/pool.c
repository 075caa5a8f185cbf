/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/origin/pool.h"

#include "edge/origin/origin.h"

void pool_init(struct pool *p, struct loop *home, const struct origin_options *options,
    struct origin_meters *meters)
{
	*p = (struct pool){ .home = home, .options = options, .meters = meters };
	list_init(&p->kept);
}

void pool_secure(struct pool *p, const struct origin_tls *tls, struct slice server_name)
{
	p->tls = *tls;
	p->server_name = server_name;
}

static void print_text(struct pool *p)
{
	char host[INET6_ADDRSTRLEN];
	size_t len = address_print(&p->address, host, sizeof(host));
	bool is_v6 = p->address.any.sa_family == AF_INET6;
	int n = snprintf(p->text_bytes, sizeof(p->text_bytes), is_v6 ? "[%.*s]:%u" : "%.*s:%u",
	    (int)len, host, address_port(&p->address));
	p->text = slice_of(p->text_bytes, (size_t)n);
}

/* ---- sessions ---- */

static void drop_session(struct pool *p)
{
	SSL_SESSION_free(p->session);
	p->session = NULL;
}

/* Takes the session that a connection has brought. An address out of service needs none. */
static void take_session(struct pooled *c) ON_LOOP
{
	struct pool *p = c->pool;
	SSL_SESSION *session = c->conn.layer ? tls_line_take_session(&c->conn) : NULL;
	if (!session)
		return;
	if (p->is_listed) {
		drop_session(p);
		p->session = session;
	} else {
		SSL_SESSION_free(session);
	}
}

/* The handshake is over. A session that did not serve is not offered again. */
static void end_offer(struct pooled *c, bool has_served)
{
	if (c->offered && !has_served && c->pool->session == c->offered)
		drop_session(c->pool);
	SSL_SESSION_free(c->offered);
	c->offered = NULL;
}

/* ---- in service ---- */

void pool_list(struct pool *p, const struct address *address)
{
	must(pool_is_free(p));
	p->address = *address;
	p->refused = (struct mono){ 0 };
	p->is_listed = true;
	print_text(p);
}

void pool_close_kept(struct pool *p)
{
	LIST_EACH (link, &p->kept) {
		struct pooled *kept = LIST_OF(link, struct pooled, link);
		pool_close(&kept);
	}
}

void pool_unlist(struct pool *p)
{
	p->is_listed = false;
	pool_close_kept(p);
	drop_session(p);
}

/* ---- kept or in use ---- */

static void enter_use(struct pooled *c, pooled_ready_f *ready, void *user)
{
	c->ready = ready;
	c->user = user;
	c->pool->used_count++;
	meter_add(&c->pool->meters->busy, 1);
}

static void leave_use(struct pooled *c)
{
	c->user = NULL;
	c->pool->used_count--;
	meter_sub(&c->pool->meters->busy, 1);
}

/* 0 = for ever. */
static int64_t patience_ms(const struct pooled *c)
{
	int64_t ours = c->pool->options->idle_ms;
	if (c->idle_ms == INT64_MAX)
		return ours;
	return ours && ours < c->idle_ms ? ours : c->idle_ms;
}

static void enter_kept(struct pooled *c) ON_LOOP
{
	list_prepend(&c->pool->kept, &c->link);
	c->pool->kept_count++;
	meter_add(&c->pool->meters->idle, 1);
	deadline_set(c->pool->home, &c->idle, patience_ms(c));
	conn_watch(&c->conn, EV_READ);
}

static void leave_kept(struct pooled *c)
{
	list_drop(&c->link);
	c->pool->kept_count--;
	meter_sub(&c->pool->meters->idle, 1);
	deadline_clear(&c->idle);
}

/* Open, and nothing was said that nobody asked for. What TLS says for itself is read on the way. */
static bool is_quiet(struct pooled *c) ON_LOOP
{
	char byte;
	size_t bytes;
	bool is_quiet = conn_read(&c->conn, &byte, sizeof(byte), &bytes) == IO_AGAIN;
	take_session(c);
	return is_quiet;
}

static void on_ready(struct conn *conn, int events)
{
	role_loop();
	struct pooled *c = CONTAINER_OF(conn, struct pooled, conn);
	if (c->user)
		c->ready(c->user, events);
	else if (!is_quiet(c))
		pool_close(&c);
}

static void on_idle(struct deadline *d)
{
	role_loop();
	struct pooled *c = CONTAINER_OF(d, struct pooled, idle);
	pool_close(&c);
}

/* ---- taking and giving back ---- */

struct pooled *pool_take(struct pool *p, pooled_ready_f *ready, void *user)
{
	LIST_EACH (link, &p->kept) {
		struct pooled *c = LIST_OF(link, struct pooled, link);
		if (!is_quiet(c)) {
			pool_close(&c);
			continue;
		}
		leave_kept(c);
		enter_use(c, ready, user);
		meter_add(&p->meters->reused, 1);
		return c;
	}
	return NULL;
}

enum err pool_connect(struct pool *p, pooled_ready_f *ready, void *user, struct pooled **ret)
{
	struct pooled *c = malloc(sizeof(*c));
	if (!c)
		return ERR_NO_MEMORY;
	*c = (struct pooled){ .pool = p, .idle_ms = INT64_MAX };
	list_init(&c->link);
	deadline_init(&c->idle, on_idle);
	enum err e = conn_connect(&c->conn, p->home, &p->address, on_ready);
	if (e != ERR_NONE) {
		free(c);
		return e;
	}
	enter_use(c, ready, user);
	meter_add(&p->meters->connects, 1);
	*ret = c;
	return ERR_NONE;
}

enum err pool_begin_tls(struct pooled *c)
{
	struct pool *p = c->pool;
	enum err e = tls_line_connect(
	    &c->conn, p->tls.local, p->tls.client, p->server_name, p->session);
	if (e == ERR_NONE && p->session && SSL_SESSION_up_ref(p->session))
		c->offered = p->session;
	return e;
}

enum shake pool_shake(struct pooled *c)
{
	enum shake shake = tls_line_shake(&c->conn);
	if (shake != SHAKE_AGAIN)
		end_offer(c, shake == SHAKE_DONE && tls_line_is_resumed(&c->conn));
	return shake;
}

/* The longest step that ends before the origin's patience does, with some left for the way. Few
 * steps: a loop knows only so many different deadlines. */
static int64_t step_within(uint64_t seconds)
{
	static const int64_t steps[] = { 60000, 30000, 15000, 8000, 4000, 2000, 1000, 500 };
	for (size_t i = 0; i < COUNT_OF(steps); i++)
		if ((uint64_t)steps[i] / 1000 < seconds)
			return steps[i];
	return 0;
}

void pool_hear(struct pooled *c, const struct fields *fields)
{
	const struct field *field = fields_find(fields, FIELD_KEEP_ALIVE);
	struct slice list = field ? field->value : SLICE_NONE, value;
	uint64_t seconds;
	c->idle_ms = INT64_MAX;
	while (slice_take_member(&list, &value)) {
		struct slice name = slice_trim(slice_take_until(&value, '='));
		if (slice_eq_nocase(name, SL("timeout")) &&
		    slice_to_u64(slice_trim(value), &seconds))
			c->idle_ms = step_within(seconds);
	}
}

void pool_keep(struct pooled **pooled)
{
	struct pooled *c = *pooled;
	struct pool *p = c->pool;
	if (!p->is_listed || c->idle_ms == 0 || p->kept_count >= p->options->idle_connections) {
		pool_close(pooled);
		return;
	}
	*pooled = NULL;
	take_session(c);
	leave_use(c);
	enter_kept(c);
}

void pool_close(struct pooled **pooled)
{
	struct pooled *c = *pooled;
	*pooled = NULL;
	if (!c)
		return;
	if (c->user)
		leave_use(c);
	else
		leave_kept(c);
	take_session(c);
	end_offer(c, false);
	conn_close(&c->conn);
	free(c);
}
