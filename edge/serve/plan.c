/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/plan.h"

#include "edge/conf/equal.h"

static void plan_free(struct plan *plan) ON_LOOP
{
	for (size_t i = 0; i < plan->origin_count; i++)
		origin_free(&plan->origins[i]);
	plan->site.drop(plan->site.owner);
	free(plan->origins);
	free(plan);
}

static const struct origin_options *options_at(const struct plan *plan, size_t i)
{
	return (const struct origin_options *)plan->site.origins->at + i;
}

static struct tls_client *client_at(const struct plan *plan, size_t i)
{
	return plan->site.origin_tls ? plan->site.origin_tls[i] : NULL;
}

/* Where the plan in force has the origin of that name; origin_count when it has none. */
static size_t find_origin(const struct plan *before, struct slice name)
{
	size_t i = 0;
	while (before && i < before->origin_count && !slice_eq(options_at(before, i)->name, name))
		i++;
	return i;
}

static struct origin *make_origin(struct plan *plan, size_t i, struct loop *loop,
    struct origin_meters *meters, struct tls_local *local, const struct plan *before) ON_LOOP
{
	const struct origin_options *options = options_at(plan, i);
	struct origin_tls tls = { .client = client_at(plan, i), .local = local };
	size_t at = find_origin(before, options->name);
	struct origin *known = before && at < before->origin_count ? before->origins[at] : NULL;
	bool is_same = known && tls.client == client_at(before, at) &&
	    conf_equal(&origin_options_table, options, options_at(before, at));
	return is_same ? origin_keep(known) : origin_new(loop, options, meters, &tls, known);
}

static bool add_origins(struct plan *plan, struct loop *loop, struct origin_meters *meters,
    struct tls_local *local, const struct plan *before) ON_LOOP
{
	size_t count = plan->site.origins->count;
	plan->origins = calloc(count ? count : 1, sizeof(*plan->origins));
	if (!plan->origins)
		return false;
	for (size_t i = 0; i < count; i++) {
		plan->origins[i] = make_origin(plan, i, loop, meters, local, before);
		if (!plan->origins[i])
			return false;
		plan->origin_count++;
	}
	return true;
}

struct plan *plan_new(struct loop *loop, const struct site *site, struct origin_meters *meters,
    struct tls_local *local, const struct plan *before)
{
	struct plan *plan = malloc(sizeof(*plan));
	if (!plan) {
		site->drop(site->owner);
		return NULL;
	}
	*plan = (struct plan){ .site = *site, .refs = 1 };
	if (add_origins(plan, loop, meters, local, before))
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
