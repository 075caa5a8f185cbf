/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table for people: cells are written one after the other, row by row, and shown with columns as
 * wide as they must be. A column whose title begins with '>' stands to the right.
 */
#pragma once

#include "edge/base/buf.h"

enum { TABLE_COLUMNS = 12 };

struct table {
	struct buf text; /* each cell and its NUL */
	size_t cells, columns;
	const char *const *titles; /* NULL = none are shown */
};

/* own: table_fini. */
void table_init(struct table *, const char *const *titles, size_t columns);
void table_fini(struct table *);
/* Writes the next cell. Control bytes of a stranger's text become '?'. */
void table_add(struct table *, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Shows all, with the titles, on stdout. */
void table_show(const struct table *);
