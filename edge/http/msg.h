/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request and an answer as the journey sees them: parsed, checked, in no protocol's syntax.
 * Readers (edge/wire) make them; the rest of the house reads them.
 */
#pragma once

#include "edge/base/clock.h"
#include "edge/base/err.h"
#include "edge/http/field.h"

enum method {
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_DELETE,
	METHOD_OPTIONS,
	METHOD_PATCH,
	METHOD_CONNECT,
	METHOD_TRACE,
	METHOD_OTHER, /* any other token; its text is in method_name */
};

/* How the receiver learns where a body ends (RFC 9112 6.3). */
enum framing {
	FRAMING_NONE,    /* no body */
	FRAMING_LENGTH,  /* content_length bytes */
	FRAMING_CHUNKED, /* h1 chunked, or h2 DATA without content-length */
	FRAMING_CLOSE,   /* until the connection closes; answers only */
	FRAMING_TUNNEL,  /* bytes both ways, after 101 (RFC 9110 7.8); answers only */
};

struct request {
	enum method method;
	struct slice method_name;
	struct slice scheme;    /* "http" or "https", of the listener or a trusted proxy */
	struct slice authority; /* Host, lower case, the scheme's default port dropped */
	struct slice path;      /* begins with '/', or is "*" for OPTIONS */
	struct slice query;     /* without '?' */
	bool has_query;         /* "/a?" is not "/a" */
	uint8_t version;        /* 10, 11 or 20 */
	enum framing framing;
	uint64_t content_length; /* with FRAMING_LENGTH */
	bool expects_continue;   /* Expect: 100-continue, not yet answered */
	struct slice upgrade;    /* protocol to switch to: "websocket"; empty = none that we know */
	struct fields fields;
};

struct response {
	uint16_t status;
	uint8_t version;
	enum framing framing;
	uint64_t content_length; /* with FRAMING_LENGTH */
	struct fields fields;
};

/* The method of a token; names are case-sensitive (RFC 9110 9.1). */
enum method method_of(struct slice name);
/* Safe methods (RFC 9110 9.2.1): GET, HEAD, OPTIONS, TRACE. An unknown method is not safe. */
bool method_is_safe(enum method);
/* Idempotent methods (RFC 9110 9.2.2): the safe ones, PUT and DELETE. */
bool method_is_idempotent(enum method);

/* The standard reason phrase; empty for an unknown status. Static. */
struct slice status_reason(uint16_t status);
/* Statuses whose answers never have a body: 1xx, 204, 304 (RFC 9112 6.3). */
bool status_has_no_body(uint16_t status);
/* Final statuses that RFC 9110 15.1 lets a cache store by heuristics. */
bool status_is_heuristic(uint16_t status);
/* Statuses whose caching rules Larder knows, for must-understand (RFC 9111 5.2.2.3). */
bool status_is_understood(uint16_t status);
