/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record is an object's head as bytes: the value at its hash in the store. Numbers are
 * little-endian and of fixed width up to the texts; each text has its length before it.
 *
 *	 0  u8   version                    24  u64  body bytes
 *	 1  u8   kind                       32  u64  body digest, XXH3-64
 *	 2  u16  status                     40  u64  seq
 *	 4  u16  reason                     48  i64  life: response_time, born, fresh_until,
 *	 6  u16  life's flags                        swr_until, sie_until, keep_until, in ms
 *	 8  u64  first chunk id             96  i64  last_modified, date, in ms
 *	16  u32  chunks (0: first is only  112  u32  etag: offset in head, length
 *	         a place in the log)       120  u32  lengths of key, head, spec, values, trailers
 *	20  u32  check: record_check       140  u32  count of variants
 *	                                   144       the texts; the variants, two u64 each; no more
 *
 * Any defect makes a record corrupt, which is a miss: nothing of it is used.
 */
#pragma once

#include "cache/tier/object.h"
#include "edge/base/buf.h"

enum { RECORD_VERSION = 1, RECORD_FIXED_BYTES = 144, CHUNK_BYTES = 256 * 1024 };

/* Where a body is in the log: chunk ids first ... first + chunks - 1, all but the last of
 * CHUNK_BYTES. */
struct span {
	uint64_t first;
	uint32_t chunks;
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
	uint64_t body_bytes, digest, seq;
	struct life life;
	struct validators validators; /* etag is a part of head */
	struct slice key, head, spec, values, trailers;
	struct slice variants; /* as bytes, 16 each */
};

/* Appends an object's record. Its body's place and digest are the caller's to know. */
void record_write(struct buf *to, const struct object *, struct span, uint64_t digest);
/* Reads a record; slices point into `bytes`. fail: ERR_STORE_CORRUPT. */
enum err record_read(struct slice bytes, struct record *ret_record);
/* Makes the object that a record is of, without a body. fail: NULL without memory. */
struct object *record_object(const struct record *, struct hash128);
/* The variants' hashes, when it is a marker's. */
uint32_t record_variant_count(const struct record *);
struct hash128 record_variant(const struct record *, uint32_t index);
/* The check of a record's bytes, all but those where the check itself is. bytes: 24 at least. */
uint32_t record_check(struct slice bytes);
/* The span alone, unchecked but for bounds: for those who ask it of every record. */
bool record_span(struct slice bytes, struct span *ret_span);
