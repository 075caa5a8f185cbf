/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds a purge until the origin shows what is to be purged for: that every address of the origin
 * that a URL is fetched from has the version that was deployed (edge/origin/probe.h). The origin is
 * asked as the configuration in force has it, over connections of the control loop's own.
 *
 *	hold_begin -> done, once | hold_end at any time
 */
#pragma once

#include "edge/admin/admin.h"
#include "edge/origin/probe.h"
#include "purge/order.h"

struct hold {
	struct site site; /* kept as long as its origin is used; owner NULL = none */
	struct origin *origin;
	struct probe *probe;
	void (*done)(struct hold *, const struct probe_result *);
};

/* own: hold_end, also after a failure. fail: ERR_BAD_TARGET: no URL that is served here, or no path
 * of JSON; ERR_NO_ORIGIN, ERR_NO_MEMORY. */
enum err hold_begin(struct hold *, struct admin *, const struct order_gate *,
    void (*done)(struct hold *, const struct probe_result *)) ON_LOOP;
/* Lets go of everything; also from within done. */
void hold_end(struct hold *) ON_LOOP;
