/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/access.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "edge/base/log.h"
#include "edge/base/thread.h"

enum {
	GATHER_MS = 50,
	CLOSE_MS = 2000,
	POLL_MS = 100,
	FILE_CHUNK_BYTES = 1024 * 1024,
	/* Values are cut at these: six times their sum, which is what escapes may need, fits a
	 * line. */
	PATH_BYTES = 4096,
	TEXT_BYTES = 1024,
	NAME_BYTES = 256,
	LINE_BYTES = 64 * 1024,
};

struct access_log {
	/* fixed after open */
	enum access_format format;
	char *target; /* NULL = stdout */
	pthread_t thread;
	/* under lock */
	struct lock lock;
	pthread_cond_t change; /* pending has begun, is half full; reopens, ends */
	struct buf pending;
	bool reopens, ends;
	/* writer */
	struct buf writing;
	int fd;
	size_t chunk;        /* most bytes of one write */
	bool is_torn;        /* the last byte written was not the end of a line */
	bool is_broken;      /* the last write failed */
	struct mono give_up; /* set once the log ends */
	/* atomic */
	struct access_meters meters;
};

// clang-format off
#define METER_STRUCT struct access_meters
static const struct meter_desc meter_descs[] = METER_DESCS(ACCESS_METERS);
// clang-format on
const struct meter_table access_meter_table = { meter_descs, COUNT_OF(meter_descs) };

/* ---- lines ---- */

static struct tm utc_of(struct wall at)
{
	time_t seconds = (time_t)(at.ms / 1000);
	struct tm tm;
	gmtime_r(&seconds, &tm);
	return tm;
}

static struct slice client_text(const struct access_entry *e, char *room, size_t size)
{
	return slice_of(room, e->client ? address_print(e->client, room, size) : 0);
}

static const char *protocol_of(const struct request *request)
{
	return request->version == 20 ? "HTTP/2.0"
	    : request->version == 10  ? "HTTP/1.0"
				      : "HTTP/1.1";
}

/* `,"name":"value"`, or null for nothing: every line has the same members. */
static void json_text(struct buf *line, const char *name, struct slice value)
{
	buf_addf(line, ",\"%s\":", name);
	if (value.len)
		buf_add_json(line, slice_first(value, NAME_BYTES));
	else
		buf_add(line, SL("null"));
}

static void json_number(struct buf *line, const char *name, int64_t value, bool is_known)
{
	if (is_known)
		buf_addf(line, ",\"%s\":%" PRId64, name, value);
	else
		buf_addf(line, ",\"%s\":null", name);
}

/* Microseconds as milliseconds with three decimals. */
static void json_ms(struct buf *line, const char *name, int64_t us)
{
	if (us < 0)
		buf_addf(line, ",\"%s\":null", name);
	else
		buf_addf(line, ",\"%s\":%" PRId64 ".%03" PRId64, name, us / 1000, us % 1000);
}

static void json_request(struct buf *line, const struct access_entry *e)
{
	char client[64];
	json_text(line, "client", client_text(e, client, sizeof(client)));
	json_text(line, "method", e->request->method_name);
	json_text(line, "host", e->request->authority);
	buf_add(line, SL(",\"path\":"));
	buf_add_json(line, slice_first(e->target_path, PATH_BYTES));
}

static void json_cache(struct buf *line, const struct access_entry *e)
{
	struct slice clause = reason_clause(e->reason);
	json_text(line, "cache_status", e->result);
	json_text(line, "cache_reason", reason_name(e->reason));
	if (clause.len)
		json_text(line, "clause", clause);
	json_number(line, "age", e->age_s, e->age_s != INT64_MIN);
	json_number(line, "ttl", e->ttl_s, e->ttl_s != INT64_MIN);
}

static void write_json(struct buf *line, const struct access_entry *e)
{
	struct tm tm = utc_of(e->at);
	buf_addf(line, "{\"ts\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"", tm.tm_year + 1900,
	    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(e->at.ms % 1000));
	json_text(line, "id", slice_str(e->id));
	json_text(line, "trace", e->trace);
	json_request(line, e);
	json_number(line, "status", e->status, true);
	json_number(line, "bytes", (int64_t)e->bytes_out, true);
	json_number(line, "bytes_in", (int64_t)e->bytes_in, true);
	json_ms(line, "dur_ms", e->duration_us);
	json_cache(line, e);
	json_text(line, "origin", e->origin);
	json_ms(line, "origin_ms", e->origin_us);
	json_text(line, "proto", slice_str(protocol_of(e->request)));
	json_text(line, "tls", e->tls);
	json_text(line, "route", e->route);
	json_text(line, "failure", slice_str(e->failure ? err_name(e->failure) : NULL));
	buf_add(line, SL("}\n"));
}

