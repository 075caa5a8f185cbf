/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any request target and Host (a line each): what is accepted has a path and no byte that would
 * end a request line; its normal form is normal already, has no dot segment, and never has a
 * delimiter more than it came with. Any third line is resolved as a reference.
 */
#include "edge/http/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(struct slice s, char c)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += s.at[i] == c;
	return n;
}

static void check_path(struct slice path, struct arena *arena)
{
	struct slice normal = target_normal_path(path, arena);
	must(slice_eq(target_normal_path(normal, arena), normal));
	must(path.len == 0 || normal.at[0] == path.at[0]);
	must(count(normal, '/') <= count(path, '/'));
	must(count(normal, '\\') <= count(path, '\\') && count(normal, '\0') == 0);
	must(slice_find_slice(normal, SL("/../")) == normal.len && !slice_ends(normal, SL("/..")));
	must(slice_find_slice(normal, SL("/./")) == normal.len && !slice_ends(normal, SL("/.")));
}

static void check(const struct request *r, struct arena *arena)
{
	for (size_t i = 0; i < r->path.len; i++)
		must((unsigned char)r->path.at[i] > ' ' && r->path.at[i] != '?');
	struct slice query = target_normal_query(r->query, arena);
	must(slice_eq(target_normal_query(query, arena), query));
	must(
	    count(query, '&') == count(r->query, '&') && count(query, '=') == count(r->query, '='));
	must(slice_eq(authority_normalise(r->authority, r->scheme, arena), r->authority));
	check_path(r->path, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_of((const char *)data, size);
	struct slice target = slice_take_until(&rest, '\n'), host = slice_take_until(&rest, '\n');
	enum method method = size % 3 == 0 ? METHOD_CONNECT : size % 3 == 1 ? METHOD_OPTIONS : 0;
	struct request r = { .method = method, .scheme = SL("http"), .version = 11 }, resolved;
	struct arena arena;
	arena_init(&arena, 256 * KIB);
	if (target_parse(target, host, true, &r, &arena) == ERR_NONE) {
		check(&r, &arena);
		if (target_resolve(&r, rest, &arena, &resolved))
			check(&resolved, &arena);
	}
	arena_fini(&arena);
	return 0;
}
