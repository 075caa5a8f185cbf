/* SPDX-License-Identifier: Apache-2.0 */
/* What the journal keeps, as records of the database: a part of it. */
#pragma once

#include "cache/tier/journal.h"

/* Puts a scope's number of one mode into a batch. */
void note_scope(
    struct rocks_batch *, struct rocks *, struct scope, struct purge_act, uint64_t number);
/* Puts an entry's pattern, or that it is retired; nothing if it is neither. */
void note_pattern(struct rocks_batch *, struct rocks *, const struct journal_entry *);
/* Puts an entry's text into the log. */
void note_text(struct rocks_batch *, struct rocks *, uint64_t seq, const struct journal_entry *);
/* The number in a record of ROCKS_FENCE; 0: it is none. */
uint64_t note_number(struct slice value);
/* Reads what is on disk of a scope. False: it failed. */
bool note_recall(struct store *, struct scope, struct purge_mark *ret_mark) ON_WORKER;
