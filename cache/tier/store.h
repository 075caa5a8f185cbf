/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the cold tier's threads share: the database, the ledger, the disk's health, the counts, and
 * which hashes are about to be forgotten. The writer (writer.h) writes, the readers (loader.h)
 * read, the facade (cold.h) decides who is asked.
 *
 * The database is opened and closed while all of them run (mount.h), by the writer. It itself sees
 * that by `rocks`; everyone else uses database and ledger only inside the gate.
 */
#pragma once

#include "cache/tier/cold.h"
#include "cache/tier/forgets.h"
#include "cache/tier/gate.h"
#include "cache/tier/health.h"
#include "cache/tier/lease.h"
#include "cache/tier/ledger.h"
#include "cache/tier/mount.h"
#include "cache/tier/sizes.h"
#include "cache/tier/tenant.h"

enum { CHUNK_HEAD_BYTES = 24 };

struct store {
	/* fixed */
	struct writer *writer;
	struct journal *journal;
	struct cold_host host;
	struct crew *readers;
	struct sizes sizes;
	/* the writer's; others: inside the gate */
	struct rocks *rocks; /* NULL = it is not open */
	struct ledger ledger;
	/* writer */
	struct mount mount;
	/* atomic */
	struct share_table shares;
	struct gate gate;
	struct health health; /* told under `telling` */
	struct lock telling;
	struct cold_meters meters;
	meter states[COLD_STATES * TROUBLE_COUNT];
	meter tenant_bytes[TENANTS]; /* of bodies in files */
	struct cold_times times;
	struct forgets forgets;
	struct leases leases;
	/* writer */
	struct mono measured_at;
	bool is_measured; /* since something was written */
};

/* A record's key. Sorts as nothing in particular. */
struct meta_key {
	char bytes[16];
};
static inline struct meta_key meta_key_of(struct hash128 hash)
{
	struct meta_key key;
	memcpy(key.bytes, &hash, sizeof(key.bytes));
	return key;
}
#define KEY_SLICE(key) slice_of((key).bytes, sizeof((key).bytes))

/* A chunk's head: whose it is, which one, how long. Then the bytes. */
struct chunk_head {
	uint64_t owner;  /* hash.lo */
	uint64_t digest; /* of the bytes: XXH3-64 */
	uint32_t index;
	uint32_t bytes;
};
_Static_assert(sizeof(struct chunk_head) == CHUNK_HEAD_BYTES, "written as it is");

/* Tells how a call to the store went: counts, and judges the disk's health. What is read and does
 * not check says nothing about the disk. thread: any. */
void store_tell(struct store *, enum health_lane, enum err);
/* As that, of what was found out otherwise. */
void store_tell_trouble(struct store *, enum health_lane, enum trouble, const char *words);
enum cold_state store_state(const struct store *);
enum trouble store_trouble(const struct store *);
/* Sets the meters of the state. Done by those above when it changes. */
void store_show_state(struct store *);

/* As rocks_get, not from RAM alone: takes the time, and tells how it went. thread: any that may
 * block. */
enum rocks_look store_get(
    struct store *, enum rocks_family, struct slice key, struct rocks_value *ret_value) ON_WORKER;
/* As rocks_write: takes the time and counts the bytes. thread: writer. */
enum err store_write(struct store *, struct rocks_batch *, enum rocks_safety) ON_WORKER;
/* Sets what only the database knows of itself, once a second at most. thread: writer. */
void store_measure(struct store *, struct mono now) ON_WORKER;
/*
 * Reads a chunk of a body, and checks that it is that. own: rocks_unpin the value, which bytes
 * point into. Inside the gate. fail: ERR_STORE_IO, also when it is not there any more;
 * ERR_STORE_CORRUPT.
 */
enum err store_chunk(struct store *, uint64_t id, uint64_t owner, uint64_t index,
    struct rocks_value *ret_value, struct slice *ret_bytes) ON_WORKER;

/* Whether an object was not purged since it was asked for. thread: any. */
bool store_stands(struct store *, struct object *);
/* Judges an object from the disk before anybody sees it: what is left of its life. False: it is
 * gone. Inside the gate. */
bool store_admits(struct store *, struct object *) ON_WORKER;
