/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/gate.h"

#include <time.h>

enum { NAP_NS = 200000, NAPS_PER_MS = 5 };

static unsigned own_lane(void)
{
	static _Atomic unsigned threads;
	static _Thread_local unsigned lane; /* 0 = not given yet */
	if (unlikely(lane == 0))
		lane = atomic_fetch_add(&threads, 1) % GATE_LANES + 1;
	return lane - 1;
}

static void nap(void)
{
	static const struct timespec span = { .tv_nsec = NAP_NS };
	nanosleep(&span, NULL);
}

/*
 * The user says that it is inside, then looks whether the gate is open; the owner shuts it, then
 * looks who is inside. Both in the one order that all threads agree on (sequentially consistent):
 * so at least one of the two sees the other.
 */
bool gate_enter(struct gate *g)
{
	_Atomic uint32_t *inside = &g->lanes[own_lane()].inside;
	atomic_fetch_add(inside, 1);
	if (likely(atomic_load(&g->is_open)))
		return true;
	atomic_fetch_sub(inside, 1);
	return false;
}

void gate_leave(struct gate *g)
{
	atomic_fetch_sub_explicit(&g->lanes[own_lane()].inside, 1, memory_order_release);
}

bool gate_wait(struct gate *g, int64_t ms)
{
	for (int64_t naps = ms * NAPS_PER_MS; !gate_enter(g); naps--) {
		if (naps <= 0)
			return false;
		nap();
	}
	return true;
}

void gate_open(struct gate *g)
{
	atomic_store(&g->is_open, true);
}

void gate_close(struct gate *g)
{
	atomic_store(&g->is_open, false);
	for (int i = 0; i < GATE_LANES; i++)
		while (atomic_load(&g->lanes[i].inside) != 0)
			nap();
}
