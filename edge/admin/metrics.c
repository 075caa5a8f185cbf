/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/admin/metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include "edge/base/memory.h"
#include "edge/loop/flow.h"

#define PREFIX "larder_"

enum kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM };
static const char *const kind_names[] = { "counter", "gauge", "histogram" };

/* One loop's share of a series. */
struct part {
	const struct part *next;
	const meter *meter;
	const struct histogram *histogram; /* of KIND_HISTOGRAM, in place of the meter */
};

struct metrics_series {
	const char *name, *help;
	struct slice labels; /* in the arena */
	enum kind kind;
	bool is_sparse;
	const struct part *parts;
};

// clang-format off
#define METER_STRUCT struct process_meters
static const struct meter_desc process_descs[] = METER_DESCS(PROCESS_METERS);
// clang-format on
static const struct meter_table process_table = { process_descs, COUNT_OF(process_descs) };

/* ---- what there is ---- */

static int order(const struct metrics_series *a, const struct metrics_series *b)
{
	int by_name = strcmp(a->name, b->name);
	return by_name ? by_name : slice_cmp(a->labels, b->labels);
}

/* The index of the series, or where it belongs. */
static size_t find(const struct metrics *m, const struct metrics_series *wanted)
{
	size_t from = 0, to = m->count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (order(&m->series[middle], wanted) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static void insert(struct metrics *m, size_t at, const struct metrics_series *series)
{
	if (m->count == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 128;
		m->series = realloc(m->series, m->cap * sizeof(*m->series));
		must(m->series != NULL);
	}
	memmove(&m->series[at + 1], &m->series[at], (m->count - at) * sizeof(*m->series));
	m->series[at] = *series;
	m->count++;
}

/* Adds a part to a series, which is made when it is new. */
static void add(struct metrics *m, struct metrics_series series, struct part what)
{
	size_t at = find(m, &series);
	if (at == m->count || order(&m->series[at], &series) != 0) {
		series.labels = arena_copy(&m->arena, series.labels);
		insert(m, at, &series);
	}
	must(m->series[at].kind == series.kind);
	struct part *part = arena_alloc(&m->arena, sizeof(*part));
	must(part != NULL);
	*part = what;
	part->next = m->series[at].parts;
	m->series[at].parts = part;
}

static struct slice join_labels(struct buf *text, const char *some, const char *others)
{
	buf_clear(text);
	buf_addf(text, "%s%s%s", some, *some && *others ? "," : "", others);
	return buf_slice(text);
}

static enum kind kind_of(enum meter_kind kind)
{
	return kind == METER_COUNTER ? KIND_COUNTER : KIND_GAUGE;
}

void metrics_add_table(
    struct metrics *m, const struct meter_table *table, const void *meters, const char *labels)
{
	struct buf text;
	buf_init(&text, 0);
	for (size_t i = 0; i < table->count; i++) {
		const struct meter_desc *desc = &table->descs[i];
		struct metrics_series series = {
			.name = desc->name,
			.help = desc->help,
			.labels = join_labels(&text, labels, desc->labels),
			.kind = kind_of(desc->kind),
		};
		const void *at = (const char *)meters + desc->offset;
		add(m, series, (struct part){ .meter = at });
	}
	buf_fini(&text);
}

void metrics_add_array(
    struct metrics *m, const struct metrics_array *array, const meter *first, const char *labels)
{
	struct buf text;
	buf_init(&text, 0);
	for (size_t i = 0; i < array->count; i++) {
		join_labels(&text, labels, "");
		if (*labels)
			buf_add_char(&text, ',');
		array->label(&text, i);
		struct metrics_series series = {
			.name = array->name,
			.help = array->help,
			.labels = buf_slice(&text),
			.kind = kind_of(array->kind),
			.is_sparse = array->is_sparse,
		};
		add(m, series, (struct part){ .meter = &first[i] });
	}
	buf_fini(&text);
}

void metrics_add_histogram(struct metrics *m, const char *name, const char *help,
    const struct histogram *histogram, const char *labels)
{
	struct metrics_series series = {
		.name = name,
		.help = help,
		.labels = slice_str(labels),
		.kind = KIND_HISTOGRAM,
	};
	add(m, series, (struct part){ .histogram = histogram });
}

void metrics_before(struct metrics *m, void (*look)(void *arg), void *arg)
{
	m->look = look;
	m->look_arg = arg;
}

void metrics_set_passing(struct metrics *m, const char *name, const char *help,
    const struct metrics_sample *samples, size_t count)
{
	struct arena *arena = &m->passing_arena;
	arena_reset(arena);
	m->passing_count = count;
	m->passing = arena_alloc(arena, count * sizeof(*m->passing));
	for (size_t i = 0; i < count; i++) {
		struct part *part = arena_alloc(arena, sizeof(*part));
		meter *value = arena_alloc(arena, sizeof(*value));
		must(m->passing && part && value);
		meter_set(value, samples[i].value);
		part->meter = value;
		m->passing[i] = (struct metrics_series){
			.name = name,
			.help = help,
			.labels = arena_copy(arena, samples[i].labels),
			.kind = KIND_GAUGE,
			.parts = part,
		};
	}
}

/* ---- the process ---- */

void metrics_init(struct metrics *m, const char *version)
{
	*m = (struct metrics){ .started = wall_now() };
	arena_init(&m->arena, 64 * MIB);
	arena_init(&m->passing_arena, 64 * MIB);
	metrics_add_table(m, &process_table, &m->process, "");
	meter_set(&m->process.started_s, (uint64_t)(m->started.ms / 1000));
	meter_set(&m->process.reload_s, (uint64_t)(m->started.ms / 1000));
	meter_set(&m->process.reload_ok, 1);
	meter_set(&m->build, 1);
	struct metrics_series build = {
		.name = "build_info",
		.help = "Which Larder this is.",
		.labels = arena_printf(&m->arena, "version=\"%s\"", version),
		.kind = KIND_GAUGE,
	};
	add(m, build, (struct part){ .meter = &m->build });
}

void metrics_fini(struct metrics *m)
{
	free(m->series);
	arena_fini(&m->arena);
	arena_fini(&m->passing_arena);
	*m = (struct metrics){ 0 };
}

void metrics_reloaded(struct metrics *m, bool is_ok)
{
	meter_set(&m->process.reload_ok, is_ok);
	meter_add(is_ok ? &m->process.reloads : &m->process.refused, 1);
	if (is_ok)
		meter_set(&m->process.reload_s, (uint64_t)(wall_now().ms / 1000));
}

static uint64_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t count = 0;
	if (!dir)
		return 0;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 3; /* ".", ".." and the folder itself */
}

static void read_process(struct metrics *m)
{
	struct rlimit fds = { 0 };
	if (m->look)
		m->look(m->look_arg);
	getrlimit(RLIMIT_NOFILE, &fds);
	meter_set(&m->process.uptime_s, (uint64_t)(wall_now().ms - m->started.ms) / 1000);
	meter_set(&m->process.fds, count_fds());
	meter_set(&m->process.max_fds, fds.rlim_cur);
	meter_set(&m->process.resident, memory_resident());
	meter_set(&m->process.flow, flow_bytes_in_memory());
}

/* ---- reading ---- */

static uint64_t sum_meters(const struct metrics_series *series)
{
	uint64_t sum = 0;
	for (const struct part *part = series->parts; part; part = part->next)
		sum += meter_read(part->meter);
	return sum;
}

static struct histogram_sum sum_histograms(const struct metrics_series *series)
{
	struct histogram_sum sum = { 0 };
	for (const struct part *part = series->parts; part; part = part->next)
		histogram_read(part->histogram, &sum);
	return sum;
}

/* A gauge that one thread raises and another lowers may be seen a little below zero. */
static void add_value(struct buf *to, const struct metrics_series *series, uint64_t value)
{
	if (series->kind == KIND_GAUGE && (int64_t)value < 0)
		value = 0;
	buf_add_u64(to, value);
}

static bool is_shown(const struct metrics_series *series)
{
	return !series->is_sparse || sum_meters(series) > 0;
}

/* ---- Prometheus text ---- */

/* "larder_NAME_SUFFIX{LABELS,MORE} ": a sample up to its value. */
static void text_sample(
    struct buf *to, const struct metrics_series *series, const char *suffix, struct slice more)
{
	struct slice labels = series->labels;
	buf_addf(to, PREFIX "%s%s", series->name, suffix);
	if (labels.len || more.len)
		buf_addf(to, "{%.*s%s%.*s}", SLICE_ARG(labels), labels.len && more.len ? "," : "",
		    SLICE_ARG(more));
	buf_add_char(to, ' ');
}

static void text_histogram(struct buf *to, const struct metrics_series *series)
{
	struct histogram_sum sum = sum_histograms(series);
	uint64_t within = 0;
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
		char le[32] = "le=\"+Inf\"";
		if (i < HISTOGRAM_BOUNDS)
			snprintf(le, sizeof(le), "le=\"%g\"", (double)histogram_bounds_us[i] / 1e6);
		within += sum.buckets[i];
		text_sample(to, series, "_bucket", slice_str(le));
		buf_addf(to, "%" PRIu64 "\n", within);
	}
	text_sample(to, series, "_sum", SLICE_NONE);
	buf_addf(to, "%.6f\n", (double)sum.sum_us / 1e6);
	text_sample(to, series, "_count", SLICE_NONE);
	buf_addf(to, "%" PRIu64 "\n", sum.count);
}

