/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of the Accept fields (RFC 9110 12.4.2): what is named, and how much it is wanted. Weights
 * are whole thousandths: "0.5" and "0.50" are one.
 */
#pragma once

#include "edge/base/slice.h"

enum { QUALITY_MAX = 1000 };

struct quality {
	struct slice what; /* the member without its weight, trimmed */
	int weight;        /* 0 (refused) .. QUALITY_MAX; QUALITY_MAX when there is none */
};

/*
 * Takes the next member of an Accept field's list. A malformed weight is left in `what`, as a
 * parameter that nothing equals. False at the end.
 */
bool quality_take(struct slice *list, struct quality *ret);
