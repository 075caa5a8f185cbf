/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An arena holds everything whose life is that of one request (or one connection, one parse of
 * the configuration): allocate, never free, drop it all at the end. Blocks are kept for the next
 * user by arena_reset. A limit bounds it; passing the limit sets a sticky flag that a step tests
 * once (STYLE: 431 or 503), and the allocation answers NULL.
 */
#pragma once

#include "edge/base/slice.h"

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first */
	char *at, *end;             /* free room of the newest block */
	size_t used;                /* bytes in all blocks */
	size_t max;
	bool overflow;
};

struct arena_mark {
	struct arena_block *block;
	char *at;
};

/* Makes an empty arena that allocates nothing yet. max: bytes over all blocks. */
void arena_init(struct arena *, size_t max);
void arena_fini(struct arena *);
/* Forgets everything; keeps one ordinary block for the next round. */
void arena_reset(struct arena *);

/* Zeroed memory, aligned for any type. NULL and overflow past the limit. */
MUST_USE void *arena_alloc(struct arena *, size_t bytes);
/* As arena_alloc, not zeroed and not aligned: for text. */
MUST_USE char *arena_bytes(struct arena *, size_t bytes);
/* A copy that lives as long as the arena. Empty past the limit. */
struct slice arena_copy(struct arena *, struct slice);
struct slice arena_printf(struct arena *, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Remembers this moment; arena_rewind drops what was allocated since. */
struct arena_mark arena_mark(const struct arena *);
void arena_rewind(struct arena *, struct arena_mark);
