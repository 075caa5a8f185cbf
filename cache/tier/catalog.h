/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalogue: what is on disk, for people who look at it. A look reads records, never bodies, on
 * a thread of the store's read crew, a bounded number of them at a time, and mails home what
 * counts:
 *
 *	catalog_find    the records at given hashes, and those of the variants that a marker among
 *	                them leads to
 *	catalog_walk    the records from a place on, in the order of their keys on disk, that a filter
 *	                lets through; where to go on comes with them
 *
 * The order on disk is that of hashes: it means nothing, but it is the same from one look to the
 * next, so a walk in parts meets each record that stays once. What is being forgotten, was evicted
 * or does not check is passed over: nobody would be served from it. A walk sees the store as it was
 * when it began.
 */
#pragma once

#include "cache/tier/cold.h"

enum { CATALOG_ITEMS = 1000, CATALOG_HASHES = 1000, CATALOG_LOOKS = 50000 };

/* Which keys are meant. Empty parts let everything through. */
struct key_filter {
	struct slice host;   /* "shop.example", or with its port */
	struct slice prefix; /* of the URL; of the path when it begins with '/' */
};
bool key_fits(const struct key_filter *, struct slice key);

/* What is stored at one hash. */
struct catalog_item {
	struct object *object; /* its head, without a body. The look's */
	uint64_t body_bytes;
	uint64_t place; /* of its body in the log: the first chunk's id */
	bool is_purged; /* and not removed yet */
};

struct catalog;
/* Runs ON_LOOP at catalog->home. */
typedef void catalog_done_f(struct catalog *);

struct catalog {
	/* the owner fills in, and leaves alone until `done` was called: there is no cancelling */
	struct loop *home;
	catalog_done_f *done;
	struct hash128 *hashes; /* catalog_find: where to look; at most CATALOG_HASHES */
	size_t hash_count;
	struct key_filter filter; /* catalog_walk */
	struct hash128 from;      /* first key to look at, and then the first that was not */
	size_t limit;             /* items; at most CATALOG_ITEMS */
	/* results */
	struct catalog_item *items; /* freed by catalog_fini */
	size_t count;
	bool is_over; /* catalog_walk: there is no more */
	enum err err; /* it may not be all */
	/* catalogue */
	struct store *store;
	struct job job;
	struct mail mail;
};

/* Both: false when the disk is not to be asked now, or the crew's queue is full.
 * own: catalog_fini, after `done`. */
bool catalog_find(struct cold *, struct catalog *) ON_LOOP;
bool catalog_walk(struct cold *, struct catalog *) ON_LOOP;
/* Frees what was found. */
void catalog_fini(struct catalog *);
