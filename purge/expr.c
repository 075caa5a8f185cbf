/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/expr.h"

#include "cache/rule/scope.h"

/* The operators by how tightly they bind: a child that binds less tightly needs parentheses. */
enum kind { OPEN, OR, AND, NOT, TAG, CLOSE, END };

static const char many_nodes[] = "more than 256 tags and operators";
static const char deep[] = "more than 32 parentheses in each other";
_Static_assert(EXPR_NODES == 256 && EXPR_NESTING == 32, "the texts above say it");

struct node {
	enum kind kind;
	uint32_t size;    /* of the subtree that ends here, itself included */
	uint64_t id;      /* TAG: its scope_tag_id */
	struct slice tag; /* TAG: as it was written, without quotes and escapes */
};

/* The nodes in the order of evaluation, operands first; behind the last, the bytes of the tags. */
struct expr {
	size_t count;
	struct node nodes[];
};

/* ---- words ---- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

/* What a tag outside of quotes cannot have. */
static bool is_special(char c)
{
	return is_space(c) || c == '"' || c == '\'' || c == '(' || c == ')';
}

static enum kind kind_of_word(struct slice word)
{
	if (slice_eq_nocase(word, SL("and")))
		return AND;
	if (slice_eq_nocase(word, SL("or")))
		return OR;
	return slice_eq_nocase(word, SL("not")) ? NOT : TAG;
}

struct token {
	enum kind kind;
	size_t at;
	struct slice tag;
};

struct parser {
	struct slice text;
	size_t at;
	struct expr_problem problem;
	size_t count, used; /* nodes written; and those with the operators that wait */
	size_t waiting, depth;
	size_t tag_bytes;
	bool wants_operand;
	struct node nodes[EXPR_NODES];
	uint8_t wait[EXPR_NODES + EXPR_NESTING]; /* enum kind: operators and OPEN */
	char tags[EXPR_TEXT];                    /* unescaped, so never more than text */
};

static bool fail(struct parser *p, size_t at, const char *why)
{
	p->problem = (struct expr_problem){ at, why };
	return false;
}

static void keep(struct parser *p, struct token *t, char c)
{
	p->tags[p->tag_bytes++] = c;
	t->tag.len++;
}

static bool take_quoted(struct parser *p, struct token *t)
{
	t->kind = TAG;
	for (p->at++; p->at < p->text.len; p->at++) {
		char c = p->text.at[p->at];
		if (c == '"') {
			p->at++;
			return t->tag.len > 0 || fail(p, t->at, "a tag without a name");
		}
		if (is_control(c))
			return fail(p, p->at, "a control byte in a tag");
		if (c == '\\') {
			c = ++p->at < p->text.len ? p->text.at[p->at] : '\0';
			if (c != '"' && c != '\\')
				return fail(p, p->at - 1, "a backslash before neither \" nor \\");
		}
		keep(p, t, c);
	}
	return fail(p, t->at, "a quote that is not closed");
}

static bool take_word(struct parser *p, struct token *t)
{
	while (p->at < p->text.len && !is_special(p->text.at[p->at])) {
		if (is_control(p->text.at[p->at]))
			return fail(p, p->at, "a control byte in a tag");
		keep(p, t, p->text.at[p->at++]);
	}
	if (p->at < p->text.len && p->text.at[p->at] == '\'')
		return fail(p, p->at, "a single quote: a tag is quoted with double ones");
	t->kind = kind_of_word(t->tag);
	return true;
}

static bool take_token(struct parser *p, struct token *t)
{
	while (p->at < p->text.len && is_space(p->text.at[p->at]))
		p->at++;
	*t = (struct token){ END, p->at, slice_of(p->tags + p->tag_bytes, 0) };
	if (p->at == p->text.len)
		return true;
	switch (p->text.at[p->at]) {
	case '(': t->kind = OPEN; break;
	case ')': t->kind = CLOSE; break;
	case '"': return take_quoted(p, t);
	default: return take_word(p, t);
	}
	p->at++;
	return true;
}

