/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/policy.h"

#define AT(member) offsetof(struct cache_policy, member)

static const char *check_field_name(struct slice s)
{
	return slice_is_token(s) ? NULL : "is not a field name; write one like CDN-Cache-Control";
}

/* A parameter's name; '*' only at its end. */
static const char *check_parameter(struct slice s)
{
	size_t star = slice_find(s, '*');
	if (s.len == 0 || star + 1 < s.len)
		return "is not a parameter; write a name, or the front of one and \"*\": utm_*";
	return slice_find(s, '&') < s.len || slice_find(s, '=') < s.len
	    ? "is more than a parameter's name; write it without \"&\" and \"=\""
	    : NULL;
}

/* clang-format off */
static const struct conf_field fields[] = {
	{"enabled", CONF_BOOL, AT(enabled), .fallback = "true",
	 .doc = "Whether answers are stored at all; false passes every request on."},
	{"heuristic-factor", CONF_FRACTION, AT(heuristic_factor), 0, 1000, "0.1",
	 .doc = "Answers without a lifetime stay fresh for this share of the time since they were "
		"last modified; 0 = never by guess."},
	{"heuristic-max", CONF_DURATION, AT(heuristic_max_ms), 0, CONF_DAYS(365), "1d",
	 .doc = "Longest lifetime by that guess."},
	{"default-ttl", CONF_DURATION, AT(default_ttl_ms), 0, CONF_DAYS(365), "0",
	 .doc = "Lifetime of answers for which neither the origin nor the guess gives one; 0 = none."},
	{"ttl-by-status", CONF_STATUS_TTLS, AT(status_ttls), 0, CONF_DAYS(365),
	 "{404: 10s, 410: 10s}",
	 .doc = "Lifetime of answers with these statuses when the origin names none: a few seconds "
		"keep a crawl over missing pages away from the origin."},
	{"stale-while-revalidate", CONF_DURATION, AT(swr_default_ms), 0, CONF_DAYS(365), "0",
	 .doc = "How long a stale answer is served while it is refreshed in the background, when the "
		"origin does not say; 0 = not at all. Other caches call it grace."},
	{"stale-while-revalidate-max", CONF_DURATION, AT(swr_max_ms), 0, CONF_DAYS(365), "1d",
	 .doc = "The most that an origin may ask for."},
	{"stale-if-error", CONF_DURATION, AT(sie_default_ms), 0, CONF_DAYS(365), "1h",
	 .doc = "How long a stale answer covers for an origin that fails, when the origin does not "
		"say. Answers that must be revalidated are never served stale."},
	{"stale-if-error-max", CONF_DURATION, AT(sie_max_ms), 0, CONF_DAYS(365), "7d",
	 .doc = "The most that an origin may ask for."},
	{"keep", CONF_DURATION, AT(keep_ms), 0, CONF_DAYS(365), "1h",
	 .doc = "How long stale answers are kept so that the origin can say \"not modified\" instead "
		"of sending them again."},
	{"uncacheable-ttl", CONF_DURATION, AT(uncacheable_ms), 0, CONF_DAYS(1), "10s",
	 .doc = "How long a URL is remembered as uncacheable; meanwhile its requests go to the origin "
		"side by side instead of waiting for each other."},
	{"variants", CONF_UINT, AT(max_variants), 1, 10000, "64",
	 .doc = "Answers kept of one URL under Vary; the oldest leaves first."},
	{"waiters", CONF_UINT, AT(max_waiters), 1, 1000000, "10000",
	 .doc = "Requests that may wait for one fetch of the same URL."},
	{"wait-timeout", CONF_DURATION, AT(wait_ms), 10, CONF_HOURS(1), "10s",
	 .doc = "How long they wait for its answer to begin."},
	{"targeted-fields", CONF_STRINGS, AT(targeted), 0, 16,
	 "[Larder-CDN-Cache-Control, CDN-Cache-Control]", .check = check_field_name,
	 .doc = "Fields that go before Cache-Control here (RFC 9213); the first valid one counts."},
	{"query-drop", CONF_STRINGS, AT(query_drop), 0, 256, "[]", .check = check_parameter,
	 .doc = "Query parameters that change no answer, such as utm_* and fbclid: left out of the key "
		"and of what the origin is asked."},
	{"query-keep", CONF_STRINGS, AT(query_keep), 0, 256, "[]", .check = check_parameter,
	 .doc = "When not empty, the only query parameters that are kept."},
	{"query-sort", CONF_BOOL, AT(query_sort), .fallback = "false",
	 .doc = "Sorts query parameters, so that their order does not matter."},
	{"cache-status", CONF_BOOL, AT(cache_status), .fallback = "true",
	 .doc = "Sends Cache-Status (RFC 9211): what happened and why."},
	{"cache-status-key", CONF_BOOL, AT(cache_status_key), .fallback = "true",
	 .doc = "Puts the cache key into Cache-Status."},
	{"x-cache", CONF_BOOL, AT(x_cache), .fallback = "true",
	 .doc = "Sends X-Cache: HIT or MISS, for tools that look for it."},
	{"tags", CONF_SECTION, AT(tags), .table = &tag_policy_table,
	 .doc = "Names that answers carry, so that all with one of them can be purged at once."},
};
/* clang-format on */

const struct conf_table cache_policy_table = {
	.name = "cache",
	.struct_bytes = sizeof(struct cache_policy),
	.fields = fields,
	.count = COUNT_OF(fields),
};
