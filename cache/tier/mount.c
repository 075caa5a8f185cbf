/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/mount.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cache/tier/evict.h"
#include "cache/tier/journal.h"
#include "cache/tier/store.h"
#include "edge/base/log.h"

enum {
	OPENING_BYTES = 8 * 1024 * 1024,
	TRY_BYTES = 4096,
	CORRUPT_TRIES = 2,
	REFUSALS = 1,
	LOOK_MS = 4000,           /* at the directory */
	CORRUPT_SPAN_MS = 600000, /* what is further apart has nothing to do with each other */
};

#define TAG_NAME "larder-store"
#define TAG_TEXT "This directory is a store of Larder's, and all that is in it may be deleted.\n"

/* ---- the directory ---- */

static enum trouble trouble_now(const char **ret_words)
{
	*ret_words = strerrordesc_np(errno);
	return trouble_of(ERR_STORE_IO, *ret_words);
}

/* A path in the directory. False: it is too long. */
static bool path_in(const struct mount *m, const char *name, char *to, size_t room)
{
	return (size_t)snprintf(to, room, "%s/%s", m->path, name) < room;
}

static enum trouble make_directory(const struct mount *m, const char **ret_words)
{
	if (mkdir(m->path, 0750) == 0 || errno == EEXIST)
		return TROUBLE_NONE;
	if (errno != ENOENT && errno != ENOTDIR)
		return trouble_now(ret_words);
	*ret_words = "there is no such directory to make it in";
	return TROUBLE_MISSING;
}

static enum trouble look_at(const struct mount *m, const char **ret_words)
{
	struct statvfs disk;
	if (faccessat(AT_FDCWD, m->path, R_OK | W_OK | X_OK, AT_EACCESS) != 0 ||
	    statvfs(m->path, &disk) != 0)
		return trouble_now(ret_words);
	if ((uint64_t)disk.f_bavail * disk.f_frsize >= OPENING_BYTES)
		return TROUBLE_NONE;
	*ret_words = "less than 8 MiB are free";
	return TROUBLE_FULL;
}

/* Whether a file can be written. */
static enum trouble try_writing(const struct mount *m, const char **ret_words)
{
	static const char bytes[TRY_BYTES];
	char path[PATH_MAX];
	*ret_words = "its path is too long";
	if (!path_in(m, "try.tmp", path, sizeof(path)))
		return TROUBLE_MISSING;
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
	bool done = fd >= 0 && pwrite(fd, bytes, sizeof(bytes), 0) == TRY_BYTES && fsync(fd) == 0;
	enum trouble trouble = done ? TROUBLE_NONE : trouble_now(ret_words);
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
	return trouble;
}

static enum trouble check_disk(const struct mount *m, const char **ret_words)
{
	enum trouble trouble = make_directory(m, ret_words);
	if (!trouble)
		trouble = look_at(m, ret_words);
	return trouble ? trouble : try_writing(m, ret_words);
}

/* Whether the path leads to the directory that is open still. A disk that does not answer may. */
static bool is_same_directory(const struct mount *m)
{
	struct stat st;
	if (stat(m->path, &st) != 0)
		return errno != ENOENT && errno != ENOTDIR;
	return st.st_dev == m->device && st.st_ino == m->inode;
}

static void remember_directory(struct mount *m)
{
	struct stat st = { 0 };
	if (stat(m->path, &st) != 0)
		return; /* then it is not the same soon, and opened anew */
	m->device = st.st_dev;
	m->inode = st.st_ino;
}

/* ---- whose it is ---- */

static bool has_file(const struct mount *m, const char *name)
{
	char path[PATH_MAX];
	return path_in(m, name, path, sizeof(path)) && access(path, F_OK) == 0;
}

/* Left before anything else is: so a store that is not whole has it, too. */
static bool leave_tag(const struct mount *m)
{
	char path[PATH_MAX];
	if (has_file(m, TAG_NAME))
		return true;
	FILE *file = path_in(m, TAG_NAME, path, sizeof(path)) ? fopen(path, "we") : NULL;
	if (!file)
		return false;
	bool done = fputs(TAG_TEXT, file) >= 0;
	return fclose(file) == 0 && done;
}

