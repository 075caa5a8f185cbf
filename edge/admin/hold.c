/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/admin/hold.h"

#include "cache/rule/json_path.h"
#include "edge/http/target.h"

enum { URL_BYTES = 64 * 1024 };

static void on_end(void *owner, const struct probe_result *result)
{
	struct hold *h = owner;
	h->done(h, result);
}

static bool read_url(struct slice url, struct arena *arena, struct request *ret_request)
{
	const struct request nowhere = { .scheme = SL("http"), .path = SL("/") };
	bool is_whole = slice_starts_nocase(url, SL("http://")) ||
	    slice_starts_nocase(url, SL("https://"));
	return is_whole && target_resolve(&nowhere, url, arena, ret_request) &&
	    ret_request->authority.len > 0;
}

/* The origin that the URL is fetched from, on this loop. */
static const struct origin_options *make_origin(
    struct hold *h, struct admin *admin, const struct request *r) ON_LOOP
{
	const struct route *route = route_find(h->site.routes, r->authority, r->path);
	if (!route)
		return NULL;
	size_t at = route->origin_index;
	const struct origin_options *options = (const struct origin_options *)h->site.origins->at +
	    at;
	struct origin_tls tls = { .client = h->site.origin_tls ? h->site.origin_tls[at] : NULL,
		.local = &admin->tls };
	h->origin = origin_new(admin->front.home, options, &admin->origin_meters, &tls, NULL);
	return options;
}

static enum err begin(
    struct hold *h, struct admin *admin, const struct order_gate *gate, struct arena *arena) ON_LOOP
{
	struct request r;
	struct json_path path;
	if (!read_url(gate->url, arena, &r) ||
	    (gate->json.len && !json_path_parse(gate->json, &path)))
		return ERR_BAD_TARGET;
	const struct origin_options *options = make_origin(h, admin, &r);
	if (!options || !h->origin)
		return options ? ERR_NO_MEMORY : ERR_NO_ORIGIN;
	return probe_start(h->origin,
	    &(struct probe_spec){
		.host = options->host.len ? options->host : r.authority,
		.path = r.path,
		.query = r.query,
		.has_query = r.has_query,
		.field = gate->header,
		.json = gate->json,
		.equals = gate->equals,
		.timeout_ms = gate->timeout_ms,
		.on_end = on_end,
		.owner = h,
	    },
	    &h->probe);
}

enum err hold_begin(struct hold *h, struct admin *admin, const struct order_gate *gate,
    void (*done)(struct hold *, const struct probe_result *))
{
	struct arena arena;
	*h = (struct hold){ .done = done };
	h->site = admin->options.site(admin->options.owner);
	arena_init(&arena, URL_BYTES);
	enum err err = begin(h, admin, gate, &arena);
	arena_fini(&arena);
	return err;
}

void hold_end(struct hold *h)
{
	probe_cancel(&h->probe);
	origin_free(&h->origin);
	if (h->site.owner)
		h->site.drop(h->site.owner);
	*h = (struct hold){ 0 };
}
