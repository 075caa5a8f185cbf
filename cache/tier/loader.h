/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading objects from the store, on the threads of a crew. An object of one chunk comes whole; of
 * a larger one that is worth RAM the load is answered after its first chunk, and its body follows
 * as a flow; any other stays on disk, where each reader has a pump. What does not check, or was
 * evicted meanwhile, is a miss, or, after the answer, a failed flow: never bytes that were not
 * stored.
 */
#pragma once

#include "cache/tier/store.h"

/* The crew's work for a cold_load whose job this is. */
void loader_work(struct job *);
