/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/health.h"

#include "edge/base/log.h"

static const struct {
	const char *failed, *well;
} lines[HEALTH_LANES] = {
	[HEALTH_OPEN] = { "off: it cannot be opened; serving from RAM and the origin",
	    "it is open" },
	[HEALTH_READS] = { "off: reading failed; serving from RAM and the origin",
	    "reading works again" },
	[HEALTH_WRITES] = { "read-only: writing failed; nothing new is stored",
	    "writing works again" },
};

bool health_is_well(const struct health *h, enum health_lane lane)
{
	return atomic_load_explicit(&h->retry_at_us[lane], memory_order_relaxed) == 0;
}

bool health_may(const struct health *h, enum health_lane lane)
{
	int64_t at = atomic_load_explicit(&h->retry_at_us[lane], memory_order_relaxed);
	return at == 0 || mono_now().us >= at;
}

enum trouble health_trouble(const struct health *h, enum health_lane lane)
{
	return atomic_load_explicit(&h->trouble[lane], memory_order_relaxed);
}

/* What fails again soon after it was well is given longer: it, and the log, shall be quiet. */
static int64_t next_pause_ms(struct health *h, enum health_lane lane, struct mono now)
{
	bool was_calm = health_is_well(h, lane) &&
	    mono_ms_since(h->well_at[lane], now) >= HEALTH_CALM_MS;
	if (was_calm || h->pause_ms[lane] == 0)
		h->pause_ms[lane] = HEALTH_RETRY_MS;
	int64_t pause = h->pause_ms[lane];
	h->pause_ms[lane] = pause * 2 < HEALTH_RETRY_MOST_MS ? pause * 2 : HEALTH_RETRY_MOST_MS;
	return pause;
}

static void set(struct health *h, enum health_lane lane, enum trouble trouble, int64_t retry_at_us)
{
	atomic_store_explicit(&h->trouble[lane], trouble, memory_order_relaxed);
	atomic_store_explicit(&h->retry_at_us[lane], retry_at_us, memory_order_relaxed);
}

void health_tell(struct health *h, enum health_lane lane, enum trouble trouble, const char *words)
{
	bool was_well = health_is_well(h, lane);
	if (!trouble && was_well)
		return;
	struct mono now = mono_now();
	bool is_new = trouble != health_trouble(h, lane);
	if (trouble) {
		/* Several who fail at once are one failure. */
		if (was_well || is_new || now.us >= h->retry_at_us[lane])
			set(h, lane, trouble, now.us + next_pause_ms(h, lane, now) * 1000);
		if (is_new)
			log_error("store: %s, trying again (%s: %s); to do: %s", lines[lane].failed,
			    trouble_word(trouble), words, trouble_advice(trouble));
		return;
	}
	h->well_at[lane] = now;
	set(h, lane, TROUBLE_NONE, 0);
	log_info("store: %s", lines[lane].well);
}
