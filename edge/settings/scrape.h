/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the scraper is told of the server's parts, and what admin shows of the store beside the
 * metrics.
 */
#pragma once

#include "edge/admin/metrics.h"
#include "edge/serve/worker.h"
#include "edge/settings/settings.h"

void scrape_worker(struct metrics *, const struct worker *);
void scrape_cache(struct metrics *, struct cache *);
/* Adds the tenants that are new. known: how many are added already; 1 at first, for nobody's. */
void scrape_shares(struct metrics *, const struct cache *, unsigned *known);
/*
 * Appends how the store does, as a JSON object: {"state":"ok","why":null,"path":"/var/...",
 * "size_bytes":,"hot_size_bytes":,"admission":"second-sighting"}. why: cold_why.
 * Without a path the state is "none".
 */
void scrape_show_store(struct buf *, const struct store_settings *, const struct cache *);
