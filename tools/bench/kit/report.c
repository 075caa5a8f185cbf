/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/kit/report.h"

#include <gnu/libc-version.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "tools/bench/kit/spy.h"

void report_init(struct report *r, const char *bench)
{
	*r = (struct report){ .bench = bench };
	buf_init(&r->series, 0);
}

void report_fini(struct report *r)
{
	buf_fini(&r->series);
}

void report_figure(struct report *r, double value, const char *unit, const char *name, ...)
{
	must(r->count < REPORT_FIGURES);
	struct figure *f = &r->figures[r->count++];
	*f = (struct figure){ .value = value, .unit = unit };
	va_list args;
	va_start(args, name);
	vsnprintf(f->name, sizeof(f->name), name, args);
	va_end(args);
}

void report_bar(struct report *r, enum bar bar, double limit)
{
	must(r->count > 0);
	r->figures[r->count - 1].bar = bar;
	r->figures[r->count - 1].limit = limit;
}

static bool is_met(const struct figure *f)
{
	return f->bar == BAR_MOST ? f->value <= f->limit : f->value >= f->limit;
}

/* ---- the machine ---- */

static void add_processor(struct buf *to)
{
	char line[256];
	FILE *file = fopen("/proc/cpuinfo", "re");
	while (file && fgets(line, sizeof(line), file)) {
		struct slice value = slice_str(line), name = slice_take_until(&value, ':');
		if (!slice_eq(slice_trim(slice_first(name, 10)), SL("model name")))
			continue;
		slice_take_char(&value, ' ');
		buf_add(to, slice_take_line(&value));
		break;
	}
	if (file)
		fclose(file);
}

static void add_machine(struct buf *to)
{
	struct utsname system;
	uname(&system);
	long long bytes = (long long)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
	buf_addf(to, "%ld x ", sysconf(_SC_NPROCESSORS_ONLN));
	add_processor(to);
	buf_addf(to, ", %.0f GiB; %s %s; ", (double)bytes / GIB, system.sysname, system.release);
	char library[64];
	spy_library(library, sizeof(library));
	buf_addf(to, "%s, glibc %s, compiler %s", library, gnu_get_libc_version(), __VERSION__);
}

static void add_date(struct buf *to)
{
	char text[32];
	time_t now = time(NULL);
	struct tm day;
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M", localtime_r(&now, &day));
	buf_add(to, slice_str(text));
}

/* ---- printing ---- */

static const char *const bar_signs[] = { "", "<=", ">=" };

static void print_figure(const struct figure *f, int width)
{
	int digits = f->value >= 1000 || f->value <= -1000 ? 0 : 2;
	printf("%-*s %10.*f %-6s", width, f->name, digits, f->value, f->unit);
	if (f->bar != BAR_NONE)
		printf(" %s %g%s", bar_signs[f->bar], f->limit, is_met(f) ? "" : "  MISSED");
	printf("\n");
}

static void print_table(const struct report *r, struct slice machine, struct slice date)
{
	int width = 0;
	for (size_t i = 0; i < r->count; i++)
		if ((int)strlen(r->figures[i].name) > width)
			width = (int)strlen(r->figures[i].name);
	printf("%s: %s\n%.*s; %.*s\n\n", r->bench, r->about, SLICE_ARG(machine), SLICE_ARG(date));
	printf("%-*s %10s %-6s %s\n", width, "figure", "measured", "unit", "bar");
	for (size_t i = 0; i < r->count; i++)
		print_figure(&r->figures[i], width);
}

static void add_figure(struct buf *to, const struct figure *f)
{
	buf_add(to, SL("\n  {\"name\": "));
	buf_add_json(to, slice_str(f->name));
	buf_addf(to, ", \"value\": %.6g, \"unit\": \"%s\"", f->value, f->unit);
	if (f->bar != BAR_NONE)
		buf_addf(to, ", \"bar\": \"%s %g\", \"met\": %s", bar_signs[f->bar], f->limit,
		    is_met(f) ? "true" : "false");
	buf_add_char(to, '}');
}

static void print_json(const struct report *r, struct slice machine, struct slice date)
{
	struct buf text;
	buf_init(&text, 0);
	buf_addf(&text, "{\"bench\": \"%s\", \"run\": ", r->bench);
	buf_add_json(&text, slice_str(r->about));
	buf_add(&text, SL(", \"machine\": "));
	buf_add_json(&text, machine);
	buf_addf(&text, ", \"date\": \"%.*s\", \"figures\": [", SLICE_ARG(date));
	for (size_t i = 0; i < r->count; i++) {
		if (i > 0)
			buf_add_char(&text, ',');
		add_figure(&text, &r->figures[i]);
	}
	buf_add_char(&text, ']');
	buf_add(&text, buf_slice(&r->series));
	printf("%.*s}\n", SLICE_ARG(buf_slice(&text)));
	buf_fini(&text);
}

void report_print(const struct report *r)
{
	struct buf machine, date;
	buf_init(&machine, 0);
	buf_init(&date, 0);
	add_machine(&machine);
	add_date(&date);
	if (r->is_json)
		print_json(r, buf_slice(&machine), buf_slice(&date));
	else
		print_table(r, buf_slice(&machine), buf_slice(&date));
	buf_fini(&machine);
	buf_fini(&date);
}
