/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditional requests (RFC 9110 13) against a stored representation.
 *
 * A cache evaluates If-None-Match, If-Modified-Since and If-Range. If-Match and
 * If-Unmodified-Since are meant for the origin, and a cache must not judge them (RFC 9111 4.3.2):
 * a request that has one goes there.
 */
#pragma once

#include "edge/http/date.h"
#include "edge/http/msg.h"

/* What a representation offers to compare with. */
struct validators {
	struct slice etag;         /* as sent, with quotes and W/; empty = none */
	struct wall last_modified; /* WALL_NEVER = none */
	struct wall date;          /* when it was made: decides whether Last-Modified is strong */
};

enum cond {
	COND_NONE,         /* the request has no precondition that applies */
	COND_PASSED,       /* it holds: answer as usual */
	COND_NOT_MODIFIED, /* 304 */
};

/* Reads ETag and Last-Modified of an answer; its Date, or `now` in the place of one. */
struct validators validators_of(const struct fields *, struct wall now);
/*
 * Weak and strong comparison of entity tags (RFC 9110 8.8.3.2). A tag that is not well formed
 * equals the same bytes, weakly, and nothing else.
 */
bool etag_matches_weak(struct slice a, struct slice b);
bool etag_matches_strong(struct slice a, struct slice b);
/* Whether a field of entity tags (a list, or "*") has one that matches. */
bool etag_list_has(struct slice list, struct slice etag, bool strong);
/* Whether the request carries a precondition that only the origin may judge. */
bool cond_is_for_origin(const struct fields *request);
/* Evaluates a GET's or HEAD's preconditions in the order of RFC 9110 13.2.2. If-Range is apart. */
enum cond cond_judge(const struct fields *request, const struct validators *, struct wall now);
/* Whether a Range applies: no If-Range, or one that matches strongly (RFC 9110 13.1.5). */
bool cond_range_applies(const struct fields *request, const struct validators *, struct wall now);
