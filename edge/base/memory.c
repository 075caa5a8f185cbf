/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/base/memory.h"

#include <fcntl.h>
#include <unistd.h>

enum { LINE_BYTES = 4096 };

/* Reads the beginning of a file as text. False when there is none. */
static bool read_text(const char *path, char text[LINE_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, LINE_BYTES - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* A limit's file holds bytes or "max"; one that is not there limits nothing. */
static uint64_t limit_of(const char *root, const char *group, int len, const char *file)
{
	char path[LINE_BYTES], text[LINE_BYTES];
	if (snprintf(path, sizeof(path), "%s%.*s/%s", root, len, group, file) >=
		(int)sizeof(path) ||
	    !read_text(path, text))
		return UINT64_MAX;
	char *end;
	unsigned long long bytes = strtoull(text, &end, 10);
	return end == text ? UINT64_MAX : bytes;
}

/* The least limit of a group and all above it. */
static uint64_t least_limit(const char *root, const char *group, const char *file)
{
	uint64_t least = limit_of(root, "", 0, file);
	for (int len = (int)strlen(group); len > 1; len--)
		if (group[len] == '\0' || group[len] == '/')
			least = min_u64(least, limit_of(root, group, len, file));
	return least;
}

/* Lines of /proc/self/cgroup: "0::/a/b" is version 2, "7:memory:/a/b" version 1. */
static uint64_t group_limit(void)
{
	char text[LINE_BYTES];
	uint64_t least = UINT64_MAX;
	if (!read_text("/proc/self/cgroup", text))
		return least;
	for (char *save, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		const char *names = strchr(line, ':');
		const char *group = names ? strchr(names + 1, ':') : NULL;
		if (!group)
			continue;
		if (group == names + 1)
			least = min_u64(
			    least, least_limit("/sys/fs/cgroup", group + 1, "memory.max"));
		else if (strstr(names, "memory"))
			least = min_u64(least,
			    least_limit(
				"/sys/fs/cgroup/memory", group + 1, "memory.limit_in_bytes"));
	}
	return least;
}

uint64_t memory_there_is(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
	uint64_t machine = pages > 0 && bytes > 0 ? (uint64_t)pages * (uint64_t)bytes : UINT64_MAX;
	return min_u64(machine, group_limit());
}

uint64_t memory_resident(void)
{
	char text[LINE_BYTES];
	unsigned long long all, resident;
	if (!read_text("/proc/self/statm", text) || sscanf(text, "%llu %llu", &all, &resident) != 2)
		return 0;
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}
