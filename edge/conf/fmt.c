/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/fmt.h"

enum { STEP = 2, ARENA_BYTES = 256 << 20 };

enum line_kind {
	LINE_OTHER,  /* blank, a comment, a mark of YAML's */
	LINE_STARTS, /* begins with a key or a list entry */
	LINE_INSIDE, /* goes on with a value that began above */
};

struct line {
	enum line_kind kind;
	struct slice raw;
	struct slice text;      /* raw without white space at both ends */
	unsigned was;           /* its indentation as written */
	unsigned indent;        /* LINE_STARTS: its indentation as it shall be */
	const struct node *key; /* LINE_STARTS: the first key on it, or NULL */
	size_t first;           /* LINE_INSIDE: number of the line where the value's key stands */
};

/* [0] and [count + 1] are spare. */
struct sheet {
	struct line *lines; /* [1..count]: numbered as places are */
	size_t count;
};

/* ---- from text to lines ---- */

static void read_line(struct line *line, struct slice raw)
{
	if (raw.len > 0 && raw.at[raw.len - 1] == '\r')
		raw.len--;
	struct slice rest = raw;
	slice_skip_ows(&rest);
	line->raw = raw;
	line->was = (unsigned)(raw.len - rest.len);
	line->text = slice_trim(rest);
}

static bool read_sheet(struct sheet *sheet, struct arena *arena, struct slice text)
{
	size_t ends = 0;
	for (size_t i = 0; i < text.len; i++)
		ends += text.at[i] == '\n';
	*sheet = (struct sheet){ .lines = arena_alloc(arena, (ends + 3) * sizeof(struct line)) };
	while (sheet->lines && text.len > 0)
		read_line(&sheet->lines[++sheet->count], slice_take_until(&text, '\n'));
	return sheet->lines != NULL;
}

/* ---- from the tree: what begins where ---- */

static void mark_block(struct sheet *, const struct node *, unsigned indent);

static bool is_block(const struct node *n)
{
	return (n->kind == NODE_LIST || n->kind == NODE_MAP) && !n->is_flow;
}

/* YAML ends lines at more than '\n'. What it counts beyond our last line goes to a spare one, and
 * the comparison at the end refuses the result. */
static size_t line_number(const struct sheet *sheet, struct place at)
{
	return min_size(at.line, sheet->count + 1);
}

static void mark_start(struct sheet *sheet, size_t at, unsigned indent, const struct node *key)
{
	struct line *line = &sheet->lines[at];
	if (line->kind != LINE_STARTS)
		line->indent = indent;
	if (!line->key)
		line->key = key;
	line->kind = LINE_STARTS;
}

/* Marks what is below a key or a dash. */
static void mark_value(struct sheet *sheet, const struct node *n, size_t first, unsigned indent)
{
	if (is_block(n)) {
		mark_block(sheet, n, indent + STEP);
		return;
	}
	for (size_t i = first + 1; i <= n->last_line && i <= sheet->count; i++) {
		struct line *line = &sheet->lines[i];
		if (line->kind != LINE_OTHER)
			continue;
		line->kind = LINE_INSIDE;
		line->first = first;
	}
}

static bool begins_with_dash(struct slice text)
{
	return text.len > 0 && text.at[0] == '-' && (text.len == 1 || is_ows(text.at[1]));
}

/* The line of a list entry's dash, which may stand alone above its value; 0 when hidden. */
static size_t dash_line(const struct sheet *sheet, const struct node *item)
{
	size_t at = line_number(sheet, item->at);
	while (at > 0 && !begins_with_dash(sheet->lines[at].text))
		at--;
	return at;
}

static void mark_pair(struct sheet *sheet, const struct node *child, unsigned indent)
{
	size_t at = line_number(sheet, child->key_at);
	const struct line *line = &sheet->lines[at];
	if (line->kind == LINE_STARTS || line->was + 1 == child->key_at.column)
		mark_start(sheet, at, indent, child);
	mark_value(sheet, child, at, indent);
}

static void mark_block(struct sheet *sheet, const struct node *n, unsigned indent)
{
	for (const struct node *child = n->first; child; child = child->next) {
		if (n->kind == NODE_MAP) {
			mark_pair(sheet, child, indent);
			continue;
		}
		size_t at = dash_line(sheet, child);
		mark_start(sheet, at, indent, NULL);
		mark_value(sheet, child, at, indent);
	}
}

/* ---- from lines to text ---- */

static void add_indent(struct buf *out, unsigned n)
{
	while (n-- > 0)
		buf_add_char(out, ' ');
}

/* Adds "key:   value" with one space. Anything else than a plain pair stays as it is. */
static void add_pair(struct buf *out, struct slice text, const struct node *key)
{
	bool on_one_line = key && key->key_end > key->key_at.column;
	size_t key_len = on_one_line ? key->key_end - key->key_at.column : 0;
	struct slice rest = slice_from(text, key_len);
	slice_skip_ows(&rest);
	if (key_len == 0 || !slice_take_char(&rest, ':')) {
		buf_add(out, text);
		return;
	}
	slice_skip_ows(&rest);
	buf_add(out, slice_first(text, key_len));
	buf_addf(out, ":%s%.*s", rest.len ? " " : "", SLICE_ARG(rest));
}

