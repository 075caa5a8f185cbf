/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/plan.h"

static void plan_free(struct plan *plan) ON_LOOP
{
	for (size_t i = 0; i < plan->origin_count; i++)
		origin_free(&plan->origins[i]);
	plan->site.drop(plan->site.owner);
	free(plan->origins);
	free(plan);
}

static bool add_origins(struct plan *plan, struct loop *loop, struct origin_meters *meters,
    struct tls_local *local) ON_LOOP
{
	const struct origin_options *options = plan->site.origins->at;
	size_t count = plan->site.origins->count;
	plan->origins = calloc(count ? count : 1, sizeof(*plan->origins));
	if (!plan->origins)
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct site *site = &plan->site;
		struct origin_tls tls = {
			.client = site->origin_tls ? site->origin_tls[i] : NULL,
			.local = local,
		};
		plan->origins[i] = origin_new(loop, &options[i], meters, &tls);
		if (!plan->origins[i])
			return false;
		plan->origin_count++;
	}
	return true;
}

struct plan *plan_new(struct loop *loop, const struct site *site, struct origin_meters *meters,
    struct tls_local *local)
{
	struct plan *plan = malloc(sizeof(*plan));
	if (!plan) {
		site->drop(site->owner);
		return NULL;
	}
	*plan = (struct plan){ .site = *site, .refs = 1 };
	if (add_origins(plan, loop, meters, local))
		return plan;
	plan_free(plan);
	return NULL;
}

struct plan *plan_ref(struct plan *plan)
{
	plan->refs++;
	return plan;
}

void plan_unref(struct plan **plan)
{
	struct plan *p = *plan;
	*plan = NULL;
	if (p && --p->refs == 0)
		plan_free(p);
}
