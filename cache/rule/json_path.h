/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths into JSON: the part of RFC 9535 that names values, and none that searches or computes.
 *
 *	$          the whole
 *	.name      a member; letters, digits, "_", "-" and what is not ASCII
 *	['name']   a member of any name, in either quotes, without escapes
 *	[2]        an element, from 0
 *	[*]        each element of an array, each member's value of an object
 *
 * A path visits a value at most once, so a walk costs no more than the text was long.
 */
#pragma once

#include <jansson.h>

#include "edge/base/slice.h"

enum {
	JSON_PATH_STEPS = 16,
	JSON_PATH_FOUND = 10000, /* values that one walk may find */
	JSON_TEXT_BYTES = 4 << 20,
	JSON_TEXT_VALUES = 256 << 10,
};

enum json_step_kind { JSON_STEP_NAME, JSON_STEP_INDEX, JSON_STEP_ALL };

struct json_step {
	enum json_step_kind kind;
	struct slice name; /* borrowed from the path's text */
	size_t index;
};

struct json_path {
	struct json_step at[JSON_PATH_STEPS];
	size_t count;
};

/* Takes one value that was found. False ends the walk. */
typedef bool json_found_f(void *ctx, json_t *value);

/* Parses a path. False: it is none, or has too many steps. */
bool json_path_parse(struct slice text, struct json_path *ret);
/* Shows what a path finds, in the order of the text for arrays. False: too much was found, or
 * `found` said so. */
bool json_path_walk(const struct json_path *, json_t *root, json_found_f *found, void *ctx);
/*
 * Parses JSON from outside. Both limits above bound what it takes in RAM: 45 MB for 131,000
 * objects of one member. Bytes alone would not: empty objects take 77 times their text (324 MB).
 * own: json_decref. fail: NULL when it is no JSON or passes a limit.
 */
json_t *json_text_parse(struct slice text);
