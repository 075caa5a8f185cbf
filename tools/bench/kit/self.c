/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/kit/self.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/base/slice.h"

uint64_t self_rss_bytes(void)
{
	unsigned long size = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	must(file && fscanf(file, "%lu %lu", &size, &resident) == 2);
	fclose(file);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t self_written_bytes(void)
{
	char line[128];
	uint64_t bytes = 0;
	FILE *file = fopen("/proc/self/io", "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "write_bytes: ", 13) == 0)
			bytes = strtoull(line + 13, NULL, 10);
	if (file)
		fclose(file);
	return bytes;
}

double self_cpu_s(void)
{
	struct rusage use;
	getrusage(RUSAGE_SELF, &use);
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
	    (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

typedef void each_f(int folder, const char *name, uint64_t *sum);

/* Visits the files whose names end so. */
static uint64_t each(const char *path, const char *ending, each_f *visit)
{
	uint64_t sum = 0;
	DIR *folder = opendir(path);
	for (struct dirent *e; folder && (e = readdir(folder));)
		if (e->d_name[0] != '.' && slice_ends(slice_str(e->d_name), slice_str(ending)))
			visit(dirfd(folder), e->d_name, &sum);
	if (folder)
		closedir(folder);
	return sum;
}

static void measure(int folder, const char *name, uint64_t *sum)
{
	struct stat st;
	/* Files come and go meanwhile. */
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*sum += (uint64_t)st.st_blocks * 512;
}

static void chill(int folder, const char *name, UNUSED uint64_t *sum)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

static void drop(int folder, const char *name, UNUSED uint64_t *sum)
{
	unlinkat(folder, name, 0);
}

uint64_t folder_bytes(const char *path, const char *ending)
{
	return each(path, ending, measure);
}

void folder_remove(const char *path)
{
	each(path, "", drop);
	rmdir(path);
}

void folder_chill(const char *path)
{
	each(path, "", chill);
}
