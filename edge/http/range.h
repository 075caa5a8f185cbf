/* SPDX-License-Identifier: Apache-2.0 */
/* Range requests (RFC 9110 14): which bytes of a complete representation an answer carries. */
#pragma once

#include "edge/base/slice.h"

enum { RANGES_MAX = 16 }; /* more in one request: the whole representation is sent */

struct range {
	uint64_t first, last; /* inclusive */
};

enum range_outcome {
	RANGE_WHOLE,       /* no Range, not bytes, malformed or too many: 200 */
	RANGE_PARTIAL,     /* 206 with ranges[0..count) */
	RANGE_UNSATISFIED, /* 416 */
};

struct ranges {
	struct range at[RANGES_MAX];
	uint32_t count;
};

/*
 * Reads a Range value against a representation of `length` bytes. Ranges are clipped; those that
 * cannot be satisfied are left out; overlapping or adjoining ones are merged, so that an answer is
 * never longer than the representation plus its part heads (RFC 9110 14.2 on abusive sets). They
 * come in ascending order, not in the request's: whoever sends them may be reading from a body that
 * still arrives, and only ever moves on (RFC 9110 15.3.7.2 would like the request's order).
 */
enum range_outcome range_parse(struct slice value, uint64_t length, struct ranges *ret_ranges);
