/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/rocks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/tier/rocks_settings.h"

enum { PARTS_MAX = 40, MEMORY_ONLY = 1 /* kBlockCacheTier: c.h has no name */ };

struct rocks {
	/* fixed after rocks_open */
	struct rocks_options options;
	rocksdb_t *db;
	struct rocks_settings settings;
	/* written by the writer, read by all: a family is there before its number is given out */
	rocksdb_column_family_handle_t *families[ROCKS_FAMILIES];
	_Atomic unsigned family_count;
	rocksdb_readoptions_t *read, *read_memory;
	rocksdb_writeoptions_t *write[ROCKS_SYNCED + 1];
	rocksdb_flushoptions_t *flush;
};

#define BODY_NAME "body"
/* "default", "meta", "body", "body.1" and so on. */
struct family_name {
	char text[sizeof(BODY_NAME) + 12];
};

static struct family_name name_of(unsigned family)
{
	static const char *const first[] = { "default", "meta", "fence", "purges", BODY_NAME };
	struct family_name name;
	if (family <= ROCKS_BODY)
		snprintf(name.text, sizeof(name.text), "%s", first[family]);
	else
		snprintf(name.text, sizeof(name.text), BODY_NAME ".%u", family - ROCKS_BODY);
	return name;
}

/* ---- failures ---- */

static _Thread_local char why[256];

const char *rocks_why(void)
{
	return why;
}

/* Keeps RocksDB's words, frees them and finds our name for them. NULL is success. */
static enum err judge(char *text)
{
	if (!text)
		return ERR_NONE;
	snprintf(why, sizeof(why), "%s", text);
	rocksdb_free(text);
	return strncmp(why, "Corruption", strlen("Corruption")) == 0 ? ERR_STORE_CORRUPT
								     : ERR_STORE_IO;
}

static bool is_locked_elsewhere(void)
{
	return strstr(why, "lock hold by") ||
	    (strstr(why, "/LOCK") && strstr(why, strerrordesc_np(EAGAIN)));
}

