/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the service manager is told: started, loading anew, stopping, and that Larder is alive. All
 * of it does nothing when no manager asked for it (NOTIFY_SOCKET, WATCHDOG_USEC).
 *
 * Alive means that every worker turns, not that one timer does: in each interval a letter goes to
 * each loop, and the manager hears of it only when all have been delivered. A loop that hangs gets
 * Larder restarted, after the error log has named it.
 */
#pragma once

#include "edge/base/meter.h"
#include "edge/loop/loop.h"

void notify_ready(void);
/* The configuration is loaded anew; notify_ready ends that, whatever came of it. */
void notify_reloading(void);
void notify_stopping(void);
/* One line that `systemctl status` shows. */
void notify_status(const char *fmt, ...) PRINTF_LIKE(1, 2);

struct watchdog_probe;

struct watchdog {
	/* fixed after start */
	struct loop *home;
	struct watchdog_probe *probes;
	unsigned count;
	/* home loop */
	struct ev_timer tick;
};

/*
 * Asks the loops from now on, three times as often as the manager wants to hear. Does nothing when
 * it does not want to. thread: the control loop. own: watchdog_stop.
 */
void watchdog_start(
    struct watchdog *, struct loop *control, struct loop *const *loops, unsigned count) ON_LOOP;
/* Ends the asking, not what is under way: a letter may still wait in a mailbox. */
void watchdog_stop(struct watchdog *) ON_LOOP;
/* Frees the letters. Only after the loops have ended. */
void watchdog_fini(struct watchdog *);
