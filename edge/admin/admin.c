/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/admin/admin.h"

#include <unistd.h>

#include "edge/admin/errand.h"
#include "edge/admin/export.h"
#include "edge/admin/object.h"
#include "edge/admin/openapi.h"
#include "edge/admin/purge.h"
#include "edge/admin/reply.h"
#include "purge/repeat.h"

enum { SOCKET_MODE = 0660, PREFIXES = 16 };

static const struct limits limits = {
	.line_bytes = 32 * 1024, /* a URL may be in it, escaped */
	.head_bytes = 48 * 1024,
	.head_fields = 64,
	.body_bytes = 1024 * 1024,
	.head_ms = 10 * 1000,
	.body_ms = 10 * 1000,
	.idle_ms = 60 * 1000,
	.send_ms = 30 * 1000,
	.connections = 64,
};

#define METER_STRUCT struct admin_meters
static const struct meter_desc descs[] = METER_DESCS(ADMIN_METERS);
const struct meter_table admin_meter_table = { descs, COUNT_OF(descs) };

/* ---- endpoints ---- */

typedef void handle_f(struct admin *, struct reply *);

static handle_f show_health, show_readiness, show_metrics, show_stat, show_config, reload_config;
static handle_f show_certs, reload_certs, show_store, show_openapi;

static const struct endpoint {
	enum method method;
	const char *method_name;
	const char *path;
	enum grant needed;
	handle_f *handle;
} endpoints[] = {
	{ METHOD_GET, "GET, HEAD", "/healthz", GRANT_NONE, show_health },
	{ METHOD_GET, "GET, HEAD", "/readyz", GRANT_NONE, show_readiness },
	{ METHOD_GET, "GET, HEAD", "/metrics", GRANT_NONE, show_metrics },
	{ METHOD_GET, "GET, HEAD", "/v1/stat", GRANT_READ, show_stat },
	{ METHOD_GET, "GET, HEAD", "/v1/store", GRANT_READ, show_store },
	{ METHOD_GET, "GET, HEAD", "/v1/object", GRANT_READ, object_show },
	{ METHOD_GET, "GET, HEAD", "/v1/object/export", GRANT_READ, export_object },
	{ METHOD_GET, "GET, HEAD", "/v1/objects", GRANT_READ, object_list },
	{ METHOD_GET, "GET, HEAD", "/v1/objects/top", GRANT_READ, object_top },
	{ METHOD_POST, "POST", "/v1/purge", GRANT_PURGE_SELECT, purge_order },
	{ METHOD_GET, "GET, HEAD", "/v1/purge/", GRANT_READ, purge_show },
	{ METHOD_GET, "GET, HEAD", "/v1/purges", GRANT_READ, purge_listed },
	{ METHOD_GET, "GET, HEAD", "/v1/openapi.json", GRANT_READ, show_openapi },
	{ METHOD_GET, "GET, HEAD", "/v1/config", GRANT_READ, show_config },
	{ METHOD_POST, "POST", "/v1/config/reload", GRANT_ADMIN, reload_config },
	{ METHOD_GET, "GET, HEAD", "/v1/certs", GRANT_READ, show_certs },
	{ METHOD_POST, "POST", "/v1/certs/reload", GRANT_ADMIN, reload_certs },
};

static void show_health(UNUSED struct admin *admin, struct reply *r) ON_LOOP
{
	buf_add(&r->text, SL("ok\n"));
	reply_send(r, 200, REPLY_TEXT);
}

static void show_readiness(struct admin *admin, struct reply *r) ON_LOOP
{
	const char *why = admin->options.unready(admin->options.owner);
	if (why) {
		struct arena *arena = &r->stream->arena;
		reply_problem(r, 503, arena_printf(arena, "not ready: %s", why));
		return;
	}
	buf_add(&r->text, SL("{\"ready\":true}\n"));
	reply_send(r, 200, REPLY_JSON);
}

static void show_metrics(struct admin *admin, struct reply *r) ON_LOOP
{
	metrics_text(admin->options.metrics, &r->text);
	reply_send(r, 200, "text/plain; version=0.0.4; charset=utf-8");
}

static void show_stat(struct admin *admin, struct reply *r) ON_LOOP
{
	struct slice query = r->stream->request.query, prefixes[PREFIXES];
	size_t count = 0;
	while (query.len && count < PREFIXES) {
		struct slice pair = slice_take_until(&query, '&');
		/* Names of metrics need no percent-encoding: what has some matches nothing. */
		if (slice_starts(pair, SL("prefix=")))
			prefixes[count++] = slice_from(pair, strlen("prefix="));
	}
	metrics_json(admin->options.metrics, prefixes, count, &r->text);
	reply_send(r, 200, REPLY_JSON);
}

