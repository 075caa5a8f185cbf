/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/field.h"

enum { FIRST_CAP = 32, SLOTS = 256 };

static const struct {
	struct slice name;
	unsigned traits;
} table[FIELD_ID_COUNT] = {
#define X(id, name, traits) [FIELD_##id] = { { name, sizeof(name) - 1 }, traits },
	FIELDS(X)
#undef X
};

/* The id whose name falls on a slot. No two names share one, so a look-up compares once. */
static unsigned char slots[SLOTS];

/* The factors were searched for: the table's names fall on different slots. */
static unsigned slot_of(struct slice name)
{
	unsigned first = (unsigned char)ascii_lower(name.at[0]);
	unsigned middle = (unsigned char)ascii_lower(name.at[name.len / 2]);
	unsigned last = (unsigned char)ascii_lower(name.at[name.len - 1]);
	return ((unsigned)name.len * 4 + first * 3 + middle * 33 + last) % SLOTS;
}

__attribute__((constructor)) static void fill_slots(void)
{
	for (unsigned id = FIELD_OTHER + 1; id < FIELD_ID_COUNT; id++) {
		unsigned slot = slot_of(table[id].name);
		must(slots[slot] == FIELD_OTHER); /* a new name: search new factors */
		slots[slot] = (unsigned char)id;
	}
}

enum field_id field_id_of(struct slice name)
{
	if (name.len == 0)
		return FIELD_OTHER;
	enum field_id id = slots[slot_of(name)];
	return slice_eq_nocase(name, table[id].name) ? id : FIELD_OTHER;
}

struct slice field_name(enum field_id id)
{
	return table[id].name;
}

unsigned field_traits(enum field_id id)
{
	return table[id].traits;
}

/* What is looked for: an id, or a name that has none. */
struct wanted {
	enum field_id id;
	struct slice name;
};

static struct wanted want_id(enum field_id id)
{
	return (struct wanted){ id, SLICE_NONE };
}

static struct wanted want_name(struct slice name)
{
	return (struct wanted){ field_id_of(name), name };
}

static bool is_wanted(const struct field *line, struct wanted w)
{
	return line->id == w.id && (w.id != FIELD_OTHER || slice_eq_nocase(line->name, w.name));
}

static bool grow(struct fields *f, struct arena *arena)
{
	uint32_t cap = f->cap ? f->cap * 2 : FIRST_CAP;
	struct field *at = arena_alloc(arena, cap * sizeof(*at));
	if (!at)
		return false;
	if (f->count)
		memcpy(at, f->at, f->count * sizeof(*at));
	f->at = at;
	f->cap = cap;
	return true;
}

bool fields_add(
    struct fields *f, struct arena *arena, enum field_id id, struct slice name, struct slice value)
{
	if (f->count == f->cap && !grow(f, arena))
		return false;
	f->at[f->count++] = (struct field){ name, value, id };
	return true;
}

bool fields_put(struct fields *f, struct arena *arena, enum field_id id, struct slice value)
{
	return fields_add(f, arena, id, field_name(id), value);
}

/* The first wanted line from index `from` on, or NULL. */
static const struct field *find_from(const struct fields *f, uint32_t from, struct wanted w)
{
	for (uint32_t i = from; i < f->count; i++)
		if (is_wanted(&f->at[i], w))
			return &f->at[i];
	return NULL;
}

const struct field *fields_find(const struct fields *f, enum field_id id)
{
	return find_from(f, 0, want_id(id));
}

const struct field *fields_find_name(const struct fields *f, struct slice name)
{
	return find_from(f, 0, want_name(name));
}

struct slice fields_value(const struct fields *f, enum field_id id)
{
	const struct field *line = fields_find(f, id);
	return line ? line->value : SLICE_NONE;
}

bool fields_have_credentials(const struct fields *f)
{
	return fields_find(f, FIELD_AUTHORIZATION) || fields_find(f, FIELD_CLIENT_CERT);
}

static uint32_t count(const struct fields *f, struct wanted w)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < f->count; i++)
		n += is_wanted(&f->at[i], w);
	return n;
}

uint32_t fields_count(const struct fields *f, enum field_id id)
{
	return count(f, want_id(id));
}

/* Copies all wanted lines to `at`, ", " between them; at NULL: only measures. */
static size_t join_into(char *at, const struct fields *f, struct wanted w)
{
	size_t len = 0;
	for (uint32_t i = 0; i < f->count; i++) {
		struct slice value = f->at[i].value;
		if (!is_wanted(&f->at[i], w))
			continue;
		if (at && len > 0) {
			at[len - 2] = ',';
			at[len - 1] = ' ';
		}
		if (at && value.len > 0)
			memcpy(at + len, value.at, value.len);
		len += value.len + 2;
	}
	return len - 2;
}

static struct slice join(const struct fields *f, struct arena *arena, struct wanted w)
{
	const struct field *first = find_from(f, 0, w);
	if (!first || !find_from(f, (uint32_t)(first - f->at) + 1, w))
		return first ? first->value : SLICE_NONE;
	char *at = arena_bytes(arena, join_into(NULL, f, w));
	return at ? slice_of(at, join_into(at, f, w)) : SLICE_NONE;
}

struct slice fields_join(const struct fields *f, struct arena *arena, enum field_id id)
{
	return join(f, arena, want_id(id));
}

struct slice fields_join_name(const struct fields *f, struct arena *arena, struct slice name)
{
	return join(f, arena, want_name(name));
}

static void drop(struct fields *f, struct wanted w)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < f->count; i++)
		if (!is_wanted(&f->at[i], w))
			f->at[kept++] = f->at[i];
	f->count = kept;
}

void fields_remove(struct fields *f, enum field_id id)
{
	drop(f, want_id(id));
}

void fields_remove_name(struct fields *f, struct slice name)
{
	drop(f, want_name(name));
}

bool fields_clone(struct fields *ret_copy, struct arena *arena, const struct fields *f)
{
	struct fields copy = { .cap = f->count + FIRST_CAP / 4, .count = f->count };
	copy.at = arena_alloc(arena, copy.cap * sizeof(*copy.at));
	if (!copy.at)
		return false;
	if (f->count)
		memcpy(copy.at, f->at, f->count * sizeof(*copy.at));
	*ret_copy = copy;
	return true;
}

/* Removes what one Connection line names, unless the name is one of the table's. */
static void drop_named(struct fields *f, struct slice connection)
{
	struct slice name;
	while (slice_take_member(&connection, &name))
		if (field_id_of(name) == FIELD_OTHER)
			fields_remove_name(f, name);
}

static const struct field *find_nth(const struct fields *f, enum field_id id, uint32_t nth)
{
	for (uint32_t i = 0; i < f->count; i++)
		if (f->at[i].id == id && nth-- == 0)
			return &f->at[i];
	return NULL;
}

void fields_strip_hop(struct fields *f)
{
	const struct field *line;
	/* RFC 9110 7.6.1: what Connection names goes first, then Connection itself. */
	for (uint32_t nth = 0; (line = find_nth(f, FIELD_CONNECTION, nth)); nth++)
		drop_named(f, line->value);
	uint32_t kept = 0;
	for (uint32_t i = 0; i < f->count; i++)
		if (!(field_traits(f->at[i].id) & FIELD_HOP))
			f->at[kept++] = f->at[i];
	f->count = kept;
}
