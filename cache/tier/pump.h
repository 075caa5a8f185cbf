/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pump brings a part of a body from the disk to one reader: a crew's thread reads chunks into a
 * flow, a window ahead of the reader, and lets go of the thread when the window is full or the
 * chunk is not written yet. Only the chunks of the part are read. It ends by itself: with the part,
 * with a chunk that is gone or does not check (the flow fails), or when its reader leaves.
 */
#pragma once

#include "cache/tier/spool.h"

/*
 * Attaches a reader to the part of a spool from `first` to `end` (bytes, UINT64_MAX = to its end),
 * and starts bringing it. owner: the hash's low half, which marks its chunks. False when the
 * readers are too busy, or there is no memory. thread: the reader's.
 */
bool pump_start(struct spool *, uint64_t owner, uint64_t first, uint64_t end,
    struct flow_reader *reader, struct loop *home);