/* {"store":{...},"metrics":{"series":[...]}} */
static void show_store(struct admin *admin, struct reply *r) ON_LOOP
{
	static const struct slice prefixes[] = { SL("cache_"), SL("store_") };
	buf_add(&r->text, SL("{\"store\":"));
	admin->options.store(admin->options.owner, &r->text);
	buf_add(&r->text, SL(",\"metrics\":"));
	metrics_json(admin->options.metrics, prefixes, COUNT_OF(prefixes), &r->text);
	buf_add(&r->text, SL("}\n"));
	reply_send(r, 200, REPLY_JSON);
}

static void show_openapi(UNUSED struct admin *admin, struct reply *r) ON_LOOP
{
	buf_add(&r->text, openapi_text());
	reply_send(r, 200, REPLY_JSON);
}

static void show_config(struct admin *admin, struct reply *r) ON_LOOP
{
	admin->options.dump(admin->options.owner, &r->text);
	reply_send(r, 200, REPLY_YAML);
}

static void show_certs(struct admin *admin, struct reply *r) ON_LOOP
{
	admin->options.certs(admin->options.owner, &r->text);
	reply_send(r, 200, REPLY_JSON);
}

/* ---- reload ---- */

/* A reload under way. It outlives a client that does not wait for it. */
struct admin_reload {
	struct reply *reply; /* NULL = the client has gone */
	enum admin_what what;
};

static void on_reload_gone(void *waits)
{
	struct admin_reload *reload_now = waits;
	reload_now->reply = NULL;
}

static void begin_reload(struct admin *admin, struct reply *r, enum admin_what what) ON_LOOP
{
	struct admin_reload *waits = malloc(sizeof(*waits));
	if (!waits) {
		reply_problem(r, 503, SL("out of memory"));
		return;
	}
	*waits = (struct admin_reload){ r, what };
	r->waits = waits;
	r->gone = on_reload_gone;
	admin->options.reload(admin->options.owner, what, waits);
}

static void reload_config(struct admin *admin, struct reply *r) ON_LOOP
{
	begin_reload(admin, r, ADMIN_CONFIG);
}

static void reload_certs(struct admin *admin, struct reply *r) ON_LOOP
{
	begin_reload(admin, r, ADMIN_CERTS);
}

static struct slice refusal_of(enum admin_what what)
{
	return what == ADMIN_CERTS ? SL("not all could be read: of that, what was in force stays")
				   : SL("the configuration is not valid: the one in force stays");
}

void admin_reloaded(struct admin_reload **reload_now, bool is_ok, struct slice errors)
{
	struct admin_reload *waits = *reload_now;
	struct reply *r = waits->reply;
	enum admin_what what = waits->what;
	*reload_now = NULL;
	free(waits);
	if (!r)
		return;
	r->waits = NULL;
	if (is_ok) {
		buf_add(&r->text, SL("{\"reloaded\":true}\n"));
		reply_send(r, 200, REPLY_JSON);
	} else {
		reply_errors(r, 422, refusal_of(what), errors);
	}
}

/* ---- requests ---- */

/* A page in a browser says where it comes from. Only our own may change something: a listener
 * without tokens trusts whoever reaches it, and a browser on this machine reaches it for
 * anybody. */
static bool is_foreign(const struct request *request)
{
	struct slice origin = fields_value(&request->fields, FIELD_ORIGIN);
	if (!origin.at || method_is_safe(request->method))
		return false;
	size_t scheme = slice_find_slice(origin, SL("://"));
	return !slice_eq_nocase(slice_from(origin, scheme + 3), request->authority);
}

/* An endpoint that ends in '/' has more behind it. */
static bool is_at(struct slice path, struct slice endpoint)
{
	return slice_ends(endpoint, SL("/"))
	    ? slice_starts(path, endpoint) && path.len > endpoint.len
	    : slice_eq(path, endpoint);
}

