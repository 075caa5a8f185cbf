/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the body of a request to admin, whole, into memory. Embedded in the errand that it is for;
 * the listener's limits bound it in bytes and in time.
 *
 *	intake_start -> done, once; at any time intake_stop
 */
#pragma once

#include "edge/base/buf.h"
#include "edge/wire/wire.h"

struct intake {
	struct buf text;                         /* what came */
	void (*done)(struct intake *, enum err); /* may be called by intake_start */
	struct flow_reader reader;
	struct mail more;
	bool is_open;
};

/* own: intake_stop. A request without a body has an empty one. */
void intake_start(struct intake *, struct stream *, void (*done)(struct intake *, enum err))
    ON_LOOP;
/* Reads no more and frees the text. False: a letter is still on its way, and what the intake is in
 * must stay; `done` is called with ERR_CANCELLED then, when it has come. */
bool intake_stop(struct intake *) ON_LOOP;
