/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/scrape.h"

static void result_labels(struct buf *b, size_t index)
{
	struct slice result = result_name((enum result)(index / REASON_COUNT));
	struct slice reason = reason_name((enum reason)(index % REASON_COUNT));
	struct slice clause = reason_clause((enum reason)(index % REASON_COUNT));
	buf_addf(b, "result=\"%.*s\",reason=\"%.*s\",clause=\"%.*s\"", SLICE_ARG(result),
	    SLICE_ARG(reason), SLICE_ARG(clause));
}

static const struct metrics_array results = {
	.name = "cache_results_total",
	.help = "Requests by what became of them, and why.",
	.kind = METER_COUNTER,
	.count = (size_t)RESULT_COUNT * REASON_COUNT,
	.is_sparse = true,
	.label = result_labels,
};

void scrape_worker(struct metrics *m, const struct worker *w)
{
	metrics_add_table(m, &wire_meter_table, &w->front.meters, "");
	metrics_add_table(m, &h2_meter_table, &w->front.h2.meters, "");
	metrics_add_table(m, &serve_meter_table, &w->meters, "");
	metrics_add_table(m, &origin_meter_table, &w->origin_meters, "");
	metrics_add_table(m, &tls_meter_table, &w->tls.meters, "");
	metrics_add_array(m, &results, &w->results[0][0], "");
	metrics_add_histogram(m, "http_request_seconds",
	    "From a request's first byte to the end of its answer.", &w->request_seconds, "");
	metrics_add_histogram(m, "origin_request_seconds",
	    "From a request to the origin to the head of its answer.", &w->origin_seconds, "");
}

/* Tenants come with the settings and never go. */
struct share_meters {
	meter bytes;
};
#define METER_STRUCT struct share_meters
#define SHARE_METERS(X)                                                                            \
	X(bytes, GAUGE, "cache_share_bytes", "", "Bytes of a share's objects in a tier.")
static const struct meter_desc share_descs[] = METER_DESCS(SHARE_METERS);
static const struct meter_table share_table = { share_descs, COUNT_OF(share_descs) };

static void add_share(struct metrics *m, const char *tier, unsigned tenant, const meter *bytes)
{
	struct buf labels;
	buf_init(&labels, 0);
	buf_addf(&labels, "tier=\"%s\",share=", tier);
	buf_add_json(&labels, tenant_name((uint8_t)tenant));
	buf_add_char(&labels, '\0');
	if (!labels.overflow)
		metrics_add_table(m, &share_table, bytes + tenant, labels.at);
	buf_fini(&labels);
}

void scrape_shares(struct metrics *m, const struct cache *cache, unsigned *known)
{
	for (; *known < tenant_count(); ++*known) {
		add_share(m, "hot", *known, hot_tenant_bytes(cache->hot));
		if (cache->cold)
			add_share(m, "cold", *known, cold_tenant_bytes(cache->cold));
	}
}

static void measure(void *arg)
{
	cold_measure(arg);
}

void scrape_cache(struct metrics *m, struct cache *cache)
{
	metrics_add_table(m, &hot_meter_table, hot_meters(cache->hot), "");
	if (!cache->cold)
		return;
	/* static: the scraper keeps it. */
	static struct metrics_array states = {
		.name = "store_state_info",
		.help = "1 for the state that the store is in, and what ails it.",
		.kind = METER_GAUGE,
		.is_sparse = true,
		.label = cold_states_label,
	};
	states.count = cold_states_count();
	metrics_add_table(m, &cold_meter_table, cold_meters(cache->cold), "");
	metrics_add_array(m, &states, cold_states(cache->cold), "");
	metrics_add_histogram(m, "store_read_seconds",
	    "Reads of a record or a chunk, the waiting for a thread not included.",
	    &cold_times(cache->cold)->read, "");
	metrics_add_histogram(m, "store_write_seconds",
	    "Writes of the bodies, or of the records, "
	    "of a group of objects.",
	    &cold_times(cache->cold)->write, "");
	metrics_before(m, measure, cache->cold);
}

/* ---- the store's own words ---- */

static const char *state_name(const struct cache *cache)
{
	return cache->cold ? cold_state_word(cold_state(cache->cold)) : "none";
}

static void add_text(struct buf *to, const char *name, struct slice text)
{
	buf_addf(to, ",\"%s\":", name);
	if (text.len)
		buf_add_json(to, text);
	else
		buf_add(to, SL("null"));
}

void scrape_show_store(
    struct buf *to, const struct store_settings *store, const struct cache *cache)
{
	static const char *const admissions[] = { "always", "second-sighting", "hot" };
	buf_addf(to, "{\"state\":\"%s\"", state_name(cache));
	add_text(to, "why", slice_str(cache->cold ? cold_why(cache->cold) : ""));
	add_text(to, "path", store->path);
	buf_addf(to,
	    ",\"size_bytes\":%" PRIu64 ",\"hot_size_bytes\":%" PRIu64 ",\"admission\":\"%s\"}",
	    store->size_bytes, store->hot_bytes, admissions[store->admission]);
}
