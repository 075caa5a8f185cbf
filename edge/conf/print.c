/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/print.h"

#include "edge/conf/value.h"

enum { COLUMNS = 100, STEP = 2, DOC_BYTES = 2048 };

/* A printing under way. What a list entry's first key stands behind is "- ", not two spaces. */
struct printer {
	struct buf *out;
	unsigned depth; /* in steps */
	bool is_entry;  /* the next key begins a list entry */
};

static void add_indent(struct buf *out, unsigned depth)
{
	for (unsigned i = 0; i < depth * STEP; i++)
		buf_add_char(out, ' ');
}

static void add_key(struct printer *p, const char *key)
{
	add_indent(p->out, p->depth - p->is_entry);
	buf_addf(p->out, "%s%s:", p->is_entry ? "- " : "", key);
	p->is_entry = false;
}

static void add_line(struct printer *p, const char *text)
{
	buf_addf(p->out, "%s\n", text);
}

/* ---- with comments ---- */

/* Writes words as comment lines that keep within the columns. */
static void add_comment(struct printer *p, struct slice words)
{
	unsigned depth = p->depth - p->is_entry;
	size_t room = COLUMNS - depth * STEP - 2, used = 0;
	while (words.len > 0) {
		struct slice word = slice_take_until(&words, ' ');
		if (used > 0 && used + 1 + word.len > room) {
			buf_add_char(p->out, '\n');
			used = 0;
		}
		if (used == 0) {
			add_indent(p->out, depth);
			buf_add(p->out, SL("#"));
		}
		buf_add_char(p->out, ' ');
		buf_add(p->out, word);
		used += word.len + (used > 0);
	}
	if (used > 0)
		buf_add_char(p->out, '\n');
}

/* Kinds that the value and the sentences before show well enough. */
static bool says_itself(const struct conf_field *f)
{
	return f->kind == CONF_STRING || f->kind == CONF_STRINGS || f->kind == CONF_SECTION ||
	    f->kind == CONF_SECTIONS;
}

/* A list of sections whose entries no default can name: files, for one. An entry that stood in the
 * commented file would break the server that starts from it, so its keys are comments only. */
static bool is_shown_empty(const struct conf_field *f)
{
	return f->kind == CONF_SECTIONS && f->fallback && f->example;
}

/* What a list of sections holds when nobody says, and what its entries look like. */
static void add_list_doc(struct buf *doc, const struct conf_field *f)
{
	if (f->table->shorthand)
		buf_addf(doc, " An entry that is one value is its \"%s\".", f->table->shorthand);
	if (is_shown_empty(f))
		buf_addf(doc, " For example: %s. Of an entry:", f->example);
	else if (f->fallback && strcmp(f->fallback, "[]") == 0)
		buf_add(doc, SL(" Default: []; what stands here is an example."));
	else if (f->fallback)
		buf_addf(doc, " Default: %s, which stands here in full.", f->fallback);
}

static void add_entry_docs(struct printer *p, const struct conf_table *t)
{
	struct buf line;
	buf_init(&line, DOC_BYTES);
	for (size_t i = 0; i < t->count; i++) {
		const struct conf_field *f = &t->fields[i];
		buf_clear(&line);
		buf_addf(&line, "- %s: %s", f->key, f->doc);
		if (f->fallback && *f->fallback)
			buf_addf(&line, " Default: %s.", f->fallback);
		add_comment(p, buf_slice(&line));
	}
	buf_fini(&line);
}

/* What a key is for, what may stand there, and whether something must. */
static void add_doc(struct printer *p, const struct conf_field *f)
{
	struct buf doc;
	buf_init(&doc, DOC_BYTES);
	buf_add(&doc, slice_str(f->doc));
	if (!says_itself(f)) {
		buf_add(&doc, SL(" Takes "));
		value_write_kind(&doc, f);
		buf_add_char(&doc, '.');
	}
	if (!f->fallback && f->kind != CONF_SECTION)
		buf_add(&doc, SL(" Required."));
	if (f->kind == CONF_SECTIONS)
		add_list_doc(&doc, f);
	add_comment(p, buf_slice(&doc));
	buf_fini(&doc);
	if (is_shown_empty(f))
		add_entry_docs(p, f->table);
}

