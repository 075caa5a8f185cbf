/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any Cache-Control: all numbers are in range, and what is said twice is never laxer than what was
 * said once. The same bytes as a targeted field: the structs keep the same bounds.
 */
#include "edge/http/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_seconds(int64_t seconds)
{
	must(seconds >= SECONDS_NONE && seconds <= SECONDS_MAX);
}

static void check(const struct control *c)
{
	check_seconds(c->max_age_s);
	check_seconds(c->s_maxage_s);
	check_seconds(c->max_stale_s);
	check_seconds(c->min_fresh_s);
	check_seconds(c->stale_while_revalidate_s);
	check_seconds(c->stale_if_error_s);
	must(c->no_cache || c->no_cache_names.len == 0);
	must(c->is_private || c->private_names.len == 0);
	control_names_field(c->no_cache_names, SL("set-cookie"));
}

/* b was read from more text than a. */
static void check_stricter(const struct control *a, const struct control *b)
{
	must(!a->no_store || b->no_store);
	must(!a->no_cache || b->no_cache);
	must(!a->is_private || b->is_private);
	must(!a->must_revalidate || b->must_revalidate);
	must(a->max_age_s == SECONDS_NONE || b->max_age_s <= a->max_age_s);
	must(a->s_maxage_s == SECONDS_NONE || b->s_maxage_s <= a->s_maxage_s);
	must(b->min_fresh_s >= a->min_fresh_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of((const char *)data, size);
	struct slice half = slice_first(text, slice_find(text, '\n'));
	struct fields f = { .count = 0 };
	struct control c;
	struct arena arena;
	arena_init(&arena, 256 * KIB);
	must(fields_put(&f, &arena, FIELD_CACHE_CONTROL, half));
	must(fields_put(&f, &arena, FIELD_CDN_CACHE_CONTROL, text));
	struct control once = control_parse(&f);
	must(fields_put(&f, &arena, FIELD_CACHE_CONTROL, slice_from(text, half.len)));
	struct control twice = control_of_request(&f);
	check(&once);
	check(&twice);
	check_stricter(&once, &twice);
	if (control_parse_targeted(&f, &arena, field_name(FIELD_CDN_CACHE_CONTROL), &c))
		check(&c);
	arena_fini(&arena);
	return 0;
}
