/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/store.h"

#include "tools/ctl/number.h"

enum { BAR_CELLS = 30, LABELS = 2 };
static const double WORTH_A_RATIO = 64. * 1024 *
    1024; /* bytes: before, what waits in RAM is much */

/* ---- series ---- */

struct label {
	const char *name, *value;
};

static bool has_labels(const json_t *series, const struct label *labels)
{
	const json_t *all = json_object_get(series, "labels");
	for (size_t i = 0; i < LABELS && labels[i].name; i++)
		if (strcmp(member(all, labels[i].name), labels[i].value) != 0)
			return false;
	return true;
}

/* The series of that name that has these labels, added up. */
static double sum_of(const json_t *all, const char *name, const struct label *labels)
{
	const json_t *list = json_object_get(json_object_get(all, "metrics"), "series");
	double sum = 0;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *series = json_array_get(list, i);
		if (strcmp(member(series, "name"), name) == 0 && has_labels(series, labels))
			sum += json_number_value(json_object_get(series, "value"));
	}
	return sum;
}

#define SUM(all, name, ...) sum_of(all, name, (const struct label[LABELS]){ __VA_ARGS__ })

static const json_t *histogram_of(const json_t *all, const char *name)
{
	const json_t *list = json_object_get(json_object_get(all, "metrics"), "series");
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(member(json_array_get(list, i), "name"), name) == 0)
			return json_array_get(list, i);
	return NULL;
}

/* ---- words ---- */

struct text {
	char at[TEXT_BYTES];
};

static struct text number(double value, enum unit unit)
{
	struct text text;
	number_print(text.at, value, unit);
	return text;
}
#define COUNT(value) number(value, UNIT_COUNT).at
#define BYTES(value) number(value, UNIT_BYTES).at

static double share(double part, double whole)
{
	return whole > 0 ? part / whole : 0;
}

/* "[######----]": the last cell fills up with what is over, too. */
static struct text bar(double full)
{
	struct text text = { "[" };
	for (int i = 0; i < BAR_CELLS; i++)
		text.at[1 + i] = (double)i + .5 < full * BAR_CELLS ? '#' : '-';
	text.at[1 + BAR_CELLS] = ']';
	return text;
}

/* ---- the screen ---- */

static void show_state(const json_t *store)
{
	static const struct {
		const char *state, *words;
	} rows[] = {
		{ "ok", "reads and writes" },
		{ "read-only", "what is on disk is served, nothing new is written" },
		{ "off", "the disk is not used, RAM and the origin answer" },
		{ "none", "no path is set (store.path): RAM alone" },
	};
	const char *state = member(store, "state"), *words = "";
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (strcmp(state, rows[i].state) == 0)
			words = rows[i].words;
	printf("store      %s: %s\n", state, words);
	if (*member(store, "why"))
		printf("           because %s\n", member(store, "why"));
	if (*member(store, "path"))
		printf("           in %s\n", member(store, "path"));
}

static void show_tier(const json_t *all, const char *title, const char *tier, double budget)
{
	double bytes = SUM(all, "cache_bytes", { "tier", tier });
	printf("%-10s %s %3.0f %%  %s of %s, %s objects\n", title, bar(share(bytes, budget)).at,
	    100 * share(bytes, budget), BYTES(bytes), BYTES(budget),
	    COUNT(SUM(all, "cache_objects", { "tier", tier })));
}

/* From where requests that might be answered from the store were: a load from disk serves one. */
static void show_hits(const json_t *all)
{
	double asked = SUM(all, "cache_results_total", { 0 }) -
	    SUM(all, "cache_results_total", { "result", "pass" }) -
	    SUM(all, "cache_results_total", { "result", "redirect" }) -
	    SUM(all, "cache_results_total", { "result", "error" });
	double stored = SUM(all, "cache_results_total", { "result", "hit" }) +
	    SUM(all, "cache_results_total", { "result", "stale" });
	double disk = SUM(all, "store_reads_total", { "result", "found" });
	disk = disk < stored ? disk : stored;
	printf("answers    %.1f %% from RAM, %.1f %% from disk, %.1f %% by the origin, of %s\n",
	    100 * share(stored - disk, asked), 100 * share(disk, asked),
	    100 * share(asked - stored, asked), COUNT(asked));
}

