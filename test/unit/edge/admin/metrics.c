/* SPDX-License-Identifier: Apache-2.0 */
/* The text is checked line by line, and whole by promtool where it is installed. */
#include "edge/admin/metrics.c"

#include <CUnit/Basic.h>
#include <jansson.h>

#include "cache/tier/cold.h"
#include "cache/tier/hot.h"
#include "edge/origin/origin.h"
#include "edge/serve/worker.h"

/* clang-format off */
#define SHOP_METERS(X) \
	X(sold, COUNTER, "shop_sold_total", "what=\"bread\"", "Things sold.") \
	X(open, GAUGE, "shop_open", "", "Shops that are open.")
#define STALL_METERS(X) \
	X(sold, COUNTER, "shop_sold_total", "what=\"fish\"", "Things sold.")
/* clang-format on */
struct shop {
	METER_FIELDS(SHOP_METERS)
};
struct stall {
	METER_FIELDS(STALL_METERS)
};

#undef METER_STRUCT
#define METER_STRUCT struct shop
static const struct meter_desc shop_descs[] = METER_DESCS(SHOP_METERS);
static const struct meter_table shop_table = { shop_descs, COUNT_OF(shop_descs) };
#undef METER_STRUCT
#define METER_STRUCT struct stall
static const struct meter_desc stall_descs[] = METER_DESCS(STALL_METERS);
static const struct meter_table stall_table = { stall_descs, COUNT_OF(stall_descs) };

static void label_cell(struct buf *to, size_t index)
{
	buf_addf(to, "row=\"%zu\",column=\"%zu\"", index / 2, index % 2);
}
static const struct metrics_array grid = {
	.name = "grid_total",
	.help = "A grid.",
	.kind = METER_COUNTER,
	.count = 4,
	.is_sparse = true,
	.label = label_cell,
};

/* Two loops, each with a shop; a stall; a grid; a histogram on each loop. */
struct town {
	struct metrics metrics;
	struct shop shops[2];
	struct stall stall;
	meter cells[2][4];
	struct histogram waits[2];
	struct buf text;
};

static void town_init(struct town *t)
{
	*t = (struct town){ 0 };
	metrics_init(&t->metrics, "1.0-test");
	buf_init(&t->text, 0);
	metrics_add_table(&t->metrics, &shop_table, &t->shops[0], "");
	metrics_add_table(&t->metrics, &stall_table, &t->stall, "town=\"b\"");
	metrics_add_table(&t->metrics, &shop_table, &t->shops[1], "");
	for (size_t i = 0; i < 2; i++) {
		metrics_add_array(&t->metrics, &grid, t->cells[i], "");
		metrics_add_histogram(
		    &t->metrics, "shop_wait_seconds", "Waiting.", &t->waits[i], "queue=\"till\"");
	}
}

static void town_fini(struct town *t)
{
	buf_fini(&t->text);
	metrics_fini(&t->metrics);
}

static bool has(const struct buf *text, const char *part)
{
	return slice_find_slice(buf_slice(text), slice_str(part)) < text->len;
}

static void test_text(void)
{
	struct town t;
	town_init(&t);
	meter_add(&t.shops[0].sold, 3);
	meter_add(&t.shops[1].sold, 4);
	meter_add(&t.shops[0].open, 1);
	meter_add(&t.stall.sold, 5);
	metrics_text(&t.metrics, &t.text);
	/* One family, from two tables and three structs. */
	CU_ASSERT(has(&t.text,
	    "# HELP larder_shop_sold_total Things sold.\n"
	    "# TYPE larder_shop_sold_total counter\n"
	    "larder_shop_sold_total{town=\"b\",what=\"fish\"} 5\n"
	    "larder_shop_sold_total{what=\"bread\"} 7\n#"));
	CU_ASSERT(has(&t.text, "# TYPE larder_shop_open gauge\nlarder_shop_open 1\n"));
	CU_ASSERT(has(&t.text, "larder_build_info{version=\"1.0-test\"} 1\n"));
	CU_ASSERT(has(&t.text, "\nlarder_config_last_reload_success 1\n"));
	CU_ASSERT_FALSE(has(&t.text, "larder_process_open_fds 0\n"));
	CU_ASSERT_FALSE(has(&t.text, "larder_process_resident_memory_bytes 0\n"));
	town_fini(&t);
}

