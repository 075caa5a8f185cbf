/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rule that gives tags to answers of an origin that cannot. Its tag has holes in braces, filled
 * from one source:
 *
 *	path   "/products/{id}" with "product-{id}": a hole takes one whole segment, a final "*" all
 *	       segments that are left, as {*}, and none as well. A final "/" does not matter
 *	field  the members of a response field, between commas, each as {}
 *	json   the strings and numbers that a path finds in a body (cache/rule/json_path.h), each as {}
 *
 * Paths are compared as they stand in the cache key, case and all. A hole is never filled with
 * nothing: "product-" would be the tag of every such answer.
 */
#pragma once

#include "edge/base/buf.h"
#include "edge/conf/field.h"

enum { TAG_HOLES = 16 }; /* that a path may fill */

struct tag_rule {
	struct slice tag;
	struct slice path, field, json; /* one of them, the others are empty */
};

extern const struct conf_table tag_rule_table;

/* Adds the tag of a path. False: the rule is of another source, or of other paths. */
bool tag_rule_of_path(const struct tag_rule *, struct slice path, struct buf *ret_tag);
/* Adds the tag with that value as {}. False: the value is empty. */
bool tag_rule_of_value(const struct tag_rule *, struct slice value, struct buf *ret_tag);
