/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator says of purges. */
#pragma once

#include "edge/conf/field.h"

struct purge_settings {
	struct slice audit;        /* file; empty = none */
	struct conf_strings allow; /* addresses and blocks that may send PURGE with the traffic */
};

extern const struct conf_table purge_options_table;
