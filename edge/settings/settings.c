/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/settings.h"

#include "edge/conf/address.h"
#include "edge/conf/nearest.h"
#include "edge/conf/print.h"

enum { ARENA_BYTES = 64 << 20 };
#define LISTEN_DEFAULT "http://0.0.0.0:8080"
#define SELF_SIGNED                                                                                \
	"openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext "          \
	"subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"

/* ---- options ---- */

static const char *check_name(struct slice s)
{
	return slice_is_token(s) ? NULL : "is not a name; write letters, digits, \"-\" and \"_\"";
}

static const char *check_access(struct slice s)
{
	return s.len > 0 ? NULL : "is no place for lines; write a file, - for stdout, or off";
}

static const char *const formats[] = { "json", "combined", NULL };
static const char *const levels[] = { "error", "warn", "info", "debug", NULL };
static const char *const admissions[] = { "always", "second-sighting", "hot", NULL };

#define AT(member) offsetof(struct store_settings, member)
/* clang-format off */
static const struct conf_field store_fields[] = {
	{"path", CONF_STRING, AT(path), .fallback = "",
	 .doc = "Directory of the cold tier on disk, empty or a store of Larder's; none = RAM only."},
	{"size", CONF_SIZE, AT(size_bytes), 16 * MIB, 64 * 1024 * GIB, "10g",
	 .doc = "Disk that the cold tier may take; the oldest objects leave first."},
	{"hot-size", CONF_SIZE, AT(hot_bytes), .fallback = "0",
	 .doc = "RAM that the hot tier may take at most; 0 = what memory-limit leaves."},
	{"max-object-size", CONF_SIZE, AT(max_object_bytes), .fallback = "0",
	 .doc = "Largest answer that is stored, larger ones are passed through; 0 = a sixteenth "
		"of size, or without a path of the hot tier. What is larger than a sixteenth of the "
		"hot tier lives on disk only. One of unknown length that turns out larger goes on at "
		"the pace of its slowest client that is not far behind the others."},
	{"admission", CONF_WORD, AT(admission), .fallback = "always", .words = admissions,
	 .doc = "What goes to disk: everything; what was asked for twice, which spares the disk most "
		"writes; or what leaves the hot tier after it was hit there."},
};
/* clang-format on */
static const struct conf_table store_table = {
	.name = "store",
	.struct_bytes = sizeof(struct store_settings),
	.fields = store_fields,
	.count = COUNT_OF(store_fields),
};
#undef AT

#define AT(member) offsetof(struct log_settings, member)
/* clang-format off */
static const struct conf_field log_fields[] = {
	{"access", CONF_STRING, AT(access), .fallback = "-", .check = check_access,
	 .doc = "Where a line for each request goes: a file, - for stdout, or off."},
	{"format", CONF_WORD, AT(format), .fallback = "json", .words = formats,
	 .doc = "Shape of access lines."},
	{"level", CONF_WORD, AT(level), .fallback = "info", .words = levels,
	 .doc = "The least important lines that the error log, on stderr, shows."},
	{"queue", CONF_SIZE, AT(queue_bytes), 64 * KIB, GIB, "4m",
	 .doc = "Access lines that may wait to be written; more are dropped and counted, so that a "
		"slow disk stops no request."},
};
/* clang-format on */
static const struct conf_table log_table = {
	.name = "log",
	.struct_bytes = sizeof(struct log_settings),
	.fields = log_fields,
	.count = COUNT_OF(log_fields),
};
#undef AT

#define AT(member) offsetof(struct listen_options, member)
/* clang-format off */
static const struct conf_field listen_fields[] = {
	{"address", CONF_STRING, AT(address), .example = LISTEN_DEFAULT, .check = address_check_url,
	 .doc = "http://host:port, or https://host:port, which needs a certificate. 0.0.0.0 is every "
		"IPv4 address of the machine, [::] every IPv6 address."},
	{"proxy-protocol", CONF_STRINGS, AT(proxy_protocol), 0, 1000, "[]",
	 .check = address_check_block,
	 .doc = "Addresses and blocks of balancers whose connections begin with a PROXY protocol "
		"header (version 1 or 2), which says who the client is. It is asked of them, and "
		"believed of nobody else."},
	{"tls", CONF_SECTION, AT(tls), .table = &tls_options_table, .inherits = "tls",
	 .doc = "The keys of tls below, for this listener alone; what is not named here is as there."},
};
/* clang-format on */
static const struct conf_table listen_table = {
	.name = "a listener",
	.struct_bytes = sizeof(struct listen_options),
	.fields = listen_fields,
	.count = COUNT_OF(listen_fields),
	.shorthand = "address",
};
#undef AT

