/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/fresh.h"

#include "cache/rule/storable.h"
#include "edge/http/date.h"

enum { DATE_GRAIN_MS = 999 }; /* a Date of second s was written at s.000 .. s.999 */

/* ---- the answer's dates ---- */

static int64_t seconds_ms(int64_t seconds)
{
	return seconds * 1000;
}

static bool date_of(
    const struct response *r, enum field_id id, struct times t, struct wall *ret_date)
{
	struct slice text = fields_value(&r->fields, id);
	return text.at && date_parse(text, t.response, ret_date);
}

/* RFC 9110 6.6.1: an answer without a (valid) Date was made when it arrived */
static struct wall origin_date(const struct response *r, struct times t)
{
	struct wall date;
	return date_of(r, FIELD_DATE, t, &date) ? date : t.response;
}

/* Reads Age: 0 when there is none. False when it cannot be read. */
static bool read_age(const struct response *r, int64_t *ret_ms)
{
	uint32_t lines = fields_count(&r->fields, FIELD_AGE);
	struct slice text = lines > 0 ? fields_value(&r->fields, FIELD_AGE) : SL("0");
	uint64_t seconds;
	for (size_t i = 0; i < text.len; i++)
		if (!is_digit(text.at[i]))
			return false;
	if (lines > 1 || text.len == 0)
		return false;
	/* RFC 9111 1.2.2: what overflows counts as 2^31. */
	if (!slice_to_u64(text, &seconds) || seconds > (uint64_t)SECONDS_MAX)
		seconds = (uint64_t)SECONDS_MAX;
	*ret_ms = seconds_ms((int64_t)seconds);
	return true;
}

/* RFC 9111 4.2.3 */
static int64_t initial_age_ms(const struct response *r, struct times t, int64_t age_value_ms)
{
	int64_t apparent_age = t.response.ms - origin_date(r, t).ms - DATE_GRAIN_MS;
	int64_t response_delay = t.response.ms - t.request.ms;
	int64_t corrected_age = age_value_ms + (response_delay > 0 ? response_delay : 0);
	return apparent_age > corrected_age ? apparent_age : corrected_age;
}

/* ---- the lifetime ---- */

struct lifetime {
	int64_t ms;
	enum reason source;
};

/* RFC 9111 4.2.1, 5.3: an invalid or doubled Expires is a time past */
static int64_t expires_ms(const struct response *r, struct times t)
{
	struct wall expires;
	if (fields_count(&r->fields, FIELD_EXPIRES) != 1 || !date_of(r, FIELD_EXPIRES, t, &expires))
		return 0;
	return expires.ms - origin_date(r, t).ms;
}

bool life_is_explicit(const struct response *r, const struct control *c, bool targeted)
{
	/* RFC 9213 2.2: where a targeted field decides, Expires does not count. */
	return c->max_age_s != SECONDS_NONE || c->s_maxage_s != SECONDS_NONE ||
	    (!targeted && fields_find(&r->fields, FIELD_EXPIRES));
}

/* RFC 9111 4.2.1 */
static struct lifetime explicit_lifetime(
    const struct response *r, struct times t, const struct control *c, bool targeted)
{
	bool shared = c->s_maxage_s != SECONDS_NONE; /* 5.2.2.10: a shared cache's own */
	int64_t seconds = shared ? c->s_maxage_s : c->max_age_s;
	if (seconds == SECONDS_NONE)
		return (struct lifetime){ expires_ms(r, t), REASON_EXPIRES };
	enum reason source = shared ? REASON_S_MAXAGE : REASON_MAX_AGE;
	return (struct lifetime){ seconds_ms(seconds), targeted ? REASON_TARGETED : source };
}

int64_t policy_status_ttl_ms(const struct cache_policy *policy, uint16_t status)
{
	const struct status_ttl *ttls = policy->status_ttls.at;
	for (size_t i = 0; i < policy->status_ttls.count; i++)
		if (ttls[i].status == status)
			return ttls[i].ttl_ms;
	return -1;
}

