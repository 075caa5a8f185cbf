/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/loop/mail.h"

#include "edge/loop/loop.h"

enum { HELD_MAX = 32 };

/* Letters that this thread keeps back. */
static _Thread_local struct {
	bool is_holding;
	unsigned count;
	struct {
		struct loop *to;
		struct mail *mail;
	} at[HELD_MAX];
} held;

static void put(struct loop *to, struct mail *m)
{
	struct mail *head = atomic_load_explicit(&to->inbox, memory_order_relaxed);
	do {
		m->next = head;
	} while (!atomic_compare_exchange_weak_explicit(
	    &to->inbox, &head, m, memory_order_release, memory_order_relaxed));
	/* The first letter in an empty box rings. A loop's own letters need no bell: it looks into
	 * its box before it sleeps. */
	if (head == NULL && loop_current() != to)
		ev_async_send(to->ev, &to->bell);
}

static void put_held(void)
{
	for (unsigned i = 0; i < held.count; i++)
		put(held.at[i].to, held.at[i].mail);
	held.count = 0;
}

void mail_post(struct loop *to, struct mail *m)
{
	if (atomic_exchange_explicit(&m->is_posted, true, memory_order_acq_rel))
		return;
	if (!held.is_holding) {
		put(to, m);
		return;
	}
	if (held.count == HELD_MAX)
		put_held();
	held.at[held.count].to = to;
	held.at[held.count++].mail = m;
}

void mail_hold(void)
{
	held.is_holding = true;
}

void mail_release(void)
{
	put_held();
	held.is_holding = false;
}
