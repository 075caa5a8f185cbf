/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A survey goes through all that is stored, in RAM and then on disk, and tells what an order is
 * for: for its receipt, for a preview, for the refresh. What a purge is for is in force long
 * before. Certain URLs are looked up instead.
 *
 * A surveyor is a thread that goes for all who wait at a time in one go. One is prompt, for those
 * whom somebody waits for. The other is patient: it takes only what time the processors have left,
 * and rests between two goes for ten times as long as the one before took; so no request waits for
 * a receipt's figures.
 *
 * A sweep does more: it puts what a pattern matches down at scopes of its own, so that the pattern
 * can be retired (cache/fence.h). Nothing slips through: what the store's writer had in hands is
 * waited for first, and what it takes into its hands later it asks about itself.
 *
 * How often objects are asked for is known for those in RAM alone: their hits, over the time since
 * they came. From that, and as if requests came at random, it is estimated
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
	bool is_unsettled; /* something may have slipped by the sweep: ERR_STORE_IO in the end */
	struct survey *next;
};

/* own: surveyor_free. fail: NULL. */
enum surveyor_kind { SURVEYOR_PROMPT, SURVEYOR_PATIENT };
struct surveyor *surveyor_new(struct cache *, enum surveyor_kind);
/* Ends: what waits is told ERR_CANCELLED, by letters to homes that must be there still. */
void surveyor_free(struct surveyor **);
/* False: too many wait already for a patient one; what sweeps is never refused. fail: ERR_NO_MEMORY
 * in `err`, later: the hottest are not known. thread: any. */
bool survey_begin(struct surveyor *, struct survey *);
/* `done` comes soon. thread: any. */
void survey_cancel(struct survey *);
/* Frees the results. */
void survey_fini(struct survey *);
