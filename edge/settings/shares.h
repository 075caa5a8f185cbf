/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator says of tenants: names that routes share, with a part of both tiers each. */
#pragma once

#include "cache/cache.h"
#include "cache/tier/tenant.h"
#include "edge/conf/load.h"
#include "edge/route/route.h"

struct share_options {
	struct slice name;
	double min, max; /* parts of a tier */
};

extern const struct conf_table share_options_table;

/* Tells what is wrong with the shares, and with the routes' names of them. shares: a list of struct
 * share_options, the settings' "shares". */
void shares_check(struct conf_load *, const struct conf_list *shares, const struct routes *);
/* All tenants' shares, by number. */
void shares_of(const struct conf_list *shares, struct shares *ret);
/* Gives each tenant of a cache its share. */
void shares_divide(const struct conf_list *shares, struct cache *);