static void text_series(struct buf *to, const struct metrics_series *series)
{
	if (series->kind == KIND_HISTOGRAM) {
		text_histogram(to, series);
		return;
	}
	text_sample(to, series, "", SLICE_NONE);
	add_value(to, series, sum_meters(series));
	buf_add_char(to, '\n');
}

static void text_all(struct buf *to, const struct metrics_series *all, size_t count)
{
	const char *name = "";
	for (size_t i = 0; i < count; i++) {
		const struct metrics_series *series = &all[i];
		if (!is_shown(series))
			continue;
		if (strcmp(name, series->name) != 0)
			buf_addf(to, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n",
			    series->name, series->help, series->name, kind_names[series->kind]);
		name = series->name;
		text_series(to, series);
	}
}

void metrics_text(struct metrics *m, struct buf *to)
{
	read_process(m);
	text_all(to, m->series, m->count);
	text_all(to, m->passing, m->passing_count);
}

/* ---- JSON ---- */

/* `a="x",b="y"` as an object. Values are ours: they hold no quote and need no unescaping. */
static void json_labels(struct buf *to, struct slice labels)
{
	const char *comma = "";
	buf_add_char(to, '{');
	while (labels.len) {
		struct slice name = slice_take_until(&labels, '=');
		slice_take_char(&labels, '"');
		struct slice value = slice_take_until(&labels, '"');
		slice_take_char(&labels, ',');
		buf_addf(to, "%s\"%.*s\":", comma, SLICE_ARG(name));
		buf_add_json(to, value);
		comma = ",";
	}
	buf_add_char(to, '}');
}

