/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/date.h"

#define DAY_S ((int64_t)86400)

static const char *const days[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", NULL };
static const char *const long_days[] = { "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
	"Saturday", "Sunday", NULL };
static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
	"Oct", "Nov", "Dec", NULL };

struct civil {
	int64_t year, month, day; /* from 1 */
	int64_t hour, minute, second;
};

/* ---- the calendar: years begin in March, so that a leap day ends one ---- */

enum { ERA_DAYS = 146097, EPOCH_DAYS = 719468 }; /* 400 years; from 0000-03-01 to 1970-01-01 */

/* Days since 1970-01-01 (negative before it). */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t in_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
	return y * 365 + y / 4 - y / 100 + y / 400 + in_year - EPOCH_DAYS;
}

static struct civil civil_of(int64_t since_epoch)
{
	int64_t d = since_epoch + EPOCH_DAYS;
	int64_t era = d / ERA_DAYS, in_era = d % ERA_DAYS;
	int64_t y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int64_t in_year = in_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * in_year + 2) / 153; /* 0 = March */
	int64_t month = m < 10 ? m + 3 : m - 9;
	return (struct civil){
		.year = era * 400 + y + (month <= 2),
		.month = month,
		.day = in_year - (153 * m + 2) / 5 + 1,
	};
}

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static bool is_valid(const struct civil *c)
{
	static const int64_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int64_t length = lengths[c->month - 1] + (c->month == 2 && is_leap(c->year));
	return c->year > 0 && c->day >= 1 && c->day <= length && c->hour < 24 && c->minute < 60 &&
	    c->second <= 60; /* RFC 9110 5.6.7: a leap second may be written */
}

static struct wall wall_of(const struct civil *c)
{
	int64_t in_day = (c->hour * 60 + c->minute) * 60 + c->second;
	return (struct wall){ (days_of(c->year, c->month, c->day) * DAY_S + in_day) * 1000 };
}

/* ---- reading ---- */

static bool take_text(struct slice *s, struct slice text)
{
	if (!slice_starts(*s, text))
		return false;
	*s = slice_from(*s, text.len);
	return true;
}

/* Takes one of the words, letter for letter (the names are case-sensitive); its place from 1 on. */
static bool take_word(struct slice *s, const char *const *words, int64_t *ret_place)
{
	for (int64_t i = 0; words[i]; i++)
		if (take_text(s, slice_str(words[i]))) {
			*ret_place = i + 1;
			return true;
		}
	return false;
}

/* Takes exactly `width` digits. */
static bool take_number(struct slice *s, size_t width, int64_t *ret_number)
{
	uint64_t number;
	if (s->len < width || !slice_to_u64(slice_first(*s, width), &number))
		return false;
	*s = slice_from(*s, width);
	*ret_number = (int64_t)number;
	return true;
}

static bool take_time(struct slice *s, struct civil *c)
{
	return take_number(s, 2, &c->hour) && slice_take_char(s, ':') &&
	    take_number(s, 2, &c->minute) && slice_take_char(s, ':') &&
	    take_number(s, 2, &c->second);
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool parse_imf(struct slice s, struct civil *c)
{
	int64_t weekday;
	return take_word(&s, days, &weekday) && take_text(&s, SL(", ")) &&
	    take_number(&s, 2, &c->day) && slice_take_char(&s, ' ') &&
	    take_word(&s, months, &c->month) && slice_take_char(&s, ' ') &&
	    take_number(&s, 4, &c->year) && slice_take_char(&s, ' ') && take_time(&s, c) &&
	    slice_eq(s, SL(" GMT"));
}

/* Sunday, 06-Nov-94 08:49:37 GMT */
static bool parse_rfc850(struct slice s, struct wall now, struct civil *c)
{
	int64_t weekday;
	bool fits = take_word(&s, long_days, &weekday) && take_text(&s, SL(", ")) &&
	    take_number(&s, 2, &c->day) && slice_take_char(&s, '-') &&
	    take_word(&s, months, &c->month) && slice_take_char(&s, '-') &&
	    take_number(&s, 2, &c->year) && slice_take_char(&s, ' ') && take_time(&s, c) &&
	    slice_eq(s, SL(" GMT"));
	/* RFC 9110 5.6.7: what would be more than 50 years ahead is the latest such year past. */
	int64_t this_year = civil_of(now.ms / 1000 / DAY_S).year;
	c->year += this_year - this_year % 100 + 100;
	while (c->year > this_year + 50)
		c->year -= 100;
	return fits;
}

/* Sun Nov  6 08:49:37 1994 */
static bool parse_asctime(struct slice s, struct civil *c)
{
	int64_t weekday;
	if (!take_word(&s, days, &weekday) || !slice_take_char(&s, ' ') ||
	    !take_word(&s, months, &c->month) || !slice_take_char(&s, ' '))
		return false;
	size_t width = slice_take_char(&s, ' ') ? 1 : 2;
	return take_number(&s, width, &c->day) && slice_take_char(&s, ' ') && take_time(&s, c) &&
	    slice_take_char(&s, ' ') && take_number(&s, 4, &c->year) && s.len == 0;
}

bool date_parse(struct slice text, struct wall now, struct wall *ret_date)
{
	struct civil c = { .month = 1 };
	size_t comma = slice_find(text, ',');
	bool fits = comma == 3  ? parse_imf(text, &c)
	    : comma == text.len ? parse_asctime(text, &c)
				: parse_rfc850(text, now, &c);
	if (!fits || !is_valid(&c))
		return false;
	*ret_date = wall_of(&c);
	return true;
}

/* ---- writing ---- */

static void put_number(char *to, int width, int64_t number)
{
	for (; width > 0; number /= 10)
		to[--width] = (char)('0' + number % 10);
}

void date_format(struct wall date, char to[DATE_LEN])
{
	const int64_t first = days_of(1, 1, 1) * DAY_S, last = days_of(10000, 1, 1) * DAY_S - 1;
	int64_t s = date.ms / 1000 - (date.ms % 1000 < 0);
	s = s < first ? first : s > last ? last : s;
	int64_t in_day = (s % DAY_S + DAY_S) % DAY_S;
	int64_t day = (s - in_day) / DAY_S;
	struct civil c = civil_of(day);
	memcpy(to, "Ddd, 00 Mmm 0000 00:00:00 GMT", DATE_LEN);
	memcpy(to, days[((day + 3) % 7 + 7) % 7], 3); /* 1970-01-01 was a Thursday */
	memcpy(to + 8, months[c.month - 1], 3);
	put_number(to + 5, 2, c.day);
	put_number(to + 12, 4, c.year);
	put_number(to + 17, 2, in_day / 3600);
	put_number(to + 20, 2, in_day / 60 % 60);
	put_number(to + 23, 2, in_day % 60);
}
