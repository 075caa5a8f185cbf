/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/scope.h"

#include <xxhash.h>

/* So that a tag and a host of the same text are apart. They go to disk: never change them. */
enum seed { SEED_HOST = 1, SEED_URL = 2, SEED_TAG = 3, SEED_ANY_HOST = 4 };
enum { AUTHORITY_MAX = 512, TAG_PIECE = 256 };

/* ---- hashing without regard to case ---- */

static uint64_t hash_lower(struct slice text, uint64_t seed)
{
	char lower[TAG_PIECE] = { 0 };
	uint64_t hash = seed;
	do {
		struct slice piece = slice_first(text, min_size(text.len, sizeof(lower)));
		must(piece.at || !piece.len);
		for (size_t i = 0; i < piece.len; i++)
			lower[i] = ascii_lower(piece.at[i]);
		hash = XXH3_64bits_withSeed(lower, piece.len, hash);
		text = slice_from(text, piece.len);
	} while (text.len);
	return hash;
}

static uint64_t host_id(struct slice authority)
{
	return authority.len ? hash_lower(authority, SEED_HOST) : SEED_ANY_HOST;
}

static struct slice without_port(struct slice authority)
{
	size_t end = authority.len;
	while (authority.at && end > 0 && is_digit(authority.at[end - 1]))
		end--;
	bool has_port = end > 0 && end < authority.len && authority.at[end - 1] == ':';
	return has_port ? slice_first(authority, end - 1) : authority;
}

/* ---- scopes ---- */

struct scope scope_all(void)
{
	return (struct scope){ SCOPE_ALL, 0 };
}

struct scope scope_host(struct slice authority)
{
	return (struct scope){ SCOPE_HOST, host_id(authority) };
}

static struct scope prefix_of(uint64_t host, struct slice path)
{
	if (slice_ends(path, SL("/")))
		path.len--;
	return (struct scope){ SCOPE_PREFIX, XXH3_64bits_withSeed(path.at, path.len, host) };
}

struct scope scope_prefix(struct slice authority, struct slice path)
{
	return prefix_of(host_id(authority), path);
}

struct scope scope_url(struct slice url)
{
	return (struct scope){ SCOPE_URL, XXH3_64bits_withSeed(url.at, url.len, SEED_URL) };
}

uint64_t scope_tag_id(struct slice tag)
{
	return hash_lower(tag, SEED_TAG);
}

struct scope scope_tag(uint64_t tag_id)
{
	return (struct scope){ SCOPE_TAG, tag_id };
}

struct scope scope_group(struct slice authority, uint64_t tag_id)
{
	uint64_t id = XXH3_64bits_withSeed(&tag_id, sizeof(tag_id), host_id(authority));
	return (struct scope){ SCOPE_GROUP, id };
}

/* ---- of a URL ---- */

void scope_split(struct slice url, struct slice *ret_authority, struct slice *ret_path)
{
	struct slice rest = slice_from(url, slice_find_slice(url, SL("://")) + 3);
	size_t end = slice_find(rest, '/');
	*ret_authority = slice_first(rest, end);
	*ret_path = slice_from(rest, end);
	ret_path->len = slice_find(*ret_path, '?');
}

/* The path's beginnings, from "" (which is "/") on. */
static size_t prefixes_of(uint64_t host, struct slice path, struct scope *to)
{
	size_t count = 0;
	to[count++] = prefix_of(host, SLICE_NONE);
	for (size_t end = 1; path.at && end <= path.len && count <= SCOPE_SEGMENTS; end++)
		if (end == path.len ? path.at[end - 1] != '/' : path.at[end] == '/')
			to[count++] = prefix_of(host, slice_first(path, end));
	return count;
}

size_t scopes_of_url(struct slice url, enum scope_kind kind, struct scope to[SCOPES_OF_URL])
{
	struct slice authority, path;
	scope_split(url, &authority, &path);
	struct slice host = without_port(authority);
	bool has_port = host.len != authority.len;
	size_t count = 0;
	switch (kind) {
	case SCOPE_ALL: to[count++] = scope_all(); break;
	case SCOPE_URL: to[count++] = scope_url(url); break;
	case SCOPE_HOST:
		to[count++] = scope_host(host);
		if (has_port)
			to[count++] = scope_host(authority);
		break;
	case SCOPE_PREFIX:
		count += prefixes_of(SEED_ANY_HOST, path, to);
		count += prefixes_of(host_id(host), path, to + count);
		if (has_port)
			count += prefixes_of(host_id(authority), path, to + count);
		break;
	case SCOPE_TAG:
	case SCOPE_GROUP:
	case SCOPE_KINDS: break;
	}
	return count;
}
