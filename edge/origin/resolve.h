/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to addresses, by c-ares on the loop: no thread, no blocking call. A lookup stays: it asks
 * again when the shortest TTL of its answer is over, and tells its owner each time. An answer
 * without addresses tells that the name has none, or that no server answers: what to make of it is
 * the owner's choice.
 *
 * c-ares answers from within its own calls, in which nothing may be taken away from it; so answers
 * are noted there and told after it has returned. Whoever hears one may free everything.
 */
#pragma once

#include "edge/loop/conn.h"

enum {
	LOOKUP_ADDRESSES = 16, /* more of one name are left out */
	LOOKUP_TTL_MIN_S = 1,
	LOOKUP_TTL_MAX_S = 300,
	LOOKUP_RETRY_S = 2, /* after an answer without addresses */
};

struct resolver;
struct lookup;
/* addresses[0..count) are the answer. Runs ON_LOOP. */
typedef void lookup_f(struct lookup *);

struct lookup {
	/* fixed after lookup_start */
	struct resolver *resolver;
	lookup_f *answered;
	char *host; /* owned */
	uint16_t port;
	/* home loop */
	struct address addresses[LOOKUP_ADDRESSES];
	unsigned count;
	struct list link;      /* among the answers to be told */
	struct ev_timer again; /* seconds until it asks again */
};

/* Makes a resolver on a loop, as /etc/resolv.conf says. own: resolver_free. fail: NULL. */
struct resolver *resolver_new(struct loop *);
/* Starts a lookup; `answered` may run before this returns. own: lookup_fini. */
void lookup_start(struct lookup *, struct resolver *, struct slice host, uint16_t port,
    lookup_f *answered) ON_LOOP;
/* Ends a lookup, after its resolver was freed. Safe on one that was never started. */
void lookup_fini(struct lookup *, struct loop *) ON_LOOP;
/* Drops all questions; no lookup of it is told anything more. Accepts NULL; nulls. */
void resolver_free(struct resolver **) ON_LOOP;