static void dispatch(struct admin *admin, struct reply *r) ON_LOOP
{
	const struct request *request = &r->stream->request;
	enum method method = request->method == METHOD_HEAD ? METHOD_GET : request->method;
	const struct endpoint *found = NULL;
	for (size_t i = 0; i < COUNT_OF(endpoints); i++) {
		if (!is_at(request->path, slice_str(endpoints[i].path)))
			continue;
		found = &endpoints[i];
		if (found->method == method)
			break;
	}
	if (!found)
		reply_problem(r, 404, SL("no such endpoint"));
	else if (found->method != method)
		reply_not_allowed(r, slice_str(found->method_name));
	else if (is_foreign(request))
		reply_problem(r, 403, SL("a page of another site may not do this"));
	else if (actor_admit(admin, r, found->needed))
		found->handle(admin, r);
}

static void on_request(struct stream *stream)
{
	role_loop();
	struct front *front = stream->front;
	struct reply *r = reply_new(stream);
	if (r)
		dispatch(front->owner, r);
	else
		stream_cut(stream, ERR_NO_MEMORY);
}

/* Told to anybody: it says nothing but what is wrong with the request. */
static void on_refused(struct stream *stream, enum err why)
{
	role_loop();
	struct reply *r = reply_new(stream);
	if (r)
		reply_problem(r, err_status(why), slice_str(err_text(why)));
	else
		stream_cut(stream, ERR_NO_MEMORY);
}

static void on_done(struct stream *stream, UNUSED enum err why)
{
	struct reply *r = stream->journey;
	if (r && r->waits)
		r->gone(r->waits);
	if (r)
		reply_free(r);
}

static const struct stream_events events = {
	.on_request = on_request,
	.on_refused = on_refused,
	.on_done = on_done,
};

/* ---- the listener ---- */

static void on_accept(struct listener *l, int fd, const struct address *peer)
{
	role_loop();
	struct admin *admin = l->owner;
	arrival_accept(&admin->front, &admin->tls, admin->access.entrance, fd, peer);
}

/* Whether a process listens on that socket. The one that does must keep it. */
static bool is_answered(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	bool answered = connect(fd, (const struct sockaddr *)(const void *)&un, sizeof(un)) == 0 ||
	    errno == EAGAIN;
	if (fd >= 0)
		close(fd);
	return answered;
}

static enum err open_listener(struct admin *admin, struct loop *loop) ON_LOOP
{
	struct slice address = admin->options.address, unix_scheme = SL("unix:");
	if (!slice_starts(address, unix_scheme) && !listener_is_free(address)) {
		errno = EADDRINUSE;
		return ERR_SYSTEM;
	}
	if (!slice_starts(address, unix_scheme))
		return listener_open(&admin->listener, loop, address, on_accept, admin);
	char *path = slice_to_str(slice_from(address, unix_scheme.len));
	if (is_answered(path)) {
		free(path);
		errno = EADDRINUSE;
		return ERR_SYSTEM;
	}
	admin->path = path;
	return listener_open_unix(&admin->listener, loop, path, SOCKET_MODE, on_accept, admin);
}

enum err admin_start(struct admin *admin, struct loop *loop, const struct admin_options *options,
    char *why, size_t why_room)
{
	*admin = (struct admin){ .options = *options, .access = options->access };
	list_init(&admin->errands);
	admin->repeats = repeats_new();
	/* Whatever fails, the front is there: admin_stop closes its guests. */
	enum err failed = front_init(&admin->front, loop, &events, admin, &admin->connections);
	if (failed == ERR_NONE)
		failed = admin->repeats ? tls_local_init(&admin->tls) : ERR_NO_MEMORY;
	if (failed != ERR_NONE)
		return failed;
	front_set_limits(&admin->front, &limits);
	failed = open_listener(admin, loop);
	if (failed == ERR_NONE) {
		admin->is_open = true;
		listener_start(&admin->listener);
	} else {
		snprintf(why, why_room, "%.*s: %s", SLICE_ARG(options->address),
		    failed == ERR_SYSTEM ? strerror(errno)
					 : "not [https://]HOST:PORT or unix:PATH");
	}
	return failed;
}

void admin_set_access(struct admin *admin, const struct admin_access *access)
{
	admin->access = *access;
}

void admin_stop(struct admin *admin)
{
	if (admin->is_open)
		listener_close(&admin->listener);
	if (admin->is_open && admin->path)
		unlink(admin->path);
	admin->is_open = false;
	free(admin->path);
	admin->path = NULL;
	front_fini(&admin->front);
}

void admin_fini(struct admin *admin)
{
	errands_drop(admin);
	repeats_free(&admin->repeats);
	tls_local_fini(&admin->tls);
}
