/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/origin/origin.h"

#include "edge/conf/address.h"
#include "edge/origin/download.h"
#include "edge/origin/exchange.h"

/* One address as the operator wrote it. A literal has one pool, a name one for each of the
 * addresses that it has now; pools of addresses that it had stay until their last connection
 * closes. */
struct endpoint {
	struct lookup lookup; /* first use: of a name */
	struct origin *origin;
	struct pool *pools;
	unsigned pool_count;
	char *server_name; /* of its pools, owned: exchanges outlive the options' strings */
	bool is_asking;    /* no answer yet */
};

// clang-format off
#define METER_STRUCT struct origin_meters
static const struct meter_desc meter_descs[] = METER_DESCS(ORIGIN_METERS);
// clang-format on
const struct meter_table origin_meter_table = { meter_descs, COUNT_OF(meter_descs) };

/* ---- addresses ---- */

/* An address as the operator wrote it; the loader has checked it. */
static struct host_port configured(const struct origin *o, unsigned i)
{
	struct host_port at;
	must(address_of_url(o->options.addresses.at[i], &at));
	return at;
}

static bool address_eq(const struct address *a, const struct address *b)
{
	return a->any.sa_family == b->any.sa_family && memcmp(a, b, address_len(a)) == 0;
}

static bool lookup_has(const struct lookup *l, const struct address *a)
{
	for (unsigned i = 0; i < l->count; i++)
		if (address_eq(&l->addresses[i], a))
			return true;
	return false;
}

/* Puts an address into service, unless it is. With all pools still held by addresses that went, it
 * has to wait for the next answer. */
static void list_address(struct endpoint *e, const struct address *a) ON_LOOP
{
	struct pool *room = NULL;
	for (unsigned i = 0; i < e->pool_count; i++) {
		struct pool *p = &e->pools[i];
		if (p->is_listed && address_eq(&p->address, a))
			return;
		room = room || !pool_is_free(p) ? room : p;
	}
	if (!room)
		return;
	pool_list(room, a);
	e->origin->listed_count++;
}

static void unlist_gone(struct endpoint *e) ON_LOOP
{
	for (unsigned i = 0; i < e->pool_count; i++) {
		struct pool *p = &e->pools[i];
		if (!p->is_listed || lookup_has(&e->lookup, &p->address))
			continue;
		pool_unlist(p);
		e->origin->listed_count--;
	}
}

static void call_waiting(struct origin *) ON_LOOP;

/* An answer without addresses changes nothing: the last good ones stay. */
static void on_answer(struct lookup *l)
{
	role_loop();
	struct endpoint *e = CONTAINER_OF(l, struct endpoint, lookup);
	if (e->is_asking)
		e->origin->asking_count--;
	e->is_asking = false;
	if (l->count > 0)
		unlist_gone(e);
	for (unsigned i = 0; i < l->count; i++)
		list_address(e, &l->addresses[i]);
	call_waiting(e->origin);
}

struct pool *origin_choose(struct origin *o, struct mono since)
{
	struct pool *second = NULL;
	for (unsigned i = 0; i < o->pool_count; i++) {
		unsigned at = (o->next_pool + i) % o->pool_count;
		struct pool *p = &o->pools[at];
		if (!p->is_listed || p->refused.us >= since.us)
			continue;
		if (mono_ms_since(p->refused, o->home->now) >= ORIGIN_PASS_OVER_MS) {
			o->next_pool = at + 1;
			return p;
		}
		second = second ? second : p;
	}
	return second;
}

static bool has_address(const struct endpoint *e)
{
	for (unsigned k = 0; k < e->pool_count; k++)
		if (e->pools[k].is_listed)
			return true;
	return false;
}

/* A literal has its address from the start, so what is found here is a name. */
struct slice origin_unknown(const struct origin *o)
{
	for (unsigned i = 0; i < o->endpoint_count; i++) {
		const struct endpoint *e = &o->endpoints[i];
		if (e->is_asking || !has_address(e))
			return slice_str(e->lookup.host);
	}
	return SLICE_NONE;
}

/* ---- the queue ---- */

static bool has_room(const struct origin *o)
{
	return o->options.connections == 0 || o->admitted_count < o->options.connections;
}

static void leave_queue(struct origin *o, struct ticket *t)
{
	list_drop(&t->link);
	o->waiting_count--;
	meter_sub(&o->meters->waiting, 1);
}

static void enter_queue(struct origin *o, struct ticket *t)
{
	list_append(&o->waiting, &t->link);
	o->waiting_count++;
	meter_add(&o->meters->waiting, 1);
}

static void let_in(struct origin *o, struct ticket *t)
{
	t->is_admitted = true;
	o->admitted_count++;
}

/* Lets in whom there is room for; or, when there is nothing to wait for, has all look again. */
static void call_waiting(struct origin *o)
{
	bool is_vain = o->listed_count == 0 && o->asking_count == 0;
	LIST_EACH (link, &o->waiting) {
		struct ticket *t = LIST_OF(link, struct ticket, link);
		if (o->listed_count > 0 && has_room(o)) {
			leave_queue(o, t);
			let_in(o, t);
		} else if (!is_vain) {
			return;
		}
		mail_post(o->home, t->call);
	}
}

enum admittance origin_admit(struct origin *o, struct ticket *t)
{
	if (t->is_admitted)
		return ADMITTED;
	if (o->listed_count == 0 && o->asking_count == 0)
		return ADMIT_NO_NAME;
	if (o->listed_count > 0 && has_room(o) && list_empty(&o->waiting)) {
		let_in(o, t);
		return ADMITTED;
	}
	if (list_empty(&t->link) && o->waiting_count >= ORIGIN_WAITING)
		return ADMIT_NO_ROOM;
	if (list_empty(&t->link))
		enter_queue(o, t);
	return o->listed_count > 0 ? ADMIT_AFTER_TURN : ADMIT_AFTER_NAME;
}

