/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/range.h"

/* Reads digits; what no 64 bits hold is past every end, so it counts as the largest number. */
static bool read_position(struct slice digits, uint64_t *ret_position)
{
	for (size_t i = 0; i < digits.len; i++)
		if (!is_digit(digits.at[i]))
			return false;
	if (!slice_to_u64(digits, ret_position))
		*ret_position = UINT64_MAX;
	return digits.len > 0;
}

/* One range-spec, not yet held against a length. */
struct spec {
	bool is_suffix; /* the last `last` bytes */
	uint64_t first, last;
};

/* RFC 9110 14.1.2 */
static bool parse_spec(struct slice text, struct spec *ret)
{
	*ret = (struct spec){ .last = UINT64_MAX };
	size_t dash = slice_find(text, '-');
	if (dash == text.len)
		return false;
	struct slice first = slice_first(text, dash), last = slice_from(text, dash + 1);
	ret->is_suffix = first.len == 0;
	if (ret->is_suffix)
		return read_position(last, &ret->last);
	return read_position(first, &ret->first) &&
	    (last.len == 0 || (read_position(last, &ret->last) && ret->first <= ret->last));
}

/* Clips a spec to the representation. False when nothing of it is there. */
static bool clip(struct spec s, uint64_t length, struct range *ret)
{
	if (s.is_suffix)
		*ret = (struct range){ length - min_u64(s.last, length), length - 1 };
	else
		*ret = (struct range){ s.first, min_u64(s.last, length - 1) };
	return s.is_suffix ? s.last > 0 : s.first < length;
}

/* Adds a range in its place; each one that it overlaps or adjoins goes into it. */
static void add(struct ranges *set, struct range new)
{
	uint32_t place = 0;
	for (uint32_t i = 0; i < set->count; i++) {
		struct range old = set->at[i];
		if (old.first <= new.last + 1 && new.first <= old.last + 1) {
			new.first = min_u64(new.first, old.first);
			new.last = max_u64(new.last, old.last);
		} else {
			set->at[place++] = old;
		}
	}
	set->count = place + 1;
	for (; place > 0 && set->at[place - 1].first > new.first; place--)
		set->at[place] = set->at[place - 1];
	set->at[place] = new;
}

enum range_outcome range_parse(struct slice value, uint64_t length, struct ranges *ret_ranges)
{
	struct slice text, list = value;
	uint32_t seen = 0;
	*ret_ranges = (struct ranges){ .count = 0 };
	/* RFC 9110 14.2: another unit, or a malformed set, is as if there were no Range. */
	if (!slice_eq_nocase(slice_take_until(&list, '='), SL("bytes")))
		return RANGE_WHOLE;
	while (slice_take_member(&list, &text)) {
		struct spec spec;
		struct range range;
		if (!parse_spec(text, &spec) || ++seen > RANGES_MAX)
			return RANGE_WHOLE;
		/* A suffix of nothing can be satisfied, but no 206 can say so. */
		if (length == 0 && spec.is_suffix && spec.last > 0)
			return RANGE_WHOLE;
		if (length > 0 && clip(spec, length, &range))
			add(ret_ranges, range);
	}
	if (seen == 0)
		return RANGE_WHOLE;
	return ret_ranges->count > 0 ? RANGE_PARTIAL : RANGE_UNSATISFIED;
}
