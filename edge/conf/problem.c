/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/problem.h"

enum { MESSAGE_BYTES = 512, QUOTE_BYTES = 64 };

struct problem {
	struct problem *next;
	struct place place;
	struct slice text;
};

void problems_init(struct problems *p, struct arena *arena)
{
	*p = (struct problems){ .arena = arena };
}

static bool is_after(struct place a, struct place b)
{
	if (a.source != b.source)
		return (uintptr_t)a.source > (uintptr_t)b.source;
	return a.line != b.line ? a.line > b.line : a.column > b.column;
}

static void insert_in_order(struct problems *all, struct problem *one)
{
	struct problem **at = &all->first;
	while (*at && !is_after((*at)->place, one->place))
		at = &(*at)->next;
	one->next = *at;
	*at = one;
}

static void blot_controls(char *z)
{
	for (; *z; z++)
		if ((unsigned char)*z < 0x20 || *z == 0x7f)
			*z = '?';
}

void problem_add(struct problems *all, struct place place, const char *fmt, ...)
{
	if (all->count++ >= PROBLEMS_KEPT)
		return;
	char message[MESSAGE_BYTES];
	va_list args;
	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	blot_controls(message);
	struct problem *one = arena_alloc(all->arena, sizeof(*one));
	if (!one)
		return; /* the arena's overflow is a problem of its own, told by its owner */
	one->place = place;
	one->text = arena_copy(all->arena, slice_str(message));
	insert_in_order(all, one);
}

void problems_write(const struct problems *all, struct buf *out)
{
	for (const struct problem *one = all->first; one; one = one->next) {
		struct place at = one->place;
		if (at.source)
			buf_addf(out, "%.*s:", SLICE_ARG(at.source->name));
		if (at.source && !at.source->is_flag)
			buf_addf(out, "%" PRIu32 ":%" PRIu32 ":", at.line, at.column);
		buf_addf(out, "%s%.*s\n", at.source ? " " : "", SLICE_ARG(one->text));
	}
	if (all->count > PROBLEMS_KEPT)
		buf_addf(out, "... and %u more\n", all->count - PROBLEMS_KEPT);
}

struct slice problem_quote(struct slice s)
{
	return slice_first(s, QUOTE_BYTES);
}
