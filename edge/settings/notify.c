/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/notify.h"

#include <systemd/sd-daemon.h>

#include "edge/base/log.h"

/* Whether a manager listens is its business: what sd_notify answers changes nothing for us. */
static void tell(const char *text)
{
	(void)sd_notify(0, text);
}

void notify_ready(void)
{
	tell("READY=1");
}

void notify_reloading(void)
{
	char text[64];
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64, mono_now().us);
	tell(text);
}

void notify_stopping(void)
{
	tell("STOPPING=1");
}

void notify_status(const char *fmt, ...)
{
	char text[256] = "STATUS=";
	size_t len = strlen(text);
	va_list args;
	va_start(args, fmt);
	vsnprintf(text + len, sizeof(text) - len, fmt, args);
	va_end(args);
	tell(text);
}

/* ---- watchdog ---- */

struct watchdog_probe {
	struct mail ask;
	struct loop *loop;
	_Atomic bool answered; /* set by the loop, cleared by the watchdog */
};

static void on_asked(struct mail *m)
{
	struct watchdog_probe *probe = CONTAINER_OF(m, struct watchdog_probe, ask);
	atomic_store_explicit(&probe->answered, true, memory_order_release);
}

static void ask_all(struct watchdog *w)
{
	for (unsigned i = 0; i < w->count; i++) {
		atomic_store_explicit(&w->probes[i].answered, false, memory_order_relaxed);
		mail_post(w->probes[i].loop, &w->probes[i].ask);
	}
}

/* The first loop that has not answered; NULL when all have. */
static const struct loop *silent_one(struct watchdog *w)
{
	for (unsigned i = 0; i < w->count; i++)
		if (!atomic_load_explicit(&w->probes[i].answered, memory_order_acquire))
			return w->probes[i].loop;
	return NULL;
}

static void on_tick(UNUSED struct ev_loop *ev, struct ev_timer *tick, UNUSED int events)
{
	role_loop();
	struct watchdog *w = CONTAINER_OF(tick, struct watchdog, tick);
	const struct loop *silent = silent_one(w);
	if (silent) {
		log_error("watchdog: loop %s does not answer, the service manager is not told that "
			  "Larder is alive",
		    silent->name);
		return;
	}
	tell("WATCHDOG=1");
	ask_all(w);
}

void watchdog_start(
    struct watchdog *w, struct loop *control, struct loop *const *loops, unsigned count)
{
	uint64_t interval_us = 0;
	*w = (struct watchdog){ .home = control };
	if (sd_watchdog_enabled(0, &interval_us) <= 0)
		return;
	w->count = count;
	w->probes = must_alloc(count * sizeof(*w->probes));
	for (unsigned i = 0; i < count; i++) {
		w->probes[i] = (struct watchdog_probe){ .loop = loops[i] };
		mail_init(&w->probes[i].ask, on_asked);
	}
	ask_all(w);
	double every_s = (double)interval_us / 1e6 / 3;
	ev_timer_init(&w->tick, on_tick, every_s, every_s);
	ev_timer_start(control->ev, &w->tick);
}

void watchdog_stop(struct watchdog *w)
{
	if (w->probes)
		ev_timer_stop(w->home->ev, &w->tick);
}

void watchdog_fini(struct watchdog *w)
{
	free(w->probes);
	w->probes = NULL;
}
