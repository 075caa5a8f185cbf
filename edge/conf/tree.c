/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/tree.h"

#include <yaml.h>

struct reader {
	yaml_parser_t yaml;
	const struct conf_source *source;
	struct arena *arena;
	struct problems *problems;
	bool broken; /* the rest of the text cannot be read */
};

static struct place place_of(const struct reader *r, yaml_mark_t mark)
{
	return (struct place){ r->source, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1 };
}

/* ---- broken syntax ---- */

/* The reader of bytes knows only an offset: the mark is that of its lookahead's start. */
static struct place place_of_offset(const struct reader *r, size_t offset)
{
	struct place at = { r->source, 1, 1 };
	struct slice before = slice_first(r->source->text, offset);
	for (size_t i = 0; i < before.len; i++) {
		bool ends_line = before.at[i] == '\n';
		at.line += ends_line;
		at.column = ends_line ? 1 : at.column + 1;
	}
	return at;
}

/* Whether a tab indents the line: YAML's own message for that is "cannot start any token". */
static bool line_has_tab_indent(struct slice text, size_t line)
{
	struct slice one = SLICE_NONE;
	for (size_t i = 0; i <= line; i++)
		one = slice_take_line(&text);
	for (size_t i = 0; i < one.len && is_ows(one.at[i]); i++)
		if (one.at[i] == '\t')
			return true;
	return false;
}

static void report_syntax(struct reader *r)
{
	const yaml_parser_t *y = &r->yaml;
	r->broken = true;
	if (y->error == YAML_MEMORY_ERROR)
		problem_add(r->problems, (struct place){ r->source, 1, 1 }, "out of memory");
	else if (y->error == YAML_READER_ERROR)
		problem_add(r->problems, place_of_offset(r, y->problem_offset),
		    "%s; write UTF-8 without control characters", y->problem);
	else if (line_has_tab_indent(r->source->text, y->problem_mark.line))
		problem_add(r->problems, place_of(r, y->problem_mark),
		    "a tab indents this line; YAML is indented with spaces");
	else if (y->context)
		problem_add(r->problems, place_of(r, y->problem_mark),
		    "not YAML: %s; seen %s that begins in line %zu", y->problem, y->context,
		    y->context_mark.line + 1);
	else
		problem_add(r->problems, place_of(r, y->problem_mark), "not YAML: %s", y->problem);
}

static void break_off(struct reader *r, struct place at, const char *why)
{
	problem_add(r->problems, at, "%s", why);
	r->broken = true;
}

/* ---- events to nodes ---- */

/* Gets the next event. own: yaml_event_delete when true. */
static bool next_event(struct reader *r, yaml_event_t *event)
{
	if (r->broken)
		return false;
	if (!yaml_parser_parse(&r->yaml, event)) {
		report_syntax(r);
		return false;
	}
	return true;
}

static void refuse_properties(
    struct reader *r, struct place at, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		problem_add(
		    r->problems, at, "anchors are refused; write the value where it is used");
	if (tag)
		problem_add(r->problems, at, "tags are refused; write the plain value");
}

static bool is_null_word(struct slice s)
{
	return s.len == 0 || slice_eq(s, SL("~")) || slice_eq_nocase(s, SL("null"));
}

static struct node *new_node(struct reader *r, enum node_kind kind, const yaml_event_t *event)
{
	struct node *n = arena_alloc(r->arena, sizeof(*n));
	if (!n) {
		r->broken = true; /* told once, by the arena's owner */
		return NULL;
	}
	n->kind = kind;
	n->at = place_of(r, event->start_mark);
	n->last_line = (uint32_t)event->end_mark.line + 1;
	return n;
}

static struct node *read_scalar(struct reader *r, const yaml_event_t *event)
{
	struct slice text = slice_of(
	    (const char *)event->data.scalar.value, event->data.scalar.length);
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	refuse_properties(
	    r, place_of(r, event->start_mark), event->data.scalar.anchor, event->data.scalar.tag);
	enum node_kind kind = plain && is_null_word(text) ? NODE_NULL : NODE_SCALAR;
	struct node *n = new_node(r, kind, event);
	if (n)
		n->text = arena_copy(r->arena, text);
	return n;
}