static void add_escaped(struct buf *line, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.at[i];
		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			buf_addf(line, "\\x%02X", c);
		else
			buf_add_char(line, s.at[i]);
	}
}

/* A value in quotes; "-" for nothing. */
static void add_quoted(struct buf *line, struct slice s)
{
	buf_add(line, SL(" \""));
	add_escaped(line, s.len ? slice_first(s, TEXT_BYTES) : SL("-"));
	buf_add_char(line, '"');
}

static void write_combined(struct buf *line, const struct access_entry *e)
{
	const struct request *request = e->request;
	struct tm tm = utc_of(e->at);
	char client[64] = "-", stamp[40];
	struct slice from = client_text(e, client, sizeof(client));
	/* strftime's %b follows the locale, which Larder never sets: it is C's. */
	strftime(stamp, sizeof(stamp), "%d/%b/%Y:%H:%M:%S +0000", &tm);
	buf_addf(line, "%.*s - - [%s] \"", SLICE_ARG(from.len ? from : SL("-")), stamp);
	add_escaped(line, slice_first(request->method_name, NAME_BYTES));
	buf_add_char(line, ' ');
	add_escaped(line, slice_first(e->target_path, PATH_BYTES));
	buf_addf(line, " %s\" %u %" PRIu64, protocol_of(request), e->status, e->bytes_out);
	add_quoted(line, fields_value(&request->fields, FIELD_REFERER));
	add_quoted(line, fields_value(&request->fields, FIELD_USER_AGENT));
	buf_add_char(line, '\n');
}

/* ---- the queue ---- */

/* Copies the line in. False when there is no room. */
static bool append_locked(struct access_log *log, struct slice line)
{
	size_t before = log->pending.len, half = log->pending.max / 2;
	if (line.len > log->pending.max - before)
		return false;
	buf_add(&log->pending, line);
	if (log->pending.overflow) {
		log->pending.overflow = false; /* no memory now */
		return false;
	}
	/* The writer sleeps while nothing waits, and naps until half is full: wake it for these. */
	if (before == 0 || (before < half && log->pending.len >= half))
		pthread_cond_signal(&log->change);
	return true;
}

void access_write(struct access_log *log, const struct access_entry *e)
{
	char bytes[LINE_BYTES];
	/* A buf on the stack: it is as large as it may be, so it never grows. */
	struct buf line = { .at = bytes, .cap = sizeof(bytes), .max = sizeof(bytes) };
	if (log->format == ACCESS_JSON)
		write_json(&line, e);
	else
		write_combined(&line, e);
	must(!line.overflow);
	lock_take(&log->lock);
	bool taken = append_locked(log, buf_slice(&line));
	lock_drop(&log->lock);
	if (!taken)
		meter_add_shared(&log->meters.dropped, 1);
}

/* ---- the writer ---- */

