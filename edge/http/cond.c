/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/cond.h"

static struct wall date_of(
    const struct fields *f, enum field_id id, struct wall now, struct wall fallback)
{
	struct wall date;
	return date_parse(fields_value(f, id), now, &date) ? date : fallback;
}

struct validators validators_of(const struct fields *f, struct wall now)
{
	return (struct validators){
		.etag = fields_value(f, FIELD_ETAG),
		.last_modified = date_of(f, FIELD_LAST_MODIFIED, now, WALL_NEVER),
		.date = date_of(f, FIELD_DATE, now, now),
	};
}

static bool is_weak(struct slice tag)
{
	return slice_starts(tag, SL("W/\""));
}

static struct slice opaque_of(struct slice tag)
{
	return is_weak(tag) ? slice_from(tag, 2) : tag;
}

bool etag_matches_weak(struct slice a, struct slice b)
{
	return a.len > 0 && slice_eq(opaque_of(a), opaque_of(b));
}

bool etag_matches_strong(struct slice a, struct slice b)
{
	/* RFC 9110 8.8.3.2: the same, and neither weak. A strong tag begins with its quote. */
	return a.len > 0 && a.at[0] == '"' && slice_eq(a, b);
}

/*
 * Takes the next tag. A tag is no quoted string: it has no escapes, so a backslash before the
 * closing quote is a byte like others (RFC 9110 8.8.3) and slice_take_member would overrun it.
 * What does not begin like a tag goes up to the next comma.
 */
static struct slice take_tag(struct slice *list)
{
	struct slice s = *list;
	size_t prefix = is_weak(s) ? 3 : s.len > 0 && s.at[0] == '"' ? 1 : 0;
	size_t close = slice_find(slice_from(s, prefix), '"') + prefix;
	size_t end = prefix > 0 && close < s.len ? close + 1 : slice_find(s, ',');
	*list = slice_from(s, end);
	return slice_trim(slice_first(s, end));
}

bool etag_list_has(struct slice list, struct slice etag, bool strong)
{
	if (slice_eq(list, SL("*")))
		return true;
	while (list.len > 0) {
		struct slice tag = take_tag(&list);
		if (strong ? etag_matches_strong(tag, etag) : etag_matches_weak(tag, etag))
			return true;
		slice_take_until(&list, ',');
		slice_skip_ows(&list);
	}
	return false;
}

bool cond_is_for_origin(const struct fields *request)
{
	return fields_find(request, FIELD_IF_MATCH) ||
	    fields_find(request, FIELD_IF_UNMODIFIED_SINCE);
}

/* If-None-Match may stand on several lines: one list. */
static bool none_match_has(const struct fields *request, struct slice etag)
{
	for (uint32_t i = 0; i < request->count; i++)
		if (request->at[i].id == FIELD_IF_NONE_MATCH &&
		    etag_list_has(request->at[i].value, etag, false))
			return true;
	return false;
}

enum cond cond_judge(const struct fields *request, const struct validators *v, struct wall now)
{
	/* RFC 9110 13.2.2: If-None-Match decides alone when it is there; its comparison is weak
	 * (13.1.2). */
	if (fields_find(request, FIELD_IF_NONE_MATCH))
		return none_match_has(request, v->etag) ? COND_NOT_MODIFIED : COND_PASSED;
	struct wall since;
	/* RFC 9110 13.1.3: what is not one valid date is ignored. */
	if (fields_count(request, FIELD_IF_MODIFIED_SINCE) != 1 ||
	    !date_parse(fields_value(request, FIELD_IF_MODIFIED_SINCE), now, &since))
		return COND_NONE;
	/* RFC 9111 4.3.2: without a Last-Modified, the stored Date stands for it. */
	struct wall changed = v->last_modified.ms != WALL_NEVER.ms ? v->last_modified : v->date;
	return wall_before(since, changed) ? COND_PASSED : COND_NOT_MODIFIED;
}

bool cond_range_applies(const struct fields *request, const struct validators *v, struct wall now)
{
	struct slice value = fields_value(request, FIELD_IF_RANGE);
	if (!value.at)
		return true;
	struct wall date;
	if (!date_parse(value, now, &date))
		return etag_matches_strong(value, v->etag);
	/* RFC 9110 13.1.5, 8.8.2.2: a date matches exactly, and only if a second change within its
	 * second would have been seen. */
	return date.ms == v->last_modified.ms && wall_before(date, v->date);
}
