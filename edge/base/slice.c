/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/base/slice.h"

/* tchar as a bitmap over the 128 ASCII bytes (RFC 9110 5.6.2). */
bool is_tchar(char c)
{
	static const uint64_t set[2] = {
		0x03ff6cfa00000000, /* ! # $ % & ' * + - . 0-9 */
		0x57ffffffc7fffffe, /* A-Z ^ _ ` a-z | ~ */
	};
	unsigned char u = (unsigned char)c;
	return u < 128 && (set[u >> 6] >> (u & 63) & 1);
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.at[i]) != ascii_lower(b.at[i]))
			return false;
	return true;
}

bool slice_starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && slice_eq(slice_first(s, prefix.len), prefix);
}

bool slice_starts_nocase(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && slice_eq_nocase(slice_first(s, prefix.len), prefix);
}

bool slice_ends(struct slice s, struct slice suffix)
{
	return s.len >= suffix.len && slice_eq(slice_from(s, s.len - suffix.len), suffix);
}

int slice_cmp(struct slice a, struct slice b)
{
	size_t common = min_size(a.len, b.len);
	int order = common ? memcmp(a.at, b.at, common) : 0;
	if (order != 0)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

size_t slice_find(struct slice s, char c)
{
	const char *hit = s.len ? memchr(s.at, c, s.len) : NULL;
	return hit ? (size_t)(hit - s.at) : s.len;
}

size_t slice_find_slice(struct slice s, struct slice needle)
{
	for (size_t i = 0; i + needle.len <= s.len; i++)
		if (slice_eq(slice_of(s.at + i, needle.len), needle))
			return i;
	return s.len;
}

struct slice slice_trim(struct slice s)
{
	slice_skip_ows(&s);
	while (s.len > 0 && is_ows(s.at[s.len - 1]))
		s.len--;
	return s;
}

bool slice_is_token(struct slice s)
{
	struct slice token = slice_take_token(&s);
	return token.len > 0 && s.len == 0;
}

struct slice slice_take_until(struct slice *s, char c)
{
	size_t end = slice_find(*s, c);
	struct slice taken = slice_first(*s, end);
	*s = slice_from(*s, end < s->len ? end + 1 : end);
	return taken;
}

struct slice slice_take_line(struct slice *s)
{
	struct slice line = slice_take_until(s, '\n');
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

struct slice slice_take_token(struct slice *s)
{
	size_t n = 0;
	while (n < s->len && is_tchar(s->at[n]))
		n++;
	struct slice token = slice_first(*s, n);
	*s = slice_from(*s, n);
	return token;
}

bool slice_take_char(struct slice *s, char c)
{
	if (s->len == 0 || s->at[0] != c)
		return false;
	*s = slice_from(*s, 1);
	return true;
}

void slice_skip_ows(struct slice *s)
{
	while (s->len > 0 && is_ows(s->at[0]))
		*s = slice_from(*s, 1);
}

/* The length of the list's first member: up to a comma that stands in no quoted string. */
static size_t member_len(struct slice list)
{
	bool quoted = false;
	for (size_t i = 0; i < list.len; i++) {
		char c = list.at[i];
		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == ',' && !quoted)
			return i;
	}
	return list.len;
}

bool slice_take_word(struct slice *s, struct slice *ret_word)
{
	size_t len = 0;
	slice_skip_ows(s);
	while (len < s->len && !is_ows(s->at[len]))
		len++;
	*ret_word = slice_first(*s, len);
	*s = slice_from(*s, len);
	return len > 0;
}

bool slice_take_member(struct slice *list, struct slice *ret_member)
{
	while (list->len > 0) {
		size_t len = member_len(*list);
		struct slice member = slice_trim(slice_first(*list, len));
		*list = slice_from(*list, len < list->len ? len + 1 : len);
		if (member.len > 0) {
			*ret_member = member;
			return true;
		}
	}
	return false;
}

bool slice_to_u64(struct slice s, uint64_t *ret_value)
{
	uint64_t value = 0;
	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_digit(s.at[i]) || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(s.at[i] - '0'), &value))
			return false;
	}
	*ret_value = value;
	return true;
}

char *slice_to_str(struct slice s)
{
	char *z = must_alloc(s.len + 1);
	if (s.len)
		memcpy(z, s.at, s.len);
	z[s.len] = '\0';
	return z;
}
