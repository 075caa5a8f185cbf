/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/quality.h"

/* Reads "0", "1", "0.123", "1.000" (RFC 9110 12.4.2) as thousandths. */
static bool read_weight(struct slice text, int *ret_weight)
{
	if (text.len < 1 || text.len > 5 || (text.len > 1 && text.at[1] != '.'))
		return false;
	int weight = 0, scale = QUALITY_MAX;
	for (size_t i = 0; i < text.len; i++) {
		if (i == 1)
			continue;
		if (!is_digit(text.at[i]))
			return false;
		weight += (text.at[i] - '0') * scale;
		scale /= 10;
	}
	if (weight > QUALITY_MAX)
		return false;
	*ret_weight = weight;
	return true;
}

bool quality_take(struct slice *list, struct quality *ret)
{
	struct slice member;
	if (!slice_take_member(list, &member))
		return false;
	*ret = (struct quality){ member, QUALITY_MAX };
	size_t last = member.len; /* the weight is the last parameter */
	while (last > 0 && member.at[last - 1] != ';')
		last--;
	struct slice parameter = slice_trim(slice_from(member, last));
	if (last > 0 && slice_starts_nocase(parameter, SL("q=")) &&
	    read_weight(slice_from(parameter, 2), &ret->weight))
		ret->what = slice_trim(slice_first(member, last - 1));
	return true;
}
