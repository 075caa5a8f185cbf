/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/number.h"

#include <math.h>
#include <time.h>

enum unit number_unit_of(struct slice name)
{
	if (slice_ends(name, SL("_bytes")) || slice_ends(name, SL("_bytes_total")))
		return UNIT_BYTES;
	if (slice_ends(name, SL("_timestamp_seconds")) ||
	    slice_ends(name, SL("_start_time_seconds")))
		return UNIT_MOMENT;
	return slice_ends(name, SL("_seconds")) ? UNIT_SECONDS : UNIT_COUNT;
}

/* Three digits and a step of the scale: "1.23 M". Small whole numbers stay whole. */
static void scale(char *to, double value, double step, const char *const *names, const char *last)
{
	while (value >= step * 0.9995 && *names != last) {
		value /= step;
		names++;
	}
	int decimals = value == floor(value) || value >= 100 ? 0 : value >= 10 ? 1 : 2;
	snprintf(to, TEXT_BYTES, "%.*f%s", decimals, value, *names);
}

void number_print_duration(char *to, double s)
{
	static const char *const small[] = { " us", " ms", " s" };
	long minutes = (long)(s / 60);
	if (s < 60)
		scale(to, s * 1e6, 1000, s > 0 ? small : small + 2, small[2]);
	else if (minutes < 24 * 60)
		snprintf(to, TEXT_BYTES, "%ldh %ldm", minutes / 60, minutes % 60);
	else
		snprintf(to, TEXT_BYTES, "%ldd %ldh", minutes / 1440, minutes / 60 % 24);
}

void number_print(char *to, double value, enum unit unit)
{
	static const char *const counts[] = { "", " k", " M", " G", " T" };
	static const char *const bytes[] = { " B", " KiB", " MiB", " GiB", " TiB" };
	time_t moment = (time_t)value;
	struct tm tm;
	switch (unit) {
	case UNIT_COUNT:
		if (value < 1e5 && value == floor(value))
			snprintf(to, TEXT_BYTES, "%.0f", value);
		else
			scale(to, value, 1000, counts, counts[4]);
		break;
	case UNIT_BYTES: scale(to, value, 1024, bytes, bytes[4]); break;
	case UNIT_SECONDS: number_print_duration(to, value); break;
	case UNIT_MOMENT:
		strftime(to, TEXT_BYTES, "%Y-%m-%d %H:%M:%S", localtime_r(&moment, &tm));
		break;
	}
}
