/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tenants: whose an object is, where operators give several a share of the tiers each. A tenant is
 * a name in the settings and a small number everywhere else; a number is given out once and stays
 * with its name for as long as the process runs, so that objects from before a reload are still
 * known. Number 0 is everybody's who has no share. thread: any, all of it.
 */
#pragma once

#include "edge/base/slice.h"

enum { TENANTS = 64 };

/* The number of a name; an empty one is 0. So is one too many: there are TENANTS in all, and that
 * is logged once. */
uint8_t tenant_of(struct slice name);
/* The name of a number that was given out; empty = none. */
struct slice tenant_name(uint8_t);
/* How many numbers are in use, 0 included. */
unsigned tenant_count(void);

/* What a tenant may have of a tier, as parts of it. */
struct share {
	double min; /* others' objects do not push out its own as long as it has no more */
	double max; /* its own oldest objects make room for its new ones */
};

/* The shares of all tenants, by number. Who is not named in the settings has none guaranteed. */
struct shares {
	struct share of[TENANTS];
};

/* Shares as many threads read them while one changes them: in parts of SHARE_WHOLE. */
enum { SHARE_WHOLE = 1 << 16 };
struct share_table {
	_Atomic uint32_t min[TENANTS], max[TENANTS];
};
void share_table_set(struct share_table *, const struct shares *);
/* Nobody has anything guaranteed, and all may have all. */
void share_table_init(struct share_table *);
/* A part of some bytes. */
static inline uint64_t share_part(uint64_t bytes, const _Atomic uint32_t *part)
{
	return bytes / SHARE_WHOLE * atomic_load_explicit(part, memory_order_relaxed);
}