static void add_start(struct buf *out, const struct line *line)
{
	struct slice text = line->text;
	add_indent(out, line->indent);
	if (begins_with_dash(text)) {
		text = slice_trim(slice_from(text, 1));
		buf_add(out, text.len ? SL("- ") : SL("-"));
	}
	add_pair(out, text, line->key);
}

/* Adds a line of a longer value, moved as far as the line where its key stands. */
static void add_inside(struct buf *out, const struct sheet *sheet, const struct line *line)
{
	const struct line *first = &sheet->lines[line->first];
	unsigned sum = line->was + first->indent;
	if (line->text.len == 0)
		return;
	add_indent(out, sum > first->was ? sum - first->was : 0);
	buf_add(out, slice_from(line->raw, line->was));
}

/*
 * A comment is about what stands below it; but one that is indented deeper than that ends the
 * section above it (often a key that is out of use).
 */
static unsigned comment_indent(const struct sheet *sheet, size_t at)
{
	unsigned was = sheet->lines[at].was;
	size_t below = at;
	while (below <= sheet->count && sheet->lines[below].kind != LINE_STARTS)
		below++;
	bool is_last = below > sheet->count;
	if (!is_last && sheet->lines[below].was == was)
		return sheet->lines[below].indent;
	for (size_t above = at - 1; above > 0; above--) {
		const struct line *line = &sheet->lines[above];
		if (line->kind == LINE_STARTS && line->was <= was)
			return line->indent + (line->was < was ? STEP : 0);
	}
	return is_last ? 0 : sheet->lines[below].indent;
}

static void add_other(struct buf *out, const struct sheet *sheet, size_t at)
{
	const struct line *line = &sheet->lines[at];
	if (line->text.at[0] == '#')
		add_indent(out, comment_indent(sheet, at));
	buf_add(out, line->text);
}

static void write_sheet(struct buf *out, const struct sheet *sheet)
{
	bool gap = false;
	for (size_t i = 1; i <= sheet->count; i++) {
		const struct line *line = &sheet->lines[i];
		bool is_blank = line->kind == LINE_OTHER && line->text.len == 0;
		if (!is_blank && gap && out->len > 0)
			buf_add_char(out, '\n');
		gap = is_blank;
		if (is_blank)
			continue;
		switch (line->kind) {
		case LINE_STARTS: add_start(out, line); break;
		case LINE_INSIDE: add_inside(out, sheet, line); break;
		case LINE_OTHER: add_other(out, sheet, i); break;
		}
		buf_add_char(out, '\n');
	}
}

/* ---- a formatting ---- */

static bool says_the_same(const struct buf *out, const struct node *tree,
    const struct conf_source *source, struct arena *arena)
{
	struct problems ignored;
	struct conf_source again = { source->name, buf_slice(out), false };
	problems_init(&ignored, arena);
	const struct node *tree_again = tree_read(&again, arena, &ignored);
	return !out->overflow && tree_again && tree_equal(tree, tree_again);
}

/* YAML takes a carriage return alone for a line's end; we work on lines that end as editors end
 * them, and would count others than the parser does. */
static bool has_lone_return(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] == '\r' && (i + 1 == text.len || text.at[i + 1] != '\n'))
			return true;
	return false;
}

static void format(struct buf *out, const struct conf_source *source, struct arena *arena,
    struct problems *problems)
{
	struct sheet sheet;
	struct node *tree = tree_read(source, arena, problems);
	if (!tree || problems->count > 0)
		return;
	if (has_lone_return(source->text)) {
		problem_add(problems, (struct place){ source, 1, 1 },
		    "has a carriage return that ends no line; left as it is");
		return;
	}
	if (!read_sheet(&sheet, arena, source->text)) {
		problem_add(problems, tree->at, "out of memory");
		return;
	}
	if (is_block(tree))
		mark_block(&sheet, tree, 0);
	write_sheet(out, &sheet);
	if (!says_the_same(out, tree, source, arena))
		problem_add(problems, (struct place){ source, 1, 1 },
		    "cannot be formatted without changing what it says; left as it is");
}

bool conf_fmt(struct buf *out, const struct conf_source *source, struct conf_errors *errors)
{
	struct arena arena, pages;
	struct problems problems;
	arena_init(&arena, ARENA_BYTES);
	arena_init(&pages, ARENA_BYTES);
	problems_init(&problems, &pages);
	buf_clear(out);
	format(out, source, &arena, &problems);
	if (arena.overflow && problems.count == 0)
		problem_add(&problems, (struct place){ source, 1, 1 }, "too large to format");
	problems_write(&problems, &errors->text);
	errors->count += problems.count;
	arena_fini(&pages);
	arena_fini(&arena);
	if (problems.count > 0)
		buf_clear(out);
	return problems.count == 0;
}
