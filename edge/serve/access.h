/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The access log: one line a request, JSON or combined, to stdout or a file. A loop only formats
 * the line and copies it into a bounded buffer; one thread writes. What does not fit is dropped and
 * counted: a slow disk never slows an answer.
 *
 *	access_write -> pending -> (swapped by the writer) -> writing -> file
 *
 * The writer takes what has gathered within GATHER_MS, or as soon as half the buffer is full, so
 * that a busy server makes few and large writes. A write that fails loses its lines and is counted;
 * the error log tells of the first failure and of the recovery, not of those between. A line that
 * was cut by a failure is ended before the next begins.
 *
 * Bytes of clients never leave their place in a line: JSON escapes as JSON does, combined writes
 * \xHH for quotes, backslashes and all that is not printable ASCII. Over-long values are cut.
 */
#pragma once

#include "cache/rule/reason.h"
#include "edge/base/buf.h"
#include "edge/base/clock.h"
#include "edge/base/err.h"
#include "edge/base/meter.h"
#include "edge/http/msg.h"
#include "edge/loop/conn.h"

enum access_format { ACCESS_JSON, ACCESS_COMBINED };

/* clang-format off */
#define ACCESS_METERS(X) \
	X(lines, COUNTER, "access_log_lines_total", "", "Access lines written.") \
	X(dropped, COUNTER, "access_log_dropped_total", "why=\"queue\"", "Access lines lost.") \
	X(lost, COUNTER, "access_log_dropped_total", "why=\"write\"", "Access lines lost.") \
	X(failed, COUNTER, "access_log_errors_total", "", "Failed writes of the access log.")
/* clang-format on */
struct access_meters {
	METER_FIELDS(ACCESS_METERS)
};
extern const struct meter_table access_meter_table;

/* What a line tells. Slices are borrowed for the call. */
struct access_entry {
	struct wall at;     /* when the request began */
	const char *id;     /* request id, 16 hex digits */
	struct slice trace; /* trace id of traceparent, or empty */
	const struct address *client;
	const struct request *request;
	struct slice target_path; /* as the client sent it, before normalisation, with its query */
	uint16_t status;
	uint64_t bytes_out, bytes_in;
	int64_t duration_us;
	struct slice result; /* hit, miss, stale, revalidated, pass, error */
	enum reason reason;
	enum err failure;     /* ERR_NONE when the answer was sent whole */
	int64_t age_s, ttl_s; /* INT64_MIN = none */
	struct slice origin;  /* address that answered, or empty */
	int64_t origin_us;    /* until its head arrived; -1 = none */
	struct slice route;
	struct slice tls; /* version, "TLSv1.3"; empty = plain */
};

struct access_log;

/* Opens the log. target: "-" = stdout, else a file (made with mode 0640). own: access_close.
 * fail: NULL, errno set. */
struct access_log *access_open(const char *target, enum access_format, uint64_t queue_bytes);
/* Writes what waits, for two seconds at most, then closes. No access_write may be under way. */
void access_close(struct access_log **);
/* Opens the file anew, after it was moved away (USR1). The next line goes to the new one.
 * thread: any. */
void access_reopen(struct access_log *);
/* Queues a line. thread: any; never blocks on I/O. */
void access_write(struct access_log *, const struct access_entry *);
const struct access_meters *access_meters(const struct access_log *);