/* RFC 9111 4.2.2 */
static int64_t heuristic_ms(
    const struct cache_policy *policy, const struct response *r, struct times t)
{
	struct wall modified;
	if (!date_of(r, FIELD_LAST_MODIFIED, t, &modified))
		return 0;
	double unchanged = (double)(origin_date(r, t).ms - modified.ms);
	double share = unchanged * policy->heuristic_factor;
	double most = (double)policy->heuristic_max_ms;
	return share > 0 ? (int64_t)(share < most ? share : most) : 0;
}

/* What the house grants an answer that tells no lifetime. */
static struct lifetime granted_lifetime(const struct cache_policy *policy, const struct response *r,
    struct times t, const struct control *c)
{
	int64_t ttl = policy_status_ttl_ms(policy, r->status);
	if (ttl >= 0)
		return (struct lifetime){ ttl, REASON_STATUS_TTL };
	/* RFC 9111 4.2.2: no guess for other statuses, unless the answer says public. */
	if (!status_is_heuristic(r->status) && !c->is_public)
		return (struct lifetime){ 0, REASON_NO_LIFETIME };
	int64_t guess = heuristic_ms(policy, r, t);
	if (guess > 0)
		return (struct lifetime){ guess, REASON_HEURISTIC };
	ttl = policy->default_ttl_ms;
	return (struct lifetime){ ttl, ttl > 0 ? REASON_DEFAULT_TTL : REASON_NO_LIFETIME };
}

/* ---- the moments ---- */

/* How long past its freshness it may be served. named: what the answer says; cap and fallback: the
 * policy's. */
static int64_t window_ms(
    const struct control *c, int64_t named_s, int64_t cap_ms, int64_t fallback_ms)
{
	/* RFC 9111 4.2.4: these forbid any use without validation. */
	if (c->must_revalidate || c->proxy_revalidate ||
	    (c->no_cache && c->no_cache_names.len == 0))
		return 0;
	if (named_s != SECONDS_NONE)
		return seconds_ms(named_s) < cap_ms ? seconds_ms(named_s) : cap_ms;
	/* RFC 9111 5.2.2.10: s-maxage forbids it, too; but an answer that names a window beside it
	 * means what it says. */
	return c->s_maxage_s != SECONDS_NONE ? 0 : fallback_ms;
}

static struct wall later(struct wall a, struct wall b)
{
	return wall_before(a, b) ? b : a;
}

static struct wall keep_until(
    const struct cache_policy *policy, const struct response *r, const struct life *life)
{
	struct wall last = later(life->fresh_until, later(life->swr_until, life->sie_until));
	bool can_validate = fields_find(&r->fields, FIELD_ETAG) ||
	    fields_find(&r->fields, FIELD_LAST_MODIFIED);
	if (can_validate) /* as long again, counted from now if it was never fresh */
		return later(
		    last, wall_add(later(life->fresh_until, life->response_time), policy->keep_ms));
	return life->no_cache ? life->response_time : last;
}

struct life life_of(const struct cache_policy *policy, const struct response *r, struct times t,
    struct arena *arena, enum reason *ret_reason)
{
	bool targeted;
	int64_t age_value = 0;
	struct control c = storable_control(policy, r, arena, &targeted);
	struct lifetime lifetime = life_is_explicit(r, &c, targeted)
	    ? explicit_lifetime(r, t, &c, targeted)
	    : granted_lifetime(policy, r, t, &c);
	if (!read_age(r, &age_value))
		lifetime = (struct lifetime){ 0, REASON_INVALID_AGE };
	bool fresh = lifetime.ms > 0;
	int64_t swr = window_ms(
	    &c, c.stale_while_revalidate_s, policy->swr_max_ms, fresh ? policy->swr_default_ms : 0);
	int64_t sie = window_ms(
	    &c, c.stale_if_error_s, policy->sie_max_ms, fresh ? policy->sie_default_ms : 0);
	struct life life = {
		.response_time = t.response,
		.born = wall_add(t.response, -initial_age_ms(r, t, age_value)),
		.no_cache = c.no_cache && c.no_cache_names.len == 0,
		.must_revalidate = c.must_revalidate || c.proxy_revalidate ||
		    c.s_maxage_s != SECONDS_NONE,
		.immutable = c.immutable,
	};
	life.fresh_until = wall_add(life.born, fresh ? lifetime.ms : 0);
	life.swr_until = wall_add(life.fresh_until, swr);
	life.sie_until = wall_add(life.fresh_until, sie);
	life.keep_until = keep_until(policy, r, &life);
	*ret_reason = lifetime.source;
	return life;
}

