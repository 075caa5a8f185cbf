/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/vary.h"

#include "edge/http/quality.h"

/* ---- sets of names, weighed or not ---- */

struct set {
	struct quality *at;
	size_t count, cap;
};

static bool grow(struct set *set, struct arena *arena)
{
	size_t cap = set->cap ? 2 * set->cap : 8;
	struct quality *at = arena_alloc(arena, cap * sizeof(*at));
	if (!at)
		return false;
	if (set->count > 0)
		memcpy(at, set->at, set->count * sizeof(*at));
	set->at = at;
	set->cap = cap;
	return true;
}

/* Names are in any case, but behind a ';' stand parameters, whose values may mind theirs. */
static struct slice lower_name(struct slice s, struct arena *arena)
{
	size_t end = slice_find(s, ';'), upper = 0;
	while (upper < end && s.at[upper] == ascii_lower(s.at[upper]))
		upper++;
	if (upper == end)
		return s;
	char *to = arena_bytes(arena, s.len);
	for (size_t i = 0; to && i < s.len; i++)
		to[i] = i < end ? ascii_lower(s.at[i]) : s.at[i];
	return to ? slice_of(to, s.len) : SLICE_NONE;
}

static bool set_add(struct set *set, struct arena *arena, struct quality member)
{
	if (set->count == set->cap && !grow(set, arena))
		return false;
	member.what = lower_name(member.what, arena);
	set->at[set->count++] = member;
	return member.what.at;
}

static int compare(const void *left, const void *right)
{
	const struct quality *a = left, *b = right;
	int order = slice_cmp(a->what, b->what);
	return order != 0 ? order : a->weight - b->weight;
}

static void set_sort(struct set *set)
{
	size_t kept = 0;
	if (set->count > 1)
		qsort(set->at, set->count, sizeof(*set->at), compare);
	for (size_t i = 0; i < set->count; i++)
		if (kept == 0 || compare(&set->at[kept - 1], &set->at[i]) != 0)
			set->at[kept++] = set->at[i];
	set->count = kept;
}

/* ---- writing: the room is measured before, so nothing is checked here ---- */

struct pen {
	char *at;
	size_t len;
};

static void put(struct pen *pen, struct slice s)
{
	if (s.len > 0)
		memcpy(pen->at + pen->len, s.at, s.len);
	pen->len += s.len;
}

/* A weight below 1 is written in thousandths, ";500": never longer than the ";q=0.5" it was. */
static void put_set(struct pen *pen, const struct set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		if (i > 0)
			put(pen, SL(","));
		put(pen, set->at[i].what);
		char weight[8];
		if (set->at[i].weight < QUALITY_MAX)
			put(pen,
			    slice_of(weight,
				(size_t)snprintf(
				    weight, sizeof(weight), ";%d", set->at[i].weight)));
	}
}

/* Goes on with the list that began at `start`. */
static void put_list(struct pen *pen, size_t start, struct slice list)
{
	struct slice member;
	while (slice_take_member(&list, &member)) {
		if (pen->len > start)
			put(pen, SL(","));
		put(pen, member);
	}
}

/* ---- the answer's side ---- */

/* Adds the names of one Vary line. False for what no request can be held against. */
static bool read_names(struct set *names, struct arena *arena, struct slice line)
{
	struct slice name;
	while (slice_take_member(&line, &name))
		/* RFC 9111 4.1: a "*" anywhere in the list always fails to match. */
		if (slice_eq(name, SL("*")) || !slice_is_token(name) ||
		    !set_add(names, arena, (struct quality){ name, QUALITY_MAX }))
			return false;
	return true;
}

enum vary_outcome vary_spec(
    const struct fields *answer, struct arena *arena, struct slice *ret_spec)
{
	struct set names = { .count = 0 };
	size_t room = 0;
	for (uint32_t i = 0; i < answer->count; i++) {
		if (answer->at[i].id != FIELD_VARY)
			continue;
		room += answer->at[i].value.len + 1;
		if (!read_names(&names, arena, answer->at[i].value))
			return VARY_STAR;
	}
	if (names.count == 0)
		return VARY_NO;
	struct pen pen = { arena_bytes(arena, room), 0 };
	if (!pen.at)
		return VARY_STAR;
	set_sort(&names);
	put_set(&pen, &names);
	*ret_spec = slice_of(pen.at, pen.len);
	return VARY_YES;
}

/* ---- the request's side ---- */

