/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/tags.h"

#include "cache/rule/json_path.h"
#include "cache/rule/scope.h"
#include "cache/rule/tag_rule.h"
#include "edge/http/sf.h"

/* Numbers of 32,768 tags and the members of a list as long as max-bytes, both while they double. */
enum { SCRATCH_BYTES = 8 << 20, FIRST_IDS = 32 };

/* ---- options ---- */

static const char *check_name(struct slice s)
{
	if (!slice_is_token(s))
		return "is not a field name; write one like Surrogate-Key";
	/* It would be taken out of what clients get. */
	return field_id_of(s) != FIELD_OTHER
	    ? "is a field that means something else to caches and clients; write one of your own"
	    : NULL;
}

#define AT(member) offsetof(struct tag_policy, member)
/* clang-format off */
static const struct conf_field fields[] = {
	{"fields", CONF_STRINGS, AT(fields), 0, 16,
	 "[Surrogate-Key, Cache-Tag, xkey, Edge-Cache-Tag, Cache-Groups]", .check = check_name,
	 .doc = "Response fields that carry tags: separated by commas in Cache-Tag, Cache-Tags, "
		"Edge-Cache-Tag and X-Magento-Tags, quoted strings in Cache-Groups (RFC 9875), by "
		"spaces in all others."},
	{"forward", CONF_BOOL, AT(forward), .fallback = "false",
	 .doc = "Whether these fields reach the client."},
	{"max-bytes", CONF_SIZE, AT(max_bytes), 256, 64 * KIB, "64k",
	 .doc = "All tags of one answer together. One with more is not stored: a purge of a tag that "
		"was left out would not find it."},
	{"rules", CONF_SECTIONS, AT(rules), 0, 64, "[]", .table = &tag_rule_table,
	 .example = "[{tag: \"product-{id}\", path: \"/products/{id}\"}]",
	 .doc = "Tags for answers of an origin that cannot send them. Each rule takes them from one "
		"source: path, field or json."},
};
/* clang-format on */
#undef AT

const struct conf_table tag_policy_table = {
	.name = "tags",
	.struct_bytes = sizeof(struct tag_policy),
	.fields = fields,
	.count = COUNT_OF(fields),
};

static const struct tag_rule *rule_at(const struct tag_policy *policy, size_t i)
{
	return (const struct tag_rule *)policy->rules.at + i;
}

/* ---- gathering ---- */

/* Tags on their way into one text. */
struct gathering {
	const struct tag_policy *policy;
	struct arena scratch;
	struct buf text;
	struct buf tag;          /* one that a rule makes */
	uint64_t *ids;           /* of those in the text; by open addressing, 0 = free */
	size_t id_count, id_cap; /* id_cap: a power of two */
};

static void gathering_init(struct gathering *g, const struct tag_policy *policy)
{
	*g = (struct gathering){ .policy = policy };
	arena_init(&g->scratch, SCRATCH_BYTES);
	buf_init(&g->text, policy->max_bytes);
	buf_init(&g->tag, policy->max_bytes);
}

/* Puts a number where it belongs. False when it is there already. */
static bool put_id(struct gathering *g, uint64_t id)
{
	id += id == 0;
	size_t at = id & (g->id_cap - 1);
	while (g->ids[at] && g->ids[at] != id)
		at = (at + 1) & (g->id_cap - 1);
	bool is_new = g->ids[at] == 0;
	g->ids[at] = id;
	return is_new;
}

/* Keeps a quarter free. False when the scratch arena is full. */
static bool widen_ids(struct gathering *g)
{
	uint64_t *old = g->ids;
	size_t old_cap = g->id_cap;
	if (g->id_count < old_cap - old_cap / 4)
		return true;
	g->id_cap = old_cap ? old_cap * 2 : FIRST_IDS;
	g->ids = arena_alloc(&g->scratch, g->id_cap * sizeof(*g->ids));
	for (size_t i = 0; g->ids && i < old_cap; i++)
		if (old[i])
			put_id(g, old[i]);
	return g->ids != NULL;
}

