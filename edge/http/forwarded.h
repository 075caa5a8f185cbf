/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks, and what the origin is told of it: Via, X-Forwarded-For, -Proto, -Host and Forwarded
 * (RFC 7239).
 *
 * Anyone can write these fields. They are believed only from a peer that the operator trusts, and
 * a chain of addresses only as far back as every proxy in it is trusted. From a stranger they are
 * dropped and written anew; from a trusted proxy they are continued. Nothing believed here reaches
 * the cache's key but the scheme: the host is always the request's own.
 */
#pragma once

#include "edge/base/ip.h"
#include "edge/http/msg.h"

struct proxies {
	struct ip_block *at;
	size_t count;
};

/* What a request's forwarding fields come to. */
struct forwarded {
	struct ip peer;      /* who is connected to us */
	struct ip client;    /* who asked first, as far as that is believed */
	bool trusted;        /* the peer is a trusted proxy */
	struct slice scheme; /* "http" or "https": what the client spoke. Static */
};

/*
 * Reads addresses and CIDR blocks. fail: false; ret_bad is the index of the first that is neither
 * (count when the arena is full).
 */
bool proxies_parse(
    const struct slice *texts, size_t count, struct arena *, struct proxies *ret, size_t *ret_bad);
bool proxies_trust(const struct proxies *, struct ip);

/* Judges a request that came from `peer` over `scheme`. */
struct forwarded forwarded_judge(
    const struct proxies *, struct ip peer, struct slice scheme, const struct fields *request);
/*
 * Rewrites the forwarding fields of what goes to the origin, and adds us to Via.
 * fail: false when the arena is full.
 * rfc: 9110 7.6.3, 7239 4
 */
bool forwarded_write(struct fields *out, struct arena *, const struct forwarded *,
    const struct request *, struct slice our_name);

/* Adds us to Via of a message of that version. fail: false when the arena is full. */
bool via_add(struct fields *, struct arena *, uint8_t version, struct slice our_name);
/* How often a message passed us before: an origin that leads back to us (RFC 9110 7.6.3). */
unsigned via_count(const struct fields *, struct slice our_name);
