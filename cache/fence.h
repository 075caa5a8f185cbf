/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fence: which stored answers a purge has overtaken. Every purge gets the next number and is
 * put down at the scopes that it is for (cache/rule/scope.h); every object carries the number that
 * held when its origin request started. An object stands when none of its scopes has a newer
 * number: so an answer that was fetched before a purge and arrives after it is never taken for
 * fresh, however late it comes, and what a purge costs does not depend on how much it is for.
 *
 * An object also remembers up to which number it was looked at (object.checked). As long as there
 * is none newer, that is all a hit asks. No list is gone through per request.
 *
 * Scopes are kept in a table of a fixed size: sets of eight, a scope's set chosen by its hash. When
 * a ninth comes, the set's oldest is left out, and its number goes into the set's `lost`: of what
 * is older than that the table is not sure any more. Then the disk is asked, which has all numbers
 * (cache.h); without one, such an object is validated before it is used.
 *
 * What no number of scopes can say, a pattern does: a function that an object is asked by, once.
 * There are few at a time: each is in force only until all that is stored was gone through, and
 * then retired. What arrives after that and began before it is validated before use.
 *
 * thread: any, all of it.
 */
#pragma once

#include "cache/rule/scope.h"
#include "cache/tier/object.h"

struct fence_ruling {
	bool stands;
	/* if not */
	enum purge_mode mode;
	struct wall soft_at; /* PURGE_SOFT */
	bool is_unsure;      /* only because the table does not know: fence_recall does */
};

/* An object is asked whether it is one of those that are purged. Must not block. */
typedef bool fence_matches_f(const void *what, const struct object *);

struct fence_pattern {
	struct purge_act act;
	fence_matches_f *matches;
	const void *what; /* there until fence_retire has returned */
	uint64_t number;  /* set by fence_add */
};
enum { FENCE_PATTERNS = 64 };

/* Reads what the disk has of a scope. False: it cannot be read. ON_WORKER */
typedef bool fence_recall_f(void *arg, struct scope, struct purge_mark *ret_mark);

struct fence;

/* first: larger than every number given out before (in a former life). own: fence_free. */
struct fence *fence_new(uint64_t first);
void fence_free(struct fence **);
/* The number that holds now: for an origin request that starts. */
uint64_t fence_now(const struct fence *);
/* Makes the number that holds now at least this one; what stands still stands. */
void fence_lift(struct fence *, uint64_t first);

/*
 * Overtakes everything of these scopes that was asked for until now. `then`, unless NULL, is called
 * with the number while nobody can get another, before it holds. Returns the number, which holds.
 */
typedef void fence_then_f(void *arg, uint64_t number);
uint64_t fence_raise(struct fence *, const struct scope *, size_t count, struct purge_act,
    fence_then_f *then, void *arg);
/* Puts down a number of before: of a former life, or as of a pattern that is to be retired. */
void fence_put(struct fence *, struct scope, struct purge_act, uint64_t number);

/* As fence_raise, of what a pattern matches. Copies it. False: there are too many. */
bool fence_add(struct fence *, struct fence_pattern *, fence_then_f *then, void *arg);
/* As it was, in a former life: `number` is set. */
bool fence_readd(struct fence *, const struct fence_pattern *);
/* Takes a pattern out of force: all that is stored and matches was put down at scopes of its own.
 * What was asked for before it and is not looked at yet has to be validated. */
void fence_retire(struct fence *, uint64_t number);

/* The newest number that holds for the scopes of a URL, whatever its tags: a request that comes now
 * must not wait for an answer that was asked for before. */
uint64_t fence_number(const struct fence *, struct slice url);
/* Whether an object stands. It remembers what was found. */
struct fence_ruling fence_judge(struct fence *, struct object *);
/* As fence_judge; what the table is not sure of is recalled: of an object from the disk, or of one
 * that was in RAM for long. It remembers what was found. known: the disk has all numbers up to this
 * one. */
struct fence_ruling fence_recall(
    struct fence *, struct object *, fence_recall_f *, void *arg, uint64_t known) ON_WORKER;
/* From which number on the table knows of all scopes; objects of former lives are older. */
void fence_begin(struct fence *, uint64_t first);

/* The life of an object as a ruling leaves it. */
struct life fence_life(struct life, const struct fence_ruling *);