static void add_table(struct printer *, const struct conf_table *);

static void add_sample(struct printer *p, const struct conf_field *f)
{
	const char *text = f->fallback ? f->fallback : f->example;
	add_key(p, f->key);
	if (f->kind == CONF_SECTION && f->inherits) {
		add_line(p, " {}");
	} else if (is_shown_empty(f)) {
		buf_addf(p->out, " %s\n", f->fallback);
	} else if (f->kind == CONF_SECTION || f->kind == CONF_SECTIONS) {
		bool is_list = f->kind == CONF_SECTIONS;
		struct printer inner = { p->out, p->depth + 1 + is_list, is_list };
		add_line(p, "");
		add_table(&inner, f->table);
	} else if (f->kind == CONF_STRING) {
		buf_add_char(p->out, ' ');
		value_write_string(p->out, slice_str(text));
		add_line(p, "");
	} else {
		buf_addf(p->out, " %s\n", text);
	}
}

static void add_table(struct printer *p, const struct conf_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		if (i > 0)
			add_line(p, "");
		add_doc(p, &t->fields[i]);
		add_sample(p, &t->fields[i]);
	}
}

void conf_print_commented(struct buf *out, const struct conf_table *t, const char *header)
{
	struct printer p = { .out = out };
	struct slice rest = slice_str(header);
	while (rest.len > 0) {
		struct slice line = slice_take_line(&rest);
		buf_addf(out, "#%s%.*s\n", line.len ? " " : "", SLICE_ARG(line));
	}
	add_line(&p, "");
	add_table(&p, t);
}

/* ---- what is in force ---- */

static void dump_section(struct printer *, const struct conf_table *, const char *filled);

static void dump_strings(struct printer *p, const struct conf_strings *list)
{
	add_line(p, list->count ? "" : " []");
	for (size_t i = 0; i < list->count; i++) {
		add_indent(p->out, p->depth + 1);
		buf_add(p->out, SL("- "));
		value_write_string(p->out, list->at[i]);
		add_line(p, "");
	}
}

static void dump_status_ttls(struct printer *p, const struct conf_list *list)
{
	const struct conf_field ttl = { .kind = CONF_DURATION };
	const struct status_ttl *at = list->at;
	add_line(p, list->count ? "" : " {}");
	for (size_t i = 0; i < list->count; i++) {
		add_indent(p->out, p->depth + 1);
		buf_addf(p->out, "%u: ", at[i].status);
		value_write(p->out, &ttl, &at[i].ttl_ms);
		add_line(p, "");
	}
}

static void dump_sections(
    struct printer *p, const struct conf_table *t, const struct conf_list *list)
{
	const char *at = list->at;
	add_line(p, list->count ? "" : " []");
	for (size_t i = 0; i < list->count; i++) {
		struct printer entry = { p->out, p->depth + 2, true };
		dump_section(&entry, t, at + i * t->struct_bytes);
	}
}

static void dump_word(struct printer *p, const struct conf_field *f, const void *at)
{
	buf_add_char(p->out, ' ');
	if (f->kind == CONF_STRING)
		value_write_string(p->out, *(const struct slice *)at);
	else
		value_write(p->out, f, at);
	add_line(p, "");
}

static void dump_field(struct printer *p, const struct conf_field *f, const void *at)
{
	struct printer inner = { p->out, p->depth + 1, false };
	add_key(p, f->key);
	switch (f->kind) {
	case CONF_STRINGS: dump_strings(p, at); return;
	case CONF_STATUS_TTLS: dump_status_ttls(p, at); return;
	case CONF_SECTIONS: dump_sections(p, f->table, at); return;
	case CONF_SECTION:
		add_line(p, "");
		dump_section(&inner, f->table, at);
		return;
	default: dump_word(p, f, at);
	}
}

static void dump_section(struct printer *p, const struct conf_table *t, const char *filled)
{
	for (size_t i = 0; i < t->count; i++)
		dump_field(p, &t->fields[i], filled + t->fields[i].offset);
}

void conf_dump(struct buf *out, const struct conf_table *t, const void *filled)
{
	struct printer p = { .out = out };
	dump_section(&p, t, filled);
}
