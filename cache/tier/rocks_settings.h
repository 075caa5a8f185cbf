/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options that each column family is opened with, as they were measured. A part of rocks.c, and
 * beside it the only one that knows rocksdb/c.h.
 */
#pragma once

#include <rocksdb/c.h>

#include "cache/tier/rocks.h"

struct stale_filter {
	uint32_t magic;
	enum rocks_family family;
	const struct rocks_options *options;
	rocksdb_compactionfilter_t *made;
};

struct rocks_settings {
	rocksdb_options_t *families[ROCKS_BODY + 1]; /* all logs have the last */
	rocksdb_cache_t *cache;
	struct stale_filter meta_filter, fence_filter;
};

/* options: must be there, where they are, until the free; as must the settings. */
void rocks_settings_make(struct rocks_settings *, const struct rocks_options *options);
void rocks_settings_free(struct rocks_settings *);
