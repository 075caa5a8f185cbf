/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/kit/spy.h"

#include <dlfcn.h>
#include <rocksdb/c.h>

enum { FAMILIES_MAX = 8, NAME_ROOM = 32 };

static struct {
	rocksdb_t *db; /* NULL = none is open */
	int count;
	char names[FAMILIES_MAX][NAME_ROOM];
	rocksdb_column_family_handle_t *families[FAMILIES_MAX];
} seen;

/* RocksDB's own functions, behind ours of the same names. */
static void *behind(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);
	must(f != NULL);
	return f;
}

rocksdb_t *rocksdb_open_column_families(const rocksdb_options_t *options, const char *path,
    int count, const char *const *names, const rocksdb_options_t *const *settings,
    rocksdb_column_family_handle_t **handles, char **err)
{
	static __typeof__(rocksdb_open_column_families) *open;
	if (!open)
		*(void **)&open = behind("rocksdb_open_column_families");
	rocksdb_t *db = open(options, path, count, names, settings, handles, err);
	seen.count = db && count <= FAMILIES_MAX ? count : 0;
	for (int i = 0; i < seen.count; i++) {
		snprintf(seen.names[i], NAME_ROOM, "%s", names[i]);
		seen.families[i] = handles[i];
	}
	seen.db = db;
	return db;
}

void rocksdb_close(rocksdb_t *db)
{
	static __typeof__(rocksdb_close) *close;
	if (!close)
		*(void **)&close = behind("rocksdb_close");
	if (seen.db == db)
		seen.db = NULL;
	close(db);
}

static rocksdb_column_family_handle_t *family_of(const char *name)
{
	for (int i = 0; seen.db && i < seen.count; i++)
		if (strcmp(seen.names[i], name) == 0)
			return seen.families[i];
	return NULL;
}

uint64_t spy_number(const char *family, const char *property)
{
	rocksdb_column_family_handle_t *f = family_of(family);
	uint64_t value = 0;
	return f && rocksdb_property_int_cf(seen.db, f, property, &value) == 0 ? value : 0;
}

char *spy_text(const char *family, const char *property)
{
	rocksdb_column_family_handle_t *f = family_of(family);
	return f ? rocksdb_property_value_cf(seen.db, f, property) : NULL;
}

/* The number behind a label in a text of RocksDB's. */
static double number_after(const char *family, const char *property, const char *label)
{
	char *text = spy_text(family, property);
	const char *at = text ? strstr(text, label) : NULL;
	double value = at ? strtod(at + strlen(label), NULL) : 0;
	free(text);
	return value;
}

uint64_t spy_written_bytes(const char *family)
{
	return (uint64_t)(number_after(family, "rocksdb.cfstats", "Cumulative compaction: ") * GIB);
}

uint64_t spy_filter_bytes(const char *family)
{
	return (uint64_t)number_after(
	    family, "rocksdb.aggregated-table-properties", "filter block size=");
}

uint64_t spy_index_bytes(const char *family)
{
	/* The label goes on with what the index is like. */
	char *text = spy_text(family, "rocksdb.aggregated-table-properties");
	const char *at = text ? strstr(text, "index block size") : NULL;
	at = at ? strchr(at, '=') : NULL;
	uint64_t bytes = at ? strtoull(at + 1, NULL, 10) : 0;
	free(text);
	return bytes;
}

void spy_library(char *to, size_t room)
{
	Dl_info info;
	char path[PATH_MAX] = "";
	if (dladdr(behind("rocksdb_close"), &info) == 0 || !realpath(info.dli_fname, path))
		snprintf(path, sizeof(path), "/RocksDB");
	snprintf(to, room, "%s", strrchr(path, '/') + 1);
}
