/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tags of an answer: names by which it is purged together with others. The origin writes them
 * into fields, each read as its inventor meant it:
 *
 *	Surrogate-Key, xkey, names that are not known   separated by spaces
 *	Cache-Tag, Cache-Tags, Edge-Cache-Tag, X-Magento-Tags   by commas
 *	Cache-Groups   a list of strings (RFC 9875 2), void as a whole when it is anything else
 *
 * or rules make them from the path, a field or the body (cache/rule/tag_rule.h).
 *
 * Tags are a text: one a line, '\n' between, as the origin wrote them, the same one (scope_tag_id)
 * once. A tag with a control byte is none: it could be no line, and no purge could name it.
 *
 * All or nothing: an answer whose tags cannot all be kept must not be stored, since a purge of one
 * that was left out would not find it.
 */
#pragma once

#include "edge/base/arena.h"
#include "edge/conf/field.h"
#include "edge/http/msg.h"

struct tag_policy {
	struct conf_strings fields; /* names of response fields that carry tags */
	bool forward;               /* these reach the client */
	uint64_t max_bytes;         /* of the tags' text */
	struct conf_list rules;     /* struct tag_rule */
};

extern const struct conf_table tag_policy_table;

/*
 * The tags that an answer's head and path give it; empty = none. path: without the query.
 * fail: false when they are too many or the arena is full: REASON_TAGS_TOO_LARGE.
 */
bool tags_of(const struct tag_policy *, const struct response *, struct slice path, struct arena *,
    struct slice *ret_tags);

/* Whether there are rules that look for tags in bodies: the origin is asked for plain ones then. */
bool tags_read_bodies(const struct tag_policy *);
/* Whether rules look for tags in this answer's body, too: it is JSON, and there are such rules. */
bool tags_need_body(const struct tag_policy *, const struct response *);
/*
 * Adds those of a whole body, not in a content coding, to `so_far`, what tags_of gave.
 * fail: false as tags_of, and when the body is no JSON or too large (cache/rule/json_path.h).
 * thread: parses megabytes, so a worker's.
 */
bool tags_of_json(const struct tag_policy *, struct slice body, struct slice so_far, struct arena *,
    struct slice *ret_tags) ON_WORKER;

/* Both together. fail: as tags_of. */
bool tags_join(
    const struct tag_policy *, struct slice, struct slice, struct arena *, struct slice *ret_tags);
/* Whether an answer has fields that carry tags. */
bool tags_are_named(const struct tag_policy *, const struct fields *);
/* Removes the fields that carry tags, unless the client is to have them. */
void tags_strip(const struct tag_policy *, struct fields *);

size_t tags_count(struct slice tags);
/* Takes the next tag off the front. False at the end. */
static inline bool tags_take(struct slice *tags, struct slice *ret_tag)
{
	*ret_tag = slice_take_until(tags, '\n');
	return ret_tag->len > 0;
}
