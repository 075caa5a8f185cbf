/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of an answer's head an object keeps, as lines: all but what framing and we ourselves write,
 * and, of one that is stored, what may not be (RFC 9111 3.1).
 */
#pragma once

#include "cache/rule/storable.h"
#include "edge/base/buf.h"

struct keep {
	const struct control *control;
	bool is_stored;    /* else it is for one client */
	bool keeps_length; /* it has no body, and tells of one: to HEAD, a 304 */
	struct slice date; /* now: for an answer that has no Date (RFC 9110 6.6.1) */
};

/* Writes the lines, in place of what is in `lines`; lends them. */
struct slice keep_head(struct buf *lines, const struct fields *, const struct keep *);
/* The stored fields with those of an update (RFC 9111 3.2). One without a Date is of the moment it
 * arrived; the stored Date would let the answer stay as old as it was. False: the arena is full. */
bool keep_merge(struct fields *ret_merged, struct arena *, const struct fields *stored,
    const struct fields *update, struct slice date);
