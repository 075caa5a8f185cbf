/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/key.h"

#include "edge/http/target.h"

/* ---- the query's parameters ---- */

/* "name=value", "name" or nothing (between two '&'). */
static struct slice name_of(struct slice parameter)
{
	return slice_first(parameter, slice_find(parameter, '='));
}

static bool fits(struct slice name, const struct conf_strings *patterns)
{
	for (size_t i = 0; i < patterns->count; i++) {
		struct slice p = patterns->at[i];
		bool open = slice_ends(p, SL("*"));
		if (open ? slice_starts(name, slice_first(p, p.len - 1)) : slice_eq(name, p))
			return true;
	}
	return false;
}

static bool is_kept(struct slice parameter, const struct cache_policy *policy)
{
	struct slice name = name_of(parameter);
	return !fits(name, &policy->query_drop) &&
	    (policy->query_keep.count == 0 || fits(name, &policy->query_keep));
}

/* By name; the order in the query, which is that of the addresses, for equal names. */
static int compare(const void *left, const void *right)
{
	const struct slice *a = left, *b = right;
	int order = slice_cmp(name_of(*a), name_of(*b));
	return order != 0 ? order : a->at < b->at ? -1 : a->at > b->at;
}

/* Splits the query; answers how many parameters are kept. `at` has room for all. */
static size_t split(struct slice query, const struct cache_policy *policy, struct slice *at)
{
	size_t count = 0;
	for (bool more = true; more;) {
		more = slice_find(query, '&') < query.len;
		at[count] = slice_take_until(&query, '&');
		count += is_kept(at[count], policy);
	}
	return count;
}

static struct slice join(const struct slice *at, size_t count, char *to)
{
	size_t len = 0;
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			to[len++] = '&';
		if (at[i].len > 0)
			memcpy(to + len, at[i].at, at[i].len);
		len += at[i].len;
	}
	return slice_of(to, len);
}

static bool is_sorted(const struct slice *at, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (compare(&at[i - 1], &at[i]) > 0)
			return false;
	return true;
}

static size_t count_parameters(struct slice query)
{
	size_t count = 1;
	for (size_t i = 0; i < query.len; i++)
		count += query.at[i] == '&';
	return count;
}

/* Filters and sorts the query as the policy says. */
static void arrange_query(struct request *r, const struct cache_policy *policy, struct arena *arena)
{
	bool filters = policy->query_drop.count > 0 || policy->query_keep.count > 0;
	if (r->query.len == 0 || (!filters && !policy->query_sort))
		return;
	size_t all = count_parameters(r->query);
	struct slice *at = arena_alloc(arena, all * sizeof(*at));
	if (!at)
		return;
	size_t kept = split(r->query, policy, at);
	bool sorted = !policy->query_sort || is_sorted(at, kept);
	if (kept == all && sorted)
		return;
	if (!sorted)
		qsort(at, kept, sizeof(*at), compare);
	char *to = arena_bytes(arena, r->query.len);
	r->query = to ? join(at, kept, to) : SLICE_NONE;
	r->has_query = kept > 0;
}

/* ---- keys ---- */

static char *put(char *to, struct slice s)
{
	return s.len > 0 ? (char *)memcpy(to, s.at, s.len) + s.len : to;
}

static struct slice write_uri(const struct request *r, struct arena *arena)
{
	size_t len = r->scheme.len + 3 + r->authority.len + r->path.len;
	char *at = arena_bytes(arena, len + (r->has_query ? 1 + r->query.len : 0));
	if (!at)
		return SLICE_NONE;
	char *end = put(put(put(put(at, r->scheme), SL("://")), r->authority), r->path);
	if (r->has_query)
		end = put(put(end, SL("?")), r->query);
	return slice_of(at, (size_t)(end - at));
}

struct key key_make(struct request *r, const struct cache_policy *policy, struct hash_secret secret,
    struct arena *arena)
{
	r->path = target_normal_path(r->path, arena);
	r->query = target_normal_query(r->query, arena);
	arrange_query(r, policy, arena);
	/* A key of which a part was lost would be another request's key. */
	struct slice text = arena->overflow ? SLICE_NONE : write_uri(r, arena);
	return (struct key){ text, hash_siphash(secret, text) };
}

bool key_of_reference(const struct request *base, struct slice reference,
    const struct cache_policy *policy, struct hash_secret secret, struct arena *arena,
    struct key *ret_key)
{
	struct request r;
	/* RFC 9111 4.4: an answer has no say over another origin's URIs. */
	if (!target_resolve(base, reference, arena, &r) || !slice_eq(r.scheme, base->scheme) ||
	    !slice_eq(r.authority, base->authority))
		return false;
	*ret_key = key_make(&r, policy, secret, arena);
	return ret_key->text.len > 0;
}

struct key key_of_variant(
    struct key primary, struct slice vary_values, struct hash_secret secret, struct arena *arena)
{
	char *at = arena_bytes(arena, primary.text.len + 1 + vary_values.len);
	if (!at)
		return (struct key){ SLICE_NONE, primary.hash };
	/* A line feed is in no URI, so no URI's key is a variant's. */
	char *end = put(put(put(at, primary.text), SL("\n")), vary_values);
	struct slice text = slice_of(at, (size_t)(end - at));
	return (struct key){ text, hash_siphash(secret, text) };
}

bool key_request(struct slice url, struct request *ret_request)
{
	size_t scheme = slice_find_slice(url, SL("://"));
	struct slice rest = slice_from(url, scheme + 3);
	struct request r = { .method = METHOD_GET, .method_name = SL("GET"), .version = 11 };
	r.scheme = slice_first(url, scheme);
	r.authority = slice_first(rest, slice_find(rest, '/'));
	rest = slice_from(rest, r.authority.len);
	r.path = slice_first(rest, slice_find(rest, '?'));
	r.has_query = r.path.len < rest.len;
	r.query = slice_from(rest, r.path.len + 1);
	*ret_request = r;
	return scheme < url.len && r.path.len > 0;
}
