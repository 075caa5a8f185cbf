/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scope is a set of stored answers that can be purged at once: everything, a host, a path and all
 * below it, a URL, those with a tag. Each is named by a number, a hash of its text, so that an
 * answer of which the text is known can be asked for each set that it is in.
 *
 *	SCOPE_HOST    "shop.example" holds for every port, "shop.example:8080" for that one
 *	SCOPE_PREFIX  by segment: "/a/b" has /a/b, /a/b/ and /a/b/c, not /a/bc. Of one host, or of all
 *	SCOPE_URL     all variants of a cache key's URL
 *	SCOPE_TAG     compared without regard to ASCII case
 *	SCOPE_GROUP   a tag on one authority only (RFC 9875: a cache group is its origin's)
 *
 * The hash is XXH3-64, without a secret: it is kept with a store and must stay the same. Who makes
 * two texts meet makes a purge of one take the other, too: an answer is fetched once more than was
 * needed, never once less.
 */
#pragma once

#include "edge/base/clock.h"
#include "edge/base/slice.h"

enum scope_kind {
	SCOPE_ALL,
	SCOPE_HOST,
	SCOPE_PREFIX,
	SCOPE_URL,
	SCOPE_TAG,
	SCOPE_GROUP,
	SCOPE_KINDS
};

/* What a purge does to what it is for; the later, the stronger. */
enum purge_mode {
	PURGE_SOFT,    /* stale from that moment on: may be served as such */
	PURGE_INVALID, /* not without validation (RFC 9111 4.4) */
	PURGE_HARD,    /* gone */
	PURGE_MODES
};

/* What it does, and when. */
struct purge_act {
	enum purge_mode mode;
	struct wall at;
};

/* What is known of a scope: the fence's newest number of each mode, 0 = none. */
struct purge_mark {
	uint64_t numbers[PURGE_MODES];
	struct wall soft_at; /* when the newest soft one was */
};

/* Of a path; what a prefix must not be longer than, and of what lies deeper only these count. */
enum { SCOPE_SEGMENTS = 32, SCOPES_OF_URL = 4 + 3 * (SCOPE_SEGMENTS + 1) };

struct scope {
	enum scope_kind kind;
	uint64_t id;
};

struct scope scope_all(void);
/* authority: "host" or "host:port", in any case. */
struct scope scope_host(struct slice authority);
/* authority: empty = of all hosts. path: begins with '/'; a final '/' does not matter. */
struct scope scope_prefix(struct slice authority, struct slice path);
/* url: the text of a primary key. */
struct scope scope_url(struct slice url);
/* The number of a tag, and its scopes. */
uint64_t scope_tag_id(struct slice tag);
struct scope scope_tag(uint64_t tag_id);
struct scope scope_group(struct slice authority, uint64_t tag_id);

/* Splits a key's URL; ret_path is without the query. */
void scope_split(struct slice url, struct slice *ret_authority, struct slice *ret_path);
/* Writes the scopes of one kind that a URL is in; answers how many. Of tags and groups: none. */
size_t scopes_of_url(struct slice url, enum scope_kind, struct scope to[SCOPES_OF_URL]);
