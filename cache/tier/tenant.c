/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/tenant.h"

#include "edge/base/log.h"

/* Names are set once and never go: who knows a number may read its name without the lock. */
static struct lock lock = { PTHREAD_MUTEX_INITIALIZER };
static char *names[TENANTS];
static _Atomic unsigned count = 1;

static uint8_t find(struct slice name)
{
	for (unsigned i = 1; i < tenant_count(); i++)
		if (slice_eq(slice_str(names[i]), name))
			return (uint8_t)i;
	return 0;
}

static uint8_t add_locked(struct slice name)
{
	static bool is_told;
	unsigned number = tenant_count();
	if (number < TENANTS) {
		names[number] = slice_to_str(name);
		atomic_store_explicit(&count, number + 1, memory_order_release);
		return (uint8_t)number;
	}
	if (!is_told)
		log_warn("shares: %u names since the start are the most; \"%.*s\" and those after "
			 "it have no share of their own before a restart",
		    TENANTS - 1, SLICE_ARG(name));
	is_told = true;
	return 0;
}

uint8_t tenant_of(struct slice name)
{
	if (name.len == 0)
		return 0;
	lock_take(&lock);
	uint8_t number = find(name);
	if (number == 0)
		number = add_locked(name);
	lock_drop(&lock);
	return number;
}

struct slice tenant_name(uint8_t number)
{
	return number > 0 && number < tenant_count() ? slice_str(names[number]) : SLICE_NONE;
}

unsigned tenant_count(void)
{
	return atomic_load_explicit(&count, memory_order_acquire);
}

void share_table_set(struct share_table *t, const struct shares *shares)
{
	for (unsigned i = 0; i < TENANTS; i++) {
		const struct share *share = &shares->of[i];
		atomic_store_explicit(
		    &t->min[i], (uint32_t)(share->min * SHARE_WHOLE), memory_order_relaxed);
		atomic_store_explicit(
		    &t->max[i], (uint32_t)(share->max * SHARE_WHOLE), memory_order_relaxed);
	}
}

void share_table_init(struct share_table *t)
{
	struct shares none;
	for (unsigned i = 0; i < TENANTS; i++)
		none.of[i] = (struct share){ .min = 0, .max = 1 };
	share_table_set(t, &none);
}
