/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML as a tree of nodes that know where they stand in the text. Of YAML we take what
 * configurations need: maps with plain keys, lists, scalars. Refused, each with its place: anchors
 * and aliases (a few lines of them expand to gigabytes), tags, several documents, keys that occur
 * twice, nesting deeper than TREE_DEPTH, texts above TREE_TEXT_BYTES.
 *
 * An empty value ("routes:" with everything below it commented out) is a NODE_NULL: as if the key
 * were not there. Scalars are the operator's text as it stands; ${NAME} is filled in by who reads.
 */
#pragma once

#include "edge/base/arena.h"
#include "edge/conf/problem.h"

enum { TREE_TEXT_BYTES = 1 << 20, TREE_DEPTH = 16, TREE_MAP_KEYS = 1000 };

enum node_kind { NODE_NULL, NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	struct place at;
	uint32_t last_line; /* where its text ends */
	bool is_flow;       /* a list in [] or a map in {} */
	struct slice text;  /* NODE_SCALAR */
	struct node *first; /* children of a list or map, in the order of the text */
	struct node *next;
	/* of a map's child */
	struct slice key;
	struct place key_at;
	uint32_t key_end; /* the column after the key */
};

/*
 * Reads the text of a source. own: the arena. fail: NULL when the syntax is broken; whatever is
 * wrong is in `problems`, which may also hold lesser things about a tree that is returned.
 */
struct node *tree_read(const struct conf_source *, struct arena *, struct problems *);

/*
 * Lays `over` upon `base`: maps merge key by key, everything else is replaced, empty values change
 * nothing. Both are used up. Returns the merged tree.
 */
struct node *tree_merge(struct node *base, struct node *over);

/* The child of a map by key, of a list by number; NULL when there is none, or no such parent. */
struct node *node_child(const struct node *map, struct slice key);
struct node *node_item(const struct node *list, size_t index);
size_t node_count(const struct node *);

/* Whether both say the same, wherever it stands in the text. */
bool tree_equal(const struct node *, const struct node *);
