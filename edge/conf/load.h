/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one loader of configuration: YAML through the option tables into structs. Reports every
 * problem at once, with file, line, column and the nearest valid word; fills defaults.
 *
 * A loading has three steps, so that its owner can add what no table knows (names that must exist,
 * things that must not occur twice) with the same places and in the same list:
 *
 *	struct conf_load load;
 *	conf_load_begin(&load, arena, sources, count);
 *	conf_load_fill(&load, &table, &dest);
 *	conf_problem(&load, (struct conf_path){"routes", 2, "origin"}, "no origin \"%s\"", name);
 *	if (!conf_load_end(&load, &errors))
 *		... dest is not to be used ...
 *
 * After a fill with problems the struct is safe to look at, if not to use: what could not be read
 * is zero.
 */
#pragma once

#include "edge/conf/field.h"
#include "edge/conf/problem.h"
#include "edge/conf/tree.h"

/* Problems as lines "file:line:column: what; hint", in the order of the text. */
struct conf_errors {
	struct buf text;
	unsigned count;
};

struct conf_load {
	struct arena *arena;  /* the owner's: all that the structs point to */
	struct arena scratch; /* the tree, until the end */
	struct arena pages;   /* the problems, which must have room when all else has none */
	struct problems problems;
	struct node *root;              /* NULL when a source is no YAML */
	const struct conf_table *table; /* of the root, for sections that inherit */
	char *dest;
};

/* Names a place: a root key; in its list, the index-th entry; in that, or in its map, a key. */
struct conf_path {
	const char *section;
	size_t index;    /* of a list's entry */
	const char *key; /* NULL = the entry or map itself */
};

void conf_errors_init(struct conf_errors *);
void conf_errors_fini(struct conf_errors *);

/* Reads the sources and merges them, later ones over earlier ones. own: conf_load_end. */
void conf_load_begin(struct conf_load *, struct arena *, const struct conf_source *, size_t count);
/* Fills a zeroed struct of the table's type. Once in a loading; nothing when the text is no
 * YAML. */
void conf_load_fill(struct conf_load *, const struct conf_table *, void *dest);
/* Adds a problem at a place, or at the nearest thing around it that the text names. */
void conf_problem(struct conf_load *, struct conf_path, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Frees the loading and writes its problems. True when there were none. */
MUST_USE bool conf_load_end(struct conf_load *, struct conf_errors *);
