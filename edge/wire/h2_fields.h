/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2's field sections to requests, and answers to field sections (RFC 9113 8). nghttp2 packs
 * and unpacks them, and refuses what breaks the syntax: upper case, control bytes, white space
 * around a value, fields of a connection, a TE that is not "trailers", pseudo fields that are
 * unknown, doubled, late or missing, a Content-Length that DATA does not keep. Here is the rest:
 * what the limits say, and what a request means.
 *
 *	h2_head_take* -> h2_head_finish     one call a field, then the request
 */
#pragma once

#include <nghttp2/nghttp2.h>

#include "edge/wire/wire.h"

/* A request's head, field by field. All slices are in the stream's arena. */
struct h2_head {
	struct slice method, scheme, authority, path, protocol;
	size_t bytes; /* as HTTP/1 would write them */
	uint32_t cookies;
	enum err refusal; /* over a limit: the fields that follow are not kept */
};

/*
 * Takes one field. False: it is so much that even reading past it is abuse.
 * rfc: 9113 8.2, 8.3.
 */
bool h2_head_take(struct stream *, struct h2_head *, const struct limits *, struct slice name,
    struct slice value);
/*
 * Makes the request of it; scheme, version and framing are set already. fail: what h2_is_malformed
 * tells is to be reset, any other failure answered.
 */
enum err h2_head_finish(struct stream *, struct h2_head *, const struct limits *);
/* Whether a refused request is to be reset instead of answered. rfc: 9113 8.1.1. */
bool h2_is_malformed(enum err);

/* Adds a field of a trailer section to "Name: value\r\n" lines. False: over the limits. */
bool h2_trailer_take(struct arena *, struct slice *lines, struct slice name, struct slice value);

/* A field section for nghttp2; all it points to lives in an arena. */
struct h2_section {
	nghttp2_nv *at;
	size_t count;
};

/* An answer's head. fail: false when the arena is full. rfc: 9113 8.3.2. */
bool h2_section_of_answer(struct arena *, const struct answer *, struct h2_section *ret);
/* Trailer lines. fail: false when the arena is full. */
bool h2_section_of_trailers(struct arena *, struct slice lines, struct h2_section *ret);
