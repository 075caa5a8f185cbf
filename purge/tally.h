/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes on behind a purge, which is in force long before: it is counted, and what a pattern
 * matches is put down at scopes of its own (survey.h), so that the pattern can be retired.
 *
 *	tallies_begin -> survey -> counted -> [the pattern is retired]
 *
 * A pattern stays in force until the disk could be read to its end, and has all that was put down
 * for the pattern: that is tried again. Those of
 * former lives are swept as soon as the cache is open.
 *
 * thread: any, where nothing else is said.
 */
#pragma once

#include "cache/purging.h"
#include "edge/loop/loop.h"
#include "purge/survey.h"

struct tallies;

/* Who is told, ON_LOOP of control. seq: 0 = of a former life. */
struct tally_events {
	/* is_first: of that purge; it comes again when the disk could not be read for a pattern. */
	void (*counted)(void *arg, uint64_t seq, const struct survey *, bool is_first);
	void (*swept)(void *arg, uint64_t seq);
	/* It is not counted: too many are at a time. thread: any. */
	void (*skipped)(void *arg, uint64_t seq);
};

/* patterns: counts those in force. own: tallies_free. fail: NULL. */
struct tallies *tallies_new(
    struct cache *, struct loop *control, const struct tally_events *, void *arg, meter *patterns);
/* The cache is open: what waits begins. fail: ERR_SYSTEM. */
enum err tallies_start(struct tallies *) ON_LOOP;
/* Ends what is under way; nothing begins any more. Before the cache is closed. */
void tallies_stop(struct tallies *) ON_LOOP;
/* After the cache was closed, and control has had its letters. Accepts NULL. */
void tallies_free(struct tallies **);
/* Who counts; NULL before tallies_start. */
struct surveyor *tallies_surveyor(const struct tallies *);

/* Keeps an order that is a pattern, for as long as it is in force. The result is tallies', until
 * the order is dropped or swept. fail: NULL without memory. */
struct fence_pattern *tallies_keep(struct tallies *, struct order *, struct purge_act);
/* The pattern did not come in force. */
void tallies_drop(struct tallies *, const struct order *);
/* Whether a pattern of that number is in force. */
bool tallies_has(struct tallies *, uint64_t number);

/* Counts what was asked for before `number`, and sweeps the order if it is kept as a pattern.
 * Without memory nothing is counted; a pattern stays then, until the next life sweeps it. */
void tallies_begin(struct tallies *, struct order *, uint64_t seq, uint64_t number);
