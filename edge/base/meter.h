/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics. A module that counts declares a table beside its code,
 *
 *	#define SERVE_METERS(X) \
 *		X(requests, COUNTER, "http_requests_total", "", "Requests answered.")
 *	struct serve_meters { METER_FIELDS(SERVE_METERS) };
 *
 * which expands to a plain struct. Each loop owns one and adds without locked instructions; what
 * several threads count shares one struct and uses meter_add_shared. The scraper sums the structs
 * by the table's description (METER_DESCS). No registration call, no run-time type test.
 */
#pragma once

#include "edge/base/base.h"

typedef _Atomic uint64_t meter;

enum meter_kind { METER_COUNTER, METER_GAUGE };

struct meter_desc {
	const char *name;   /* after the prefix "larder_" */
	const char *labels; /* inside the braces: `tier="hot"`, or "" */
	const char *help;
	enum meter_kind kind;
	size_t offset; /* in the module's struct */
};

/* What a module hands to the scraper: its table, and one struct per thread that counts. */
struct meter_table {
	const struct meter_desc *descs;
	size_t count;
};

#define METER_FIELD(field, kind, name, labels, help) meter field;
#define METER_FIELDS(TABLE) TABLE(METER_FIELD)
#define METER_DESC(field, kind, name, labels, help)                                                \
	{ name, labels, help, METER_##kind, offsetof(METER_STRUCT, field) },
/* Use with METER_STRUCT defined as the module's struct type. */
#define METER_DESCS(TABLE)                                                                         \
	{                                                                                          \
		TABLE(METER_DESC)                                                                  \
	}

/* Adds, by the one thread that owns the meter. */
static inline void meter_add(meter *m, uint64_t n)
{
	atomic_store_explicit(
	    m, atomic_load_explicit(m, memory_order_relaxed) + n, memory_order_relaxed);
}
/* Takes from a gauge, by the one thread that owns it. */
static inline void meter_sub(meter *m, uint64_t n)
{
	atomic_store_explicit(
	    m, atomic_load_explicit(m, memory_order_relaxed) - n, memory_order_relaxed);
}
/* Adds, by any thread. */
static inline void meter_add_shared(meter *m, uint64_t n)
{
	atomic_fetch_add_explicit(m, n, memory_order_relaxed);
}
static inline void meter_sub_shared(meter *m, uint64_t n)
{
	atomic_fetch_sub_explicit(m, n, memory_order_relaxed);
}
static inline void meter_set(meter *m, uint64_t n)
{
	atomic_store_explicit(m, n, memory_order_relaxed);
}
static inline uint64_t meter_read(const meter *m)
{
	return atomic_load_explicit(m, memory_order_relaxed);
}