#define AT(member) offsetof(struct settings, member)
/* clang-format off */
static const struct conf_field fields[] = {
	{"workers", CONF_UINT, AT(workers), 0, 256, "0",
	 .doc = "Threads that serve requests; 0 = one for each processor."},
	{"memory-limit", CONF_MEMORY, AT(memory_limit), 16 * MIB, 64 * 1024 * GIB, "60%",
	 .doc = "RAM that the whole process may take: objects, connections, bodies on their way, the "
		"store's buffers. A percentage is of the machine, or of the container if that has "
		"less."},
	{"listen", CONF_SECTIONS, AT(listen), 1, 64, "[\"" LISTEN_DEFAULT "\"]",
	 .table = &listen_table,
	 .doc = "Where clients are served."},
	{"admin", CONF_SECTION, AT(admin), .table = &admin_options_table,
	 .doc = "Where purges, metrics and larderctl are served, and to whom. A single value is its "
		"\"listen\": admin: 127.0.0.1:9000."},
	{"name", CONF_STRING, AT(name), .fallback = "larder", .check = check_name,
	 .doc = "What this node calls itself in Via and Cache-Status."},
	{"user", CONF_STRING, AT(user), .fallback = "",
	 .doc = "User to become once listening, when started as root; empty = stay."},
	{"pid-file", CONF_STRING, AT(pid_file), .fallback = "",
	 .doc = "File that holds the process id while Larder runs; empty = none."},
	{"stop-timeout", CONF_DURATION, AT(stop_ms), 0, CONF_HOURS(1), "25s",
	 .doc = "How long a graceful stop waits for answers under way, and for tunnels to end."},
	{"trusted-proxies", CONF_STRINGS, AT(trusted_proxies), 0, 1000, "[]",
	 .check = address_check_block,
	 .doc = "Addresses and blocks of proxies before Larder, whose X-Forwarded fields are believed."},
	{"limits", CONF_SECTION, AT(limits), .table = &limits_table,
	 .doc = "What a client may send, how large and how slowly."},
	{"tls", CONF_SECTION, AT(tls), .table = &tls_options_table,
	 .doc = "How https:// listeners speak TLS, unless one says otherwise."},
	{"security", CONF_SECTION, AT(security), .table = &security_table,
	 .doc = "What is asked of connections and said to browsers, unless a route says otherwise."},
	{"store", CONF_SECTION, AT(store), .table = &store_table,
	 .doc = "Where answers are kept."},
	{"log", CONF_SECTION, AT(log), .table = &log_table,
	 .doc = "What is written about requests and about Larder itself."},
	{"purge", CONF_SECTION, AT(purge), .table = &purge_options_table,
	 .doc = "How purges are done."},
	{"cache", CONF_SECTION, AT(cache), .table = &cache_policy_table,
	 .doc = "How answers are cached, unless a route says otherwise."},
	{"origins", CONF_SECTIONS, AT(origins), 1, 1000, .table = &origin_options_table,
	 .example = "[{name: default, addresses: [\"http://127.0.0.1:8000\"]}]",
	 .doc = "The servers behind Larder: each a name for addresses that serve the same content."},
	{"routes", CONF_SECTIONS, AT(routes.list), 0, 10000, "[]", .table = &route_table,
	 .doc = "Which origin and which caching a request gets; the most specific host wins, then the "
		"longest path. One origin without routes serves everything."},
	{"shares", CONF_SECTIONS, AT(shares), 0, TENANTS - 1, "[]", .table = &share_options_table,
	 .doc = "Parts of RAM and disk for the objects of some routes, so that a flood through one "
		"does not push out what another needs."},
};
/* clang-format on */
#undef AT

const struct conf_table settings_table = {
	.name = "the configuration",
	.struct_bytes = sizeof(struct settings),
	.fields = fields,
	.count = COUNT_OF(fields),
};

/* ---- checks over the whole ---- */

/* Whether an address asks for TLS. One that was refused does not. */
static bool is_https(struct slice url)
{
	struct host_port at;
	return address_of_url(url, &at) && at.is_https;
}

/* What TLS towards clients lacks. False when it was told. */
static bool check_tls(struct conf_load *load, struct conf_path path, const struct tls_options *tls)
{
	if (tls->client_certificate != TLS_CLIENT_OFF && tls->client_ca.len == 0)
		conf_problem(load, path,
		    "clients are asked for a certificate and no CA is trusted to sign one; name its "
		    "PEM file as client-ca");
	else if (tls->client_crl.len > 0 && tls->client_ca.len == 0)
		conf_problem(load, path, "client-crl without client-ca; name both, or neither");
	else if (tls->early_data && !tls->tickets)
		conf_problem(load, path,
		    "early-data needs tickets, since only a session that is resumed has it; write "
		    "tickets: true");
	else
		return true;
	return false;
}

