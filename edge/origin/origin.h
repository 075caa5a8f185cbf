/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An origin as one worker sees it: a named group of addresses, the connections kept to each, the
 * turn of who is next, and the queue of those for whom there is no connection. Loops share none of
 * it. Names are resolved by c-ares on the loop and kept fresh; the last good addresses stay in use
 * while a resolver fails.
 *
 * Addresses take turns. One that lately took no connection, or none that could be made safe, is
 * passed over while others are there; an exchange tries each at most once. All addresses speak TLS,
 * or none does.
 *
 * Life: origin_new -> exchanges -> origin_free; the last exchange takes the origin with it.
 */
#pragma once

#include "edge/base/meter.h"
#include "edge/origin/options.h"
#include "edge/origin/pool.h"
#include "edge/origin/resolve.h"
#include "edge/wire/h1_read.h"

struct origin;
struct endpoint;

/* clang-format off */
#define ORIGIN_METERS(X) \
	X(requests, COUNTER, "origin_requests_total", "", "Requests sent to origins.") \
	X(connects, COUNTER, "origin_connects_total", "", "Connections made.") \
	X(reused, COUNTER, "origin_reuses_total", "", "Requests sent on a kept connection.") \
	X(retries, COUNTER, "origin_retries_total", "", "Requests sent again after a kept connection died.") \
	X(connect_failed, COUNTER, "origin_failures_total", "why=\"connect\"", "Failed exchanges.") \
	X(tls_failed, COUNTER, "origin_failures_total", "why=\"tls\"", "Failed exchanges.") \
	X(distrusted, COUNTER, "origin_failures_total", "why=\"certificate\"", "Failed exchanges.") \
	X(timed_out, COUNTER, "origin_failures_total", "why=\"timeout\"", "Failed exchanges.") \
	X(malformed, COUNTER, "origin_failures_total", "why=\"malformed\"", "Failed exchanges.") \
	X(truncated, COUNTER, "origin_failures_total", "why=\"truncated\"", "Failed exchanges.") \
	X(closed, COUNTER, "origin_failures_total", "why=\"closed\"", "Failed exchanges.") \
	X(refused, COUNTER, "origin_failures_total", "why=\"busy\"", "Failed exchanges.") \
	X(busy, GAUGE, "origin_connections", "state=\"busy\"", "Connections to origins.") \
	X(idle, GAUGE, "origin_connections", "state=\"idle\"", "Connections to origins.") \
	X(waiting, GAUGE, "origin_waiting", "", "Requests that wait for a name or a connection.") \
	X(bytes_in, COUNTER, "origin_received_bytes_total", "", "Bytes read from origins.") \
	X(bytes_out, COUNTER, "origin_sent_bytes_total", "", "Bytes written to origins.")
/* clang-format on */
struct origin_meters {
	METER_FIELDS(ORIGIN_METERS)
};
extern const struct meter_table origin_meter_table;

enum {
	ORIGIN_WAITING = 1024,      /* exchanges in the queue; the next one is refused */
	ORIGIN_SPARES = 64,         /* exchanges kept for the next request */
	ORIGIN_FIELDS = 200,        /* field lines of an answer */
	ORIGIN_PASS_OVER_MS = 1000, /* an address that took no connection, while others are there */
};

struct origin {
	/* fixed after origin_new */
	struct loop *home;
	struct origin_options options; /* a copy: strings only while it is made */
	struct origin_meters *meters;
	struct origin_tls tls;      /* the client counted; NULL = plain */
	struct h1_limits limits;    /* of an answer's head */
	struct endpoint *endpoints; /* one per configured address */
	unsigned endpoint_count;
	struct resolver *resolver; /* NULL = no address is a name */
	char *scratch;             /* the read buffer that exchanges share */
	/* home loop */
	struct pool *pools; /* listed or not */
	unsigned pool_count, listed_count;
	unsigned next_pool;      /* whose turn it is */
	unsigned asking_count;   /* names that were not answered yet */
	uint64_t admitted_count; /* exchanges past the queue */
	struct list waiting;     /* struct ticket, first come first */
	unsigned waiting_count;
	struct list spares; /* struct exchange, by spare_link */
	unsigned spare_count;
	unsigned owners;
	unsigned refs; /* one per owner and one per exchange */
};

/* Makes the group for one loop. The loop's side of TLS must stay as long as the loop; tls NULL, or
 * its client: plain. before: the group that this one replaces, or NULL: what it knows of the same
 * names serves until they are answered anew. own: origin_free. fail: NULL without memory. */
struct origin *origin_new(struct loop *, const struct origin_options *, struct origin_meters *,
    const struct origin_tls *tls, const struct origin *before) ON_LOOP;
/* One more owner. own: origin_free. */
struct origin *origin_keep(struct origin *) ON_LOOP;
/* With the last owner kept connections are closed; exchanges under way go on and the group goes
 * with the last. Nulls. */
void origin_free(struct origin **) ON_LOOP;

/* ---- for the probe ---- */

/* A name of it whose addresses are not known, as nobody has told them yet or it has none;
 * SLICE_NONE = no such: the listed pools are all that traffic may reach. Borrowed from the
 * origin. */
struct slice origin_unknown(const struct origin *) ON_LOOP;

/* ---- for the exchange ---- */

/* A place in the queue, embedded in the exchange. */
struct ticket {
	struct list link;  /* unlinked = not in the queue */
	struct mail *call; /* posted when it may look again */
	bool is_admitted;
};

enum admittance {
	ADMITTED,         /* may use a connection, until origin_leave */
	ADMIT_AFTER_NAME, /* waits in the queue: the first answer about a name is due */
	ADMIT_AFTER_TURN, /* waits in the queue: all connections are in use */
	ADMIT_NO_NAME,    /* no name has an address */
	ADMIT_NO_ROOM,    /* the queue is full */
};

/* Asks to use a connection; asks again after each call. */
enum admittance origin_admit(struct origin *, struct ticket *) ON_LOOP;
/* Leaves the queue, or lets the next one in. Safe to repeat. */
void origin_leave(struct origin *, struct ticket *) ON_LOOP;
/* The address whose turn it is, among those that took every connection since then; NULL = none. */
struct pool *origin_choose(struct origin *, struct mono since) ON_LOOP;
void origin_ref(struct origin *) ON_LOOP;
void origin_unref(struct origin **) ON_LOOP;
