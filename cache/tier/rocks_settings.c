/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/rocks_settings.h"

enum { MAGIC = 0x526f636b, PURGE_BUFFER_BYTES = 2 * 1024 * 1024 };

static const char *filter_name(UNUSED void *arg)
{
	return "larder.stale";
}

static unsigned char on_filter(void *arg, UNUSED int level, UNUSED const char *key,
    UNUSED size_t key_len, const char *value, size_t len, UNUSED char **new_value,
    UNUSED size_t *new_len, UNUSED unsigned char *changed)
{
	const struct stale_filter *f = arg;
	must(f->magic == MAGIC);
	return f->options->is_stale(f->options->arg, f->family, slice_of(value, len));
}

static void on_filter_end(UNUSED void *arg)
{
}

/* What c.h has no setter for. Comes first: it makes a new options object. */
static rocksdb_options_t *settings_of_text(const char *text)
{
	rocksdb_options_t *base = rocksdb_options_create(), *made = rocksdb_options_create();
	char *err = NULL;
	rocksdb_get_options_from_string(base, text, made, &err);
	must(err == NULL);
	rocksdb_options_destroy(base);
	return made;
}

static rocksdb_options_t *control_settings(const struct rocks_options *o)
{
	rocksdb_options_t *s = settings_of_text("stats_persist_period_sec=0;allow_fallocate=false");
	rocksdb_options_set_create_if_missing(s, 1);
	rocksdb_options_set_create_missing_column_families(s, 1);
	rocksdb_options_set_write_buffer_size(s, 1 * MIB);
	/* of the whole database */
	rocksdb_options_set_max_background_jobs(s, 3);
	rocksdb_options_set_max_open_files(s, -1);
	/* However many logs there are. */
	rocksdb_options_set_db_write_buffer_size(
	    s, 4 * o->sizes->body_buffer_bytes + 2 * o->sizes->meta_buffer_bytes);
	rocksdb_options_set_max_total_wal_size(s, o->sizes->log_bytes);
	rocksdb_options_set_bytes_per_sync(s, 1 * MIB);
	rocksdb_options_set_wal_bytes_per_sync(s, 512 * KIB);
	/* What is written was in the hot tier a moment ago: a second copy in the page cache would
	 * cost memory, and as much time as all else that is done to store it. Reads fill the page
	 * cache. */
	rocksdb_options_set_use_direct_io_for_flush_and_compaction(s, o->direct_writes);
	rocksdb_options_set_max_manifest_file_size(s, o->sizes->manifest_bytes);
	rocksdb_options_set_stats_dump_period_sec(s, 0);
	/* Its own log is a file in the store: on a full disk, writing there runs into an assertion.
	 * What matters comes back as an error and goes to our log. */
	rocksdb_options_set_info_log_level(s, 4); /* fatal */
	rocksdb_options_set_max_log_file_size(s, 4 * MIB);
	rocksdb_options_set_keep_log_file_num(s, 2);
	return s;
}

static void make_filter(
    const struct rocks_options *o, struct stale_filter *f, enum rocks_family family)
{
	*f = (struct stale_filter){ .magic = MAGIC, .options = o, .family = family };
	f->made = rocksdb_compactionfilter_create(f, on_filter_end, on_filter, filter_name);
}

/* Of records that are looked up by hash, most of which are absent. */
static rocksdb_options_t *record_settings(
    struct rocks_settings *r, const struct stale_filter *filter, uint64_t buffer)
{
	rocksdb_options_t *s = settings_of_text("periodic_compaction_seconds=86400");
	rocksdb_options_set_write_buffer_size(s, buffer);
	rocksdb_options_set_max_bytes_for_level_base(s, 4 * buffer);
	rocksdb_options_set_target_file_size_base(s, buffer);
	/* What a compaction writes is on the disk beside what it reads. */
	rocksdb_options_set_max_compaction_bytes(s, 12 * buffer);
	rocksdb_options_set_level_compaction_dynamic_level_bytes(s, 1);
	rocksdb_options_set_compression(s, rocksdb_lz4_compression);
	rocksdb_options_set_compaction_filter(s, filter->made);
	/* Most keys that are asked for here are absent, and that is asked on event loops: a filter
	 * over the memtable says so without walking it. */
	rocksdb_options_set_memtable_prefix_bloom_size_ratio(s, 0.05);
	rocksdb_options_set_memtable_whole_key_filtering(s, 1);

	rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();
	rocksdb_block_based_options_set_block_size(t, 16 * KIB);
	rocksdb_block_based_options_set_format_version(t, 5);
	rocksdb_block_based_options_set_filter_policy(t, rocksdb_filterpolicy_create_ribbon(10));
	rocksdb_block_based_options_set_block_cache(t, r->cache);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks(t, 1);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(t, 1);
	rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(t, 1);
	rocksdb_options_set_block_based_table_factory(s, t);
	rocksdb_block_based_options_destroy(t);
	return s;
}

static rocksdb_options_t *purges_settings(void)
{
	rocksdb_options_t *s = rocksdb_options_create();
	rocksdb_options_set_write_buffer_size(s, PURGE_BUFFER_BYTES);
	rocksdb_options_set_target_file_size_base(s, PURGE_BUFFER_BYTES);
	rocksdb_options_set_compression(s, rocksdb_lz4_compression);
	return s;
}

static rocksdb_options_t *body_settings(const struct rocks_options *o)
{
	rocksdb_options_t *s = rocksdb_options_create();
	rocksdb_options_set_write_buffer_size(s, o->sizes->body_buffer_bytes);
	rocksdb_options_set_max_write_buffer_number(s, 4);
	rocksdb_options_set_target_file_size_base(s, o->sizes->body_buffer_bytes);
	rocksdb_options_set_compression(s, rocksdb_no_compression);

	/* The page cache is a better place for bodies than a block cache of ours. */
	rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();
	/* A small object costs the reading, checking and copying of its block: most want one of
	 * their own. The index, which is always in RAM, is 10 bytes a block when its keys are
	 * packed. */
	rocksdb_block_based_options_set_block_size(t, 4 * KIB);
	rocksdb_block_based_options_set_index_block_restart_interval(t, 16);
	rocksdb_block_based_options_set_format_version(t, 5);
	rocksdb_block_based_options_set_no_block_cache(t, 1);
	rocksdb_options_set_block_based_table_factory(s, t);
	rocksdb_block_based_options_destroy(t);
	return s;
}

void rocks_settings_make(struct rocks_settings *r, const struct rocks_options *options)
{
	make_filter(options, &r->meta_filter, ROCKS_META);
	make_filter(options, &r->fence_filter, ROCKS_FENCE);
	r->cache = rocksdb_cache_create_lru(options->sizes->cache_bytes);
	uint64_t buffer = options->sizes->meta_buffer_bytes;
	r->families[ROCKS_CONTROL] = control_settings(options);
	r->families[ROCKS_META] = record_settings(r, &r->meta_filter, buffer);
	r->families[ROCKS_FENCE] = record_settings(
	    r, &r->fence_filter, min_u64(buffer, PURGE_BUFFER_BYTES));
	r->families[ROCKS_PURGES] = purges_settings();
	r->families[ROCKS_BODY] = body_settings(options);
}

void rocks_settings_free(struct rocks_settings *r)
{
	for (int i = 0; i <= ROCKS_BODY; i++)
		rocksdb_options_destroy(r->families[i]);
	rocksdb_compactionfilter_destroy(r->meta_filter.made);
	rocksdb_compactionfilter_destroy(r->fence_filter.made);
	rocksdb_cache_destroy(r->cache);
}
