/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/tag_rule.h"

#include "cache/rule/json_path.h"

/* ---- tags and path patterns as text ---- */

/* A tag's front: text, and behind it a hole. */
struct piece {
	struct slice text, hole; /* hole: the name between its braces; at == NULL = there is none */
};

/* Takes a piece off the front. False: a brace stands alone. */
static bool take_piece(struct slice *tag, struct piece *ret)
{
	size_t open = slice_find(*tag, '{'), shut = slice_find(*tag, '}');
	*ret = (struct piece){ slice_first(*tag, open), SLICE_NONE };
	if (open < tag->len) {
		ret->hole = slice_of(tag->at + open + 1, shut - open - 1);
		if (shut < open || shut == tag->len || slice_find(ret->hole, '{') < ret->hole.len)
			return false;
		*tag = slice_from(*tag, shut + 1);
		return true;
	}
	*tag = slice_from(*tag, open);
	return shut == ret->text.len;
}

/* Takes "/segment" off the front of what begins with '/'. */
static struct slice take_segment(struct slice *path)
{
	struct slice rest = slice_of(path->at + 1, path->len - 1);
	struct slice segment = slice_first(rest, slice_find(rest, '/'));
	*path = slice_of(rest.at + segment.len, rest.len - segment.len);
	return segment;
}

static bool is_hole(struct slice segment)
{
	return segment.len > 2 && segment.at[0] == '{' && segment.at[segment.len - 1] == '}';
}

static struct slice hole_name(struct slice segment)
{
	return slice_of(segment.at + 1, segment.len - 2);
}

static struct slice without_last_slash(struct slice path)
{
	return slice_first(path, path.len - slice_ends(path, SL("/")));
}

/* ---- options ---- */

static const char *check_tag(struct slice s)
{
	struct piece piece;
	if (s.len == 0)
		return "is no tag; write one such as product-{id}";
	while (s.len > 0)
		if (!take_piece(&s, &piece))
			return "has a brace without its partner; write what is filled in as {id}, "
			       "or as {} from a field or JSON";
	return NULL;
}

/* How often a pattern has that hole; SLICE_NONE: how many holes there are. */
static size_t count_holes(struct slice pattern, struct slice name)
{
	size_t count = 0;
	while (pattern.len > 0) {
		struct slice segment = take_segment(&pattern);
		bool is_rest = slice_eq(segment, SL("*"));
		if (is_rest || is_hole(segment))
			count += !name.at || slice_eq(name, is_rest ? segment : hole_name(segment));
	}
	return count;
}

static const char *check_segment(struct slice segment, bool is_last, struct slice pattern)
{
	struct slice inner = is_hole(segment) ? hole_name(segment) : segment;
	if (slice_find(inner, '{') < inner.len || slice_find(inner, '}') < inner.len)
		return "has braces within a segment; write them around a whole one: /products/{id}";
	if (slice_find(inner, '*') < inner.len && (segment.len > 1 || !is_last))
		return "has a \"*\" that is not all of its last segment; write /products/*";
	if (is_hole(segment) && count_holes(pattern, inner) > 1)
		return "fills one name twice; write another for the second";
	return NULL;
}

static const char *check_path(struct slice s)
{
	struct slice rest = s;
	const char *why = NULL;
	if (s.len > 0 && s.at[0] != '/')
		return "does not begin with \"/\"; write /products/{id}";
	if (slice_find(s, '?') < s.len || slice_find(s, '#') < s.len)
		return "has a query; write the path alone";
	if (count_holes(s, SLICE_NONE) > TAG_HOLES)
		return "fills more than 16 names; write one that fills fewer";
	while (rest.len > 0 && !why) {
		struct slice segment = take_segment(&rest);
		why = check_segment(segment, rest.len == 0, s);
	}
	return why;
}

static const char *check_field(struct slice s)
{
	return s.len == 0 || slice_is_token(s)
	    ? NULL
	    : "is not a field name; write one like X-Product-Ids";
}

static const char *check_json(struct slice s)
{
	struct json_path path;
	return s.len == 0 || json_path_parse(s, &path)
	    ? NULL
	    : "is not a path that is known here; write $, .name, ['name'], [0] and [*], at most 16 "
	      "of them behind the $: $.items[*].id";
}

/* Whether each hole of the tag is filled by the rule's source. */
static bool is_filled(const struct tag_rule *rule, size_t *ret_holes)
{
	struct slice tag = rule->tag;
	struct piece piece;
	*ret_holes = 0;
	while (tag.len > 0 && take_piece(&tag, &piece)) {
		bool known = rule->path.len ? count_holes(rule->path, piece.hole) > 0
					    : piece.hole.len == 0;
		if (piece.hole.at && !known)
			return false;
		*ret_holes += piece.hole.at != NULL;
	}
	return true;
}

