/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/process.h"

#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/base/slice.h"

enum { HEAP_STEP_BYTES = 8 * 1024 * 1024 };

/* ---- pid file ---- */

enum lock_outcome { LOCK_TAKEN, LOCK_HELD, LOCK_MOVED, LOCK_FAILED };

/* Opens and locks the file. It may have been removed by its last owner between the two. */
static enum lock_outcome lock_file(const char *path, int *ret_fd)
{
	struct stat opened, named;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	*ret_fd = fd;
	if (fd < 0)
		return LOCK_FAILED;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? LOCK_HELD : LOCK_FAILED;
	bool same = fstat(fd, &opened) == 0 && stat(path, &named) == 0 &&
	    opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
	return same ? LOCK_TAKEN : LOCK_MOVED;
}

static bool write_pid(int fd)
{
	return ftruncate(fd, 0) == 0 && dprintf(fd, "%d\n", (int)getpid()) > 0;
}

/* What to tell of a file that another process has locked. */
static void tell_holder(int fd, const char *path, char *why, size_t why_room)
{
	char text[32] = "";
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
	size_t digits = len > 0 ? strspn(text, "0123456789") : 0;
	snprintf(why, why_room, "%s: another Larder runs%s%.*s", path, digits ? ", process " : "",
	    (int)digits, text);
}

enum err pid_file_take(struct pid_file *file, const char *path, char *why, size_t why_room)
{
	enum lock_outcome outcome;
	int fd;
	*file = (struct pid_file){ .fd = -1 };
	while ((outcome = lock_file(path, &fd)) == LOCK_MOVED)
		close(fd);
	if (outcome == LOCK_TAKEN && write_pid(fd)) {
		file->fd = fd;
		file->path = slice_to_str(slice_str(path));
		return ERR_NONE;
	}
	if (outcome == LOCK_HELD)
		tell_holder(fd, path, why, why_room);
	else
		snprintf(why, why_room, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ERR_SYSTEM;
}

void pid_file_drop(struct pid_file *file)
{
	if (!file->path)
		return;
	/* The folder may be one that our user must not write to: then an empty file stays. */
	UNUSED int emptied = ftruncate(file->fd, 0);
	unlink(file->path);
	close(file->fd);
	free(file->path);
	*file = (struct pid_file){ .fd = -1 };
}

/* ---- limits ---- */

void process_tune_heap(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TOP_PAD, HEAP_STEP_BYTES);
	mallopt(M_TRIM_THRESHOLD, 16 * HEAP_STEP_BYTES);
	mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024);
}

uint64_t process_raise_fds(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;
	struct rlimit raised = { limit.rlim_max, limit.rlim_max };
	return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

/* ---- user ---- */

static enum err refuse(const char *user, const char *what, char *why, size_t why_room)
{
	snprintf(why, why_room, "becoming user %s: %s", user, what);
	return ERR_SYSTEM;
}

/* All three ids at once, real, effective and saved: a saved one would be a way back. */
static bool drop_to(const struct passwd *entry)
{
	return initgroups(entry->pw_name, entry->pw_gid) == 0 &&
	    setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) == 0 &&
	    setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) == 0;
}

static bool can_return(const struct passwd *entry)
{
	return (entry->pw_uid != 0 && setuid(0) == 0) || (entry->pw_gid != 0 && setgid(0) == 0);
}

enum err process_become(const char *user, char *why, size_t why_room)
{
	errno = 0;
	/* getpwnam's one buffer is enough: this is the start, and nobody else asks. */
	const struct passwd *entry = getpwnam(user);
	if (!entry) {
		snprintf(
		    why, why_room, "user %s: %s", user, errno ? strerror(errno) : "no such user");
		return ERR_CONF;
	}
	if (geteuid() == entry->pw_uid && getuid() == entry->pw_uid)
		return ERR_NONE;
	if (geteuid() != 0)
		return refuse(user, "Larder was not started by root", why, why_room);
	if (!drop_to(entry))
		return refuse(user, strerror(errno), why, why_room);
	if (can_return(entry))
		return refuse(user, "root could be had back", why, why_room);
	return ERR_NONE;
}
