/* SPDX-License-Identifier: Apache-2.0 */
/* Purges, as the cache does them: in force by the fence, noted on disk by the journal. */
#pragma once

#include "cache/cache.h"

/*
 * Purges what is in these scopes: when it returns, that is in force for every request that comes.
 * told: when it is on disk as well, synced, or could not be written so far (it will be, if Larder
 * lives on); with the purge's sequence number, 0 in the latter case. Gives the fence's number.
 * text: what the log keeps of it, copied; empty: it is not in the log and nobody is told. fail:
 * ERR_NO_MEMORY; ERR_BUSY: there are too many patterns; then nothing was done. thread: any; never
 * blocks.
 */
struct cache_purge {
	const struct scope *scopes;
	size_t scope_count;
	struct purge_act act;
	struct slice text;
	/* NULL = the scopes say it all. `what` stays until cache_retire; its number is set. */
	struct fence_pattern *pattern;
	/* thread: the store's, or the caller's */
	void (*told)(void *arg, enum err, uint64_t number, uint64_t seq);
	void *arg;
};
enum err cache_purge(struct cache *, const struct cache_purge *, uint64_t *ret_number);
/*
 * A pattern's time is over: all that it is for was put down at scopes of its own. It is in force
 * until these are on disk: `told` says so, or that they could not be written so far; then comes
 * cache_retire (see fence_retire), or the same once more. thread: any; of told: the store's, or the
 * caller's.
 */
struct cache_retirement {
	uint64_t number;
	void (*told)(void *arg, enum err, uint64_t number, uint64_t seq);
	void *arg;
};
void cache_begin_retirement(struct cache *, const struct cache_retirement *);
void cache_retire(struct cache *, uint64_t number);
/*
 * Asks the disk about an object in RAM of which the fence is not sure (ruling.is_unsure): so many
 * scopes were purged since it was asked for last. Then it may be judged again. Embedded by who
 * asks.
 */
struct cache_check {
	/* the owner sets */
	struct loop *home;
	void (*done)(struct cache_check *); /* ON_LOOP of home: always comes */
	/* the cache's */
	struct cache *cache;
	struct object *object;
	struct job job;
	struct mail mail;
};
/* False: there is no disk, or it is too busy. */
bool cache_recall(struct cache *, struct cache_check *, struct object *) ON_LOOP;
/* The same at once, on a thread that may block. */
struct fence_ruling cache_ask_disk(struct cache *, struct object *) ON_WORKER;
