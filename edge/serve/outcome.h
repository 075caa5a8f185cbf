/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an origin's answer becomes: a stored object, a refreshed one, an answer for one client; and
 * what is said to those who wait. A part of the fetch, which asks the origin and is told how that
 * went.
 */
#pragma once

#include "edge/origin/exchange.h"
#include "edge/serve/ask.h"
#include "edge/serve/fetch.h"
#include "edge/serve/tagging.h"

struct fetch {
	struct list link; /* in the worker's */
	struct worker *worker;
	struct plan *plan;
	enum fetch_kind kind;
	struct arena arena;
	const struct route *route;
	struct ask ask;
	struct flow *body; /* the request's */
	struct key key, at;
	struct object *stored;
	struct claim *claim;
	enum reason reason;
	bool is_strict; /* as the spec says it */
	struct fetch_client *client;
	struct slice tags; /* of the answer, one a line */
	bool has_all_tags; /* else it must not be stored */
	bool names_tags;   /* in fields of its own, not by rules alone */
	uint64_t seq;      /* the fence's number when this began */
	struct times times;
	struct mono began;
	struct exchange *exchange;
	struct object *object;   /* published and filling */
	struct tagging *tagging; /* or it is stored once its body has told its tags */
	struct bell outgrow;     /* its body is about to be too large for RAM */
	bool is_in_event;  /* of the exchange: a client that leaves meanwhile must not free this */
	bool is_told;      /* how it went: the client knows, or there was none */
	bool is_abandoned; /* ... and did leave */
};

/* Reads the tags off an answer's head, and takes the fields off that are not for the client. */
void outcome_read_tags(struct fetch *, struct response *) ON_LOOP;
/* Takes what the origin said: answers with the body that is to be filled, NULL = none. */
struct flow *outcome_take_private(struct fetch *, const struct response *, const struct life *)
    ON_LOOP;
struct flow *outcome_take_shared(struct fetch *, const struct response *, const struct life *)
    ON_LOOP;
/* A 304: the stored answer stands, with the fields that came (RFC 9111 4.3.4). False: no memory. */
bool outcome_refresh(struct fetch *, struct response *) ON_LOOP;
/* The origin failed, or said that it did: a stale copy answers if it may (RFC 5861 4). */
bool outcome_cover(struct fetch *, uint16_t status) ON_LOOP;
/* Tells the client how it went. Takes the result's object. */
void outcome_tell(struct fetch *, struct fetch_result *) ON_LOOP;
/* Remembers that this key does not collapse, so that those who come next do not wait for
 * nothing. */
void outcome_remember_pass(struct fetch *, enum reason) ON_LOOP;
/* A write without an answer may have been done all the same: what is stored is not trusted. */
void outcome_suspect_write(struct fetch *) ON_LOOP;
