/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/health.h"

#include "edge/base/log.h"

static const struct {
	const char *failed, *well;
} lines[HEALTH_LANES] = {
	[HEALTH_READS] = { "store: reading failed, %s (%s); serving from RAM alone, trying again",
	    "store: reading works again" },
	[HEALTH_WRITES] = { "store: writing failed, %s (%s); nothing new is stored, trying again",
	    "store: writing works again" },
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

void health_tell(struct health *h, enum health_lane lane, enum err err, const char *why)
{
	if (!err && health_is_well(h, lane))
		return;
	int64_t next = err ? mono_now().us + HEALTH_RETRY_MS * 1000 : 0;
	bool was_well = atomic_exchange_explicit(
			    &h->retry_at_us[lane], next, memory_order_relaxed) == 0;
	if (err && was_well)
		log_error(lines[lane].failed, err_text(err), why);
	else if (!err && !was_well)
		log_info("%s", lines[lane].well);
}
