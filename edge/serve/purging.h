/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PURGE method, as frameworks' plugins send it to any cache: from addresses that are allowed
 * to.
 *
 *	PURGE /p/1                          that URL with all its variants: gone
 *	PURGE / + Surrogate-Key: a b        what has one of these tags; xkey means the same, and so do
 *	                                    more lines of both
 *	... + Fastly-Soft-Purge: 1          stale instead
 *
 * The answer is the receipt, as POST /v1/purge gives it, with its number in Larder-Seq.
 */
#pragma once

#include "edge/serve/trip.h"

/* Whether a request is for us to do, or to refuse: else PURGE is a method as any other. */
bool purging_is_asked(const struct trip *);
/* Submits it. `done` comes once, also when the client has gone; until then the trip stays. fail:
 * ERR_PURGE_REFUSED, ERR_TOO_MANY_TAGS, ERR_NO_MEMORY. */
enum err purging_begin(struct trip *, void (*done)(struct purge *)) ON_LOOP;
/* It is done: lets go of the order. Answers how it went. */
enum err purging_end(struct trip *) ON_LOOP;
/* Sends the receipt. */
void purging_answer(struct trip *) ON_LOOP;