static void test_negative_gauge(void)
{
	struct town t;
	town_init(&t);
	meter_sub(&t.shops[0].open, 1);
	metrics_text(&t.metrics, &t.text);
	CU_ASSERT(has(&t.text, "\nlarder_shop_open 0\n"));
	town_fini(&t);
}

static void test_array(void)
{
	struct town t;
	town_init(&t);
	metrics_text(&t.metrics, &t.text);
	CU_ASSERT_FALSE(has(&t.text, "grid"));
	meter_add(&t.cells[0][3], 1);
	meter_add(&t.cells[1][3], 1);
	buf_clear(&t.text);
	metrics_text(&t.metrics, &t.text);
	CU_ASSERT(has(&t.text, "counter\nlarder_grid_total{row=\"1\",column=\"1\"} 2\n#"));
	town_fini(&t);
}

static void test_histogram(void)
{
	struct town t;
	town_init(&t);
	histogram_add(&t.waits[0], 300);
	histogram_add(&t.waits[1], 300);
	histogram_add(&t.waits[1], 11 * 1000 * 1000);
	metrics_text(&t.metrics, &t.text);
	CU_ASSERT(has(&t.text, "shop_wait_seconds_bucket{queue=\"till\",le=\"0.00025\"} 0\n"));
	CU_ASSERT(has(&t.text, "shop_wait_seconds_bucket{queue=\"till\",le=\"0.0005\"} 2\n"));
	CU_ASSERT(has(&t.text, "shop_wait_seconds_bucket{queue=\"till\",le=\"10\"} 2\n"));
	CU_ASSERT(has(&t.text, "shop_wait_seconds_bucket{queue=\"till\",le=\"+Inf\"} 3\n"));
	CU_ASSERT(has(&t.text, "shop_wait_seconds_sum{queue=\"till\"} 11.000600\n"));
	CU_ASSERT(has(&t.text, "shop_wait_seconds_count{queue=\"till\"} 3\n"));
	town_fini(&t);
}

static void test_reload(void)
{
	struct town t;
	town_init(&t);
	metrics_reloaded(&t.metrics, true);
	metrics_reloaded(&t.metrics, false);
	metrics_text(&t.metrics, &t.text);
	CU_ASSERT(has(&t.text, "\nlarder_config_last_reload_success 0\n"));
	CU_ASSERT(has(&t.text, "\nlarder_config_reloads_total{result=\"ok\"} 1\n"));
	CU_ASSERT(has(&t.text, "\nlarder_config_reloads_total{result=\"refused\"} 1\n"));
	town_fini(&t);
}