/* Whether tags were lost: from then on nothing that is gathered counts. */
static bool has_lost(const struct gathering *g)
{
	return g->scratch.overflow || g->text.overflow || g->tag.overflow;
}

static bool is_clean(struct slice tag)
{
	for (size_t i = 0; i < tag.len; i++)
		if ((unsigned char)tag.at[i] < 0x20 || tag.at[i] == 0x7f)
			return false;
	return tag.len > 0;
}

static void add(struct gathering *g, struct slice tag)
{
	if (!is_clean(tag) || has_lost(g) || !widen_ids(g) || !put_id(g, scope_tag_id(tag)))
		return;
	g->id_count++;
	if (g->text.len > 0)
		buf_add_char(&g->text, '\n');
	buf_add(&g->text, tag);
}

/* Those of a text that was gathered before. */
static void add_all(struct gathering *g, struct slice tags)
{
	struct slice tag;
	while (tags_take(&tags, &tag))
		add(g, tag);
}

/* Hands the text over and ends the gathering. False when tags were lost on the way. */
static bool gathering_take(struct gathering *g, struct arena *arena, struct slice *ret_tags)
{
	bool whole = !has_lost(g);
	struct slice tags = whole ? arena_copy(arena, buf_slice(&g->text)) : SL("");
	whole = whole && tags.len == g->text.len;
	if (whole)
		*ret_tags = tags;
	arena_fini(&g->scratch);
	buf_fini(&g->text);
	buf_fini(&g->tag);
	return whole;
}

/* ---- from fields ---- */

static void add_spaced(struct gathering *g, struct slice value)
{
	struct slice tag;
	while (slice_take_word(&value, &tag))
		add(g, tag);
}

/* Quotes are bytes like others here: no such field's inventor speaks of them. */
static void add_listed(struct gathering *g, struct slice value)
{
	while (value.len > 0)
		add(g, slice_trim(slice_take_until(&value, ',')));
}

/* RFC 9875 2: a list of strings. RFC 9651 4.2: what is not that is ignored whole. */
static void add_groups(struct gathering *g, const struct fields *from, struct slice name)
{
	struct sf_list list;
	bool are_strings = true;
	if (!sf_parse_list(fields_join_name(from, &g->scratch, name), &g->scratch, &list))
		return;
	for (uint32_t i = 0; i < list.count; i++)
		are_strings &= list.at[i].kind == SF_STRING;
	for (uint32_t i = 0; are_strings && i < list.count; i++)
		add(g, list.at[i].text);
}

typedef void add_f(struct gathering *, struct slice value);

static void add_lines(
    struct gathering *g, const struct fields *from, struct slice name, add_f *add_value)
{
	for (uint32_t i = 0; i < from->count; i++)
		if (slice_eq_nocase(from->at[i].name, name))
			add_value(g, from->at[i].value);
}

static bool is_comma_field(struct slice name)
{
	static const struct slice names[] = { { "Cache-Tag", 9 }, { "Cache-Tags", 10 },
		{ "Edge-Cache-Tag", 14 }, { "X-Magento-Tags", 14 } };
	bool found = false;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		found |= slice_eq_nocase(names[i], name);
	return found;
}

static void add_fields(struct gathering *g, const struct fields *from)
{
	for (size_t i = 0; i < g->policy->fields.count; i++) {
		struct slice name = g->policy->fields.at[i];
		if (slice_eq_nocase(name, SL("Cache-Groups")))
			add_groups(g, from, name);
		else
			add_lines(g, from, name, is_comma_field(name) ? add_listed : add_spaced);
	}
}

/* ---- from rules ---- */

static void add_value(struct gathering *g, const struct tag_rule *rule, struct slice value)
{
	if (has_lost(g))
		return;
	buf_clear(&g->tag);
	if (tag_rule_of_value(rule, value, &g->tag))
		add(g, buf_slice(&g->tag));
}

static void add_members(struct gathering *g, const struct tag_rule *rule, const struct fields *from)
{
	for (uint32_t i = 0; i < from->count; i++) {
		struct slice rest = from->at[i].value;
		if (slice_eq_nocase(from->at[i].name, rule->field))
			while (rest.len > 0)
				add_value(g, rule, slice_trim(slice_take_until(&rest, ',')));
	}
}

