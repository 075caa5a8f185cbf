/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/base/arena.h"

enum { BLOCK_BYTES = 4096, ALIGN = 16 };

struct arena_block {
	struct arena_block *older;
	size_t bytes; /* with this head */
	char data[] __attribute__((aligned(ALIGN)));
};

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){ .max = max };
}

static void drop_newest(struct arena *a)
{
	struct arena_block *block = a->blocks;
	a->blocks = block->older;
	a->used -= block->bytes;
	free(block);
}

static void enter_newest(struct arena *a)
{
	struct arena_block *block = a->blocks;
	a->at = block ? block->data : NULL;
	a->end = block ? (char *)block + block->bytes : NULL;
}

void arena_fini(struct arena *a)
{
	while (a->blocks)
		drop_newest(a);
	arena_init(a, a->max);
}

void arena_reset(struct arena *a)
{
	while (a->blocks && (a->blocks->older || a->blocks->bytes > BLOCK_BYTES))
		drop_newest(a);
	enter_newest(a);
	a->overflow = false;
}

static bool add_block(struct arena *a, size_t bytes)
{
	size_t whole = sizeof(struct arena_block) + bytes;
	whole = whole < BLOCK_BYTES ? BLOCK_BYTES : whole;
	struct arena_block *block = a->used + whole <= a->max ? malloc(whole) : NULL;
	if (!block) {
		a->overflow = true;
		return false;
	}
	*block = (struct arena_block){ .older = a->blocks, .bytes = whole };
	a->blocks = block;
	a->used += whole;
	enter_newest(a);
	return true;
}

char *arena_bytes(struct arena *a, size_t bytes)
{
	if (bytes > a->max || ((size_t)(a->end - a->at) < bytes && !add_block(a, bytes))) {
		a->overflow = true;
		return NULL;
	}
	char *p = a->at;
	if (bytes > 0) /* nothing of an empty arena is NULL, to which nothing may be added */
		a->at += bytes;
	return p;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	size_t pad = (size_t)(-(uintptr_t)a->at & (ALIGN - 1));
	/* A block that has no room for the padding is full: the next one starts aligned. */
	if (pad > 0)
		a->at = (size_t)(a->end - a->at) >= pad ? a->at + pad : a->end;
	char *p = arena_bytes(a, bytes);
	return p ? memset(p, 0, bytes) : NULL;
}

struct slice arena_copy(struct arena *a, struct slice s)
{
	char *p = s.len ? arena_bytes(a, s.len) : NULL;
	if (!p)
		return slice_of("", 0);
	memcpy(p, s.at, s.len);
	return slice_of(p, s.len);
}

struct slice arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	int need = vsnprintf(NULL, 0, fmt, args);
	char *p = need > 0 ? arena_bytes(a, (size_t)need + 1) : NULL;
	if (p)
		vsnprintf(p, (size_t)need + 1, fmt, again);
	va_end(again);
	va_end(args);
	return p ? slice_of(p, (size_t)need) : slice_of("", 0);
}

struct arena_mark arena_mark(const struct arena *a)
{
	return (struct arena_mark){ a->blocks, a->at };
}

void arena_rewind(struct arena *a, struct arena_mark mark)
{
	while (a->blocks != mark.block)
		drop_newest(a);
	enter_newest(a);
	if (a->blocks)
		a->at = mark.at;
}
