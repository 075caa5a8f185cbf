/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two clocks, two types, so that they cannot be mixed: `mono` never jumps and serves timers and
 * durations; `wall` is the time of day and serves HTTP dates and freshness.
 */
#pragma once

#include "edge/base/slice.h"

struct mono {
	int64_t us; /* microseconds since some fixed moment */
};
struct wall {
	int64_t ms; /* milliseconds since 1970-01-01 UTC */
};

#define WALL_NEVER ((struct wall){ INT64_MIN }) /* before every moment */
#define WALL_FOREVER ((struct wall){ INT64_MAX })

struct mono mono_now(void);
struct wall wall_now(void);
/* Writes "2026-11-21T06:00:00.000Z" (RFC 3339). False, and nothing: before 1970 or after 9999. */
enum { WALL_TEXT = 25 };
bool wall_write(struct wall, char to[WALL_TEXT]);
/* Reads what wall_write wrote, at the front of a text. False: it is none. */
bool wall_read(struct slice, struct wall *ret);

static inline struct mono mono_add(struct mono t, int64_t ms)
{
	return (struct mono){ t.us + ms * 1000 };
}
static inline int64_t mono_ms_since(struct mono then, struct mono now)
{
	return (now.us - then.us) / 1000;
}
static inline bool wall_before(struct wall a, struct wall b)
{
	return a.ms < b.ms;
}
/* a + ms, held within the type's range. */
static inline struct wall wall_add(struct wall a, int64_t ms)
{
	struct wall sum;
	if (__builtin_add_overflow(a.ms, ms, &sum.ms))
		return ms > 0 ? WALL_FOREVER : WALL_NEVER;
	return sum;
}