bool tags_of(const struct tag_policy *policy, const struct response *r, struct slice path,
    struct arena *arena, struct slice *ret_tags)
{
	struct gathering g;
	gathering_init(&g, policy);
	add_fields(&g, &r->fields);
	for (size_t i = 0; i < policy->rules.count && !has_lost(&g); i++) {
		const struct tag_rule *rule = rule_at(policy, i);
		buf_clear(&g.tag);
		if (tag_rule_of_path(rule, path, &g.tag))
			add(&g, buf_slice(&g.tag));
		else if (rule->field.len > 0)
			add_members(&g, rule, &r->fields);
	}
	return gathering_take(&g, arena, ret_tags);
}

/* ---- from a body ---- */

/* application/json and what is written as JSON (RFC 6839 3.1). */
static bool is_json(struct slice content_type)
{
	struct slice type = slice_trim(slice_take_until(&content_type, ';'));
	struct slice end = slice_from(type, type.len > 5 ? type.len - 5 : type.len);
	return slice_eq_nocase(end, SL("/json")) || slice_eq_nocase(end, SL("+json"));
}

bool tags_read_bodies(const struct tag_policy *policy)
{
	bool has_rules = false;
	for (size_t i = 0; i < policy->rules.count; i++)
		has_rules |= rule_at(policy, i)->json.len > 0;
	return has_rules;
}

bool tags_need_body(const struct tag_policy *policy, const struct response *r)
{
	return tags_read_bodies(policy) && is_json(fields_value(&r->fields, FIELD_CONTENT_TYPE));
}

struct search {
	struct gathering *gathering;
	const struct tag_rule *rule;
};

/* Strings and numbers; an integer without a point, a fraction as short as fifteen digits allow. */
static bool on_found(void *ctx, json_t *value)
{
	const struct search *s = ctx;
	char digits[64];
	size_t len = 0;
	if (json_is_number(value))
		len = json_dumpb(
		    value, digits, sizeof(digits), JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	if (json_is_string(value))
		add_value(s->gathering, s->rule,
		    slice_of(json_string_value(value), json_string_length(value)));
	else
		add_value(s->gathering, s->rule, slice_of(digits, min_size(len, sizeof(digits))));
	return !has_lost(s->gathering);
}

bool tags_of_json(const struct tag_policy *policy, struct slice body, struct slice so_far,
    struct arena *arena, struct slice *ret_tags)
{
	struct gathering g;
	struct slice tag;
	json_t *root = json_text_parse(body);
	bool whole = root != NULL;
	gathering_init(&g, policy);
	add_all(&g, so_far);
	for (size_t i = 0; whole && i < policy->rules.count; i++) {
		struct search search = { &g, rule_at(policy, i) };
		struct json_path path;
		if (search.rule->json.len > 0 && json_path_parse(search.rule->json, &path))
			whole = json_path_walk(&path, root, on_found, &search);
	}
	json_decref(root);
	whole &= gathering_take(&g, arena, &tag);
	if (whole)
		*ret_tags = tag;
	return whole;
}

/* ---- the rest ---- */

bool tags_join(const struct tag_policy *policy, struct slice a, struct slice b, struct arena *arena,
    struct slice *ret_tags)
{
	struct gathering g;
	gathering_init(&g, policy);
	add_all(&g, a);
	add_all(&g, b);
	return gathering_take(&g, arena, ret_tags);
}

bool tags_are_named(const struct tag_policy *policy, const struct fields *head)
{
	for (size_t i = 0; i < policy->fields.count; i++)
		if (fields_find_name(head, policy->fields.at[i]))
			return true;
	return false;
}

void tags_strip(const struct tag_policy *policy, struct fields *from)
{
	for (size_t i = 0; i < policy->fields.count && !policy->forward; i++)
		fields_remove_name(from, policy->fields.at[i]);
}

size_t tags_count(struct slice tags)
{
	struct slice tag;
	size_t count = 0;
	while (tags_take(&tags, &tag))
		count++;
	return count;
}
