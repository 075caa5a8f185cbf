/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structured Field values (RFC 9651): dictionaries and lists, strict as the RFC's algorithms: one
 * bad byte and the whole field is void. Byte sequences, dates and display strings are read and
 * checked, though nobody asks for their value yet.
 */
#pragma once

#include "edge/base/arena.h"

enum sf_kind {
	SF_INTEGER,
	SF_DECIMAL,
	SF_STRING,
	SF_TOKEN,
	SF_BYTES,
	SF_BOOLEAN,
	SF_DATE,
	SF_DISPLAY,
	SF_INNER_LIST,
};

struct sf_item {
	enum sf_kind kind;
	int64_t integer; /* SF_INTEGER, SF_DATE; SF_BOOLEAN as 0 or 1 */
	double decimal;  /* SF_DECIMAL */
	struct slice
	    text; /* SF_TOKEN, SF_STRING (unescaped), SF_BYTES (still base64), SF_DISPLAY */
};

struct sf_member {
	struct slice key;
	struct sf_item value;
};

struct sf_dictionary {
	struct sf_member *at; /* each key once; a later one has replaced an earlier one */
	uint32_t count;
};

struct sf_list {
	struct sf_item *at;
	uint32_t count;
};

/* Parses a dictionary (RFC 9651 4.2.2). false = fails to parse, or the arena is full. */
bool sf_parse_dictionary(struct slice text, struct arena *, struct sf_dictionary *ret);
/* Parses a list (RFC 9651 4.2.1). false = fails to parse, or the arena is full. */
bool sf_parse_list(struct slice text, struct arena *, struct sf_list *ret);
/* The member of that key, or NULL. */
const struct sf_item *sf_get(const struct sf_dictionary *, struct slice key);