/* What may be in a directory that is as good as empty. */
static bool is_nothing(const char *name)
{
	return name[0] == '.' || strcmp(name, "lost+found") == 0 ||
	    strcmp(name, "direct.tmp") == 0 || strcmp(name, "try.tmp") == 0;
}

/* RocksDB wrote down which filter its database was made with. */
static bool names_our_filter(const struct mount *m, const char *name)
{
	char path[PATH_MAX], line[256];
	bool found = false;
	FILE *file = strncmp(name, "OPTIONS-", 8) == 0 && path_in(m, name, path, sizeof(path))
	    ? fopen(path, "re")
	    : NULL;
	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, "larder.stale") != NULL;
	if (file)
		fclose(file);
	return found;
}

/* Whether RocksDB may be let at it: it deletes files of certain names, whosever they are. */
static bool is_ours(const struct mount *m)
{
	if (has_file(m, TAG_NAME))
		return true;
	DIR *all = opendir(m->path);
	bool is_empty = all != NULL, is_former = false;
	for (struct dirent *one; all && (one = readdir(all));) {
		is_empty &= is_nothing(one->d_name);
		is_former |= names_our_filter(m, one->d_name);
	}
	if (all)
		closedir(all);
	return is_empty || is_former;
}

static enum trouble check_owner(const struct mount *m, const char **ret_words)
{
	*ret_words = "it is neither empty nor has it a file " TAG_NAME;
	if (!is_ours(m))
		return TROUBLE_FOREIGN;
	return leave_tag(m) ? TROUBLE_NONE : trouble_now(ret_words);
}

/* What is corrupt for so long is given up. */
static void begin_anew(struct mount *m)
{
	if (m->corrupt_count < CORRUPT_TRIES)
		return;
	m->corrupt_count = 0;
	bool done = rocks_destroy(m->path) == ERR_NONE;
	log_error("store: %s stayed corrupt: %s", m->path,
	    done ? "what it held is deleted, it begins anew" : rocks_why());
}

/* ---- opening ---- */

/* Compaction's question. thread: RocksDB's. */
static bool is_stale(const void *arg, enum rocks_family family, struct slice value)
{
	const struct store *s = arg;
	struct span span;
	if (family == ROCKS_FENCE)
		return journal_is_stale(s->journal, value);
	return !record_span(value, &span) || ledger_is_below_low(&s->ledger, span);
}

static enum err open_rocks(struct store *s)
{
	return rocks_open(
	    &(struct rocks_options){
		.path = s->mount.path,
		.sizes = &s->sizes,
		.direct_writes = rocks_can_write_direct(s->mount.path),
		.is_stale = is_stale,
		.arg = s,
	    },
	    &s->rocks);
}

static enum err open_ledger(struct store *s)
{
	struct ledger_seed seed;
	enum err err = ledger_seed(&seed);
	if (!err && s->mount.host.seed)
		s->mount.host.seed(s, &seed);
	if (!err)
		err = ledger_open(&s->ledger, s->rocks, &seed);
	if (!err && s->mount.host.opened)
		err = s->mount.host.opened(s);
	return err;
}

static void close_all(struct store *s)
{
	gate_close(&s->gate);
	/* First: it has memtables to write out, and compactions that ask the ledger. */
	rocks_close(&s->rocks);
	ledger_close(&s->ledger);
}

static enum trouble trouble_of_opening(enum err err, const char *words)
{
	if (err == ERR_STORE_NEWER)
		return TROUBLE_NEWER;
	enum trouble trouble = trouble_of(err, words);
	/* The directory is there, and can be written: if a file is not, or makes no sense to
	 * RocksDB, the database is broken. */
	bool is_broken = trouble == TROUBLE_CORRUPT || strstr(words, strerrordesc_np(ENOENT)) ||
	    slice_starts(slice_str(words), SL("Invalid argument"));
	return is_broken ? TROUBLE_CORRUPT : trouble;
}

