/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator may say about caching, for everything or for one route. Durations of 0 mean
 * "none" unless said.
 *
 * The defaults hold to RFC 9111 without help from the operator: an origin's explicit lifetime is
 * always kept; heuristics are the RFC's example (4.2.2: a tenth of the time since Last-Modified);
 * statuses with a lifetime of their own are such as the RFC lets a cache judge by itself (404 and
 * 410 are heuristically cacheable, RFC 9110 15.1); nothing is served stale while the origin
 * answers, unless it allows so; and a stale copy covers for an origin that fails (4.2.4, 4.3.3),
 * unless the answer forbids that (must-revalidate and its kin), for an hour: long enough for a
 * person to arrive and mend the origin, and as long as stale objects are kept anyway.
 */
#pragma once

#include "cache/rule/tags.h"

struct cache_policy {
	bool enabled;
	double heuristic_factor; /* share of the time since Last-Modified; 0 = no heuristics */
	int64_t heuristic_max_ms;
	int64_t default_ttl_ms; /* when neither the origin nor heuristics give a lifetime */
	int64_t swr_default_ms; /* stale-while-revalidate when the origin names none */
	int64_t swr_max_ms;     /* cap on what the origin names */
	int64_t sie_default_ms; /* stale-if-error, likewise */
	int64_t sie_max_ms;
	int64_t keep_ms;        /* stale objects with validators stay this long to be validated */
	int64_t uncacheable_ms; /* how long a key is remembered as uncacheable */
	uint64_t max_variants;
	uint64_t max_waiters;           /* requests waiting on one fetch */
	int64_t wait_ms;                /* how long a request waits for a fetch's answer to begin */
	struct conf_list status_ttls;   /* struct status_ttl: negative caching */
	struct conf_strings targeted;   /* targeted fields, first valid one wins (RFC 9213 2.2) */
	struct conf_strings query_drop; /* parameters left out of key and origin request; "utm_*" */
	struct conf_strings query_keep; /* when not empty: the only parameters kept */
	bool query_sort;
	bool cache_status;     /* send Cache-Status (RFC 9211) */
	bool cache_status_key; /* ... with key= */
	bool x_cache;          /* send X-Cache: HIT or MISS */
	struct tag_policy tags;
};

extern const struct conf_table cache_policy_table;
