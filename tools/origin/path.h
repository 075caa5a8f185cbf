/* SPDX-License-Identifier: Apache-2.0 */
/* What the origin remembers: for each path its count and its content, and sums for all. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "tools/origin/text.h"

/* One path's count and content; made at first sight, kept for ever. */
struct path {
	struct path *next;
	uint64_t requests;
	unsigned revision;
	time_t changed;
	char name[];
};

struct count {
	uint64_t requests, not_modified, accepted, open, bytes;
	size_t paths;
};
extern struct count count;

/* Once there are very many, strangers share one record. With `make` it is never NULL. */
struct path *path_find(const char *name, bool make);
/* Gives a path its next revision. */
void path_change(struct path *);

void make_path_stats(struct text *, const char *name);
void make_stats(struct text *);
/* Counters only: contents and their revisions stay, so that no validator comes back to life. */
void stats_reset(void);
