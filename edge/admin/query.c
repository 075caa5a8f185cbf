/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/admin/query.h"

/* -1 = no hex digit. */
static int hex_of(char c)
{
	if (is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes one byte off the front, decoded. */
static char take_byte(struct slice *s)
{
	int high = s->len > 2 && s->at[0] == '%' ? hex_of(s->at[1]) : -1;
	int low = high >= 0 ? hex_of(s->at[2]) : -1;
	char c = low >= 0 ? (char)(high * 16 + low) : s->at[0];
	*s = slice_from(*s, low >= 0 ? 3 : 1);
	return c;
}

static struct slice decode(struct slice s, struct arena *arena)
{
	char *to = arena_bytes(arena, s.len);
	size_t len = 0;
	while (to && s.len > 0)
		to[len++] = take_byte(&s);
	return to ? slice_of(to, len) : SLICE_NONE;
}

bool query_take(
    struct slice *query, struct arena *arena, struct slice *ret_name, struct slice *ret_value)
{
	if (query->len == 0)
		return false;
	struct slice pair = slice_take_until(query, '&');
	*ret_name = slice_take_until(&pair, '=');
	*ret_value = decode(pair, arena);
	return ret_value->at;
}

struct slice query_value(struct slice query, struct slice name, struct arena *arena)
{
	while (query.len > 0) {
		struct slice pair = slice_take_until(&query, '&');
		if (slice_eq(slice_take_until(&pair, '='), name))
			return decode(pair, arena);
	}
	return SLICE_NONE;
}

uint64_t query_number(struct slice query, struct slice name, uint64_t max, uint64_t fallback)
{
	uint64_t number;
	while (query.len > 0) {
		struct slice pair = slice_take_until(&query, '&');
		if (slice_eq(slice_take_until(&pair, '='), name))
			return slice_to_u64(pair, &number) && number > 0 && number <= max
			    ? number
			    : fallback;
	}
	return fallback;
}
