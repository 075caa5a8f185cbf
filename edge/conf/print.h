/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configurations as YAML, from the same tables that load them, so that what is printed is never
 * behind what is read.
 */
#pragma once

#include "edge/base/buf.h"
#include "edge/conf/field.h"

/*
 * Writes every key with its default under what the tables say of it; lists of sections show one
 * entry. The result loads as it stands. header: comment lines' text, one line each.
 */
void conf_print_commented(struct buf *, const struct conf_table *, const char *header);

/*
 * Writes every key of a filled struct with the value in force. The result loads to an equal struct
 * (and says more than the operator did: inherited and default values are spelled out).
 */
void conf_dump(struct buf *, const struct conf_table *, const void *filled);
