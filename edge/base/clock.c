/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/base/clock.h"

#include <time.h>

struct mono mono_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (struct mono){ (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 };
}

struct wall wall_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (struct wall){ (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 };
}

bool wall_write(struct wall w, char to[WALL_TEXT])
{
	static const int64_t end_ms = (int64_t)253402300800 * 1000;
	time_t seconds = (time_t)(w.ms / 1000);
	struct tm tm;
	if (w.ms <= 0 || w.ms >= end_ms || !gmtime_r(&seconds, &tm))
		return false;
	size_t len = strftime(to, WALL_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(to + len, WALL_TEXT - len, ".%03uZ", (unsigned)(w.ms % 1000) % 1000);
	return true;
}

bool wall_read(struct slice text, struct wall *ret)
{
	char copy[WALL_TEXT];
	struct tm tm = { 0 };
	unsigned ms;
	int used = 0;
	snprintf(copy, sizeof(copy), "%.*s", SLICE_ARG(slice_first(text, WALL_TEXT - 1)));
	const char *rest = strptime(copy, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!rest || sscanf(rest, ".%3uZ%n", &ms, &used) != 1 || used != (int)strlen(".000Z"))
		return false;
	ret->ms = (int64_t)timegm(&tm) * 1000 + ms;
	return true;
}