void origin_leave(struct origin *o, struct ticket *t)
{
	if (!list_empty(&t->link))
		leave_queue(o, t);
	if (!t->is_admitted)
		return;
	t->is_admitted = false;
	o->admitted_count--;
	call_waiting(o);
}

/* ---- life ---- */

/* RFC 6066 3, RFC 9110 4.3.4: the name that the operator wrote, which is not what the client asked
 * for, unless he named another. */
static void secure_pools(struct endpoint *e, struct slice host)
{
	const struct origin *o = e->origin;
	struct slice name = o->options.tls.server_name;
	e->server_name = slice_to_str(name.len ? name : host);
	for (unsigned k = 0; k < e->pool_count; k++)
		pool_secure(&e->pools[k], &o->tls, slice_str(e->server_name));
}

/* What the group before knows of this name: better than to wait for a resolver that may not
 * answer. */
static void inherit(struct endpoint *e, struct host_port at, const struct origin *before) ON_LOOP
{
	for (unsigned i = 0; before && i < before->endpoint_count; i++) {
		const struct lookup *known = &before->endpoints[i].lookup;
		bool is_same = known->host && known->port == at.port &&
		    slice_eq(slice_str(known->host), at.host);
		for (unsigned k = 0; is_same && k < known->count; k++)
			list_address(e, &known->addresses[k]);
	}
}

/* Gives each endpoint its pools, and literals their address. Returns whether there are names. */
static bool place_endpoints(struct origin *o, const struct origin *before) ON_LOOP
{
	bool has_names = false;
	struct pool *pool = o->pools;
	for (unsigned i = 0; i < o->endpoint_count; i++) {
		struct endpoint *e = &o->endpoints[i];
		struct address address;
		struct host_port at = configured(o, i);
		bool is_literal = address_parse(at.host, at.port, &address);
		*e = (struct endpoint){ .origin = o, .pools = pool };
		e->pool_count = is_literal ? 1 : LOOKUP_ADDRESSES;
		e->is_asking = !is_literal;
		pool += e->pool_count;
		for (unsigned k = 0; k < e->pool_count; k++)
			pool_init(&e->pools[k], o->home, &o->options, o->meters);
		if (o->tls.client)
			secure_pools(e, at.host);
		if (is_literal)
			list_address(e, &address);
		else
			inherit(e, at, before);
		has_names |= !is_literal;
		o->asking_count += !is_literal;
	}
	o->pool_count = (unsigned)(pool - o->pools);
	return has_names;
}

static bool start_lookups(struct origin *o) ON_LOOP
{
	o->resolver = resolver_new(o->home);
	if (!o->resolver)
		return false;
	for (unsigned i = 0; i < o->endpoint_count; i++) {
		struct host_port at = configured(o, i);
		if (o->endpoints[i].is_asking)
			lookup_start(
			    &o->endpoints[i].lookup, o->resolver, at.host, at.port, on_answer);
	}
	return true;
}

static void close_kept(struct origin *o) ON_LOOP
{
	for (unsigned i = 0; i < o->pool_count; i++)
		pool_close_kept(&o->pools[i]);
}

static void destroy(struct origin *o) ON_LOOP
{
	resolver_free(&o->resolver);
	for (unsigned i = 0; i < o->pool_count; i++)
		pool_unlist(&o->pools[i]);
	for (unsigned i = 0; i < o->endpoint_count; i++) {
		lookup_fini(&o->endpoints[i].lookup, o->home);
		free(o->endpoints[i].server_name);
	}
	tls_client_unref(&o->tls.client);
	for (struct list *link; (link = list_take_first(&o->spares));)
		exchange_free_spare(link);
	free(o->endpoints);
	free(o->pools);
	free(o->scratch);
	free(o);
}

struct origin *origin_new(struct loop *home, const struct origin_options *options,
    struct origin_meters *meters, const struct origin_tls *tls, const struct origin *before)
{
	struct origin *o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	size_t count = options->addresses.count;
	o->refs = o->owners = 1;
	o->home = home;
	o->options = *options;
	o->meters = meters;
	if (tls && tls->client) {
		o->tls = *tls;
		(void)tls_client_ref(tls->client);
	}
	o->limits.line_bytes = o->limits.head_bytes = options->head_bytes;
	o->limits.fields = ORIGIN_FIELDS;
	list_init(&o->waiting);
	list_init(&o->spares);
	o->scratch = malloc(DOWNLOAD_SCRATCH_BYTES);
	o->endpoints = calloc(count, sizeof(*o->endpoints));
	o->pools = calloc(count, LOOKUP_ADDRESSES * sizeof(*o->pools));
	bool is_made = o->scratch && (count == 0 || (o->endpoints && o->pools));
	o->endpoint_count = is_made ? (unsigned)count : 0;
	if (!is_made || (place_endpoints(o, before) && !start_lookups(o)))
		origin_unref(&o);
	return o;
}

struct origin *origin_keep(struct origin *o)
{
	o->owners++;
	o->refs++;
	return o;
}

void origin_ref(struct origin *o)
{
	o->refs++;
}

void origin_unref(struct origin **origin)
{
	struct origin *o = *origin;
	*origin = NULL;
	if (--o->refs == 0)
		destroy(o);
}

void origin_free(struct origin **origin)
{
	struct origin *o = *origin;
	if (!o)
		return;
	if (--o->owners == 0)
		close_kept(o);
	origin_unref(origin);
}
