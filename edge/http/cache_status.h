/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache-Status (RFC 9211): one member that tells what this cache did with one request; and its
 * sister, Proxy-Status (RFC 9209): one that tells why we could not have the origin's answer.
 */
#pragma once

#include "edge/base/buf.h"

struct cache_status {
	struct slice name;   /* of this cache */
	bool hit;            /* answered from the store; then fwd is empty */
	struct slice fwd;    /* why it went forward: a token of RFC 9211 2.2; empty = it did not */
	uint16_t fwd_status; /* what the origin answered; 0 = nothing, or what the client got */
	bool has_ttl;
	int64_t ttl_s; /* freshness left; negative = stale */
	bool stored;
	bool collapsed;      /* waited for another request's fetch */
	struct slice key;    /* empty = not told */
	struct slice detail; /* ours; empty = none */
};

/*
 * Writes the field's value: `given`, what caches nearer to the origin said (may be empty), then
 * our member. What a Structured Field string cannot hold of the key is percent-encoded.
 */
void cache_status_write(struct buf *, struct slice given, const struct cache_status *);

struct proxy_status {
	struct slice name;    /* of this proxy */
	struct slice error;   /* a type of RFC 9209 2.3 */
	struct slice details; /* for people */
};
void proxy_status_write(struct buf *, const struct proxy_status *);
