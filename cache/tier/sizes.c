/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/sizes.h"

/*
 * What may be on the disk and is not counted when the writer looks, in buffers of bodies or
 * records:
 *
 *	bodies	four memtables that are being written to tables, and what comes between two looks
 *		and before the files that went are deleted: a step each, and a group
 *	records	two memtables; a compaction's output, beside its input, which is all of level 0 and
 *		of the level below, or a table and the ten that it lies across
 *	log	those that are whole while tables are written, and the next one
 *	list	RocksDB's list of tables, the old and the new one
 */
enum { BODIES = 4 + 3, RECORDS = 2 + 12, LOGS = 4, LISTS = 2, SMALL_FILES = 256 * 1024 };

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
	return max_u64(min_u64(value, most), least);
}

struct sizes sizes_of(uint64_t disk, uint64_t memory)
{
	/* Six buffers, the block cache and the queue: a quarter of the memory. */
	uint64_t most = memory ? memory / 64 : UINT64_MAX;
	uint64_t body = clamp(min_u64(disk / 256, most), 256 * KIB, 64 * MIB);
	uint64_t meta = clamp(min_u64(disk / 512, most), 256 * KIB, 16 * MIB);
	struct sizes s = {
		.disk_bytes = disk,
		.body_buffer_bytes = body,
		.meta_buffer_bytes = meta,
		.log_bytes = 2 * meta,
		.manifest_bytes = clamp(disk / 512, 256 * KIB, 16 * MIB),
		.cache_bytes = clamp(min_u64(disk / 64, 4 * most), MIB, 64 * MIB),
		.queue_bytes = clamp(4 * most, MIB, 64 * MIB),
		.group_bytes = min_u64(body, 4 * MIB),
	};
	uint64_t unseen = BODIES * body + RECORDS * meta + LOGS * s.log_bytes +
	    LISTS * s.manifest_bytes + SMALL_FILES;
	s.budget_bytes = disk - min_u64(unseen, disk / 2);
	return s;
}