bool rocks_can_write_direct(const char *path)
{
	char name[PATH_MAX];
	mkdir(path, 0750); /* there already, or opening the store tells why not */
	if (snprintf(name, sizeof(name), "%s/direct.tmp", path) >= (int)sizeof(name))
		return false;
	int fd = open(name, O_CREAT | O_WRONLY | O_DIRECT | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	close(fd);
	unlink(name);
	return true;
}

static rocksdb_writeoptions_t *write_options(bool logged, bool synced)
{
	rocksdb_writeoptions_t *w = rocksdb_writeoptions_create();
	rocksdb_writeoptions_disable_WAL(w, !logged);
	rocksdb_writeoptions_set_sync(w, synced);
	return w;
}

static void make_options(struct rocks *r)
{
	rocks_settings_make(&r->settings, &r->options);
	r->read = rocksdb_readoptions_create();
	rocksdb_readoptions_set_fill_cache(r->read, 1);
	r->read_memory = rocksdb_readoptions_create();
	rocksdb_readoptions_set_read_tier(r->read_memory, MEMORY_ONLY);
	r->write[ROCKS_UNLOGGED] = write_options(false, false);
	r->write[ROCKS_LOGGED] = write_options(true, false);
	r->write[ROCKS_SYNCED] = write_options(true, true);
	r->flush = rocksdb_flushoptions_create();
	rocksdb_flushoptions_set_wait(r->flush, 0);
}

/* ---- life ---- */

/* How many families there are on disk: all must be opened. Of a database that is new, or that is of
 * before there were some of them, the first. */
static unsigned count_families(const struct rocks *r)
{
	char *text = NULL;
	size_t count = 0;
	char **all = rocksdb_list_column_families(
	    r->settings.families[ROCKS_CONTROL], r->options.path, &count, &text);
	unsigned logs = 0;
	for (size_t i = 0; i < count; i++)
		logs += strncmp(all[i], BODY_NAME, strlen(BODY_NAME)) == 0;
	/* After a failure, too, there is an array; what failed, opening it tells. */
	rocksdb_list_column_families_destroy(all, count);
	rocksdb_free(text);
	return (unsigned)max_u64(min_u64(ROCKS_BODY + logs, ROCKS_FAMILIES), ROCKS_BODY + 1);
}

static const rocksdb_options_t *settings_of(const struct rocks *r, unsigned family)
{
	return r->settings.families[min_u64(family, ROCKS_BODY)];
}

static enum err open_families(struct rocks *r, unsigned count)
{
	struct family_name names[ROCKS_FAMILIES];
	const char *texts[ROCKS_FAMILIES];
	const rocksdb_options_t *settings[ROCKS_FAMILIES];
	for (unsigned i = 0; i < count; i++) {
		names[i] = name_of(i);
		texts[i] = names[i].text;
		settings[i] = settings_of(r, i);
	}
	char *text = NULL;
	r->db = rocksdb_open_column_families(r->settings.families[ROCKS_CONTROL], r->options.path,
	    (int)count, texts, settings, r->families, &text);
	r->family_count = count;
	return judge(text);
}

unsigned rocks_log_count(const struct rocks *r)
{
	return r->family_count - ROCKS_BODY;
}

enum err rocks_add_log(struct rocks *r)
{
	unsigned family = r->family_count;
	must(family < ROCKS_FAMILIES);
	char *text = NULL;
	r->families[family] = rocksdb_create_column_family(
	    r->db, settings_of(r, family), name_of(family).text, &text);
	enum err err = judge(text);
	if (!err)
		r->family_count = family + 1;
	return err;
}

enum err rocks_open(const struct rocks_options *options, struct rocks **ret_rocks)
{
	struct rocks *r = must_alloc(sizeof(*r));
	*r = (struct rocks){ .options = *options };
	make_options(r);
	enum err err = open_families(r, count_families(r));
	if (err) {
		r->db = NULL;
		rocks_close(&r);
		return is_locked_elsewhere() ? ERR_STORE_LOCKED : err;
	}
	*ret_rocks = r;
	return ERR_NONE;
}

void rocks_close(struct rocks **rocks)
{
	struct rocks *r = *rocks;
	*rocks = NULL;
	if (!r)
		return;
	/* Debian's library has its assertions on: every handle goes first, the default one too. */
	for (unsigned i = 0; r->db && i < r->family_count; i++)
		rocksdb_column_family_handle_destroy(r->families[i]);
	if (r->db)
		rocksdb_close(r->db);
	for (int i = 0; i <= ROCKS_SYNCED; i++)
		rocksdb_writeoptions_destroy(r->write[i]);
	rocksdb_readoptions_destroy(r->read);
	rocksdb_readoptions_destroy(r->read_memory);
	rocksdb_flushoptions_destroy(r->flush);
	rocks_settings_free(&r->settings);
	free(r);
}

enum err rocks_destroy(const char *path)
{
	rocksdb_options_t *options = rocksdb_options_create();
	char *text = NULL;
	rocksdb_destroy_db(options, path, &text);
	rocksdb_options_destroy(options);
	return judge(text);
}

/* ---- reading ---- */

enum rocks_look rocks_get(struct rocks *r, enum rocks_family family, struct slice key,
    bool in_memory, struct rocks_value *ret_value, enum err *ret_err)
{
	char *text = NULL;
	rocksdb_pinnableslice_t *pin = rocksdb_get_pinned_cf(r->db,
	    in_memory ? r->read_memory : r->read, r->families[family], key.at, key.len, &text);
	if (text && strncmp(text, "Result incomplete", strlen("Result incomplete")) == 0) {
		rocksdb_free(text);
		return ROCKS_UNSURE;
	}
	*ret_err = judge(text);
	if (*ret_err)
		return ROCKS_FAILED;
	if (!pin)
		return ROCKS_ABSENT;
	ret_value->pin = pin;
	ret_value->bytes.at = rocksdb_pinnableslice_value(pin, &ret_value->bytes.len);
	return ROCKS_FOUND;
}

void rocks_unpin(struct rocks_value *value)
{
	rocksdb_pinnableslice_destroy(value->pin);
	*value = (struct rocks_value){ 0 };
}

/* A walk is RocksDB's iterator under our name. */
static rocksdb_iterator_t *iterator(const struct rocks_walk *w)
{
	return (rocksdb_iterator_t *)(uintptr_t)w;
}

struct rocks_walk *rocks_walk_new(struct rocks *r, enum rocks_family family, struct slice from)
{
	rocksdb_iterator_t *it = rocksdb_create_iterator_cf(r->db, r->read, r->families[family]);
	rocksdb_iter_seek(it, from.at, from.len);
	return (struct rocks_walk *)it;
}

void rocks_walk_free(struct rocks_walk **w)
{
	if (*w)
		rocksdb_iter_destroy(iterator(*w));
	*w = NULL;
}

bool rocks_walk_at(
    const struct rocks_walk *w, struct slice *ret_key, struct slice *ret_value, enum err *ret_err)
{
	char *text = NULL;
	*ret_err = ERR_NONE;
	if (!rocksdb_iter_valid(iterator(w))) {
		rocksdb_iter_get_error(iterator(w), &text);
		*ret_err = judge(text);
		return false;
	}
	ret_key->at = rocksdb_iter_key(iterator(w), &ret_key->len);
	ret_value->at = rocksdb_iter_value(iterator(w), &ret_value->len);
	return true;
}

void rocks_walk_next(struct rocks_walk *w)
{
	rocksdb_iter_next(iterator(w));
}

static uint64_t id_of(const char *key, size_t len)
{
	uint64_t id;
	if (len != sizeof(id))
		return 0;
	memcpy(&id, key, sizeof(id));
	return __builtin_bswap64(id);
}

enum err rocks_last_id(struct rocks *r, enum rocks_family family, uint64_t *ret_id)
{
	rocksdb_iterator_t *it = rocksdb_create_iterator_cf(r->db, r->read, r->families[family]);
	rocksdb_iter_seek_to_last(it);
	size_t len = 0;
	const char *key = rocksdb_iter_valid(it) ? rocksdb_iter_key(it, &len) : NULL;
	uint64_t id = key ? id_of(key, len) : 0;
	char *text = NULL;
	rocksdb_iter_get_error(it, &text);
	rocksdb_iter_destroy(it);
	enum err err = judge(text);
	if (!err)
		*ret_id = id;
	return err;
}

/* ---- writing ---- */

/* A batch is RocksDB's under our name. */
static rocksdb_writebatch_t *writebatch(struct rocks_batch *b)
{
	return (rocksdb_writebatch_t *)b;
}

struct rocks_batch *rocks_batch_new(void)
{
	return (struct rocks_batch *)rocksdb_writebatch_create();
}

void rocks_batch_free(struct rocks_batch **b)
{
	if (*b)
		rocksdb_writebatch_destroy(writebatch(*b));
	*b = NULL;
}

void rocks_batch_put(struct rocks_batch *b, struct rocks *r, enum rocks_family family,
    struct slice key, const struct slice *parts, size_t part_count)
{
	const char *at[PARTS_MAX];
	size_t len[PARTS_MAX];
	must(part_count <= PARTS_MAX);
	for (size_t i = 0; i < part_count; i++) {
		at[i] = parts[i].at;
		len[i] = parts[i].len;
	}
	rocksdb_writebatch_putv_cf(
	    writebatch(b), r->families[family], 1, &key.at, &key.len, (int)part_count, at, len);
}

void rocks_batch_delete(
    struct rocks_batch *b, struct rocks *r, enum rocks_family family, struct slice key)
{
	rocksdb_writebatch_delete_cf(writebatch(b), r->families[family], key.at, key.len);
}

void rocks_batch_clear(struct rocks_batch *b)
{
	rocksdb_writebatch_clear(writebatch(b));
}

enum err rocks_write(struct rocks *r, struct rocks_batch *b, enum rocks_safety safety)
{
	char *text = NULL;
	rocksdb_write(r->db, r->write[safety], writebatch(b), &text);
	rocks_batch_clear(b);
	return judge(text);
}

uint64_t rocks_batch_bytes(struct rocks_batch *b)
{
	size_t bytes = 0;
	rocksdb_writebatch_data(writebatch(b), &bytes);
	return bytes;
}

enum err rocks_flush(struct rocks *r, enum rocks_family family)
{
	char *text = NULL;
	rocksdb_flush_cf(r->db, r->flush, r->families[family], &text);
	return judge(text);
}

/* ---- space ---- */

static uint64_t property(struct rocks *r, enum rocks_family family, const char *name)
{
	uint64_t value = 0;
	return rocksdb_property_int_cf(r->db, r->families[family], name, &value) == 0 ? value : 0;
}

uint64_t rocks_disk_bytes(struct rocks *r, enum rocks_family family)
{
	return property(r, family, "rocksdb.live-sst-files-size");
}

uint64_t rocks_memtable_bytes(struct rocks *r, enum rocks_family family)
{
	return property(r, family, "rocksdb.cur-size-all-mem-tables");
}

uint64_t rocks_key_estimate(struct rocks *r, enum rocks_family family)
{
	return property(r, family, "rocksdb.estimate-num-keys");
}

uint64_t rocks_cached_bytes(struct rocks *r)
{
	return rocksdb_cache_get_usage(r->settings.cache);
}

/* "... Cumulative compaction: 1.25 GB write, ..." */
static uint64_t cumulative_bytes(const char *stats)
{
	static const char before[] = "Cumulative compaction: ";
	const char *found = strstr(stats, before);
	double gib = found ? strtod(found + strlen(before), NULL) : 0;
	return gib > 0 ? (uint64_t)(gib * (double)GIB) : 0;
}

uint64_t rocks_written_bytes(struct rocks *r, enum rocks_family family)
{
	char *stats = rocksdb_property_value_cf(
	    r->db, r->families[family], "rocksdb.cfstats-no-file-histogram");
	uint64_t bytes = stats ? cumulative_bytes(stats) : 0;
	rocksdb_free(stats);
	return bytes;
}

static int by_id(const void *a, const void *b)
{
	const struct rocks_file *x = a, *y = b;
	return (x->last_id > y->last_id) - (x->last_id < y->last_id);
}

static size_t collect_files(const rocksdb_livefiles_t *all, struct rocks_file *files)
{
	size_t found = 0;
	int count = rocksdb_livefiles_count(all);
	for (int i = 0; i < count; i++) {
		const char *name = rocksdb_livefiles_column_family_name(all, i);
		if (strncmp(name, BODY_NAME, strlen(BODY_NAME)) != 0)
			continue;
		size_t first_len, last_len;
		const char *first = rocksdb_livefiles_smallestkey(all, i, &first_len);
		const char *last = rocksdb_livefiles_largestkey(all, i, &last_len);
		files[found++] = (struct rocks_file){ id_of(first, first_len),
			id_of(last, last_len), rocksdb_livefiles_size(all, i) };
	}
	return found;
}

struct rocks_file *rocks_files(struct rocks *r, size_t *ret_count)
{
	const rocksdb_livefiles_t *all = rocksdb_livefiles(r->db);
	size_t count = (size_t)rocksdb_livefiles_count(all);
	struct rocks_file *files = count ? malloc(count * sizeof(*files)) : NULL;
	*ret_count = files ? collect_files(all, files) : 0;
	rocksdb_livefiles_destroy(all);
	if (files)
		qsort(files, *ret_count, sizeof(*files), by_id);
	return files;
}

enum err rocks_delete_files(struct rocks *r, enum rocks_family family, uint64_t first, uint64_t end)
{
	if (first >= end)
		return ERR_NONE;
	/* RocksDB takes what ends at `to`, too. */
	struct rocks_id from = rocks_id_of(first), to = rocks_id_of(end - 1);
	char *text = NULL;
	rocksdb_delete_file_in_range_cf(r->db, r->families[family], from.bytes, sizeof(from.bytes),
	    to.bytes, sizeof(to.bytes), &text);
	return judge(text);
}

void rocks_suggest_compaction(struct rocks *r)
{
	char *text = NULL;
	rocksdb_suggest_compact_range_cf(r->db, r->families[ROCKS_META], NULL, 0, NULL, 0, &text);
	/* Only a suggestion: what hinders it shows up elsewhere. */
	UNUSED enum err err = judge(text);
}

struct rocks_id rocks_id_of(uint64_t id)
{
	struct rocks_id key;
	id = __builtin_bswap64(id);
	memcpy(key.bytes, &id, sizeof(id));
	return key;
}
