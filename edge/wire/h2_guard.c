/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/h2_guard.h"

// clang-format off
#define METER_STRUCT struct h2_meters
static const struct meter_desc meter_descs[] = METER_DESCS(H2_METERS);
// clang-format on
const struct meter_table h2_meter_table = { meter_descs, COUNT_OF(meter_descs) };

enum { MINUTE_US = 60 * 1000 * 1000 };

struct bucket {
	int64_t size;     /* tokens */
	int64_t token_us; /* until there is one more */
};

static struct bucket bucket_of(enum h2_abuse kind, uint64_t resets_per_minute)
{
	static const struct bucket buckets[H2_GUARD_KINDS] = {
		[H2_ABUSE_CONTROLS] = { 1000, MINUTE_US / 6000 },
		[H2_ABUSE_UPDATES] = { 2000, MINUTE_US / 12000 },
		[H2_ABUSE_EMPTIES] = { 100, MINUTE_US / 600 },
		[H2_ABUSE_STALLS] = { 16, MINUTE_US / 16 },
	};
	if (kind != H2_ABUSE_RESETS)
		return buckets[kind];
	return (
	    struct bucket){ (int64_t)resets_per_minute, MINUTE_US / (int64_t)resets_per_minute };
}

bool h2_guard_passes(
    struct h2_guard *g, enum h2_abuse kind, uint64_t resets_per_minute, struct mono now)
{
	struct bucket bucket = bucket_of(kind, resets_per_minute);
	int64_t *full_us = &g->full_us[kind];
	if (*full_us < now.us)
		*full_us = now.us;
	*full_us += bucket.token_us;
	return *full_us - now.us <= bucket.size * bucket.token_us;
}

void h2_guard_credit(struct h2_guard *g, enum h2_abuse kind, unsigned tokens)
{
	must(kind != H2_ABUSE_RESETS);
	g->full_us[kind] -= tokens * bucket_of(kind, 1).token_us;
}

void h2_guard_count(struct h2_meters *m, enum h2_abuse why)
{
	meter *const meters[H2_ABUSE_KINDS] = {
		[H2_ABUSE_RESETS] = &m->resets_abuse,
		[H2_ABUSE_CONTROLS] = &m->controls_abuse,
		[H2_ABUSE_UPDATES] = &m->updates_abuse,
		[H2_ABUSE_EMPTIES] = &m->empties_abuse,
		[H2_ABUSE_STALLS] = &m->stalls_abuse,
		[H2_ABUSE_HEAD] = &m->head_abuse,
		[H2_ABUSE_ACKS] = &m->acks_abuse,
	};
	meter_add(meters[why], 1);
}
