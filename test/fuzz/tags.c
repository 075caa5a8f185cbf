/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any fields, path, rules and body. The first lines are the path, a tag, a path pattern, a JSON
 * path, and the values of four fields; the rest is the body. Tags are clean lines, none twice, and
 * not more than was allowed; none are lost when a body's are added.
 */
#include "cache/rule/tags.h"

#include "cache/rule/json_path.h"
#include "cache/rule/scope.h"
#include "cache/rule/tag_rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice names[] = { { "Surrogate-Key", 13 }, { "Cache-Tag", 9 },
	{ "Cache-Groups", 12 } };

static void check(struct slice tags, uint64_t max_bytes)
{
	struct slice tag, other, rest = tags;
	size_t count = 0;
	must(tags.len <= max_bytes);
	for (size_t i = 0; i < tags.len; i++)
		must((unsigned char)tags.at[i] >= 0x20 || tags.at[i] == '\n');
	for (; tags_take(&rest, &tag); count++)
		for (struct slice more = rest; tags_take(&more, &other);)
			must(scope_tag_id(tag) != scope_tag_id(other));
	must(rest.len == 0 && count == tags_count(tags));
}

/* Whether the configuration would have taken the rule. */
static bool is_rule(const struct tag_rule *rule)
{
	const struct conf_table *t = &tag_rule_table;
	for (size_t i = 0; i < t->count; i++) {
		const void *at = (const char *)rule + t->fields[i].offset;
		if (t->fields[i].check(*(const struct slice *)at))
			return false;
	}
	return !t->check(rule);
}

static void run(
    const struct tag_policy *policy, struct slice path, struct response *r, struct slice body)
{
	struct slice tags, more;
	struct arena arena;
	arena_init(&arena, 256 * KIB);
	role_worker();
	if (tags_of(policy, r, path, &arena, &tags)) {
		check(tags, policy->max_bytes);
		if (tags_of_json(policy, body, tags, &arena, &more)) {
			check(more, policy->max_bytes);
			must(slice_starts(more, tags));
		}
	}
	tags_strip(policy, &r->fields);
	must(r->fields.count == 1);
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_of((const char *)data, size);
	struct slice path = slice_take_until(&rest, '\n'), tag = slice_take_until(&rest, '\n');
	const struct tag_rule all[] = { { .tag = tag, .path = slice_take_until(&rest, '\n') },
		{ .tag = tag, .json = slice_take_until(&rest, '\n') },
		{ .tag = tag, .field = SL("X-Ids") } };
	struct tag_rule rules[COUNT_OF(all)];
	struct tag_policy policy = {
		.fields = { names, COUNT_OF(names) }, .max_bytes = 512, .rules = { rules, 0 }
	};
	struct response r = { .status = 200 };
	struct arena arena;
	for (size_t i = 0; i < COUNT_OF(all); i++)
		if (is_rule(&all[i]))
			rules[policy.rules.count++] = all[i];
	arena_init(&arena, 64 * KIB);
	for (size_t i = 0; i < COUNT_OF(names); i++)
		must(fields_add(
		    &r.fields, &arena, FIELD_OTHER, names[i], slice_take_until(&rest, '\n')));
	must(
	    fields_add(&r.fields, &arena, FIELD_OTHER, SL("X-Ids"), slice_take_until(&rest, '\n')));
	run(&policy, path, &r, rest);
	arena_fini(&arena);
	return 0;
}
