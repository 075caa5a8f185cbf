/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/sf.h"

/*
 * Each take_* is one algorithm of RFC 9651 4.2: it takes its thing off the front of the text, or
 * answers false, and then the whole field is void.
 */
struct parser {
	struct slice text;
	struct arena *arena;
};

static char next(const struct parser *p)
{
	return p->text.len > 0 ? p->text.at[0] : '\0';
}

static bool take_char(struct parser *p, char c)
{
	return slice_take_char(&p->text, c);
}

static void skip_spaces(struct parser *p)
{
	while (take_char(p, ' '))
		;
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_alpha(char c)
{
	return is_lower(ascii_lower(c));
}

/* Takes the longest run of bytes that `fits`. */
static struct slice take_run(struct parser *p, bool (*fits)(char))
{
	size_t n = 0;
	while (n < p->text.len && fits(p->text.at[n]))
		n++;
	struct slice run = slice_first(p->text, n);
	p->text = slice_from(p->text, n);
	return run;
}

/* ---- bare items ---- */

static bool is_key_byte(char c)
{
	return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*';
}

/* RFC 9651 4.2.3.3 */
static bool take_key(struct parser *p, struct slice *ret_key)
{
	if (!is_lower(next(p)) && next(p) != '*')
		return false;
	*ret_key = take_run(p, is_key_byte);
	return true;
}

static int64_t digits_value(struct slice digits)
{
	int64_t value = 0;
	for (size_t i = 0; i < digits.len; i++)
		value = value * 10 + (digits.at[i] - '0');
	return value;
}

/* Digits after the point: one to three, at most twelve before it. */
static bool take_fraction(struct parser *p, struct slice whole, struct sf_item *ret)
{
	struct slice digits = take_run(p, is_digit);
	if (digits.len < 1 || digits.len > 3 || whole.len > 12)
		return false;
	double scale = digits.len == 1 ? 10 : digits.len == 2 ? 100 : 1000;
	ret->kind = SF_DECIMAL;
	ret->decimal = (double)digits_value(whole) + (double)digits_value(digits) / scale;
	return true;
}

/* RFC 9651 4.2.4 */
static bool take_number(struct parser *p, struct sf_item *ret)
{
	bool negative = take_char(p, '-');
	struct slice whole = take_run(p, is_digit);
	if (whole.len < 1 || whole.len > 15)
		return false;
	*ret = (struct sf_item){ .kind = SF_INTEGER, .integer = digits_value(whole) };
	if (take_char(p, '.') && !take_fraction(p, whole, ret))
		return false;
	if (negative) {
		ret->integer = -ret->integer;
		ret->decimal = -ret->decimal;
	}
	return true;
}

/* Copies a string without its escapes. */
static bool unescape(struct arena *arena, struct slice raw, struct slice *ret_text)
{
	char *to = arena_bytes(arena, raw.len);
	size_t len = 0;
	if (!to)
		return false;
	for (size_t i = 0; i < raw.len; i++) {
		i += raw.at[i] == '\\';
		to[len++] = raw.at[i];
	}
	*ret_text = slice_of(to, len);
	return true;
}

/* RFC 9651 4.2.5 */
static bool take_string(struct parser *p, struct sf_item *ret)
{
	bool escaped = false;
	ret->kind = SF_STRING;
	take_char(p, '"');
	for (size_t i = 0; i < p->text.len; i++) {
		char c = p->text.at[i];
		if (c == '"') {
			ret->text = slice_first(p->text, i);
			p->text = slice_from(p->text, i + 1);
			return !escaped || unescape(p->arena, ret->text, &ret->text);
		}
		if (c == '\\') {
			char quoted = ++i < p->text.len ? p->text.at[i] : '\0';
			if (quoted != '"' && quoted != '\\')
				return false;
			escaped = true;
		} else if (c < 0x20 || c > 0x7e) {
			return false;
		}
	}
	return false;
}

static bool is_token_byte(char c)
{
	return is_tchar(c) || c == ':' || c == '/';
}

/* RFC 9651 4.2.6 */
static bool take_token(struct parser *p, struct sf_item *ret)
{
	ret->kind = SF_TOKEN;
	ret->text = take_run(p, is_token_byte);
	return true;
}

static bool is_base64(char c)
{
	return is_alpha(c) || is_digit(c) || c == '+' || c == '/' || c == '=';
}

/* RFC 9651 4.2.7. Padding may be missing; a '=' may only pad. */
static bool take_bytes(struct parser *p, struct sf_item *ret)
{
	take_char(p, ':');
	*ret = (struct sf_item){ .kind = SF_BYTES, .text = take_run(p, is_base64) };
	size_t pad = slice_find(ret->text, '=');
	struct slice padding = slice_from(ret->text, pad);
	bool padded = padding.len == 0 ||
	    (ret->text.len % 4 == 0 && padding.len <= 2 && padding.at[padding.len - 1] == '=');
	return padded && pad % 4 != 1 && take_char(p, ':');
}

/* RFC 9651 4.2.8 */
static bool take_boolean(struct parser *p, struct sf_item *ret)
{
	take_char(p, '?');
	*ret = (struct sf_item){ .kind = SF_BOOLEAN, .integer = next(p) == '1' };
	return take_char(p, '1') || take_char(p, '0');
}

/* RFC 9651 4.2.9 */
static bool take_date(struct parser *p, struct sf_item *ret)
{
	take_char(p, '@');
	bool whole = take_number(p, ret) && ret->kind == SF_INTEGER;
	ret->kind = SF_DATE;
	return whole;
}

static int hex_value(char c)
{
	return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Whether the bytes are UTF-8: no overlong form, no surrogate, nothing past U+10FFFF. */
static bool is_utf8(struct slice s)
{
	for (size_t i = 0; i < s.len;) {
		const unsigned char *at = (const unsigned char *)s.at + i;
		size_t len = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
		uint32_t point = at[0] & (len == 1 ? 0x7fU : 0xffU >> (len + 1));
		if (i + len > s.len || (at[0] >= 0x80 && at[0] < 0xc2) || at[0] > 0xf4)
			return false;
		for (size_t j = 1; j < len; j++) {
			if ((at[j] & 0xc0) != 0x80)
				return false;
			point = point << 6 | (at[j] & 0x3f);
		}
		if ((len == 3 && (point < 0x800 || (point >= 0xd800 && point < 0xe000))) ||
		    (len == 4 && (point < 0x10000 || point > 0x10ffff)))
			return false;
		i += len;
	}
	return true;
}

/* Takes one byte of a display string, which may be coded as "%" and two lower-case hex digits. */
static bool take_display_byte(struct parser *p, char *ret_byte)
{
	char c = next(p);
	p->text = slice_from(p->text, 1);
	*ret_byte = c;
	if (c != '%')
		return c >= 0x20 && c <= 0x7e;
	int high = p->text.len >= 2 ? hex_value(p->text.at[0]) : -1;
	int low = high >= 0 ? hex_value(p->text.at[1]) : -1;
	if (low < 0)
		return false;
	*ret_byte = (char)(high << 4 | low);
	p->text = slice_from(p->text, 2);
	return true;
}

/* RFC 9651 4.2.10 */
static bool take_display(struct parser *p, struct sf_item *ret)
{
	char *to = arena_bytes(p->arena, p->text.len);
	size_t len = 0;
	take_char(p, '%');
	if (!to || !take_char(p, '"'))
		return false;
	while (!take_char(p, '"')) {
		if (p->text.len == 0 || !take_display_byte(p, &to[len++]))
			return false;
	}
	*ret = (struct sf_item){ .kind = SF_DISPLAY, .text = slice_of(to, len) };
	return is_utf8(ret->text);
}

/* RFC 9651 4.2.3.1 */
static bool take_bare_item(struct parser *p, struct sf_item *ret)
{
	char c = next(p);
	*ret = (struct sf_item){ .kind = SF_BOOLEAN };
	if (c == '-' || is_digit(c))
		return take_number(p, ret);
	if (c == '*' || is_alpha(c))
		return take_token(p, ret);
	switch (c) {
	case '"': return take_string(p, ret);
	case ':': return take_bytes(p, ret);
	case '?': return take_boolean(p, ret);
	case '@': return take_date(p, ret);
	case '%': return take_display(p, ret);
	default: return false;
	}
}

/* ---- what holds items ---- */

/* RFC 9651 4.2.3.2. No parameter means anything to us: they are checked and dropped. */
static bool take_parameters(struct parser *p)
{
	while (take_char(p, ';')) {
		struct slice key;
		struct sf_item value;
		skip_spaces(p);
		if (!take_key(p, &key) || (take_char(p, '=') && !take_bare_item(p, &value)))
			return false;
	}
	return true;
}

/* RFC 9651 4.2.1.2. The items are checked and dropped. */
static bool take_inner_list(struct parser *p, struct sf_item *ret)
{
	take_char(p, '(');
	*ret = (struct sf_item){ .kind = SF_INNER_LIST };
	for (;;) {
		struct sf_item item;
		skip_spaces(p);
		if (take_char(p, ')'))
			return take_parameters(p);
		if (!take_bare_item(p, &item) || !take_parameters(p))
			return false;
		if (next(p) != ' ' && next(p) != ')')
			return false;
	}
}

/* A member's value, its parameters behind it; a key alone is true. */
static bool take_value(struct parser *p, struct sf_item *ret)
{
	*ret = (struct sf_item){ .kind = SF_BOOLEAN, .integer = 1 };
	if (!take_char(p, '='))
		return take_parameters(p);
	if (next(p) == '(')
		return take_inner_list(p, ret);
	return take_bare_item(p, ret) && take_parameters(p);
}

static struct sf_member *find(const struct sf_dictionary *d, struct slice key)
{
	for (uint32_t i = 0; i < d->count; i++)
		if (slice_eq(d->at[i].key, key))
			return &d->at[i];
	return NULL;
}

/* The array with room for one more. NULL when the arena is full. */
static void *room_for(struct arena *arena, void *at, uint32_t count, size_t bytes)
{
	enum { FIRST_CAP = 8 };
	/* The room doubles whenever the count reaches a power of two. */
	if (count > 0 && (count < FIRST_CAP || (count & (count - 1)) != 0))
		return at;
	void *wider = arena_alloc(arena, (count ? 2 * (size_t)count : FIRST_CAP) * bytes);
	if (wider && count)
		memcpy(wider, at, count * bytes);
	return wider;
}

/* The member of that key, made when it is new. NULL when the arena is full. */
static struct sf_member *member_of(struct sf_dictionary *d, struct arena *arena, struct slice key)
{
	struct sf_member *old = find(d, key);
	if (old)
		return old;
	struct sf_member *at = room_for(arena, d->at, d->count, sizeof(*at));
	if (!at)
		return NULL;
	d->at = at;
	struct sf_member *new = &d->at[d->count++];
	new->key = key;
	return new;
}

static bool take_member(struct parser *p, struct sf_dictionary *d)
{
	struct slice key;
	if (!take_key(p, &key))
		return false;
	struct sf_member *member = member_of(d, p->arena, key);
	return member && take_value(p, &member->value);
}

/* Takes what is between two members, or nothing at the end. */
static bool take_comma(struct parser *p)
{
	slice_skip_ows(&p->text);
	if (p->text.len == 0)
		return true;
	if (!take_char(p, ','))
		return false;
	slice_skip_ows(&p->text);
	return p->text.len > 0; /* RFC 9651 4.2.1, 4.2.2: a comma must not be the last */
}

bool sf_parse_dictionary(struct slice text, struct arena *arena, struct sf_dictionary *ret)
{
	struct parser p = { text, arena };
	struct sf_dictionary d = { .count = 0 };
	skip_spaces(&p);
	while (p.text.len > 0)
		if (!take_member(&p, &d) || !take_comma(&p))
			return false;
	*ret = d;
	return true;
}

/* RFC 9651 4.2.1.1 */
static bool take_list_member(struct parser *p, struct sf_list *list)
{
	struct sf_item *at = room_for(p->arena, list->at, list->count, sizeof(*at));
	if (!at)
		return false;
	list->at = at;
	struct sf_item *new = &list->at[list->count++];
	if (next(p) == '(')
		return take_inner_list(p, new);
	return take_bare_item(p, new) && take_parameters(p);
}

bool sf_parse_list(struct slice text, struct arena *arena, struct sf_list *ret)
{
	struct parser p = { text, arena };
	struct sf_list list = { .count = 0 };
	skip_spaces(&p);
	while (p.text.len > 0)
		if (!take_list_member(&p, &list) || !take_comma(&p))
			return false;
	*ret = list;
	return true;
}

const struct sf_item *sf_get(const struct sf_dictionary *d, struct slice key)
{
	const struct sf_member *member = find(d, key);
	return member ? &member->value : NULL;
}