/* ---- from words to nodes: each operator waits until its last operand is written ---- */

static void write_tag(struct parser *p, struct slice tag)
{
	p->nodes[p->count++] = (struct node){ TAG, 1, scope_tag_id(tag), tag };
}

static void write_operator(struct parser *p)
{
	enum kind kind = p->wait[--p->waiting];
	uint32_t size = 1 + p->nodes[p->count - 1].size;
	if (kind != NOT)
		size += p->nodes[p->count - size].size;
	p->nodes[p->count++] = (struct node){ kind, size, 0, SLICE_NONE };
}

static void write_operators(struct parser *p, enum kind at_least)
{
	while (p->waiting > 0 && p->wait[p->waiting - 1] >= at_least)
		write_operator(p);
}

static bool step_operand(struct parser *p, const struct token *t)
{
	if (t->kind != TAG && t->kind != NOT && t->kind != OPEN)
		return fail(p, t->at, "expected a tag, NOT or '('");
	if (t->kind == OPEN && p->depth++ == EXPR_NESTING)
		return fail(p, t->at, deep);
	if (t->kind != OPEN && p->used++ == EXPR_NODES)
		return fail(p, t->at, many_nodes);
	if (t->kind == TAG)
		write_tag(p, t->tag);
	else
		p->wait[p->waiting++] = (uint8_t)t->kind;
	p->wants_operand = t->kind != TAG;
	return true;
}

static bool step_close(struct parser *p, const struct token *t)
{
	if (p->depth == 0)
		return fail(p, t->at, "')' without '('");
	write_operators(p, OR);
	p->waiting--;
	p->depth--;
	return true;
}

static bool step_end(struct parser *p, const struct token *t)
{
	if (p->depth > 0)
		return fail(p, t->at, "expected ')'");
	write_operators(p, OR);
	return true;
}

static bool step_operator(struct parser *p, const struct token *t)
{
	if (t->kind == CLOSE)
		return step_close(p, t);
	if (t->kind == END)
		return step_end(p, t);
	if (t->kind == TAG)
		return fail(p, t->at, "expected AND or OR between two tags");
	if (t->kind != AND && t->kind != OR)
		return fail(p, t->at, "expected AND or OR");
	if (p->used++ == EXPR_NODES)
		return fail(p, t->at, many_nodes);
	write_operators(p, t->kind);
	p->wait[p->waiting++] = (uint8_t)t->kind;
	p->wants_operand = true;
	return true;
}

/* ---- printing ---- */

static size_t left_of(const struct node *nodes, size_t at)
{
	return at - 1 - nodes[at - 1].size;
}

static bool needs_quotes(struct slice tag)
{
	for (size_t i = 0; i < tag.len; i++)
		if (is_special(tag.at[i]))
			return true;
	return kind_of_word(tag) != TAG;
}

static size_t printed_tag(struct slice tag)
{
	size_t len = tag.len;
	if (!needs_quotes(tag))
		return len;
	for (size_t i = 0; i < tag.len; i++)
		len += tag.at[i] == '"' || tag.at[i] == '\\';
	return len + 2;
}

/*
 * Bytes of the canonical text. It can be longer than what was read, by spaces, and must be readable
 * again (expr_print).
 */
static size_t printed(const struct node *nodes, size_t count)
{
	size_t len = 0;
	for (size_t i = 0; i < count; i++) {
		enum kind kind = nodes[i].kind;
		if (kind == TAG) {
			len += printed_tag(nodes[i].tag);
			continue;
		}
		len += kind == AND ? strlen(" AND ") : strlen(" OR "); /* and "NOT " */
		len += nodes[i - 1].kind < kind ? 2 : 0;
		if (kind != NOT)
			len += nodes[left_of(nodes, i)].kind < kind ? 2 : 0;
	}
	return len;
}

