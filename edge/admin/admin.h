/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin listener, on the control loop: metrics, health, and the verbs of larderctl. It speaks
 * through the same sessions as the traffic does, so what a client may send here is held to the same
 * strictness; its limits are fixed and small. A table of endpoints in admin.c names all there is.
 *
 *	GET  /healthz            200 as long as the control loop turns
 *	GET  /readyz             200, or 503 with the reason: starting, draining
 *	GET  /metrics            Prometheus text
 *	GET  /v1/stat            the same as JSON; ?prefix=http_&prefix=cache_
 *	GET  /v1/store           how both tiers do: state, sizes, and the metrics of cache and store
 *	GET  /v1/object          all that is stored at ?url=: see object.h
 *	GET  /v1/objects         what is stored, in pages
 *	GET  /v1/objects/top     what is asked for most often
 *	GET  /v1/object/export   a stored answer, as bytes: see export.h
 *	POST /v1/purge           purges: see purge.h
 *	GET  /v1/purge/SEQ       how a purge fared
 *	GET  /v1/purges          what was purged
 *	GET  /v1/openapi.json    all of this, as OpenAPI 3.1
 *	GET  /v1/config          the configuration in force, YAML
 *	POST /v1/config/reload   200, or 422 with every error; then what was in force stays
 *	GET  /v1/certs           the certificates in force, JSON
 *	POST /v1/certs/reload    200, or 422 with what could not be read, which stays as it was
 *
 * Each endpoint names the scope that it needs, in the table; the first three need none. See actor.h
 * for who has which: without tokens and clients' certificates, who may connect may do all of it,
 * and the address should be a loopback one, or a unix socket for its group. A browser is no such
 * person: a page of another site may not send what changes something (403).
 *
 * What admin cannot know it asks its owner for, through functions given at the start.
 * thread: everything here runs on the control loop.
 */
#pragma once

#include "cache/cache.h"
#include "edge/admin/actor.h"
#include "edge/admin/metrics.h"
#include "edge/loop/listen.h"
#include "edge/serve/arrival.h"
#include "edge/serve/plan.h"
#include "edge/tls/local.h"

struct admin_reload;
struct purge_log;
struct repeats;

/* clang-format off */
#define ADMIN_METERS(X) \
	X(refused_address, COUNTER, "admin_refused_total", "why=\"address\"", "Requests to the admin listener refused.") \
	X(refused_token, COUNTER, "admin_refused_total", "why=\"token\"", "Requests to the admin listener refused.") \
	X(refused_scope, COUNTER, "admin_refused_total", "why=\"scope\"", "Requests to the admin listener refused.") \
	X(refused_rate, COUNTER, "admin_refused_total", "why=\"rate\"", "Requests to the admin listener refused.")
/* clang-format on */
struct admin_meters {
	METER_FIELDS(ADMIN_METERS)
};
extern const struct meter_table admin_meter_table;

/* What is to be loaded again. */
enum admin_what { ADMIN_CONFIG, ADMIN_CERTS };

struct admin_options {
	struct slice address; /* "HOST:PORT", "https://HOST:PORT" or "unix:PATH" */
	struct admin_access access;
	struct metrics *metrics;
	/* fixed; each gets `owner`, and runs ON_LOOP */
	void *owner;
	/* Why no traffic should come, in a word or two; NULL = ready. */
	const char *(*unready)(void *owner);
	/* Writes the configuration in force. */
	void (*dump)(void *owner, struct buf *);
	/* Writes the certificates in force, as JSON. */
	void (*certs)(void *owner, struct buf *);
	/* Writes how the store does, as JSON. */
	void (*store)(void *owner, struct buf *);
	/* The policy that a request for that authority and path would get. Borrowed for the
	 * call. */
	const struct cache_policy *(*policy)(
	    void *owner, struct slice authority, struct slice path);
	/* A hold on what is served by now, as a worker has it. The caller drops it. */
	struct site (*site)(void *owner);
	struct cache *cache;      /* fixed */
	struct purge_log *purges; /* fixed */
	/* Loads it again and answers, now or later, with admin_reloaded: once. */
	void (*reload)(void *owner, enum admin_what, struct admin_reload *);
};

struct admin {
	/* fixed after start */
	struct admin_options options;
	char *path; /* of the unix socket; NULL = TCP */
	/* home loop */
	struct listener listener;
	struct front front;
	struct admin_access access; /* in force */
	struct admin_meters meters;
	_Atomic uint64_t connections;
	struct list errands; /* struct errand: what waits for the disk */
	struct repeats *repeats;
	struct tls_local tls; /* of clients, and for asking origins */
	struct origin_meters origin_meters;
	bool is_open;
};

/*
 * Opens the listener and takes connections from the loop's next round on. A socket file that nobody
 * listens on any more is replaced. own: admin_stop and admin_fini, also after a failure. fail:
 * ERR_CONF, ERR_SYSTEM with a line for people in `why`; ERR_NO_MEMORY.
 */
enum err admin_start(struct admin *, struct loop *, const struct admin_options *, char *why,
    size_t why_room) ON_LOOP;
/* From now on these may do what they say; connections stay. own: must stay until the next call. */
void admin_set_access(struct admin *, const struct admin_access *) ON_LOOP;
/* Closes everything at once; the socket's file is removed. */
void admin_stop(struct admin *) ON_LOOP;
/* Frees what still waited for the disk: after the cache was closed, which answers no more. */
void admin_fini(struct admin *) ON_LOOP;

/*
 * Tells whoever asked how the reload went, if he is still there. errors: one a line, when !is_ok.
 * own: takes the reload, and nulls it.
 */
void admin_reloaded(struct admin_reload **, bool is_ok, struct slice errors) ON_LOOP;
