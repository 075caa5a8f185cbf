/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache directives: Cache-Control of requests and answers (RFC 9111 5.2), the stale windows of
 * RFC 5861, immutable (RFC 8246), and targeted fields, which are Structured Field dictionaries
 * (RFC 9213 2.1, RFC 9651). Both syntaxes fill the same struct.
 */
#pragma once

#include "edge/http/field.h"

#define SECONDS_NONE ((int64_t)-1)        /* the directive is absent */
#define SECONDS_MAX ((int64_t)2147483648) /* what larger numbers count as (RFC 9111 1.2.2) */

struct control {
	bool present; /* any directive was read */
	bool no_store, no_cache, no_transform, only_if_cached, must_revalidate, proxy_revalidate;
	bool must_understand, is_private, is_public, immutable;
	bool max_stale_any;          /* max-stale without a value */
	struct slice no_cache_names; /* the field names of no-cache="a, b"; empty = unqualified */
	struct slice private_names;  /* likewise */
	int64_t max_age_s, s_maxage_s, max_stale_s, min_fresh_s;
	int64_t stale_while_revalidate_s, stale_if_error_s;
};

/* No directive at all. */
struct control control_none(void);
/*
 * Reads Cache-Control (all lines). Names in any case; tokens and quoted strings both accepted as
 * values; what is said twice counts in its stricter form; a value that is no non-negative integer
 * makes max-age and s-maxage 0 (stale) and the other directives absent.
 */
struct control control_parse(const struct fields *);
/* Reads the text of one Cache-Control value. */
struct control control_parse_value(struct slice value);
/* Pragma: no-cache, when Cache-Control is absent, counts as no-cache (RFC 9111 5.4). */
struct control control_of_request(const struct fields *);
/*
 * Reads a targeted field (RFC 9213 2): false when it is absent, empty, not a valid dictionary, or
 * gives a lifetime that is no integer; then the next field on the list decides.
 */
bool control_parse_targeted(
    const struct fields *, struct arena *, struct slice name, struct control *ret_control);
/*
 * Whether a qualified directive, no-cache="..." or private="...", names this field. names: one of
 * the two above.
 */
bool control_names_field(struct slice names, struct slice field_name);