static const char *check_rule(const void *filled)
{
	const struct tag_rule *rule = filled;
	int sources = (rule->path.len > 0) + (rule->field.len > 0) + (rule->json.len > 0);
	size_t holes;
	if (sources != 1)
		return sources ? "has more than one source; write one of path, field and json"
			       : "has no source; write one of path, field and json";
	bool well = is_filled(rule, &holes);
	if (rule->path.len > 0)
		return well
		    ? NULL
		    : "has a name in its tag that its path does not fill; write {NAME} as a "
		      "segment of the path, or {*} in the tag for a final \"*\"";
	return well && holes > 0
	    ? NULL
	    : "fills its tag with one value, which has no name; write it as {}: product-{}";
}

#define AT(member) offsetof(struct tag_rule, member)
/* clang-format off */
static const struct conf_field fields[] = {
	{"tag", CONF_STRING, AT(tag), .example = "product-{id}", .check = check_tag,
	 .doc = "The tag that answers get; what is in braces is filled in."},
	{"path", CONF_STRING, AT(path), .fallback = "", .check = check_path,
	 .doc = "Paths whose answers get it, without the query: /products/{id} fills {id} with one "
		"segment; a final * stands for all that is left, and fills {*}."},
	{"field", CONF_STRING, AT(field), .fallback = "", .check = check_field,
	 .doc = "Response field whose members, between commas, fill {}: a tag for each."},
	{"json", CONF_STRING, AT(json), .fallback = "", .check = check_json,
	 .doc = "Path in a JSON body whose strings and numbers fill {}, a tag for each: "
		"$.items[*].id. Asked of answers whose Content-Type is JSON; such a body of more "
		"than 4m, or that is no JSON, is not stored, and none is before it is whole. The "
		"route's origin is asked for bodies without a coding."},
};
/* clang-format on */
#undef AT

const struct conf_table tag_rule_table = {
	.name = "a tag rule",
	.struct_bytes = sizeof(struct tag_rule),
	.fields = fields,
	.count = COUNT_OF(fields),
	.check = check_rule,
};

/* ---- filling ---- */

struct filling {
	struct slice name, value;
};

/* What a hole is filled with; empty when nothing fills it. */
static struct slice value_of(const struct filling *fillings, size_t count, struct slice name)
{
	for (size_t i = 0; i < count; i++)
		if (slice_eq(fillings[i].name, name))
			return fillings[i].value;
	return SLICE_NONE;
}

static bool fill(struct slice tag, const struct filling *fillings, size_t count, struct buf *out)
{
	struct piece piece;
	while (tag.len > 0 && take_piece(&tag, &piece)) {
		struct slice value = value_of(fillings, count, piece.hole);
		if (piece.hole.at && value.len == 0)
			return false;
		buf_add(out, piece.text);
		if (piece.hole.at)
			buf_add(out, value);
	}
	return true;
}

/* Compares a path with a pattern, both without a final '/'. */
static bool match(struct slice pattern, struct slice path, struct filling *to, size_t *ret_count)
{
	*ret_count = 0;
	while (pattern.len > 0) {
		struct slice want = take_segment(&pattern);
		if (pattern.len == 0 && slice_eq(want, SL("*"))) {
			to[(*ret_count)++] = (struct filling){ want, slice_from(path, 1) };
			return true;
		}
		if (path.len == 0)
			return false;
		struct slice have = take_segment(&path);
		if (is_hole(want) && have.len > 0)
			to[(*ret_count)++] = (struct filling){ hole_name(want), have };
		else if (is_hole(want) || !slice_eq(want, have))
			return false;
	}
	return path.len == 0;
}

bool tag_rule_of_path(const struct tag_rule *rule, struct slice path, struct buf *ret_tag)
{
	struct filling fillings[TAG_HOLES];
	size_t count;
	return rule->path.len > 0 && slice_starts(path, SL("/")) &&
	    match(without_last_slash(rule->path), without_last_slash(path), fillings, &count) &&
	    fill(rule->tag, fillings, count, ret_tag);
}

bool tag_rule_of_value(const struct tag_rule *rule, struct slice value, struct buf *ret_tag)
{
	const struct filling filling = { SL(""), value };
	return fill(rule->tag, &filling, 1, ret_tag);
}
