/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is on disk of purges, record by record. Who decides what is written is the journal.
 *
 *	ROCKS_FENCE    kind, mode, scope's id -> number, and when
 *	ROCKS_PURGES   sequence number -> number, and the entry's text
 *	ROCKS_CONTROL  "pattern " and a number -> the text of a pattern that is in force
 */
#pragma once

#include "cache/rule/scope.h"
#include "cache/tier/rocks.h"

struct store;

void notes_put_scope(
    struct rocks_batch *, struct rocks *, struct scope, struct purge_act, uint64_t number);
void notes_put_text(
    struct rocks_batch *, struct rocks *, uint64_t seq, uint64_t number, struct slice text);
void notes_put_pattern(struct rocks_batch *, struct rocks *, uint64_t number, struct slice text);
void notes_drop_pattern(struct rocks_batch *, struct rocks *, uint64_t number);

/* Reads what there is of a scope. Inside the gate, or while the store opens, as those below. False:
 * it failed. */
bool notes_recall(struct store *, struct scope, struct purge_mark *ret_mark) ON_WORKER;
/* The number of a record of ROCKS_FENCE; 0: it is none. */
uint64_t notes_number(struct slice value);
/* Shows entries of the log in their order, from `seq` on, until `show` answers false. fail:
 * ERR_STORE_IO, ERR_STORE_CORRUPT. */
typedef bool notes_entry_f(void *arg, uint64_t seq, uint64_t number, struct slice text);
enum err notes_read(struct store *, uint64_t seq, notes_entry_f *, void *arg) ON_WORKER;
/* Shows the patterns that are in force. fail: as notes_read. */
typedef void notes_pattern_f(void *arg, uint64_t number, struct slice text);
enum err notes_patterns(struct store *, notes_pattern_f *, void *arg) ON_WORKER;
