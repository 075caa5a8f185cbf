/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/value.h"

#include "edge/conf/nearest.h"
#include "edge/conf/problem.h"

/* ---- numbers with units ---- */

struct unit {
	const char *name;
	uint64_t times;
};

/* Largest first: writing takes the first that divides. */
static const struct unit sizes[] = {
	{ "t", 1024 * GIB },
	{ "g", GIB },
	{ "m", MIB },
	{ "k", KIB },
	{ "", 1 },
};
static const struct unit durations[] = {
	{ "d", 86400000 },
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
};

static bool read_scaled(struct slice text, const struct unit *units, size_t count, uint64_t *ret)
{
	size_t digits = 0;
	while (digits < text.len && is_digit(text.at[digits]))
		digits++;
	struct slice name = slice_from(text, digits);
	uint64_t number;
	if (!slice_to_u64(slice_first(text, digits), &number))
		return false;
	for (size_t i = 0; i < count; i++)
		if (slice_eq(name, slice_str(units[i].name)))
			return !__builtin_mul_overflow(number, units[i].times, ret);
	return false;
}

static void write_scaled(struct buf *out, const struct unit *units, uint64_t value)
{
	const struct unit *u = units;
	while (value % u->times != 0)
		u++;
	buf_add_u64(out, value / u->times);
	buf_add(out, slice_str(u->name));
}

static bool read_duration(struct slice text, uint64_t *ret_ms)
{
	bool is_zero = slice_eq(text, SL("0")) || slice_eq(text, SL("off"));
	if (is_zero)
		*ret_ms = 0;
	return is_zero ||
	    (read_scaled(text, durations, COUNT_OF(durations), ret_ms) && *ret_ms <= INT64_MAX);
}

/* Decimals without an exponent, at most six after the point; free of the locale. */
static bool read_fraction(struct slice text, double *ret)
{
	struct slice whole = slice_take_until(&text, '.');
	uint64_t units, millionths = 0, scale = 1000000;
	if (!slice_to_u64(whole, &units) || text.len > 6)
		return false;
	for (size_t i = 0; i < text.len; i++)
		scale /= 10;
	if (text.len > 0 && !slice_to_u64(text, &millionths))
		return false;
	*ret = (double)units + (double)(millionths * scale) / 1e6;
	return true;
}

static void write_fraction(struct buf *out, double value)
{
	uint64_t millionths = (uint64_t)(value * 1e6 + 0.5);
	char digits[32];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64 ".%06" PRIu64, millionths / 1000000,
	    millionths % 1000000);
	while (digits[len - 1] == '0')
		len--;
	len -= digits[len - 1] == '.';
	buf_add(out, slice_of(digits, (size_t)len));
}

static void write_number(struct buf *out, enum conf_kind kind, uint64_t value)
{
	if (kind == CONF_MEMORY && value & CONF_PERCENT)
		buf_addf(out, "%" PRIu64 "%%", value & ~CONF_PERCENT);
	else if ((kind == CONF_SIZE || kind == CONF_MEMORY) && value)
		write_scaled(out, sizes, value);
	else if ((kind == CONF_DURATION || kind == CONF_STATUS_TTLS) && value)
		write_scaled(out, durations, value);
	else if (kind == CONF_FRACTION)
		write_fraction(out, (double)value / 1000);
	else
		buf_add_u64(out, value);
}

/* ---- reading and writing ---- */

static bool is_within(const struct conf_field *f, uint64_t value)
{
	return !value_has_bounds(f) || (value >= f->min && value <= f->max);
}

static enum value_verdict read_bool(struct slice text, bool *dest)
{
	bool is_true = slice_eq(text, SL("true"));
	if (!is_true && !slice_eq(text, SL("false")))
		return VALUE_MALFORMED;
	*dest = is_true;
	return VALUE_OK;
}

static enum value_verdict read_u64(const struct conf_field *f, struct slice text, uint64_t *dest)
{
	uint64_t value;
	bool well = f->kind == CONF_UINT ? slice_to_u64(text, &value)
					 : read_scaled(text, sizes, COUNT_OF(sizes), &value);
	if (!well)
		return VALUE_MALFORMED;
	if (!is_within(f, value))
		return VALUE_OUT_OF_RANGE;
	*dest = value;
	return VALUE_OK;
}

/* A percentage, which has no bounds but 1 and 100, or a size. */
static enum value_verdict read_memory(const struct conf_field *f, struct slice text, uint64_t *dest)
{
	uint64_t percent;
	if (!slice_ends(text, SL("%")))
		return read_u64(f, text, dest);
	if (!slice_to_u64(slice_first(text, text.len - 1), &percent))
		return VALUE_MALFORMED;
	if (percent < 1 || percent > 100)
		return VALUE_OUT_OF_RANGE;
	*dest = CONF_PERCENT | percent;
	return VALUE_OK;
}

static enum value_verdict read_ms(const struct conf_field *f, struct slice text, int64_t *dest)
{
	uint64_t ms;
	if (!read_duration(text, &ms))
		return VALUE_MALFORMED;
	if (!is_within(f, ms))
		return VALUE_OUT_OF_RANGE;
	*dest = (int64_t)ms;
	return VALUE_OK;
}

static enum value_verdict read_share(const struct conf_field *f, struct slice text, double *dest)
{
	double value;
	if (!read_fraction(text, &value))
		return VALUE_MALFORMED;
	if (value_has_bounds(f) && (value * 1000 < (double)f->min || value * 1000 > (double)f->max))
		return VALUE_OUT_OF_RANGE;
	*dest = value;
	return VALUE_OK;
}

static enum value_verdict read_word(const struct conf_field *f, struct slice text, int *dest)
{
	for (int i = 0; f->words[i]; i++) {
		if (slice_eq(text, slice_str(f->words[i]))) {
			*dest = i;
			return VALUE_OK;
		}
	}
	return VALUE_MALFORMED;
}

