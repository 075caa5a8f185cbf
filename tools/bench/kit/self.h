/* SPDX-License-Identifier: Apache-2.0 */
/* What the system says about this process and about a folder of files. */
#pragma once

#include "edge/base/base.h"

uint64_t self_rss_bytes(void);
/* Bytes that the process has had written to disks. */
uint64_t self_written_bytes(void);
/* User and system time of all threads. */
double self_cpu_s(void);

/* Disk space that the files of a folder take whose names end so, as du says; "" = all of them.
 * Folders in it are not looked into. */
uint64_t folder_bytes(const char *path, const char *ending);
/* Removes a folder and the files in it. */
void folder_remove(const char *path);
/* Has the files' pages leave the page cache, as after a start of the machine. */
void folder_chill(const char *path);
