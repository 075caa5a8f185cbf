/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/loop/mail.h"

#include "edge/loop/loop.h"

void mail_post(struct loop *to, struct mail *m)
{
	if (atomic_exchange_explicit(&m->is_posted, true, memory_order_acq_rel))
		return;
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