enum value_verdict value_read(const struct conf_field *f, struct slice text, void *dest)
{
	switch (f->kind) {
	case CONF_BOOL: return read_bool(text, dest);
	case CONF_UINT:
	case CONF_SIZE: return read_u64(f, text, dest);
	case CONF_MEMORY: return read_memory(f, text, dest);
	case CONF_DURATION: return read_ms(f, text, dest);
	case CONF_FRACTION: return read_share(f, text, dest);
	default: must(f->kind == CONF_WORD); return read_word(f, text, dest);
	}
}

void value_write(struct buf *out, const struct conf_field *f, const void *at)
{
	switch (f->kind) {
	case CONF_BOOL: buf_add(out, *(const bool *)at ? SL("true") : SL("false")); return;
	case CONF_UINT:
	case CONF_MEMORY:
	case CONF_SIZE: write_number(out, f->kind, *(const uint64_t *)at); return;
	case CONF_DURATION: write_number(out, f->kind, (uint64_t) * (const int64_t *)at); return;
	case CONF_FRACTION: write_fraction(out, *(const double *)at); return;
	default: must(f->kind == CONF_WORD); buf_add(out, slice_str(f->words[*(const int *)at]));
	}
}

/* Words and numbers that some reader of YAML takes for another type. */
static bool is_mistakable(struct slice s)
{
	static const char *const words[] = { "null", "true", "false", "yes", "no", "on", "off" };
	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (slice_eq_nocase(s, slice_str(words[i])))
			return true;
	return false;
}

static bool is_plain(struct slice s)
{
	if (s.len == 0 || is_mistakable(s) || is_digit(s.at[0]) || s.at[0] == '-' ||
	    s.at[s.len - 1] == ':')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = ascii_lower(s.at[i]);
		if (!is_digit(c) && (c < 'a' || c > 'z') && (c == '\0' || !strchr("-_./:", c)))
			return false;
	}
	return true;
}

void value_write_string(struct buf *out, struct slice s)
{
	if (is_plain(s)) {
		buf_add(out, s);
		return;
	}
	struct buf escaped;
	buf_init(&escaped, 0);
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '$' && i + 1 < s.len && s.at[i + 1] == '{')
			buf_add_char(&escaped, '$');
		buf_add_char(&escaped, s.at[i]);
	}
	buf_add_json(out, buf_slice(&escaped));
	buf_fini(&escaped);
}

/* ---- telling ---- */

static const struct {
	const char *noun; /* "a size" */
	const char *how;  /* the ways to write one */
} kinds[] = {
	[CONF_BOOL] = { "a switch", "true or false" },
	[CONF_UINT] = { "a number", "0, 12 or 3000" },
	[CONF_SIZE] = { "a size", "512, 64k, 16m or 1g" },
	[CONF_MEMORY] = { "a size", "512m, 2g or 60%" },
	[CONF_DURATION] = { "a duration", "250ms, 5s, 5m, 1h, 7d or off" },
	[CONF_FRACTION] = { "a share", "0, 0.1 or 1" },
};

static void write_bounds(struct buf *out, const struct conf_field *f)
{
	write_number(out, f->kind, f->min);
	buf_add(out, SL(" to "));
	write_number(out, f->kind, f->max);
}

static void write_words(struct buf *out, const struct conf_field *f)
{
	for (size_t i = 0; f->words[i]; i++) {
		const char *joint = i == 0 ? "" : f->words[i + 1] ? ", " : " or ";
		buf_addf(out, "%s%s", joint, f->words[i]);
	}
}

static void write_nearest_word(struct buf *out, const struct conf_field *f, struct slice text)
{
	struct nearest near = nearest_to(text);
	for (size_t i = 0; f->words[i]; i++)
		nearest_offer(&near, slice_str(f->words[i]));
	if (near.best.len)
		buf_addf(out, "; did you mean \"%.*s\"?", SLICE_ARG(near.best));
}

void value_write_refusal(
    struct buf *out, const struct conf_field *f, struct slice text, enum value_verdict verdict)
{
	buf_addf(out, "\"%.*s\" is ", SLICE_ARG(problem_quote(text)));
	if (f->kind == CONF_WORD) {
		buf_add(out, SL("not "));
		write_words(out, f);
		write_nearest_word(out, f, text);
	} else if (verdict == VALUE_OUT_OF_RANGE) {
		buf_add(out, SL("out of range; write "));
		write_bounds(out, f);
	} else {
		buf_addf(out, "not %s; write %s", kinds[f->kind].noun, kinds[f->kind].how);
	}
}

static const char *kind_noun(const struct conf_field *f)
{
	switch (f->kind) {
	case CONF_STRING: return "a string";
	case CONF_STRINGS: return "a list of strings";
	case CONF_STATUS_TTLS: return "a map of statuses to durations";
	case CONF_SECTION: return f->table->shorthand ? "a value or a map" : "a map";
	case CONF_SECTIONS:
		return f->table->shorthand ? "a list of values or maps" : "a list of maps";
	default: return kinds[f->kind].noun;
	}
}

void value_write_kind(struct buf *out, const struct conf_field *f)
{
	if (f->kind == CONF_BOOL) {
		buf_add(out, slice_str(kinds[CONF_BOOL].how));
	} else if (f->kind == CONF_WORD) {
		write_words(out, f);
	} else {
		buf_add(out, slice_str(kind_noun(f)));
		if (value_has_bounds(f) && !value_is_list(f)) {
			buf_add(out, f->kind == CONF_STATUS_TTLS ? SL(" of ") : SL(" from "));
			write_bounds(out, f);
		}
	}
}
