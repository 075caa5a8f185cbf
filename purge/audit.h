/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log: who purged what, when and why, as lines of JSON that are only ever appended, each
 * on disk before audit_append returns. Each line names the SHA-256 of the line before it, so what
 * was changed, removed or put elsewhere is found by audit_verify, and by anybody with sha256sum:
 *
 *	{"prev":"<64 hex digits>","line":1,"at":"2026-11-21T10:00:00.123Z","who":"ci",...}
 *
 * The first line's prev is all zeros. Whoever may write the file can write all of it anew, or take
 * lines off its end, and the chain alone cannot tell: so a verification prints the hash of the last
 * line, and that hash, kept elsewhere, must be in the chain of every later one.
 *
 * A crash leaves at most one line without its newline, which nobody was told of: the next opening
 * cuts it off and says so. One process has the file (flock); a file that is not ours is refused. It
 * is not rotated while Larder runs: a file that was removed or renamed away takes no line.
 */
#pragma once

#include "edge/base/err.h"
#include "edge/base/meter.h"
#include "edge/base/slice.h"

/* clang-format off */
#define AUDIT_METERS(X) \
	X(lines, COUNTER, "audit_lines_total", "", "Lines written to the audit log.") \
	X(failures, COUNTER, "audit_failures_total", "", "Lines that could not be written to the audit log.")
/* clang-format on */
struct audit_meters {
	METER_FIELDS(AUDIT_METERS)
};
extern const struct meter_table audit_meter_table;

enum { AUDIT_HEX = 64, AUDIT_LINE_BYTES = 3 * 1024 * 1024 };

struct audit;

/*
 * Opens the log, or makes it, to go on behind its last line. own: audit_close. fail: NULL, and one
 * line in `why`. thread: any that may block; before loops run.
 */
struct audit *audit_open(const char *path, char *why, size_t why_room);
/*
 * Appends a line and waits until the disk has it. members: of a JSON object, without its braces and
 * without a newline: "\"who\":\"ci\",\"seq\":17"; not prev, line or at. A line that fails is taken
 * back, and the log stays whole. fail: ERR_BAD_ORDER for a newline, no members or too many bytes;
 * ERR_STORE_IO, logged. thread: it blocks; several may append at once, and wait for each other.
 */
enum err audit_append(struct audit *, struct slice members) ON_WORKER;
/* own: nulls the pointer; accepts NULL. */
void audit_close(struct audit **);
/* Counted by any thread. Lives as long as the log. */
const struct audit_meters *audit_meters(const struct audit *);

/* What became of a verification. */
struct audit_verdict {
	bool is_whole;            /* every line is as it was written */
	bool has_anchor;          /* the anchor is the hash of one of the lines, or was not given */
	uint64_t lines;           /* that are good, from the first on */
	char head[AUDIT_HEX + 1]; /* hash of the last of these; zeros when there is none */
	char why[160];            /* what is wrong with the next one, when !is_whole */
};

/* Checks the chain of a file. anchor: a hash noted before; NULL = none. False when the file cannot
 * be read: errno tells. thread: it blocks. */
bool audit_verify(const char *path, const char *anchor, struct audit_verdict *ret);
