/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The query of an admin request: "name=value&name=value", each value percent-encoded where it must
 * be (RFC 3986 2.1). A '+' is a plus: what is asked for here are URLs, in which it means itself.
 */
#pragma once

#include "edge/base/arena.h"

/* Takes the next parameter off the front, its value decoded. False at the end, and when the arena
 * is full. What is no escape stays as it is. */
bool query_take(
    struct slice *query, struct arena *, struct slice *ret_name, struct slice *ret_value);
/* The value of the first parameter of that name; SLICE_NONE when there is none. */
struct slice query_value(struct slice query, struct slice name, struct arena *);
/* The same as a number from 1 to `max`; `fallback` when it is not there or no such number. */
uint64_t query_number(struct slice query, struct slice name, uint64_t max, uint64_t fallback);
