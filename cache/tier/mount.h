/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mount brings the store's database in and takes it out while Larder runs: it opens it as soon as
 * that can be done, closes and opens it anew when writing failed in a way that RocksDB does not get
 * over by itself, and when another disk was mounted over its directory. Everyone but the writer is
 * held off by the store's gate meanwhile.
 *
 * Before RocksDB is let at a directory the disk is tried: Debian's RocksDB has assertions that a
 * disk without room runs into, and while nothing can be written, what is open is left open for
 * those who read.
 *
 * A store that stays corrupt is begun anew: it is a cache, its loss costs the origin some requests,
 * and a copy kept aside would cost as much disk as the store may use. And RocksDB by itself deletes
 * files in its directory that look like its own. So it is let at a directory only if that is empty
 * or a store of Larder's, which has a tag in it; anything else is left as it is.
 */
#pragma once

#include <sys/types.h>

#include "edge/base/clock.h"
#include "edge/base/err.h"

struct store;
struct ledger_seed;

/* What a new or newly found store is told, and tells (cold.h: struct cold_host). */
struct mount_host {
	void (*seed)(struct store *, struct ledger_seed *);
	enum err (*opened)(struct store *);
};

struct mount {
	/* fixed */
	char *path; /* owned */
	struct mount_host host;
	/* the opener: mount_init's thread, then the writer's */
	dev_t device; /* of the directory that is open */
	ino_t inode;
	unsigned corrupt_count; /* failures in a row for which it was to blame */
	struct mono corrupt_at;
	struct mono looked_at;
	unsigned refused; /* writes in a row that RocksDB refused though the disk takes them */
};

/* own: mount_fini. fail: ERR_NO_MEMORY. */
enum err mount_init(struct store *, const char *path, struct mount_host);
/*
 * Opens, or closes and opens anew, when it is time to. True when the database is another one than
 * before. May block for as long as readers are inside. thread: the opener's.
 */
bool mount_tend(struct store *, struct mono now);
/* While reading or writing fails: tries again, when it is time to. thread: writer. */
void mount_try_again(struct store *);
/* Closes. */
void mount_fini(struct store *);
