/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mail is the only door between threads: a small struct, embedded in what it is about, that is
 * posted to a loop and delivered there by a call on the loop's own thread. Posting takes no lock,
 * never blocks and allocates nothing; a sleeping loop is woken once for any number of letters.
 * Letters of one sender arrive in the order they were posted.
 *
 * A letter is in one mailbox at most. Between post and delivery its memory must stay: who wants to
 * free the thing around it asks mail_is_posted (on the receiving loop) and waits for the delivery.
 */
#pragma once

#include "edge/base/base.h"

struct loop;
struct mail;
typedef void mail_f(struct mail *);

struct mail {
	struct mail *next;
	mail_f *deliver;        /* fixed: runs ON_LOOP on the receiver's thread */
	_Atomic bool is_posted; /* set by mail_post, cleared just before the delivery */
};

static inline void mail_init(struct mail *m, mail_f *deliver)
{
	*m = (struct mail){ .deliver = deliver };
}

/* Posts a letter to a loop. No effect when it is posted already: one delivery serves both.
 * thread: any. */
void mail_post(struct loop *to, struct mail *);

/*
 * Between the two, letters that this thread posts are kept, a few of them, and then posted
 * together: a loop is woken once for what a thread without a loop of its own does in one go. One
 * that is kept counts as posted. thread: its own.
 */
void mail_hold(void);
void mail_release(void);

/* Whether a delivery is still to come. thread: the receiving loop. */
static inline bool mail_is_posted(const struct mail *m)
{
	return atomic_load_explicit(&m->is_posted, memory_order_acquire);
}

/*
 * A bell is for those who wait and have no loop: it is rung on the thread where the thing happened,
 * under that thing's lock. So it only puts something into a queue.
 */
struct bell;
typedef void bell_f(struct bell *);
struct bell {
	bell_f *ring; /* fixed. thread: any; must not block, nor ask the one who rings */
};
