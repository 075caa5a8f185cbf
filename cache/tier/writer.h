/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one thread that writes to the store. It takes what waits in a bounded queue and writes it in
 * groups: the chunks of all objects of a group first, not logged; then their records, logged. So a
 * record never reaches the log before its chunks are in the memtable, which reaches the disk in
 * order: see the ledger for what that means after a crash.
 *
 * A body that is too large for RAM is written while it comes: the writer reads it from its flow, a
 * part a group, and goes on with others in between.
 *
 * Between groups it evicts, and writes out bodies that have waited in memory for a minute.
 *
 * When the disk fails, what is to be stored is dropped, and what is to be forgotten waits.
 */
#pragma once

#include "cache/tier/store.h"

struct writer;

/* own: writer_free. fail: NULL. */
struct writer *writer_new(struct store *);
/* Writes what is queued, and ends what is on its way; then the thread ends. What is asked for later
 * comes to nothing. */
void writer_end(struct writer *);
/* After writer_end, when nobody asks for anything any more. */
void writer_free(struct writer **);

/* Queues an object (takes its own ref); false when the queue is full. thread: any. */
bool writer_store(struct writer *, struct object *);
/* Writes a body while it comes, and then its record; gives the object its spool. What gets larger
 * than `largest` bytes is given up. False as cold_spool. thread: any. */
bool writer_spool(struct writer *, struct object *, uint64_t largest);
/* Queues the removal of what is at a hash; a marker's variants go, too. thread: any. */
void writer_forget(struct writer *, struct hash128);
