/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slice is a borrowed, read-only run of bytes: a pointer and a length, passed by value, never
 * assumed to end with NUL. Parsers move a slice forward through slice_take_*: bounds are checked
 * here and nowhere else.
 */
#pragma once

#include "edge/base/base.h"

struct slice {
	const char *at;
	size_t len;
};

#define SLICE_NONE ((struct slice){ NULL, 0 })
/* A slice of a string literal. */
#define SL(literal) ((struct slice){ "" literal, sizeof(literal) - 1 })
/* For printf's "%.*s". */
#define SLICE_ARG(s) (int)(s).len, (s).at

static inline struct slice slice_of(const char *at, size_t len)
{
	return (struct slice){ at, len };
}
static inline struct slice slice_str(const char *z)
{
	return (struct slice){ z, z ? strlen(z) : 0 };
}
/* The bytes from `from` on; empty when there are fewer. */
static inline struct slice slice_from(struct slice s, size_t from)
{
	if (from < s.len)
		return slice_of(s.at + from, s.len - from);
	return s.at ? slice_of(s.at + s.len, 0) : s;
}
/* At most the first `len` bytes. */
static inline struct slice slice_first(struct slice s, size_t len)
{
	return slice_of(s.at, len < s.len ? len : s.len);
}
static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}
static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}
static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}
/* Optional white space of HTTP fields: space and tab (RFC 9110 5.6.3). */
static inline bool is_ows(char c)
{
	return c == ' ' || c == '\t';
}
/* tchar, the bytes of a token (RFC 9110 5.6.2). */
bool is_tchar(char c);

bool slice_eq_nocase(struct slice a, struct slice b);
bool slice_starts(struct slice s, struct slice prefix);
bool slice_starts_nocase(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);
/* memcmp order, shorter first when one is a prefix of the other. */
int slice_cmp(struct slice a, struct slice b);
/* The index of the first `c`, or s.len. */
size_t slice_find(struct slice s, char c);
/* The index of the first `needle`, or s.len. */
size_t slice_find_slice(struct slice s, struct slice needle);
/* Without OWS at both ends. */
struct slice slice_trim(struct slice s);
/* A non-empty run of tchar and nothing else. */
bool slice_is_token(struct slice s);

/* Takes the bytes before the first `c` off the front; `c` goes too. No `c`: takes everything. */
struct slice slice_take_until(struct slice *s, char c);
/* Takes one line off the front; its CRLF or LF goes too. */
struct slice slice_take_line(struct slice *s);
/* Takes the longest front run of tchar. */
struct slice slice_take_token(struct slice *s);
/* Takes `c` when it is next. */
bool slice_take_char(struct slice *s, char c);
void slice_skip_ows(struct slice *s);
/* Takes the next of what OWS divides. False at the end. */
bool slice_take_word(struct slice *s, struct slice *ret_word);
/*
 * Takes the next member of a comma-separated list, trimmed; commas in quoted strings do not
 * divide; empty members are passed over (RFC 9110 5.6.1). False at the end.
 */
bool slice_take_member(struct slice *list, struct slice *ret_member);

/* Reads all of `s` as decimal digits. False when it is empty, has another byte or overflows. */
bool slice_to_u64(struct slice s, uint64_t *ret_value);
/* A NUL-terminated heap copy. own: the caller frees. Aborts without memory: start-up only. */
MUST_USE char *slice_to_str(struct slice s);