/* ---- asking ---- */

static int64_t whole_seconds(int64_t ms)
{
	return ms / 1000 - (ms % 1000 < 0);
}

int64_t life_age_s(const struct life *life, struct wall now)
{
	int64_t age = whole_seconds(now.ms - life->born.ms);
	return age > 0 ? age : 0;
}

int64_t life_ttl_s(const struct life *life, struct wall now)
{
	return whole_seconds(life->fresh_until.ms - now.ms);
}

/* What in the request asks for validation (RFC 9111 5.2.1); REASON_NONE when nothing does. */
static enum reason asks_validation(
    const struct life *life, const struct control *request, struct wall now)
{
	int64_t left = life->fresh_until.ms - now.ms;
	/* RFC 8246 2: a reload's max-age=0 asks what immutable has answered; no-cache is the forced
	 * reload, and counts. */
	bool settled = life->immutable && left > 0;
	if (request->no_cache)
		return REASON_REQUEST_NO_CACHE;
	if (request->max_age_s != SECONDS_NONE && !settled &&
	    now.ms - life->born.ms > seconds_ms(request->max_age_s))
		return REASON_REQUEST_MAX_AGE;
	if (request->min_fresh_s != SECONDS_NONE && left < seconds_ms(request->min_fresh_s))
		return REASON_REQUEST_MIN_FRESH;
	return REASON_NONE;
}

/* RFC 9111 5.2.1.2 */
static bool takes_stale(const struct life *life, const struct control *request, struct wall now)
{
	int64_t stale = now.ms - life->fresh_until.ms;
	if (life->must_revalidate)
		return false;
	if (request->max_stale_s != SECONDS_NONE)
		return stale <= seconds_ms(request->max_stale_s);
	return request->max_stale_any;
}

enum fresh_verdict fresh_judge(const struct life *life, const struct control *request,
    struct wall now, enum reason *ret_reason)
{
	*ret_reason = REASON_STALE;
	if (!wall_before(now, life->keep_until))
		return FRESH_GONE;
	enum reason asked = asks_validation(life, request, now);
	*ret_reason = life->no_cache ? REASON_NO_CACHE : asked;
	if (life->no_cache || asked != REASON_NONE)
		return FRESH_VALIDATE;
	*ret_reason = REASON_FRESH;
	if (life_is_fresh(life, now))
		return FRESH_SERVE;
	*ret_reason = REASON_STALE_WHILE_REVALIDATE;
	if (wall_before(now, life->swr_until))
		return FRESH_SERVE_REFRESH;
	*ret_reason = REASON_MAX_STALE;
	if (takes_stale(life, request, now))
		return FRESH_SERVE;
	*ret_reason = REASON_STALE;
	return FRESH_VALIDATE;
}

bool fresh_may_cover_error(const struct life *life, const struct control *request, struct wall now)
{
	/* RFC 9111 5.2.2.4: not without validation, however the origin fares. */
	if (life->no_cache)
		return false;
	if (wall_before(now, life->sie_until))
		return true;
	/* RFC 5861 4: a request may name a window, too, but it opens nothing that is closed. */
	bool open = !life->must_revalidate && request->stale_if_error_s != SECONDS_NONE &&
	    wall_before(now, life->keep_until);
	return open && now.ms - life->fresh_until.ms < seconds_ms(request->stale_if_error_s);
}
