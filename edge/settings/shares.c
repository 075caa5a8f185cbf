/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/shares.h"

#include "edge/conf/nearest.h"

#define AT(member) offsetof(struct share_options, member)
/* clang-format off */
static const struct conf_field fields[] = {
	{"name", CONF_STRING, AT(name), .example = "shop",
	 .doc = "What routes call it by."},
	{"min", CONF_FRACTION, AT(min), 0, 1000, "0",
	 .doc = "Part of RAM and of the disk that its objects keep whatever others store: 0.2 is a "
		"fifth. Until they fill it, others may use it. On disk, who is most over this loses first."},
	{"max", CONF_FRACTION, AT(max), 0, 1000, "1",
	 .doc = "Part of RAM and of the disk above which its own oldest objects make room."},
};
/* clang-format on */
#undef AT

const struct conf_table share_options_table = {
	.name = "a share",
	.struct_bytes = sizeof(struct share_options),
	.fields = fields,
	.count = COUNT_OF(fields),
};

static const struct share_options *share_at(const struct conf_list *shares, size_t i)
{
	return (const struct share_options *)shares->at + i;
}

static size_t find_share(const struct conf_list *shares, struct slice name)
{
	size_t i = 0;
	while (i < shares->count && !slice_eq(share_at(shares, i)->name, name))
		i++;
	return i;
}

static void check_names(
    struct conf_load *load, const struct conf_list *shares, const struct routes *routes)
{
	const struct route *route = routes->list.at;
	for (size_t i = 0; i < routes->list.count; i++) {
		struct slice name = route[i].share;
		struct nearest near = nearest_to(name);
		if (name.len == 0 || find_share(shares, name) < shares->count)
			continue;
		for (size_t k = 0; k < shares->count; k++)
			nearest_offer(&near, share_at(shares, k)->name);
		conf_problem(load, (struct conf_path){ "routes", i, "share" },
		    near.best.len ? "no share is named \"%.*s\"; did you mean \"%.*s\"?"
				  : "no share is named \"%.*s\"; name one that stands under "
				    "shares%.*s",
		    SLICE_ARG(problem_quote(name)), SLICE_ARG(near.best));
	}
}

void shares_check(
    struct conf_load *load, const struct conf_list *shares, const struct routes *routes)
{
	double sum = 0;
	for (size_t i = 0; i < shares->count; i++) {
		const struct share_options *share = share_at(shares, i);
		sum += share->min;
		if (share->name.len > 0 && find_share(shares, share->name) < i)
			conf_problem(load, (struct conf_path){ "shares", i, "name" },
			    "share \"%.*s\" a second time", SLICE_ARG(problem_quote(share->name)));
		if (share->min > share->max)
			conf_problem(load, (struct conf_path){ "shares", i, "min" },
			    "more than max; what is guaranteed must be allowed");
		if (sum > 1 && sum - share->min <= 1)
			conf_problem(load, (struct conf_path){ "shares", i, "min" },
			    "the guaranteed parts are %.3g of the whole together; 1 is the most",
			    sum);
	}
	check_names(load, shares, routes);
}

void shares_of(const struct conf_list *shares, struct shares *ret)
{
	for (unsigned i = 0; i < TENANTS; i++)
		ret->of[i] = (struct share){ .min = 0, .max = 1 };
	for (size_t i = 0; i < shares->count; i++) {
		const struct share_options *share = share_at(shares, i);
		uint8_t tenant = tenant_of(share->name);
		if (tenant != 0)
			ret->of[tenant] = (struct share){ share->min, share->max };
	}
}

void shares_divide(const struct conf_list *list, struct cache *cache)
{
	struct shares shares;
	shares_of(list, &shares);
	cache_set_shares(cache, &shares);
}