static void check_twin_listeners(struct conf_load *load, const struct settings *s, size_t i)
{
	struct slice address = settings_listen_at(s, i)->address;
	struct host_port at, other;
	bool is_twin = false;
	if (!address_of_url(address, &at))
		return;
	for (size_t j = 0; j < i; j++)
		is_twin |= address_of_url(settings_listen_at(s, j)->address, &other) &&
		    at.port == other.port && slice_eq_nocase(at.host, other.host);
	if (is_twin)
		conf_problem(load, (struct conf_path){ "listen", i, "address" },
		    "\"%.*s\" is listened on already; one port serves http or https, once",
		    SLICE_ARG(problem_quote(address)));
}

static void check_listeners(struct conf_load *load, const struct settings *s)
{
	bool well = check_tls(load, (struct conf_path){ "tls", 0, NULL }, &s->tls);
	for (size_t i = 0; i < s->listen.count; i++) {
		const struct listen_options *listen = settings_listen_at(s, i);
		check_twin_listeners(load, s, i);
		if (well)
			check_tls(load, (struct conf_path){ "listen", i, "tls" }, &listen->tls);
		if (is_https(listen->address) && listen->tls.certificates.count == 0)
			conf_problem(load, (struct conf_path){ "listen", i, "address" },
			    "\"%.*s\" has no certificate; name one under tls.certificates, or by "
			    "--cert FILE --key FILE. To try without a CA: " SELF_SIGNED,
			    SLICE_ARG(problem_quote(listen->address)));
	}
}

/* What the list that browsers are shipped with asks for (hstspreload.org). False when it was
 * told. */
static bool check_preload(
    struct conf_load *load, struct conf_path path, const struct security *security)
{
	if (!security->hsts_preload ||
	    (security->hsts_subdomains && security->hsts_ms >= (int64_t)CONF_DAYS(365)))
		return true;
	conf_problem(load, path,
	    "hsts-preload is refused by the browsers' list without hsts: 365d, or longer, and "
	    "hsts-subdomains: true");
	return false;
}

static void check_security(struct conf_load *load, const struct settings *s)
{
	bool well = check_preload(
	    load, (struct conf_path){ "security", 0, "hsts-preload" }, &s->security);
	const struct route *routes = s->routes.list.at;
	for (size_t i = 0; well && i < s->routes.list.count; i++)
		check_preload(
		    load, (struct conf_path){ "routes", i, "security" }, &routes[i].security);
}

static const struct origin_options *origin_at(const struct settings *s, size_t i)
{
	return (const struct origin_options *)s->origins.at + i;
}

static struct route *route_at(const struct settings *s, size_t i)
{
	return (struct route *)s->routes.list.at + i;
}

/* The index of an origin; origins.count when there is none of that name. */
static size_t find_origin(const struct settings *s, struct slice name)
{
	size_t i = 0;
	while (i < s->origins.count && !slice_eq(origin_at(s, i)->name, name))
		i++;
	return i;
}

/* TLS is the origin's, not an address's: one of each would leave half of the traffic in the open
 * without anybody having said so. */
static void check_schemes(struct conf_load *load, const struct settings *s, size_t i)
{
	const struct conf_strings *all = &origin_at(s, i)->addresses;
	size_t safe = 0;
	for (size_t j = 0; j < all->count; j++)
		safe += is_https(all->at[j]);
	if (safe > 0 && safe < all->count)
		conf_problem(load, (struct conf_path){ "origins", i, "addresses" },
		    "http:// and https:// addresses in one origin; make two origins of them");
}

static void check_origins(struct conf_load *load, const struct settings *s)
{
	for (size_t i = 0; i < s->origins.count; i++) {
		struct slice name = origin_at(s, i)->name;
		const struct tls_client_options *tls = &origin_at(s, i)->tls;
		check_schemes(load, s, i);
		if ((tls->cert.len > 0) != (tls->key.len > 0))
			conf_problem(load, (struct conf_path){ "origins", i, "tls" },
			    "a certificate without its key, or the reverse; name both cert and key");
		if (name.len > 0 && find_origin(s, name) < i)
			conf_problem(load, (struct conf_path){ "origins", i, "name" },
			    "origin \"%.*s\" a second time", SLICE_ARG(problem_quote(name)));
	}
}

static bool is_same_place(const struct route *a, const struct route *b)
{
	return slice_eq_nocase(a->host, b->host) && slice_eq(a->path, b->path);
}

/* A route without a host or path has been refused already. */
static void check_twin_routes(struct conf_load *load, const struct settings *s, size_t i)
{
	const struct route *route = route_at(s, i);
	for (size_t j = 0; j < i && route->host.len > 0 && route->path.len > 0; j++) {
		if (!is_same_place(route, route_at(s, j)))
			continue;
		conf_problem(load, (struct conf_path){ "routes", i, NULL },
		    "a second route for host \"%.*s\" and path \"%.*s\"",
		    SLICE_ARG(problem_quote(route->host)), SLICE_ARG(problem_quote(route->path)));
		return;
	}
}

