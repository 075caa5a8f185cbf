/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fetch asks the origin and decides what its answer becomes: a stored object, a refreshed one, an
 * answer for one client only, or a failure that a stale copy may cover. It belongs to a worker, not
 * to the request that caused it: a shared fetch goes on when its client leaves, because others may
 * wait for it, and because the next one will.
 *
 *	FETCH_SHARED   holds the claim; a client waits for the answer, others may join
 *	FETCH_REFRESH  holds the claim; nobody waits (stale-while-revalidate, refreshing.h). Who
 *	               wants to know how it went is a client without an answer: it gets an object
 *	               only when that is stored
 *	FETCH_PRIVATE  no claim, for one client: other methods, uncacheable keys, bypass. Stored only
 *	               when a write says what it made, or a HEAD confirms what is stored
 */
#pragma once

#include "edge/serve/worker.h"

enum fetch_kind { FETCH_SHARED, FETCH_REFRESH, FETCH_PRIVATE };

/* How a fetch went, told once, when the head of the answer is known. */
struct fetch_result {
	struct object *object; /* a ref for the receiver; NULL = failed */
	enum err failure;      /* without an object */
	/* Why it is stored or not; STALE_IF_ERROR when a stale copy covers; STORED, and not
	 * is_stored: it will be, if its body tells its tags (tagging.h). */
	enum reason reason;
	uint16_t status; /* of the origin's answer; 0 = none came */
	bool is_stored;
	bool is_validated;    /* a 304 confirmed what was stored */
	struct slice address; /* of the origin; borrowed for the call */
	struct slice detail;  /* of its failure, for people; empty = none; borrowed for the call */
	int64_t head_us;      /* from the start to the head */
};

/* Who waits for a fetch. Embedded in the journey; told nothing any more after fetch_leave. */
struct fetch_client {
	struct fetch *fetch; /* NULL once it is over */
	void (*on_interim)(struct fetch_client *, const struct response *); /* NULL = not told */
	void (*on_answer)(struct fetch_client *, const struct fetch_result *);
	/* The fetch has ended, and its body with it; the last call. NULL = not told. */
	void (*on_over)(struct fetch_client *, enum err failure);
};

struct fetch_spec {
	enum fetch_kind kind;
	struct plan *plan; /* the route is of this plan */
	const struct route *route;
	const struct request *request;
	const struct control *control;     /* the request's directives */
	const struct forwarded *forwarded; /* who asks */
	struct flow *body;                 /* the request's, or NULL. FETCH_PRIVATE only */
	struct key key, at;                /* primary key, and where the answer is stored */
	struct object *stored; /* to validate, or to cover a failure; borrowed, may be NULL */
	bool is_strict;        /* a stale answer will not do, even if the origin fails */
	struct claim *claim;   /* passes to the fetch, also on failure */
	enum reason reason;    /* why it is private: told back when the answer does not say more */
	struct fetch_client *client; /* NULL = nobody's: FETCH_REFRESH */
};

/* Starts a fetch; everything in the spec is copied or counted. fail: as exchange_start; the claim
 * is released then, and the client not told. */
enum err fetch_start(struct worker *, const struct fetch_spec *) ON_LOOP;
/* The client is not interested any more. A private fetch is given up. */
void fetch_leave(struct fetch_client *) ON_LOOP;
/* Gives up what is still under way when the worker ends. */
void fetch_close_all(struct worker *) ON_LOOP;
