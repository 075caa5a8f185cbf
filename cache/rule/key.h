/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache key (RFC 9111 2): the target URI in normal form. What the key leaves out, the origin
 * does not see either: the request goes out with the normalised path and query, so two requests of
 * one key are the same request to the origin.
 *
 * On a hit only the key's own text is written, into the arena; all else stays where it was.
 */
#pragma once

#include "cache/rule/hash.h"
#include "cache/rule/policy.h"
#include "edge/http/msg.h"

struct key {
	struct slice text; /* "http://host/path?query" */
	struct hash128 hash;
};

/*
 * Normalises the request's path and query in place (RFC 3986 6.2.2: escapes in upper case, escapes
 * of unreserved bytes decoded, dot segments removed; the query sorted and filtered as the policy
 * says) and writes the key. An escaped '/' or NUL stays escaped. A pattern of the policy may end in
 * '*'; sorting is by name and keeps the order of equal names. A query of which nothing is left goes
 * with its '?'. Allocates only when something changes. fail: an empty text when the arena is full.
 */
struct key key_make(
    struct request *, const struct cache_policy *, struct hash_secret, struct arena *);
/*
 * The key of a URI reference found in an answer (Location, Content-Location), resolved against the
 * request's URI. False when it is not of the same origin (RFC 9111 4.4) or malformed.
 */
bool key_of_reference(const struct request *base, struct slice reference,
    const struct cache_policy *, struct hash_secret, struct arena *, struct key *ret_key);
/* The key of one variant: the primary key and what vary_values made. */
struct key key_of_variant(
    struct key primary, struct slice vary_values, struct hash_secret, struct arena *);
/* The URL in a key's text: a variant's key has more behind it. */
static inline struct slice key_url(struct slice key)
{
	return slice_first(key, slice_find(key, '\n'));
}
/* The way back: scheme, authority, path and query of a GET for a key's URL; slices point into it.
 * False: it is no key's. */
bool key_request(struct slice url, struct request *ret_request);
