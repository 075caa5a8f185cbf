/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns an object, or a failure, into the head of an answer: evaluates the client's conditions and
 * ranges against what is stored (RFC 9110 13, 14), picks the field lines that such an answer
 * carries, and adds our own: Age, Cache-Status, Proxy-Status, X-Cache, and what the route's
 * security asks for.
 */
#pragma once

#include "edge/base/buf.h"
#include "edge/http/cache_status.h"
#include "edge/route/security.h"
#include "edge/serve/deliver.h"

/* What the answer tells about how it came to be. */
struct note {
	struct cache_status status;
	const struct cache_policy *policy; /* NULL: no route was found yet */
	bool is_from_store; /* what is delivered was stored before this request came */
	bool has_age;
	int64_t age_s;
};

struct answer_form {
	struct arena *arena; /* of the request */
	struct buf *lines;   /* our own lines are written here; stays until the answer was sent */
	struct loop *home;
	const struct request *request;
	const struct security *security; /* the route's; NULL: none was found yet */
	bool evaluates; /* conditions and ranges are ours to judge: the origin has not seen them */
};

/*
 * Composes the answer of an object and readies its delivery. False when the body's beginning is
 * gone: the object outgrew what may be kept and this request came too late.
 */
bool answer_object(const struct answer_form *, struct object *, const struct note *,
    struct delivery *, struct answer *ret_answer) ON_LOOP;

/* A body of a few bytes in memory. */
struct text_source {
	struct source source;
	struct slice rest;
};
void text_source_init(struct text_source *, struct slice text);

/* Composes the answer that sends a client elsewhere, for good: 308. */
void answer_redirect(const struct answer_form *, struct slice location, const struct note *,
    struct text_source *, struct answer *ret_answer) ON_LOOP;
/* Composes the answer to a PURGE: its receipt, as JSON. */
void answer_receipt(const struct answer_form *, uint64_t seq, struct slice receipt,
    const struct note *, struct text_source *, struct answer *ret_answer) ON_LOOP;
/* Composes the answer to a request that fails: a line of plain text says why. */
void answer_failure(const struct answer_form *, enum err, const struct note *, struct text_source *,
    struct answer *ret_answer) ON_LOOP;
