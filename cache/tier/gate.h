/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gate keeps what is behind it from being taken away while somebody uses it. Users enter, use and
 * leave, at the cost of two additions on a cache line that is their thread's own; the owner closes
 * the gate, waits until nobody is inside any more, changes what is behind it, and opens it again.
 * A gate begins closed.
 *
 * Who is inside may enter again only if it does not mind being refused. The owner never enters: it
 * would wait for itself.
 */
#pragma once

#include "edge/base/base.h"

enum { GATE_LANES = 32 };

struct gate {
	_Alignas(64) _Atomic bool is_open;
	/* Threads share a lane when there are more of them: slower, as right. */
	struct {
		_Alignas(64) _Atomic uint32_t inside;
	} lanes[GATE_LANES];
};

/* True: the caller is inside until gate_leave, on the same thread. thread: any; never blocks. */
bool gate_enter(struct gate *);
void gate_leave(struct gate *);
/* Enters; while the gate is closed waits for it, so long at most. */
bool gate_wait(struct gate *, int64_t ms) ON_WORKER;

/* Lets users in. thread: the owner's, as the next. */
void gate_open(struct gate *);
/* Lets nobody in any more, and returns once nobody is inside. */
void gate_close(struct gate *);
