/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why an answer was served, stored or fetched as it was: one code, with the clause that decided.
 * Cache-Status's detail, the log, the metrics and explain all read this one table.
 */
#pragma once

#include "edge/base/slice.h"

/* clang-format off */
#define REASONS(X) \
	/* lookup */ \
	X(NONE, "", "", "nothing to say") \
	X(FRESH, "fresh", "RFC 9111 4.2", "stored and fresh") \
	X(MAX_STALE, "max-stale", "RFC 9111 5.2.1.2", "stale, and the client takes it") \
	X(STALE_WHILE_REVALIDATE, "stale-while-revalidate", "RFC 5861 3", "stale, refreshed in the background") \
	X(STALE_IF_ERROR, "stale-if-error", "RFC 5861 4", "stale, served because the origin failed") \
	X(URI_MISS, "uri-miss", "RFC 9211 2.2", "nothing is stored for this URI") \
	X(VARY_MISS, "vary-miss", "RFC 9111 4.1", "no stored variant fits this request") \
	X(STALE, "stale", "RFC 9111 4.2.4", "stored, but no longer fresh") \
	X(INVALIDATED, "invalidated", "RFC 9111 4.4", "invalidated by an unsafe request or a purge") \
	X(NO_CACHE, "no-cache", "RFC 9111 5.2.2.4", "the stored answer asks to be validated on each use") \
	X(REQUEST_NO_CACHE, "request-no-cache", "RFC 9111 5.2.1.4", "the client asks for validation") \
	X(REQUEST_MAX_AGE, "request-max-age", "RFC 9111 5.2.1.1", "older than the client takes") \
	X(REQUEST_MIN_FRESH, "request-min-fresh", "RFC 9111 5.2.1.3", "not fresh long enough for the client") \
	X(REQUEST_NO_STORE, "request-no-store", "RFC 9111 5.2.1.5", "the client asks not to store") \
	X(ONLY_IF_CACHED, "only-if-cached", "RFC 9111 5.2.1.7", "the client takes stored answers only") \
	X(COLLAPSED, "collapsed", "RFC 9111 4", "joined a fetch under way") \
	X(METHOD, "method", "RFC 9111 4", "the method is not answered from the store") \
	X(PRECONDITION, "precondition", "RFC 9111 4.3.2", "If-Match and the like are the origin's to judge") \
	X(REQUEST_BODY, "request-body", "RFC 9110 9.3.1", "the request has a body, which is not in the key") \
	X(BYPASS, "bypass", "", "the route does not cache") \
	X(KNOWN_UNCACHEABLE, "known-uncacheable", "", "this key was uncacheable a moment ago") \
	X(PARTIAL_REQUEST, "range", "RFC 9111 3.3", "a range of something not stored") \
	X(WAIT_LIMIT, "wait-limit", "", "too many requests wait for this key already") \
	X(WAIT_TIMEOUT, "wait-timeout", "", "the fetch that was joined took too long") \
	/* storing */ \
	X(STORED, "stored", "RFC 9111 3", "storable") \
	X(STATUS, "status", "RFC 9111 3", "the status is not storable without explicit lifetime") \
	X(NO_STORE, "no-store", "RFC 9111 5.2.2.5", "the origin forbids storing") \
	X(PRIVATE, "private", "RFC 9111 5.2.2.7", "meant for one user only") \
	X(AUTHORIZATION, "authorization", "RFC 9111 3.5", "the request had credentials and the answer does not allow sharing") \
	X(SET_COOKIE, "set-cookie", "RFC 9111 7.3", "sets a cookie and does not say that it may be shared") \
	X(VARY_STAR, "vary-star", "RFC 9111 4.1", "varies on what cannot be seen") \
	X(NOT_UNDERSTOOD, "must-understand", "RFC 9111 5.2.2.3", "must be understood, and the status is not") \
	X(NO_LIFETIME, "no-lifetime", "RFC 9111 4.2.2", "neither explicit nor heuristic lifetime, and no validator") \
	X(PARTIAL, "partial", "RFC 9111 3.3", "a partial answer") \
	X(TOO_LARGE, "too-large", "", "larger than the largest stored object") \
	X(TRUNCATED, "truncated", "RFC 9111 3.3", "ended early") \
	X(VARIANTS, "variants", "", "the key has too many variants") \
	/* where a lifetime comes from */ \
	X(TARGETED, "targeted", "RFC 9213 2.2", "lifetime of a targeted field") \
	X(S_MAXAGE, "s-maxage", "RFC 9111 5.2.2.10", "lifetime of s-maxage") \
	X(MAX_AGE, "max-age", "RFC 9111 5.2.2.1", "lifetime of max-age") \
	X(EXPIRES, "expires", "RFC 9111 5.3", "lifetime of Expires") \
	X(HEURISTIC, "heuristic", "RFC 9111 4.2.2", "lifetime guessed from Last-Modified") \
	X(STATUS_TTL, "status-ttl", "", "lifetime of the route's settings for this status") \
	X(DEFAULT_TTL, "default-ttl", "", "lifetime of the route's settings") \
	X(INVALID_AGE, "invalid-age", "RFC 9111 4.2.1", "stale: its Age cannot be read") \
	/* the origin's answer */ \
	X(NOT_MODIFIED, "not-modified", "RFC 9111 4.3.4", "validated: the stored answer stands") \
	X(ORIGIN_ERROR, "origin-error", "", "the origin failed") \
	/* last: records on disk have the numbers of those before */ \
	X(TUNNEL, "tunnel", "RFC 9110 7.8", "the client asks to switch to another protocol") \
	X(PURGED, "purged", "", "stored, and purged since: stale") \
	X(TAGS_TOO_LARGE, "tags-too-large", "", "has more tags than are kept, so purging a tag might miss it") \
	X(REQUEST_MIN_SEQ, "request-min-seq", "", "older than the purge that the client names") \
	X(TAGS_UNREADABLE, "tags-unreadable", "", "has tags in a body that cannot be searched for them")
/* clang-format on */

enum reason {
#define X(id, name, clause, text) REASON_##id,
	REASONS(X)
#undef X
	    REASON_COUNT
};

/* A token for labels and Cache-Status's detail. Static. */
struct slice reason_name(enum reason);
/* The clause that decided, e.g. "RFC 9111 4.2"; empty when the decision is Larder's own. Static. */
struct slice reason_clause(enum reason);
/* One line for people. Static. */
struct slice reason_text(enum reason);
/* Whether the client, not the age of what is stored, asks for the origin (RFC 9211 2.2). */
static inline bool reason_is_request(enum reason reason)
{
	return reason == REASON_REQUEST_NO_CACHE || reason == REASON_REQUEST_MAX_AGE ||
	    reason == REASON_REQUEST_MIN_FRESH || reason == REASON_REQUEST_MIN_SEQ;
}
/* Cache-Status's fwd token (RFC 9211 2.2) of a request that went to the origin for this reason;
 * empty when the reason is none for going there. Static. */
struct slice reason_fwd(enum reason);
