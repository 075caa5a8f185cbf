/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/route/route.h"

#include "edge/http/target.h"

#define AT(member) offsetof(struct route, member)

/* ---- options ---- */

static const char *check_host(struct slice s)
{
	struct slice rest = slice_starts(s, SL("*.")) ? slice_from(s, 2) : s;
	if (slice_eq(s, SL("*")))
		return NULL;
	if (rest.len == 0 || slice_find(rest, '*') < rest.len)
		return "is not a host; write shop.example, *.shop.example or *";
	if (slice_find(rest, '/') < rest.len)
		return "has a \"/\"; write the host alone, and what follows it under path";
	if (rest.at[0] != '[' && slice_find(rest, ':') < rest.len)
		return "has a port; write the host alone, a route serves all ports";
	return NULL;
}

static const char *check_path(struct slice s)
{
	if (!slice_starts(s, SL("/")))
		return "does not begin with \"/\"; write /, /api or /api/v1";
	if (slice_find(s, '?') < s.len || slice_find(s, '#') < s.len)
		return "has a query; write the path alone";
	return slice_find(s, '*') < s.len
	    ? "has a \"*\"; a path serves all that is below it as it stands"
	    : NULL;
}

/* clang-format off */
static const struct conf_field fields[] = {
	{"host", CONF_STRING, AT(host), .fallback = "*", .check = check_host,
	 .doc = "Host that it serves: shop.example, all below one by *.shop.example, or * for any."},
	{"path", CONF_STRING, AT(path), .fallback = "/", .check = check_path,
	 .doc = "Path that it serves, with all that is below it: /api serves /api and /api/x, not "
		"/apis."},
	{"origin", CONF_STRING, AT(origin), .example = "default",
	 .doc = "Name of the origin that answers."},
	{"share", CONF_STRING, AT(share), .fallback = "",
	 .doc = "Name of the share that its objects belong to, one of shares below; empty = the rest, "
		"which all others have in common."},
	{"cache", CONF_SECTION, AT(cache), .table = &cache_policy_table, .inherits = "cache",
	 .doc = "The keys of cache above, for this route alone; what is not named here is as there."},
	{"security", CONF_SECTION, AT(security), .table = &security_table, .inherits = "security",
	 .doc = "The keys of security above, for this route alone; what is not named here is as there."},
	{"websocket", CONF_BOOL, AT(websocket), .fallback = "true",
	 .doc = "Whether a client's wish to switch to WebSocket reaches the origin; false passes the "
		"request on without it."},
};
/* clang-format on */

const struct conf_table route_table = {
	.name = "a route",
	.struct_bytes = sizeof(struct route),
	.fields = fields,
	.count = COUNT_OF(fields),
};

/* ---- finding ---- */

/* How well a route fits; higher is more specific, host before path. */
struct fit {
	size_t host, path;
};

/* 0 = no; "*" is 1, a wildcard as long as it is, an exact host above all. */
static size_t fit_host(struct slice pattern, struct slice host)
{
	if (slice_eq(pattern, SL("*")))
		return 1;
	if (!slice_starts(pattern, SL("*")))
		return slice_eq_nocase(pattern, host) ? SIZE_MAX : 0;
	struct slice below = slice_from(pattern, 1); /* ".shop.example" */
	bool fits = host.len > below.len &&
	    slice_eq_nocase(slice_from(host, host.len - below.len), below);
	return fits ? pattern.len : 0;
}

/* 0 = no; else the prefix's length. A prefix ends where a segment ends. */
static size_t fit_path(struct slice prefix, struct slice path)
{
	if (!slice_starts(path, prefix))
		return 0;
	bool at_segment = path.len == prefix.len || slice_ends(prefix, SL("/")) ||
	    path.at[prefix.len] == '/';
	return at_segment ? prefix.len : 0;
}

static bool is_better(struct fit a, struct fit b)
{
	return a.host != b.host ? a.host > b.host : a.path > b.path;
}

const struct route *route_find(
    const struct routes *routes, struct slice authority, struct slice path)
{
	const struct route *all = routes->list.at, *best = NULL;
	struct fit best_fit = { 0 };
	struct slice host = authority_host(authority);
	if (slice_eq(path, SL("*")))
		path = SL("/");
	for (size_t i = 0; i < routes->list.count; i++) {
		struct fit fit = { fit_host(all[i].host, host), fit_path(all[i].path, path) };
		if (fit.host && fit.path && is_better(fit, best_fit)) {
			best = &all[i];
			best_fit = fit;
		}
	}
	return best;
}
