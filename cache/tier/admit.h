/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which hashes were asked for before: the memory behind admission on second sighting. Two Bloom
 * filters of 2 MiB; sightings go into the younger, both are asked; when the younger is full the
 * older is emptied and they change places. So a hash is remembered for at least 1.6 million others,
 * and about one in a hundred is taken for seen though it is new, which costs one write.
 * thread: any, all of it.
 */
#pragma once

#include "cache/rule/key.h"

struct sightings;

/* own: sightings_free. fail: NULL without memory. */
struct sightings *sightings_new(void);
void sightings_free(struct sightings **);
/* Notes that a hash was seen; whether it had been seen before. */
bool sightings_note(struct sightings *, struct hash128);
