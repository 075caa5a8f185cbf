/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/base/log.h"

#include <time.h>
#include <unistd.h>

#include "edge/base/clock.h"

enum { LINE_BYTES = 2048, REPEATS = 10, SPAN_US = 10 * 1000 * 1000, SLOTS = 64 };

static _Atomic int max_level = LOG_LEVEL_INFO;

/* How often a format string was seen in the current span; slots by its address. */
static struct {
	const char *fmt;
	struct mono since;
	uint64_t seen;
} slots[SLOTS];
static pthread_mutex_t slots_mutex = PTHREAD_MUTEX_INITIALIZER;

/* Whether the line goes out; ret_left counts those held back in the span that just ended. */
static bool admit(const char *fmt, uint64_t *ret_left)
{
	size_t slot = ((uintptr_t)fmt >> 3) % SLOTS;
	struct mono now = mono_now();
	pthread_mutex_lock(&slots_mutex);
	if (slots[slot].fmt != fmt || now.us - slots[slot].since.us > SPAN_US) {
		*ret_left = slots[slot].fmt == fmt && slots[slot].seen > REPEATS
		    ? slots[slot].seen - REPEATS
		    : 0;
		slots[slot].fmt = fmt;
		slots[slot].since = now;
		slots[slot].seen = 0;
	}
	bool admitted = ++slots[slot].seen <= REPEATS;
	pthread_mutex_unlock(&slots_mutex);
	return admitted;
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&max_level, (int)level, memory_order_relaxed);
}

static size_t stamp(char *line, size_t room, enum log_level level)
{
	static const char *const words[] = { "error", "warn", "info", "debug" };
	char at[WALL_TEXT] = "";
	wall_write(wall_now(), at);
	return (size_t)snprintf(line, room, "%s %s ", at, words[level]);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	uint64_t left = 0;
	if ((int)level > atomic_load_explicit(&max_level, memory_order_relaxed) ||
	    !admit(fmt, &left))
		return;
	char line[LINE_BYTES];
	size_t len = stamp(line, sizeof(line), level);
	va_list args;
	va_start(args, fmt);
	int wrote = vsnprintf(line + len, sizeof(line) - len, fmt, args);
	va_end(args);
	len = min_size(len + (wrote > 0 ? (size_t)wrote : 0), sizeof(line) - 64);
	if (left)
		len += (size_t)snprintf(
		    line + len, sizeof(line) - len, " (and %" PRIu64 " like it before)", left);
	line[len++] = '\n';
	/* One write a line, so that lines of several threads do not mix. Nothing to do if it
	 * fails. */
	UNUSED ssize_t done = write(STDERR_FILENO, line, len);
}
