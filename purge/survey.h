/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A survey goes through all that is stored, in RAM and then on disk, and tells what an order is for: for
 * its receipt, for a preview, for the refresh. One thread does it, for all who wait at a time in one go;
 * between two goes it rests for ten times as long, unless somebody waits. Certain URLs are looked up
 * instead. What a purge is for is in force long before.
 *
 * Each object is counted once; of one that is in RAM and on disk, RAM's is. A preview counts what stands:
 * what its order would take something from. What was purged softly is served stale, so it stands for a
 * hard order and not for another soft one. Of a purge that is done, what was asked for before it is
 * counted, be it purged before as well: the fence keeps the newest number of a scope alone. What is past
 * its time is counted by neither. What leaves RAM for the disk between the two may be counted again, and
 * what comes from there may be missed: to be sure of that, all that was met would have to be kept.
 *
 * A sweep does more: it puts what a pattern matches down at scopes of its own, so that the pattern can
 * be retired (cache/fence.h). Nothing slips through: what the store's writer had in hands is waited for
 * first, and what it takes into its hands later it asks about itself.
 *
 * How often objects are asked for is known for those in RAM alone: their hits, over the time since they
 * came. From that, and as if requests came at random, it is estimated
 *
 *	requests_per_s           the sum of what is asked for now
 *	origin_per_minute        what would reach the origin in the minute after all of it were purged:
 *	                         of each object one request, if one comes: 1 - e^(-60 rate)
 */
#pragma once

#include "cache/cache.h"
#include "edge/loop/loop.h"
#include "purge/hottest.h"
#include "purge/order.h"

enum { SURVEYS = 64, SURVEY_SAMPLES = 10, SURVEY_SAMPLE_BYTES = 256, SURVEY_HOTTEST = 10000 };

struct surveyor;

struct survey {
	/* the owner sets, and leaves alone until `done` */
	struct order *order; /* prepared; the owner's ref must stay until done */
	uint64_t before; /* what was asked for before this number; UINT64_MAX = all that stands */
	size_t hottest;  /* how many of those asked for most are wanted; SURVEY_HOTTEST at most */
	bool sweeps;
	struct wall at; /* sweeps: when what it is for was purged */
	bool is_urgent; /* somebody waits for it */
	struct loop *home;
	void (*done)(struct survey *); /* ON_LOOP of home: comes once, in any case */
	/* results */
	enum err err; /* ERR_STORE_IO: the disk could not be read, and counts for nothing;
	                 ERR_CANCELLED; ERR_NO_MEMORY: the hottest are not all */
	uint64_t objects, variants, bytes, in_ram;
	double requests_per_s, origin_per_minute;
	char samples[SURVEY_SAMPLES][SURVEY_SAMPLE_BYTES];
	unsigned sample_count;
	struct survey_item *items; /* most asked for first. Owned: survey_fini */
	size_t item_count;
	/* the surveyor's */
	struct mail mail;
	_Atomic bool is_cancelled;
	struct survey *next;
};

/* own: surveyor_free. fail: NULL. */
struct surveyor *surveyor_new(struct cache *);
/* Ends: what waits is told ERR_CANCELLED, by letters to homes that must be there still. */
void surveyor_free(struct surveyor **);
/* False: too many wait already (none is refused that sweeps, or that somebody waits for). thread: any. */
bool survey_begin(struct surveyor *, struct survey *);
/* `done` comes soon. thread: any. */
void survey_cancel(struct survey *);
/* Frees the results. */
void survey_fini(struct survey *);
