/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/json_path.h"

/* ---- parsing ---- */

static bool is_name_byte(char c)
{
	char lower = ascii_lower(c);
	return (lower >= 'a' && lower <= 'z') || is_digit(c) || c == '_' || c == '-' ||
	    (unsigned char)c >= 0x80;
}

/* .name, behind its dot */
static bool take_name(struct slice *text, struct json_step *ret)
{
	size_t len = 0;
	while (len < text->len && is_name_byte(text->at[len]))
		len++;
	*ret = (struct json_step){ JSON_STEP_NAME, slice_first(*text, len), 0 };
	*text = slice_from(*text, len);
	return len > 0;
}

/* ['name'], behind its first quote */
static bool take_quoted(struct slice *text, char quote, struct json_step *ret)
{
	size_t len = slice_find(*text, quote);
	*ret = (struct json_step){ JSON_STEP_NAME, slice_first(*text, len), 0 };
	*text = slice_from(*text, len);
	return slice_find(ret->name, '\\') == len && slice_take_char(text, quote) &&
	    slice_take_char(text, ']');
}

/* [...], behind its bracket */
static bool take_bracket(struct slice *text, struct json_step *ret)
{
	uint64_t index;
	if (slice_take_char(text, '\''))
		return take_quoted(text, '\'', ret);
	if (slice_take_char(text, '"'))
		return take_quoted(text, '"', ret);
	size_t len = slice_find(*text, ']');
	struct slice inner = slice_first(*text, len);
	*text = slice_from(*text, len);
	if (slice_eq(inner, SL("*")))
		*ret = (struct json_step){ .kind = JSON_STEP_ALL };
	else if (slice_to_u64(inner, &index))
		*ret = (struct json_step){ .kind = JSON_STEP_INDEX, .index = index };
	else
		return false;
	return slice_take_char(text, ']');
}

bool json_path_parse(struct slice text, struct json_path *ret)
{
	ret->count = 0;
	if (!slice_take_char(&text, '$'))
		return false;
	while (text.len > 0) {
		struct json_step step;
		bool well = slice_take_char(&text, '.') ? take_name(&text, &step)
		    : slice_take_char(&text, '[')       ? take_bracket(&text, &step)
							: false;
		if (!well || ret->count == JSON_PATH_STEPS)
			return false;
		ret->at[ret->count++] = step;
	}
	return true;
}

/* ---- walking ---- */

struct walk {
	const struct json_path *path;
	json_found_f *found;
	void *ctx;
	size_t count; /* found so far */
};

static bool visit(struct walk *, json_t *value, size_t step);

static bool visit_all(struct walk *w, json_t *value, size_t step)
{
	bool goes_on = true;
	for (size_t i = 0; goes_on && i < json_array_size(value); i++)
		goes_on = visit(w, json_array_get(value, i), step);
	for (void *at = json_object_iter(value); goes_on && at;
	     at = json_object_iter_next(value, at))
		goes_on = visit(w, json_object_iter_value(at), step);
	return goes_on;
}

/* Goes the path from its step on; as deep as a path is long. False: the walk ends. */
static bool visit(struct walk *w, json_t *value, size_t step)
{
	if (!value)
		return true;
	if (step == w->path->count)
		return w->count++ < JSON_PATH_FOUND && w->found(w->ctx, value);
	const struct json_step *s = &w->path->at[step];
	switch (s->kind) {
	case JSON_STEP_NAME:
		return visit(w, json_object_getn(value, s->name.at, s->name.len), step + 1);
	case JSON_STEP_INDEX: return visit(w, json_array_get(value, s->index), step + 1);
	case JSON_STEP_ALL: return visit_all(w, value, step + 1);
	}
	return true;
}

bool json_path_walk(const struct json_path *path, json_t *root, json_found_f *found, void *ctx)
{
	struct walk walk = { path, found, ctx, 0 };
	return visit(&walk, root, 0);
}

/* ---- text ---- */

/* At least as many as the text has values, when it is JSON. */
static size_t count_values(struct slice text)
{
	size_t count = 1;
	bool in_string = false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		if (c == '"')
			in_string = !in_string;
		else if (c == '\\')
			i++;
		else if (!in_string)
			count += c == ',' || c == '[' || c == '{';
	}
	return count;
}

json_t *json_text_parse(struct slice text)
{
	json_error_t error;
	if (text.len > JSON_TEXT_BYTES || count_values(text) > JSON_TEXT_VALUES)
		return NULL;
	/* A NUL in a string is JSON; who takes the string looks at its bytes. */
	return json_loadb(
	    text.at ? text.at : "", text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
}
