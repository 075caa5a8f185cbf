/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/storable.h"

#include "cache/rule/vary.h"
#include "edge/http/target.h"

struct control storable_control(const struct cache_policy *policy, const struct response *r,
    struct arena *arena, bool *ret_targeted)
{
	struct control c;
	*ret_targeted = true;
	for (size_t i = 0; i < policy->targeted.count; i++)
		if (control_parse_targeted(&r->fields, arena, policy->targeted.at[i], &c))
			return c;
	*ret_targeted = false;
	return control_parse(&r->fields);
}

/* An answer under judgement: each rule below looks at it and says why not, or REASON_STORED. */
struct judged {
	const struct cache_policy *policy;
	const struct request *request;
	const struct response *answer;
	const struct life *life;
	struct arena *arena;
	struct control control;
	bool is_explicit; /* it tells its own lifetime */
	bool was_fresh;   /* for a moment at least */
};

static bool has(const struct fields *f, enum field_id id)
{
	return fields_find(f, id);
}

/* Whether the answer's Content-Location is the URI that was asked for. */
static bool is_own_location(const struct judged *j)
{
	const struct request *r = j->request;
	struct request own;
	struct slice location = fields_value(&j->answer->fields, FIELD_CONTENT_LOCATION);
	return location.at && target_resolve(r, location, j->arena, &own) &&
	    slice_eq(own.scheme, r->scheme) && slice_eq(own.authority, r->authority) &&
	    slice_eq(own.path, r->path) && own.has_query == r->has_query &&
	    slice_eq(own.query, r->query);
}

static enum reason judge_method(const struct judged *j)
{
	if (j->request->method == METHOD_GET)
		return REASON_STORED;
	/* RFC 9110 9.3.3: such a POST's answer is what a GET would get. */
	bool stands_for_get = j->request->method == METHOD_POST && j->answer->status == 200 &&
	    j->is_explicit && j->was_fresh && is_own_location(j);
	return stands_for_get ? REASON_STORED : REASON_METHOD;
}

static enum reason judge_status(const struct judged *j)
{
	switch (j->answer->status) {
	case 206: return REASON_PARTIAL; /* RFC 9111 3.3: not combined here */
	case 304:
	case 412:
	case 416: return REASON_STATUS; /* these answer this one request's conditions */
	default: return j->answer->status >= 200 ? REASON_STORED : REASON_STATUS;
	}
}

static enum reason judge_directives(const struct judged *j)
{
	const struct control *c = &j->control;
	bool understood = status_is_understood(j->answer->status);
	/* RFC 9111 5.2.1.5 */
	if (control_of_request(&j->request->fields).no_store)
		return REASON_REQUEST_NO_STORE;
	/* RFC 9111 5.2.2.3: who understands the status passes over the no-store beside it. */
	if (c->must_understand && !understood)
		return REASON_NOT_UNDERSTOOD;
	if (c->no_store && !c->must_understand)
		return REASON_NO_STORE;
	/* RFC 9111 5.2.2.7: with names, only those fields are private. */
	return c->is_private && c->private_names.len == 0 ? REASON_PRIVATE : REASON_STORED;
}

static enum reason judge_sharing(const struct judged *j)
{
	const struct control *c = &j->control;
	/* RFC 9111 3.5 */
	if (fields_have_credentials(&j->request->fields) && !c->is_public && !c->must_revalidate &&
	    c->s_maxage_s == SECONDS_NONE)
		return REASON_AUTHORIZATION;
	/* RFC 9111 7.3: it does not forbid storing; the answer must want it, though. */
	bool wanted = c->is_public || (j->is_explicit && j->was_fresh && !j->life->no_cache);
	if (has(&j->answer->fields, FIELD_SET_COOKIE) && !wanted)
		return REASON_SET_COOKIE;
	struct slice spec;
	return vary_spec(&j->answer->fields, j->arena, &spec) == VARY_STAR ? REASON_VARY_STAR
									   : REASON_STORED;
}

/* RFC 9111 3, the last item of the list, and what is worth its room */
static enum reason judge_lifetime(const struct judged *j)
{
	uint16_t status = j->answer->status;
	if (!j->is_explicit && !j->control.is_public && !status_is_heuristic(status) &&
	    policy_status_ttl_ms(j->policy, status) < 0)
		return REASON_STATUS;
	bool is_kept = wall_before(j->life->response_time, j->life->keep_until);
	return is_kept ? REASON_STORED : REASON_NO_LIFETIME;
}

enum reason storable_judge(const struct cache_policy *policy, const struct request *request,
    const struct response *answer, const struct life *life, struct arena *arena)
{
	static enum reason (*const rules[])(const struct judged *) = {
		judge_method,
		judge_status,
		judge_directives,
		judge_sharing,
		judge_lifetime,
	};
	struct judged j = {
		.policy = policy,
		.request = request,
		.answer = answer,
		.life = life,
		.arena = arena,
		.was_fresh = wall_before(life->response_time, life->fresh_until),
	};
	bool targeted;
	j.control = storable_control(policy, answer, arena, &targeted);
	j.is_explicit = life_is_explicit(answer, &j.control, targeted);
	enum reason reason = policy->enabled ? REASON_STORED : REASON_BYPASS;
	for (size_t i = 0; i < COUNT_OF(rules) && reason == REASON_STORED; i++)
		reason = rules[i](&j);
	return reason;
}

/* ---- fields ---- */

bool storable_field(const struct field *line, const struct control *c)
{
	return !(field_traits(line->id) & (FIELD_HOP | FIELD_OURS)) &&
	    !control_names_field(c->no_cache_names, line->name) &&
	    !control_names_field(c->private_names, line->name);
}

/* Whether a line of an update counts: the stored bytes' own description stays. */
static bool updates(const struct field *line)
{
	return !(field_traits(line->id) & (FIELD_PINNED | FIELD_HOP));
}

static bool is_replaced(const struct field *stored, const struct fields *update)
{
	const struct field *newer = stored->id == FIELD_OTHER
	    ? fields_find_name(update, stored->name)
	    : fields_find(update, stored->id);
	return newer && updates(newer);
}

bool storable_merge(struct fields *merged, struct arena *arena, const struct fields *stored,
    const struct fields *update)
{
	bool fits = true;
	*merged = (struct fields){ .count = 0 };
	for (uint32_t i = 0; i < stored->count && fits; i++) {
		const struct field *line = &stored->at[i];
		if (!is_replaced(line, update))
			fits = fields_add(merged, arena, line->id, line->name, line->value);
	}
	for (uint32_t i = 0; i < update->count && fits; i++) {
		const struct field *line = &update->at[i];
		if (updates(line))
			fits = fields_add(merged, arena, line->id, line->name, line->value);
	}
	return fits;
}

/* Whether both have the field, and differ in it. */
static bool differs(const struct fields *a, const struct fields *b, enum field_id id)
{
	struct slice left = fields_value(a, id), right = fields_value(b, id);
	return left.at && right.at && !slice_eq(left, right);
}

bool storable_head_agrees(const struct fields *stored, uint64_t length, const struct response *head)
{
	struct slice said = fields_value(&head->fields, FIELD_CONTENT_LENGTH);
	uint64_t head_length = length;
	if (said.at && !slice_to_u64(said, &head_length))
		return false;
	return head_length == length && !differs(stored, &head->fields, FIELD_ETAG) &&
	    !differs(stored, &head->fields, FIELD_LAST_MODIFIED);
}

bool method_invalidates(enum method method, uint16_t status)
{
	/* RFC 9111 4.4: an answer without error is a 2xx or 3xx. */
	return !method_is_safe(method) && status >= 200 && status < 400;
}
