/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any Vary over any values of two fields: the spec is normal already, and the values are one line
 * for each of its names, so that no value can pass for another field's.
 */
#include "cache/rule/vary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(struct slice s, char c)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += s.at[i] == c;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_of((const char *)data, size);
	struct fields answer = { .count = 0 }, request = answer, normal = answer;
	struct slice spec, again;
	struct arena arena;
	arena_init(&arena, 256 * KIB);
	must(fields_put(&answer, &arena, FIELD_VARY, slice_take_until(&rest, '\n')));
	must(fields_put(&request, &arena, FIELD_ACCEPT_LANGUAGE, slice_take_until(&rest, '\n')));
	must(fields_put(&request, &arena, FIELD_ACCEPT, slice_take_until(&rest, '\n')));
	must(fields_add(&request, &arena, FIELD_OTHER, SL("a"), slice_take_until(&rest, '\n')));
	must(fields_add(&request, &arena, FIELD_OTHER, SL("A"), slice_take_until(&rest, '\n')));
	if (vary_spec(&answer, &arena, &spec) == VARY_YES) {
		must(fields_put(&normal, &arena, FIELD_VARY, spec));
		must(vary_spec(&normal, &arena, &again) == VARY_YES && slice_eq(spec, again));
		struct slice values = vary_values(&request, spec, &arena);
		must(count(values, '\n') == count(spec, ',') + 1);
	}
	arena_fini(&arena);
	return 0;
}
