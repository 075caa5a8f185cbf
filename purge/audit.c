/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/audit.h"

#include <fcntl.h>
#include <jansson.h>
#include <openssl/sha.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "edge/base/buf.h"
#include "edge/base/clock.h"
#include "edge/base/log.h"

enum { MODE = 0640, HEAD_BYTES = 160 };

#define PREV "{\"prev\":\""
#define LINE "\",\"line\":"
#define AT ",\"at\":\""

struct audit {
	/* fixed after open */
	int fd;
	char *path;
	struct audit_meters meters; /* shared */
	struct lock lock;
	/* under lock */
	uint64_t lines;
	off_t bytes;              /* of the good lines: what is behind is cut off before the next */
	char head[AUDIT_HEX + 1]; /* of the last line */
	bool is_failing;          /* the last append failed */
};

#define METER_STRUCT struct audit_meters
static const struct meter_desc descs[] = METER_DESCS(AUDIT_METERS);
const struct meter_table audit_meter_table = { descs, COUNT_OF(descs) };

/* ---- lines ---- */

static void hash_line(struct slice line, char to[AUDIT_HEX + 1])
{
	unsigned char sum[SHA256_DIGEST_LENGTH];
	SHA256((const unsigned char *)line.at, line.len, sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		snprintf(to + 2 * i, 3, "%02x", sum[i]);
}

static void zero_hash(char to[AUDIT_HEX + 1])
{
	memset(to, '0', AUDIT_HEX);
	to[AUDIT_HEX] = '\0';
}

/* Takes a text off the front when it is next. */
static bool take(struct slice *s, struct slice text)
{
	bool is_next = slice_starts(*s, text);
	if (is_next)
		*s = slice_from(*s, text.len);
	return is_next;
}

/* Reads what every line begins with. False when it is none of ours. */
static bool read_line(struct slice line, struct slice *ret_prev, uint64_t *ret_number)
{
	struct slice rest = line;
	if (!slice_ends(line, SL("}")) || !take(&rest, SL(PREV)))
		return false;
	*ret_prev = slice_first(rest, AUDIT_HEX);
	rest = slice_from(rest, AUDIT_HEX);
	if (!take(&rest, SL(LINE)))
		return false;
	struct slice number = slice_first(rest, slice_find(rest, ','));
	return slice_to_u64(number, ret_number) &&
	    slice_starts(slice_from(rest, number.len), SL(AT));
}

/* ---- open ---- */

/* Reads up to `room` bytes that end at `end`. */
static bool read_tail(int fd, off_t end, char *to, size_t room, size_t *ret_len)
{
	size_t len = min_size(room, (size_t)end), got = 0;
	while (got < len) {
		ssize_t n = pread(fd, to + got, len - got, end - (off_t)(len - got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	*ret_len = len;
	return true;
}

/* The index behind the last newline; 0 when there is none. */
static size_t behind_newline(struct slice s)
{
	const char *last = s.len ? memrchr(s.at, '\n', s.len) : NULL;
	return last ? (size_t)(last - s.at) + 1 : 0;
}

/* Takes over the last whole line of a file's tail. False when that is none of ours. */
static bool take_over(struct audit *a, struct slice tail, off_t size)
{
	struct slice prev, whole = slice_first(tail, behind_newline(tail));
	size_t torn = tail.len - whole.len;
	bool is_all = (off_t)tail.len == size;
	a->bytes = size - (off_t)torn;
	zero_hash(a->head);
	if (whole.len == 0) /* at most the beginning of a first line */
		return is_all && slice_starts(SL(PREV), slice_first(tail, sizeof(PREV) - 1));
	struct slice line = slice_first(whole, whole.len - 1);
	size_t begin = behind_newline(line);
	if (begin == 0 && !is_all)
		return false;
	line = slice_from(line, begin);
	hash_line(line, a->head);
	return read_line(line, &prev, &a->lines);
}

static bool go_on(struct audit *a, off_t size, char *why, size_t why_room)
{
	size_t room = 2 * AUDIT_LINE_BYTES, len = 0; /* a torn line, and the one before it */
	char *tail = must_alloc(room);
	bool is_read = read_tail(a->fd, size, tail, room, &len);
	bool is_ours = is_read && take_over(a, slice_of(tail, len), size);
	free(tail);
	if (!is_read)
		snprintf(why, why_room, "%s: cannot be read", a->path);
	else if (!is_ours)
		snprintf(why, why_room, "%s: its last line is none of an audit log's", a->path);
	if (!is_ours || a->bytes == size)
		return is_ours;
	if (ftruncate(a->fd, a->bytes) != 0 || fsync(a->fd) != 0) {
		snprintf(why, why_room, "%s: %s", a->path, strerror(errno));
		return false;
	}
	log_warn("audit: %s: %lld bytes of a line that a crash had torn were cut off; line %" PRIu64
		 " is the last",
	    a->path, (long long)(size - a->bytes), a->lines);
	return true;
}

/* The name of a new file must be on disk, too. */
static bool sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slice_to_str(slash ? slice_of(path, (size_t)(slash - path) + 1) : SL("."));
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool is_synced = fd >= 0 && fsync(fd) == 0;
	free(folder);
	if (fd >= 0)
		close(fd);
	return is_synced;
}

static bool open_file(struct audit *a, char *why, size_t why_room)
{
	struct stat is;
	const char *reason = NULL;
	/* A FIFO must not hold us up before it is refused. */
	a->fd = open(a->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, MODE);
	if (a->fd < 0 || fstat(a->fd, &is) != 0)
		reason = strerror(errno);
	else if (!S_ISREG(is.st_mode))
		reason = "is no file";
	else if (flock(a->fd, LOCK_EX | LOCK_NB) != 0)
		reason = "another process has it";
	/* What it ends with is only now nobody else's to change. */
	if (!reason && (fstat(a->fd, &is) != 0 || !sync_folder(a->path)))
		reason = strerror(errno);
	if (reason)
		snprintf(why, why_room, "%s: %s", a->path, reason);
	return !reason && go_on(a, is.st_size, why, why_room);
}

struct audit *audit_open(const char *path, char *why, size_t why_room)
{
	struct audit *a = must_alloc(sizeof(*a));
	*a = (struct audit){ .fd = -1, .path = slice_to_str(slice_str(path)) };
	lock_init(&a->lock);
	if (!open_file(a, why, why_room))
		audit_close(&a);
	return a;
}

void audit_close(struct audit **p)
{
	struct audit *a = *p;
	*p = NULL;
	if (!a)
		return;
	if (a->fd >= 0)
		close(a->fd);
	lock_fini(&a->lock);
	free(a->path);
	free(a);
}

const struct audit_meters *audit_meters(const struct audit *a)
{
	return &a->meters;
}

/* ---- append ---- */

static bool write_all(int fd, struct slice s)
{
	while (s.len > 0) {
		ssize_t wrote = write(fd, s.at, s.len);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return false;
		s = slice_from(s, (size_t)wrote);
	}
	return true;
}

/* Whether lines still come to where people look for them. What stands behind our last line is what
 * is left of one that failed and could not be taken back. */
static bool is_fit_locked(struct audit *a)
{
	struct stat here, there;
	if (fstat(a->fd, &here) != 0 || stat(a->path, &there) != 0)
		return false;
	if (here.st_ino != there.st_ino || here.st_dev != there.st_dev) {
		errno = ESTALE;
		return false;
	}
	if (here.st_size < a->bytes) {
		errno = EBADMSG; /* somebody has cut it */
		return false;
	}
	if (here.st_size > a->bytes && a->is_failing)
		return ftruncate(a->fd, a->bytes) == 0;
	a->bytes = here.st_size; /* what somebody else added stays, for audit_verify to find */
	return true;
}

static const char *reason_of(int error)
{
	return error == ESTALE ? "the file was removed or replaced"
	    : error == EBADMSG ? "the file was cut short"
			       : strerror(error);
}

/* Writes a line, with its newline, or leaves the file as it was. */
static bool write_locked(struct audit *a, struct slice line)
{
	if (!is_fit_locked(a))
		return false;
	if (write_all(a->fd, line) && fdatasync(a->fd) == 0)
		return true;
	int why = errno;
	if (ftruncate(a->fd, a->bytes) != 0)
		log_error("audit: %s: part of a line stays behind line %" PRIu64
			  ", to be cut off at the next one",
		    a->path, a->lines);
	errno = why;
	return false;
}

static enum err append_locked(struct audit *a, struct slice members)
{
	struct buf line;
	char at[WALL_TEXT] = "";
	buf_init(&line, AUDIT_LINE_BYTES);
	wall_write(wall_now(), at);
	buf_addf(&line, PREV "%s" LINE "%" PRIu64 AT "%s\",", a->head, a->lines + 1, at);
	buf_add(&line, members);
	buf_add(&line, SL("}\n"));
	enum err e = line.overflow              ? ERR_NO_MEMORY
	    : write_locked(a, buf_slice(&line)) ? ERR_NONE
						: ERR_STORE_IO;
	if (e == ERR_NONE) {
		a->lines++;
		a->bytes += (off_t)line.len;
		hash_line(slice_first(buf_slice(&line), line.len - 1), a->head);
	}
	buf_fini(&line);
	a->is_failing = e != ERR_NONE;
	return e;
}

enum err audit_append(struct audit *a, struct slice members)
{
	if (members.len == 0 || members.len > AUDIT_LINE_BYTES - HEAD_BYTES ||
	    memchr(members.at, '\n', members.len))
		return ERR_BAD_ORDER;
	lock_take(&a->lock);
	enum err e = append_locked(a, members);
	int why = errno;
	lock_drop(&a->lock);
	meter_add_shared(e == ERR_NONE ? &a->meters.lines : &a->meters.failures, 1);
	if (e != ERR_NONE)
		log_error("audit: %s: %s, a line is missing", a->path,
		    e == ERR_STORE_IO ? reason_of(why) : err_text(e));
	return e;
}

/* ---- verify ---- */

/* Of the last line nothing follows that would tell, so it is at least looked at for what it is. */
static bool is_object(struct slice line)
{
	json_t *object = json_loadb(line.at, line.len, 0, NULL);
	bool is = json_is_object(object);
	json_decref(object);
	return is;
}

/* What is wrong with the line that should come next; NULL = nothing. */
static const char *judge(const struct audit_verdict *v, struct slice line)
{
	struct slice prev;
	uint64_t number;
	if (!slice_ends(line, SL("\n")))
		return "is torn: its end is missing";
	line = slice_first(line, line.len - 1);
	if (!read_line(line, &prev, &number) || !is_object(line))
		return "is none of an audit log's";
	if (number != v->lines + 1)
		return "has another number: a line was removed, added or moved";
	if (!slice_eq(prev, slice_of(v->head, AUDIT_HEX)))
		return v->lines ? "does not follow from the line before it: one of them was changed"
				: "is not the first: lines before it were removed";
	return NULL;
}

bool audit_verify(const char *path, const char *anchor, struct audit_verdict *ret)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	if (!file)
		return false;
	*ret = (struct audit_verdict){ .is_whole = true, .has_anchor = !anchor };
	zero_hash(ret->head);
	for (ssize_t len; ret->is_whole && (len = getline(&line, &room, file)) > 0;) {
		const char *why = judge(ret, slice_of(line, (size_t)len));
		if (why) {
			ret->is_whole = false;
			snprintf(ret->why, sizeof(ret->why), "%s", why);
			break;
		}
		ret->lines++;
		hash_line(slice_of(line, (size_t)len - 1), ret->head);
		ret->has_anchor |= anchor && strcasecmp(anchor, ret->head) == 0;
	}
	bool is_read = !ferror(file);
	free(line);
	fclose(file);
	return is_read;
}
