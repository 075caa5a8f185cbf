/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one loop serves by: the current settings as far as serving needs them, and this loop's own
 * side of each origin. A journey keeps the plan that it began with; a reload gives the loop a new
 * one, and the old one goes with its last journey. Counted on the loop alone, so a request costs
 * no atomic.
 */
#pragma once

#include "edge/http/forwarded.h"
#include "edge/origin/origin.h"
#include "edge/route/route.h"
#include "edge/tls/client.h"
#include "edge/tls/server.h"
#include "edge/wire/limits.h"

/* What a listener asks of those who come in. */
struct entrance {
	struct tls_server *tls; /* NULL = plain */
	const struct proxies
	    *heralds; /* whose connections begin with a PROXY header; NULL = nobody's */
};

/* Settings as serving sees them. The owner keeps everything here alive until drop. */
struct site {
	const struct limits *limits;
	const struct routes *routes;
	const struct conf_list *origins;  /* struct origin_options */
	const struct entrance *entrances; /* as the listeners */
	size_t entrance_count;
	struct tls_client *const *origin_tls; /* as `origins`; NULL = plain */
	const struct proxies *trusted;        /* whose forwarded fields count */
	const struct proxies *purgers; /* who may PURGE; none = it is a method as any other */
	struct slice name;             /* in Via and Cache-Status */
	void *owner;
	void (*drop)(void *owner); /* thread: any */
};

struct plan {
	struct site site;
	unsigned refs;
	struct origin **origins; /* as site.origins */
	size_t origin_count;
};

/* before: the plan in force, or NULL. What it says of an origin in the same words goes on: the
 * origin is kept, with its connections; a name that it knows is known here, too.
 * own: plan_unref. Takes over the caller's hold on the site. fail: NULL, the site dropped. */
struct plan *plan_new(struct loop *, const struct site *, struct origin_meters *,
    struct tls_local *, const struct plan *before) ON_LOOP;
struct plan *plan_ref(struct plan *) ON_LOOP;
void plan_unref(struct plan **) ON_LOOP;
