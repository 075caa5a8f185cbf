/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/load.h"

#include "edge/conf/env.h"
#include "edge/conf/nearest.h"
#include "edge/conf/value.h"

enum { SCRATCH_BYTES = 128 << 20, PAGES_BYTES = 256 << 10, MESSAGE_BYTES = 512 };

void conf_errors_init(struct conf_errors *errors)
{
	*errors = (struct conf_errors){ 0 };
	buf_init(&errors->text, 0);
}

void conf_errors_fini(struct conf_errors *errors)
{
	buf_fini(&errors->text);
	errors->count = 0;
}

/* ---- single values ---- */

static void refuse_kind(struct conf_load *l, const struct conf_field *f, const struct node *n)
{
	static const char *const given[] = { "nothing", "a single value", "a list", "a map" };
	struct buf takes;
	buf_init(&takes, MESSAGE_BYTES);
	value_write_kind(&takes, f);
	problem_add(&l->problems, n->at, "\"%s\" takes %.*s, not %s", f->key,
	    SLICE_ARG(buf_slice(&takes)), given[n->kind]);
	buf_fini(&takes);
}

/* The text of a scalar with its variables filled in. */
static bool text_of(
    struct conf_load *l, const struct conf_field *f, const struct node *n, struct slice *ret_text)
{
	struct slice name;
	if (n->kind != NODE_SCALAR) {
		refuse_kind(l, f, n);
		return false;
	}
	switch (env_expand(n->text, &l->scratch, ret_text, &name)) {
	case ENV_OK: return true;
	case ENV_UNSET:
		problem_add(&l->problems, n->at,
		    "environment variable \"%.*s\" is not set; set it, or write $${ for a plain ${",
		    SLICE_ARG(name));
		return false;
	case ENV_MALFORMED:
		problem_add(&l->problems, n->at,
		    "\"${\" without a name and \"}\"; write ${NAME}, or $${ for a plain ${");
		return false;
	}
	return false;
}

static void fill_value(
    struct conf_load *l, const struct conf_field *f, const struct node *n, void *dest)
{
	struct slice text;
	if (!text_of(l, f, n, &text))
		return;
	enum value_verdict verdict = value_read(f, text, dest);
	if (verdict == VALUE_OK)
		return;
	struct buf why;
	buf_init(&why, MESSAGE_BYTES);
	value_write_refusal(&why, f, text, verdict);
	problem_add(&l->problems, n->at, "%.*s", SLICE_ARG(buf_slice(&why)));
	buf_fini(&why);
}

static const char *check_controls(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] < 0x20 || s.at[i] == 0x7f)
			return "has a control character";
	return NULL;
}

static void fill_string(
    struct conf_load *l, const struct conf_field *f, const struct node *n, struct slice *dest)
{
	struct slice text;
	if (!text_of(l, f, n, &text))
		return;
	const char *why = check_controls(text);
	if (!why && f->check)
		why = f->check(text);
	if (why)
		problem_add(
		    &l->problems, n->at, "\"%.*s\" %s", SLICE_ARG(problem_quote(text)), why);
	else
		*dest = arena_copy(l->arena, text);
}

/* ---- lists and maps of values ---- */

/* Whether the node is of a list's kind and the list's length is within bounds. */
static bool is_countable(
    struct conf_load *l, const struct conf_field *f, const struct node *n, enum node_kind kind)
{
	if (n->kind != kind) {
		refuse_kind(l, f, n);
		return false;
	}
	size_t count = node_count(n);
	if (!value_is_list(f) || !value_has_bounds(f) || (count >= f->min && count <= f->max))
		return true;
	problem_add(&l->problems, n->at, "\"%s\" takes %" PRIu64 " to %" PRIu64 " entries, not %zu",
	    f->key, f->min, f->max, count);
	return false;
}

static void fill_strings(struct conf_load *l, const struct conf_field *f, const struct node *n,
    struct conf_strings *dest)
{
	const struct conf_field entry = { .key = f->key, .kind = CONF_STRING, .check = f->check };
	if (!is_countable(l, f, n, NODE_LIST))
		return;
	*dest = (struct conf_strings){ arena_alloc(l->arena, node_count(n) * sizeof(*dest->at)),
		0 };
	if (!dest->at)
		return;
	for (const struct node *item = n->first; item; item = item->next)
		fill_string(l, &entry, item, &dest->at[dest->count++]);
}

static void fill_status_ttl(
    struct conf_load *l, const struct conf_field *f, const struct node *n, struct status_ttl *dest)
{
	const struct conf_field ttl = {
		.key = f->key, .kind = CONF_DURATION, .min = f->min, .max = f->max
	};
	uint64_t status;
	if (slice_to_u64(n->key, &status) && status >= 200 && status <= 599)
		dest->status = (uint16_t)status;
	else
		problem_add(&l->problems, n->key_at, "\"%.*s\" is not a status; write 200 to 599",
		    SLICE_ARG(problem_quote(n->key)));
	fill_value(l, &ttl, n, &dest->ttl_ms);
}

