/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One event loop and its thread: libev inside, plus what every loop of ours needs: a mailbox, the
 * deadlines of everything that waits, and clocks read once per round. A loop shares nothing with
 * another but through mail.
 */
#pragma once

#include <ev.h>

#include "edge/base/clock.h"
#include "edge/base/err.h"
#include "edge/loop/deadline.h"
#include "edge/loop/mail.h"

typedef void loop_start_f(struct loop *, void *arg);

struct loop {
	/* fixed after init */
	struct ev_loop *ev;
	unsigned index; /* 0.. of the workers; the control loop has its own */
	const char *name;
	void *owner; /* who runs on this loop, for its callbacks */
	/* any thread */
	struct mail *_Atomic inbox; /* newest first */
	struct ev_async bell;
	/* home loop */
	struct ev_prepare before_sleep;
	struct bell *later; /* rung before it sleeps; NULL = none */
	struct deadlines deadlines;
	struct mono now;    /* of this round */
	struct wall wall;   /* of this round */
	int64_t date_s;     /* the second that date_text shows */
	char date_text[29]; /* Date field's value of this second */
	pthread_t thread;
};

/* Makes a loop that is not running yet. own: loop_fini. fail: ERR_SYSTEM. */
enum err loop_init(struct loop *, const char *name, unsigned index, void *owner);
void loop_fini(struct loop *);

/* Starts the loop's thread; `start` runs first on it. fail: ERR_SYSTEM. */
enum err loop_spawn(struct loop *, loop_start_f *start, void *arg);
/* Runs the loop on the calling thread until loop_stop. */
void loop_run(struct loop *);
/* Ends the loop's run after the current callback. thread: its own. */
void loop_stop(struct loop *) ON_LOOP;
void loop_join(struct loop *);

/* The loop whose thread this is; NULL on other threads. */
struct loop *loop_current(void);
/* Rings a bell once, when this round is over: for what is not worth waking a thread for each
 * time. */
void loop_ring_later(struct loop *, struct bell *) ON_LOOP;
/* The Date field's value now. Borrowed until the loop's next round. */
const char *loop_date(struct loop *) ON_LOOP;
/* Reads both clocks again: after work that took long within one round. */
void loop_touch(struct loop *) ON_LOOP;
