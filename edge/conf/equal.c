/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/equal.h"

static bool strings_equal(const struct conf_strings *a, const struct conf_strings *b)
{
	bool equal = a->count == b->count;
	for (size_t i = 0; equal && i < a->count; i++)
		equal = slice_eq(a->at[i], b->at[i]);
	return equal;
}

static bool ttls_equal(const struct conf_list *a, const struct conf_list *b)
{
	const struct status_ttl *x = a->at, *y = b->at;
	bool equal = a->count == b->count;
	for (size_t i = 0; equal && i < a->count; i++)
		equal = x[i].status == y[i].status && x[i].ttl_ms == y[i].ttl_ms;
	return equal;
}

static bool sections_equal(
    const struct conf_table *table, const struct conf_list *a, const struct conf_list *b)
{
	const char *x = a->at, *y = b->at;
	bool equal = a->count == b->count;
	for (size_t i = 0; equal && i < a->count; i++)
		equal = conf_equal(table, x + i * table->struct_bytes, y + i * table->struct_bytes);
	return equal;
}

static size_t number_bytes(enum conf_kind kind)
{
	switch (kind) {
	case CONF_BOOL: return sizeof(bool);
	case CONF_WORD: return sizeof(int);
	case CONF_FRACTION: return sizeof(double);
	default: return sizeof(uint64_t);
	}
}

static bool field_equal(const struct conf_field *f, const void *a, const void *b)
{
	switch (f->kind) {
	case CONF_STRING: return slice_eq(*(const struct slice *)a, *(const struct slice *)b);
	case CONF_STRINGS: return strings_equal(a, b);
	case CONF_STATUS_TTLS: return ttls_equal(a, b);
	case CONF_SECTION: return conf_equal(f->table, a, b);
	case CONF_SECTIONS: return sections_equal(f->table, a, b);
	default: return memcmp(a, b, number_bytes(f->kind)) == 0;
	}
}

bool conf_equal(const struct conf_table *table, const void *a, const void *b)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct conf_field *f = &table->fields[i];
		if (!field_equal(f, (const char *)a + f->offset, (const char *)b + f->offset))
			return false;
	}
	return true;
}
