/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Larder is as a process of its system: its pid file, its file descriptors, its user. Each
 * function is a stage of the start; what fails says so in `why`, one line for people.
 */
#pragma once

#include "edge/base/err.h"

/*
 * The pid file is locked as long as Larder runs. The lock, not the file, tells that the process is
 * alive: a file that a crash left behind is taken over, and two Larders never share one.
 */
struct pid_file {
	char *path; /* NULL = none */
	int fd;
};

/* Takes the pid file and writes our pid into it. own: pid_file_drop. fail: ERR_SYSTEM. */
enum err pid_file_take(struct pid_file *, const char *path, char *why, size_t why_room);
/* Removes the file. Safe when none was taken. */
void pid_file_drop(struct pid_file *);

/*
 * Has malloc serve all threads from one heap that grows and shrinks in large steps. glibc's heap of
 * a thread grows page by page: with objects of a few KiB that is a system call, and a flush of the
 * other processors' address tables, for each object stored. Call it before the first thread.
 */
void process_tune_heap(void);

/* Raises the limit of open files as far as it goes. Returns what it is now. */
uint64_t process_raise_fds(void);

/*
 * Becomes that user, for good: its groups, its group, itself, and proves that root cannot be had
 * back. All threads follow. Does nothing when Larder runs as that user already. Call it once the
 * listeners are bound, the pid file is taken and the logs are open. fail: ERR_CONF for a user that
 * does not exist; ERR_SYSTEM when it may not be done.
 */
enum err process_become(const char *user, char *why, size_t why_room);