static void fill_status_ttls(
    struct conf_load *l, const struct conf_field *f, const struct node *n, struct conf_list *dest)
{
	if (!is_countable(l, f, n, NODE_MAP))
		return;
	struct status_ttl *at = arena_alloc(l->arena, node_count(n) * sizeof(*at));
	*dest = (struct conf_list){ at, 0 };
	if (!at)
		return;
	for (const struct node *child = n->first; child; child = child->next)
		fill_status_ttl(l, f, child, &at[dest->count++]);
}

/* ---- sections ---- */

/* Where a section's values come from. */
struct fill {
	const struct conf_table *table;
	const struct node *map; /* NULL = not in the text */
	struct place at;        /* what misses a required key */
	bool is_filled;         /* the struct holds values already: keys that are not named stay */
};

static void fill_section(struct conf_load *, struct fill, char *dest);

static void report_unknown(struct conf_load *l, const struct conf_table *t, const struct node *n)
{
	struct nearest near = nearest_to(n->key);
	struct buf keys;
	buf_init(&keys, MESSAGE_BYTES);
	for (size_t i = 0; i < t->count; i++) {
		nearest_offer(&near, slice_str(t->fields[i].key));
		buf_addf(&keys, "%s%s", i ? ", " : "", t->fields[i].key);
	}
	if (near.best.len)
		problem_add(&l->problems, n->key_at, "unknown key \"%.*s\"; did you mean \"%.*s\"?",
		    SLICE_ARG(problem_quote(n->key)), SLICE_ARG(near.best));
	else
		problem_add(&l->problems, n->key_at, "unknown key \"%.*s\"; %s has %.*s",
		    SLICE_ARG(problem_quote(n->key)), t->name, SLICE_ARG(buf_slice(&keys)));
	buf_fini(&keys);
}

/* An entry, or a section, as a map: a plain value stands for the one key that its table names. */
static const struct node *entry_of(
    struct conf_load *l, const struct conf_table *t, const struct node *item)
{
	if (item->kind != NODE_SCALAR || !t->shorthand)
		return item;
	struct node *map = arena_alloc(&l->scratch, sizeof(*map));
	struct node *value = arena_alloc(&l->scratch, sizeof(*value));
	if (!map || !value)
		return item;
	*value = *item;
	value->next = NULL;
	value->key = slice_str(t->shorthand);
	value->key_at = item->at;
	*map = (struct node){ .kind = NODE_MAP, .at = item->at, .first = value };
	return map;
}

static void fill_sections(
    struct conf_load *l, const struct conf_field *f, const struct node *n, struct conf_list *dest)
{
	if (!is_countable(l, f, n, NODE_LIST))
		return;
	size_t bytes = f->table->struct_bytes;
	char *at = arena_alloc(l->arena, node_count(n) * bytes);
	*dest = (struct conf_list){ at, 0 };
	if (!at)
		return;
	for (const struct node *item = n->first; item; item = item->next)
		fill_section(l,
		    (struct fill){ f->table, entry_of(l, f->table, item), item->at, false },
		    at + bytes * dest->count++);
}

static void fill_inner_section(struct conf_load *l, const struct conf_field *f,
    const struct node *n, struct fill outer, char *dest)
{
	bool inherits = f->inherits && !outer.is_filled;
	struct place at = n ? n->key_at : outer.at;
	n = n ? entry_of(l, f->table, n) : NULL;
	if (inherits) {
		const struct conf_field *from = conf_field_of(l->table, slice_str(f->inherits));
		must(from != NULL);
		memcpy(dest, l->dest + from->offset, f->table->struct_bytes);
	}
	fill_section(l, (struct fill){ f->table, n, at, inherits || outer.is_filled }, dest);
}

/* The default of a field as a node, as if the operator had written it. */
static const struct node *fallback_of(struct conf_load *l, const struct conf_field *f)
{
	static const struct conf_source defaults = { .name = { "default", 7 } };
	bool is_yaml = f->kind == CONF_STRINGS || f->kind == CONF_STATUS_TTLS ||
	    f->kind == CONF_SECTIONS;
	if (is_yaml) {
		struct conf_source *source = arena_alloc(&l->scratch, sizeof(*source));
		if (!source)
			return NULL;
		*source = defaults;
		source->text = slice_str(f->fallback);
		return tree_read(source, &l->scratch, &l->problems);
	}
	struct node *n = arena_alloc(&l->scratch, sizeof(*n));
	if (n)
		*n = (struct node){ .kind = NODE_SCALAR, .text = slice_str(f->fallback) };
	return n;
}

static void fill_leaf(
    struct conf_load *l, const struct conf_field *f, const struct node *n, void *dest)
{
	switch (f->kind) {
	case CONF_STRING: fill_string(l, f, n, dest); return;
	case CONF_STRINGS: fill_strings(l, f, n, dest); return;
	case CONF_STATUS_TTLS: fill_status_ttls(l, f, n, dest); return;
	case CONF_SECTIONS: fill_sections(l, f, n, dest); return;
	default: fill_value(l, f, n, dest);
	}
}