static int open_target(const char *target)
{
	if (!target)
		return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	return open(target, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

/* A pipe takes PIPE_BUF bytes at once without blocking, if poll says that it takes any. */
static size_t chunk_of(int fd)
{
	struct stat is;
	return fstat(fd, &is) == 0 && S_ISREG(is.st_mode) ? FILE_CHUNK_BYTES : PIPE_BUF;
}

/* Waits until the target takes bytes. False when the log ends and has waited long enough. */
static bool await_target(struct access_log *log) ON_WORKER
{
	struct pollfd target = { .fd = log->fd, .events = POLLOUT };
	while (poll(&target, 1, POLL_MS) == 0) {
		lock_take(&log->lock);
		bool ends = log->ends;
		lock_drop(&log->lock);
		if (!ends)
			continue;
		if (!log->give_up.us)
			log->give_up.us = mono_now().us + CLOSE_MS * 1000;
		if (mono_now().us > log->give_up.us) {
			errno = ETIMEDOUT;
			return false;
		}
	}
	return true;
}

static uint64_t count_lines(struct slice s)
{
	uint64_t count = 0;
	for (size_t at; (at = slice_find(s, '\n')) < s.len; s = slice_from(s, at + 1))
		count++;
	return count;
}

/* Notes how writing goes; only a change is told. */
static void note(struct access_log *log, bool is_broken) ON_WORKER
{
	const char *where = log->target ? log->target : "stdout";
	if (is_broken)
		meter_add(&log->meters.failed, 1);
	if (is_broken && !log->is_broken)
		log_warn("access: writing to %s: %s, lines are lost", where, strerror(errno));
	if (!is_broken && log->is_broken)
		log_info("access: writing to %s again", where);
	log->is_broken = is_broken;
}

/* Writes a piece of what waits. Returns the bytes taken, 0 when it failed. */
static size_t write_some(struct access_log *log, struct slice rest) ON_WORKER
{
	for (;;) {
		if (!await_target(log))
			return 0;
		ssize_t wrote = write(log->fd, rest.at, min_size(rest.len, log->chunk));
		if (wrote > 0)
			return (size_t)wrote;
		if (wrote == 0 || (errno != EINTR && errno != EAGAIN))
			return 0;
	}
}

static void write_lines(struct access_log *log, struct slice lines) ON_WORKER
{
	if (lines.len == 0)
		return;
	if (log->is_torn && write_some(log, SL("\n")) > 0)
		log->is_torn = false;
	struct slice rest = lines;
	while (rest.len && !log->is_torn) {
		size_t wrote = write_some(log, rest);
		if (wrote == 0)
			break;
		rest = slice_from(rest, wrote);
	}
	/* Nothing may come between the write and this: it tells errno. */
	note(log, rest.len > 0);
	uint64_t lost = count_lines(rest);
	meter_add(&log->meters.lost, lost);
	meter_add(&log->meters.lines, count_lines(lines) - lost);
	if (rest.len && rest.at != lines.at)
		log->is_torn = rest.at[-1] != '\n';
}

/* Opens the file again. The old one stays when that fails. */
static void work_reopen(struct access_log *log) ON_WORKER
{
	if (!log->target)
		return;
	int fd = open_target(log->target);
	if (fd < 0) {
		log_warn("access: opening %s again: %s, the old file is kept", log->target,
		    strerror(errno));
		return;
	}
	close(log->fd);
	log->fd = fd;
	log->chunk = chunk_of(fd);
	log->is_torn = false;
}

/* Waits for lines, then a little for more of them. */
static void gather_locked(struct access_log *log)
{
	while (log->pending.len == 0 && !log->reopens && !log->ends)
		pthread_cond_wait(&log->change, &log->lock.mutex);
	struct mono until = { mono_now().us + GATHER_MS * 1000 };
	struct timespec at = { until.us / 1000000, until.us % 1000000 * 1000 };
	while (log->pending.len < log->pending.max / 2 && !log->reopens && !log->ends)
		if (pthread_cond_timedwait(&log->change, &log->lock.mutex, &at) == ETIMEDOUT)
			return;
}

static void *writer_main(void *arg)
{
	role_worker();
	struct access_log *log = arg;
	bool ends = false;
	while (!ends) {
		lock_take(&log->lock);
		gather_locked(log);
		struct buf full = log->pending;
		log->pending = log->writing;
		log->writing = full;
		bool reopens = log->reopens;
		log->reopens = false;
		ends = log->ends;
		lock_drop(&log->lock);
		if (reopens)
			work_reopen(log);
		write_lines(log, buf_slice(&log->writing));
		buf_clear(&log->writing);
	}
	return NULL;
}

/* ---- life ---- */

static bool start_writer(struct access_log *log)
{
	bool is_started = thread_start(&log->thread, writer_main, log);
	if (is_started)
		pthread_setname_np(log->thread, "access");
	return is_started;
}

static void access_free(struct access_log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	buf_fini(&log->pending);
	buf_fini(&log->writing);
	pthread_cond_destroy(&log->change);
	lock_fini(&log->lock);
	free(log->target);
	free(log);
}

struct access_log *access_open(const char *target, enum access_format format, uint64_t queue_bytes)
{
	struct access_log *log = must_alloc(sizeof(*log));
	*log = (struct access_log){ .format = format };
	if (strcmp(target, "-") != 0)
		log->target = slice_to_str(slice_str(target));
	lock_init(&log->lock);
	cond_init_mono(&log->change);
	buf_init(&log->pending, (size_t)queue_bytes);
	buf_init(&log->writing, (size_t)queue_bytes);
	log->fd = open_target(log->target);
	int failed = log->fd < 0 ? errno : 0;
	log->chunk = chunk_of(log->fd);
	if (!failed && !start_writer(log))
		failed = EAGAIN;
	if (!failed)
		return log;
	access_free(log);
	errno = failed;
	return NULL;
}

void access_close(struct access_log **log_now)
{
	struct access_log *log = *log_now;
	*log_now = NULL;
	if (!log)
		return;
	lock_take(&log->lock);
	log->ends = true;
	pthread_cond_signal(&log->change);
	lock_drop(&log->lock);
	pthread_join(log->thread, NULL);
	access_free(log);
}

void access_reopen(struct access_log *log)
{
	lock_take(&log->lock);
	log->reopens = true;
	pthread_cond_signal(&log->change);
	lock_drop(&log->lock);
}

const struct access_meters *access_meters(const struct access_log *log)
{
	return &log->meters;
}