static void json_histogram(struct buf *to, const struct metrics_series *series)
{
	struct histogram_sum sum = sum_histograms(series);
	buf_addf(
	    to, "\"count\":%" PRIu64 ",\"sum_seconds\":%.6f", sum.count, (double)sum.sum_us / 1e6);
	static const struct {
		const char *name;
		double part;
	} quantiles[] = { { "p50", .5 }, { "p90", .9 }, { "p99", .99 } };
	for (size_t i = 0; i < COUNT_OF(quantiles); i++)
		buf_addf(to, ",\"%s\":%.6f", quantiles[i].name,
		    histogram_quantile(&sum, quantiles[i].part) / 1e6);
}

static void json_series(struct buf *to, const struct metrics_series *series)
{
	buf_addf(to, "{\"name\":\"%s\",\"labels\":", series->name);
	json_labels(to, series->labels);
	buf_addf(to, ",\"kind\":\"%s\",", kind_names[series->kind]);
	if (series->kind == KIND_HISTOGRAM) {
		json_histogram(to, series);
	} else {
		buf_add(to, SL("\"value\":"));
		add_value(to, series, sum_meters(series));
	}
	buf_add_char(to, '}');
}

static bool is_wanted(
    const struct metrics_series *series, const struct slice *prefixes, size_t count)
{
	bool found = count == 0;
	for (size_t i = 0; i < count && !found; i++) {
		struct slice prefix = prefixes[i];
		if (slice_starts(prefix, SL(PREFIX)))
			prefix = slice_from(prefix, strlen(PREFIX));
		found = slice_starts(slice_str(series->name), prefix);
	}
	return found && is_shown(series);
}

void metrics_json(struct metrics *m, const struct slice *prefixes, size_t count, struct buf *to)
{
	const char *comma = "";
	read_process(m);
	buf_add(to, SL("{\"series\":["));
	for (size_t i = 0; i < m->count + m->passing_count; i++) {
		const struct metrics_series *series = i < m->count ? &m->series[i]
								   : &m->passing[i - m->count];
		if (!is_wanted(series, prefixes, count))
			continue;
		buf_addf(to, "%s\n", comma);
		json_series(to, series);
		comma = ",";
	}
	buf_add(to, SL("\n]}\n"));
}
