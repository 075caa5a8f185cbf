/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with a configuration, all of it: collected in whatever order the checks find it,
 * shown in the order of the text, so that an operator goes through the file once, from the top.
 *
 * A problem says what is wrong and, after a semicolon, what to write instead. It is one line:
 * control bytes that came in with a quoted value are shown as '?'.
 */
#pragma once

#include "edge/base/arena.h"
#include "edge/base/buf.h"

/*
 * Where text comes from: a file, or a flag of the command line. Sources lie in one array; a later
 * one overrides keys of an earlier one.
 */
struct conf_source {
	struct slice name; /* as errors show it: "larder.yaml", "--workers" */
	struct slice text;
	bool is_flag; /* one value: its errors name no line */
};

/* A byte of a source. source: NULL = nowhere. */
struct place {
	const struct conf_source *source;
	uint32_t line, column; /* from 1 */
};

struct problem;

struct problems {
	struct arena *arena;
	struct problem *first;
	unsigned count; /* with those that are not kept */
};

enum { PROBLEMS_KEPT = 100 };

/* Makes an empty collection whose lines live in the arena. */
void problems_init(struct problems *, struct arena *);
void problem_add(struct problems *, struct place, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Writes "file:line:column: what; hint" lines, then how many more there are. */
void problems_write(const struct problems *, struct buf *);
/* The front of a value, as long as a message bears. */
struct slice problem_quote(struct slice);
