/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that fails when it is told to: loaded with LD_PRELOAD before libc, it makes calls on files
 * below one folder fail while a control file says so.
 *
 *	IOSHIM_UNDER    the folder
 *	IOSHIM_CONTROL  the file: a word and a number each line, such as "write 28" (ENOSPC) or
 *	                "read 5" (EIO); no file = nothing fails. Words: open, open-read, read,
 *	                write, sync.
 *
 * `open` fails opening for writing, and renaming; `write` is pwrite, write, fallocate and the like;
 * an optional third word is what the file's name must contain.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* The number with which a call fails now; 0 = it goes on to libc. */
static int verdict(const char *call, const char *path)
{
	const char *under = getenv("IOSHIM_UNDER"), *control = getenv("IOSHIM_CONTROL");
	if (!under || !control || strncmp(path, under, strlen(under)) != 0)
		return 0;
	int fd = (int)REAL(open)(control, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	char text[512], *rest = NULL;
	ssize_t len = REAL(read)(fd, text, sizeof(text) - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char word[32], part[64] = "";
		int number = 0;
		if (sscanf(line, "%31s %d %63s", word, &number, part) >= 2 &&
		    strcmp(word, call) == 0 && strstr(path, part))
			return number;
	}
	return 0;
}

static bool fails(const char *call, const char *path)
{
	int before = errno, number = verdict(call, path);
	errno = number ? number : before;
	return number != 0;
}

static bool fails_on(const char *call, int fd)
{
	char link[64], path[PATH_MAX];
	int before = errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, sizeof(path) - 1);
	path[len > 0 ? len : 0] = '\0';
	errno = before;
	return fails(call, path);
}

/* ---- what RocksDB calls ---- */

static bool fails_open(const char *path, int flags)
{
	return (flags & O_ACCMODE) == O_RDONLY ? fails("open-read", path) : fails("open", path);
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	return fails_open(path, flags) ? -1 : REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	return fails_open(path, flags) ? -1 : REAL(open64)(path, flags, mode);
}

FILE *fopen(const char *path, const char *how)
{
	return fails_open(path, how[0] == 'r' ? O_RDONLY : O_WRONLY) ? NULL
								     : REAL(fopen)(path, how);
}

FILE *fopen64(const char *path, const char *how)
{
	return fails_open(path, how[0] == 'r' ? O_RDONLY : O_WRONLY) ? NULL
								     : REAL(fopen64)(path, how);
}

int rename(const char *from, const char *to)
{
	return fails("open", to) ? -1 : REAL(rename)(from, to);
}

ssize_t read(int fd, void *to, size_t len)
{
	return fails_on("read", fd) ? -1 : REAL(read)(fd, to, len);
}

ssize_t pread(int fd, void *to, size_t len, off_t at)
{
	return fails_on("read", fd) ? -1 : REAL(pread)(fd, to, len, at);
}

ssize_t pread64(int fd, void *to, size_t len, off64_t at)
{
	return fails_on("read", fd) ? -1 : REAL(pread64)(fd, to, len, at);
}

ssize_t write(int fd, const void *from, size_t len)
{
	return fails_on("write", fd) ? -1 : REAL(write)(fd, from, len);
}

ssize_t pwrite(int fd, const void *from, size_t len, off_t at)
{
	return fails_on("write", fd) ? -1 : REAL(pwrite)(fd, from, len, at);
}

ssize_t pwrite64(int fd, const void *from, size_t len, off64_t at)
{
	return fails_on("write", fd) ? -1 : REAL(pwrite64)(fd, from, len, at);
}

int fallocate(int fd, int mode, off_t at, off_t len)
{
	return fails_on("write", fd) ? -1 : REAL(fallocate)(fd, mode, at, len);
}

int fallocate64(int fd, int mode, off64_t at, off64_t len)
{
	return fails_on("write", fd) ? -1 : REAL(fallocate64)(fd, mode, at, len);
}

int fsync(int fd)
{
	return fails_on("sync", fd) ? -1 : REAL(fsync)(fd);
}

int fdatasync(int fd)
{
	return fails_on("sync", fd) ? -1 : REAL(fdatasync)(fd);
}

int sync_file_range(int fd, off64_t at, off64_t len, unsigned flags)
{
	/* With nothing to do it asks whether there is such a call. */
	return flags && fails_on("sync", fd) ? -1 : REAL(sync_file_range)(fd, at, len, flags);
}