static enum trouble open_all(struct store *s, const char **ret_words)
{
	enum trouble trouble = check_disk(&s->mount, ret_words);
	if (!trouble)
		trouble = check_owner(&s->mount, ret_words);
	if (trouble)
		return trouble;
	begin_anew(&s->mount);
	enum err err = open_rocks(s);
	if (!err)
		err = open_ledger(s);
	*ret_words = err == ERR_STORE_NEWER ? err_text(err) : rocks_why();
	trouble = err ? trouble_of_opening(err, *ret_words) : TROUBLE_NONE;
	if (err)
		close_all(s);
	return trouble;
}

static void note_corruption(struct mount *m, enum trouble trouble)
{
	struct mono now = mono_now();
	if (trouble != TROUBLE_CORRUPT || mono_ms_since(m->corrupt_at, now) > CORRUPT_SPAN_MS)
		m->corrupt_count = 0;
	if (trouble == TROUBLE_CORRUPT) {
		m->corrupt_count++;
		m->corrupt_at = now;
	}
}

static bool try_opening(struct store *s)
{
	const char *words = "";
	enum trouble trouble = open_all(s, &words);
	s->mount.refused = 0;
	if (!trouble) {
		remember_directory(&s->mount);
		/* Its marks were read and written. */
		store_tell_trouble(s, HEALTH_READS, TROUBLE_NONE, "");
		store_tell_trouble(s, HEALTH_WRITES, TROUBLE_NONE, "");
		gate_open(&s->gate);
	} else {
		note_corruption(&s->mount, trouble);
	}
	store_tell_trouble(s, HEALTH_OPEN, trouble, words);
	return trouble == TROUBLE_NONE;
}

/* ---- while it is open ---- */

/* Another disk came over the directory, or it was deleted: what is open is nobody's any more. */
static bool is_moved(struct mount *m, struct mono now)
{
	if (mono_ms_since(m->looked_at, now) < LOOK_MS)
		return false;
	m->looked_at = now;
	return !is_same_directory(m);
}

/* Whether writing failed, may be tried again, and the disk can be written. Until it can, what is
 * stored is there for those who read. */
static bool may_write_again(struct store *s)
{
	if (health_is_well(&s->health, HEALTH_WRITES) || !health_may(&s->health, HEALTH_WRITES))
		return false;
	const char *words = "";
	enum trouble trouble = check_disk(&s->mount, &words);
	if (trouble)
		store_tell_trouble(s, HEALTH_WRITES, trouble, words);
	return trouble == TROUBLE_NONE;
}

static void try_writing_again(struct store *s)
{
	if (!may_write_again(s))
		return;
	/* Writing the low mark as it is: as good a try as any. */
	enum err err = ledger_raise(&s->ledger, s->rocks, 0, s->ledger.logs[0].low);
	s->mount.refused = err ? s->mount.refused + 1 : 0;
	store_tell(s, HEALTH_WRITES, err);
}

void mount_try_again(struct store *s)
{
	uint64_t unused;
	if (!health_is_well(&s->health, HEALTH_READS) && health_may(&s->health, HEALTH_READS))
		store_tell(s, HEALTH_READS, rocks_last_id(s->rocks, ROCKS_BODY, &unused));
	try_writing_again(s);
}

/* Whether RocksDB goes on refusing writes until it is opened anew. */
static bool is_stuck(struct store *s)
{
	bool heals = trouble_heals(health_trouble(&s->health, HEALTH_WRITES)) &&
	    s->mount.refused < REFUSALS;
	return !heals && may_write_again(s);
}

bool mount_tend(struct store *s, struct mono now)
{
	if (!s->rocks)
		return health_may(&s->health, HEALTH_OPEN) && try_opening(s);
	if (is_moved(&s->mount, now)) {
		log_warn("store: %s is another directory now: opening that", s->mount.path);
	} else if (is_stuck(s)) {
		note_corruption(&s->mount, health_trouble(&s->health, HEALTH_WRITES));
	} else {
		return false;
	}
	close_all(s);
	try_opening(s);
	return true;
}

/* ---- life ---- */

enum err mount_init(struct store *s, const char *path, struct mount_host host)
{
	s->mount = (struct mount){ .path = strdup(path), .host = host };
	return s->mount.path ? ERR_NONE : ERR_NO_MEMORY;
}

void mount_fini(struct store *s)
{
	close_all(s);
	free(s->mount.path);
	s->mount.path = NULL;
}