static void report_missing(struct conf_load *l, const struct conf_field *f, struct fill fill)
{
	problem_add(&l->problems, fill.at, "%s needs the key \"%s\"; for example %s: %s",
	    fill.table->name, f->key, f->key, f->example);
}

static void fill_field(
    struct conf_load *l, const struct conf_field *f, struct fill fill, char *dest)
{
	const struct node *n = node_child(fill.map, slice_str(f->key));
	if (n && n->kind == NODE_NULL)
		n = NULL;
	if (f->kind == CONF_SECTION) {
		fill_inner_section(l, f, n, fill, dest + f->offset);
		return;
	}
	if (!n && fill.is_filled)
		return;
	if (!n && !f->fallback) {
		report_missing(l, f, fill);
		return;
	}
	n = n ? n : fallback_of(l, f);
	if (n)
		fill_leaf(l, f, n, dest + f->offset);
}

static void report_no_map(struct conf_load *l, struct fill fill)
{
	const char *shorthand = fill.table->shorthand;
	problem_add(&l->problems, fill.map->at, "%s is a map of keys%s%s%s", fill.table->name,
	    shorthand ? ", or its \"" : "", shorthand ? shorthand : "",
	    shorthand ? "\" alone" : "");
}

static void check_whole(struct conf_load *l, struct fill fill, const char *filled)
{
	const char *why = fill.table->check(filled);
	if (why)
		problem_add(&l->problems, fill.map ? fill.map->at : fill.at, "%s %s",
		    fill.table->name, why);
}

static void fill_section(struct conf_load *l, struct fill fill, char *dest)
{
	const struct conf_field *fields = fill.table->fields;
	unsigned before = l->problems.count;
	bool is_map = !fill.map || fill.map->kind == NODE_MAP || fill.map->kind == NODE_NULL;
	if (!is_map) {
		report_no_map(l, fill);
		return;
	}
	for (const struct node *n = fill.map ? fill.map->first : NULL; n; n = n->next)
		if (!conf_field_of(fill.table, n->key))
			report_unknown(l, fill.table, n);
	/* Sections go first: entries of lists inherit from those of the root. */
	for (size_t i = 0; i < fill.table->count; i++)
		if (fields[i].kind == CONF_SECTION)
			fill_field(l, &fields[i], fill, dest);
	for (size_t i = 0; i < fill.table->count; i++)
		if (fields[i].kind != CONF_SECTION)
			fill_field(l, &fields[i], fill, dest);
	if (fill.table->check && l->problems.count == before && !l->arena->overflow)
		check_whole(l, fill, dest);
}

/* ---- a loading ---- */

/* The tree of one source; NULL when it cannot be merged with others. */
static struct node *read_source(struct conf_load *l, const struct conf_source *source)
{
	struct node *tree = tree_read(source, &l->scratch, &l->problems);
	if (!tree || tree->kind == NODE_MAP || tree->kind == NODE_NULL)
		return tree;
	problem_add(&l->problems, tree->at, "a configuration is a map of keys");
	return NULL;
}

void conf_load_begin(
    struct conf_load *l, struct arena *arena, const struct conf_source *sources, size_t count)
{
	*l = (struct conf_load){ .arena = arena };
	arena_init(&l->scratch, SCRATCH_BYTES);
	arena_init(&l->pages, PAGES_BYTES);
	problems_init(&l->problems, &l->pages);
	bool broken = false;
	struct node *whole = arena_alloc(&l->scratch, sizeof(*whole));
	for (size_t i = 0; whole && i < count; i++) {
		struct node *tree = read_source(l, &sources[i]);
		broken |= !tree;
		if (tree)
			whole = i == 0 ? tree : tree_merge(whole, tree);
	}
	l->root = broken ? NULL : whole;
}

void conf_load_fill(struct conf_load *l, const struct conf_table *table, void *dest)
{
	l->table = table;
	l->dest = dest;
	if (l->root)
		fill_section(l, (struct fill){ table, l->root, l->root->at, false }, dest);
}

static const struct node *node_at(const struct conf_load *l, struct conf_path path)
{
	const struct node *section = node_child(l->root, slice_str(path.section));
	bool is_map = section && section->kind == NODE_MAP;
	const struct node *entry = is_map ? section : node_item(section, path.index);
	const struct node *value = path.key ? node_child(entry, slice_str(path.key)) : NULL;
	return value ? value : entry ? entry : section ? section : l->root;
}

void conf_problem(struct conf_load *l, struct conf_path path, const char *fmt, ...)
{
	char message[MESSAGE_BYTES];
	va_list args;
	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	const struct node *n = node_at(l, path);
	problem_add(&l->problems, n ? n->at : (struct place){ 0 }, "%s", message);
}

bool conf_load_end(struct conf_load *l, struct conf_errors *errors)
{
	if (l->scratch.overflow || l->arena->overflow)
		problem_add(&l->problems, (struct place){ 0 }, "the configuration is too large");
	problems_write(&l->problems, &errors->text);
	errors->count += l->problems.count;
	arena_fini(&l->pages);
	arena_fini(&l->scratch);
	l->root = NULL;
	return l->problems.count == 0;
}
