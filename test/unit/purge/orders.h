/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of orders share. */
#pragma once

#include "edge/http/target.h"
#include "purge/order.h"
#include "test/unit/edge/http/kit.h"

/* As admin makes keys, without a policy. */
static inline struct slice key(UNUSED void *arg, struct slice url, struct arena *to)
{
	const struct request nowhere = { .scheme = SL("http"), .path = SL("/") };
	struct request r;
	bool is_whole = slice_starts_nocase(url, SL("http://")) ||
	    slice_starts_nocase(url, SL("https://"));
	if (!is_whole || !target_resolve(&nowhere, url, to, &r) || !r.authority.len)
		return SLICE_NONE;
	return arena_printf(to, "%.*s://%.*s%.*s%s%.*s", SLICE_ARG(r.scheme),
	    SLICE_ARG(r.authority), SLICE_ARG(r.path), r.has_query ? "?" : "", SLICE_ARG(r.query));
}

/* An order that is well; NULL when it is not, which is told. */
static inline struct order *made(const char *json)
{
	struct order *o = NULL;
	struct order_problem problem;
	enum err err = order_read(slice_str(json), &o, &problem);
	if (!err)
		err = order_prepare(o, key, NULL, &problem);
	if (err) {
		kit_check(false, json, problem.why, __LINE__);
		order_unref(&o);
	}
	return o;
}
