/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/loop/deadline.h"

#include "edge/loop/loop.h"

static bool expire_class(struct deadline_class *class, struct mono now)
{
	while (!list_empty(&class->waiting)) {
		struct deadline *first = LIST_OF(class->waiting.next, struct deadline, link);
		if (first->at.us > now.us)
			return true;
		list_drop(&first->link);
		first->expire(first);
	}
	return false;
}

static void on_tick(struct ev_loop *ev, struct ev_timer *tick, UNUSED int events)
{
	role_loop();
	struct loop *loop = ev_userdata(ev);
	struct deadlines *all = &loop->deadlines;
	bool any = false;
	for (unsigned i = 0; i < all->used; i++)
		any |= expire_class(&all->classes[i], loop->now);
	/* A callback may have set a deadline in a class that was passed already: look again. */
	for (unsigned i = 0; i < all->used && !any; i++)
		any = !list_empty(&all->classes[i].waiting);
	if (!any)
		ev_timer_stop(ev, tick);
}

void deadlines_init(struct deadlines *all, struct loop *loop)
{
	*all = (struct deadlines){ .loop = loop };
	const double tick = DEADLINE_TICK_MS / 1000.0;
	ev_timer_init(&all->tick, on_tick, tick, tick);
}

/* The class for a duration; when all are taken, the shortest one that is not too short. */
static struct deadline_class *class_of(struct deadlines *all, int64_t ms)
{
	struct deadline_class *longer = NULL, *longest = NULL;
	for (unsigned i = 0; i < all->used; i++) {
		struct deadline_class *c = &all->classes[i];
		if (c->ms == ms)
			return c;
		if (c->ms > ms && (!longer || c->ms < longer->ms))
			longer = c;
		if (!longest || c->ms > longest->ms)
			longest = c;
	}
	if (all->used == DEADLINE_CLASSES)
		return longer ? longer : longest;
	struct deadline_class *fresh = &all->classes[all->used++];
	fresh->ms = ms;
	list_init(&fresh->waiting);
	return fresh;
}

void deadline_set(struct loop *loop, struct deadline *d, int64_t ms)
{
	list_drop(&d->link);
	if (ms <= 0)
		return;
	struct deadline_class *class = class_of(&loop->deadlines, ms);
	d->at.us = loop->now.us + class->ms * 1000;
	list_append(&class->waiting, &d->link);
	if (!ev_is_active(&loop->deadlines.tick))
		ev_timer_again(loop->ev, &loop->deadlines.tick);
}
