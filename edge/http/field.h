/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Field lines of a message (RFC 9110 5): name, value, and the id of a name that Larder knows, so
 * that no later step compares names again. A message keeps its lines in the order they came; lines
 * of the same name stay apart until somebody asks for the joined value.
 *
 * Names and values are slices into the message's arena (or its read buffer); values are trimmed
 * and hold no CR, LF or NUL: the readers refuse those.
 */
#pragma once

#include "edge/base/arena.h"

/* What the house does with a known field, whoever sends it. */
enum field_trait {
	FIELD_HOP = 1,       /* hop-by-hop: never forwarded, never stored (RFC 9110 7.6.1) */
	FIELD_SINGLE = 2,    /* at most one line; several make the message malformed or ignored */
	FIELD_OURS = 4,      /* written by Larder on every answer: dropped from what is stored */
	FIELD_VALIDATOR = 8, /* a precondition of the request (RFC 9110 13.1) */
	FIELD_PINNED = 16,   /* describes the stored bytes: a 304 leaves it alone (RFC 9111 3.2) */
};

/* clang-format off */
#define FIELDS(X) \
	X(ACCEPT, "Accept", 0) \
	X(ACCEPT_ENCODING, "Accept-Encoding", 0) \
	X(ACCEPT_LANGUAGE, "Accept-Language", 0) \
	X(ACCEPT_RANGES, "Accept-Ranges", 0) \
	X(AGE, "Age", FIELD_OURS) \
	X(ALLOW, "Allow", 0) \
	X(ALT_SVC, "Alt-Svc", 0) \
	X(AUTHORIZATION, "Authorization", 0) \
	X(CACHE_CONTROL, "Cache-Control", 0) \
	X(CACHE_STATUS, "Cache-Status", 0) \
	X(CDN_CACHE_CONTROL, "CDN-Cache-Control", 0) \
	X(CLIENT_CERT, "Client-Cert", 0) \
	X(CLIENT_CERT_CHAIN, "Client-Cert-Chain", 0) \
	X(CONNECTION, "Connection", FIELD_HOP) \
	X(CONTENT_ENCODING, "Content-Encoding", FIELD_PINNED) \
	X(CONTENT_LANGUAGE, "Content-Language", 0) \
	X(CONTENT_LENGTH, "Content-Length", FIELD_PINNED) \
	X(CONTENT_LOCATION, "Content-Location", 0) \
	X(CONTENT_MD5, "Content-MD5", FIELD_PINNED) \
	X(CONTENT_RANGE, "Content-Range", FIELD_PINNED) \
	X(CONTENT_TYPE, "Content-Type", 0) \
	X(COOKIE, "Cookie", 0) \
	X(DATE, "Date", 0) \
	X(ETAG, "ETag", FIELD_PINNED) \
	X(EXPECT, "Expect", 0) \
	X(EXPIRES, "Expires", 0) \
	X(FORWARDED, "Forwarded", 0) \
	X(HOST, "Host", FIELD_SINGLE) \
	X(HTTP2_SETTINGS, "HTTP2-Settings", FIELD_HOP) \
	X(IF_MATCH, "If-Match", FIELD_VALIDATOR) \
	X(IF_MODIFIED_SINCE, "If-Modified-Since", FIELD_VALIDATOR) \
	X(IF_NONE_MATCH, "If-None-Match", FIELD_VALIDATOR) \
	X(IF_RANGE, "If-Range", FIELD_VALIDATOR) \
	X(IF_UNMODIFIED_SINCE, "If-Unmodified-Since", FIELD_VALIDATOR) \
	X(KEEP_ALIVE, "Keep-Alive", FIELD_HOP) \
	X(LARDER_MIN_SEQ, "Larder-Min-Seq", 0) \
	X(LAST_MODIFIED, "Last-Modified", 0) \
	X(LINK, "Link", 0) \
	X(LOCATION, "Location", 0) \
	X(MAX_FORWARDS, "Max-Forwards", 0) \
	X(ORIGIN, "Origin", 0) \
	X(PRAGMA, "Pragma", 0) \
	X(PROXY_AUTHENTICATE, "Proxy-Authenticate", FIELD_HOP) \
	X(PROXY_AUTHENTICATION_INFO, "Proxy-Authentication-Info", FIELD_HOP) \
	X(PROXY_AUTHORIZATION, "Proxy-Authorization", FIELD_HOP) \
	X(PROXY_CONNECTION, "Proxy-Connection", FIELD_HOP) \
	X(RANGE, "Range", 0) \
	X(REFERER, "Referer", 0) \
	X(RETRY_AFTER, "Retry-After", 0) \
	X(SERVER, "Server", 0) \
	X(SET_COOKIE, "Set-Cookie", 0) \
	X(SURROGATE_CONTROL, "Surrogate-Control", 0) \
	X(TE, "TE", FIELD_HOP) \
	X(TRACEPARENT, "traceparent", 0) \
	X(TRAILER, "Trailer", FIELD_HOP) \
	X(TRANSFER_ENCODING, "Transfer-Encoding", FIELD_HOP) \
	X(UPGRADE, "Upgrade", FIELD_HOP) \
	X(USER_AGENT, "User-Agent", 0) \
	X(VARY, "Vary", 0) \
	X(VIA, "Via", 0) \
	X(WARNING, "Warning", 0) \
	X(X_CACHE, "X-Cache", FIELD_OURS) \
	X(X_FORWARDED_FOR, "X-Forwarded-For", 0) \
	X(X_FORWARDED_HOST, "X-Forwarded-Host", 0) \
	X(X_FORWARDED_PROTO, "X-Forwarded-Proto", 0) \
	X(X_REQUEST_ID, "X-Request-Id", 0)