static void report_no_origin(struct conf_load *load, const struct settings *s, size_t route)
{
	struct slice name = route_at(s, route)->origin;
	struct nearest near = nearest_to(name);
	for (size_t i = 0; i < s->origins.count; i++)
		nearest_offer(&near, origin_at(s, i)->name);
	if (near.best.len)
		conf_problem(load, (struct conf_path){ "routes", route, "origin" },
		    "no origin is named \"%.*s\"; did you mean \"%.*s\"?",
		    SLICE_ARG(problem_quote(name)), SLICE_ARG(near.best));
	else
		conf_problem(load, (struct conf_path){ "routes", route, "origin" },
		    "no origin is named \"%.*s\"; name one that stands under origins",
		    SLICE_ARG(problem_quote(name)));
}

static void bind_routes(struct conf_load *load, const struct settings *s)
{
	for (size_t i = 0; i < s->routes.list.count; i++) {
		struct route *route = route_at(s, i);
		route->origin_index = find_origin(s, route->origin);
		if (route->origin.len > 0 && route->origin_index == s->origins.count)
			report_no_origin(load, s, i);
		check_twin_routes(load, s, i);
	}
}

/* One origin needs no routes: it serves everything. */
static void add_default_route(struct conf_load *load, struct settings *s)
{
	if (s->routes.list.count > 0 || s->origins.count == 0)
		return;
	if (s->origins.count > 1) {
		conf_problem(load, (struct conf_path){ "origins", 1, NULL },
		    "more than one origin and no routes; say under routes which serves what");
		return;
	}
	struct route *route = arena_alloc(&s->arena, sizeof(*route));
	if (!route)
		return;
	*route = (struct route){
		.host = SL("*"),
		.path = SL("/"),
		.origin = origin_at(s, 0)->name,
		.cache = s->cache,
		.security = s->security,
		.websocket = true,
	};
	s->routes.list = (struct conf_list){ route, 1 };
}

/* ---- what is fixed ---- */

bool settings_need_start(const struct settings *now, const struct settings *next)
{
	bool same_listen = now->listen.count == next->listen.count;
	for (size_t i = 0; same_listen && i < now->listen.count; i++)
		same_listen = slice_eq(
		    settings_listen_at(now, i)->address, settings_listen_at(next, i)->address);
	return !(same_listen && now->workers == next->workers &&
	    slice_eq(now->admin.listen, next->admin.listen) &&
	    slice_eq(now->store.path, next->store.path) &&
	    now->store.size_bytes == next->store.size_bytes &&
	    now->store.max_object_bytes == next->store.max_object_bytes &&
	    now->store.admission == next->store.admission &&
	    slice_eq(now->log.access, next->log.access) && now->log.format == next->log.format &&
	    slice_eq(now->user, next->user) && slice_eq(now->purge.audit, next->purge.audit));
}

/* ---- life ---- */

struct settings *settings_load(
    const struct conf_source *sources, size_t count, struct conf_errors *errors)
{
	struct conf_load load;
	struct settings *s = must_alloc(sizeof(*s));
	*s = (struct settings){ .refs = 1 };
	arena_init(&s->arena, ARENA_BYTES);
	conf_load_begin(&load, &s->arena, sources, count);
	conf_load_fill(&load, &settings_table, s);
	check_listeners(&load, s);
	admin_options_check(&load, &s->admin);
	check_security(&load, s);
	check_origins(&load, s);
	add_default_route(&load, s);
	bind_routes(&load, s);
	shares_check(&load, &s->shares, &s->routes);
	if (!conf_load_end(&load, errors))
		settings_unref(&s);
	return s;
}

void settings_print_defaults(struct buf *out)
{
	static const char header[] =
	    "SPDX-License-Identifier: Apache-2.0\n"
	    "\n"
	    "Larder's configuration: every key, what it does, what it takes, and its default. A key\n"
	    "that is left out has the value that stands here. Written by: larder dump --defaults\n"
	    "\n"
	    "Durations: 250ms, 5s, 5m, 1h, 7d or off. Sizes: 512, 64k, 16m, 1g. ${NAME} in a value\n"
	    "is an environment variable, which must be set; $${ stands for a plain ${.\n"
	    "\n"
	    "larder check FILE tells all that is wrong; larder fmt -w FILE tidies it.\n";
	conf_print_commented(out, &settings_table, header);
}

struct settings *settings_ref(struct settings *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void settings_unref(struct settings **p)
{
	struct settings *s = *p;
	*p = NULL;
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	arena_fini(&s->arena);
	free(s);
}
