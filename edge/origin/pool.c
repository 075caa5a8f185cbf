/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/origin/pool.h"

#include "edge/origin/origin.h"

void pool_init(struct pool *p, struct loop *home, const struct origin_options *options,
    struct origin_meters *meters)
{
	*p = (struct pool){ .home = home, .options = options, .meters = meters };
	list_init(&p->kept);
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

static void enter_kept(struct pooled *c) ON_LOOP
{
	list_prepend(&c->pool->kept, &c->link);
	c->pool->kept_count++;
	meter_add(&c->pool->meters->idle, 1);
	deadline_set(c->pool->home, &c->idle, c->pool->options->idle_ms);
	conn_watch(&c->conn, EV_READ);
}

static void leave_kept(struct pooled *c)
{
	list_drop(&c->link);
	c->pool->kept_count--;
	meter_sub(&c->pool->meters->idle, 1);
	deadline_clear(&c->idle);
}

static void on_ready(struct conn *conn, int events)
{
	role_loop();
	struct pooled *c = CONTAINER_OF(conn, struct pooled, conn);
	if (c->user)
		c->ready(c->user, events);
	else
		pool_close(&c);
}

static void on_idle(struct deadline *d)
{
	role_loop();
	struct pooled *c = CONTAINER_OF(d, struct pooled, idle);
	pool_close(&c);
}

/* ---- taking and giving back ---- */

/* Open, and nothing was said that nobody asked for. */
static bool is_quiet(struct pooled *c) ON_LOOP
{
	char byte;
	size_t bytes;
	return conn_read(&c->conn, &byte, sizeof(byte), &bytes) == IO_AGAIN;
}

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
	*c = (struct pooled){ .pool = p };
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

void pool_keep(struct pooled **pooled)
{
	struct pooled *c = *pooled;
	struct pool *p = c->pool;
	if (!p->is_listed || p->kept_count >= p->options->idle_connections) {
		pool_close(pooled);
		return;
	}
	*pooled = NULL;
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
	conn_close(&c->conn);
	free(c);
}