/* clang-format on */

enum field_id {
	FIELD_OTHER, /* a name that the table does not know */
#define X(id, name, traits) FIELD_##id,
	FIELDS(X)
#undef X
	    FIELD_ID_COUNT
};

struct field {
	struct slice name;
	struct slice value;
	enum field_id id;
};

/* An ordered set of field lines. Grows in its arena. */
struct fields {
	struct field *at;
	uint32_t count, cap;
};

/* The id of a name in any case; FIELD_OTHER when not known. Constant time in the table's size. */
enum field_id field_id_of(struct slice name);
/* The name as the table writes it; empty for FIELD_OTHER. */
struct slice field_name(enum field_id);
/* The traits of an id, OR-ed enum field_trait. */
unsigned field_traits(enum field_id);

/* Adds a line at the end. Slices are borrowed, not copied. fail: false when the arena is full. */
bool fields_add(
    struct fields *, struct arena *, enum field_id, struct slice name, struct slice value);
/* As fields_add for a known field, with the table's spelling. */
bool fields_put(struct fields *, struct arena *, enum field_id, struct slice value);
/* The first line of that id, or NULL. */
const struct field *fields_find(const struct fields *, enum field_id);
/* The first line of that name (any case), also for names without an id. */
const struct field *fields_find_name(const struct fields *, struct slice name);
/* The value of the first line of that id; SLICE_NONE (at == NULL) when there is none. */
struct slice fields_value(const struct fields *, enum field_id);
uint32_t fields_count(const struct fields *, enum field_id);
/* All lines of a name joined by ", " (RFC 9110 5.2); no copy when there is one line. */
struct slice fields_join(const struct fields *, struct arena *, enum field_id);
struct slice fields_join_name(const struct fields *, struct arena *, struct slice name);
/* Whether a request says who asks: by Authorization (RFC 9111 3.5), or by a certificate that we
 * tell of (RFC 9440 3). What is answered to such a one is not for everyone. */
bool fields_have_credentials(const struct fields *);
/* Removes every line of that id or name. */
void fields_remove(struct fields *, enum field_id);
void fields_remove_name(struct fields *, struct slice name);
/* A copy of the array; slices still point where they did. false when the arena is full. */
bool fields_clone(struct fields *ret_copy, struct arena *, const struct fields *);
/*
 * Removes what must not cross this hop: fields of trait FIELD_HOP and those that Connection names
 * (RFC 9110 7.6.1). Of the table's own names Connection removes none: they are end-to-end by their
 * definition, and a message must not make us drop what framing, routing or caching needs.
 */
void fields_strip_hop(struct fields *);
