/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record is an object's head as bytes: the value at its hash in the store. Numbers are
 * little-endian and of fixed width up to the texts; each text has its length before it.
 *
 *	 0  u8   version                    40  u64  seq
 *	 1  u8   kind                       48  i64  life: response_time, born, fresh_until,
 *	 2  u16  status                              swr_until, sie_until, keep_until, in ms
 *	 4  u16  reason                     96  i64  last_modified, date, in ms
 *	 6  u16  life's flags              112  u32  etag: offset in head, length
 *	 8  u64  first chunk id            120  u32  lengths of key, head, spec, values, trailers,
 *	16  u64  last chunk id; 0: first             tags, extents
 *	         is only a place in the log 148  u32  count of variants
 *	24  u32  check: record_check       152       the texts; the variants, two u64 each; no more
 *	28  u32  zero
 *	32  u64  body bytes
 *
 * A body whose chunks are not all in a row has extents: 12 bytes for each run: its first id and its
 * number of chunks.
 *
 * Any defect makes a record corrupt, which is a miss: nothing of it is used.
 */
#pragma once

#include "cache/tier/object.h"
#include "edge/base/buf.h"

enum { RECORD_VERSION = 3, RECORD_FIXED_BYTES = 152, CHUNK_BYTES = 256 * 1024 };

/* From which chunk id to which a body is in the log; what lies between is not all its own. */
struct span {
	uint64_t first;
	uint64_t last; /* 0 = no chunks: `first` is only a place in the log */
};

/* A run of ids. `before`: chunks of the body in earlier runs. */
struct extent {
	uint64_t first;
	uint32_t chunks, before;
};
struct extents {
	const struct extent *at; /* ascending */
	uint32_t count;
};

/* Without rounding up: a number from the disk may be as large as numbers get. */
static inline uint64_t chunks_of(uint64_t bytes)
{
	return bytes / CHUNK_BYTES + (bytes % CHUNK_BYTES != 0);
}

struct record {
	enum object_kind kind;
	uint16_t status;
	enum reason reason;
	struct span span;
	uint64_t body_bytes, seq;
	struct life life;
	struct validators validators; /* etag is a part of head */
	struct slice key, head, spec, values, trailers, tags;
	struct slice variants; /* as bytes, 16 each */
	struct slice extents;  /* as bytes, 12 each; empty = one run */
};

/* Appends an object's record. Where its body is, is the caller's to know: runs, or with no chunks a
 * place in the log. */
void record_write(struct buf *to, const struct object *, struct extents, uint64_t place);
/* Reads a record; slices point into `bytes`. fail: ERR_STORE_CORRUPT. */
enum err record_read(struct slice bytes, struct record *ret_record);
/* Makes the object that a record is of, without a body. fail: NULL without memory. */
struct object *record_object(const struct record *, struct hash128);
/* The variants' hashes, when it is a marker's. */
uint32_t record_variant_count(const struct record *);
struct hash128 record_variant(const struct record *, uint32_t index);
/* Where its body is: how many runs, and the runs. */
uint32_t record_extent_count(const struct record *);
void record_extents(const struct record *, struct extent *to);
/* The check of a record's bytes, all but those where the check itself is. bytes: 28 at least. */
uint32_t record_check(struct slice bytes);
/* The span alone, unchecked but for bounds: for those who ask it of every record. */
bool record_span(struct slice bytes, struct span *ret_span);
