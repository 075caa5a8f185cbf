/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scraper: what all meters of the process say, as Prometheus text and as JSON.
 *
 * Modules know nothing of it. They declare a table beside the code that counts (edge/base/meter.h);
 * whoever starts the loops tells the scraper where the structs are. Two meters with the same name
 * and labels are one series, and their values are added: that is how loops are summed, and how
 * several tables share a name.
 *
 *	metrics_init -> metrics_add_* for each struct of each loop -> metrics_text, metrics_json
 *
 * Everything is added and read on the control loop. Reading other threads' meters is a relaxed load
 * of each: a scrape may see one counter a moment before another, never a torn one. A series is
 * found when it is added, so a scrape only walks an array that is in the order it is printed in.
 */
#pragma once

#include "edge/base/arena.h"
#include "edge/base/buf.h"
#include "edge/base/clock.h"
#include "edge/base/histogram.h"
#include "edge/base/meter.h"

/*
 * Meters in an array whose index means something, such as [result][reason]. `label` writes the
 * labels of an index (`result="hit",reason="fresh"`). Sparse: cells that never counted are left
 * out, for arrays in which most combinations cannot happen.
 */
struct metrics_array {
	const char *name; /* after the prefix "larder_" */
	const char *help;
	enum meter_kind kind;
	size_t count;
	bool is_sparse;
	void (*label)(struct buf *, size_t index);
};

/* The process itself: these have no loop. */
#define PROCESS_METERS(X)                                                                          \
	X(started_s, GAUGE, "process_start_time_seconds", "", "When Larder started, Unix time.")   \
	X(uptime_s, GAUGE, "process_uptime_seconds", "", "Since Larder started.")                  \
	X(fds, GAUGE, "process_open_fds", "", "Open file descriptors.")                            \
	X(max_fds, GAUGE, "process_max_fds", "", "Most file descriptors that may be open.")        \
	X(resident, GAUGE, "process_resident_memory_bytes", "", "Memory in RAM.")                  \
	X(flow, GAUGE, "flow_bytes", "", "Memory of bodies, kept and on their way.")               \
	X(reload_ok, GAUGE, "config_last_reload_success", "",                                      \
	    "1 if the latest configuration was taken, 0 if it was refused.")                       \
	X(reload_s, GAUGE, "config_last_reload_success_timestamp_seconds", "",                     \
	    "When the configuration in force was taken, Unix time.")                               \
	X(reloads, COUNTER, "config_reloads_total", "result=\"ok\"", "Configurations loaded.")     \
	X(refused, COUNTER, "config_reloads_total", "result=\"refused\"", "Configurations loaded.")
struct process_meters {
	METER_FIELDS(PROCESS_METERS)
};

struct metrics_series;

struct metrics {
	struct arena arena;
	struct metrics_series *series; /* ordered by name, then labels */
	size_t count, cap;
	struct process_meters process;
	struct arena passing_arena; /* of what follows */
	struct metrics_series *passing;
	size_t passing_count;
	void (*look)(void *arg); /* before each reading; may be NULL */
	void *look_arg;
	meter build; /* 1, with the version as its labels */
	struct wall started;
};

/* Makes a scraper that knows the process alone. version: a label of larder_build_info. */
void metrics_init(struct metrics *, const char *version);
void metrics_fini(struct metrics *);

/*
 * Adds what one struct counts. Table, array and meters must outlive the scraper. labels: further
 * ones for each of its series, such as `origin="app"`, or "".
 */
void metrics_add_table(
    struct metrics *, const struct meter_table *, const void *meters, const char *labels);
void metrics_add_array(
    struct metrics *, const struct metrics_array *, const meter *first, const char *labels);
/* name: ends "_seconds". name and help are static. */
void metrics_add_histogram(struct metrics *, const char *name, const char *help,
    const struct histogram *, const char *labels);

/* Has `look` called before each reading: it sets gauges that nobody else keeps. One at a time. */
void metrics_before(struct metrics *, void (*look)(void *arg), void *arg);

/* A gauge among others of its name, with its labels, ordered by them. */
struct metrics_sample {
	struct slice labels; /* `name="shop.example"` */
	uint64_t value;
};
/*
 * Sets the gauges whose labels come and go, such as those of certificates, in place of those that
 * were set before: there is one name for them all. Copies the labels; name and help are static.
 */
void metrics_set_passing(struct metrics *, const char *name, const char *help,
    const struct metrics_sample *, size_t count);

/* Notes how loading a configuration went. */
void metrics_reloaded(struct metrics *, bool is_ok);

/* Writes everything as Prometheus text, version 0.0.4. */
void metrics_text(struct metrics *, struct buf *);
/*
 * Writes the series whose names begin with one of the prefixes ("larder_" need not be said; none =
 * all): {"series":[{"name":,"labels":{},"kind":,"value":}...]}. A histogram has count, sum_seconds,
 * and p50, p90, p99 in seconds instead of a value.
 */
void metrics_json(struct metrics *, const struct slice *prefixes, size_t count, struct buf *);
