/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A spool is a body that is only on disk: too large for RAM, or read from there for one reader.
 * While it comes from the origin the writer lengthens it chunk by chunk (writer_spool), and whoever
 * comes too late to follow the flow in RAM reads what is written already and waits for the rest.
 * One that is whole stays as it is; its chunks may be evicted at any moment when nobody holds a
 * lease on them (lease.h), which a reader notices. One that turns out to be larger than may be
 * stored is stopped: its readers go on from the flow in RAM, which keeps for them what comes behind
 * the last byte on disk, and nobody finds it any more. Who is far behind then is cut: all others
 * would wait for him.
 *
 *	chunks    all of CHUNK_BYTES but the last
 *	extents   where they are in the log: runs of ids, ascending, as other bodies are written
 *	          between the parts of this one
 *
 * Life: spool_new -> spool_grow ... -> spool_finish | spool_stop | spool_fail; or spool_of_record,
 * whole. Counted.
 */
#pragma once

#include "cache/tier/record.h"

struct store;

enum { SPOOL_WAIT_BYTES = 32 * 1024 * 1024 };

/* Someone who reads on from where he is. */
struct spool_reader {
	struct bell *bell; /* fixed: rung once when what he waits for is there, or an end */
	/* under the spool's lock */
	struct list link;
	uint64_t at; /* byte of the body */
	bool waits;
};

struct spool {
	_Atomic uint32_t refs;
	/* fixed */
	struct store *store;
	/* atomic: what readers look at first */
	_Atomic enum flow_state state;
	_Atomic uint64_t length; /* FLOW_LENGTH_UNKNOWN until it is known */
	/* under lock; fixed once whole */
	struct lock lock;
	struct extent *extents;
	uint32_t extent_count, extent_room;
	uint64_t filled;       /* bytes on disk */
	struct slice trailers; /* field lines; owned */
	struct list readers;
	struct flow_reader rest; /* at `filled`, once stopped, while one may need it */
	struct bell *hold;       /* the writer's: rung once a reader is that near */
	uint64_t hold_bytes;
};

/* Makes an empty spool that is to be filled. own: spool_unref. fail: NULL without memory. */
struct spool *spool_new(struct store *, uint64_t length);
/* Makes a whole one of a record's place. own: spool_unref. fail: NULL. */
struct spool *spool_of_record(struct store *, const struct record *);
struct spool *spool_ref(struct spool *);
void spool_unref(struct spool **);

/* Counts a run of chunks that are on disk now. fail: ERR_NO_MEMORY. thread: writer. */
enum err spool_grow(struct spool *, uint64_t first, uint32_t chunks, uint64_t bytes);
/* All of it is on disk. trailers: copied. fail: ERR_ORIGIN_TRUNCATED when that is less than was
 * announced, ERR_NO_MEMORY: it has failed then. thread: writer. */
enum err spool_finish(struct spool *, struct slice trailers);
/* No more will come to the disk: readers who are no more than SPOOL_WAIT_BYTES behind go on from the
 * flow, where `from` stands at the byte behind the last on disk. Takes it over while there are
 * such. thread: writer. */
void spool_stop(struct spool *, struct flow_reader *from);
/* No more will come: what was read must not be taken for the whole. thread: any. */
void spool_fail(struct spool *);
/* Whether what is on disk is more than so many bytes ahead of all readers. If so the bell will be
 * rung when it is not any more. thread: writer. */
bool spool_is_ahead(struct spool *, uint64_t bytes, struct bell *);
/* It will not be rung any more. thread: writer. */
void spool_release(struct spool *);

/* Where it is, for a record. Whole ones only: what is fixed is lent. */
struct extents spool_extents(const struct spool *);

/* Comes as a reader, from the byte `at` on; its bell is set. own: spool_leave, before the spool
 * goes. False: there is nothing to read any more. thread: any, as all below. */
bool spool_enter(struct spool *, struct spool_reader *, uint64_t at);
/* Accepts one that never entered, all zero, or has left. */
void spool_leave(struct spool *, struct spool_reader *);

enum spool_look {
	SPOOL_THERE, /* its chunk is on disk under *ret_id */
	SPOOL_LATER, /* the reader is rung once there is more, or an end */
	SPOOL_REST,  /* it will not come here: spool_cross */
	SPOOL_NEVER, /* it failed, or ends before */
};
/* Looks for the byte at an offset of the body. reader: who has come so far; NULL = nobody. */
enum spool_look spool_find(
    struct spool *, uint64_t at, struct spool_reader *reader, uint64_t *ret_id);
/* Leaves a spool that was stopped for the flow, attached behind the last byte on disk. */
void spool_cross(struct spool *, struct spool_reader *, struct flow_reader *to);

/* The ids of the first and the last chunk of the bytes from `at` up to `end`, as far as they are on
 * disk. False: none of them is. */
bool spool_span(struct spool *, uint64_t at, uint64_t end, struct span *ret_span);
/* Whether one of its chunks is among these ids. */
bool spool_has(struct spool *, struct span ids);

/* Whether it can be read to its end, as far as is known: not stopped or failed, nothing of it
 * evicted, nor about to be. */
bool spool_is_readable(struct spool *);

static inline enum flow_state spool_state(const struct spool *s)
{
	return atomic_load_explicit(&s->state, memory_order_acquire);
}
