/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks every address of an origin, each by itself, again and again until each has shown what is
 * wanted: a version in a response field, or in a JSON body. A deploy is over when all machines have
 * it, not when the first one does; what is purged before that is fetched anew from an old one.
 *
 * Each address is asked once every interval on a new connection, as a new request would meet it;
 * one that fails, more seldom. One that has shown the wanted value is left alone from then on: a
 * machine behind an address that balances between several cannot be told from the others. An
 * address that the resolver adds on the way is asked too, and one that it drops counts no more. A
 * name without any address holds the probe: traffic may still know one.
 *
 * Only 2xx counts, with any other status the value may be anybody's. A field that comes in several
 * lines has their values joined by ", " (RFC 9110 5.2). A number in JSON is compared by its decimal
 * text, so that 42 equals "42"; objects and arrays equal nothing. Nothing is followed: neither
 * redirects nor cookies.
 *
 * Life: probe_start -> on_end | probe_cancel. All of it runs on the origin's loop, in a tick; what
 * has to be noticed is noticed at the next one, 100 ms later at most. A body is parsed on the loop,
 * so only a small one is.
 */
#pragma once

#include "edge/origin/origin.h"

struct probe;

enum {
	PROBE_TICK_MS = 100,
	PROBE_INTERVAL_MS = 1000,               /* from the end of an answer to the next question */
	PROBE_BACKOFF_MS = 5000,                /* the same after failures in a row, at most */
	PROBE_ASK_MS = 10000,                   /* for one answer; then the address is asked anew */
	PROBE_LONGEST_MS = 24 * 60 * 60 * 1000, /* a longer timeout is cut to this */
	PROBE_AT_ONCE = 64,                     /* addresses asked at the same time */
	PROBE_BODY_BYTES = 64 * 1024, /* largest body that is looked into: < 1 ms to parse */
	PROBE_WORD_BYTES = 64 * 1024, /* all texts of a probe_spec together */
	PROBE_LINES = 32,             /* addresses told of in a result */
	PROBE_LINE_BYTES = 256,       /* one of those; a longer value is cut */
};

struct probe_result {
	bool is_ok;                /* every address has shown it */
	unsigned addresses, shown; /* that the origin has now; that have shown it */
	/* What each was last seen with, those that hold up the probe first: "10.0.0.2:8000:
	 * X-Version: 41". Without control characters. */
	const struct slice *lines;
	unsigned line_count;
};

struct probe_spec {
	struct slice host; /* as the origin is asked for it: its option, or the URL's authority */
	struct slice path; /* begins with '/' */
	struct slice query;
	bool has_query;
	struct slice field;  /* the response field that shows it; empty = `json` does */
	struct slice json;   /* where in the body: cache/rule/json_path.h */
	struct slice equals; /* what is wanted */
	int64_t timeout_ms;  /* not negative */
	int64_t interval_ms; /* 0 = PROBE_INTERVAL_MS */
	/* Over: once, last call, never from within probe_start. The result is borrowed for the
	 * call. */
	void (*on_end)(void *owner, const struct probe_result *);
	void *owner;
};

/*
 * Starts a probe; the texts are copied.
 * own: nothing; on_end or probe_cancel is its end. It keeps the origin.
 * fail: ERR_NO_ORIGIN (no address at all), ERR_NO_MEMORY (also: texts longer than
 * PROBE_WORD_BYTES), ERR_BAD_REQUEST (neither a field nor a path of JSON),
 * ERR_BAD_TARGET (a path without '/', a space or control character in what is asked for).
 */
enum err probe_start(struct origin *, const struct probe_spec *, struct probe **ret_probe) ON_LOOP;
/* Gives it up, also from within on_end: on_end comes no more. Accepts NULL; nulls it. */
void probe_cancel(struct probe **) ON_LOOP;
