/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ask is a client's request made ours to send: copied, because a fetch outlives who caused it,
 * and with the fields that the origin is to see. Whose question it is depends on the fetch:
 *
 *	FETCH_SHARED   asks in its own name for the whole answer, since that is what is stored and
 *	               conditions and ranges are judged against, here; the client is still heard
 *	FETCH_REFRESH  asks for everyone: a GET without anybody's credentials or wishes
 *	FETCH_PRIVATE  is the client's own question, passed on with its conditions and its range
 *
 * What is stored makes a GET conditional: do you still say so? An ask sends nothing and
 * judges no answer; fetch does that.
 */
#pragma once

#include "edge/serve/fetch.h"

struct ask {
	struct request request; /* as its client sent it; a refresh's is a plain GET of the same */
	struct control control; /* the request's directives; a refresh has none */
	struct fields fields;   /* as they go out */
};

/* Makes the ask of a fetch. All of it lives in the arena. our_name: in Via. fail: false when the
 * arena is full. */
bool ask_make(struct ask *, struct arena *, const struct fetch_spec *, struct slice our_name);
