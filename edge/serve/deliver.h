/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A delivery takes an object's body to a client: all of it, one range, or several ranges as
 * multipart/byteranges; from an object at rest or one that is still filling, alike. It is the
 * source that a session pulls from.
 */
#pragma once

#include "cache/tier/object.h"
#include "edge/http/range.h"
#include "edge/wire/wire.h"

struct delivery {
	struct source source;
	struct object *object; /* counted, from delivery_begin to delivery_end */
	struct loop *home;
	struct flow_reader reader;
	struct mail wake;  /* there is more; the owner sets deliver */
	struct mail leave; /* this one holds up the fill; the owner sets deliver, or stays */
	bool is_leaving;
	uint64_t skip; /* bytes still to pass over before the next part */
	uint64_t left; /* bytes of the current part; UINT64_MAX = to the end */
	bool is_over;
	bool has_failed;
	/* multipart */
	struct ranges ranges;
	uint32_t next_part;       /* of ranges */
	struct slice text;        /* part head or closing line under way */
	struct slice *part_heads; /* count + 1: the last is the closing line */
};

/*
 * Readies a delivery of the whole body or of ranges. part_heads: NULL unless there are several
 * ranges; lives until delivery_end. False when the body's beginning is gone already.
 */
bool delivery_begin(struct delivery *, struct object *, const struct ranges *,
    struct slice *part_heads, struct loop *home);
/* The letter `leave` came: reads on from the disk, as soon as the session holds nothing; `wake`
 * then comes, for a session that waits. */
void delivery_leave(struct delivery *);
/* Leaves the body. Safe on one that never began. */
void delivery_end(struct delivery *);
