/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What came of a purge, as Larder says it in JSON: a receipt, the preview of a dry run, or, of a
 * purge of a former life, the entry of its log.
 */
#pragma once

#include <jansson.h>

#include "edge/base/base.h"

/* Prints any of the three as a table. */
void receipt_show(const json_t *);
/* Whether there is nothing to wait for any more: it was counted, and refreshed. */
bool receipt_is_final(const json_t *);
/* What an order is for, as JSON, without how and why. own: the caller frees. */
char *receipt_order_text(const json_t *said);