static void print_tag(struct slice tag, struct buf *to)
{
	if (!needs_quotes(tag)) {
		buf_add(to, tag);
		return;
	}
	buf_add_char(to, '"');
	for (size_t i = 0; i < tag.len; i++) {
		if (tag.at[i] == '"' || tag.at[i] == '\\')
			buf_add_char(to, '\\');
		buf_add_char(to, tag.at[i]);
	}
	buf_add_char(to, '"');
}

/* Recurses at most EXPR_NODES deep. parent: the operator that this is an operand of. */
static void print(const struct expr *e, size_t at, enum kind parent, struct buf *to)
{
	const struct node *n = &e->nodes[at];
	if (n->kind < parent)
		buf_add_char(to, '(');
	if (n->kind == AND || n->kind == OR) {
		print(e, left_of(e->nodes, at), n->kind, to);
		buf_add(to, n->kind == AND ? SL(" AND ") : SL(" OR "));
		print(e, at - 1, n->kind, to);
	} else if (n->kind == NOT) {
		buf_add(to, SL("NOT "));
		print(e, at - 1, NOT, to);
	} else {
		print_tag(n->tag, to);
	}
	if (n->kind < parent)
		buf_add_char(to, ')');
}

void expr_print(const struct expr *e, struct buf *to)
{
	print(e, e->count - 1, OR, to);
}

/* ---- life ---- */

static bool parse(struct parser *p)
{
	struct token t;
	if (p->text.len > EXPR_TEXT)
		return fail(p, EXPR_TEXT, "longer than 4096 bytes");
	do {
		if (!take_token(p, &t))
			return false;
		if (!(p->wants_operand ? step_operand(p, &t) : step_operator(p, &t)))
			return false;
	} while (t.kind != END);
	return printed(p->nodes, p->count) <= EXPR_TEXT ||
	    fail(p, p->text.len, "longer than 4096 bytes with a space around each operator");
}

enum err expr_parse(struct slice text, struct expr **ret, struct expr_problem *ret_problem)
{
	struct parser p;
	p.text = text;
	p.at = p.count = p.used = p.waiting = p.depth = p.tag_bytes = 0;
	p.wants_operand = true;
	if (!parse(&p)) {
		*ret_problem = p.problem;
		return ERR_BAD_PATTERN;
	}

	struct expr *e = malloc(sizeof(*e) + p.count * sizeof(e->nodes[0]) + p.tag_bytes);
	if (!e)
		return ERR_NO_MEMORY;
	e->count = p.count;
	memcpy(e->nodes, p.nodes, p.count * sizeof(e->nodes[0]));
	char *tags = (char *)&e->nodes[p.count];
	memcpy(tags, p.tags, p.tag_bytes);
	for (size_t i = 0; i < e->count; i++)
		if (e->nodes[i].kind == TAG)
			e->nodes[i].tag.at = tags + (p.nodes[i].tag.at - p.tags);
	*ret = e;
	return ERR_NONE;
}

void expr_free(struct expr **e)
{
	free(*e);
	*e = NULL;
}

/* ---- asking ---- */

static int compare(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;
	return (*a > *b) - (*a < *b);
}

static bool has(const uint64_t *ids, size_t count, uint64_t id)
{
	return count > 0 && bsearch(&id, ids, count, sizeof(id), compare);
}

bool expr_matches(const struct expr *e, const uint64_t *tag_ids, size_t count)
{
	/* Inside each parenthesis, and outside of all, an OR's left side and an AND's can wait. */
	bool values[2 * (EXPR_NESTING + 1) + 1] = { false };
	size_t last = SIZE_MAX;
	for (const struct node *n = e->nodes; n < e->nodes + e->count; n++) {
		if (n->kind == TAG) {
			values[++last] = has(tag_ids, count, n->id);
			continue;
		}
		bool right = values[last];
		if (n->kind == NOT)
			values[last] = !right;
		else if (n->kind == AND)
			values[--last] &= right;
		else
			values[--last] |= right;
	}
	return values[0];
}

bool expr_matches_untagged(const struct expr *e)
{
	return expr_matches(e, NULL, 0);
}
