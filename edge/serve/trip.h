/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trip is one request going its journey. journey.c knows the way and decides; a trip is what the
 * request carries there: what was asked, what it waits for, what will be answered, what the log is
 * to know. It never names a step.
 *
 *	trip_begin -> steps and waits -> trip_end -> [letters under way] -> trip_release -> spare
 *
 * The client may leave while a letter to its trip (a claim's, the disk's, a body's) is on its way.
 * Letters are not called back, so trip_end only takes the stream away; whoever gets the last letter
 * sees that `stream` is NULL and releases the trip. Released trips are the worker's to use again:
 * their buffers have grown to what its requests need.
 *
 * Invariants: a trip lives on its worker's loop and is told everything there; it keeps the plan
 * that it began with, whatever is reloaded meanwhile; it is counted as under way from trip_begin to
 * trip_end, and each trip that began is counted and logged once.
 */
#pragma once

#include "cache/purging.h"
#include "edge/serve/answer.h"
#include "edge/serve/fetch.h"
#include "purge/log.h"

/* Who is told that what a trip waits for has come. One table for all trips. */
struct trip_events {
	void (*on_claim)(struct mail *);             /* of trip.wait: the joined claim has ended */
	void (*on_patience_over)(struct deadline *); /* of trip.patience */
	void (*on_loaded)(struct cold_load *, struct object *);
	void (*on_checked)(struct cache_check *);
	void (*on_answer)(struct fetch_client *, const struct fetch_result *);
	void (*on_purged)(struct purge *);
};

struct trip {
	struct worker *worker;
	struct stream *stream; /* NULL once the client is served or gone */
	struct plan *plan;
	struct list spare_link;
	const struct route *route;
	struct control control;
	struct forwarded forwarded; /* who asks, as far as that is believed */
	struct cache_query query;
	/* what is waited for */
	struct claim_wait wait;
	struct deadline patience; /* how long it may take until the joined fetch's answer begins */
	struct claim *claim;
	struct cold_load load;
	struct buf load_key;
	struct cache_check check;
	bool is_loading, is_checking, was_checked;
	struct purge purge; /* of the PURGE method */
	bool is_purging;
	uint64_t least; /* the fence's number that an answer must be asked for at, or after */
	struct fetch_client client;
	unsigned looks;
	/* what will be answered */
	struct object *object;
	enum err failure;
	enum result result;
	enum reason reason;
	struct slice forward; /* RFC 9211 fwd; empty = a hit */
	uint16_t forward_status;
	bool is_stored, is_collapsed, evaluates, is_circling, may_be_cold;
	struct buf lines;
	struct delivery delivery;
	struct text_source text;
	/* for the log */
	struct slice target; /* as the client sent it; empty = it was refused unread */
	struct wall began;
	struct slice address; /* of the origin, in address_text; empty = none was asked */
	char address_text[64];
	struct slice detail; /* of the origin's failure, in detail_text; empty = no more is known */
	char detail_text[FAILURE_BYTES];
	int64_t head_us; /* from the start of the fetch to its head; -1 = none */
	uint16_t status; /* of the answer; 0 = none was composed */
};

/* Begins the trip of a stream's request. own: trip_end. fail: NULL without memory. */
struct trip *trip_begin(struct stream *, const struct trip_events *) ON_LOOP;
/* The client is served or gone: counts and logs, leaves what was waited for, releases. */
void trip_end(struct trip *, enum err failure) ON_LOOP;
/* Whether bodies on their way fill their part of the memory: nothing that brings another begins. */
bool trip_lacks_memory(struct trip *) ON_LOOP;
/* Gives an ended trip back once no letter to it is on its way any more. */
void trip_release(struct trip *) ON_LOOP;

/* Takes down, for the log, the target as the client sent it: before anything is made of it. */
void trip_keep_target(struct trip *);
/* What a fetch of that kind is to know of the request. */
struct fetch_spec trip_fetch_spec(struct trip *, enum fetch_kind);
/* Takes down what a fetch tells of the origin, for the log and for Cache-Status. */
void trip_keep_origin(struct trip *, const struct fetch_result *);
/* The fence's number that the client asks for by Larder-Min-Seq: what was asked for before it is
 * too old for it. 0 = it asks for none. */
uint64_t trip_least(const struct trip *);
/* Whether what is known to be uncacheable is so for this request. */
bool trip_is_uncacheable(const struct trip *);
/* Whether what was found may be served (fresh.h), after what was purged and what the client
 * asks. */
enum fresh_verdict trip_judge(const struct trip *, enum reason *ret_reason);
/* Why the origin must not see this request, or not yet (RFC 8470 5.2). */
enum err trip_bars_origin(struct trip *) ON_LOOP;
/* Whether the disk is asked about what was found, once: on_checked comes, then it is looked up
 * again. */
bool trip_asks_disk(struct trip *) ON_LOOP;
/* Whether RAM has something now that it had not when it was looked up. */
bool trip_sees_newer(struct trip *);
/* Whether an answer that others asked for will do. What was purged by what nobody knew before its
 * head came is not for those who came after that; what covers an error was stored before, and is as
 * old as it may be. */
bool trip_may_take(const struct trip *, struct object *, enum reason);
/* When a claim for it begins, and which are too old to join. */
struct claim_times trip_claim_times(const struct trip *);
/* What the answer tells about how it came to be. */
struct note trip_note(const struct trip *);
/* Whether the request has a range, or a condition that a fetch for everyone would not pass on. */
bool trip_asks_for_less(const struct trip *);
/* Whether its fetch would be one for everyone: of a whole answer that may be kept. */
bool trip_asks_for_all(const struct trip *);
/* What composing the answer works with. The lines of an earlier form are gone. */
struct answer_form trip_form(struct trip *);

/* Frees the closing worker's spare trips. The loop stops with the last, the last refresher and
 * tagging: until then some wait for their letters. */
void trip_close_all(struct worker *) ON_LOOP;
