/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/language.h"

#include "edge/http/quality.h"

bool language_is_first_choice(struct slice accept_language, struct slice content_language)
{
	struct quality member, first = { SLICE_NONE, 0 };
	bool is_tie = false;
	while (quality_take(&accept_language, &member)) {
		if (member.weight > first.weight) {
			first = member;
			is_tie = false;
		} else if (member.weight == first.weight) {
			is_tie = true;
		}
	}
	return !is_tie && first.weight > 0 && slice_eq_nocase(first.what, content_language);
}
