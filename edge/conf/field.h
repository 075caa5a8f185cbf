/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options as tables. A module declares the keys that it understands beside the struct that they
 * fill; one loader walks the tables, so every key gets the same errors, defaults, units,
 * documentation, schema and dump. A default is written as an operator would write it and goes
 * through the same parser as the operator's text.
 *
 * Tables are constants that form a tree: a section's field names the table of what is inside it. A
 * table may be used twice; a section that `inherits` starts as a copy of a root section, wherever
 * that stands in the text, so that the root section is the default of all of its kind.
 */
#pragma once

#include "edge/base/slice.h"

enum conf_kind {
	CONF_BOOL,        /* bool: true | false */
	CONF_UINT,        /* uint64_t, min..max */
	CONF_SIZE,        /* uint64_t bytes: 64k, 1g; min..max */
	CONF_MEMORY,      /* uint64_t: as a size, or 60%: then CONF_PERCENT and the number */
	CONF_DURATION,    /* int64_t milliseconds: 250ms, 10s, 5m, 1h, 7d; min..max; "off" = 0 */
	CONF_FRACTION,    /* double, min..max in thousandths */
	CONF_STRING,      /* struct slice */
	CONF_WORD,        /* int: index of one of `words` */
	CONF_STRINGS,     /* struct conf_strings: a list of min..max strings */
	CONF_STATUS_TTLS, /* struct conf_list of struct status_ttl: a map status: duration, min..max */
	CONF_SECTION,     /* a struct in place, filled by `table` */
	CONF_SECTIONS,    /* struct conf_list: min..max structs filled by `table` */
};

struct conf_strings {
	struct slice *at;
	size_t count;
};

struct conf_list {
	void *at;
	size_t count;
};

struct status_ttl {
	uint16_t status; /* 200..599 */
	int64_t ttl_ms;
};

/* Checks a string. NULL, or why it is refused, to be read after the value: "has no port". */
typedef const char *conf_check_f(struct slice);

/* Checks a filled section. NULL, or why it is refused, to be read after the table's name: "a tag
 * rule" "has no source; write one of path, field and json". */
typedef const char *conf_check_section_f(const void *filled);

struct conf_table;

struct conf_field {
	const char *key; /* lower case, digits, hyphens */
	enum conf_kind kind;
	size_t offset;     /* in the table's struct */
	uint64_t min, max; /* both 0 = no bound */
	const char
	    *fallback; /* the default: a value's text, a list's or map's YAML; NULL = required */
	const char *example;      /* of a required key, for the commented file and for errors */
	const char *const *words; /* CONF_WORD: NULL-terminated */
	const struct conf_table *table; /* CONF_SECTION, CONF_SECTIONS */
	const char *inherits; /* CONF_SECTION: key of the root section that unset keys come from */
	conf_check_f *check;  /* CONF_STRING, CONF_STRINGS */
	const char *doc;      /* sentences for conf.d/larder.yaml and the schema */
};

struct conf_table {
	const char *name; /* what one such section is called in errors: "an origin" */
	size_t struct_bytes;
	const struct conf_field *fields;
	size_t count;
	const char *shorthand; /* key that an entry of a list, or a section, sets when it is a plain
				  value; NULL = it is always a map */
	conf_check_section_f *check; /* of what no key can say alone; asked when each key is well */
};

/* A CONF_MEMORY that is a part of something. */
#define CONF_PERCENT (UINT64_C(1) << 63)
/* What such a value means, in bytes. */
static inline uint64_t conf_memory_of(uint64_t value, uint64_t whole)
{
	return value & CONF_PERCENT ? whole / 100 * (value & ~CONF_PERCENT) : value;
}

/* Bounds of durations. */
#define CONF_SECONDS(n) ((uint64_t)(n)*1000)
#define CONF_HOURS(n) CONF_SECONDS((uint64_t)(n)*3600)
#define CONF_DAYS(n) CONF_HOURS((uint64_t)(n)*24)

/* The field of a key; NULL when the table has none. */
static inline const struct conf_field *conf_field_of(const struct conf_table *t, struct slice key)
{
	for (size_t i = 0; i < t->count; i++)
		if (slice_eq(slice_str(t->fields[i].key), key))
			return &t->fields[i];
	return NULL;
}
