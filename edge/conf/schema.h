/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables as a JSON Schema (draft 2020-12), for editors that complete and check while one
 * types. It accepts no less than the loader: a value with ${NAME} in it may be anything.
 */
#pragma once

#include "edge/base/buf.h"
#include "edge/conf/field.h"

/* Writes the schema of a root table. */
void conf_schema(struct buf *, const struct conf_table *, const char *title);
