/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Freshness (RFC 9111 4.2), decided once, when an answer is stored, into moments of wall time; a
 * hit then compares moments. What a *request* asks (max-age, min-fresh, max-stale, no-cache) is
 * judged on the hit against the same moments.
 *
 *	born ------------ fresh_until ------ swr_until -------- sie_until ---- keep_until
 *	      serve it        | serve, refresh   | only if the      | only to     | as if
 *	                      | in background    | origin failed    | validate    | not stored
 *
 * The windows behind fresh_until lie on each other: each may be empty, or longer than the next.
 * Moments are in milliseconds, and an age is never rounded up: an answer of "max-age=1" is fresh
 * for a whole second, though its Date was cut to seconds.
 */
#pragma once

#include "cache/rule/policy.h"
#include "cache/rule/reason.h"
#include "edge/http/control.h"
#include "edge/http/msg.h"

struct life {
	struct wall response_time; /* when the head of the answer (or of the 304) arrived */
	struct wall born;          /* response_time - corrected initial age: Age = now - born */
	struct wall fresh_until;
	struct wall swr_until;  /* may be served stale while it is refreshed; >= fresh_until */
	struct wall sie_until;  /* may be served stale when the origin fails */
	struct wall keep_until; /* kept for validation; nothing is served past this unvalidated */
	bool no_cache;          /* validate on each use (5.2.2.4) */
	bool must_revalidate;   /* a client cannot ask for it stale (5.2.2.2, 5.2.2.8, 5.2.2.10) */
	bool immutable;         /* RFC 8246: a reload does not make us validate it */
	bool is_purged;         /* softly: stale, even by a clock that is behind the purge */
};

static inline bool life_is_fresh(const struct life *life, struct wall now)
{
	return !life->is_purged && wall_before(now, life->fresh_until);
}

/* When the origin was asked and when its head arrived. */
struct times {
	struct wall request, response;
};

/*
 * The lifetime of an answer. Explicit lifetime in the order targeted field, s-maxage, max-age,
 * Expires - Date; else the policy's status TTL, heuristics, default TTL. Age arithmetic by
 * RFC 9111 4.2.3; very large numbers saturate.
 *
 * Invalid freshness information makes an answer stale from the start (RFC 9111 4.2.1): an Expires
 * that is no date or stands twice, an Age that is not one line of digits. (For Age that is stricter
 * than RFC 9111 5.1, which would have it ignored: an answer of unknown age is not worth the trust.)
 *
 * The policy's own stale windows hold only for an answer that was fresh for a moment: what nobody
 * called cacheable is not kept for the day when the origin fails. must-revalidate and
 * proxy-revalidate close both windows, s-maxage the policy's, but not one that the answer names.
 *
 * ret_reason says where the lifetime comes from, REASON_NO_LIFETIME if there is none.
 */
struct life life_of(const struct cache_policy *, const struct response *, struct times,
    struct arena *, enum reason *ret_reason);
/* Whether the answer itself tells its lifetime, be it 0. targeted: as storable_control says. */
bool life_is_explicit(const struct response *, const struct control *, bool targeted);
/* The policy's TTL of a status; negative when it names none. */
int64_t policy_status_ttl_ms(const struct cache_policy *, uint16_t status);

/* Age in whole seconds at `now` (RFC 9111 5.1), 0 at least. */
int64_t life_age_s(const struct life *, struct wall now);
/* Seconds of freshness left at `now`; negative when stale (Cache-Status ttl). */
int64_t life_ttl_s(const struct life *, struct wall now);

enum fresh_verdict {
	FRESH_SERVE,         /* serve it */
	FRESH_SERVE_REFRESH, /* serve it, and refresh it in the background */
	FRESH_VALIDATE,      /* ask the origin first */
	FRESH_GONE,          /* past keep_until: as if not stored */
};

/*
 * Judges a stored answer for a request (RFC 9111 4.2.4, 5.2.1). Where clients' directives are not
 * to count, give control_none().
 */
enum fresh_verdict fresh_judge(
    const struct life *, const struct control *request, struct wall now, enum reason *ret_reason);
/* Whether it may be served although the origin failed (RFC 5861 4, RFC 9111 4.2.4). */
bool fresh_may_cover_error(const struct life *, const struct control *request, struct wall now);