static void show_evictions(const json_t *all)
{
	printf("evicted    RAM: %s objects never asked for again, %s that were\n",
	    COUNT(SUM(all, "cache_evictions_total", { "tier", "hot" }, { "why", "small" })),
	    COUNT(SUM(all, "cache_evictions_total", { "tier", "hot" }, { "why", "main" })));
	printf("           disk: %s for its size, %s for the metadata's\n",
	    BYTES(SUM(all, "cache_evicted_bytes_total", { "tier", "cold" }, { "why", "size" })),
	    BYTES(
		SUM(all, "cache_evicted_bytes_total", { "tier", "cold" }, { "why", "metadata" })));
}

static double verdicts(const json_t *all, const char *verdict, const char *rule)
{
	return SUM(all, "store_admissions_total", { "verdict", verdict }, { "rule", rule });
}

static void show_admissions(const json_t *all, const json_t *store)
{
	printf("admission  %s: %s taken (%s seen before, %s hit in RAM, %s without question)\n",
	    member(store, "admission"),
	    COUNT(SUM(all, "store_admissions_total", { "verdict", "admitted" })),
	    COUNT(verdicts(all, "admitted", "second-sighting")),
	    COUNT(verdicts(all, "admitted", "hit")), COUNT(verdicts(all, "admitted", "always")));
	printf("           %s refused (%s seen first, %s not hit, %s too large)\n",
	    COUNT(SUM(all, "store_admissions_total", { "verdict", "refused" })),
	    COUNT(verdicts(all, "refused", "second-sighting")),
	    COUNT(verdicts(all, "refused", "hot")), COUNT(verdicts(all, "refused", "size")));
	printf("           %s lost to a full queue, %s to an ill disk\n",
	    COUNT(SUM(all, "store_refused_total", { "why", "queue" })),
	    COUNT(SUM(all, "store_refused_total", { "why", "disk" })));
}

static void show_times(const json_t *all, const char *title, const char *name)
{
	const json_t *h = histogram_of(all, name);
	double count = json_number_value(json_object_get(h, "count"));
	printf("%-10s", title);
	if (count == 0) {
		puts(" none yet");
		return;
	}
	for (size_t i = 0; i < 3; i++) {
		static const char *const parts[] = { "p50", "p90", "p99" };
		struct text took;
		number_print_duration(took.at, json_number_value(json_object_get(h, parts[i])));
		printf(" %s %s,", parts[i], took.at);
	}
	printf(" of %s\n", COUNT(count));
}

static void show_written(const json_t *all, const char *title, const char *what)
{
	double given = SUM(all, "store_given_bytes_total", { "what", what });
	double disk = SUM(all, "store_disk_written_bytes_total", { "what", what });
	printf("%-10s %s: %s given", title, what, BYTES(given));
	if (given >= WORTH_A_RATIO)
		printf(", %s written: %.2f times", BYTES(disk), share(disk, given));
	putchar('\n');
}

static void show_disk(const json_t *all, const json_t *store)
{
	show_admissions(all, store);
	printf("queues     %s reads, %s to be written\n",
	    COUNT(SUM(all, "store_queue_reads", { 0 })),
	    BYTES(SUM(all, "store_queue_bytes", { 0 })));
	show_times(all, "reads", "store_read_seconds");
	show_times(all, "writes", "store_write_seconds");
	show_written(all, "written", "bodies");
	show_written(all, "", "records");
	printf("memory     %s block cache, %s not on disk yet\n",
	    BYTES(SUM(all, "store_memory_bytes", { "what", "block-cache" })),
	    BYTES(SUM(all, "store_memory_bytes", { "what", "memtables" })));
	printf("errors     %s\n", COUNT(SUM(all, "store_errors_total", { 0 })));
}

static void show_store(const struct answer *a)
{
	json_t *all = body_json(a);
	const json_t *store = json_object_get(all, "store");
	bool has_disk = histogram_of(all, "store_read_seconds");
	show_state(store);
	if (has_disk)
		show_tier(
		    all, "disk", "cold", json_number_value(json_object_get(store, "size_bytes")));
	show_tier(all, "RAM", "hot", json_number_value(json_object_get(store, "hot_size_bytes")));
	show_hits(all);
	show_evictions(all);
	if (has_disk)
		show_disk(all, store);
	json_decref(all);
}

enum outcome store_stat(UNUSED char **args, UNUSED int count)
{
	return ask_and_show("GET", "/v1/store", wants_json ? show_body : show_store);
}
