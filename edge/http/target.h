/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request is aimed at: from the request target and Host (RFC 9112 3.2, RFC 9110 7.2) to the
 * scheme, authority, path and query of its target URI.
 *
 * Whatever two readers could understand in two ways is refused, not mended: a fragment, user info,
 * an absolute target beside a Host that says otherwise, a host name of bytes that no DNS name has.
 * The path and query are kept as they came; target_normal_* makes the form that the cache's key
 * and the origin see.
 */
#pragma once

#include "edge/http/msg.h"

/*
 * Fills in authority, path, query and has_query of a request whose method, scheme (the
 * listener's, or a trusted proxy's word) and version are set. In HTTP/2, target is :path and
 * host_field is :authority or Host. has_host false: there was no Host; HTTP/1.0 may do without and
 * gets an empty authority.
 * fail: ERR_BAD_TARGET, ERR_BAD_HOST, ERR_NO_MEMORY.
 * rfc: 9112 3.2, 3.3
 */
enum err target_parse(
    struct slice target, struct slice host_field, bool has_host, struct request *, struct arena *);

/*
 * The normal form of host[:port]: lower case, the scheme's default port and an empty port dropped
 * (RFC 9110 4.2.3). SLICE_NONE when it is no valid authority: user info, a bad IPv6 literal, a
 * port that is no number of 1..65535. No copy when it is normal already.
 */
struct slice authority_normalise(struct slice authority, struct slice scheme, struct arena *);

/* The host of an authority: without its port and a final dot; an IPv6 address keeps its
 * brackets. */
struct slice authority_host(struct slice authority);

/*
 * RFC 3986 6.2.2: escapes in upper case, escapes of unreserved bytes decoded; in a path then the
 * dot segments removed (so "%2e%2e" too). "%2F", "%5C", "%25" and "%00" stay as they are: they
 * are no unreserved bytes. No copy when it is normal already. fail: SLICE_NONE, the arena is full.
 */
struct slice target_normal_path(struct slice path, struct arena *);
struct slice target_normal_query(struct slice query, struct arena *);

/*
 * Resolves a URI reference (RFC 3986 5.2) found in an answer to `base`. Fills in scheme,
 * authority, path (normal) and query of *ret. False when it is malformed, or not http(s).
 */
bool target_resolve(
    const struct request *base, struct slice reference, struct arena *, struct request *ret);
