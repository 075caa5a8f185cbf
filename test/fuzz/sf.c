/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a dictionary: each key is there once and found again, and numbers are in range. */
#include "edge/http/sf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct sf_item *item)
{
	const int64_t most = 999999999999999;
	must(item->kind <= SF_INNER_LIST);
	must(item->integer >= -most && item->integer <= most);
	must(item->kind != SF_BOOLEAN || item->integer == 0 || item->integer == 1);
	must(item->kind != SF_TOKEN || item->text.len > 0);
	for (size_t i = 0; item->kind == SF_STRING && i < item->text.len; i++)
		must(item->text.at[i] >= ' ' && item->text.at[i] <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sf_dictionary d;
	struct arena arena;
	arena_init(&arena, 64 * KIB);
	if (sf_parse_dictionary(slice_of((const char *)data, size), &arena, &d))
		for (uint32_t i = 0; i < d.count; i++) {
			check(&d.at[i].value);
			must(sf_get(&d, d.at[i].key) == &d.at[i].value);
		}
	arena_fini(&arena);
	return 0;
}