static struct node *read_node(struct reader *, const yaml_event_t *, int depth);

/* Reads items up to the list's end. */
static void read_items(struct reader *r, struct node *list, int depth)
{
	struct node **end = &list->first;
	yaml_event_t event;
	while (next_event(r, &event)) {
		bool done = event.type == YAML_SEQUENCE_END_EVENT;
		list->last_line = (uint32_t)event.end_mark.line + 1;
		struct node *item = done ? NULL : read_node(r, &event, depth);
		yaml_event_delete(&event);
		if (done)
			return;
		if (item) {
			*end = item;
			end = &item->next;
		}
	}
}

/* Reads the value of a key that has been read; the key's event is the caller's. */
static struct node *read_value(struct reader *r, const yaml_event_t *key, int depth)
{
	struct place at = place_of(r, key->start_mark);
	if (key->type != YAML_SCALAR_EVENT) {
		break_off(r, at, "a key must be a word");
		return NULL;
	}
	refuse_properties(r, at, key->data.scalar.anchor, key->data.scalar.tag);
	yaml_event_t event;
	if (!next_event(r, &event))
		return NULL;
	struct node *value = read_node(r, &event, depth);
	yaml_event_delete(&event);
	if (!value)
		return NULL;
	value->key = arena_copy(
	    r->arena, slice_of((const char *)key->data.scalar.value, key->data.scalar.length));
	value->key_at = at;
	value->key_end = (uint32_t)key->end_mark.column + 1;
	return value;
}

/* Appends a value to its map, unless its key is taken. */
static struct node **add_value(
    struct reader *r, struct node *map, struct node **end, struct node *value)
{
	const struct node *twin = node_child(map, value->key);
	if (!twin) {
		*end = value;
		return &value->next;
	}
	problem_add(r->problems, value->key_at,
	    "key \"%.*s\" a second time; the first is in line %u",
	    SLICE_ARG(problem_quote(value->key)), twin->key_at.line);
	return end;
}

static void read_pairs(struct reader *r, struct node *map, int depth)
{
	struct node **end = &map->first;
	yaml_event_t event;
	for (size_t keys = 0; next_event(r, &event); keys++) {
		bool done = event.type == YAML_MAPPING_END_EVENT;
		map->last_line = (uint32_t)event.end_mark.line + 1;
		if (!done && keys == TREE_MAP_KEYS)
			break_off(r, place_of(r, event.start_mark), "too many keys in one map");
		struct node *value = done || r->broken ? NULL : read_value(r, &event, depth);
		yaml_event_delete(&event);
		if (done)
			return;
		if (value)
			end = add_value(r, map, end, value);
	}
}

static struct node *read_list(struct reader *r, const yaml_event_t *event, int depth)
{
	refuse_properties(r, place_of(r, event->start_mark), event->data.sequence_start.anchor,
	    event->data.sequence_start.tag);
	struct node *list = new_node(r, NODE_LIST, event);
	if (!list)
		return NULL;
	list->is_flow = event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
	read_items(r, list, depth);
	return list;
}

static struct node *read_map(struct reader *r, const yaml_event_t *event, int depth)
{
	refuse_properties(r, place_of(r, event->start_mark), event->data.mapping_start.anchor,
	    event->data.mapping_start.tag);
	struct node *map = new_node(r, NODE_MAP, event);
	if (!map)
		return NULL;
	map->is_flow = event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
	read_pairs(r, map, depth);
	return map;
}