static json_t *json_of(struct town *t, const struct slice *prefixes, size_t count)
{
	buf_clear(&t->text);
	metrics_json(&t->metrics, prefixes, count, &t->text);
	json_t *all = json_loadb(t->text.at, t->text.len, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(all);
	return all;
}

static void test_json(void)
{
	struct town t;
	town_init(&t);
	meter_add(&t.stall.sold, 9);
	histogram_add(&t.waits[0], 300);
	struct slice prefixes[] = { SL("larder_shop_sold"), SL("shop_w") };
	json_t *all = json_of(&t, prefixes, COUNT_OF(prefixes));
	json_t *list = json_object_get(all, "series");
	CU_ASSERT_EQUAL_FATAL(json_array_size(list), 3);
	const char *name = NULL, *what = NULL, *town = NULL, *kind = NULL;
	int value = 0, count = 0;
	double p99 = 0;
	CU_ASSERT_EQUAL(
	    json_unpack(json_array_get(list, 0), "{s:s,s:{s:s,s:s},s:s,s:i}", "name", &name,
		"labels", "town", &town, "what", &what, "kind", &kind, "value", &value),
	    0);
	CU_ASSERT_STRING_EQUAL(name, "shop_sold_total");
	CU_ASSERT_STRING_EQUAL(town, "b");
	CU_ASSERT_STRING_EQUAL(what, "fish");
	CU_ASSERT_STRING_EQUAL(kind, "counter");
	CU_ASSERT_EQUAL(value, 9);
	json_t *last = json_array_get(list, 2);
	CU_ASSERT_EQUAL(json_unpack(last, "{s:i,s:f}", "count", &count, "p99", &p99), 0);
	CU_ASSERT_EQUAL(count, 1);
	CU_ASSERT(p99 > .00025 && p99 <= .0005);
	json_decref(all);
	all = json_of(&t, NULL, 0);
	CU_ASSERT(json_array_size(json_object_get(all, "series")) > 10);
	json_decref(all);
	town_fini(&t);
}

/* Gauges that come and go are set anew, each time all of them. */
static void test_passing(void)
{
	static const struct metrics_sample some[] = { { SL("name=\"a\""), 7 },
		{ SL("name=\"b\""), 8 } };
	struct slice prefix = SL("larder_ends");
	struct town t;
	town_init(&t);
	metrics_set_passing(&t.metrics, "ends_seconds", "When.", some, 2);
	metrics_set_passing(&t.metrics, "ends_seconds", "When.", &some[1], 1);
	metrics_text(&t.metrics, &t.text);
	buf_add_char(&t.text, '\0');
	CU_ASSERT_PTR_NOT_NULL(strstr(t.text.at,
	    "# HELP larder_ends_seconds When.\n# TYPE larder_ends_seconds gauge\n"
	    "larder_ends_seconds{name=\"b\"} 8\n"));
	CU_ASSERT_PTR_NULL(strstr(t.text.at, "name=\"a\""));
	json_t *all = json_of(&t, &prefix, 1);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(all, "series")), 1);
	json_decref(all);
	metrics_set_passing(&t.metrics, "ends_seconds", "When.", NULL, 0);
	buf_clear(&t.text);
	metrics_text(&t.metrics, &t.text);
	CU_ASSERT_EQUAL(slice_find_slice(buf_slice(&t.text), SL("ends_seconds")), t.text.len);
	town_fini(&t);
}

/* Everything the house counts, as promtool sees it: syntax, units, suffixes, help. */
static void test_promtool(void)
{
	static struct wire_meters wire;
	static struct origin_meters origin;
	static struct hot_meters hot;
	static struct cold_meters cold;
	static struct access_meters access;
	static struct serve_meters serve;
	struct town t;
	if (system("command -v promtool >/dev/null") != 0)
		return;
	town_init(&t);
	metrics_add_table(&t.metrics, &wire_meter_table, &wire, "");
	metrics_add_table(&t.metrics, &origin_meter_table, &origin, "");
	metrics_add_table(&t.metrics, &hot_meter_table, &hot, "");
	metrics_add_table(&t.metrics, &cold_meter_table, &cold, "");
	metrics_add_table(&t.metrics, &access_meter_table, &access, "");
	metrics_add_table(&t.metrics, &serve_meter_table, &serve, "");
	meter_add(&t.cells[0][0], 1);
	metrics_text(&t.metrics, &t.text);
	FILE *promtool = popen("promtool check metrics", "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(promtool);
	fwrite(t.text.at, 1, t.text.len, promtool);
	CU_ASSERT_EQUAL(pclose(promtool), 0);
	town_fini(&t);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "text", test_text },
		{ "a gauge below zero", test_negative_gauge },
		{ "sparse arrays", test_array },
		{ "histograms", test_histogram },
		{ "reloads", test_reload },
		{ "JSON", test_json },
		{ "gauges that come and go", test_passing },
		{ "promtool", test_promtool },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "admin/metrics", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
