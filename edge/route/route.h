/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes: which origin and which cache policy a request gets, by host and path. The order in which
 * the operator wrote them does not matter: the most specific route that fits wins, host before
 * path. Of hosts an exact one goes before wildcards, a longer wildcard before a shorter one, "*"
 * last; of paths the longer one goes first. A route of a less specific host still serves paths that
 * the more specific host's routes do not.
 */
#pragma once

#include "cache/rule/policy.h"
#include "edge/http/msg.h"
#include "edge/route/security.h"

struct route {
	struct slice host;   /* "shop.example", "*.shop.example" or "*" */
	struct slice path;   /* prefix by segment: "/api" serves /api and /api/x, not /apis */
	struct slice origin; /* name of an origin */
	struct slice share;  /* whose part of the tiers its objects take; empty = everybody's */
	struct cache_policy cache;
	struct security security;
	bool websocket; /* requests to switch to WebSocket reach the origin (RFC 6455, RFC 8441) */
	size_t origin_index; /* of settings.origins; set when settings are loaded */
};

struct routes {
	struct conf_list list; /* struct route, in the operator's order */
};

extern const struct conf_table route_table;

/*
 * The route of a request; NULL when none fits. authority: may carry a port, which does not matter,
 * an IPv6 address in brackets, a final dot. path: "*" counts as "/".
 */
const struct route *route_find(const struct routes *, struct slice authority, struct slice path);
