/* SPDX-License-Identifier: Apache-2.0 */
/* How a store divides its part of the disk and of the memory. */
#pragma once

#include "edge/base/base.h"

struct sizes {
	uint64_t disk_bytes;   /* all that it may take there */
	uint64_t budget_bytes; /* of it, for tables; the rest is for what is on its way */
	uint64_t body_buffer_bytes, meta_buffer_bytes; /* memtables: 4 and 2 of them */
	uint64_t log_bytes, manifest_bytes;
	uint64_t cache_bytes;
	uint64_t queue_bytes; /* waiting to be written */
	uint64_t group_bytes; /* written in one go */
};

/* disk: bytes. memory: the ceiling of the process, of which it takes a quarter at most; 0 =
 * none. */
struct sizes sizes_of(uint64_t disk, uint64_t memory);
