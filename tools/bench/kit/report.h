/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a benchmark found: figures, each with the bar it must stay under or reach, if there is one,
 * as a table for people or as JSON. The first lines say which machine, versions and day.
 */
#pragma once

#include "edge/base/buf.h"

enum bar { BAR_NONE, BAR_MOST, BAR_LEAST };

struct figure {
	char name[96];
	double value;
	const char *unit; /* static */
	enum bar bar;
	double limit;
};

enum { REPORT_FIGURES = 128 };

struct report {
	const char *bench; /* static */
	bool is_json;
	size_t count;
	struct figure figures[REPORT_FIGURES];
	char about[1024];  /* the options of this run */
	struct buf series; /* JSON: more members of the object, each with a comma before */
};

void report_init(struct report *, const char *bench);
void report_fini(struct report *);
/* Adds a figure without a bar. */
void report_figure(struct report *, double value, const char *unit, const char *name, ...)
    PRINTF_LIKE(4, 5);
/* Gives the last figure a bar. */
void report_bar(struct report *, enum bar, double limit);
void report_print(const struct report *);