static struct node *read_node(struct reader *r, const yaml_event_t *event, int depth)
{
	struct place at = place_of(r, event->start_mark);
	if (event->type == YAML_SCALAR_EVENT)
		return read_scalar(r, event);
	if (event->type == YAML_ALIAS_EVENT) {
		break_off(r, at, "aliases are refused; write the value where it is used");
		return NULL;
	}
	if (depth == TREE_DEPTH) {
		break_off(r, at, "nested too deeply");
		return NULL;
	}
	return event->type == YAML_SEQUENCE_START_EVENT ? read_list(r, event, depth + 1)
							: read_map(r, event, depth + 1);
}

/* A text without a document is an empty map: everything is default. */
static struct node *read_document(struct reader *r)
{
	struct node *root = arena_alloc(r->arena, sizeof(*root));
	if (!root)
		return NULL;
	*root = (struct node){ .kind = NODE_NULL, .at = { r->source, 1, 1 } };
	yaml_event_t event;
	for (unsigned documents = 0; next_event(r, &event);) {
		bool done = event.type == YAML_STREAM_END_EVENT;
		bool starts = event.type == YAML_DOCUMENT_START_EVENT;
		bool is_mark = done || starts || event.type == YAML_STREAM_START_EVENT ||
		    event.type == YAML_DOCUMENT_END_EVENT;
		if (starts && ++documents > 1)
			break_off(r, place_of(r, event.start_mark), "a second document begins");
		if (!is_mark)
			root = read_node(r, &event, 0);
		yaml_event_delete(&event);
		if (done)
			return root;
	}
	return NULL;
}

struct node *tree_read(
    const struct conf_source *source, struct arena *arena, struct problems *problems)
{
	struct reader r = { .source = source, .arena = arena, .problems = problems };
	struct place top = { source, 1, 1 };
	if (source->text.len > TREE_TEXT_BYTES) {
		problem_add(problems, top, "larger than %d bytes", TREE_TEXT_BYTES);
		return NULL;
	}
	if (!yaml_parser_initialize(&r.yaml)) {
		problem_add(problems, top, "out of memory");
		return NULL;
	}
	yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
	const char *text = source->text.len ? source->text.at : ""; /* libyaml refuses NULL */
	yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text, source->text.len);
	struct node *root = read_document(&r);
	yaml_parser_delete(&r.yaml);
	return r.broken ? NULL : root;
}

/* ---- trees ---- */

static void replace_child(struct node *map, struct node *old, struct node *new)
{
	struct node **link = &map->first;
	while (*link != old)
		link = &(*link)->next;
	new->next = old->next;
	*link = new;
}

static void append_child(struct node *map, struct node *child)
{
	struct node **link = &map->first;
	while (*link)
		link = &(*link)->next;
	child->next = NULL;
	*link = child;
}

struct node *tree_merge(struct node *base, struct node *over)
{
	if (over->kind == NODE_NULL)
		return base;
	if (base->kind != NODE_MAP || over->kind != NODE_MAP)
		return over;
	struct node *next;
	for (struct node *child = over->first; child; child = next) {
		next = child->next;
		struct node *twin = node_child(base, child->key);
		struct node *merged = twin ? tree_merge(twin, child) : child;
		if (!twin)
			append_child(base, merged);
		else if (merged != twin)
			replace_child(base, twin, merged);
	}
	return base;
}

struct node *node_child(const struct node *map, struct slice key)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (struct node *child = map->first; child; child = child->next)
		if (slice_eq(child->key, key))
			return child;
	return NULL;
}

struct node *node_item(const struct node *list, size_t index)
{
	struct node *item = list && list->kind == NODE_LIST ? list->first : NULL;
	while (item && index-- > 0)
		item = item->next;
	return item;
}

size_t node_count(const struct node *n)
{
	size_t count = 0;
	for (const struct node *child = n->first; child; child = child->next)
		count++;
	return count;
}

bool tree_equal(const struct node *a, const struct node *b)
{
	if (a->kind != b->kind || !slice_eq(a->text, b->text) || !slice_eq(a->key, b->key))
		return false;
	const struct node *x = a->first, *y = b->first;
	while (x && y && tree_equal(x, y)) {
		x = x->next;
		y = y->next;
	}
	return !x && !y;
}
