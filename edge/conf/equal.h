/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether two structs that a table filled say the same: what need not be made anew when a
 * configuration is loaded again.
 */
#pragma once

#include "edge/conf/field.h"

bool conf_equal(const struct conf_table *, const void *a, const void *b);