/* The next line of that name from *at on; NULL at the end. */
static const struct field *next_line(const struct fields *f, uint32_t *at, struct slice name)
{
	enum field_id id = field_id_of(name);
	while (*at < f->count) {
		const struct field *line = &f->at[(*at)++];
		if (line->id == id && (id != FIELD_OTHER || slice_eq_nocase(line->name, name)))
			return line;
	}
	return NULL;
}

static size_t room_for(const struct fields *request, struct slice spec)
{
	struct slice name;
	const struct field *line;
	size_t room = 0;
	for (; slice_take_member(&spec, &name); room += 2)
		for (uint32_t i = 0; (line = next_line(request, &i, name));)
			room += line->value.len + 1;
	return room;
}

/* Fields that are sets with weights (RFC 9110 12.5.1, 12.5.3, 12.5.4): order says nothing. */
static bool is_weighed(struct slice name)
{
	enum field_id id = field_id_of(name);
	return id == FIELD_ACCEPT || id == FIELD_ACCEPT_ENCODING || id == FIELD_ACCEPT_LANGUAGE;
}

/* Writes the line of one field. False when the arena is full. */
static bool put_field(
    struct pen *pen, struct arena *arena, const struct fields *request, struct slice name)
{
	struct set set = { .count = 0 };
	const struct field *line;
	bool weighed = is_weighed(name);
	size_t start = pen->len + 1;
	for (uint32_t i = 0; (line = next_line(request, &i, name));) {
		struct slice value = line->value;
		struct quality member;
		if (pen->len < start)
			put(pen, SL(":")); /* RFC 9111 4.1: an absent field matches only absence */
		if (!weighed)
			put_list(pen, start, value);
		while (weighed && quality_take(&value, &member))
			if (!set_add(&set, arena, member))
				return false;
	}
	set_sort(&set);
	put_set(pen, &set);
	put(pen, SL("\n"));
	return true;
}

struct slice vary_values(const struct fields *request, struct slice spec, struct arena *arena)
{
	struct pen pen = { arena_bytes(arena, room_for(request, spec)), 0 };
	struct slice name;
	while (pen.at && slice_take_member(&spec, &name))
		if (!put_field(&pen, arena, request, name))
			return SLICE_NONE;
	return slice_of(pen.at, pen.len);
}

/* ---- and back ---- */

enum { WEIGHT_GROWS = 6 }; /* from ";5" to ";q=0.005" */

/* Reads a weight as put_set wrote it: one to three digits, and no 0 before another. */
static bool is_weight(struct slice text, uint64_t *ret_weight)
{
	bool is_plain = text.len == 1 || (text.len <= 3 && text.len > 0 && text.at[0] != '0');
	return is_plain && slice_to_u64(text, ret_weight);
}

static void put_member(struct pen *pen, struct slice member)
{
	struct slice rest = member;
	struct quality said;
	uint64_t weight;
	char text[16];
	size_t last = member.len;
	while (last > 0 && member.at[last - 1] != ';')
		last--;
	if (last > 0 && is_weight(slice_from(member, last), &weight)) {
		put(pen, slice_first(member, last - 1));
		int len = snprintf(text, sizeof(text), ";q=0.%03u", (unsigned)weight);
		put(pen, slice_of(text, (size_t)len));
		return;
	}
	put(pen, member);
	/* A parameter of the member's own that looks like a weight is none behind another. */
	if (quality_take(&rest, &said) && said.what.len != member.len)
		put(pen, SL(";q=1"));
}

/* A field's value of what vary_values made of it. fail: SLICE_NONE, the arena is full. */
static struct slice value_of(struct slice name, struct slice made, struct arena *arena)
{
	struct pen pen = { arena_bytes(arena, (1 + WEIGHT_GROWS) * (made.len + 1)), 0 };
	struct slice member;
	if (!pen.at)
		return SLICE_NONE;
	if (!is_weighed(name)) {
		put(&pen, made);
		return slice_of(pen.at, pen.len);
	}
	while (slice_take_member(&made, &member)) {
		put(&pen, pen.len ? SL(",") : SLICE_NONE);
		put_member(&pen, member);
	}
	return slice_of(pen.at, pen.len);
}

bool vary_request(
    struct slice spec, struct slice values, struct fields *request, struct arena *arena)
{
	struct slice names = spec, lines = values, name;
	while (slice_take_member(&names, &name)) {
		struct slice made = slice_take_until(&lines, '\n');
		if (!made.len)
			continue;
		struct slice value = value_of(name, slice_from(made, 1), arena);
		if (!value.at || !fields_add(request, arena, field_id_of(name), name, value))
			return false;
	}
	return slice_eq(vary_values(request, spec, arena), values) && !arena->overflow;
}
